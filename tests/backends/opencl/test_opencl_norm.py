"""Batch norm's kernels (norm.cl) against the declarations in numpy's float64, in both kinds: for a
CPU and for a GPU."""

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends.opencl import layers, runtime
from microtorch.backends.reference import Reference
from microtorch.engine.registry import REGISTRY
from microtorch.nn.functional import batch_norm

pytestmark = pytest.mark.needs("opencl")
reference = Reference()
EPS = 1e-5
SHAPES = [(2, 1), (7, 3), (13, 37), (33, 16), (5, 97), (300, 2), (3, 1, 5), (31, 17, 2),
          (4, 5, 17, 13), (2, 3, 41, 37),
          (3, 2, 1, 1), (2, 2, 90, 100), (9, 3, 2, 3, 5)]  # fmt: skip


@pytest.fixture(params=["as it is", "the other kind"])
def device(request, monkeypatch):
    """The device, and the device with the kernels for a GPU if it is a CPU, and the other way
    round."""
    if request.param == "as it is":
        return "opencl:0"
    real = runtime.runtime_for()
    monkeypatch.setitem(
        runtime._runtimes, 1, runtime.Runtime(1, real.cl_device, on_cpu=not real.on_cpu)
    )
    return "opencl:1"


def numbers(shape, dtype="float32", seed=0):
    """x, its gradient, weight, bias, running mean and variance."""
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal(shape) + shift for shift in (3, 0))
    w, b, mean = rng.standard_normal((3, shape[1]))
    return [v.astype(dtype) for v in (x, g, w, b, mean, rng.uniform(0.5, 2, shape[1]))]


def expected(x, g, w=None, b=None):
    """The result and the derivatives, by the declarations."""
    x, g, *wb = (v.astype(np.float64) for v in (x, g, w, b) if v is not None)
    vjps = REGISTRY["batch_norm"].derivatives[: 1 + len(wb)]
    return [
        reference.batch_norm(x, *wb, eps=EPS),
        *(vjp(reference, g, None, x, *wb, eps=EPS) for vjp in vjps),
    ]


def close(mine, theirs, dtype="float32"):
    for i, (a, r) in enumerate(zip(mine, theirs, strict=True)):
        assert a.dtype == getattr(torch, dtype) and tuple(a.shape) == r.shape
        scale = max(1.0, abs(r).max())
        atol = (1e-4 if dtype == "float32" else 1e-12) * scale
        np.testing.assert_allclose(
            a.detach().cpu().numpy(), r, rtol=0, atol=atol, err_msg=f"output {i}"
        )


def trained(x, g, *wb):
    out = batch_norm(x, None, None, *wb, training=True, eps=EPS)
    inputs = [v for v in (x, *wb) if v is not None]
    return [out, *torch.autograd.grad(out, inputs, g)]


def on(device, *arrays, grad=True):
    return [torch.tensor(v, device=device).requires_grad_(grad) for v in arrays]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training(device, shape):
    x, g, w, b, *_ = numbers(shape)
    (upstream,) = on(device, g, grad=False)
    for wb in ((), (w,), (w, b)):
        given = on(device, x, *wb)
        close(trained(given[0], upstream, *given[1:]), expected(x, g, *wb))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_running_statistics_and_evaluation(device, shape):
    x, _, w, b, mean, var = on(device, *numbers(shape), grad=False)
    host = [v.cpu().double() for v in (x, w, b, mean, var)]
    batch_norm(x, mean, var, w, b, training=True, momentum=0.3)
    batch_norm(host[0], *host[3:], *host[1:3], training=True, momentum=0.3)
    close([mean, var], [v.numpy() for v in host[3:]])
    for wb, theirs in (((), ()), ((w,), host[1:2]), ((w, b), host[1:3])):
        close([batch_norm(x, mean, var, *wb)], [batch_norm(host[0], *host[3:], *theirs).numpy()])


def test_statistics_are_exact_where_the_mean_is_large(device):
    """A sum of squares minus the square of the sum would have no digit left."""
    for shape in ((4, 3, 70, 80), (5000, 18)):
        x = (np.random.default_rng(1).standard_normal(shape) + 4096).astype(np.float32)
        there = torch.tensor(x, device=device)
        mean, var = there.node.dev.moments(there.array)
        theirs = reference.moments(x.astype(np.float64))
        np.testing.assert_allclose(mean.get(), theirs[0], rtol=1.2e-7)
        np.testing.assert_allclose(var.get(), theirs[1], rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 7, 6), (17, 9), (4, 6, 5, 3)], ids=str)
