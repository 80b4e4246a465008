"""C's functions without cffi (ext/direct.h): they answer as the functions that stand behind them,
hand on to those what they do not take, and keep nothing."""
import gc
import sys
import weakref

import numpy as np
import pytest

from microtorch.arrays.dtypes import F32, F64
from microtorch.backends import core
from microtorch.backends.core import library
from microtorch.backends.core.elementwise import Elementwise
from microtorch.backends.core.library import new
from microtorch.backends.reference import Reference
from microtorch.notation import formulas

pytestmark = [pytest.mark.needs("core"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
DIRECT = type(len)
NAMES = [name for name in formulas.TABLE if type(getattr(core.Core(F32), name)) is DIRECT]
SHAPES = [
    ((4, 4), (4, 4), (4, 4)), ((3, 5), (5,), (3, 5)), ((3, 1), (3, 4), ()), ((2, 3), (), ()),
    ((), (2, 3), ()), ((), (), ()), ((4, 1), (1, 3), (4, 3)), ((0, 3), (0, 3), (3,)),
    ((1,), (1, 1), (1,)), ((9,), (40, 9), (1, 9)), ((70_000,), (70_000,), ()),
]  # fmt: skip


def operands(count, shapes, dtype, layout=None):
    rng = np.random.default_rng(0)
    made = [rng.uniform(0.5, 1.5, shape).astype(dtype) for shape in shapes[:count]]
    return [layout(x) for x in made] if layout else made


def count_of(name):
    return len(formulas.TABLE[name][1])


def assert_same(found, expected):
    found = np.asarray(found)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape and found.strides == np.asarray(expected).strides
    tight = found.dtype == F64
    np.testing.assert_allclose(found, expected, *((1e-12, 1e-14) if tight else (2e-5, 1e-6)))


def test_most_elementwise_ops_have_one():
    assert {"add", "sub", "mul", "div", "relu", "exp", "tanh", "sigmoid", "gelu"} <= {*NAMES}


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_as_numpy(name, dtype):
    for shapes in SHAPES:
        given = operands(count_of(name), shapes, dtype)
        expected = getattr(Reference(dtype), name)(*given)
        assert_same(getattr(core.Core(dtype), name)(*given), expected)


@pytest.mark.parametrize("layout", [
    lambda x: x.T, lambda x: np.repeat(x, 2, 0)[::2], lambda x: x[..., ::-1], np.asfortranarray,
], ids=["transposed", "gaps", "reversed", "by columns"])  # fmt: skip
@pytest.mark.parametrize("name", ["add", "mul", "exp", "relu", "where"])
def test_other_layouts(name, layout):
    given = operands(count_of(name), [(4, 5)] * 3, F32, layout)
    expected = getattr(Reference(F32), name)(*given)
    assert_same(getattr(core.Core(F32), name)(*given), expected)


@pytest.mark.parametrize("shapes", [
    [(4, 1), (3,)], [(3,), (4, 1)], [(1, 3), (4, 1)], [(2, 1, 3), (4, 1)], [(), (2, 1)],
])  # fmt: skip
def test_operands_that_make_a_larger_shape_together(shapes):
    def otherwise(x, y):
        raise AssertionError("handed on")

    x, y = operands(2, shapes, F32)
    assert_same(core.Core(F32)._direct("add", otherwise)(x, y), np.add(x, y))


@pytest.mark.parametrize("other", [2.0, np.float64(2), np.ones((2, 3)), np.arange(3)])
def test_operands_of_other_kinds_go_to_numpy(other):
    x = np.ones((2, 3), np.float32)
    found, expected = core.Core(F32).mul(x, other), np.multiply(x, other)
    assert found.dtype == expected.dtype and (found == expected).all()


def test_derivatives_pick_what_they_read():
    """Each of F, g, out and the inputs has a place, and the loop reads some of them."""
    compared = 0
    for name in NAMES:
        backend, g = core.Core(F32), np.full((3, 4), 0.5, np.float32)
        given = operands(count_of(name), [(3, 4)] * 3, F32)
        out = np.asarray(getattr(Reference(F32), name)(*given))
        for i, text in enumerate(formulas.TABLE[name][1]):
            kernel = text and getattr(backend, f"{name}_vjp{i}", None)
            if not hasattr(kernel, "with_F") or type(kernel.with_F) is not DIRECT:
                continue
            expected = kernel(g, out, *given)
            np.testing.assert_array_equal(kernel.with_F(backend, g, out, *given), expected)
            compared += 1
    assert compared > 40


def test_what_it_hands_on_it_hands_on_as_it_came():
    seen = []

    def otherwise(*given, **named):
        seen.append((given, named))
        return "answered"

    kernel, x = core.Core(F32)._direct("add", otherwise), np.ones(3, np.float32)
    assert kernel(x, 2, out=x) == kernel() == kernel(x) == kernel(x, None) == "answered"
    assert seen == [((x, 2), {"out": x}), ((), {}), ((x,), {}), ((x, None), {})]
    assert type(kernel(x, x)) is np.ndarray and len(seen) == 4

    def fails(x, y):
        raise ValueError("shapes")

    with pytest.raises(ValueError, match="shapes"):
        core.Core(F32)._direct("add", fails)(x, np.ones(4, np.float32))


def test_it_keeps_nothing():
    def otherwise(x, y):
        return None

    alive = weakref.ref(otherwise)
    kernel, x, y = core.Core(F32)._direct("add", otherwise), np.ones(3, np.float32), np.float32(1)
    del otherwise
    before = sys.getrefcount(x), sys.getrefcount(F32), sys.getrefcount(kernel)
    for _ in range(100):
        kernel(x, x), kernel(x, y), kernel(x, np.ones(4, np.float32))
    assert before == (sys.getrefcount(x), sys.getrefcount(F32), sys.getrefcount(kernel))
    assert alive() is not None
    del kernel
    gc.collect()
    assert alive() is None


def test_ops_with_numbers_and_masks_have_none():
    assert core.Core(F32)._direct("leaky_relu", len) is len
    assert Elementwise(F32)._direct("where", len) is len


# ---- kernels as functions (ext/calls.h) ----------------------------------------------------------
def test_every_kernel_is_a_function_of_its_name():
    names = [n for n in dir(core.lib) if n.endswith(("_f32", "_f64", "_i64"))]
    assert len(names) > 600
    for name in names:
        kernel = library.called(name)
        assert type(kernel) is DIRECT and kernel.__name__ == name
        count = len(library.ffi.typeof(getattr(core.lib, name)).args)
        with pytest.raises(TypeError, match=rf"{name}\(\) takes {count} arguments, but got 0"):
            kernel()
    with pytest.raises(AttributeError, match="no kernel nonsense_f32"):
        library.called("nonsense_f32")


class Subclass(np.ndarray):
    pass


def test_numbers_are_converted_and_arrays_are_not():
    x, out = np.ones((2, 3), np.float32), np.empty((), np.float32)
    total, amax = library.called("sum_f32"), library.called("amax_f32")
    assert total(1, np.int64(6), True, np.float64(2), x, out) is True and out == 3
    assert amax(1, 7, 1, x, out) is False  # of another size
    for wrong in (None, [1.0], (x,), x.astype(np.float64), x.view(Subclass), np.float32(1)):
        assert amax(1, 6, 1, wrong, out) is False
    for wrong in (id(x), 6, 1.0, True, "x", memoryview(x), {}):
        with pytest.raises(TypeError, match=f"takes arrays, but got.*{type(wrong).__name__}"):
            amax(1, 6, 1, wrong, out)
    for wrong, error in [
        (6.0, TypeError), (None, TypeError), (x, TypeError), (-1, OverflowError),
        (2**63, OverflowError),
    ]:  # fmt: skip
        with pytest.raises(error):
            amax(1, wrong, 1, x, out)
    with pytest.raises(TypeError):
        total(1, 6, 1, None, x, out)


def test_a_call_keeps_nothing():
    x, out, kernel = np.ones(4, np.float32), np.empty((), np.float32), library.called("amax_f32")
    before = [sys.getrefcount(o) for o in (x, out, None, kernel)]
    for _ in range(1000):
        kernel(1, 4, 1, x, out), kernel(1, 4, 1, None, out)
    after = [sys.getrefcount(o) for o in (x, out, None, kernel)]
    assert all(b <= a + 5 for a, b in zip(before, after, strict=True))


class Small:
    __slots__ = ("value",)


class Named(Small):
    """With a dictionary of its own."""


@pytest.mark.parametrize("cls", [Small, Named])
def test_new_makes_empty_objects(cls):
    before = sys.getrefcount(cls)
    made = [new(cls) for _ in range(10)]
    assert all(type(x) is cls and not hasattr(x, "value") for x in made)
    made[0].value = made[1].value = made
    assert gc.is_tracked(made[0])
    if cls is Named:
        made[0].other = 1
        assert vars(made[0]) == {"other": 1} and vars(made[1]) == {}
    made.clear()
    del made
    gc.collect()
    assert sys.getrefcount(cls) <= before + 1


@pytest.mark.parametrize("wrong", [int, np.ndarray, 3, None])
def test_new_makes_no_others(wrong):
    with pytest.raises(TypeError, match="class that is written in Python"):
        new(wrong)


@pytest.mark.parametrize("name", ["tanh", "add", "gelu"])
def test_other_threads_find_no_kernel_but_the_one_that_stays(name, monkeypatch):
    lane, seen = core.Core(F32), []
    direct = Elementwise._direct

    def looked(self, name, otherwise):
        seen.append(name in vars(self))
        return direct(self, name, otherwise)

    monkeypatch.setattr(Elementwise, "_direct", looked)
    assert type(getattr(lane, name)) is DIRECT and seen == [False]
