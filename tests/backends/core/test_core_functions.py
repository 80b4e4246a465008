"""The functions of the C core: their accuracy over all floats, special values, and the same result
with any number of threads.

Every one is compared with float64, on every instruction set that this processor has. An error is
counted in ulp, units in the last place of the float32 nearest to the true value: 0.5 is the best
possible, and 2 are allowed.
"""
import math

import numpy as np
import pytest

from microtorch.backends import core
from microtorch.notation import expr, formulas

pytestmark = pytest.mark.needs("core")


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def erf(x):
    return np.frompyfunc(math.erf, 1, 1)(x).astype(np.float64)


def erfc(x):
    return np.frompyfunc(math.erfc, 1, 1)(x).astype(np.float64)


NUMPY = (np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sin, np.cos, np.tanh)
FUNCTIONS = {f.__name__: f for f in (*NUMPY, sigmoid, erf, erfc)} | {"atanh": np.arctanh}


def finite_floats():
    """float32 numbers of every exponent and sign, and all near the places where a method
    changes."""
    step = 1 << 12
    every = np.arange(0, 1 << 32, step, dtype=np.uint64)
    every += np.random.default_rng(0).integers(0, step, every.size, dtype=np.uint64)
    places = [0, 2.0**-126, math.log(2) / 2, 2**-0.5, 1, 2**0.5, 2, 3.92, 4.2, 9, 10, 17.33, 20,
              87.34, 88.02, 88.73, 103.98, 126,
              128, 149, 150, 1e5, 2.0**127,
              *(k * math.pi / 4 for k in (*range(1, 30), 1001, 65537, 125001)),
              *((k + 0.5) * math.log(2) / 16 for k in range(40)),
              *((k + 0.5) * 1075 / 4096 for k in range(16))]  # fmt: skip
    near = np.add.outer(np.float32(places).view(np.int32),
                        np.arange(-500, 500, dtype=np.int32)).view(np.float32).ravel()
    usual = np.random.default_rng(1).uniform(-20, 20, 1 << 18).astype(np.float32)
    x = np.concatenate([every.astype(np.uint32).view(np.float32), near, -near, usual])
    return x[np.isfinite(x)]


FLOATS = finite_floats()


@pytest.fixture(scope="module")
def truth():
    """The true values, in float64, by name."""
    with np.errstate(all="ignore"):
        return {name: f(FLOATS.astype(np.float64)) for name, f in FUNCTIONS.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_at_most_two_units_in_the_last_place(name, isa, truth):
    got, true = core.run(name, FLOATS), truth[name]
    with np.errstate(all="ignore"):
        nearest = true.astype(np.float32)
        ulp = np.spacing(np.maximum(np.abs(nearest), np.float32(2.0**-126))).astype(np.float64)
        error = np.abs(got - true) / ulp
    # poles, overflow, outside of the domain: there the result must be the same
    infinite = ~np.isfinite(nearest)
    np.testing.assert_array_equal(got[infinite], nearest[infinite])
    worst = np.argmax(np.where(infinite, 0, error))
    what = f"{name}({FLOATS[worst]!r}) is {true[worst]!r}"
    assert error[worst] <= 2, f"{what}, but {isa} computes {got[worst]!r}"
    zero = nearest == 0
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(nearest[zero]))


@pytest.mark.parametrize("name", ["exp", "expm1", "sigmoid", "erf"])
def test_functions_with_tables_on_many_floats(name, isa):
    """Every 64th float between 2^-5 and 128, of both signs: all intervals of lookup.h's tables."""
    x = np.arange(np.float32(2.0**-5).view(np.int32), np.float32(128).view(np.int32), 64,
                  dtype=np.int32).view(np.float32)
    if name == "erf":
        x = x[(x < 4.5)][::4]  # the reference is a Python loop
    for signed in (x, -x):
        got = core.run(name, signed).astype(np.float64)
        with np.errstate(over="ignore"):
            true = FUNCTIONS[name](signed.astype(np.float64))
            nearest = true.astype(np.float32)
        ulp = np.spacing(np.maximum(np.abs(nearest), np.float32(2.0**-126))).astype(np.float64)
        error = np.abs(got - true) / ulp
        assert np.max(error[np.isfinite(nearest)]) <= 2
        np.testing.assert_array_equal(got[np.isinf(nearest)], np.inf)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_infinity_and_nan(name, isa):
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0] * 7, np.float32)
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name](special.astype(np.float64)).astype(np.float32)
    got = core.run(name, special)
    np.testing.assert_array_equal(got, expected)
    real = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[real]), np.signbit(expected[real]))


LONG = np.longdouble
DOUBLES = {
    "exp": (np.exp, (1500, 2)), "exp2": (np.exp2, (2200, 2)), "expm1": (np.expm1, (1500, 4, 1e-9)),
    "log": (np.log, (2000,)), "log1p": (np.log1p, (4, 1e-9)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (1400, 40)),
    "hypot": (np.hypot, (1, 1e300, 1e-300)),
    "atanh": (np.arctanh, (2.1, 1e-9)), "sin": (np.sin, (10, 2e6, 1e-9)),
    "cos": (np.cos, (10, 2e6, 1e-9)),
}  # fmt: skip


