"""Data types: PyTorch's names over numpy's types, and PyTorch's promotion rules.

Promotion differs from numpy's in one point that matters: an integer tensor never turns a float
tensor into float64. Types have a category (bool < integer < floating < complex); the highest
category among the operands wins; within it, operands with dimensions outrank 0-d tensors, which
outrank Python numbers (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc).

bfloat16 is the type of that name of the library ml_dtypes, which is imported when the type of its
arrays is first asked for. numpy counts it among the types of unknown kind, "V"; here that kind
means bfloat16 and nothing else, so ``kind in "fV"`` reads: is it floating?
"""
from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import DTypeError, message
from .memory_order import laid_out

if TYPE_CHECKING:
    from ..base.types import Array, DType, DTypeLike


class dtype:
    """A data type such as ``torch.float32``.

    ``numpy`` is the numpy type, ``itemsize`` its size in bytes.
    """

    __module__ = "microtorch"
    __slots__ = ("is_complex", "is_floating_point", "itemsize", "name", "numpy")

    def __init__(self, name: str):
        self.name = name
        self.numpy = np.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"
        self.is_complex = self.numpy.kind == "c"

    @property
    def is_signed(self) -> builtins.bool:
        return self.numpy.kind in "ifc"

    def to_real(self) -> dtype:
        """The dtype of the parts of complex numbers; of another dtype, itself."""
        return FROM_NUMPY[real_type(self.numpy)]

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this one; of integers, that of the default dtype."""
        return FROM_NUMPY[complex_type(self.numpy)]

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class _Bfloat16(dtype):
    """float32 with 8 significant bits instead of 24."""

    __slots__ = ()

    def __init__(self) -> None:
        self.name, self.itemsize = "bfloat16", 2
        self.is_floating_point, self.is_complex = True, False

    def __getattr__(self, name: str) -> DType:
        """``numpy``, when it is first asked for. ImportError where ml_dtypes is not installed."""
        if name != "numpy":
            raise AttributeError(f"'torch.dtype' object has no attribute '{name}'")
        try:
            import ml_dtypes
        except ImportError:
            raise ImportError(
                message("torch.bfloat16 needs ml_dtypes", fix="pip install ml_dtypes")
            ) from None
        self.numpy = d = np.dtype(ml_dtypes.bfloat16)
        FROM_NUMPY[d] = self
        _LIMITS[d] = (-_BFLOAT16["max"], _BFLOAT16["max"])
        for announce in on_bfloat16:
            announce(d)
        return d

    @property
    def is_signed(self) -> builtins.bool:
        return True

    def to_real(self) -> dtype:
        """Itself, without asking for ``numpy``."""
        return self


on_bfloat16: list[Callable[[DType], object]] = []  # who has tables of types, and adds it then
# what np.finfo says of other types; ml_dtypes.finfo rounds some of these to bfloat16
_BFLOAT16 = {
    "eps": 2.0**-7, "max": 2.0**128 - 2.0**120, "min": 2.0**120 - 2.0**128, "tiny": 2.0**-126,
    "smallest_normal": 2.0**-126, "resolution": 0.01,
}  # fmt: skip

bfloat16 = _Bfloat16()
float16 = half = dtype("float16")
float32 = float = dtype("float32")
float64 = double = dtype("float64")
int8 = dtype("int8")
int16 = short = dtype("int16")
int32 = int = dtype("int32")
int64 = long = dtype("int64")
uint8 = dtype("uint8")
bool = dtype("bool")
complex64 = cfloat = dtype("complex64")
complex128 = cdouble = dtype("complex128")

ALL = (
    bfloat16, float16, float32, float64, int8, int16, int32, int64, uint8, bool, complex64,
    complex128,
)  # fmt: skip
FROM_NUMPY: dict[DType, dtype] = {d.numpy: d for d in ALL if d is not bfloat16}
NAMES = (
    "float16", "half", "float32", "float", "float64", "double", "int8", "int16", "short", "int32",
    "int", "int64", "long", "uint8", "bool", "bfloat16", "complex64", "cfloat", "complex128",
    "cdouble",
)  # fmt: skip
_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2, "V": 2, "c": 3}

F16, F32, F64, I64, U8, BOOL = (
    d.numpy for d in (float16, float32, float64, int64, uint8, bool)
)
C64, C128 = complex64.numpy, complex128.numpy
OBJECT = np.dtype(object)  # arrays of Scalars: compared by identity, `== object` takes 0.3 us
# PyTorch's names in messages ("Long") and of the old constructors (torch.LongTensor)
TORCH_TYPES = {
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "bool": "Bool", "float32": "Float", "float64": "Double", "float16": "Half",
    "bfloat16": "BFloat16", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip
# what can be stored; unsigned types also take the negatives of what they hold
_LIMITS: dict[DType, tuple[Any, Any]] = {BOOL: (-math.inf, math.inf)}
for _d in (float16, float32, float64):
    _LIMITS[_d.numpy] = (-(_high := builtins.float(np.finfo(_d.numpy).max)), _high)
_LIMITS |= {C64: _LIMITS[F32], C128: _LIMITS[F64]}  # of each part
for _d in (int8, int16, int32, int64, uint8):
    _i = np.iinfo(_d.numpy)
    _LIMITS[_d.numpy] = (builtins.int(_i.min) or -builtins.int(_i.max), builtins.int(_i.max))
_default = float32


def get_default_dtype() -> dtype:
    """The floating dtype of new tensors made from Python floats (float32 unless set)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the floating dtype of tensors made from Python floats.

    Raises TypeError for a dtype that is not floating.
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(
            f"only floating-point types are supported as the default type, but got {d!r}"
        )
    _default = d


