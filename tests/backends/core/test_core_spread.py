"""Casts, copies and numpy's own loops, in parts by several threads: the bits that numpy has."""

import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import core
from microtorch.backends.core import ufuncs
from microtorch.backends.core.casts import KERNELS
from microtorch.backends.cpu import cpu

pytestmark = [pytest.mark.needs("core"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
RNG = np.random.default_rng(0)
SHAPE = (24, 520)


@pytest.fixture(autouse=True)
def three_threads(threads):
    threads(3)


def numbers(dtype, shape=SHAPE):
    x = RNG.normal(size=shape) * 3
    if dtype.kind == "b":
        return x > 0
    if dtype.kind in "iu":
        return np.abs(np.round(x)).astype(dtype) if dtype.kind == "u" else np.round(x).astype(dtype)
    return x.astype(dtype)


@pytest.mark.parametrize("pair", KERNELS, ids=lambda p: f"{p[0]} to {p[1]}")
@pytest.mark.parametrize("isa", core.isas())
def test_casts(pair, isa):
    before = core.isa
    core.use_isa(isa)
    try:
        for size in (4096, 4099, 1 << 17):
            x = numbers(pair[0], size)
            if x.dtype.kind == "f":
                x[:5] = np.nan, np.inf, -np.inf, -0.7, 2**53
            got = cpu.of(x.dtype).cast(x, pair[1])
            np.testing.assert_array_equal(got, x.astype(pair[1]))
            assert got.dtype == pair[1]
    finally:
        core.use_isa(before)


def test_a_cast_of_another_layout_is_numpys():
    x = numbers(np.dtype(np.int64)).T
    got = cpu.of(x.dtype).cast(x, np.dtype(np.float32))
    np.testing.assert_array_equal(got, x)
    assert got.strides == x.astype(np.float32).strides


@pytest.mark.parametrize("dtype", ["?", "h", "f", "d", "F", "D"])
def test_copies_between_all_layouts(dtype):
    """Also of dimensions turned around, whose last blocks are not whole, and of repeated ones."""
    orders = list(itertools.permutations(range(3)))
    for shape in ((40, 70, 67), (3, 500, 130)):
        x = numbers(np.dtype(dtype), shape)
        for order in orders:
            for source in (x, np.flip(x, 1), np.repeat(x, 2, 2)[..., ::2], x[:, :1] + x[:1] * 0):
                out = np.zeros([source.shape[d] for d in order], dtype)
                into = out.transpose(np.argsort(order))
                assert core.lib.copy_array(id(into), id(source), x.itemsize) == 1
                np.testing.assert_array_equal(into, source)
    wide = np.broadcast_to(x[:, :1], x.shape)
    out = np.empty_like(x)
    core.fill(out, wide)
    np.testing.assert_array_equal(out, wide)
    for wrong in (x[1:], x.T, x[0]):  # another shape, or its own memory
        assert core.lib.copy_array(id(out[1:] if wrong is x[1:] else x), id(wrong), 4) == 0


def test_large_copies_of_tensors():
    x = torch.arange(200_000.0).view(200, 1000)
    t = x.t()
    for got in (t.contiguous(), t.clone(), t.reshape(1000, 200), torch.cat([t, t])[:1000]):
        assert torch.equal(got, t)
    assert t.clone().stride() == t.stride() and t.contiguous().stride() == (200, 1)
    assert torch.equal(t.reshape(-1)[:200], x[:, 0])
    assert torch.equal(torch.cat([t, t[:, :3]], 1)[:, 199:], torch.stack([t[:, 199], *t.T[:3]], 1))
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        torch.cat([t, x])


CALLED = "greater add floor_divide remainder sin arctan2 logaddexp bitwise_and invert copysign"


@pytest.mark.parametrize("name", CALLED.split())
def test_loops_of_numpy(name):
    """For every combination of types that the ufunc has, and for operands of several layouts."""
    ufunc = getattr(np, name)
    plans = ufuncs.plans_of(ufunc)
    assert len(plans) > 2
    for types in plans:
        x, *more = map(numbers, types)
        if more and name in ("floor_divide", "remainder"):
            more[0] = np.abs(more[0]) + more[0].dtype.type(1)
        columns = [y[:, :1] for y in more]
        for operands in ((x, *more), (x.T, *(y.T for y in more)), (x, *columns)):
            got, wanted = ufuncs.run(ufunc, operands), ufunc(*operands)
            if operands[-1].shape != operands[0].shape and x.itemsize < ufuncs.WIDE:
                assert got is None
                continue
            assert got.dtype == wanted.dtype and got.strides == wanted.strides
            np.testing.assert_array_equal(got, wanted)


def test_loops_that_are_left_to_numpy():
    x = np.arange(1 << 16)
    assert ufuncs.run(np.add, (x[::-1], x)) is None  # numpy goes the other way
    assert ufuncs.run(np.add, (x, x.astype(np.int32))) is None
    assert ufuncs.run(np.add, (x.astype(">i8"), x)) is None
    assert ufuncs.run(np.less, (x.astype(np.uint8), 300)) is None
    assert ufuncs.run(np.power, (x, x)) is None  # it raises for negative powers
    assert ufuncs.plans_of(np.matmul) == ufuncs.plans_of(np.frexp) == {}
    np.testing.assert_array_equal(core.threaded(np.less)(x, 300), x < 300)
    assert core.threaded(np.add)(x, 1).dtype == x.dtype
    core.set_num_threads(1)
    assert ufuncs.run(np.add, (x, x)) is None
    column, row = x[:400, None], x[:400]  # on one thread this pays where an operand repeats
    for multiply in (core.threaded(np.multiply), lambda *xs: ufuncs.run(np.multiply, xs)):
        np.testing.assert_array_equal(multiply(column, row), np.outer(row, row))
