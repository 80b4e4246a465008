"""The OpenCL device as a user meets it: tensors there and back, training, random numbers, errors.

That every op computes what it does on the CPU is tested in test_opencl_registry.py; the kernels in
test_opencl_kernels.py.
"""

import copy
import io
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT, python
from test_scripts import SCRIPTS, assert_same, output_of

import microtorch as torch
from microtorch import nn
from microtorch.arrays import draws
from microtorch.backends import opencl
from microtorch.backends.opencl import backend, protocol, runtime
from microtorch.base import errors
from microtorch.vision.datasets import Digits

pytestmark = pytest.mark.needs("opencl")
D = "opencl"


def t(*data, **options):
    return torch.tensor(*data, device=D, **options)


# ---- there and back ------------------------------------------------------------------------------
def test_device_names():
    x = t([1.0, 2.0])
    assert str(x.device) == "opencl:0" and x.device == torch.device("opencl", 0)
    assert x.to("opencl") is x and x.to("opencl:0") is x and x.cpu().device.type == "cpu"
    assert torch.opencl.is_available() and torch.opencl.device_count() >= 1
    assert torch.opencl.get_device_name()
    # a script's `"cuda" if torch.cuda.is_available() else "cpu"` stays on the CPU
    assert not torch.cuda.is_available()


def test_a_driver_that_runs_on_the_cpu_is_no_accelerator():
    """PyTorch's examples ask for one, and would run on a driver that is slower than "cpu"."""
    on_cpu = not any(d.type & 4 for d in runtime.devices())  # CL_DEVICE_TYPE_GPU
    found = torch.accelerator.current_accelerator()
    assert found == (None if on_cpu else torch.device("opencl"))
    assert torch.accelerator.is_available() is (torch.accelerator.device_count() > 0) is not on_cpu


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
)
def test_every_dtype_comes_back_as_it_was(dtype):
    if dtype == "float64" and not torch.opencl.get_device_properties()["float64"]:
        pytest.skip("the device has no float64")
    x = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(torch, dtype))
    y = x.to(D)
    assert y.dtype == x.dtype and torch.equal(y.cpu(), x)
    assert (
        torch.equal(y.T.cpu(), x.T)
        and torch.equal(x.T.to(D).cpu(), x.T)
        and x.T.to(D).stride() == x.T.stride()
    )
    assert torch.equal(y[:, 1:].cpu(), x[:, 1:]) and torch.equal(y.float().cpu(), x.float())