def test_memory_layout_does_not_matter(device, shape):
    def strided(v):
        wide = np.zeros([2 * n + 1 for n in v.shape], v.dtype)
        places = tuple(slice(1, None, 2) for _ in v.shape)
        wide[places] = v
        return torch.tensor(wide, device=device)[places]

    def permuted(v):
        return torch.tensor(np.ascontiguousarray(v.T), device=device).permute(*range(v.ndim)[::-1])

    x, g, w, b, *_ = numbers(shape)
    for layout in (strided, permuted):
        xs = [layout(v).requires_grad_() for v in (x, w, b)]
        close(trained(xs[0], layout(g), *xs[1:]), expected(x, g, w, b))
    xs = on(device, x, w, b)  # a gradient of steps 0
    out = batch_norm(xs[0], None, None, *xs[1:], training=True)
    close(torch.autograd.grad(out.sum(), xs), expected(x, np.ones_like(g), w, b)[1:])


def test_float64(device):
    if not torch.opencl.get_device_properties()["float64"]:
        pytest.skip("the device has no float64")
    for shape in ((4, 5, 17, 13), (13, 37)):
        x, g, w, b, *_ = numbers(shape, "float64")
        (upstream,) = on(device, g, grad=False)
        given = on(device, x, w, b)
        close(trained(given[0], upstream, *given[1:]), expected(x, g, w, b), "float64")


def test_one_element_a_channel(device):
    """Its variance is 0. batch_norm refuses it in training, the op has a value."""
    for shape in ((1, 5), (1, 5, 1, 1), (1, 19)):
        x, _, w, b, mean, var = on(device, *numbers(shape), grad=False)
        np.testing.assert_array_equal(
            x.node.dev.moments(x.array)[1].get(), np.zeros(shape[1], np.float32)
        )
        close([REGISTRY["batch_norm"](x, w, b, eps=EPS)], [b.cpu().numpy().reshape(shape)])
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            batch_norm(x, mean, var, w, b, training=True)


def test_infinity_and_nan_stay_in_their_channel(device):
    x, g, w, b, *_ = numbers((6, 4, 5, 5))
    g[0, 1, 0, 0], x[0, 2, 0, 0] = np.inf, np.nan
    (upstream,) = on(device, g, grad=False)
    x, w, b = on(device, x, w, b)
    dw, db = (v.cpu().numpy() for v in trained(x, upstream, w, b)[2:])
    np.testing.assert_array_equal(np.isfinite(dw), [True, False, False, True])
    np.testing.assert_array_equal(db[1], np.inf)
    assert np.isfinite(db[[0, 2, 3]]).all()


def test_create_graph(device):
    """Second derivatives are those of the declaration, and the first ones the kernel's."""
    x, _, w, b, *_ = numbers((4, 3, 5))
    seconds = []
    for there in ("cpu", device):
        given = on(there, x, w, b)
        out = batch_norm(given[0], None, None, *given[1:], training=True)
        first = torch.autograd.grad((out**3).sum(), given, create_graph=True)
        seconds.append(
            [v.cpu().numpy() for v in torch.autograd.grad(sum((v**2).sum() for v in first), given)]
        )
    for theirs, mine in zip(*seconds, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-3 * abs(theirs).max())


def test_what_the_kernels_decline(device, monkeypatch):
    """Empty arrays, float16 and mixed dtypes go the way of the declaration."""
    monkeypatch.setattr(layers, "channel_kernel", None)  # would raise
    for shape in ((0, 3), (2, 3, 0)):
        (x,) = on(device, np.zeros(shape, np.float32))
        out = batch_norm(x, None, None, training=True)
        out.sum().backward()
        assert out.shape == x.grad.shape == shape
    half = torch.tensor(numbers((6, 3))[0], device=device).half()
    assert batch_norm(half, None, None, training=True).dtype == torch.float16


def test_half_statistics_are_the_cpus(device):
    numbers_of = torch.tensor(numbers((6, 3, 4))[0]).half()
    found = []
    for where in (device, "cpu"):
        layer = torch.nn.BatchNorm1d(3).to(where).to(torch.float16)  # a dtype leaves the device
        x = numbers_of.to(where).requires_grad_()
        out = layer(x)
        (out.float() ** 3).sum().backward()
        given = (out, x.grad, layer.weight.grad, layer.running_var)
        assert {t.device.type for t in given} == {torch.device(where).type}
        found.append([t.detach().float().cpu().numpy() for t in given])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=4e-3, atol=4e-3)
