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
from ..engine.operands import left_operand, offered
from ..engine.operators import hot
from ..engine.record import constant, laid
from ..engine.registry import REGISTRY
from ..engine.short import single
from ..graph import mode
from ..ops.surface import METHODS
from .methods import Methods

if TYPE_CHECKING:
    from ..base.types import Array, Index, TensorLike
    from .tensor import Tensor

ONE = "x.item() is its one number"
# tensor == what no tensor can be made of
NEVER_EQUAL = (type(None), str, tuple, list, dict, type)


class Protocols(Methods):
    """The base of Tensor, above its methods that are functions (methods.py)."""

    __slots__ = ()

    # ---- operators -------------------------------------------------------------------------------
    @hot("add")
    def __add__(self, other: TensorLike) -> Tensor:
        """self + other, with broadcasting."""
        return REGISTRY["add"](self, other)

    @hot("add", reflected=True)
    def __radd__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["add"], other, self) + self

    @hot("sub")
    def __sub__(self, other: TensorLike) -> Tensor:
        """self - other, with broadcasting."""
        return REGISTRY["sub"](self, other)

    @hot("sub", reflected=True)
    def __rsub__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["sub"], other, self) - self

    @hot("mul")
    def __mul__(self, other: TensorLike) -> Tensor:
        """self * other elementwise, with broadcasting."""
        return REGISTRY["mul"](self, other)

    @hot("mul", reflected=True)
    def __rmul__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["mul"], other, self) * self

    @hot("div")
    def __truediv__(self, other: TensorLike) -> Tensor:
        """self / other, with broadcasting; integers give floats."""
        return REGISTRY["div"](self, other)

    @hot("div", reflected=True)
    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["div"], other, self) / self

    @hot("pow")
    def __pow__(self, other: TensorLike) -> Tensor:
        """self ** other, with broadcasting."""
        return REGISTRY["pow"](self, other)

    def __rpow__(self, other: TensorLike) -> Tensor:
        """other ** self; powers of a number lie in rows."""
        out = left_operand(REGISTRY["pow"], other, self) ** self
        if out.node.storage is None or isinstance(other, Handle):  # a turned one has a storage
            return out
        return laid(out)

    @hot("remainder")
    def __mod__(self, other: TensorLike) -> Tensor:
        """self - floor(self / other) * other: the sign is the divisor's."""
        return REGISTRY["remainder"](self, other)

    @hot("remainder", reflected=True)
    def __rmod__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["remainder"], other, self) % self

    @hot("floor_divide")
    def __floordiv__(self, other: TensorLike) -> Tensor:
        """floor(self / other)."""
        return REGISTRY["floor_divide"](self, other)

    @hot("floor_divide", reflected=True)
    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["floor_divide"], other, self) // self

    @hot("matmul")
    def __matmul__(self, other: TensorLike) -> Tensor:
        """The matrix product; see ``torch.matmul``."""
        return REGISTRY["matmul"](self, other)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return left_operand(REGISTRY["matmul"], other, self) @ self

    @hot("neg")
    def __neg__(self) -> Tensor:
        """-self."""
        return REGISTRY["neg"](self)

    @hot("abs")
    def __abs__(self) -> Tensor:
        """The absolute value."""
        return REGISTRY["abs"](self)

    def __pos__(self) -> Tensor:
        return METHODS["positive"](self)

    def __round__(self, ndigits: int | None = 0) -> Tensor:
        return METHODS["round"](self, decimals=ndigits or 0)

    @hot("lt")
    def __lt__(self, other: object) -> Tensor:
        return offered("lt", "__lt__")(self, other)

    @hot("le")
    def __le__(self, other: object) -> Tensor:
        return offered("le", "__le__")(self, other)

    @hot("gt")
    def __gt__(self, other: object) -> Tensor:
        return offered("gt", "__gt__")(self, other)

    @hot("ge")
    def __ge__(self, other: object) -> Tensor:
        return offered("ge", "__ge__")(self, other)

    @hot("eq")
    def __eq__(self, other: object) -> Any:
        """Elementwise; what no tensor can be made of is not equal (NEVER_EQUAL: the usual ones)."""
        return False if isinstance(other, NEVER_EQUAL) else offered("eq", "__eq__")(self, other)

    @hot("ne")
    def __ne__(self, other: object) -> Any:
        return True if isinstance(other, NEVER_EQUAL) else offered("ne", "__ne__")(self, other)

    @hot("bitwise_and")
    def __and__(self, other: TensorLike) -> Tensor:
        return offered("bitwise_and", "__and__")(self, other)

    @hot("bitwise_or")
    def __or__(self, other: TensorLike) -> Tensor:
        return offered("bitwise_or", "__or__")(self, other)

    @hot("bitwise_xor")
    def __xor__(self, other: TensorLike) -> Tensor:
        return offered("bitwise_xor", "__xor__")(self, other)

    def __invert__(self) -> Tensor:
        if self.array.dtype.kind not in "biu":
            what = "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
            raise TypeError(errors.message(what, f"~{errors.describe(self)}"))
        return single(REGISTRY["bitwise_not"], self, {})

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
        value = float(_one_real(self, "double"))
        warn_of_a_number(self)
        return value

    def __complex__(self) -> complex:
        value = complex(_one(self))
        warn_of_a_number(self)
        return value

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
            values, fix = "no values", ""
            if self.array.size:
                values, fix = "more than one value", "x.any() or x.all(); & and | join masks"
            raise RuntimeError(
                errors.message(
                    f"Boolean value of Tensor with {values} is ambiguous",
                    errors.describe(self),
                    fix=fix,
                )
            )
        return bool(self.array)

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError(errors.message("len() of a 0-d tensor", fix=ONE))
        return self.array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError(errors.message("iteration over a 0-d tensor", fix=ONE))
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


def warn_of_a_number(t: Methods) -> None:
    """Warn where a number is made of a tensor that requires gradient, which ends there.

    Not of ``item()`` and ``int()``, which nobody takes for a step of the graph, nor where no
    gradient is recorded, as in an optimizer's step.
    """
    if t.node.needs and mode.get().grad:
        errors.warn(
            "Converting a tensor with requires_grad=True to a scalar may lead to unexpected "
            "behavior.\nConsider using tensor.detach() first."
        )


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