def test_gradient_crosses_devices():
    x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x.to(D)
    assert y.grad_fn.name() == "ToCopyBackward0"
    (y * y).sum().cpu().backward()
    assert x.grad.device.type == "cpu" and x.grad.tolist() == [2.0, -4.0, 6.0]
    (g,) = torch.autograd.grad((x.to(D) ** 3).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(h.numpy(), [6.0, -12.0, 18.0], rtol=1e-5)


def test_reading():
    x = t([[1.5, -2.0]])
    assert (
        x.tolist() == [[1.5, -2.0]]
        and x[0, 0].item() == 1.5
        and float(x[0, 1]) == -2.0
        and bool(x[0, 0] > 1)
    )
    assert repr(x) == "tensor([[ 1.5000, -2.0000]], device='opencl:0')"
    assert len(x) == 1 and [v.tolist() for v in x] == [[1.5, -2.0]] and -2.0 in x
    with pytest.raises(
        TypeError, match=r"can't convert opencl:0 device type tensor to numpy[\s\S]*Tensor.cpu\(\)"
    ):
        x.numpy()
    with pytest.raises(TypeError, match="can't convert opencl:0"):
        np.asarray(x)
    assert x.numpy(force=True).tolist() == [[1.5, -2.0]]


def test_copies():
    x = t([1.0, 2.0]).requires_grad_()
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (
            y.device == x.device
            and y.requires_grad
            and y.tolist() == x.tolist()
            and y.data_ptr() != x.data_ptr()
        )
    file = io.BytesIO()
    torch.save({"x": x, "again": x}, file)
    file.seek(0)
    loaded = torch.load(file)
    assert (
        loaded["x"].device.type == "cpu"
        and loaded["x"].tolist() == [1.0, 2.0]
        and loaded["x"].requires_grad
    )
    file.seek(0)
    assert torch.load(file, map_location="opencl")["x"].device == x.device
    y = torch.zeros(2)
    y.copy_(x.detach())
    assert y.tolist() == [1.0, 2.0] and y.device.type == "cpu"
    z = torch.zeros(2, device=D)
    z.copy_(torch.tensor([3, 4]))
    assert z.tolist() == [3.0, 4.0]


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
def test_creation():
    for made in (torch.zeros(2, 3, device=D), torch.ones(2, device=D),
                 torch.full((2,), 7.0, device=D), torch.arange(5, device=D), torch.eye(3, device=D),
                 torch.linspace(0, 1, 5, device=D), torch.zeros_like(t([1.0])),
                 t([1.0]).new_ones(2), torch.full_like(t([1.0, 2.0]), 3.0),
                 torch.randperm(5, device=D), torch.tensor(t([1.0]))):  # fmt: skip
        assert made.device.type == "opencl", made
    assert torch.full_like(t([1.0, 2.0]), 3.0).tolist() == [3.0, 3.0]
    assert torch.arange(5, device=D).tolist() == [0, 1, 2, 3, 4]


def test_memory_is_returned():
    torch.opencl.synchronize()
    before = torch.opencl.memory_allocated()
    x = torch.zeros(1000, 1000, device=D)
    assert torch.opencl.memory_allocated() - before == 4_000_000
    del x
    assert torch.opencl.memory_allocated() == before
    torch.opencl.empty_cache()


def test_views_and_in_place_writes():
    x = torch.zeros(3, 4, device=D)
    x[1] = 5.0
    x[:, 2] += 1.0
    x[x > 5.5] = -1.0
    x[[0, 2], [0, 3]] = t([8.0, 9.0])
    x.T[3, 0] = 7.0
    expected = [[8.0, 0.0, 1.0, 7.0], [5.0, 5.0, -1.0, 5.0], [0.0, 0.0, 1.0, 9.0]]
    assert x.tolist() == expected and x._version > 0
    w = torch.ones(3, device=D, requires_grad=True)
    y = w * 2
    y[0:2].mul_(3.0)
    y.sum().backward()
    assert w.grad.tolist() == [6.0, 6.0, 2.0]
    u = w * 2
    v = (u * u).sum()
    u.add_(1.0)
    with pytest.raises(errors.InplaceError, match="modified by an inplace operation"):
        v.backward()
    with pytest.raises(RuntimeError, match="single memory location"):
        t([1.0]).expand(3).add_(1.0)


# ---- training ------------------------------------------------------------------------------------
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "nesterov": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    "dampening": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, maximize=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, maximize=True),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("strided", [False, True])
def test_optimizers(name, strided):
    """Three steps on the device end where they end on the CPU; the state lies on the device."""
    ends = []
    for device in ("cpu", D):
        start = torch.tensor(np.cos(np.arange(14.0)).astype(np.float32)).reshape(7, 2).to(device)
        p = (start.T if strided else start).detach().requires_grad_()
        optimizer = OPTIMIZERS[name]([p])
        for i in range(3):
            p.grad = torch.sin(p.detach() * (i + 1))
            optimizer.step()
        assert p.device.type == device[:6] and all(
            v.device.type == device[:6]
            for k, v in optimizer.state[p].items()
            if torch.is_tensor(v) and k != "step"
        )
        ends.append(p.detach().cpu().numpy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=2e-5, atol=1e-6)


