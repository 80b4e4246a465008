"""Changes of shape as layers."""

from __future__ import annotations

from ...base.errors import message
from ...handles.tensor import Tensor
from ..module import Module


class Flatten(Module):
    """Dims start_dim to end_dim become one; the default keeps the batch dim."""

    _shown = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """Dim `dim` becomes dims of sizes `unflattened_size`, one of which may be -1."""

    _shown = ("dim", "unflattened_size")

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                message(
                    "unflattened_size must be a tuple of ints, but found type "
                    f"{type(unflattened_size).__name__}",
                    fix=f"({unflattened_size},)",
                )
            )
        for i, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    message(
                        "unflattened_size must be tuple of ints, but found element of type "
                        f"{type(size).__name__} at pos {i}"
                    )
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)
