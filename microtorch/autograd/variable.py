"""``torch.autograd.Variable``, from the time when a tensor had no gradient of its own."""
from __future__ import annotations

from ..base.errors import warn
from ..handles.tensor import Tensor


class _VariableMeta(type):
    """What is an instance of Variable: every Tensor. A call makes a Tensor on the same memory."""

    def __call__(
        cls, data: Tensor, requires_grad: bool = False, volatile: bool | None = None
    ) -> Tensor:
        if volatile is not None:
            warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
            )
        return data.detach().requires_grad_(requires_grad)

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_VariableMeta):
    """PyTorch's old name for a tensor with gradient: ``Variable(x)`` is a Tensor."""
