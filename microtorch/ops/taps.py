"""Weighted sums of a few elements along one dimension, at places that are known before.

    taps(x, index, weight, 0)[j] = Σ weight[t, j] · x[index[t, j]]    over t

Images are made larger and smaller by it. Reading so and adding up there are each other's
derivative.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.op import Op

if TYPE_CHECKING:
    from ..base.types import Array, Namespace, Operand, Shape


def _each(F: Namespace, x: Operand, index: Array, weight: Array, dim: int) -> Operand:
    """For each tap, the place that it reads and its weights, lined up with ``x``."""
    lead = (slice(None),) * dim
    along = [-1 if d == dim else 1 for d in range(len(x.shape))]
    for i, w in zip(index, weight.astype(x.dtype), strict=True):
        yield (*lead, i), F.array(w.reshape(along))


def _taps(F: Namespace, x: Array, index: Array, weight: Array, dim: int) -> Array:
    total: Operand = None
    for place, w in _each(F, x, index, weight, dim):
        part = F.mul(F.getitem(x, index=place), w)
        total = part if total is None else F.add(total, part)
    return total


def _tapped(F: Namespace, g: Array, index: Array, weight: Array, dim: int, n: int) -> Array:
    shape: Shape = (*g.shape[:dim], n, *g.shape[dim + 1 :])
    total: Operand = None
    for place, w in _each(F, g, index, weight, dim):
        part = F.place(F.mul(g, w), index=place, shape=shape)
        total = part if total is None else F.add(total, part)
    return total


taps_op = Op(
    "taps",
    _taps,
    vjps=(
        lambda F, g, out, x, index, weight, dim: F.tapped(
            g, index=index, weight=weight, dim=dim, n=x.shape[dim]
        ),
    ),
    rule=("the weights times g, added where it was read",),
)
tapped_op = Op(
    "tapped",
    _tapped,
    vjps=(
        lambda F, g, out, x, index, weight, dim, n: F.taps(
            g, index=index, weight=weight, dim=dim
        ),
    ),
    rule=("the weighted sum of g",),
)
