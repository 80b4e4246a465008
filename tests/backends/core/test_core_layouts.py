"""Elementwise loops in C over operands that broadcast, and over views: the bits that numpy has."""
import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import core
from microtorch.backends.core.elementwise import result_of

pytestmark = pytest.mark.needs("core")
DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def views(shape, dtype, seed):
    """Arrays that broadcast to ``shape``, of every layout that a program makes."""
    x = numbers(shape, dtype, seed)
    last = (slice(None),) * (len(shape) - 1)
    yield x
    yield x.T.copy().T
    yield np.repeat(x, 2, -1)[..., ::2]
    yield np.repeat(x, 3, -1)[..., ::3]
    yield np.concatenate([x, x], -1)[(*last, slice(1, shape[-1] + 1))]
    yield np.flip(np.flip(x).copy())
    yield x[..., :1]
    yield x[(0,) * (len(shape) - 1)]
    yield np.broadcast_to(x[..., :1], shape)
    yield numbers((), dtype, seed)
    if len(shape) == 3:
        yield x[0, :, :1]
        yield x[:, :1]
        yield np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)


def by_c(name, dtype, *arrays):
    """The result of the loop; it must take the operands."""
    out = result_of(DTYPES[dtype], *arrays)
    assert getattr(core.lib, f"{name}_{dtype}")(*map(id, arrays), id(out)) == 1, name
    return out


