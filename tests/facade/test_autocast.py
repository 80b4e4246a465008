"""torch.autocast: PyTorch's lists for the CPU, and gradients right through the casts."""

import inspect
import threading
import warnings

import numpy as np
import pytest

import microtorch as torch

pytest.importorskip("ml_dtypes")
nn, F = torch.nn, torch.nn.functional
LOW = torch.bfloat16


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert not torch.is_autocast_enabled("cpu")


def data(dtype=torch.float32):
    torch.manual_seed(0)
    return torch.randn(3, 4).to(dtype), torch.randn(3, 4).to(dtype)


SQUARE = slice(0, 3)
# the dtype of the result for float32 and for bfloat16 operands, by torch 2.13
LISTED = {
    "matmul": (lambda x, y: x @ y.t(), "low low"),
    "reflected": (lambda x, y: x.__rmatmul__(y.t()), "low low"),
    "mm": (lambda x, y: torch.mm(x, y.t()), "low low"),
    "bmm": (lambda x, y: torch.bmm(x[None], y.t()[None]), "low low"),
    "linear": (F.linear, "low low"),
    "addmm": (lambda x, y: torch.addmm(x[:, SQUARE], x, y.t()), "low low"),
    "conv": (lambda x, y: F.conv1d(x[None], y[:, SQUARE, None]), "low low"),
    "einsum": (lambda x, y: torch.einsum("ij,kj->ik", x, y), "low low"),
    "inner": (torch.inner, "low low"),
    "attention": (lambda *xs: F.scaled_dot_product_attention(*xs, xs[1]), "low low"),
    "prelu": (lambda x, y: F.prelu(x, x[0, :1]), "low low"),
    "rnn": (lambda x, y: nn.RNN(4, 5)(x)[0], "low low"),
    "lstm": (lambda x, y: nn.LSTM(4, 5)(x)[0], "low low"),
    "attention layer": (lambda x, y: nn.MultiheadAttention(4, 2)(x, x, x)[0], "low low"),
    "mv": (lambda x, y: x.mv(y[0]), "float low"),
    "dot": (lambda x, y: x[0].dot(y[0]), "float low"),
    "add": (lambda x, y: x + y, "float low"),
    "softmax": (lambda x, y: x.softmax(1), "float low"),
    "sum": (lambda x, y: x.sum(), "float low"),
    "layer_norm": (lambda x, y: nn.LayerNorm(4)(x), "float low"),
    "group_norm": (lambda x, y: nn.GroupNorm(2, 4)(x), "float low"),
    "cosine_similarity": (F.cosine_similarity, "float low"),
    "einsum without sums": (lambda x, y: torch.einsum("ij,ij->ij", x, y), "float low"),
    "cat": (lambda x, y: torch.cat((x, y)), "float low"),
    "mse_loss": (F.mse_loss, "float float"),
    "MSELoss": (nn.MSELoss(), "float float"),
    "l1_loss": (F.l1_loss, "float float"),
    "cross_entropy": (lambda x, y: F.cross_entropy(x, torch.arange(3)), "float float"),
    "nll_loss": (lambda x, y: F.nll_loss(x, torch.arange(3)), "float float"),
    "kl_div": (lambda x, y: F.kl_div(x, y, reduction="sum"), "float float"),
    # products whose results, or whose operands, a function of its own goes on with
    "a product and its loss": (
        lambda x, y: F.linear_cross_entropy(x, y, torch.arange(3), weight=torch.ones(3)),
        "float float",
    ),
    "weights under a mask": (
        lambda x, y: nn.MultiheadAttention(4, 2)(x, y, y, attn_mask=torch.zeros(3, 3))[1],
        "low low",
    ),
    "svd_lowrank": (lambda x, y: torch.svd_lowrank(x.float(), 2)[1], "float float"),
    "bce": (lambda x, y: F.binary_cross_entropy(x.sigmoid(), y.sigmoid()), "float float"),
    "prod": (lambda x, y: x.prod(), "float float"),
    "quantile": (lambda x, y: x.quantile(0.5), "float float"),
    "inverse": (lambda x, y: torch.linalg.inv(x[:, SQUARE]), "float float"),
    "older inverse": (lambda x, y: torch.inverse(x[:, SQUARE]), "float float"),
    "inverse method": (lambda x, y: x[:, SQUARE].inverse(), "float float"),
    "stft": (
        lambda x, y: torch.stft(
            x.reshape(-1), 4, window=torch.ones(4, dtype=x.dtype), return_complex=True
        ).real,
        "float float",
    ),
    "reflection": (lambda x, y: F.pad(x, (1, 1), mode="reflect"), "float float"),
}