def digits(train):
    data = Digits(train=train)
    images = torch.stack([torch.as_tensor(x) for x, _ in data]).float().reshape(-1, 64) / 16
    return images, torch.tensor([int(y) for _, y in data])


def mlp():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.LayerNorm(64), nn.Linear(64, 10),
    )  # fmt: skip


def trained(make, device, epochs):
    torch.manual_seed(0)
    model = make().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    (x, y), (test_x, test_y) = ((v.to(device) for v in digits(train)) for train in (True, False))
    for _ in range(epochs):
        for i in range(0, len(x), 64):
            loss = nn.functional.cross_entropy(model(x[i : i + 64]), y[i : i + 64])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
    assert all(p.device.type == device and p.grad.device.type == device for p in model.parameters())
    return loss.item(), accuracy


@pytest.mark.parametrize(("make", "epochs"), [(mlp, 6), (cnn, 3)])
def test_training_on_digits_ends_where_it_ends_on_the_cpu(make, epochs):
    here, there = trained(make, "cpu", epochs), trained(make, D, epochs)
    assert abs(here[0] - there[0]) < 0.02 and abs(here[1] - there[1]) < 0.015 and there[1] > 0.9


def test_modules_move():
    model = cnn().to(D)
    tensors = [*model.parameters(), *model.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"opencl"}
    model.load_state_dict({k: v.cpu() for k, v in model.state_dict().items()})
    assert next(model.parameters()).device.type == "opencl"
    assert next(model.cpu().parameters()).device.type == "cpu"


# Python programs of courses, with every tensor on the device; random numbers from the CPU's
# generator, to compare the output
LONG = {"attention", "physics", "recurrent", "autoencoder", "polynomial", "custom_function"}
# .numpy() without .cpu(), torch.linalg
ONLY_CPU = {"numpy_bridge", "linear_regression", "second_order", "weights"}


class HostDraws:
    def __getattr__(self, name):
        def draw(*args, **kwargs):
            return getattr(draws, name)(
                *(a.get() if hasattr(a, "get") else a for a in args), **kwargs
            )

        return draw


@pytest.mark.parametrize(
    "path", [p for p in SCRIPTS if p.stem not in LONG | ONLY_CPU], ids=lambda p: p.stem
)
def test_scripts_print_the_same_on_the_device(path, monkeypatch):
    monkeypatch.setattr(backend.OpenCL, "draws", HostDraws())
    torch.set_default_device(D)
    try:
        printed = (
            output_of(path, "microtorch")
            .replace("device='opencl:0',", "")
            .replace("device='opencl:0'", "")
        )
    finally:
        torch.set_default_device(None)
    # lines break elsewhere
    texts = [" ".join(text.split()) for text in (printed, path.with_suffix(".out").read_text())]
    for shown, other in ((",)", ")"), (", )", ")"), ("opencl:0", "cpu"), (", grad_fn", " grad_fn")):
        texts = [text.replace(shown, other) for text in texts]
    assert_same(*texts)


# ---- random numbers ------------------------------------------------------------------------------
def philox(counter, key):
    """Philox4x32-10 in Python's integers, from the paper's description."""
    c, k = list(counter), list(key)
    for _ in range(10):
        low, high = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (high >> 32) ^ c[1] ^ k[0],
            high & 0xFFFFFFFF,
            (low >> 32) ^ c[3] ^ k[1],
            low & 0xFFFFFFFF,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_uniform_numbers_are_philox():
    # the known answer that Random123 publishes for a counter and a key of zeros
    assert philox([0, 0, 0, 0], [0, 0]) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    seed = 0x1234567890
    drawn = torch.rand(5, device=D, generator=torch.Generator(device=D).manual_seed(seed)).tolist()
    assert drawn == [
        (philox([i, 0, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])[0] >> 8) * 2.0**-24 for i in range(5)
    ]


