"""Diagonals and triangles of matrices."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import message
from ..engine.hot import single
from ..engine.op import Op
from .arguments import dim_of, rows
from .surface import METHODS, public


def _triangle(name: str, keep: Any) -> None:
    op = Op(
        name,
        lambda F, x, diagonal: rows(np.where(F.array(keep(x.shape, diagonal)), x, x.dtype.type(0))),
        vjps=(lambda F, g, out, x, diagonal: getattr(F, name)(g, diagonal=diagonal),),
        rule=(f"{name}(g)",),
    )

    def triangle(input: Any, diagonal: int = 0) -> Any:
        """The lower (tril) or upper (triu) triangle of the last two dimensions; elsewhere 0."""
        if input.array.ndim < 2:
            raise RuntimeError(message(f"{name}: input tensor must have at least 2 dimensions"))
        return single(op, input, {"diagonal": diagonal})

    triangle.__name__ = name
    public()(triangle)


def _diagonal(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    view = np.diagonal(x, offset, dim1, dim2)
    if type(view) is np.ndarray:
        # numpy hands it out read-only; PyTorch's diagonal can be written
        view.flags.writeable = x.flags.writeable
    return view


diagonal_op = Op(
    "diagonal",
    lambda F, x, offset, dim1, dim2: _diagonal(x, offset, dim1, dim2),
    vjps=(
        lambda F, g, out, x, offset, dim1, dim2: F.diagonal_scatter(
            g, shape=x.shape, offset=offset, dim1=dim1, dim2=dim2
        ),
    ),
    rule=("g on the diagonal, 0 elsewhere",),
    view=True,
)


def _diagonal_scatter(F: Any, g: Any, shape: Any, offset: int, dim1: int, dim2: int) -> Any:
    out = F.zeros(shape, g.dtype)
    _diagonal(out, offset, dim1, dim2)[...] = g
    return out


diagonal_scatter_op = Op(
    "diagonal_scatter",
    _diagonal_scatter,
    vjps=(
        lambda F, g, out, x, shape, offset, dim1, dim2: F.diagonal(
            g, offset=offset, dim1=dim1, dim2=dim2
        ),
    ),
    rule=("the diagonal of g",),
)


@public()
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A view of the diagonal of two dimensions, put last."""
    n = input.array.ndim
    first, second = dim_of(dim1, n, "diagonal"), dim_of(dim2, n, "diagonal")
    return single(diagonal_op, input, {"offset": offset, "dim1": first, "dim2": second})


@public()
def diag(input: Any, diagonal: int = 0) -> Any:
    """The diagonal of a matrix, or a matrix with the vector on its diagonal."""
    if input.array.ndim == 2:
        return METHODS["diagonal"](input, diagonal).clone()
    if input.array.ndim != 1:
        raise RuntimeError(message(f"diag(): Supports 1D or 2D tensors. Got {input.array.ndim}D"))
    n = input.array.size + abs(diagonal)
    return single(
        diagonal_scatter_op, input, {"shape": (n, n), "offset": diagonal, "dim1": 0, "dim2": 1}
    )


@public()
def trace(input: Any) -> Any:
    """The sum of a matrix's diagonal."""
    if input.array.ndim != 2:
        raise RuntimeError(
            message("trace: expected a matrix, but got tensor with dim " + str(input.array.ndim))
        )
    return METHODS["diagonal"](input).sum()