def default_numpy() -> DType:
    """numpy's type for the default dtype."""
    return _default.numpy


def complex_type(d: DType) -> DType:
    """numpy's type of complex numbers whose parts are of ``d``; the default one for integers.

    Raises TypeError for float16: there is no complex32.
    """
    d = F32 if d.kind == "V" else d if d.kind in "fc" else _default.numpy
    if d == float16.numpy:
        raise DTypeError(
            message("microtorch has no complex32, complex numbers of two halves", fix="x.float()")
        )
    return C64 if d in (F32, C64) else C128


def real_type(d: DType) -> DType:
    """numpy's type of the parts of complex numbers of ``d``; of another dtype, itself."""
    return {C64: F32, C128: F64}.get(d, d)


def real_parts(array: Array) -> Array:
    """The elements in a row; of complex ones the real and the imaginary part, one by one.

    A view of a contiguous array.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(real_type(flat.dtype)) if flat.dtype.kind == "c" else flat


def of(array: Array | np.generic) -> dtype:
    """The dtype of an array.

    Raises TypeError for a type that no tensor has (strings, objects, dates...).
    """
    try:
        return FROM_NUMPY[np.dtype(array.dtype)]
    except (KeyError, TypeError):
        if str(array.dtype) == "bfloat16" and bfloat16.numpy == array.dtype:
            return bfloat16
        raise unsupported(array.dtype) from None


def unsupported(d: Any) -> Exception:
    """The error for an array of a type that no tensor has."""
    if getattr(d, "isnative", True) is False:
        what = "given numpy array has byte order different from the native byte order. Conversion "
        return ValueError(
            message(
                f"{what}between byte orders is currently not supported.",
                fix="array.astype(array.dtype.newbyteorder('='))",
            )
        )
    return DTypeError(
        message(
            f"can't convert np.ndarray of type {d}.",
            "the supported types are: " + ", ".join(x.name for x in ALL),
            fix="convert the array first, for example array.astype('float32')",
        )
    )


def as_numpy(d: DTypeLike) -> DType:
    """numpy's type for what may be given as ``dtype=``: a dtype, or ``float``, ``int``, ``bool``,
    ``complex``.
    """
    if isinstance(d, dtype):
        return d.numpy
    if d is builtins.float:  # whatever the default dtype is, as in PyTorch
        return F64
    if d is builtins.int:
        return I64
    if d is builtins.bool:
        return BOOL
    if d is builtins.complex:
        return C128
    kind = d if isinstance(d, type) else type(d)
    given = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    raise DTypeError(
        message(f"dtype must be a torch.dtype, not {given}", fix="for example torch.float32")
    )


def of_number(value: Any) -> DType:
    """The dtype of a tensor made from one number of Python's, or of numpy's taken as one."""
    if type(value) is builtins.float:
        return _default.numpy
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, builtins.bool):
        return BOOL
    if isinstance(value, builtins.complex):
        return complex_type(_default.numpy)
    return I64 if isinstance(value, builtins.int) else _default.numpy


def promote(operands: Iterable[tuple[DType, builtins.int]]) -> DType:
    """The dtype that operands combine to, each given as (dtype, rank).

    The rank is 2 for a tensor with dimensions, 1 for a 0-d tensor, 0 for a number.
    """
    best: DType | None = None
    best_key = (-1, -1)
    operands = list(operands)
    for d, rank in operands:
        key = (_CATEGORY[d.kind], rank)
        if key > best_key:
            # a higher category wins with any rank; the same category at a higher rank wins too
            best, best_key = d, key
        elif key == best_key and best is not None:
            best = wider(best, d)
    assert best is not None
    if best.kind == "c":  # its parts are as wide as floats or complex numbers of the highest rank
        floating = [(F32 if d.kind == "V" else d, r) for d, r in operands if d.kind in "fVc"]
        top = max(rank for _, rank in floating)
        widest = np.result_type(*[d for d, rank in floating if rank == top])
        best = widest if widest.kind == "c" else complex_type(widest)
    return best


def wider(a: DType, b: DType) -> DType:
    """The smallest type that holds the values of both, which are of one category."""
    if a != b and {a.kind, b.kind} == {"f", "V"}:  # numpy does not know two types of 16 bits
        return F32 if F16 in (a, b) else max(a, b, key=lambda d: d.itemsize)
    return np.promote_types(a, b)


def converted(x: Array, d: DType) -> Array:
    """A copy of ``x`` in dtype ``d``; of complex numbers, real types take the real part.

    So the gradient of what was real and became complex is the real part of the complex gradient.
    float64 becomes a type of 16 bits by way of float32, as in PyTorch.
    """
    try:
        if x.dtype.kind == "c" and d.kind in "fiuV":
            x = x.real
        if d.itemsize == 2 and d.kind in "fV" and x.dtype == F64:
            x = x.astype(F32)
        return laid_out(x, d)
    except RuntimeWarning:  # see quiet.py
        with np.errstate(all="ignore"):
            return converted(x, d)


def fits(value: Any, d: DType) -> builtins.bool:
    """Can a number be stored in ``d``? Infinity and NaN fit in a floating type."""
    if isinstance(value, builtins.complex):
        return fits(value.real, d) and (d.kind == "c" or value.imag == 0) and fits(value.imag, d)
    low, high = _LIMITS[d]
    if d.kind == "u" and isinstance(value, builtins.float) and value < 0:
        return False  # negative integers wrap around, fractions do not
    inside = low <= value <= high
    return inside or (d.kind in "fcV" and (value != value or value in (math.inf, -math.inf)))


def largest(d: DType) -> Any:
    """The largest finite number of a type."""
    return _LIMITS[d][1]


def mantissa_bits(d: DType) -> builtins.int:
    """How many bits of a floating type's significand are stored."""
    return 7 if d.kind == "V" else np.finfo(d).nmant


