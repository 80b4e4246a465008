"""Device arrays and kernels against numpy: views, indexing, reductions, sorting, products and
integers."""

import itertools
import json

import numpy as np
import pytest

import microtorch as torch
from microtorch.arrays.dtypes import F32
from microtorch.backends import opencl
from microtorch.backends.opencl import layout, matmul, runtime, tiles, tuning

pytestmark = pytest.mark.needs("opencl")


def up(x):
    return opencl.upload("opencl:0", np.asarray(x))


def check(actual, expected, **tolerance):
    assert actual.shape == np.shape(expected) and actual.dtype == np.asarray(expected).dtype, (
        actual,
        np.asarray(expected).dtype,
    )
    if tolerance:
        np.testing.assert_allclose(actual.get(), expected, **tolerance)
    else:
        np.testing.assert_array_equal(actual.get(), expected)


RNG = np.random.default_rng(0)
CUBE = RNG.standard_normal((5, 7, 6)).astype(np.float32)
LAYOUTS = {
    "rows": lambda x: (up(x), x),
    "permuted": lambda x: (up(x).transpose(2, 0, 1), x.transpose(2, 0, 1)),
    "strided": lambda x: (up(x)[::2, 1:, ::3], x[::2, 1:, ::3]),
    "broadcast": lambda x: (up(x[:, :1]).expand((5, 7, 6)), np.broadcast_to(x[:, :1], (5, 7, 6))),
}


# ---- shapes --------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", LAYOUTS)
def test_reshape_is_a_view_exactly_where_numpys_is(layout):
    x, expected = LAYOUTS[layout](CUBE)
    n = expected.size
    for shape in {
        (n,),
        (1, n),
        (expected.shape[0], -1),
        (-1, expected.shape[-1]),
        (*expected.shape, 1),
    }:
        theirs = expected.reshape(shape)
        mine = x.reshape(shape)
        check(mine, theirs)
        assert np.may_share_memory(mine, x) == np.may_share_memory(theirs, expected), shape


def test_collapsed_finds_the_fewest_dimensions():
    assert layout.collapsed((2, 3, 4), (12, 4, 1)) == ([24], [[1]])
    assert layout.collapsed((2, 3, 4), (12, 4, 1), (0, 0, 1)) == ([6, 4], [[4, 1], [0, 1]])
    assert layout.collapsed((4, 3, 2), (1, 4, 12)) == ([24], [[1]])  # transposed: the same memory
    assert layout.collapsed((1, 1), (5, 7)) == ([], [[]])


# ---- indexing ------------------------------------------------------------------------------------
K, J, M = np.array([3, 0, -1, 3]), np.array([[1], [2]]), CUBE > 0.3
INDICES = [
    2, -1, slice(1, 4), (slice(None), 3), (..., 0), (None, slice(None), None),
    (slice(None, None, 2), slice(5, 1), 2), (1, 2, 3), K, (K, K), (slice(None), K),
    (slice(None), slice(None), K % 6), (K, slice(None), K % 6), (K, 2), (2, slice(None), K % 6),
    (J, K), (slice(None), J, K % 6), (K, None, J), M, (M[:, :, 0],), (slice(None), M[0]),
    (..., [0, 5]), [[1, 2], [0, 4]],
    (np.array([], np.int64),), (K, slice(1, 6, 2)), (np.zeros((0, 3), np.int64), K[:3]),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(INDICES)))