@pytest.mark.skipif(np.finfo(LONG).nmant <= 52, reason="nothing here is more precise than float64")
@pytest.mark.parametrize("name", DOUBLES)
def test_doubles_within_two_units_in_the_last_place(name, isa):
    """ext/doubles.h, beside numpy's longer type."""
    function, widths = DOUBLES[name]
    source = np.random.default_rng(0)
    x = np.concatenate([source.uniform(-0.5, 0.5, 40_000) * width for width in widths])
    edges = [0.0, -0.0, 5e-324, 1e-310, 2.0**-1022, 1.0, 709.78, 709.79, -708.4, -745.1, -745.2]
    turns = np.arange(1.0, 640_000, 31) * (np.pi / 2)  # next to them sin and cos vanish
    wide = np.exp2(source.uniform(-1074, 1023, 20_000))
    x = np.concatenate([x, edges, turns, -turns, wide, -np.exp2(-x % 60)])
    arrays = (x, x[::-1].copy()) if name == "hypot" else (x,)
    with np.errstate(all="ignore"):
        true = function(*(a.astype(LONG) for a in arrays))
        nearest = true.astype(np.float64)
        got = core.run(name, *arrays)
        ulp = np.spacing(np.maximum(np.abs(nearest), 2.0**-1022))
        error = np.abs(got.astype(LONG) - true) / ulp
    infinite = ~np.isfinite(nearest)
    np.testing.assert_array_equal(got[infinite], nearest[infinite])
    worst = np.argmax(np.where(infinite, 0, error))
    assert error[worst] <= 2, f"{name}({x[worst]!r}) is {true[worst]!r}, not {got[worst]!r}"
    zero = nearest == 0
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(nearest[zero]))
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0] * 5)
    arrays = (special, np.roll(special, 1)) if name == "hypot" else (special,)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(core.run(name, *arrays), function(*arrays))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 15, 17, 4097, 100_003])
def test_an_element_does_not_depend_on_its_neighbours(n, dtype, isa, threads):
    """The ends of arrays and of pieces get the same function, with 1 thread as with 2."""
    x = np.random.default_rng(n).normal(scale=3, size=n).astype(dtype)
    x[n // 2] = 1e30  # for sin and cos, that piece is gone through twice
    for name in ("exp", "sigmoid", "silu", "tanh", "sin", "gelu", "softplus"):
        arguments = (1.0, 20.0) if name == "softplus" else ()
        threads(1)
        one = core.run(name, *arguments, x)
        threads(2)
        np.testing.assert_array_equal(core.run(name, *arguments, x), one)
        assert all(core.run(name, *arguments, x[i : i + 1]) == one[i] for i in {0, n // 2, n - 1})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["add", "sin", "gelu"])
def test_a_large_result_is_the_same_and_stays_in_its_place(name, dtype, isa, threads):
    """Results past the caches (ext/pieces.c) are the same numbers as small pieces give. Nothing is
    written before and after them, wherever in a line of memory they begin.
    """
    n = (12 << 20) // np.dtype(dtype).itemsize + 1003
    count = 1 + (name == "add")
    arrays = [np.random.default_rng(i).normal(scale=3, size=n).astype(dtype) for i in range(count)]
    arrays[0][[5, n // 2, n - 1]] = 1e30
    size = 30_000
    expected = np.concatenate([core.run(name, *(a[i : i + size] for a in arrays))
                               for i in range(0, n, size)])
    loop = getattr(core.lib, f"{name}_{'f32' if dtype == np.float32 else 'f64'}")
    for shift, workers in ((0, 1), (1, 2), (7, 2), (15, 1)):
        threads(workers)
        room = np.full(n + 40, 7, dtype)
        result = room[shift : shift + n]
        assert loop(*map(id, arrays), id(result)) == 1
        np.testing.assert_array_equal(result, expected)
        assert (room[:shift] == 7).all() and (room[shift + n :] == 7).all()


def loops():
    """(name, inputs in the order of the loop, formula) of every generated loop."""
    for op, (value, derivatives) in formulas.TABLE.items():
        for i, text in enumerate((value, *derivatives)):
            if op != "where" and text not in (None, "g"):
                yield op if i == 0 else f"{op}_vjp{i - 1}", op, text
    for name, text in formulas.VALUES.items():
        yield name, name, text


LOOPS = list(loops())


@pytest.mark.parametrize("name, op, text", LOOPS, ids=[name for name, *_ in LOOPS])
def test_threads_and_instruction_sets_compute_the_same(name, op, text, threads):
    """Every loop on 70,001 elements, which several threads share.

    The bits are the same with two threads, and the numbers nearly so on each instruction set.
    """
    read, random, before = expr.names(text), np.random.default_rng(0), core.isa
    chosen = {"min": -0.5, "max": 0.75, "threshold": 0.1, "value": 0.5, "weight": 0.3,
              "nan": 0.25, "posinf": 3.0, "neginf": -3.0}
    numbers = [chosen.get(k, v)
               for k, v in formulas.ARGUMENTS.get(op, {}).items() if k in read]
    for dtype, tolerance in ((np.float32, 2e-5), (np.float64, 1e-12)):
        arrays = [random.uniform(-0.9, 0.9, size=70_001).astype(dtype)
                  for a in ("g", "out", "x", "y", "z") if a in read]
        threads(1)
        one = core.run(name, *numbers, *arrays)
        threads(2)
        np.testing.assert_array_equal(core.run(name, *numbers, *arrays), one)
        try:
            for other in core.isas():
                core.use_isa(other)
                np.testing.assert_allclose(core.run(name, *numbers, *arrays), one, rtol=tolerance,
                                           atol=tolerance)
        finally:
            core.use_isa(before)
