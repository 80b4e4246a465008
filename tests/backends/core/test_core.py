"""The C core: generated loops against their formulas, the naive product, and life without the
core."""
import sys

import numpy as np
import pytest
from repository import python, ran

from microtorch.arrays.dtypes import F32
from microtorch.backends import core
from microtorch.backends.core import library
from microtorch.backends.core.elementwise import Elementwise
from microtorch.backends.reference import UFUNCS, Reference
from microtorch.backends.table import LARGE
from microtorch.notation import expr, formulas

needs_core = pytest.mark.needs("core")
reference = Reference()


def rows():
    """Every formula that has a loop: (the loop's name, op, formula, parameters in numpy)."""
    for op, (value, derivatives) in formulas.TABLE.items():
        inputs = tuple("xyz"[: len(derivatives)])
        if op == "where":
            continue
        yield op, op, value, inputs
        for i, text in enumerate(derivatives):
            if text not in (None, "g"):
                yield f"{op}_vjp{i}", op, text, ("g", "out", *inputs)
    for name, value in formulas.VALUES.items():
        yield name, name, value, tuple(sorted(expr.names(value)))


ROWS = list(rows())
IDS = [row[0] for row in ROWS]
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, 3e38], np.float32)


def operands(op, parameters, shape, seed=0):
    """float32 arrays around 0, for both sides of each choice, and the op's static arguments."""
    rng = np.random.default_rng(seed)
    chosen = {"min": -0.5, "max": 0.75, "threshold": 0.1, "value": 0.5, "weight": 0.3,
              "nan": 0.25, "posinf": 3.0, "neginf": -3.0}
    named = {k: chosen.get(k, v)
             for k, v in formulas.ARGUMENTS.get(op, {}).items()}
    return [rng.normal(size=shape).astype(np.float32) for _ in parameters], named


def by_numpy(name, op, formula, parameters, arrays, named):
    if name == op and op in UFUNCS:  # a primitive op: its formula is a call of itself
        kernel = getattr(reference, op)
    else:
        signature = ", ".join(("F", *parameters, *(("*", *named) if named else ())))
        function = expr.compile_python(formula, signature, name)
        kernel = lambda *a: function(reference, *a, **named)  # noqa: E731
    with np.errstate(all="ignore"):
        return kernel(*arrays)


def by_c(name, formula, parameters, arrays, named):
    """The C loop on what it reads: numbers, then arrays, in the formula's order."""
    read = expr.names(formula)
    numbers = [v for k, v in named.items() if k in read]
    return core.run(name, *numbers,
                    *(a for p, a in zip(parameters, arrays, strict=True) if p in read))


@needs_core
@pytest.mark.parametrize("name, op, formula, parameters", ROWS, ids=IDS)
def test_a_loop_computes_its_formula(name, op, formula, parameters):
    for shape in ((), (1,), (3, 0), (7,), (5, 33)):
        arrays, named = operands(op, parameters, shape)
        expected = by_numpy(name, op, formula, parameters, arrays, named)
        result = by_c(name, formula, parameters, arrays, named)
        assert result.shape == shape and result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=2e-5, atol=2e-6)


@needs_core
@pytest.mark.parametrize("name, op, formula, parameters",
                         [r for r in ROWS if core.smallest(r[0], r[2], F32) is not None])
def test_a_kernel_in_use_agrees_on_special_values(name, op, formula, parameters):
    """Every pair of SPECIAL numbers, for the kernels that `Core` takes."""
    n = len(SPECIAL)
    grid = [np.repeat(SPECIAL, n), np.tile(SPECIAL, n), np.repeat(SPECIAL[::-1], n)]
    arrays = [grid[i % 3] for i in range(len(parameters))]
    _, named = operands(op, parameters, ())
    repeats = LARGE // len(grid[0]) + 1 if core.smallest(name, formula, F32) else 1
    arrays = [np.tile(a, repeats) for a in arrays]
    expected = by_numpy(name, op, formula, parameters, arrays, named)
    with np.errstate(all="ignore"):
        result = core.Core(F32).large(name)(*arrays, **named)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@needs_core
def test_what_c_cannot_take_goes_to_numpy():
    kernels, x = core.Core(F32), np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6)
    for argument in (x.T, x[::2], x[:, 1:], x[::-1], x.astype(np.float64), x.astype(">f4"),
                     np.asfortranarray(x)):
        np.testing.assert_array_equal(kernels.relu6(argument), np.clip(argument, 0, 6))
        assert kernels.relu6(argument).dtype == argument.dtype.newbyteorder("=")
    g = np.float32(2.0).reshape(1, 1)
    np.testing.assert_allclose(kernels.tanh_vjp0(g, x, x), 2 * (1 - x * x), rtol=1e-6)
    misaligned = np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1)
    assert not misaligned.flags.aligned
    np.testing.assert_array_equal(kernels.relu6(misaligned), np.clip(x.ravel(), 0, 6))


