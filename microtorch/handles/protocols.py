"""What Python's syntax calls on a Tensor: operators, conversions, indices, iteration.

The operators are written here, each with what it means; ``hot`` puts a made function in its place,
which does the same in less time.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import errors
from ..engine.handle import Handle
from ..engine.hot import hot, single
from ..engine.operands import left_operand, offering
from ..engine.record import constant
from ..engine.registry import REGISTRY
from ..ops.surface import METHODS
from .methods import Methods

if TYPE_CHECKING:
    from ..base.types import Array, Index, TensorLike
    from .tensor import Tensor

ADD, SUB, MUL, DIV, POW = [REGISTRY[name] for name in ("add", "sub", "mul", "div", "pow")]
NEG, ABS, MATMUL = [REGISTRY[name] for name in ("neg", "abs", "matmul")]
REMAINDER, FLOOR_DIVIDE = [REGISTRY[name] for name in ("remainder", "floor_divide")]
FLOORED = offering(FLOOR_DIVIDE, "__floordiv__")
COMPARED = {
    name: offering(REGISTRY[name], f"__{name}__") for name in ("lt", "le", "gt", "ge", "eq", "ne")
}
LOGIC = {n: offering(REGISTRY[f"bitwise_{n}"], f"__{n}__") for n in ("and", "or", "xor")}
NOT = REGISTRY["bitwise_not"]
# tensor == what no tensor can be made of
NEVER_EQUAL = (type(None), str, tuple, list, dict, type)


class Protocols(Methods):
    """The base of Tensor, above its methods that are functions (methods.py)."""

    __slots__ = ()

    # ---- operators -------------------------------------------------------------------------------
    @hot(ADD)
    def __add__(self, other: TensorLike) -> Tensor:
        """self + other, with broadcasting."""
        return ADD(self, other)

    @hot(ADD, reflected=True)
    def __radd__(self, other: TensorLike) -> Tensor:
        return left_operand(ADD, other, self) + self

    @hot(SUB)
    def __sub__(self, other: TensorLike) -> Tensor:
        """self - other, with broadcasting."""
        return SUB(self, other)

    @hot(SUB, reflected=True)
    def __rsub__(self, other: TensorLike) -> Tensor:
        return left_operand(SUB, other, self) - self

    @hot(MUL)
    def __mul__(self, other: TensorLike) -> Tensor:
        """self * other elementwise, with broadcasting."""
        return MUL(self, other)

    @hot(MUL, reflected=True)
    def __rmul__(self, other: TensorLike) -> Tensor:
        return left_operand(MUL, other, self) * self

    @hot(DIV)
    def __truediv__(self, other: TensorLike) -> Tensor:
        """self / other, with broadcasting; integers give floats."""
        return DIV(self, other)

    @hot(DIV, reflected=True)
    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return left_operand(DIV, other, self) / self

    @hot(POW)
    def __pow__(self, other: TensorLike) -> Tensor:
        """self ** other, with broadcasting."""
        return POW(self, other)

    @hot(POW, reflected=True)
    def __rpow__(self, other: TensorLike) -> Tensor:
        return left_operand(POW, other, self) ** self

    @hot(REMAINDER)
    def __mod__(self, other: TensorLike) -> Tensor:
        """self - floor(self / other) * other: the sign is the divisor's."""
        return REMAINDER(self, other)

    @hot(REMAINDER, reflected=True)
    def __rmod__(self, other: TensorLike) -> Tensor:
        return left_operand(REMAINDER, other, self) % self

    def __floordiv__(self, other: TensorLike) -> Tensor:
        """floor(self / other)."""
        return FLOORED(self, other)

    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return left_operand(FLOOR_DIVIDE, other, self) // self

    @hot(MATMUL)
    def __matmul__(self, other: TensorLike) -> Tensor:
        """The matrix product; see ``torch.matmul``."""
        return MATMUL(self, other)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return left_operand(MATMUL, other, self) @ self

    @hot(NEG)
    def __neg__(self) -> Tensor:
        """-self."""
        return NEG(self)

    @hot(ABS)
    def __abs__(self) -> Tensor:
        """The absolute value."""
        return ABS(self)

    def __pos__(self) -> Tensor:
        return METHODS["positive"](self)

    def __round__(self, ndigits: int | None = 0) -> Tensor:
        return METHODS["round"](self, decimals=ndigits or 0)

    @hot(REGISTRY["lt"])
    def __lt__(self, other: object) -> Tensor:
        return COMPARED["lt"](self, other)

    @hot(REGISTRY["le"])
    def __le__(self, other: object) -> Tensor:
        return COMPARED["le"](self, other)

    @hot(REGISTRY["gt"])
    def __gt__(self, other: object) -> Tensor:
        return COMPARED["gt"](self, other)

    @hot(REGISTRY["ge"])
    def __ge__(self, other: object) -> Tensor:
        return COMPARED["ge"](self, other)

    @hot(REGISTRY["eq"])
    def __eq__(self, other: object) -> Any:
        """Elementwise; what no tensor can be made of is simply not equal."""
        return False if isinstance(other, NEVER_EQUAL) else COMPARED["eq"](self, other)

    @hot(REGISTRY["ne"])
    def __ne__(self, other: object) -> Any:
        return True if isinstance(other, NEVER_EQUAL) else COMPARED["ne"](self, other)

    @hot(REGISTRY["bitwise_and"])
    def __and__(self, other: TensorLike) -> Tensor:
        return LOGIC["and"](self, other)

    @hot(REGISTRY["bitwise_or"])
    def __or__(self, other: TensorLike) -> Tensor:
        return LOGIC["or"](self, other)

    @hot(REGISTRY["bitwise_xor"])
    def __xor__(self, other: TensorLike) -> Tensor:
        return LOGIC["xor"](self, other)

    def __invert__(self) -> Tensor:
        if self.array.dtype.kind not in "biu":
            what = "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
            raise TypeError(errors.message(what, f"~{errors.describe(self)}"))
        return single(NOT, self, {})

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    # ---- numbers, truth, elements ----------------------------------------------------------------
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __array_wrap__(
        self, array: Array, context: object = None, return_scalar: bool = False
    ) -> Tensor:
        """What numpy's functions make of a tensor is a tensor: np.sqrt(t), np.transpose(t, ...)."""
        array = np.asarray(array)
        if array.dtype.kind == "b":
            array = array.astype(np.uint8)  # as in PyTorch, where booleans came later
        return constant(array.copy() if min(array.strides, default=0) < 0 else array)

    def __float__(self) -> float:
        return float(_one_real(self, "double"))

    def __complex__(self) -> complex:
        return complex(_one(self))

    def __int__(self) -> int:
        return int(_one_real(self, "int64_t"))

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError(
                errors.message(
                    "only integer tensors of a single element can be converted to an index"
                )
            )
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            values = "more than one value" if self.array.size else "no values"
            raise RuntimeError(
                errors.message(
                    f"Boolean value of Tensor with {values} is ambiguous",
                    errors.describe(self),
                    fix="use .any() or .all()" if self.array.size else "",
                )
            )
        return bool(self.array)

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(METHODS["unbind"](self, 0))

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, (Handle, bool, int, float, complex, np.number)):
            raise RuntimeError(
                errors.message(
                    "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                    f"{type(value)}."
                )
            )
        return bool((self == value).any())

    def __delitem__(self, index: Index) -> None:
        raise TypeError("Tensor does not support deleting items")


def _one(t: Methods) -> Any:
    """The one number of ``t``; ValueError where PyTorch's conversions to a number raise it."""
    if t.array.size != 1:
        raise ValueError(
            errors.message(
                "only one element tensors can be converted to Python scalars",
                errors.describe(t),
                fix=".tolist() for all elements, or reduce first: .mean()",
            )
        )
    return t.item()


def _one_real(t: Methods, kind: str) -> float:
    """The one number of ``t``; RuntimeError if it has an imaginary part."""
    value = _one(t)
    number: float = value.real
    if value.imag:
        raise RuntimeError(
            errors.message(
                f"value cannot be converted to type {kind} without overflow",
                f"the value is {value}",
                fix="complex(t), or abs(t)",
            )
        )
    return number
