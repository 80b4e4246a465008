"""Parameter: a tensor that a module registers as its own and an optimizer changes.

It is a leaf of every graph it takes part in; what makes it special is only its type, which
`Module.__setattr__` looks at.
"""

from __future__ import annotations

from ..base.errors import describe, message
from ..create.filled import empty
from ..handles.tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor on the memory of `data`, requiring gradient unless told otherwise.

    RuntimeError if it shall require gradient and `data` is not floating point.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(
                message(
                    f"Parameter: data must be a Tensor, but got {describe(data)}",
                    fix="torch.nn.Parameter(torch.tensor(data))",
                )
            )
        plain = data.detach()
        self.array, self.origin, self.node = plain.array, None, plain.node  # the slots of a handle
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