@pytest.mark.parametrize("name", LISTED)
def test_dtypes_of_results(name):
    f, kinds = LISTED[name]
    given = {"float": torch.float32, "low": LOW}
    for dtype, kind in zip((torch.float32, LOW), kinds.split(), strict=True):
        with torch.autocast("cpu"):
            assert f(*data(dtype)).dtype is given[kind]
    assert f(*data()).dtype is torch.float32  # and nothing of it is left afterwards


def test_values_are_those_of_casts_by_hand():
    x, y = data()
    with torch.autocast("cpu", dtype=torch.float16):
        out = x @ y.t()
        loss = F.mse_loss(out, y[:, SQUARE])
    by_hand = x.half() @ y.half().t()
    assert torch.equal(out, by_hand)
    assert loss.dtype is torch.float32 and loss == F.mse_loss(by_hand.float(), y[:, SQUARE])


def test_float64_and_integers_stay_as_they_are():
    x, y = data(torch.float64)
    with torch.autocast("cpu"):
        assert (x @ y.t()).dtype is F.mse_loss(x, y).dtype is torch.float64
        assert (x.long() @ y.long().t()).dtype is torch.int64
        with pytest.raises(RuntimeError, match="dtype"):
            x @ y.float().t()


def test_operands_of_several_types_meet_in_the_lower_one():
    x, y = data()
    with torch.autocast("cpu"):
        assert F.linear(x.bfloat16(), y, torch.zeros(3)).dtype is LOW
        assert F.linear(x.half(), y).dtype is LOW
        assert F.conv1d(x.bfloat16()[None], y[:, SQUARE, None]).dtype is LOW
        assert torch.index_copy(x, 0, torch.tensor([0]), y[:1].bfloat16()).dtype is torch.float32
    with pytest.raises(RuntimeError, match="dtype"):
        F.linear(x.bfloat16(), y)


def test_gradients_come_back_in_each_operands_type():
    x, y = data()
    a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
    with torch.autocast("cpu"):
        loss = F.mse_loss(F.relu(a @ b.t()), torch.zeros(3, 3))
    loss.backward()
    assert a.grad.dtype is b.grad.dtype is torch.float32
    c, d = x.bfloat16().requires_grad_(), y.bfloat16().requires_grad_()
    F.mse_loss(F.relu(c @ d.t()).float(), torch.zeros(3, 3)).backward()
    assert torch.equal(a.grad, c.grad.float()) and torch.equal(b.grad, d.grad.float())


