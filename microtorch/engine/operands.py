"""What a user gave, as Tensors: numbers, arrays and Scalars join the tensors beside them."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..backends import cpu
from ..base import errors
from ..base.naming import named
from .promotion import EXACT
from .record import Number as NumberNode
from .record import constant, constant_node, handle
from .registry import REGISTRY

if TYPE_CHECKING:  # below handles/, what is a Tensor is known by its base class
    from ..base.types import AnyNumber, Argument, Array, DType, Number
    from ..handles.tensor import Tensor
    from ..handles.tensor import Tensor as Handle
    from .op import Op
else:
    from .handle import Handle

# complex numbers take the general way: the hot one knows constants by their value, and 2 == 2 + 0j
NUMBERS = frozenset({bool, int, float})
# ops that compute with numbers alone; all others take at least one tensor
NUMBERS_ONLY = frozenset("add sub mul div floor_divide div_floor div_trunc where".split())
SWAPPED = {"__eq__": "__eq__", "__ne__": "__ne__"} | {
    f"__{a}__": f"__{b}__" for a, b in (("lt", "gt"), ("gt", "lt"), ("le", "ge"), ("ge", "le"))
}
COERCE: dict[type, Callable[[Any], Tensor]] = {}  # other types that are operands (Scalar) -> Tensor
REPEATED = (list, tuple, str, bytes, bytearray)  # [0] * t: Python asks t.__index__ how often


def offering(op: Op, name: str) -> Callable[..., Tensor]:
    """``op`` as the operator method ``name``, which leaves an operand it cannot use to the other.

    Python asks that one's reflected method where this one returns NotImplemented; for == and != it
    then answers itself: no object equals another one.
    """
    equality = name in ("__eq__", "__ne__")
    reflected = SWAPPED.get(name) or f"__r{name[2:]}"

    def method(self: Tensor, other: object) -> Tensor:
        try:
            return op(self, other)
        except TypeError:
            kind = type(other)
            ours = kind in COERCE or isinstance(other, (Handle, np.ndarray, np.generic))
            foreign = kind.__module__ != "builtins" or kind is object
            if not ours and (equality or (foreign and hasattr(kind, reflected))):
                return NotImplemented
            if op.name == "mul" and isinstance(other, REPEATED):
                return NotImplemented
            raise  # with more words than Python has for it

    return named(method, name)


@cache
def offered(op: str, name: str) -> Callable[..., Tensor]:
    """``offering`` the op of a name."""
    return offering(REGISTRY[op], name)


def as_tensors(op: Op, inputs: Sequence[Any]) -> Sequence[Tensor]:
    """The inputs as Tensors. A number takes the dtype that promotion gives it beside them."""
    for x in inputs:
        if not isinstance(x, Handle):
            break
    else:
        return inputs
    given = [x for x in inputs[op.unpromoted :] if isinstance(x, Handle)]
    given += [x for x in inputs if isinstance(x, Handle)]
    like = given[0] if given else None
    return [x if isinstance(x, Handle) else as_tensor(op, x, like, inputs) for x in inputs]


def as_tensor(op: Op, x: Any, like: Tensor | None, inputs: Sequence[Any]) -> Tensor:
    """One operand as a Tensor on the device of ``like``. Raises TypeError if it cannot be one."""
    if isinstance(x, np.generic) and op.result != "match":
        x = x.item()  # a number of numpy's is a number, too: its dtype takes no part
    number = isinstance(x, (bool, int, float, complex)) and op.result != "match"
    if number and (like is not None or op.name in NUMBERS_ONLY):
        if op.name == "pow" and x is inputs[1] and like is not None:
            check_exponent(x, like)
        if op.name == "sub" and isinstance(x, bool):
            raise no_subtraction(op.name, inputs)
        make = numbers_of(op) if like is not None and type(x) in NUMBERS else weak_number
        return make(x, like, op.result == "float")
    if type(x) in COERCE:
        return COERCE[type(x)](x)
    if like is not None and (
        isinstance(x, (np.ndarray, np.generic)) or type(x) is like.node.dev.memory
    ):
        dtypes.of(x)
        return constant(x, like.node.dev)
    raise (errors.NoTensor if like is None else TypeError)(
        errors.message(
            f"{op.name}(): argument 'input' must be Tensor, not {type(x).__name__}"
            if like is None
            else f"unsupported operand for {op.name}: {type(x).__name__}",
            "operands: " + ", ".join(errors.describe(v) for v in inputs),
            fix=as_operand(x),
        )
    )


def as_operand(x: object) -> str:
    """How that which is no operand would become one."""
    if x is None:
        return "None is what a function without return gives, and .grad before backward()"
    if callable(x):
        return "call it: its result is a tensor"
    if isinstance(x, str):
        return "float(text) makes a number of a text"
    if isinstance(x, (tuple, list)) and any(isinstance(v, Handle) for v in x):
        return "take its parts: out, state = lstm(x); torch.stack joins tensors of one shape"
    return "torch.tensor(...) makes a tensor of numbers, lists and arrays"


# ---- Python numbers ------------------------------------------------------------------------------
def no_subtraction(name: str, operands: Sequence[Any]) -> Exception:
    """PyTorch has no subtraction of bools."""
    masks = sum(getattr(x, "dtype", type(x)) in (bool, dtypes.bool) for x in operands)
    which = "on a bool tensor" if name != "sub" else "with a bool tensor"
    instead = "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
    if name == "sub" and masks == 2:
        which, instead = "with two bool tensors", "Use the `^` or `logical_xor()` operator instead."
    what = f"{'Subtraction' if name == 'sub' else 'Negation'}, the `-` operator, {which} is not "
    what += f"supported. {instead}"
    return RuntimeError(
        errors.message(
            what,
            "operands: " + ", ".join(errors.describe(t) for t in operands),
            fix="~mask inverts a mask, a ^ b tells where they differ; or convert: mask.int()",
        )
    )


def taken_by(op: Op) -> frozenset[type]:
    """The numbers that an op takes as they are."""
    if op.result == "match":  # a product of matrices
        return frozenset()
    return NUMBERS - {bool} if op.name == "sub" else NUMBERS


def weak_number(value: AnyNumber, like: Tensor | None, floating: bool = False) -> Tensor:
    """A Python number as a 0-d constant: of like's dtype unless the number's category is higher.

    ``floating``: it is for an op whose result is floating. A number that does not fit in an integer
    type wraps around, as in PyTorch: ``uint8 + 300`` is ``uint8 + 44``.
    """
    d, dev, whole = dtypes.of_number(value), cpu, np.array(value)
    if whole.dtype.kind not in "biufc":  # from 2 ** 64 on
        raise OverflowError("int too big to convert")
    if like is not None:
        dev = like.node.dev
        d = dtypes.promote([(like.array.dtype, 2), (d, 0)])
        if floating and d.kind not in "fcV":
            d = dtypes.default_numpy()
        dev = dev.of(d)
    t = constant(dev.array(whole.astype(d)), dev)
    t.node.__class__ = NumberNode
    return t


C_TYPES = {
    "float16": "c10::Half", "float32": "float", "float64": "double", "int32": "int",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def element(value: AnyNumber, d: DType) -> Array:
    """A number to be stored, as an array of 0 dimensions. RuntimeError if it does not fit in ``d``.

    Negative numbers wrap around in unsigned types, as in PyTorch.
    """
    if type(value) is float and d is dtypes.F32 and -1e38 < value < 1e38:
        return np.array(value, d)  # the common case
    if type(value) is int and not -(2**63) <= value < 2**64:
        raise OverflowError("int too big to convert")
    if d.kind == "b" and isinstance(value, (int, float, complex)):
        return np.array(bool(value))
    if isinstance(value, complex) and d.kind != "c" and not value.imag:
        value = value.real
    if not dtypes.fits(value, d):
        raise RuntimeError(
            errors.message(
                f"value cannot be converted to type {C_TYPES.get(d.name, d.name + '_t')} without "
                f"overflow",
                f"the value is {value}",
            )
        )
    return np.array(value).astype(d)


def lone_element(value: AnyNumber, d: DType) -> Array:
    """``element`` as PyTorch makes it of one number alone, which may be infinite in 16 bits."""
    if d.itemsize > 2 or d.kind not in "fV" or (isinstance(value, complex) and value.imag):
        return element(value, d)
    with np.errstate(over="ignore"):
        return np.array(float(value.real)).astype(d)


_made: list[dict[Argument, dict[float | str, Tensor]]] = []


def kept_numbers() -> Iterator[Tensor]:
    """The constants that are kept for the next time."""
    return (t for made in _made for cache in made.values() for t in cache.values())


def _numbers(name: str, make: Callable[[Number, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A function that keeps the constants that it makes."""
    # constants made so far, per float backend, and per backend and dtype of whole numbers
    made: dict[Argument, dict[float | str, Tensor]] = {}
    _made.append(made)

    def number(value: Number, like: Tensor, floating: bool = False) -> Tensor:
        """A Python number beside a tensor, as a 0-d constant that is kept for the next time.

        Not a fraction beside whole numbers, or a number beside bools: it changes their dtype.
        """
        dev: Argument = like.node.dev
        cache = made.get(dev)
        if cache is None:
            key: Argument = dev
            if dev is dev.rest:
                key = dev, like.array.dtype
                whole = dev is cpu and type(value) is int and key[1].kind in "iu"
                if floating or not whole:
                    return weak_number(value, like, floating)
            cache = made.setdefault(key, {})
        known = value if value else str(value)  # -0.0 == 0.0
        t = cache.get(known)
        if t is None:
            if len(cache) > 1000:  # learning-rate schedules make ever new numbers
                cache.clear()
            t = cache[known] = make(value, like)
        return t

    return named(number, name)


