"""Norms of vectors and of matrices, and the condition number."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..base.errors import describe, message
from ..ops.arguments import dims_of, owned
from ..ops.vector_norm import in_dtype
from ..ops.vector_norm import norm as norm_of
from .checks import floating, matrices, square
from .solving import inv_ex
from .spectra import svdvals

if TYPE_CHECKING:
    from ..arrays.dtypes import dtype as DTypeName
    from ..base.types import Dims, Number
    from ..handles.tensor import Tensor


def vector_norm(
    x: Tensor, ord: Number = 2, dim: Dims = None, keepdim: bool = False,
    *, dtype: DTypeName | None = None,
) -> Tensor:  # fmt: skip
    """The norm (Σ |x|**ord) ** (1/ord) of the elements over ``dim`` (all if None)."""
    if isinstance(ord, complex):
        raise RuntimeError(
            message("linalg.vector_norm: Expected a non-complex scalar as the order of norm.")
        )
    if isinstance(ord, str):
        raise TypeError(
            message("linalg_vector_norm(): argument 'ord' (position 2) must be Number, not str",
                    fix=f"torch.linalg.matrix_norm(x, {ord!r})")
        )
    return norm_of(in_dtype("vector_norm", x, dtype), ord, dim, keepdim)


def matrix_norm(
    A: Tensor, ord: Number | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False,
    *, dtype: DTypeName | None = None,
) -> Tensor:  # fmt: skip
    """A norm of matrices.

    "fro" (the root of the sum of squares), "nuc" (the sum of the singular values), 2 and -2 (the
    largest and the smallest of them), 1 and -1 (the largest and the smallest column sum), inf and
    -inf (the same of rows).
    """
    matrices("matrix_norm", A)
    if isinstance(dim, int) or len(dim) != 2:
        raise RuntimeError(message("linalg.matrix_norm: dim must be a 2-tuple", f"dim={dim}"))
    A = in_dtype("matrix_norm", A, dtype)
    row, column = dims_of(tuple(dim), A.array.ndim, "linalg.matrix_norm")
    if ord == "fro":
        return norm_of(A, 2, (row, column), keepdim)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(
            message(
                f"linalg.matrix_norm: Order {ord} not supported.",
                fix="'fro', 'nuc', 1, -1, 2, -2, inf or -inf",
            )
        )
    if A.array.dtype.kind not in "fV" or ord in ("nuc", 2, -2):
        floating("matrix_norm", A)
    if ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((row, column), (-2, -1)))
        empty = ord == 2 and not values.array.shape[-1]  # nothing is larger than 0
        out = (
            values.sum(-1) if ord == "nuc" or empty
            else values.amax(-1) if ord == 2 else values.amin(-1)
        )  # fmt: skip
        for d in sorted((row, column)) if keepdim else ():
            out = out.unsqueeze(d)
        return out
    assert not isinstance(ord, str)
    along, over = (row, column) if abs(ord) == 1 else (column, row)
    sums = A.abs().sum(along, keepdim=True)
    if ord > 0 and not sums.array.shape[over]:
        out = sums.sum(over, keepdim=True)
    else:
        out = sums.amax(over, True) if ord > 0 else sums.amin(over, True)
    return out if keepdim else owned(out.squeeze((row, column)))


def norm(
    A: Tensor, ord: Number | str | None = None, dim: Dims = None, keepdim: bool = False,
    *, dtype: DTypeName | None = None,
) -> Tensor:  # fmt: skip
    """The matrix norm if ``ord`` is given and ``dim`` names two dimensions, else the vector norm.

    Without ``ord`` it is the root of the sum of squares.
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A.array.ndim not in (1, 2):
        raise RuntimeError(
            message(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{A.array.ndim}D.",
                describe(A),
            )
        )
    two = A.array.ndim == 2 if dim is None else isinstance(dim, Sequence) and len(dim) == 2
    if isinstance(ord, str) or two:
        dims = (-2, -1) if dim is None else (dim,) if isinstance(dim, int) else dim
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    if isinstance(dim, Sequence) and len(dim) > 2:
        raise RuntimeError(
            message(
                "linalg.norm: If dim is specified, it must be of length 1 or 2. Got "
                f"{tuple(dim)}",
                describe(A),
                fix="torch.linalg.vector_norm takes any number of dimensions",
            )
        )
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


# ---- the condition number ------------------------------------------------------------------------
def cond(A: Tensor, p: Number | str | None = None) -> Tensor:
    """‖A‖ ‖A⁻¹‖ in the norm ``p`` (2 if None): how much a solution magnifies errors.

    It is inf for a singular matrix.
    """
    matrices("cond", A)
    if 0 in A.array.shape[-2:]:
        return A.abs().sum((-2, -1))
    if p in (None, 2, -2):
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    if p not in ("fro", "nuc", 1, -1, math.inf, -math.inf):
        raise RuntimeError(message(f"linalg.cond got an invalid norm type: {p}"))
    square(f"cond(ord={p})", A)
    inverse, info = inv_ex(A)
    if not info.array.any():
        return matrix_norm(A, p) * matrix_norm(inverse, p)
    inverse = inverse.masked_fill((info != 0)[..., None, None], 0.0)
    return (matrix_norm(A, p) * matrix_norm(inverse, p)).masked_fill(info != 0, math.inf)
