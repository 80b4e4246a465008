"""Norms of vectors and of matrices."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..base.errors import message
from ..ops.surface import METHODS

if TYPE_CHECKING:
    from ..base.types import Dims, Number
    from ..handles.tensor import Tensor


def vector_norm(x: Tensor, ord: Number = 2, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The norm (Σ |x|**ord) ** (1/ord) of the elements over ``dim`` (all if None)."""
    return METHODS["norm"](x, ord, dim, keepdim)


def matrix_norm(
    A: Tensor, ord: Number | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False
) -> Tensor:
    """A norm of matrices: "fro" (the root of the sum of squares), 1 and -1 (the largest and the
    smallest column sum), inf and -inf (the same of rows).
    """
    if ord == "fro":
        return METHODS["norm"](A, 2, dim, keepdim)
    if isinstance(ord, str) or ord not in (1, -1, float("inf"), float("-inf")):
        raise NotImplementedError(
            message(
                f"linalg.matrix_norm: ord={ord!r} is not in microtorch",
                fix="'fro', 1, -1, inf or -inf",
            )
        )
    row, column = (d % A.array.ndim for d in dim)
    along, over = (row, column) if abs(ord) == 1 else (column, row)
    sums = A.abs().sum(along, keepdim=True)
    out = sums.amax(over, True) if ord > 0 else sums.amin(over, True)
    return out if keepdim else out.squeeze((row, column))


def norm(
    A: Tensor, ord: Number | str | None = None, dim: Dims = None, keepdim: bool = False
) -> Tensor:
    """The matrix norm if ``ord`` is given and ``dim`` names two dimensions, else the vector norm.

    Without ``ord`` it is the root of the sum of squares.
    """
    if ord is None:
        return METHODS["norm"](A, 2, dim, keepdim)
    two = A.array.ndim == 2 if dim is None else isinstance(dim, Sequence) and len(dim) == 2
    if isinstance(ord, str) or two:
        dims = (-2, -1) if dim is None else (dim,) if isinstance(dim, int) else dim
        return matrix_norm(A, ord, dims, keepdim)
    return vector_norm(A, ord, dim, keepdim)