@needs_core
@pytest.mark.parametrize("m, k, n",
                         [(1, 1, 1), (2, 3, 4), (7, 1, 5), (1, 9, 1), (0, 3, 2), (2, 0, 3),
                          (17, 33, 13)])
def test_the_naive_product_is_the_product(m, k, n):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(n, k)).astype(np.float32).T
    np.testing.assert_allclose(core.matmul_naive(x, y), x @ y, rtol=1e-4, atol=1e-5)


@needs_core
def test_wrong_operands_are_named():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(m, k\) and \(k, n\), but got \(2, 3\) and \(2, 3\)"):
        core.matmul_naive(x, x)
    with pytest.raises(TypeError, match="float32 or float64 arrays, but got int64"):
        core.matmul_naive(x.astype(np.int64), x.T)
    with pytest.raises(TypeError, match="mul_f32 takes 2 operands, but got 1"):
        core.run("mul", x)
    with pytest.raises(ValueError, match=r"one shape, but got \(2, 3\), \(3, 2\)"):
        core.run("mul", x, x.T.copy())
    with pytest.raises(AttributeError):
        core.run("no_such_loop", x)


def test_without_the_module_numpy_does_everything():
    """Without microtorch._core, a process says so once and takes numpy's kernels."""
    program = """
import sys
sys.modules["microtorch._core"] = None
from microtorch.backends import core
import numpy as np
from microtorch.dtypes import F32
assert not core.is_available() and "C compiler" in core.reason, core.reason
core.announce(); core.announce()
x = np.ones(3, np.float32)
assert core.Core(F32).add(x, x).tolist() == [2, 2, 2]
try:
    core.matmul_naive(x, x)
except RuntimeError as error:
    assert core.reason in str(error)
else:
    raise AssertionError("matmul_naive ran without C")
"""
    run = ran("-c", program.format(path=formulas.__file__))
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("running on numpy without the C core") == 1


@needs_core
def test_a_core_of_other_formulas_is_not_used():
    program = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("microtorch.notation.formulas", {path!r})
formulas = sys.modules["microtorch.notation.formulas"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(formulas)
formulas.TABLE["square"] = ("x * x * x", ("3 * g * x * x",))
from microtorch.backends import core
assert not core.is_available() and "formulas that have changed" in core.reason, core.reason
"""
    run = ran("-c", program.format(path=formulas.__file__))
    assert run.returncode == 0, run.stderr


def test_the_generated_c_can_be_printed():
    pytest.importorskip("cffi")
    printed = python("ext/build_core.py", "--print")
    assert "/* silu: x / (1 + exp(-x)) */" in printed
    assert "x / ((real)1 + ALL(exp)(-x))" in printed


# ---- memory --------------------------------------------------------------------------------------
@needs_core
@pytest.mark.skipif(sys.platform == "win32", reason="malloc's memory only")
def test_larger_arrays_begin_on_a_cache_line():
    def off(array):
        return array.ctypes.data % 64

    for n in (4096, 5000, 1 << 17, (1 << 20) + 3):
        several = [np.empty(n, np.float32) for _ in range(5)]
        assert not any(map(off, several))
        several[0][:] = 1
        assert off(several[0] + several[0]) == 0
        grown = several.pop()
        grown[:] = np.arange(n)
        grown.resize(3 * n, refcheck=False)  # from the handler's memory to more of it,
        assert np.array_equal(grown[:n], np.arange(n, dtype=np.float32))
        grown.resize(3, refcheck=False)  # and to so little that numpy keeps it for the next array
        assert grown.tolist() == [0, 1, 2]
    assert np._core.multiarray.get_handler_name() == "microtorch_lines"


@needs_core
def test_a_handler_of_somebody_else_stays(monkeypatch):
    """As of a library that counts memory; here ours stands for it."""
    monkeypatch.setattr(library, "lib", None)  # it would be needed to set another one
    library.align_arrays()
    assert np._core.multiarray.get_handler_name() == "microtorch_lines"


@needs_core
def test_no_method_of_the_reference_hides_a_loop():
    """A formula's kernel is C's, also where Reference has a method of its name."""
    shadowed = formulas.TABLE.keys() & vars(Reference).keys()
    assert "where" in shadowed <= vars(Elementwise).keys()