# rows shorter and longer than those that are put together, and than what is laid out at a time
@pytest.mark.parametrize("shape", [(5, 3), (700, 3), (3, 130), (2, 1500), (3, 5, 7), (2, 40, 50)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_operands_of_two_layouts(shape, dtype):
    isas = core.isas()
    for i, (x, y) in enumerate(itertools.product(views(shape, DTYPES[dtype], 0),
                                                 views(shape, DTYPES[dtype], 1))):
        core.use_isa(isas[i % len(isas)])
        expected = x * y
        got = by_c("mul", dtype, x, y)
        assert got.shape == expected.shape
        np.testing.assert_array_equal(got, expected)
        big = {n: s for n, s in enumerate(expected.strides) if expected.shape[n] > 1}
        assert big == {n: got.strides[n] for n in big}, (x.strides, y.strides)
    core.use_isa(isas[0])


@pytest.mark.parametrize("seed", range(12))
def test_many_dimensions(seed):
    """Slices, transpositions and repetitions at random, with several operands and threads."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, int(rng.integers(1, 6))))
    arrays = []
    for k in range(3):
        steps = rng.choice([-2, -1, 1, 1, 3], len(shape))
        order = rng.permutation(len(shape)) if rng.integers(2) else np.arange(len(shape))
        wide = numbers([shape[i] * abs(steps[i]) for i in order], np.float32, k)
        x = wide.transpose(np.argsort(order))[tuple(slice(None, None, s) for s in steps)]
        repeated = tuple(slice(1) if rng.integers(4) == 0 else slice(None) for _ in shape)
        arrays.append(x[repeated])
    x, y, z = arrays
    before = core.get_num_threads()
    core.set_num_threads(1 + seed % 2)
    got = core.Core(DTYPES["f32"]).lerp(x, y, z)
    core.set_num_threads(before)
    with np.errstate(all="ignore"):
        expected = np.where(np.abs(z) < 0.5, x + z * (y - x), y - (y - x) * (1 - z))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    mask = np.asarray(x > 0)
    np.testing.assert_array_equal(by_c("where", "f32", mask, y, z), np.where(mask, y, z))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_results_and_threads(dtype):
    """Streamed past the caches in windows, and in pieces of several threads."""
    d = DTYPES[dtype]
    for x, y in ((numbers((1100, 3000), d), numbers(3000, d)), (numbers((1100, 1), d, 1),
                 numbers((1100, 3000), d)), (numbers((2_000_003, 2), d), numbers((2,), d))):
        for threads in (1, 2):
            core.set_num_threads(threads)
            np.testing.assert_array_equal(by_c("add", dtype, x, y), x + y)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [*DTYPES, "float16", "bfloat16"])
def test_a_result_takes_the_place_of_an_operand(dtype, threads):
    """By stretches that are read before they are written, whatever lies beside."""
    d, end = (DTYPES[dtype], dtype) if dtype in DTYPES else (getattr(torch, dtype).numpy, "f32")
    core.set_num_threads(threads)
    for shape in ((7,), (300, 70), (3, 5000), (2, 3, 50_000)):
        for y in (numbers(shape, d, 1), numbers(shape[-1:], d, 1), numbers((), d, 1),
                  numbers((*shape[:-1], 1), d, 1), numbers(shape[::-1], d, 1).T):
            for turned in (False, True):
                x = numbers(shape, d)
                target = x.reshape(shape[::-1]).T if turned else x
                before = target.copy()
                wanted = before.astype("f8") * y.astype("f8") if d.itemsize == 2 else before * y
                kernel = getattr(core.lib, f"mul_{end}")
                if kernel(id(target), id(y), id(target)) == 0:
                    assert turned  # numpy's order of the result is another one
                    np.testing.assert_array_equal(target, before)
                    continue
                np.testing.assert_array_equal(target, wanted.astype(d))
    x = numbers((40, 50), np.float32)
    expected = x * x
    assert core.lib.mul_f32(id(x), id(x), id(x)) == 1  # both operands'
    np.testing.assert_array_equal(x, expected)
    assert core.lib.fmod_f32(id(x), id(expected), id(x)) == 1  # a loop that reads twice


def test_what_is_refused():
    lib, x = core.lib, numbers((6, 8), np.float32)
    out = np.empty((6, 8), np.float32)
    wide = np.empty((6, 16), np.float32)
    for result in (wide[:, ::2], wide[:, :8], out[:5], out.reshape(8, 6), out[::-1], x[::-1]):
        assert lib.mul_f32(id(x), id(x), id(result)) == 0
    both = numbers(49, np.float32)  # the result begins where the second number is
    assert lib.mul_f32(id(x), id(both[:48].reshape(6, 8)), id(both[1:].reshape(6, 8))) == 0
    row = numbers(7, np.float32)
    for wrong in (row, row[:6], row.astype(np.float64), row[None, None], 2.0, [1.0]):
        assert lib.mul_f32(id(x), id(wrong), id(out)) == 0
    # numpy would lay out the result as the operands are
    assert lib.mul_f32(id(x.T), id(x.T), id(np.empty((8, 6), np.float32))) == 0
    deep = numbers((1,) * 33, np.float32)
    assert lib.exp_f32(id(deep[..., ::2]), id(np.empty(deep.shape, np.float32))) == 1
    number, result = x[:1, :1].reshape(()), np.empty(deep.shape, np.float32)
    assert lib.mul_f32(id(deep), id(number), id(result)) == 0


# ---- numbers of 16 bits, which the same loops take --------------------------------------------
@pytest.fixture(params=["float16", "bfloat16"])
def short(request):
    """The dtype, and ``compute(name, *arrays)``: the float loop on whole converted arrays."""
    dtype = getattr(torch, request.param).numpy

    def compute(name, *arrays):
        wide = [a.astype("f4") if a.dtype == dtype else a for a in arrays]
        with np.errstate(all="ignore"):
            return by_c(name, "f32", *wide).astype(dtype)

    return dtype, compute


def in_16_bits(name, dtype, *arrays):
    out = result_of(dtype, *arrays)
    assert getattr(core.lib, f"{name}_f32")(*map(id, arrays), id(out)) == 1, name
    return out


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(a.astype("f4"), b.astype("f4"))
    signs = np.signbit(a.astype("f4")) == np.signbit(b.astype("f4"))
    assert (signs | np.isnan(a.astype("f4"))).all()  # the sign of NaN is the processor's


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", ["mul", "maximum", "sub", "div"])
def test_every_number_of_16_bits(short, name):
    dtype, compute = short
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)  # infinite, NaN and subnormal ones
    other = every[np.random.default_rng(0).permutation(1 << 16)]
    for isa in core.isas():
        core.use_isa(isa)
        for threads in (1, 3):
            core.set_num_threads(threads)
            same(in_16_bits(name, dtype, every, other), compute(name, every, other))
    core.use_isa(core.isas()[0])
    for n in [*range(40), 2047, 2048, 2049, 4097]:  # a stretch has 2048, from any address
        a, b = every[15361 : 15361 + n], other[5 : 5 + n]
        same(in_16_bits(name, dtype, a, b), compute(name, a, b))


@pytest.mark.parametrize("shape", [(5, 3), (700, 3), (3, 130), (2, 1500), (2, 40, 50), (3, 2500)])
def test_operands_of_16_bits_in_two_layouts(short, shape):
    dtype, compute = short
    isas = core.isas()
    # all are half; then one is float, as numbers beside halves are
    for other in (dtype, np.dtype("f4")):
        pairs = itertools.product(views(shape, dtype, 0), views(shape, other, 1))
        for i, (x, y) in enumerate(pairs):
            core.use_isa(isas[i % len(isas)])
            same(in_16_bits("mul", dtype, x, y), compute("mul", x, y))
    core.use_isa(isas[0])


def test_masks_and_float_results_beside_16_bits(short):
    dtype, compute = short
    x, y = numbers((300, 70), dtype), numbers((1, 70), dtype, 1)
    mask = numbers((300, 1), np.float32, 2) > 0
    same(in_16_bits("where", dtype, mask, x, y), np.where(mask, x, y))
    out = np.empty((300, 70), np.float32)
    assert core.lib.mul_f32(id(x), id(y), id(out)) == 1
    np.testing.assert_array_equal(out, x.astype("f4") * y.astype("f4"))
    for x in (np.empty((0, 3), dtype), np.array(3.0).astype(dtype)):
        same(in_16_bits("mul", dtype, x, x), compute("mul", x, x))


def test_what_is_refused_of_16_bits(short):
    dtype, _ = short
    x, wide = numbers((6, 8), dtype), numbers((6, 8), np.float32)
    lib, out = core.lib, np.empty((6, 8), dtype)
    other = torch.bfloat16.numpy if dtype == np.float16 else np.dtype("f2")
    assert lib.mul_f32(id(wide), id(wide), id(out)) == 0  # nothing has 16 bits but the result
    assert lib.mul_f32(id(x), id(x.view(np.uint16)), id(out)) == 0
    assert lib.mul_f64(id(x), id(x), id(np.empty((6, 8)))) == 0
    assert lib.mul_f64(id(wide.astype("f8")), id(wide.astype("f8")), id(out)) == 0
    assert lib.mul_f32(id(x), id(x.astype(other)), id(out)) == 1  # both are float on the way
    floats = numbers((6, 8), np.float32)  # the result lies over one half of an operand
    half = floats.reshape(-1)[:24].view(dtype).reshape(6, 8)
    assert lib.mul_f32(id(floats), id(x), id(half)) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(3,), (40, 50), (5000,)])
def test_values_and_gradients_of_16_bits_are_those_of_float_rounded(dtype, shape):
    torch.manual_seed(0)
    x, y = torch.randn(*shape).to(dtype), (torch.rand(*shape) + 0.5).to(dtype)
    programs = [torch.tanh, torch.exp, torch.sigmoid, torch.sqrt, torch.nn.functional.elu,
                lambda a: a * y, lambda a: y / a, lambda a: torch.maximum(a, y[..., :1]),
                lambda a: a * 0.9, lambda a: torch.nn.functional.leaky_relu(a, 0.3),
                lambda a: torch.fmod(a, y), lambda a: torch.remainder(a, y), torch.erf,
                torch.erfc, torch.sign]  # fmt: skip
    for f in programs:
        found = []
        for base in (x, x.float()):
            a = base.abs().clone().requires_grad_()
            out = f(a)
            out.backward(torch.ones(shape, dtype=out.dtype))
            assert a.grad.dtype is a.dtype is base.dtype
            found.append([out.detach().to(dtype).float(), a.grad.to(dtype).float()])
        for half, exact in zip(*found, strict=True):
            # the derivative may be computed from the rounded result
            np.testing.assert_allclose(half.array, exact.array, rtol=3e-2, atol=1e-2)


def test_masks():
    x, y = torch.randn(300, 5), torch.randn(5)
    for mask in (x > 0, y > 0, x[:, :1] > 0, (x > 0).t().contiguous().t()):
        for a, b in ((x, y), (y, x), (x, 0.5), (0.0, x), (x[:, 1:2], x)):
            got = torch.where(mask, a, b)
            arrays = [v.array if isinstance(v, torch.Tensor) else np.float32(v) for v in (a, b)]
            np.testing.assert_array_equal(got.array, np.where(mask.array, *arrays))
            assert got.dtype is torch.float32
    a = torch.randn(4, 3, requires_grad=True)
    b = torch.randn(3, requires_grad=True)
    chosen = torch.where(a > b, a, b)
    chosen.backward(torch.ones(4, 3))
    above = (a > b).float()
    np.testing.assert_array_equal(a.grad.array, above.array)
    np.testing.assert_array_equal(b.grad.array, (1 - above).sum(0).array)