def can_cast(source: DType, target: DType) -> builtins.bool:
    """May a result of ``source`` be stored in place in ``target``?

    Only upwards in category, as in PyTorch.
    """
    return _CATEGORY[source.kind] <= _CATEGORY[target.kind]


class _Limits:
    """What finfo and iinfo share: there is one object for each dtype, and nobody changes it."""

    bits: builtins.int
    dtype: str

    def __setattr__(self, name: str, value: object = None) -> None:
        what = f"attribute '{name}' of 'torch.{type(self).__name__}' objects is not writable"
        raise AttributeError(what)

    __delattr__ = __setattr__

    def __reduce__(self) -> builtins.str:
        raise TypeError(f"cannot pickle 'torch.{type(self).__name__}' object")

    @staticmethod
    def check(name: str, d: object) -> None:
        if not isinstance(d, dtype):
            raise TypeError(
                f"{name}(): argument 'type' (position 1) must be torch.dtype, not "
                f"{type(d).__name__}"
            )


def _floating_limits(d: dtype) -> dict[builtins.str, builtins.float]:
    if d is bfloat16:
        return _BFLOAT16
    info = np.finfo(d.numpy)
    limits = {field: builtins.float(getattr(info, field)) for field in _BFLOAT16}
    return limits | {"resolution": 10.0**-info.precision}


_FINFO: dict[dtype, finfo] = {}  # those that were asked for
_IINFO: dict[dtype, iinfo] = {}


class finfo(_Limits):
    """Limits of a floating dtype: ``bits eps max min tiny smallest_normal resolution dtype``."""

    eps: builtins.float
    max: builtins.float
    min: builtins.float
    tiny: builtins.float
    smallest_normal: builtins.float
    resolution: builtins.float

    def __new__(cls, type: dtype | None = None) -> finfo:
        d = _default if type is None else type
        if (known := _FINFO.get(d) if builtins.type(d) is dtype else None) is not None:
            return known
        cls.check("finfo", d)
        if not (d.is_floating_point or d.is_complex):
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{d}'"
            )
        if d.is_complex:  # the limits of their parts
            made = cls(d.to_real())
        else:
            made = object.__new__(cls)
            vars(made).update(_floating_limits(d), bits=8 * d.itemsize, dtype=d.name)
        _FINFO[d] = made
        return made

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo(_Limits):
    """Limits of an integer dtype: ``bits max min dtype``."""

    max: builtins.int
    min: builtins.int

    def __new__(cls, type: dtype) -> iinfo:
        d = type
        if (known := _IINFO.get(d) if builtins.type(d) is dtype else None) is not None:
            return known
        cls.check("iinfo", d)
        if d.is_floating_point or d.numpy.kind not in "iu":
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{d}'"
            )
        info = np.iinfo(d.numpy)
        made = _IINFO[d] = object.__new__(cls)
        vars(made).update(bits=info.bits, max=info.max, min=info.min, dtype=d.name)
        return made

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
