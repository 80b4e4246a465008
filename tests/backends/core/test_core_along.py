"""The kernels that read, write, scan and sort along a dimension, against numpy's definitions."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import backends
from microtorch.backends import core
from microtorch.backends.cpu import cpu
from microtorch.backends.reference import Reference

pytestmark = pytest.mark.needs("core")
REFERENCE = Reference()
SHAPES = [(1,), (5,), (700,), (3, 4), (65, 3), (2, 130), (2, 3, 4), (4, 1, 70), (3, 0), (0, 3)]
DTYPES = [np.float32, np.float64]


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def layouts(x):
    """The array in rows, in columns, backwards, and with gaps."""
    gaps = np.repeat(x, 2, 0)[::2]
    return [x, np.asfortranarray(x), x[::-1].copy()[::-1], gaps]


def agree(name, x, *rest, exact=False, **attrs):
    kernels = cpu.of(x.dtype)
    assert kernels.name == "core"
    got = getattr(kernels, name)(x, *rest, **attrs)
    expected = getattr(REFERENCE, name)(x, *rest, **attrs)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    if exact:
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=2e-5 if x.dtype == np.float32 else 1e-12,
                                   atol=1e-5 if x.dtype == np.float32 else 1e-12)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scans_and_products(shape, dtype, isa):
    for dim in range(len(shape)):
        for x in layouts(numbers(shape, dtype)):
            agree("cumsum", x, dim=dim)
            agree("cumprod", x, dim=dim)
            agree("logcumsumexp", x, dim=dim)
            agree("prod", x, dim=dim, keepdim=False)
            agree("recurrence", x, x[::-1], dim=dim)
            for smallest in (False, True):
                agree("running_extreme", x, dim, smallest, exact=True)


def test_long_rows_are_cut_into_segments(isa):
    """As many as fill two units of them, and some; whatever the number of threads."""
    before, n = core.get_num_threads(), 2048 * 17 + 5
    x, g = numbers((n,), np.float32), numbers((n,), np.float32, 1)
    x[3000] = np.inf
    kernels, near = cpu.of(x.dtype), np.exp(x / 5000)
    near[3000] = 1
    out = kernels.cumprod(near, 0)
    try:
        results = []
        for threads in (1, 3):
            core.set_num_threads(threads)
            results.append((kernels.cumsum(x, 0), kernels.cumprod_vjp0(g, out, near, 0)))
        np.testing.assert_array_equal(results[0], results[1])
    finally:
        core.set_num_threads(before)
    total, grad = results[0]
    np.testing.assert_allclose(total, np.cumsum(x.astype(float)), rtol=1e-6, atol=1e-5)
    ends = np.cumsum((g * out).astype(float)[::-1])[::-1]
    np.testing.assert_allclose(grad, ends / near, rtol=1e-5, atol=1e-4)
    near[17] = 0
    assert kernels.cumprod_vjp0(g, kernels.cumprod(near, 0), near, 0) is None


@pytest.mark.parametrize("dtype", [*DTYPES, np.int64])
def test_columns_are_cut_into_strips_for_the_threads(dtype, isa):
    """A scan along the first dimension of one block; whatever the number of threads."""
    before = core.get_num_threads()
    x = (numbers((300, 517), np.float64) * 4).round().astype(dtype)  # with equal neighbours
    ops = [("cumsum", {"dim": 0}), ("running_extreme", {"dim": 0, "smallest": False})]
    if x.dtype.kind == "f":
        x[100, 3] = x[7, 516] = np.nan
        ops += [("cumprod", {"dim": 0}), ("running_extreme", {"dim": 0, "smallest": True})]
    try:
        for name, options in ops:
            results = []
            for threads in (1, 2, 3):
                core.set_num_threads(threads)
                results.append(getattr(cpu.of(x.dtype), name)(x, **options))
            expected = getattr(REFERENCE, name)(x, **options)
            np.testing.assert_allclose(results[0], expected, rtol=1e-4)
            for other in results[1:]:
                np.testing.assert_array_equal(results[0], other)
        if x.dtype.kind == "f":
            y, g = np.exp(numbers(x.shape, dtype) / 100), numbers(x.shape, dtype, 1)
            out = np.cumprod(y, 0)
            grad = cpu.of(x.dtype).cumprod_vjp0(g, out, y, 0)
            ends = np.flip(np.cumsum(np.flip(g * out, 0).astype(float), 0), 0) / y
            np.testing.assert_allclose(grad, ends, rtol=1e-3, atol=1e-2)
    finally:
        core.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ranges_do_not_depend_on_the_number_of_threads(dtype, isa):
    before, dtype, n = core.get_num_threads(), getattr(torch, dtype), 3 * (1 << 15) + 21
    results = []
    try:
        for threads in (1, 3):
            core.set_num_threads(threads)
            results.append((torch.linspace(-1.5, 2, n, dtype=dtype).numpy(),
                            torch.arange(0.25, n / 4, 0.25, dtype=dtype).numpy()))
    finally:
        core.set_num_threads(before)
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(one, np.arange(1, n) / 4)
    np.testing.assert_allclose(results[0][0], np.linspace(-1.5, 2, n), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_variances_of_few_numbers(dtype):
    """They are one pass of C where they are results of one run of dimensions, each of some."""
    whole = ((5,), None), ((2, 3, 4), (0, 2)), ((40, 9), (1,))
    for shape, dim in (((8, 4), (0,)), ((8, 4), (1,)), *whole):
        x = numbers(shape, dtype) * 3 + 1
        for correction in (0, 1, 0.5, 2):
            for keep in (False, True):
                got = cpu.of(x.dtype).var(x, dim, correction, keep)
                wanted = x.astype(float).var(dim, ddof=correction, keepdims=keep)
                assert got.shape == wanted.shape and got.dtype == dtype
                np.testing.assert_allclose(got, wanted, rtol=1e-5 if dtype == np.float32 else 1e-13)
    equal = torch.full((8, 3), 0.1, dtype=torch.from_numpy(x).dtype)
    assert equal.var(0).tolist() == equal.std(0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_deviations_of_long_rows(dtype):
    """Also of rows that are cut into parts, and of equal numbers, of which they are 0."""
    for shape, dims in (((1 << 15,), ((0,), None)), ((3, 1 << 13), ((0,), (1,), (0, 1)))):
        x = numbers(shape, dtype) + 100
        for dim in dims:
            got = cpu.of(x.dtype).deviations(x, dim)
            wide = x.astype(np.longdouble)
            mean = wide.mean(dim, keepdims=True)
            wanted = mean, np.square(wide - mean).sum(dim, keepdims=True)
            for a, b in zip(got, wanted, strict=True):
                assert a.shape == b.shape and a.dtype == dtype
                rtol = 3e-5 if dtype == np.float32 else 1e-12
                np.testing.assert_allclose(a, b.astype(float), rtol=rtol)
    assert torch.full((3, 1 << 13), 0.1, dtype=torch.float64).var(1).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_derivative_of_running_products(dtype, isa):
    for shape in ((700,), (65, 3), (2, 130), (2, 3, 70)):
        x, g = np.exp(numbers(shape, dtype) / 9), numbers(shape, dtype, 1)
        for dim in range(len(shape)):
            out = np.cumprod(x, dim)
            got = cpu.of(x.dtype).cumprod_vjp0(g, out, x, dim)
            wanted = np.flip(np.cumsum(np.flip(g * out, dim).astype(float), dim), dim) / x
            np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_of_windows(dtype, isa, threads):
    """Along each dimension, with equal numbers and NaNs; windows may differ between planes."""
    threads(2)
    source = np.random.default_rng(0)
    x = source.integers(0, 9, (2, 3, 7, 40, 9)).astype(dtype)
    x[source.random(x.shape) < 0.01] = np.nan
    place = np.broadcast_to(np.arange(x[0, 0].size).reshape(x.shape[2:]), x.shape)
    for dim in (2, 3, 4):
        n = x.shape[dim]
        for taps in (np.arange(n - 1)[:, None] + [0, 1], np.array([[0, 2, 5], [n - 1] * 3])):
            for at in (place, place.copy()):
                best, chosen = cpu.of(x.dtype).largest_of(x, at, taps, dim)
                wanted = REFERENCE.largest_of(x, at, taps, dim)
                np.testing.assert_array_equal(best, wanted[0])
                np.testing.assert_array_equal(chosen, wanted[1])
                assert best.dtype == dtype


def test_few_blocks_of_many_columns(isa):
    """They are cut into chunks of columns, which threads divide."""
    x, g = numbers((5, 1100), np.float32), numbers((7, 1100), np.float32, 1)
    index = np.random.default_rng(2).integers(0, 5, (7, 1100))
    agree("gather", x, index, dim=0, exact=True)
    agree("scatter_sum", g, index, shape=x.shape, dim=0)
    agree("scatter", x, index, g, dim=0, exact=True)
    agree("scatter_reduce", x, index, g, dim=0, reduce="amax", exact=True)
    rows = np.array([0, 3, 3, 4, 0, 1, 3])
    agree("index_put", x, g, index=(rows,), accumulate=True)


def test_running_extremes_of_equal_numbers_and_nan(isa):
    nan, inf = np.nan, np.inf
    for values in ([1, 1, 0, 1, 2, 2], [nan, 1, 2], [1, nan, 3, nan, 4], [-inf, -inf, inf, inf]):
        for dtype in DTYPES:
            for smallest in (False, True):
                agree("running_extreme", np.array(values, dtype), 0, smallest, exact=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reading_and_writing_at_an_index(shape, dtype, isa):
    source = np.random.default_rng(1)
    for dim in range(len(shape)):
        for k in (1, 3, shape[dim]):
            places = (*shape[:dim], k, *shape[dim + 1 :])
            if not shape[dim]:
                continue
            index = source.integers(0, shape[dim], places)
            src = numbers(places, dtype, 2)
            for x in layouts(numbers(shape, dtype)):
                agree("gather", x, index, dim=dim, exact=True)
                agree("scatter", x, index, src, dim=dim, exact=True)
                for reduce in ("prod", "amax", "amin"):
                    agree("scatter_reduce", x, index, src, dim=dim, reduce=reduce)
            agree("scatter_sum", src, index, shape=shape, dim=dim)
            row = source.integers(0, shape[dim], k)
            place = (*(slice(None),) * dim, row)
            agree("place", src, index=place, shape=shape)
            agree("index_put", numbers(shape, dtype), src, index=place, accumulate=True)


def test_an_index_out_of_range_is_numpys_to_answer(isa):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for name, arguments in (("gather", ()), ("scatter", (x,))):
        kernel = getattr(cpu.of(x.dtype), name)
        with pytest.raises(IndexError):
            kernel(x, np.full((2, 3), 3), *arguments, dim=1)
    last = np.full((2, 3), -1)
    np.testing.assert_array_equal(cpu.of(x.dtype).gather(x, last, dim=1), x[:, [2, 2, 2]])


@pytest.mark.parametrize("n", [0, 1, 2, 17, 255, 256, 257, 5000])
def test_the_order_of_keys_is_stable(n, isa):
    source = np.random.default_rng(n)
    for low, high in ((0, 3), (-5, 5), (-(2**62), 2**62), (7, 8), (-1, 300)):
        keys = source.integers(low, high, (2, n))
        for some in (keys, keys[:, ::-1]):
            expected = np.argsort(some, -1, kind="stable")
            np.testing.assert_array_equal(cpu.of(np.dtype("float64")).key_order(some), expected)


VALUES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3.0, 3.0, np.nan, -2.5]


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]
)
@pytest.mark.parametrize("descending", [False, True])
def test_every_dtype_is_sorted_stably(dtype, descending):
    source = np.random.default_rng(3)
    if dtype.startswith("float"):
        x = source.choice(np.array(VALUES), (3, 40)).astype(dtype)
    else:
        info = np.iinfo(dtype) if dtype != "bool" else None
        low, high = (0, 2) if info is None else (info.min, info.max)
        x = source.integers(low, high, (3, 40), endpoint=info is not None).astype(dtype)
    values, index = torch.tensor(x).sort(1, descending=descending)
    for row, got in zip(x, index.numpy(), strict=True):
        keys = [(v != v, 0 if v != v else float(v) if dtype[0] == "f" else int(v)) for v in row]
        assert got.tolist() == sorted(range(40), key=keys.__getitem__, reverse=descending) or (
            descending and got.tolist() == sorted(
                range(40), key=lambda i: (-keys[i][0], -keys[i][1])))  # fmt: skip
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, index.numpy(), 1))


@pytest.mark.parametrize("shape", [(3, 2, 4), (1, 65, 3), (63, 64, 8), (5, 129, 1)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_distances_and_their_derivatives(shape, dtype, isa):
    n, m, k = shape
    a, b = numbers((n, k), dtype), numbers((m, k), dtype, 1)
    b[0] = a[0]  # a distance of 0
    kernels = cpu.of(a.dtype)
    out = kernels.cdist(a, b)
    difference = a[:, None].astype(float) - b[None]
    np.testing.assert_allclose(out, np.sqrt((difference**2).sum(-1)), rtol=1e-5, atol=1e-7)
    g = numbers((n, m), dtype, 2)
    share = np.where(out == 0, 0, g / np.where(out == 0, 1, out))[..., None]
    np.testing.assert_allclose(kernels.cdist_vjp0(g, out, a, b), (share * difference).sum(1),
                               rtol=1e-4, atol=1e-4)  # fmt: skip
    np.testing.assert_allclose(kernels.cdist_vjp1(g, out, a, b), -(share * difference).sum(0),
                               rtol=1e-4, atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_and_what_they_leave_are_exact(dtype, isa):
    source = np.random.default_rng(5)
    special = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 3e38, 1e-45, 0.1, 2**28], dtype)
    wide = (source.normal(size=20000) * 10.0 ** source.integers(-12, 12, 20000)).astype(dtype)
    close = (source.integers(1, 2**24, 20000) * dtype(0.1)).astype(dtype)
    x = np.concatenate([np.repeat(special, len(special)), wide, close])
    y = np.concatenate([np.tile(special, len(special)), wide[::-1], np.full(20000, 0.1, dtype)])
    with np.errstate(all="ignore"):
        expected = np.fmod(x, y)
        np.testing.assert_array_equal(core.run("fmod", x, y), expected)
        np.testing.assert_array_equal(np.signbit(core.run("fmod", x, y)), np.signbit(expected))
        np.testing.assert_array_equal(core.run("remainder", x, y)[121:], np.remainder(x, y)[121:])
        floor, whole = core.run("floor_divide", x, y), np.floor_divide(x, y)
        np.testing.assert_array_equal(floor, whole)
        number = whole == whole
        np.testing.assert_array_equal(np.signbit(floor)[number], np.signbit(whole)[number])
        zero = core.run("remainder", x, y) == 0
        found = np.signbit(core.run("remainder", x, y))[zero]
        np.testing.assert_array_equal(found, np.signbit(x)[zero])


def test_many_pieces_and_joins_have_their_gradients():
    """They go other ways than a few do (ops/join.py)."""
    for n in (1, 16, 17, 40):
        x = torch.rand(n * 3, 2, dtype=torch.float64, requires_grad=True)
        weights = torch.arange(1.0, n * 3 + 1, dtype=torch.float64)
        pieces = x.split(3)
        rows = x.unbind(0)
        assert len(pieces) == n and len(rows) == n * 3
        (torch.cat(pieces).sum(1) * weights).sum().backward()
        assert torch.equal(x.grad, weights[:, None].expand(-1, 2))
        x.grad = None
        (torch.stack(rows[::-1]).sum(1) * weights).sum().backward()
        assert torch.equal(x.grad, weights.flip(0)[:, None].expand(-1, 2))
        leaves = [torch.rand(2, dtype=torch.float64, requires_grad=True) for _ in range(n)]
        for join in (torch.stack, torch.cat) if n < 40 else ():
            rest = [leaf.detach() for leaf in leaves]
            some = slice(None, None, 1 + n // 8)  # of all pieces, these are perturbed
            few = leaves[some]

            def joined(*xs, join=join, rest=rest, some=some):
                pieces = [*rest]
                pieces[some] = xs
                return join(pieces) ** 2

            assert torch.autograd.gradcheck(joined, few)
            assert torch.autograd.gradgradcheck(joined, few)
        torch.cat(leaves).sum().backward()
        grads = [leaf.grad for leaf in leaves]
        grads[0].fill_(7.0)  # each leaf has memory of its own
        assert all((g == 1).all() for g in grads[1:])


def test_the_reference_backend_agrees_on_whole_functions():
    x = torch.tensor(numbers((4, 300), np.float32))
    functions = (
        lambda: x.sort(1).indices, lambda: x.topk(7, 1).indices, lambda: x.median(1).indices,
        lambda: x.kthvalue(3, 0).indices, lambda: (x * 3).round().unique(),
        lambda: (x * 3).round().unique(return_inverse=True, return_counts=True)[1],
        lambda: x.cummax(1).indices, lambda: x.mode(1).values,
    )  # fmt: skip
    compiled = [f().numpy() for f in functions]
    backends.use("reference")
    try:
        for got, f in zip(compiled, functions, strict=True):
            np.testing.assert_array_equal(got, f().numpy())
    finally:
        backends.use("core")


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_slices_at_an_index(dtype, isa):
    for shape, dim in (((7,), 0), ((5, 40), 0), ((5, 40), 1), ((3, 6, 4), 1), ((3, 6, 4), 2)):
        x = numbers(shape, dtype)
        places = np.random.default_rng(2).integers(0, shape[dim], (2, 5))
        index = (*(slice(None),) * dim, places)
        got = cpu.of(x.dtype).taken(x, index)
        np.testing.assert_array_equal(got, x[index])
        for wrong in (-1, shape[dim]):
            assert cpu.of(x.dtype).taken(x, (*index[:-1], np.array([0, wrong]))) is None
        assert cpu.of(x.dtype).taken(x[..., ::-1], index) is None


@pytest.mark.parametrize("n", [1, 3, 16, 17, 33, 64, 65])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_order_of_rows(n, dtype, isa):
    """Equal numbers keep their order, and NaN is the largest."""
    x = np.random.default_rng(n).integers(-3, 3, (50, n)).astype(dtype)
    x[x == 2] = np.nan
    x[::7, :1], x[1::5, -1:], x[2::5, :1] = -0.0, np.inf, -np.inf
    for descending in (False, True):
        agree("row_order", x, descending, exact=True)


def test_a_flip_is_a_copy_in_c(isa):
    x = numbers((3, 40, 5), np.float32)
    for dims in ((0,), (1,), (2,), (0, 2), (0, 1, 2), ()):
        agree("flip", x, dims, exact=True)
