"""A tensor's shape."""
from __future__ import annotations

from typing import Any

import numpy as np


class Size(tuple[int, ...]):
    """A tensor's shape: a tuple that prints as PyTorch's and knows its product."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this size."""
        return int(np.prod(self, dtype=np.int64))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, i: Any) -> Any:
        out = tuple.__getitem__(self, i)
        return Size(out) if isinstance(i, slice) else out

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + tuple(other))
