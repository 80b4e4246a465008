"""Buffer: a tensor that a module registers as part of its state, though nobody trains it."""

from __future__ import annotations

from ..create.filled import empty
from ..handles.tensor import Tensor


class Buffer(Tensor):
    """A tensor on the memory of `data` that becomes a buffer where a module is assigned it.

    `self.mean = nn.Buffer(torch.zeros(3))` does what `self.register_buffer("mean", ...)` does.
    With `persistent=False` it is kept out of state_dict.
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        plain, self = empty(0) if data is None else data.detach(), object.__new__(cls)
        self.array, self.origin, self.node = plain.array, None, plain.node  # the slots of a handle
        self.requires_grad = data is not None and data.requires_grad
        self.persistent = persistent
        return self

    def __repr__(self) -> str:
        return repr(self.detach().requires_grad_(self.requires_grad))
