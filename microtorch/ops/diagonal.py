"""Diagonals and triangles of matrices."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from ..base.naming import named
from ..engine.op import Op
from ..engine.short import single
from .arguments import dim_of, rows
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Shape
    from ..handles.tensor import Tensor


# ---- triangles -----------------------------------------------------------------------------------
def _triangle(name: str, part: str, kept: Callable[[Shape, int], Array]) -> None:
    """The op that keeps the elements where ``kept(shape, diagonal)`` is true, and its function."""
    op = Op(
        name,
        lambda F, x, diagonal: rows(np.where(F.array(kept(x.shape, diagonal)), x, x.dtype.type(0))),
        vjps=(lambda F, g, out, x, diagonal: getattr(F, name)(g, diagonal=diagonal),),
        rule=(f"{name}(g)",),
    )

    def triangle(input: Tensor, diagonal: int = 0) -> Tensor:
        if input.array.ndim < 2:
            raise RuntimeError(message(f"{name}: input tensor must have at least 2 dimensions"))
        return single(op, input, {"diagonal": diagonal}, diagonal)

    doc = f"The {part} triangle of the last two dimensions, with 0 elsewhere."
    public()(named(triangle, name, doc))


_triangle("tril", "lower", lambda shape, k: np.tri(shape[-2], shape[-1], k, bool))
_triangle("triu", "upper", lambda shape, k: ~np.tri(shape[-2], shape[-1], k - 1, bool))


# ---- diagonals -----------------------------------------------------------------------------------
def _diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    plain = type(x) is np.ndarray  # whose method takes less time
    view = (x.diagonal if plain else partial(np.diagonal, x))(offset, dim1, dim2)
    if type(view) is np.ndarray:
        # numpy hands it out read-only; PyTorch's diagonal can be written
        view.flags.writeable = x.flags.writeable
    return view


def _diagonal_backward(
    F: Namespace, g: Array, shape: Shape, offset: int, dim1: int, dim2: int
) -> Array:
    out: Array = F.zeros(shape, g.dtype)
    _diagonal(out, offset, dim1, dim2)[...] = g
    return out


diagonal_op = Op(
    "diagonal",
    lambda F, x, offset, dim1, dim2: _diagonal(x, offset, dim1, dim2),
    vjps=(lambda F, g, out, x, **place: F.diagonal_backward(g, shape=x.shape, **place),),
    rule=("g on the diagonal, 0 elsewhere",),
    view=True,
)
diagonal_backward_op = Op(
    "diagonal_backward",
    _diagonal_backward,
    vjps=(lambda F, g, out, x, shape, **place: F.diagonal(g, **place),),
    rule=("the diagonal of g",),
)


@public()
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonal of two dimensions, put last."""
    n = input.array.ndim
    first, second = _apart(dim1, dim2, n, "diagonal")
    return single(diagonal_op, input, {"offset": offset, "dim1": first, "dim2": second})


def _apart(dim1: int, dim2: int, ndim: int, name: str) -> tuple[int, int]:
    first, second = dim_of(dim1, ndim, name), dim_of(dim2, ndim, name)
    if first == second:
        raise RuntimeError(message(f"diagonal dimensions cannot be identical {dim1}, {dim2}"))
    return first, second


@public()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in two new dimensions, with the last dimension of ``input`` on their diagonal."""
    shape = input.array.shape
    first, second = _apart(dim1, dim2, len(shape) + 1, "diag_embed")
    n = (shape[-1] if shape else 1) + abs(offset)
    sizes = list(shape[:-1])
    for d in sorted((first, second)):
        sizes.insert(d, n)
    place = {"shape": tuple(sizes), "offset": offset, "dim1": first, "dim2": second}
    return single(diagonal_backward_op, input, place)


@public()
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with the vector on its diagonal."""
    if input.array.ndim == 2:
        return input.diagonal(diagonal).clone()
    if input.array.ndim != 1:
        raise RuntimeError(message(f"diag(): Supports 1D or 2D tensors. Got {input.array.ndim}D"))
    return diag_embed(input, diagonal)


def _trace(F: Namespace, x: Array) -> Array:
    if type(x) is np.ndarray:
        return np.add.reduce(x.diagonal(), dtype=np.int64 if x.dtype.kind in "biu" else None)
    return F.sum(_diagonal(x, 0, 0, 1), dim=(0,), keepdim=False)


def _trace_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand) -> Gradient:
    n = min(x.shape)
    each = F.expand(F.reshape(g, shape=(1,)), shape=(n,))
    return F.diagonal_backward(each, shape=x.shape, offset=0, dim1=0, dim2=1)


trace_op = Op(
    "trace",
    _trace,
    vjps=(_trace_vjp,),
    rule=("g on the diagonal, 0 elsewhere",),
)


@public()
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.array.ndim != 2:
        raise RuntimeError(
            message(f"trace: expected a matrix, but got tensor with dim {input.array.ndim}")
        )
    if input.array.dtype.kind in "biu" and type(input.array) is not np.ndarray:
        return input.diagonal().sum()  # sums of integers are wide
    return single(trace_op, input, {})
