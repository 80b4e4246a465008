"""Sums and products of which an operand is sparse, each made of ops on places and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import dim_error, message
from ..create.data import from_numpy
from ..create.filled import zeros
from ..handles.tensor import Tensor
from ..ops.arguments import dims_of
from ..ops.surface import FUNCTIONS
from .coo import RULES, Dims, SparseTensor, check_alike

if TYPE_CHECKING:
    from ..base.types import Argument


def _times(x: Argument, y: Argument) -> SparseTensor:
    """Elementwise: where either is 0, the product is."""
    if not isinstance(x, SparseTensor):
        x, y = y, x
    if isinstance(y, SparseTensor):
        x, y = x.coalesce(), y.coalesce()
        check_alike("mul", x, y)
        one, two = x._numbers(), y._numbers()
        _, i, j = np.intersect1d(one, two, assume_unique=True, return_indices=True)
        return SparseTensor(x.places[:, i], x.stored[i] * y.stored[j], x.sizes, True)
    if isinstance(y, Tensor) and y.ndim:
        return x.of(x.stored * y.expand(x.sizes)[tuple(x.places)])
    return x.of(x.stored * y)


def _divided(x: Argument, y: Argument) -> Tensor:
    if isinstance(y, Tensor) and y.ndim:  # 0 / 0 would be NaN where nothing is stored
        raise RuntimeError(
            message(
                "Sparse division requires a scalar or zero-dim dense tensor divisor (got shape "
                f"{list(y.shape)} for divisor)",
                fix="x * (1 / y), for a y without 0",
            )
        )
    return x.of(x.stored / y)


def _plus(x: Argument, y: Argument) -> Tensor:
    if not isinstance(x, SparseTensor):
        return x + y.to_dense()
    if not isinstance(y, SparseTensor):
        raise RuntimeError(
            message(
                "add(sparse, dense) is not supported. Use add(dense, sparse) instead.",
                fix="dense + sparse",
            )
        )
    check_alike("add", x, y)
    where = FUNCTIONS["cat"]([x.places, y.places], 1)
    both = SparseTensor(where, FUNCTIONS["cat"]([x.stored, y.stored]), x.sizes)
    return both.coalesce() if x.sorted and y.sorted else both


def _product(x: Argument, y: Argument) -> Tensor:
    """A matrix product of which one operand is sparse, or both."""
    if x.ndim != 2 or y.ndim not in (1, 2) or x.shape[1] != y.shape[0]:
        raise RuntimeError(
            message(
                "mat1 and mat2 shapes cannot be multiplied "
                f"({'x'.join(map(str, x.shape))} and {'x'.join(map(str, y.shape))})",
                "a product of a sparse matrix with a matrix or a vector",
            )
        )
    if x.dtype != y.dtype:
        raise RuntimeError(
            message(
                f"expected m1 and m2 to have the same dtype, but got: {x.dtype} != {y.dtype}",
                fix="convert one: x.to(y.dtype)",
            )
        )
    if not isinstance(x, SparseTensor):
        return _product(y.t(), x.t()).t()
    rows, columns = x.places
    if isinstance(y, SparseTensor):
        return _both_sparse(x, y.coalesce())
    taken = y[columns]  # the row of y that each element of x meets
    parts = x.stored * taken if y.ndim == 1 else x.stored[:, None] * taken
    return zeros(x.sizes[0], *y.shape[1:], dtype=x.dtype).index_add(0, rows, parts)


def _layer(x: Argument, weight: Argument, bias: Argument = None) -> Tensor:
    made = _product(x, weight.t())
    return made if bias is None else made + bias


def _both_sparse(x: SparseTensor, y: SparseTensor) -> SparseTensor:
    """Each element (i, k) of x meets all elements (k, j) of y, which lie side by side."""
    of_y = y.places[0].numpy()
    k = x.places[1].numpy()
    first, last = np.searchsorted(of_y, k), np.searchsorted(of_y, k, side="right")
    count = last - first
    mine = np.repeat(np.arange(len(k)), count)
    theirs = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    where = np.stack([x.places[0].numpy()[mine], y.places[1].numpy()[theirs]])
    values = x.stored[mine] * y.stored[theirs]
    return SparseTensor(from_numpy(where), values, (x.sizes[0], y.sizes[1])).coalesce()


def _sum(x: SparseTensor, dim: Dims, keepdim: bool = False) -> Tensor:
    gone = dims_of(dim, x.ndim, "sum") or tuple(range(x.ndim))
    first = x.sparse_dim()
    dense = [d - first + 1 for d in gone if d >= first]
    values = x.stored.sum(dense, keepdim=keepdim) if dense else x.stored
    sizes = [1 if d in gone else n for d, n in enumerate(x.sizes) if keepdim or d not in gone]
    kept = [d for d in range(first) if d not in gone]
    if not kept:
        return values.sum(0).reshape(sizes)
    places = x.places[kept]
    if keepdim:
        places = x.places.clone()
        places[[d for d in gone if d < first]] = 0
    return SparseTensor(places, values, sizes).coalesce()


def _joined(tensors: list[Tensor], dim: int, name: str) -> Tensor:
    """`cat` and `stack`: the places move along `dim`; of stored dimensions, the values do."""
    for i, x in enumerate(tensors):
        if not isinstance(x, SparseTensor):
            raise RuntimeError(
                message(
                    "Concatenating sparse tensors, but a dense tensor was found at position "
                    f"{i}.", fix="x.to_sparse(), or to_dense() of the others",
                )
            )
    xs = [x for x in tensors if isinstance(x, SparseTensor)]
    first, new = xs[0], name == "stack"
    if not -first.ndim - new <= dim < first.ndim + new:
        raise dim_error(dim, first.ndim + new, name)
    dim, n = dim % (first.ndim + new), first.sparse_dim()
    for i, x in enumerate(xs):
        like = [s for d, s in enumerate(x.sizes) if new or d != dim]
        if x.sparse_dim() != n or x.ndim != first.ndim or like != [
            s for d, s in enumerate(first.sizes) if new or d != dim
        ]:
            raise RuntimeError(
                message(
                    f"{name}: all tensors must have the same shape{'' if new else ' but for dim'}, "
                    f"and as many sparse dimensions: got {list(first.sizes)} at position 0 and "
                    f"{list(x.sizes)} at position {i}"
                )
            )
    cat = FUNCTIONS["cat"]
    if new and dim > n:  # between the stored dimensions: each has one more, of length 1
        xs = [
            SparseTensor(x.places, x.stored.unsqueeze(dim - n + 1),
                         (*x.sizes[:dim], 1, *x.sizes[dim:]))
            for x in xs
        ]  # fmt: skip
    elif new:
        xs = [
            SparseTensor(cat([x.places[:dim], x.places.new_zeros(1, x._nnz()), x.places[dim:]]),
                         x.stored, (*x.sizes[:dim], 1, *x.sizes[dim:]))
            for x in xs
        ]  # fmt: skip
    ends = np.cumsum([x.sizes[dim] for x in xs]).tolist()
    sizes = (*xs[0].sizes[:dim], ends[-1], *xs[0].sizes[dim + 1 :])
    places, values = [], []
    for x, end in zip(xs, ends, strict=True):
        before, where, d = end - x.sizes[dim], x.places, dim - x.sparse_dim() + 1
        if d <= 0:
            step = zeros(x.sparse_dim(), 1, dtype=where.dtype)
            step[dim] = before
            places.append(where + step)
            values.append(x.stored)
        else:
            shape = x.stored.shape
            around = [
                x.stored.new_zeros(*shape[:d], m, *shape[d + 1 :]) for m in (before, ends[-1] - end)
            ]
            places.append(where)
            values.append(cat([around[0], x.stored, around[1]], d))
    return SparseTensor(cat(places, 1), cat(values), sizes)


RULES |= {
    "joined": _joined,  # no op: of any number of tensors
    "sum": _sum,
    "mul": _times,
    "div": _divided,
    "add": _plus,
    "sub": lambda x, y: _plus(x, -y),
    "matmul": _product,
    "linear": _layer,
}
