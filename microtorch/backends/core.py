"""The C core as a backend: numpy's memory, C's loops where they win, numpy's kernels everywhere else.

`microtorch._core` is compiled when the package is installed (ext/build_core.py). Where it is missing, `is_available()`
is False, `reason` says why in one sentence, and everything runs on numpy: `Core` adds speed, never meaning.

A loop in C must earn its call. Passing one array to C costs 0.2 us here, a numpy call 0.3 us and more, so C wins where
one loop stands for two or more numpy calls: derivatives such as `g * out * (1 - out)`, activations made of comparisons
(2 to 8 times faster on 16,000 elements). It loses where a single numpy call does the same (`mul`), where
numpy has vector code for a function and the C library has none (`exp`, `tanh`: 4 to 30 times slower), and for products
of matrices, which BLAS does better. `worthwhile` is the one place that decides. The other loops stay callable: `run`
and `matmul_naive` are there to be read, tested and timed.
"""
from __future__ import annotations

import ast
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import expr, formulas
from .reference import UFUNCS, Reference, definition

lib: Any = None
ffi: Any = None
reason = ""  # why the core is not available; empty if it is

try:
    from .._core import ffi, lib
except ModuleNotFoundError as error:
    if not (error.name or "").endswith("._core"):  # cffi's own runtime is missing
        reason = f"Python's cffi package is missing ({error}): pip install cffi"
    else:
        reason = (
            "microtorch._core was not built, as happens when there is no C compiler at installation; install one "
            "(Debian, Ubuntu: apt install gcc libc6-dev python3-dev), then microtorch again, or in a checkout run "
            "python ext/build_core.py"
        )
except ImportError as error:
    reason = f"microtorch._core was built but does not load ({error}); install microtorch again to rebuild it"
else:
    if lib.FORMULAS != zlib.crc32(repr((formulas.TABLE, formulas.ARGUMENTS)).encode()):
        lib = ffi = None
        reason = (
            "microtorch._core was compiled from formulas that have changed since; install microtorch again, or in a "
            "checkout run python ext/build_core.py"
        )

F32 = np.dtype(np.float32)
# calls that become a few instructions in C, as vector code: no call of the C library is left in the loop
CHEAP = frozenset({"where", "maximum", "minimum", "abs", "sign", "sqrt"})
# functions that numpy lacks, so that the reference kernel is a Python loop
ABSENT = frozenset({"erf", "erfc"})
ARRAYS = ("g", "out", "x", "y", "z")  # the names of a formula that stand for arrays
_announced = False


def is_available() -> bool:
    """Whether the compiled module is there; if not, ``reason`` says why."""
    return lib is not None


def announce() -> None:
    """Say on standard error, once per process, that the C core is missing and why. Nothing if it is there."""
    global _announced
    if lib is None and not _announced:
        _announced = True
        print(
            f"microtorch: running on numpy without the C core: {reason}. (MICROTORCH_BACKEND=reference silences this.)",
            file=sys.stderr,
        )


def worthwhile(name: str, formula: str) -> bool:
    """Whether C's loop for ``formula`` is used in place of numpy's kernel ``name``. See the top of this file.

    Yes for functions numpy lacks, and for loops without a call of the C library that hold a choice (``np.where`` is
    slow and reads all three arrays) or three operations and more; no for what numpy does in one call.
    """
    called, nodes = expr.functions(formula), list(ast.walk(expr.parse(formula)))
    if called & ABSENT:
        return True
    if name in UFUNCS or not called <= CHEAP or any(isinstance(n, ast.Pow) for n in nodes):
        return False
    if "where" in called:
        return True
    arrays = expr.names(formula) & set(ARRAYS)
    if len(arrays) > 2 or len(arrays) < len(expr.names(formula)):  # the slower way of calling (`general`)
        return False
    # np.maximum of an array and a number runs at half the speed of C's, so one is enough
    operations = sum(isinstance(n, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)) for n in nodes)
    return operations >= 3 or bool(called & {"maximum", "minimum"})


class Core(Reference):
    """Kernels on numpy arrays, in C where that is worthwhile and the arrays are float32, contiguous and of one shape.

    Besides the ops' own names it answers to ``<op>_vjp<i>(g, out, *inputs, **arguments)``: the contribution to the
    gradient of input ``i``, in one pass over memory. Each kernel is made when it is first asked for.
    """

    name = "core"

    def __getattr__(self, name: str) -> Any:
        kernel = _kernel(name)
        if kernel is None:
            return super().__getattr__(name)
        bound = kernel.__get__(self)
        setattr(self, name, bound)
        return bound


def _kernel(name: str) -> Callable[..., Any] | None:
    """The method that runs C's loop ``name``, or None where there is none or numpy does better."""
    op, vjp, index = name.partition("_vjp")
    row = formulas.TABLE.get(op)
    loop = getattr(lib, f"{name}_f32", None)
    if row is None or loop is None:
        return None
    inputs = "xyz"[: len(row[1])]
    formula = row[1][int(index)] if vjp else row[0]
    if formula is None or not worthwhile(name, formula):
        return None
    scalars = formulas.ARGUMENTS.get(op, {})
    if vjp:
        parameters = ("g", "out", *inputs)
        named = "".join(f", {s}" if v is None else f", {s}={v}" for s, v in scalars.items())
        numpy_kernel = expr.compile_python(formula, f"F, {', '.join(parameters)}{', *' + named if named else ''}", name)
    else:
        parameters = tuple(inputs)
        own = getattr(Reference, name, None)

        def numpy_kernel(F: Reference, *args: Any, **named: Any) -> Any:
            return own(*args) if own else definition(name)(F, *args, **named)

    read = expr.names(formula)
    positions = tuple(i for i, p in enumerate(parameters) if p in read)
    used = tuple((s, default) for s, default in scalars.items() if s in read)
    return _caller(loop, positions, used, numpy_kernel)