@pytest.mark.parametrize("layout", ["rows", "permuted"])
def test_index(i, layout):
    """Reading, writing, and adding at an index, with index arrays on the host and on the device."""
    if layout == "permuted":
        x, expected = up(CUBE.transpose(2, 0, 1).copy()).transpose(1, 2, 0), CUBE
    else:
        x, expected = up(CUBE), CUBE
    index = INDICES[i] if not isinstance(INDICES[i], list) else np.array(INDICES[i])
    parts = index if isinstance(index, tuple) else (index,)
    on_device = tuple(up(p) if isinstance(p, np.ndarray) and p.size else p for p in parts)
    read = expected[index]
    for where in (index, on_device):
        check(x[where], read)
    values = RNG.standard_normal(np.shape(read)).astype(np.float32)
    written, ours = expected.copy(), x.copy()
    written[index] = 7.0
    ours[on_device] = 7.0
    check(ours, written)
    added, ours = expected.copy(), x.copy()
    np.add.at(added, index, values)
    np.add.at(ours, on_device, up(values))
    check(ours, added, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "index",
    [5, (0, 7), (K + 3,), (slice(None), np.array([-8])), (0, 0, 0, 0), np.ones((5, 6), bool)],
)
def test_index_errors(index):
    parts = index if isinstance(index, tuple) else (index,)
    for where in (index, tuple(up(p) if isinstance(p, np.ndarray) else p for p in parts)):
        with pytest.raises(IndexError):
            CUBE[index]
        with pytest.raises(IndexError):
            up(CUBE)[where]


def test_nonzero():
    for x in (
        CUBE * (CUBE > 0.5),
        np.array([0, 3, 0, 1]),
        np.zeros((2, 3)),
        np.zeros((0, 3)),
        np.array([[True, False]]),
    ):
        for mine, theirs in zip(np.nonzero(up(x)), np.nonzero(x), strict=True):
            check(mine, theirs)
        assert np.count_nonzero(up(x)) == np.count_nonzero(x)


# ---- reductions, scans, sorting ------------------------------------------------------------------
AXES = [None, 0, 1, -1, (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "minimum"])
def test_reduce(name, layout):
    x, expected = LAYOUTS[layout](CUBE)
    for axis, keepdims in itertools.product(AXES, (False, True)):
        theirs = np.asarray(getattr(np, name).reduce(expected, axis=axis, keepdims=keepdims))
        check(
            getattr(np, name).reduce(x, axis=axis, keepdims=keepdims), theirs, rtol=2e-5, atol=2e-5
        )


@pytest.mark.parametrize(
    "shape", [(100_003,), (3, 70_001), (70_001, 3), (1, 1), (257, 1), (17, 33, 65)], ids=str
)
def test_long_and_odd_reductions(shape):
    x = RNG.standard_normal(shape).astype(np.float32)
    for axis in (None, 0, -1):
        total = np.add.reduce(x, axis=axis, dtype=np.float64).astype(np.float32)
        check(np.add.reduce(up(x), axis=axis), total, rtol=1e-5, atol=1e-3)
        check(np.maximum.reduce(up(x), axis=axis), np.asarray(np.maximum.reduce(x, axis=axis)))
        check(np.argmax(up(x), axis), np.asarray(np.argmax(x, axis)))


def test_reductions_of_other_dtypes_and_of_nothing():
    i = RNG.integers(-50, 50, (6, 5))
    for d in (np.int64, np.int32, np.uint8, np.bool_):
        x = (i % 7).astype(d)
        check(torch.tensor(x, device="opencl").sum(0).array, x.sum(0, dtype=np.int64))
        check(np.any(up(x), axis=1), np.any(x, axis=1))
        check(np.all(up(x)), np.asarray(np.all(x)))
    check(np.minimum.reduce(up(i), axis=0), i.min(0))
    check(np.add.reduce(up(np.zeros((0, 3), np.float32)), axis=0), np.zeros(3, np.float32))
    check(np.multiply.reduce(up(np.zeros((3, 0), np.float32)), axis=1), np.ones(3, np.float32))
    with pytest.raises(ValueError, match="no identity"):
        np.maximum.reduce(up(np.zeros((0, 3))), axis=0)
    nan = np.array([[1.0, np.nan, 3.0], [np.inf, -np.inf, 2.0]], np.float32)
    for f in (np.maximum.reduce, np.minimum.reduce, np.add.reduce, np.argmax, np.argmin):
        with np.errstate(invalid="ignore"):
            theirs = f(nan, axis=1)
        check(f(up(nan), axis=1), theirs)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 64, 65, 1000])
