"""The numpy backend: the definition of every op, and the one that always works.

A backend is an object with one kernel per op, under the op's name, on raw arrays: ``F.mul(x, y)``,
``F.sum(x, dim, keepdim)``. ``Reference`` finds a kernel in this order: a method written here;
numpy's own ufunc if it has one for the op; else the op's declaration (a formula compiled to numpy
calls, or the ``forward`` function given to ``Op``). What is found is kept as an instance attribute,
so the search happens once. Other backends on the same memory derive from this class and define only
the kernels they do better.

``forward`` functions use only numpy functions that accept object arrays. Run with the namespace
``Expansion`` on arrays of ``Scalar``, they yield the scalar arithmetic they consist of: so the
stepper zooms into a matmul without drawing code per op.
"""
from __future__ import annotations

import math
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from ..arrays import draws
from ..arrays.device import CPU
from ..arrays.memory_order import in_rows, lying
from ..base.errors import message
from .table import defines, definition, definitions, forget, shared

if TYPE_CHECKING:

    from ..base.types import (
        AnyNumber,
        Array,
        DType,
        Kernel,
        Namespace,
        Number,
        Operand,
        Shape,
    )  # fmt: skip

# op name -> numpy's ufunc, where numpy has the op (under the same name if the right side is empty)
UFUNCS: dict[str, Kernel] = {
    name: getattr(np, numpy_name or name)
    for name, numpy_name in {
        "add": "", "sub": "subtract", "mul": "multiply", "div": "true_divide", "neg": "negative",
        "square": "", "reciprocal": "", "sqrt": "", "abs": "absolute", "fmod": "", "remainder": "",
        "hypot": "", "exp": "", "exp2": "", "expm1": "", "log": "", "log2": "", "log10": "",
        "log1p": "", "logaddexp": "", "sin": "", "cos": "", "tan": "", "asin": "arcsin",
        "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "sinh": "", "cosh": "", "tanh": "",
        "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "maximum": "", "minimum": "",
        "fmax": "", "fmin": "", "logaddexp2": "", "deg2rad": "", "rad2deg": "",
        "floor": "", "ceil": "", "round": "rint", "trunc": "", "lt": "less",
        "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
        "ne": "not_equal",
    }.items()
}  # fmt: skip
# the other way; of a NaN numpy's sign is another than the op's, which therefore is none of these
OP_OF: dict[Kernel, str] = {**{f: name for name, f in UFUNCS.items()}, np.sign: "sign"}


def all_true(x: Array) -> bool:
    """``x.all()``, which takes numpy three times as long for a few numbers."""
    return np.count_nonzero(x) == x.size


def nonzero_divisor(op: str, x: Operand, y: Operand) -> Operand:
    """``y``, an array of any memory. RuntimeError for an integer 0, where numpy would answer 0.

    A 0 that divides no element of ``x`` is none, as in PyTorch.
    """
    if type(y) is int:
        y = np.asarray(y)
    if y.dtype.kind not in "iu" or (all_true(y) if type(y) is np.ndarray else y.all()):
        return y
    if np.size(x):
        raise RuntimeError(
            message(
                "ZeroDivisionError",
                f"{op}: the divisor, an integer, is 0",
                fix="x.float() gives inf and nan",
            )
        )
    return y


def _full(shape: Shape, value: AnyNumber, dtype: DType) -> Array:
    """np.full, which is written in Python and takes five times as long for a few numbers."""
    out: Array = np.empty(shape, dtype)
    out.fill(value)
    return out


@defines
def cube(F: Namespace, x: Array) -> Array:
    """x ** 3"""
    return x * x * x