def test_second_derivatives_pass_the_casts():
    x = torch.tensor([[0.5]], requires_grad=True)
    with torch.autocast("cpu"):
        y = x @ x
    (g,) = torch.autograd.grad(y.float().sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert g.item() == 1.0 and h.item() == 2.0 and h.dtype is torch.float32


def test_a_network_learns():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    x, target = torch.randn(30, 4), torch.arange(30) % 3
    for _ in range(60):
        with torch.autocast("cpu", dtype=LOW):
            loss = nn.CrossEntropyLoss()(net(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.dtype is torch.float32 and loss < 0.3
    assert all(p.dtype is p.grad.dtype is torch.float32 for p in net.parameters())


def test_regions_nest():
    x, y = data()
    with torch.autocast("cpu"):
        with torch.autocast("cpu", enabled=False):
            assert (x @ y.t()).dtype is torch.float32 and not torch.is_autocast_enabled("cpu")
            with torch.autocast("cpu", dtype=torch.float16):
                assert (x @ y.t()).dtype is torch.float16
                assert torch.get_autocast_dtype("cpu") is torch.float16
            assert (x @ y.t()).dtype is torch.float32
        assert (x @ y.t()).dtype is LOW and torch.is_autocast_enabled("cpu")
    region = torch.autocast("cpu")
    with region, region:  # one object, twice
        assert (x @ y.t()).dtype is LOW


def test_an_exception_ends_the_region():
    x, y = data()
    with pytest.raises(ZeroDivisionError), torch.autocast("cpu"):
        1 / 0  # noqa: B018
    with torch.autocast("cpu"), pytest.raises(ValueError):
        F.cross_entropy(x, y[:2])
    with torch.autocast("cpu"):
        assert (x @ y.t()).dtype is LOW
    assert (x @ y.t()).dtype is torch.float32


def test_as_a_decorator():
    x, y = data()

    @torch.autocast("cpu", dtype=torch.float16)
    def product(a, b):
        """a @ b.T"""
        return a @ b.t()

    assert product(x, y).dtype is torch.float16 and product.__doc__ == "a @ b.T"
    assert (x @ y.t()).dtype is torch.float32
    with pytest.raises(TypeError, match="requires a callable"):
        torch.autocast("cpu")(3)


def test_a_weight_is_cast_once_in_a_region():
    x, _ = data()
    w = nn.Parameter(torch.ones(3, 4))

    def casts(out):
        node, found = out.grad_fn, set()
        todo = [node]
        for n in todo:
            todo.extend(n.inputs)
            if n.op is not None and n.op.name == "cast" and w.node in n.inputs:
                found.add(n)
        return len(found)

    with torch.autocast("cpu"):
        assert casts(F.linear(x, w) + F.linear(x, w)) == 1
        with torch.no_grad():
            w.mul_(2)  # a cast that is out of date is made anew
        assert F.linear(x, w)[0, 0] == F.linear(x, torch.full((3, 4), 2.0))[0, 0]
        with torch.no_grad():
            assert not F.linear(x, w).requires_grad
        assert F.linear(x, w).requires_grad
    with torch.autocast("cpu", cache_enabled=False):
        assert casts(F.linear(x, w) + F.linear(x, w)) == 2


def test_threads_have_regions_of_their_own():
    x, y = data()
    inside, done, seen = threading.Event(), threading.Event(), []

    def work():
        with torch.autocast("cpu"):
            inside.set()
            done.wait(10)
            seen.append((x @ y.t()).dtype)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    assert (x @ y.t()).dtype is F.linear(x, y).dtype is torch.float32
    done.set()
    thread.join()
    assert seen == [LOW] and (x @ y.t()).dtype is torch.float32


def test_hot_paths_are_as_before_once_no_region_is_open():
    from microtorch.backends.table import BackendTable, HotTable

    x, y = data()
    with torch.autocast("cpu"):
        x @ y.t()
    x @ y.t()
    F.linear(x, y)
    for table in BackendTable.all:
        if isinstance(table, HotTable) and table.name in ("matmul", "linear"):
            assert table.get(x.node.dev, "not yet") is not None


def test_what_cannot_be_is_disabled_with_a_warning():
    x, y = data()
    for make, words in (
        (lambda: torch.autocast("cuda"), "CUDA is not available"),
        (lambda: torch.autocast("cpu", dtype=torch.float32), "target dtype is not supported"),
        (lambda: torch.cuda.amp.autocast(), "CUDA is not available"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            with pytest.warns(UserWarning, match=words):
                region = make()
        with region:
            assert (x @ y.t()).dtype is torch.float32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.autocast("cuda", enabled=False)
    with pytest.raises(ValueError, match="of type `str`"):
        torch.autocast(3)
    with pytest.raises(RuntimeError, match="device"):
        torch.autocast("toaster")


def test_questions_and_settings():
    assert not torch.is_autocast_enabled() and not torch.is_autocast_cpu_enabled()
    assert torch.get_autocast_dtype("cpu") is torch.get_autocast_cpu_dtype() is LOW
    assert torch.get_autocast_dtype("cuda") is torch.float16
    assert torch.amp.is_autocast_available("cpu") and torch.is_autocast_cache_enabled()
    torch.set_autocast_dtype("cpu", torch.float16)
    try:
        with torch.autocast("cpu"):
            assert torch.get_autocast_dtype("cpu") is torch.float16
    finally:
        torch.set_autocast_dtype("cpu", LOW)
    torch.set_autocast_enabled("cpu", True)
    try:
        assert torch.is_autocast_enabled("cpu") and (torch.eye(2) @ torch.eye(2)).dtype is LOW
    finally:
        torch.set_autocast_enabled("cpu", False)
    assert (torch.eye(2) @ torch.eye(2)).dtype is torch.float32
    from microtorch.amp import GradScaler, autocast, custom_bwd, custom_fwd  # noqa: F401
    from microtorch.cuda.amp import autocast as older

    assert issubclass(older, torch.autocast) and torch.amp.autocast is torch.autocast
    assert list(inspect.signature(autocast).parameters) == [
        "device_type", "dtype", "enabled", "cache_enabled",
    ]  # fmt: skip


@pytest.mark.parametrize("inputs", [None, torch.float32])
def test_custom_functions(inputs):
    seen = []

    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=inputs)
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            out = a @ b
            seen.append(out.dtype)
            return out

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append((a @ b).dtype)
            return g.to(a.dtype) @ b.mT, a.mT @ g.to(b.dtype)

    a, b = (torch.eye(2, requires_grad=True) for _ in range(2))
    with torch.autocast("cpu"):
        out = Product.apply(a, b)
    out.float().sum().backward()
    inside = LOW if inputs is None else torch.float32
    assert seen == [inside, inside] and a.grad.dtype is torch.float32
    seen.clear()
    Product.apply(a, b).sum().backward()
    assert seen == [torch.float32, torch.float32]


def test_signatures_and_names_are_kept():
    assert list(inspect.signature(F.cross_entropy).parameters)[:3] == ["input", "target", "weight"]
    assert torch.addmm.__name__ == "addmm" and "beta" in torch.addmm.__doc__
    out = torch.zeros(3, 3)
    x, y = data()
    torch.addmm(out, x, y.t(), out=out)
    np.testing.assert_allclose(out.numpy(), (x @ y.t()).numpy(), rtol=1e-6)