def test_argsort_is_stable_with_nan_last(n):
    x = RNG.integers(0, 9, (3, n)).astype(np.float32)
    if n > 2:
        x[1, n // 2] = np.nan
    for axis, a in ((1, x), (0, x.T)):
        check(np.argsort(up(a), axis, kind="stable"), np.argsort(a, axis, kind="stable"))


def test_scans():
    for axis in (0, 1, 2):
        check(np.cumsum(up(CUBE), axis=axis), np.cumsum(CUBE, axis=axis), rtol=1e-5, atol=1e-5)
        check(np.cumprod(up(CUBE), axis=axis), np.cumprod(CUBE, axis=axis), rtol=1e-4, atol=1e-6)
    check(np.cumsum(up(M), axis=1), np.cumsum(M, axis=1))


PICKING = [
    lambda t: t.max(1), lambda t: t.min(0), lambda t: t.sort(2, descending=True),
    lambda t: t.topk(3, 1), lambda t: t.median(1), lambda t: t.kthvalue(2, 0),
    lambda t: (t.argmax(), t.argmin(1)), lambda t: (t.quantile(0.3, 1), t.logsumexp((0, 2))),
    lambda t: (t.var(1), t.std(), t.norm(dim=2)), lambda t: (t.nonzero(), t[t > 0.2]),
    lambda t: (t.roll(2, 1), t.flip(0, 2)), lambda t: (t.tril(), t.triu(1)),
    lambda t: (t.diagonal(0, 0, 2), t[0].diag()), lambda t: t.unbind(1),
    lambda t: (t.repeat_interleave(2, 1), t.repeat(2, 1, 3)),
    lambda t: (t.isnan(), t.clamp(-1, 0.5)),
]  # fmt: skip


def test_picking_functions_of_tensors():
    x = torch.tensor(CUBE)
    d = x.to("opencl")
    for f in PICKING:
        for mine, theirs in zip(f(d), f(x), strict=True):
            assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
            np.testing.assert_allclose(mine.cpu().numpy(), theirs.numpy(), rtol=2e-5, atol=2e-6)


# ---- products ------------------------------------------------------------------------------------
SHAPES = [
    ((3, 5), (5, 4)), ((33, 65), (65, 129)), ((64, 64), (64, 64)), ((1, 7), (7, 1)), ((4,), (4,)),
    ((4,), (4, 3)), ((2, 4), (4,)), ((2, 3, 5), (2, 5, 4)), ((2, 3, 5), (5, 4)),
    ((3, 1, 2, 5), (4, 5, 2)), ((2, 5), (3, 5, 4)), ((0, 5), (5, 4)),
    ((3, 0), (0, 4)), ((200, 300), (300, 70)),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
def test_matmul(a, b):
    x, y = RNG.standard_normal(a).astype(np.float32), RNG.standard_normal(b).astype(np.float32)
    expected = np.asarray(np.matmul(x, y))
    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    check(np.matmul(up(x), up(y)), expected, **tolerance)
    check(up(x).dev.matmul_naive(up(x), up(y)), expected, **tolerance)
    turned = [
        up(np.ascontiguousarray(v.swapaxes(-1, -2))).swapaxes(-1, -2) if v.ndim > 1 else up(v)
        for v in (x, y)
    ]
    check(np.matmul(*turned), expected, **tolerance)


def test_every_variant_of_the_tiled_kernel():
    device = runtime.runtime_for()
    x, y = (RNG.standard_normal(s).astype(np.float32) for s in ((67, 131), (131, 45)))
    bias = RNG.standard_normal(45).astype(np.float32)
    for sizes in dict.fromkeys(tiles.CPU + tiles.GPU):
        if tiles.fits(device, sizes, F32):
            for a, b in itertools.product((up(x), up(x.T.copy()).T), (up(y), up(y.T.copy()).T)):
                how = matmul.product(a.shape, a.steps, b.shape, b.steps)
                out = matmul.launch(a, b, how, sizes, up(bias))
                check(out, x @ y + bias, rtol=1e-4, atol=1e-4)


def test_tuning_is_recorded(tmp_path, monkeypatch):
    device = runtime.runtime_for()
    monkeypatch.setenv("MICROTORCH_CACHE", str(tmp_path))
    monkeypatch.setattr(tuning, "CPU", tiles.CPU[:2])
    monkeypatch.setattr(tuning, "GPU", tiles.GPU[:1])
    speeds = tuning.tune(size=64)
    assert speeds == sorted(speeds, key=lambda pair: -pair[1])
    assert tiles.tiles_for(device, F32) == speeds[0][0]
    for unreadable in (
        "not a record",
        "[1, 2]",
        json.dumps({tiles.name_of(device): {"variant": [1]}}),
    ):
        (tmp_path / "opencl_matmul.json").write_text(unreadable)
        runtime.forget(device, tiles.tiles_for)
        assert tiles.tiles_for(device, F32) in tiles.CPU + tiles.GPU
    runtime.forget(device, tiles.tiles_for)


EQUATIONS = ("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ij->", "i,j->ij", "bij,kj->bik", "ij,ij->i",
             "ab,bc,cd->ad",
             "bhqd,bhkd->bhqk", "ij,k->ij")  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation):
    size = dict(zip("abcdijkqh", (2, 3, 4, 5, 3, 4, 5, 2, 3), strict=True))
    xs = [
        RNG.standard_normal([size[c] for c in term]).astype(np.float32)
        for term in equation.split("->")[0].split(",")
    ]
    check(
        np.einsum(equation, *map(up, xs)),
        np.asarray(np.einsum(equation, *xs)),
        rtol=1e-4,
        atol=1e-5,
    )


# ---- integers, comparisons, casts ----------------------------------------------------------------
def test_integers_compute_as_numpys():
    x, y = np.array([-7, -3, 0, 5, 127]), np.array([2, -2, 3, -4, 5])
    for d in (np.int64, np.int32, np.int8):
        a, b = x.astype(d), y.astype(d)
        for f in (np.add, np.subtract, np.multiply, np.remainder, np.fmod, np.floor_divide,
                  np.maximum, np.minimum, np.less,
                  np.equal, np.bitwise_and, np.bitwise_xor, np.logical_and):  # fmt: skip
            check(f(up(a), up(b)), f(a, b))
        for f in (np.negative, np.absolute, np.sign, np.invert, np.logical_not, np.floor):
            check(f(up(a)), f(a) if f is not np.floor else a)
        check(np.power(up(a), 3), np.power(a, 3))
    half = x / 2
    for f in (np.remainder, np.fmod, np.floor_divide):
        check(f(up(half), up(y / 4)), f(half, y / 4))
    for kind in (np.float64, np.int16, np.bool_, np.uint8, np.float16):
        check(
            up(half).astype(kind),
            half.astype(np.int64).astype(kind) if kind is np.uint8 else half.astype(kind),
        )
    check(~up(np.array([True, False])), np.array([False, True]))


def test_what_is_not_a_number():
    x = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 3.5, -2.5], np.float32)
    for f in (
        np.isnan,
        np.isinf,
        np.isfinite,
        np.rint,
        np.trunc,
        np.floor,
        np.ceil,
        np.absolute,
    ):
        check(f(up(x)), f(x))
    check(np.sign(up(x)), np.array([0, 0, 0, 1, -1, 1, 1, -1], np.float32))  # of a NaN PyTorch's 0
    check(np.signbit(up(x)), np.signbit(x))
    for f in (np.maximum, np.minimum):
        check(f(up(x), up(x[::-1].copy())), f(x, x[::-1]))
    with np.errstate(all="ignore"):
        check(up(x) / up(np.zeros(8, np.float32)), x / np.zeros(8, np.float32))


