"""Gather and scatter: elements read and written along one dimension, by an index tensor.

    gather(x, 0, index)[i, j] = x[index[i, j], j]

Reading at an index and adding up there are each other's derivative.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import describe, message
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.record import constant
from .arguments import dim_of, rows
from .index import Place, put, take
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Shape, TensorLike
    from ..handles.tensor import Tensor


def along(index: Array, dim: int) -> Place:
    """The numpy index of what ``gather(dim, index)`` reads: ``index`` along ``dim``.

    Along the other dimensions, each element stays at its own place.
    """
    if not index.ndim:
        return (index,)
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def _gather(F: Namespace, x: Array, index: Array, dim: int) -> Array:
    return rows(x[along(index, dim)]) if x.ndim else x.reshape(1)[index]


def _scatter_sum(F: Namespace, src: Array, index: Array, shape: Shape, dim: int) -> Array:
    out = np.zeros(shape, src.dtype)
    np.add.at(out, along(index, dim) if len(shape) else (), _used(src, index.shape))
    return out


def _scatter(F: Namespace, x: Array, index: Array, src: Array, dim: int) -> Array:
    used = _used(src, index.shape) if src.ndim else src
    return put(F, rows(x), used, along(index, dim))


def _used(src: Any, shape: Shape) -> Any:
    """The leading part of ``src`` that an index of ``shape`` reads."""
    return src if src.shape == shape else src[tuple(slice(n) for n in shape)]


gather_op = Op(
    "gather",
    _gather,
    vjps=(lambda F, g, out, x, index, dim: F.scatter_sum(g, index, shape=x.shape, dim=dim), None),
    saves=("y", ""),
    rule=("g, added where it was read",),
)
scatter_sum_op = Op(
    "scatter_sum",
    _scatter_sum,
    vjps=(lambda F, g, out, src, index, shape, dim: F.gather(g, index, dim=dim), None),
    saves=("y", ""),
    rule=("g, read at the index",),
)
scatter_op = Op(
    "scatter",
    _scatter,
    vjps=(
        lambda F, g, out, x, index, src, dim: F.scatter(g, index, F.zero(g), dim=dim),
        None,
        lambda F, g, out, x, index, src, dim: _to_source(F, F.gather(g, index, dim=dim), src),
    ),
    saves=("y", "", "y"),
    rule=("g, 0 where overwritten", None, "g at the index"),
)


def _to_source(F: Namespace, g: Gradient, src: Operand) -> Gradient:
    """A gradient for the part of ``src`` that was used, laid into zeros of its shape."""
    if not src.shape or g.shape == src.shape:
        return g
    return F.place(g, index=tuple(slice(n) for n in g.shape), shape=src.shape)


def _check_index(name: str, x: Tensor, dim: int, index: Tensor) -> int:
    """``dim`` in [0, ndim). Raises RuntimeError for an index that ``x`` cannot take along it."""
    if not hasattr(index, "node") or index.array.dtype != np.int64:
        raise RuntimeError(
            message(
                f"{name}(): Expected dtype int64 for index",
                f"got {describe(index)}",
                fix="index.long()",
            )
        )
    d = dim_of(dim, x.array.ndim, name)
    i = index.array
    if i.ndim != x.array.ndim and i.ndim and x.array.ndim:
        raise RuntimeError(
            message(
                "Index tensor must have the same number of dimensions as input tensor",
                f"{name}: input {describe(x)}, index {describe(index)}",
            )
        )
    n = x.array.shape[d] if x.array.ndim else 1
    if i.size and not (int(i.min()) >= 0 and int(i.max()) < n):
        raise RuntimeError(
            message(
                f"index {int(i.max()) if int(i.max()) >= n else int(i.min())} is out of bounds for "
                f"dimension {d} with size {n}",
                f"{name}: input {describe(x)}, index {describe(index)}",
            )
        )
    return d


@public()
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i, j] = input[index[i, j], j] for dim 0, and so on; ``index``: int64 of the same rank."""
    d = _check_index("gather", input, dim, index)
    return apply(gather_op, (input, index), {"dim": d})


@public()
def scatter(input: Tensor, dim: int, index: Tensor, src: TensorLike) -> Tensor:
    """A copy of ``input`` with ``src`` (tensor or number) written at ``index`` along ``dim``."""
    d = _check_index("scatter", input, dim, index)
    if not hasattr(src, "node"):
        src = constant(np.asarray(src, input.array.dtype), input.node.dev)
    return apply(scatter_op, (input, index, src), {"dim": d})


@public()
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``."""
    d = _check_index("scatter_add", input, dim, index)
    if index.array.shape != src.array.shape:
        src = src[tuple(slice(n) for n in index.array.shape)]
    attrs = {"shape": input.array.shape, "dim": d}
    return input + apply(scatter_sum_op, (src, index), attrs)


@public()
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """numpy's take_along_axis."""
    if dim is None:
        return take(input, indices.reshape(-1))
    return gather(input, dim, indices)