def _exact(value: Number, like: Tensor) -> Tensor:
    """A number as it is beside a tensor of 16 bits, though its node counts as one of that type."""
    dev = like.node.dev
    if not dev.halves:
        return weak_number(value, like)
    whole = np.array(value).astype(dtypes.F32)
    node = constant_node(whole, dev)
    node.__class__ = NumberNode
    return handle(whole, node)


number = _numbers("number", weak_number)
exact_number = _numbers("exact_number", _exact)


def check_exponent(value: AnyNumber, like: Tensor) -> None:
    """Refuse a negative exponent of integers, which would wrap around where they are unsigned, and
    one that the base's dtype does not hold.
    """
    d = like.array.dtype
    if (d.itemsize == 2 and d.kind not in "iu" and not isinstance(value, complex)) or (
        d.kind in "iu" and type(value) is int and value >= 0
    ):
        element(value, d)
    if d.kind in "iub" and type(value) is int and value < 0:
        what = "Integers to negative integer powers are not allowed."
        raise RuntimeError(errors.message(what, fix="x.float() ** y"))


def exponent(value: Number, like: Tensor, floating: bool = False) -> Tensor:
    """An exponent as a 0-d constant."""
    check_exponent(value, like)
    return number(value, like, floating)


def numbers_of(op: Op) -> Callable[..., Tensor]:
    """The function that makes constants of the numbers that ``op`` is given."""
    return exact_number if op.name in EXACT else number


def left_operand(op: Op, value: Any, like: object) -> Tensor:
    """The left operand of ``2 * t`` as a Tensor: the graph keeps the order of the user's code."""
    if type(value) in taken_by(op):
        return numbers_of(op)(value, like, op.floating)
    return as_tensors(op, (value, like))[0]