def test_random_numbers():
    torch.manual_seed(5)
    x = torch.randn(200_000, device=D)
    torch.manual_seed(5)
    assert torch.equal(x, torch.randn(200_000, device=D))
    assert not torch.equal(x, torch.randn(200_000, device=D))
    assert (
        abs(x.mean().item()) < 0.01
        and abs(x.std().item() - 1) < 0.01
        and abs((x**4).mean().item() - 3) < 0.1
    )
    u = torch.rand(200_000, device=D)
    assert 0 <= u.min().item() and u.max().item() < 1 and abs(u.mean().item() - 0.5) < 0.005
    counts = torch.bincount(torch.randint(0, 5, (50_000,), device=D).cpu(), minlength=5)
    assert counts.min().item() > 9_500 and len(counts) == 5
    assert sorted(torch.randperm(1000, device=D).tolist()) == list(range(1000))
    assert abs(torch.zeros(100_000, device=D).bernoulli_(0.3).mean().item() - 0.3) < 0.01
    assert abs(torch.zeros(100_000, device=D).exponential_(2.0).mean().item() - 0.5) < 0.01
    dropped = nn.functional.dropout(torch.ones(100_000, device=D), 0.25)
    assert set(dropped.cpu().unique().tolist()) == {0.0, float(np.float32(4 / 3))}
    p = t([0.1, 0.2, 0.7])
    share = torch.bincount(torch.multinomial(p, 20_000, True).cpu(), minlength=3) / 20_000
    np.testing.assert_allclose(share.numpy(), [0.1, 0.2, 0.7], atol=0.02)
    assert sorted(torch.multinomial(p, 3).tolist()) == [0, 1, 2]


def test_generators_of_devices():
    g = torch.Generator(device=D).manual_seed(7)
    state = g.get_state()
    first = torch.randn(10, device=D, generator=g)
    g.set_state(state)
    assert torch.equal(first, torch.randn(10, device=D, generator=g))
    with pytest.raises(
        RuntimeError, match="Expected a 'opencl:0' device type for generator but found 'cpu'"
    ):
        torch.rand(3, device=D, generator=torch.Generator())
    torch.opencl.manual_seed(3)
    saved = torch.opencl.get_rng_state()
    x = torch.rand(4, device=D)
    torch.opencl.set_rng_state(saved)
    assert torch.equal(x, torch.rand(4, device=D)) and torch.opencl.initial_seed() == 3