def _caller(
    loop: Callable[..., None],
    positions: tuple[int, ...],
    scalars: tuple[tuple[str, float | None], ...],
    numpy_kernel: Callable[..., Any],
) -> Callable[..., Any]:
    """A method that passes the arguments at ``positions`` to a C loop, or everything to numpy's kernel if C cannot.

    ``from_buffer`` refuses what is not a contiguous array (ValueError, TypeError), but takes any dtype, so that is
    checked first; by identity, since numpy has one object for the native float32.
    """
    pointer, floats, empty = ffi.from_buffer, ffi.typeof("float[]"), np.empty
    first, second = positions[0], positions[-1]

    # The same function for one and two arrays without numbers (most calls) and for all others: the loop over
    # `positions` would double the cost of a call on a small array.
    def one(self: Reference, *args: Any) -> Any:
        x = args[first]
        try:
            if x.dtype is F32 and x.flags.aligned:
                out = empty(x.shape, F32)
                loop(x.size, pointer(floats, x), pointer(floats, out))
                return out
        except (AttributeError, TypeError, ValueError):  # a Python number, a strided array
            pass
        return numpy_kernel(self, *args)

    def two(self: Reference, *args: Any) -> Any:
        x, y = args[first], args[second]
        try:
            if x.dtype is F32 and y.dtype is F32 and x.shape == y.shape and x.flags.aligned and y.flags.aligned:
                out = empty(x.shape, F32)
                loop(x.size, pointer(floats, x), pointer(floats, y), pointer(floats, out))
                return out
        except (AttributeError, TypeError, ValueError):
            pass
        return numpy_kernel(self, *args)

    def general(self: Reference, *args: Any, **named: Any) -> Any:
        try:
            shape, pointers = args[first].shape, []
            for i in positions:
                a = args[i]
                if a.dtype is not F32 or a.shape != shape or not a.flags.aligned:
                    return numpy_kernel(self, *args, **named)
                pointers.append(pointer(floats, a))
            out = empty(shape, F32)
            loop(out.size, *[named.get(s, default) for s, default in scalars], *pointers, pointer(floats, out))
            return out
        except (AttributeError, TypeError, ValueError):  # also: a named argument that is None
            return numpy_kernel(self, *args, **named)

    return general if scalars or len(positions) > 2 else one if len(positions) == 1 else two


if lib is not None:  # Reference has methods of these names, so __getattr__ would never be asked
    for _name in ABSENT:
        setattr(Core, _name, _kernel(_name))


def run(name: str, *operands: Any) -> Any:
    """Run the C loop ``name`` (``"sigmoid"``, ``"tanh_vjp0"``) on float32 arrays of one shape, whether it wins or not.

    Operands are in the order of the C function: numbers first, then arrays (``python ext/build_core.py --print`` shows
    them). Returns a new array. Raises RuntimeError without the C core, AttributeError for a name that has no loop,
    TypeError for a wrong number of operands or a dtype other than float32.
    """
    loop = getattr(_library(), f"{name}_f32")
    arguments = ffi.typeof(loop).args[1:-1]
    if len(arguments) != len(operands):
        raise TypeError(f"{name}_f32 takes {len(arguments)} operands, but got {len(operands)}")
    numbers = [o for o, a in zip(operands, arguments, strict=True) if a.kind == "primitive"]
    arrays = [_array(name, o) for o, a in zip(operands, arguments, strict=True) if a.kind == "pointer"]
    shape = arrays[0].shape
    if any(a.shape != shape for a in arrays):
        raise ValueError(f"{name}_f32 takes arrays of one shape, but got {', '.join(str(a.shape) for a in arrays)}")
    out = np.empty(shape, F32)
    loop(out.size, *numbers, *(ffi.from_buffer("float[]", a) for a in (*arrays, out)))
    return out


def matmul_naive(x: Any, y: Any) -> Any:
    """x @ y of two float32 matrices, (m, k) and (k, n), by the three loops of ext/matmul.c.

    To read and to time beside ``np.matmul``, which is 2 to 4 times faster and is what ``@`` uses. Raises RuntimeError
    without the C core, ValueError if the shapes do not fit, TypeError for a dtype other than float32.
    """
    function = _library().matmul_naive_f32
    x, y = _array("matmul_naive", x), _array("matmul_naive", y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
        raise ValueError(f"matmul_naive takes shapes (m, k) and (k, n), but got {x.shape} and {y.shape}")
    out = np.empty((x.shape[0], y.shape[1]), F32)
    function(*x.shape, y.shape[1], *(ffi.from_buffer("float[]", a) for a in (x, y, out)))
    return out


def _library() -> Any:
    if lib is None:
        raise RuntimeError(f"the C core is not available: {reason}")
    return lib


def _array(name: str, x: Any) -> Any:
    """``x`` as C can read it: float32, contiguous, aligned (copied if it is not)."""
    if not isinstance(x, np.ndarray) or x.dtype != F32:
        raise TypeError(f"{name} takes float32 arrays, but got {getattr(x, 'dtype', type(x).__name__)}")
    return np.require(x, F32, ["C", "A"])
