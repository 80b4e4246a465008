"""The gradient of a table of which few rows were read: those rows, and which they are.

Backward carries it to the leaf in place of an array, where ``embedding(sparse=True)`` made it. What
adds an array to it, or wants to see it on the way, gets the whole table.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from ..base.types import Array, DType, Shape
    from ..handles.tensor import Tensor


class Rows:
    """``values`` (n, D) for the rows ``index`` (n,) of a table; a row may come several times."""

    __slots__ = ("index", "shape", "values")
    __array_ufunc__ = None  # array + rows asks the rows
    base = None  # as of an array that owns its memory
    # (rows, the gradient before) -> the leaf's gradient; entered by sparse.py
    tensor: ClassVar[Callable[[Rows, Any], Tensor]]

    def __init__(self, index: Array, values: Array, shape: Shape) -> None:
        self.index, self.values, self.shape = index, values, shape

    @property
    def dtype(self) -> DType:
        return self.values.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def dense(self) -> Array:
        """The whole table, 0 where no row is."""
        out = np.zeros(self.shape, self.dtype)
        np.add.at(out, self.index, self.values)
        return out

    def __array__(self, dtype: DType | None = None, copy: bool | None = None) -> Array:
        return self.dense()

    def __add__(self, other: Rows | Array) -> Any:
        if type(other) is not Rows:
            return self.dense() + other
        index = np.concatenate([self.index, other.index])
        return Rows(index, np.concatenate([self.values, other.values]), self.shape)

    __radd__ = __add__