WRONG = {
    "uniform order": lambda d: torch.empty(2, device=d).uniform_(1, 0),
    "uniform bounds": lambda d: torch.empty(2, device=d).uniform_(0, 1e39),
    "normal": lambda d: torch.empty(2, device=d).normal_(0, -1),
    "exponential": lambda d: torch.empty(2, device=d).exponential_(0),
    "log_normal": lambda d: torch.empty(2, device=d).log_normal_(0, 0),
    "cauchy": lambda d: torch.empty(2, device=d).cauchy_(0, -1),
    "geometric": lambda d: torch.empty(2, device=d).geometric_(1.0),
    "bernoulli": lambda d: torch.empty(2, device=d).bernoulli_(1.5),
    "randint order": lambda d: torch.randint(3, 3, (2,), device=d),
    "randint bounds": lambda d: torch.randint(0, 300, (2,), dtype=torch.uint8, device=d),
    "randperm": lambda d: torch.randperm(-1, device=d),
    "randperm dtype": lambda d: torch.randperm(300, dtype=torch.uint8, device=d),
    "sizes": lambda d: torch.rand(-1, device=d),
    "multinomial none": lambda d: torch.multinomial(torch.ones(3, device=d), 0),
    "multinomial many": lambda d: torch.multinomial(torch.ones(3, device=d), 4),
    "multinomial nan": lambda d: torch.multinomial(torch.tensor([1.0, float("nan")], device=d), 1),
    "multinomial 0": lambda d: torch.multinomial(torch.zeros(2, 3, device=d), 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_numbers_that_describe_no_distribution_are_refused_as_on_the_cpu(name):
    said = []
    for device in ("cpu", D):
        with pytest.raises(Exception) as caught:
            WRONG[name](device)
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]


# ---- errors --------------------------------------------------------------------------------------
def test_mixed_devices():
    x, y = t([1.0, 2.0]), torch.tensor([1.0, 2.0])
    for f in (
        lambda: x + y,
        lambda: y * x,
        lambda: torch.stack([x, y]),
        lambda: nn.functional.linear(x, y.reshape(1, 2)),
    ):
        with pytest.raises(
            errors.DeviceError, match=r"same device[\s\S]*opencl:0[\s\S]*\.to\(device\)"
        ):
            f()
    with pytest.raises(
        errors.DeviceError, match="the gradient is on cpu, but the tensor is on opencl:0"
    ):
        (x.requires_grad_() * 2).backward(torch.ones(2))
    assert (x.detach() * 2.0).tolist() == [2.0, 4.0]  # a number belongs to every device


def test_a_device_that_is_not_there():
    with pytest.raises(errors.DeviceError, match=r"'opencl:9' is not available[\s\S]*opencl:0 is "):
        torch.zeros(2, device="opencl:9")


PROBE = """
import microtorch as torch
accelerator = torch.accelerator.current_accelerator()
print(torch.opencl.is_available(), accelerator, torch.opencl.device_count())
try:
    torch.zeros(2, device="opencl")
except RuntimeError as e:
    print(type(e).__name__, e)
"""


@pytest.mark.parametrize(
    ("hide", "expected"),
    [
        (
            "driver",
            ["no OpenCL device was found", "driver files (ICDs) in", "apt install pocl-opencl-icd"],
        ),
        ("pyopencl", ["needs Python's package pyopencl", 'pip install "microtorch[opencl]"']),
    ],
)
def test_without_a_driver_or_without_pyopencl(hide, expected, tmp_path):
    nowhere = {"OCL_ICD_VENDORS": f"{tmp_path}/", "OPENCL_VENDOR_PATH": str(tmp_path)}
    block = "import sys; sys.modules['pyopencl'] = None\n" if hide == "pyopencl" else ""
    said = python("-c", block + PROBE, **(nowhere if hide == "driver" else {}))
    assert said.startswith("False None 0\nRuntimeError ")
    assert all(part in said for part in expected), said


def test_out_of_memory():
    said = r"Tried to allocate 400,000,000,000 bytes[\s\S]*in use: [\d,]+ of [\d,]+ bytes"
    with pytest.raises(torch.OutOfMemoryError, match=said):
        torch.empty(10**11, device=D)


def test_a_kernel_that_does_not_build(capfd):
    with pytest.raises(
        RuntimeError, match=r"the OpenCL kernel 'broken' does not build on opencl:0[\s\S]*nonsense"
    ):
        runtime.runtime_for().kernel("__kernel void broken(int n) { nonsense; }", "broken")
    capfd.readouterr()


def test_a_device_that_was_lost():
    error = runtime.runtime_for().failed(
        "mul", Exception("clEnqueueNDRangeKernel failed: DEVICE_NOT_AVAILABLE")
    )
    assert isinstance(error, errors.DeviceError) and "was lost" in str(error)


def test_an_op_without_a_kernel_says_so_or_runs_on_the_host():
    x = t([[2.0, 0.0], [0.0, 4.0]])
    with pytest.raises(
        errors.MissingKernel,
        match=r"opencl has no kernel 'inv'[\s\S]*x.cpu\(\)[\s\S]*fallback\('host'\)",
    ):
        torch.linalg.inv(x)
    torch.backends.opencl.fallback("host")
    try:
        protocol._warned.clear()
        with pytest.warns(UserWarning, match="opencl has no kernel 'inv': it runs on the host"):
            y = torch.linalg.inv(x)
        assert y.device.type == "opencl" and y.tolist() == [[0.5, 0.0], [0.0, 0.25]]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # only once per op
            torch.linalg.inv(x)
    finally:
        torch.backends.opencl.fallback("error")
    with pytest.raises(ValueError, match='"error" or "host"'):
        torch.backends.opencl.fallback("yes")


def test_errors_of_ops_are_those_of_the_cpu():
    x = t([[1.0, 2.0]])

    def entropy(device):
        classes = torch.tensor([0, 3], device=device)
        return nn.functional.cross_entropy(torch.ones(2, 3, device=device), classes)

    def embedding(device):
        rows = torch.tensor([5], device=device)
        return nn.functional.embedding(rows, torch.ones(3, 2, device=device))

    wrong = (
        lambda d: torch.ones(2, 3, device=d) + torch.ones(4, device=d),
        lambda d: torch.ones(2, 3, device=d) @ torch.ones(4, 5, device=d),
        lambda d: torch.ones(2, device=d)[5],
        lambda d: torch.ones(2, device=d)[torch.tensor([0, 7], device=d)],
        lambda d: torch.ones(2, 3, device=d).reshape(4),
        lambda d: torch.tensor([1, 2], device=d) // 0,
        lambda d: torch.tensor([2], device=d) ** -1,
        lambda d: torch.ones(2, device=d).sum(3),
        entropy,
        embedding,
    )
    for f in wrong:
        kinds = []
        for device in ("cpu", D):
            with pytest.raises(Exception) as caught:
                f(device)
            kinds.append(
                (type(caught.value), str(caught.value).splitlines()[0].split(" at ")[0][:25])
            )
        assert kinds[0] == kinds[1]
    assert x.tolist() == [[1.0, 2.0]]


def test_source_shows_the_kernel_that_ran():
    t([1.0]).sigmoid()
    text = opencl.source("sigmoid")
    assert "__kernel void sigmoid_float" in text and "1.0f / (1.0f + exp(-x))" in text
    with pytest.raises(KeyError, match="no kernel of 'nothing' has run"):
        opencl.source("nothing")


def test_pictures_and_the_stepper_show_the_kernels():
    from microtorch import viz

    x, w = t([[1.0, 2.0]]), t([[0.5], [-1.0]]).requires_grad_()
    loss = ((x @ w).sigmoid() * 2.0).cpu().sum()
    trace = viz.step(loss).trace
    (sigmoid,) = [n for n in trace.nodes if n.op == "sigmoid"]
    assert (
        sigmoid.value.number == pytest.approx(1 / (1 + np.exp(1.5)))
        and "__kernel void sigmoid_float" in sigmoid.kernels[0]
    )
    loss.backward()
    page = viz.step(((x @ w).sigmoid() * 2.0).sum())._repr_mimebundle_()["text/html"]
    assert "sigmoid_vjp0_float" in page and "matmul_tiled" in page
    assert viz.draw(loss) is not None


def test_the_page_about_opencl_runs(capsys):
    text = (ROOT / "docs" / "opencl.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(compile(program, "opencl.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out == "tensor([[1., 2.]])\n"
    show = (
        "import microtorch as torch; from microtorch.backends import opencl; "
        "torch.tensor([0.5], device='opencl', requires_grad=True).sigmoid().sum().backward(); "
        "print(opencl.source('sigmoid_vjp0'))"
    )  # in a fresh process: `source` gives what was built last
    made = python("-c", show)
    (kernel,) = [
        block for block in re.findall(r"```c\n(.*?)```", text, re.S) if "sigmoid_vjp0" in block
    ]
    assert kernel.strip() in made  # the page shows what is generated ...
    tiled = (Path(opencl.__file__).parent / "kernels" / "matmul.cl").read_text(encoding="utf-8")
    for block in re.findall(r"```c\n(.*?)```", text, re.S):  # ... and what stands in the file
        if "sigmoid" not in block:
            assert all(line.strip() in tiled for line in block.splitlines())
