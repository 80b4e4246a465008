"""The numpy backend: the definition of every op, and the one that always works.

A backend is an object with one kernel per op, under the op's name, on raw arrays: ``F.mul(x, y)``, ``F.sum(x, dim, keepdim)``.
``Reference`` finds a kernel in this order: a method written here; numpy's own ufunc if it has one for the op; else the op's
declaration (a formula compiled to numpy calls, or the ``forward`` function given to ``Op``). What is found is kept as an
instance attribute, so the search happens once. Other backends on the same memory derive from this class and define only
the kernels they do better.

``forward`` functions use only numpy functions that accept object arrays. Run with the namespace ``Expansion`` on arrays of
``Scalar``, they yield the scalar arithmetic they consist of: so the stepper zooms into a matmul without drawing code per op.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from types import MethodType
from typing import Any, ClassVar

import numpy as np

from .. import generator
from ..device import CPU
from ..errors import message

# op name -> numpy's ufunc, where numpy has the op (under the same name if the right side is empty)
UFUNCS: dict[str, Any] = {
    name: getattr(np, numpy_name or name)
    for name, numpy_name in {
        "add": "", "sub": "subtract", "mul": "multiply", "div": "true_divide", "neg": "negative", "square": "",
        "reciprocal": "", "sqrt": "", "abs": "absolute", "fmod": "", "remainder": "", "hypot": "", "exp": "", "exp2": "",
        "expm1": "", "log": "", "log2": "", "log10": "", "log1p": "", "logaddexp": "", "sin": "", "cos": "", "tan": "",
        "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "sinh": "", "cosh": "", "tanh": "",
        "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "maximum": "", "minimum": "", "sign": "",
        "floor": "", "ceil": "", "round": "rint", "trunc": "", "lt": "less", "le": "less_equal", "gt": "greater",
        "ge": "greater_equal", "eq": "equal", "ne": "not_equal", "where": "",
    }.items()
}  # fmt: skip
LARGE = 1 << 15  # elements from which a backend may have another kernel (several threads)
definitions: dict[str, Any] = {}  # filled by Op: name -> forward(F, *arrays, **attrs), or a formula to compile to one


def definition(name: str) -> Callable[..., Any]:
    """The declared ``forward(F, *arrays, **attrs)`` of an op."""
    forward = definitions[name]
    if hasattr(forward, "compile"):  # a formula
        forward = definitions[name] = forward.compile()
    return forward


def defines(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: ``forward(F, ...)`` is the definition of the kernel of its name, which is no op (an optimizer's step)."""
    definitions[forward.__name__] = forward
    return forward


def nonzero_divisor(op: str, y: Any) -> Any:
    """``y``; raises RuntimeError if it is integer and has a 0, where numpy would answer 0."""
    if y.dtype.kind in "iu" and not y.all():
        raise RuntimeError(message("ZeroDivisionError", f"{op}: the divisor, an integer, is 0", fix="x.float() gives inf and nan"))
    return y


class Reference:
    """numpy kernels by op name, on one kind of memory: numpy arrays."""

    name = "reference"
    device = CPU
    by_dtype: ClassVar[dict[Any, Reference]] = {}  # dtype -> the backend for its arrays ...
    rest: ClassVar[Reference]  # ... and the one for all other dtypes

    def __init__(self, dtype: Any = None):
        self.dtype = dtype  # of its arrays; None: any

    def of(self, dtype: Any) -> Reference:
        """The backend for arrays of ``dtype`` on this memory.

        There is one for float32, one for float64, and one for everything else. Two nodes with the same ``dev`` thus agree in
        device *and* dtype, so that the hot path of an op compares one pair of objects.
        """
        return self.by_dtype.get(dtype, self.rest)

    memory: ClassVar[type] = np.ndarray
    empty, zeros, full = staticmethod(np.empty), staticmethod(np.zeros), staticmethod(np.full)
    draws = generator  # the functions that make random arrays
    array = staticmethod(np.asarray)  # what makes a numpy scalar (the result of a 0-d ufunc) an array again

    def __getattr__(self, name: str) -> Any:
        kernel = UFUNCS.get(name)
        if kernel is None:
            if name not in definitions:
                raise AttributeError(f"the {self.name} backend has no kernel '{name}'")
            kernel = MethodType(definition(name), self)
        setattr(self, name, kernel)
        return kernel

    def choose(self, kernels: type[Reference]) -> None:
        """Take the kernels from ``kernels`` (Reference or a subclass) from now on. Every op forgets what it looked up."""
        dtype = self.dtype
        self.__dict__.clear()
        self.__class__ = kernels
        self.dtype = dtype
        for table in KernelTable.all:
            table.pop(self, None)

    def large(self, name: str) -> Callable[..., Any]:
        """The kernel of an op for large arrays, where a backend has another one for them."""
        return getattr(self, name)

    @staticmethod
    def pow(x: Any, y: Any) -> Any:
        """x ** y. numpy's general power is 20 times slower than the products that small exponents stand for."""
        if np.ndim(y) == 0:
            exponent = y if type(y) in (int, float) else y.item()
            if exponent == 2:
                return np.square(x)
            if exponent == 1:
                return x.copy()
            if exponent == 3:
                return x * x * x
            if exponent == 0.5 and x.dtype.kind == "f":
                return np.sqrt(x)
            if exponent == -1 and x.dtype.kind == "f":
                return np.reciprocal(x)
        if x.dtype.kind in "iu" and np.any(np.less(y, 0)):
            raise RuntimeError(message("Integers to negative integer powers are not allowed.", fix="x.float() ** y"))
        return np.power(x, y)

    @staticmethod
    def remainder(x: Any, y: Any) -> Any:
        """x - floor(x / y) * y."""
        return np.remainder(x, nonzero_divisor("remainder", y))

    @staticmethod
    def fmod(x: Any, y: Any) -> Any:
        """x - trunc(x / y) * y."""
        return np.fmod(x, nonzero_divisor("fmod", y))

    @staticmethod
    def erf(x: Any) -> Any:
        """The error function. numpy has none, so it is the C library's, element by element."""
        return np.asarray(_erf(x)).astype(x.dtype)

    @staticmethod
    def erfc(x: Any) -> Any:
        return np.asarray(_erfc(x)).astype(x.dtype)


_erf, _erfc = np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1)


class KernelTable(dict[Any, Callable[..., Any]]):
    """Backend -> kernel of one op. A dict, because the lookup stands in the hot path; filled on first use."""

    all: ClassVar[list[KernelTable]] = []

    def __init__(self, name: str, large: bool = False):
        self.name, self.large = name, large
        KernelTable.all.append(self)

    def __missing__(self, backend: Any) -> Callable[..., Any]:
        kernel = self[backend] = backend.large(self.name) if self.large else getattr(backend, self.name)
        return kernel


class HotTable(KernelTable):
    """The kernels that elementwise methods call directly; None for a backend of mixed dtypes, which need promotion."""

    def __missing__(self, backend: Any) -> Any:
        if backend is backend.rest:
            self[backend] = None  # type: ignore[assignment]
            return None
        return super().__missing__(backend)