def test_overlapping_writes_read_the_old_values():
    x, expected = up(np.arange(10)), np.arange(10)
    x[1:] += x[:-1]
    expected[1:] += expected[:-1].copy()
    check(x, expected)
    x[...] = np.flip(x)
    check(x, expected[::-1])


# ---- the other kind of device --------------------------------------------------------------------
@pytest.fixture
def other(monkeypatch):
    """The device once more, as "opencl:1", with the kernels for a GPU if it is a CPU, and the other
    way round."""
    real = runtime.runtime_for()
    there = runtime.Runtime(1, real.cl_device, on_cpu=not real.on_cpu)
    monkeypatch.setitem(runtime._runtimes, 1, there)
    return "opencl:1"


def test_kernels_for_a_gpu_and_for_a_cpu_compute_the_same(other):
    """Elementwise, views, broadcasting, reductions either way, rows, products, convolution,
    pooling, a step, random numbers."""

    def results(device):
        torch.manual_seed(0)
        x = torch.tensor(RNG_VALUES, device=device).requires_grad_()
        w = torch.nn.Parameter(torch.tensor(RNG_VALUES[0, :, :50], device=device))
        y = x[1:, ::2].transpose(0, 2).sin() * x[0, 0, 0] + x.exp().sum(1)[1:].T[:, None]
        loss = (
            y.softmax(0).log().mean()
            + (x @ w).tanh().square().sum()
            + x.amax(2).sum()
            + x.var(0).sum()
            + x.sum((0, 2)).norm()
        )
        loss.backward()
        torch.optim.Adam([w], lr=0.1).step()
        images, filters = (
            x.detach()[:, :24, :30].reshape(2, 2, 24, 30).requires_grad_(),
            w.detach()[:4, :18].reshape(4, 2, 3, 3),
        )
        seen = torch.nn.functional.conv2d(images, filters, stride=(2, 1), padding=1)
        pooled = torch.nn.functional.max_pool2d(seen, 3, 2, 1) + torch.nn.functional.avg_pool2d(
            seen, 3, 2, 1
        )
        pooled.square().sum().backward()
        yield from (
            pooled.detach(),
            images.grad,
            torch.nn.functional.adaptive_avg_pool2d(images, (5, 1)).detach(),
        )
        yield from (y.detach(), loss.detach(), x.grad, w.detach())
        yield from (torch.rand(1100, device=device), torch.randn(1100, device=device))
        yield from (
            (x > 0).sum(),
            (x > 0).any(1),
            x.argmax(1),
            x.cumsum(2).detach(),
            x.half().sum(2).detach(),
        )

    for here, there in zip(results("opencl:0"), results(other), strict=True):
        rtol = 2e-3 if here.dtype == torch.float16 else 1e-4
        np.testing.assert_allclose(there.cpu().numpy(), here.cpu().numpy(), rtol=rtol, atol=1e-5)