class Reference:
    """numpy kernels by op name, on one kind of memory: numpy arrays."""

    name = "reference"
    device = CPU
    by_dtype: ClassVar[dict[DType, Reference]] = {}  # the backend object for arrays of a dtype ...
    rest: ClassVar[Reference]  # ... and the one for those of all other dtypes

    changing: ClassVar[frozenset[str]] = frozenset()  # elementwise ops that change the dtype
    conjugates: ClassVar[bool] = False  # do derivatives have conjugates? (backends/complex.py)
    halves: ClassVar[bool] = False  # are its arrays of 16 bits, and their ops rounded? (half.py)

    memory: ClassVar[type[Array]] = np.ndarray
    ordered: ClassVar[bool] = True  # may its arrays lie in any order of dimensions?
    empty: ClassVar[Kernel] = staticmethod(np.empty)
    zeros: ClassVar[Kernel] = staticmethod(np.zeros)
    full: ClassVar[Kernel] = staticmethod(_full)
    # makes an array of a numpy scalar, which is what a ufunc gives of 0-d arrays
    array: ClassVar[Kernel] = staticmethod(np.asarray)
    draws: ClassVar[Any] = draws  # the functions that make random arrays
    fill: ClassVar[Kernel] = staticmethod(np.copyto)  # fill(out, x): out[...] = x
    # a ufunc as the function that runs it: `cpu.use` may choose one with several threads
    threaded: ClassVar[Kernel] = staticmethod(lambda ufunc: ufunc)

    def __init__(self, dtype: DType | None = None):
        self.dtype = cast("DType", dtype)  # of its arrays; None for `rest`

    def of(self, dtype: DType) -> Reference:
        """The backend object for arrays of ``dtype`` on this memory.

        There is one for float32, one for float64, and one for everything else. So two nodes with
        the same ``dev`` agree in device *and* dtype, and the hot path of an op compares one pair of
        objects.
        """
        return self.by_dtype.get(dtype, self.rest)

    def __getattr__(self, name: str) -> Any:
        held = vars(self)  # while a function is recorded, it is another dict (static/recorder.py)
        kernel = held[name] = self._found(name)
        return kernel

    def _found(self, name: str) -> Any:
        """A kernel that is asked for first. Other threads see it when it is what stays."""
        kernel = UFUNCS.get(name)
        if kernel is not None:
            return Reference.threaded(kernel)
        if name not in definitions:
            raise AttributeError(f"the {self.name} backend has no kernel '{name}'")
        return shared.get(name) or MethodType(definition(name), self)

    def choose(self, kernels: type[Reference]) -> None:
        """From now on, take the kernels from ``kernels``: Reference or a subclass.

        Every op forgets what it looked up.
        """
        dtype = self.dtype
        self.__dict__.clear()
        self.__class__ = kernels
        self.dtype = dtype
        forget(self)

    def large(self, name: str) -> Kernel:
        """The kernel of an op for large arrays, where a backend has another one for them."""
        return getattr(self, name)

    def small(self, name: str) -> Kernel:
        """The kernel of an op for small arrays, where a backend's own looks at their size."""
        return getattr(self, name)

    def into(self, name: str) -> Kernel | None:
        """``into(result, *operands)`` of an op: the result over an array, which may be one of the
        operands. It answers False where it declines; None where a backend has no such kernel.
        """
        return getattr(getattr(self, name, None), "into", None)

    def in_16_bits(self, name: str, kernel: Kernel, dtype: DType) -> Kernel:
        """``kernel``, of arrays of float16 or bfloat16, where a backend has no faster one."""
        return kernel

    @staticmethod
    def laid(x: Array, steps: Shape | None) -> Array:
        """``x``, or a copy, in the order in memory of an array with these strides; None: in rows.
        """
        return in_rows(x) if steps is None else lying(x, steps)

    def pow(self, x: Array, y: Array | Number) -> Array:
        """x ** y. For small exponents numpy's power takes 20 times as long as the products."""
        if np.ndim(y) == 0:
            exponent = y if isinstance(y, (int, float, complex)) else y.item()
            if exponent == 2:
                return np.square(x)
            if exponent == 1:
                return x.copy("K")
            if exponent == 3:
                return self.cube(x)
            if exponent == 0.5 and x.dtype.kind in "fc":
                return np.sqrt(x)
            if exponent == -1 and x.dtype.kind in "fc":
                return np.reciprocal(x)
        if x.dtype.kind in "iu" and np.any(np.less(y, 0)):
            # the integer part of the quotient: 0, but for 1 and -1
            small = np.where(np.abs(x) == 1, x ** (np.abs(y) % 2), 0)
            return np.where(np.less(y, 0), small, np.power(x, np.maximum(y, 0))).astype(x.dtype)
        return Reference.threaded(np.power)(x, y)

    def where(self, condition: Array, x: Operand, y: Operand) -> Array:
        """x or y. Of two numbers, those of this backend's dtype: numpy would make doubles of them.
        """
        if self.dtype is not None and isinstance(x, (int, float)) and isinstance(y, (int, float)):
            x, y = self.dtype.type(x), self.dtype.type(y)
        return np.asarray(np.where(condition, x, y))

    def sign(self, x: Array) -> Array:
        """-1, 0 or 1; 0 of a NaN, as PyTorch has it."""
        if x.dtype.kind in "iu":
            return np.sign(x)
        return np.subtract(x > 0, x < 0, dtype=x.dtype) if x.dtype.kind == "f" else x.copy()

    def sgn(self, x: Array) -> Array:
        """x / |x|, and 0 of 0: the sign of real numbers."""
        return np.sign(x) if x.dtype.kind == "c" else self.sign(x)

    def remainder(self, x: Array, y: Array) -> Array:
        """x - floor(x / y) * y. A 0 has the sign of x, as in PyTorch; numpy gives it that of y."""
        out = Reference.threaded(np.remainder)(x, nonzero_divisor("remainder", x, y))
        if out.dtype.kind != "f" or all_true(out):
            return out
        return np.where(out == 0, np.copysign(out, x), out)

    def fmod(self, x: Array, y: Array) -> Array:
        """x - trunc(x / y) * y."""
        return Reference.threaded(np.fmod)(x, nonzero_divisor("fmod", x, y))

    def complex_loop(self, name: str, *arrays: Array) -> bool:
        """Run C's loop of complex numbers, whose parts are of this backend's dtype, for arrays of
        one shape, the result last. False: there is none here.
        """
        return False

    def erf(self, x: Array) -> Array:
        """The error function. numpy has none, so it is the C library's, element by element."""
        return np.asarray(_erf(x)).astype(x.dtype)

    def erfc(self, x: Array) -> Array:
        """1 - erf(x), precise where erf is close to 1."""
        return np.asarray(_erfc(x)).astype(x.dtype)


_erf, _erfc = np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1)