RNG_VALUES = np.random.default_rng(3).uniform(-1, 1, (4, 97, 97)).astype(np.float32)


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32")])
def test_layer_norm_refuses_a_weight_of_another_dtype(dtypes):
    x, w = (torch.ones(5, dtype=getattr(torch, d), device="opencl") for d in dtypes)
    with pytest.raises(RuntimeError, match="mixed dtype"):
        torch.nn.functional.layer_norm(x, (5,), w)


@pytest.mark.parametrize("dtypes", [("float16", "float16")])
def test_layer_norm_of_dtypes_that_the_kernel_does_not_take(dtypes):
    found = []
    for device in ("cpu", "opencl"):
        random = np.random.default_rng(0)
        x, w, b = (
            torch.tensor(random.standard_normal(shape).astype(dtype)).to(device).requires_grad_()
            for shape, dtype in (((3, 5), dtypes[0]), ((5,), dtypes[1]), ((5,), dtypes[1]))
        )
        y = torch.nn.functional.layer_norm(x, (5,), w, b)
        (y * y).sum().backward()
        found.append([t.detach().cpu().numpy() for t in (y, x.grad, w.grad, b.grad)])
    for on_cpu, on_device in zip(*found, strict=True):
        assert on_cpu.dtype == on_device.dtype
        np.testing.assert_allclose(
            on_device.astype(float), on_cpu.astype(float), rtol=1e-2, atol=1e-2
        )
