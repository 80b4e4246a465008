"""Distances between vectors: of two tensors, and of all pairs of rows."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import describe, message
from ..engine.op import Op
from ..engine.short import several, single
from .surface import METHODS, public

if TYPE_CHECKING:
    from ..base.types import Gradient, Namespace, Operand, Vjp
    from ..handles.tensor import Tensor
    from .index_parsing import Place


MODES = (
    "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist",
    "use_mm_for_euclid_dist_if_necessary",
)  # fmt: skip
LARGE = 1 << 24  # differences: 64 MB of float32


# ---- of all pairs --------------------------------------------------------------------------------
def shares(F: Namespace, g: Gradient, out: Operand) -> Gradient:
    """The gradient of each distance over the distance; 0 where that is 0, as in PyTorch."""
    zero = F.eq(out, 0)
    return F.where(zero, 0, g / F.where(zero, 1, out))


def _differences(F: Namespace, a: Operand, b: Operand) -> Operand:
    (*batch, n, k), m = a.shape, b.shape[-2]
    left, right = F.reshape(a, shape=(*batch, n, 1, k)), F.reshape(b, shape=(*batch, 1, m, k))
    return left - right


def _sum(F: Namespace, x: Operand, from_last: int) -> Operand:
    return F.sum(x, dim=(len(x.shape) - from_last,), keepdim=False)


def _cdist_vjps(side: int) -> Vjp:
    def vjp(F: Namespace, g: Gradient, out: Operand, a: Operand, b: Operand) -> Gradient:
        parts = F.reshape(shares(F, g, out), shape=(*out.shape, 1)) * _differences(F, a, b)
        return -_sum(F, parts, 3) if side else _sum(F, parts, 2)

    return vjp


cdist_op = Op(
    "cdist",
    lambda F, a, b: F.sqrt(_sum(F, F.square(_differences(F, a, b)), 1)),
    vjps=(_cdist_vjps(0), _cdist_vjps(1)),
    saves=("x y out", "x y out"),
    rule=("Σ g / out · (x − y), over all y", "Σ g / out · (y − x), over all x"),
    result="match",
)


def _pairs(n: int) -> tuple[Place, Place]:
    """The rows i < j of all pairs, as two indices."""
    i, j = np.triu_indices(n, 1)
    return (i,), (j,)


def _pdist(F: Namespace, x: Operand) -> Operand:
    i, j = _pairs(x.shape[0])
    return F.sqrt(_sum(F, F.square(F.getitem(x, index=i) - F.getitem(x, index=j)), 1))


def _pdist_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand) -> Gradient:
    i, j = _pairs(x.shape[0])
    difference = F.getitem(x, index=i) - F.getitem(x, index=j)
    parts = F.reshape(shares(F, g, out), shape=(*out.shape, 1)) * difference
    return F.place(parts, index=i, shape=x.shape) - F.place(parts, index=j, shape=x.shape)


pdist_op = Op(
    "pdist",
    _pdist,
    vjps=(_pdist_vjp,),
    saves=("x out",),
    rule=("Σ g / out · (x − y), over all other rows y",),
)


@public(method=False)
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norm distance of every row of ``x1`` (..., n, k) to every one of ``x2`` (..., m, k).

    For p = 2 the differences may take too much memory. Then ‖a‖² + ‖b‖² − 2 a·b is computed, in
    which close points lose digits. PyTorch does so from 26 rows on, microtorch from 16 million
    differences on. ``compute_mode`` can ask for it ("use_mm_for_euclid_dist") or forbid it
    ("donot_use_mm_for_euclid_dist").
    """
    if compute_mode not in MODES:
        raise ValueError(message(f"{compute_mode} is not a valid value for compute_mode"))
    for name, x in (("X1", x1), ("X2", x2)):
        if x.array.dtype.kind not in "fV":
            raise RuntimeError(
                message(
                    f"cdist only supports floating-point dtypes, {name} got: "
                    + TORCH_TYPES[x.array.dtype.name],
                    fix="x.float()",
                )
            )
        if x.array.ndim < 2:
            raise RuntimeError(
                message(f"cdist only supports at least 2D tensors, {name} got: {x.array.ndim}D")
            )
    a, b = x1.array, x2.array
    if a.dtype != b.dtype:
        kinds = TORCH_TYPES[a.dtype.name], TORCH_TYPES[b.dtype.name]
        raise RuntimeError(message(f"expected scalar type {kinds[0]} but found {kinds[1]}"))
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            message(
                "X1 and X2 must have the same number of columns. "
                f"X1: {a.shape[-1]} X2: {b.shape[-1]}",
                f"{describe(x1)}, {describe(x2)}",
            )
        )
    _not_negative("cdist", p)
    if p == 2 and a.shape[-1] and compute_mode != MODES[1]:
        if compute_mode == MODES[0] or a.size * b.shape[-2] > LARGE:
            return _by_products(x1, x2)
    if p == 2 and a.size and b.size and a.shape[:-2] == b.shape[:-2]:
        return several(cdist_op, (x1, x2))
    return _row_norms(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


def _by_products(x1: Tensor, x2: Tensor) -> Tensor:
    middle = x2.detach().mean(-2, keepdim=True)  # small numbers cancel less
    x1, x2 = x1 - middle, x2 - middle
    lengths = x1.square().sum(-1, True) + x2.square().sum(-1, True).mT
    squares = lengths - 2 * (x1 @ x2.mT)
    zero = squares <= 0
    return squares.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


@public(method=False)
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The distances of all pairs of rows i < j of a matrix, in order."""
    if input.array.ndim != 2:
        raise RuntimeError(
            message(f"pdist only supports 2D tensors, got: {input.array.ndim}D", describe(input))
        )
    if input.array.dtype.kind not in "fV":
        raise RuntimeError(message("pdist only supports floating-point dtypes", describe(input)))
    _not_negative("pdist", p)
    if p == 2 and input.array.size and len(input.array) > 1:
        return single(pdist_op, input, {})
    i, j = _pairs(len(input.array))
    return _row_norms(input[i] - input[j], p)


def _row_norms(difference: Tensor, p: float) -> Tensor:
    """The p-norms of the last dimension; of no elements it is 0.

    Zeros are masked, for there a power has no derivative. PyTorch takes the subgradient 0.
    """
    if not difference.array.size:
        return difference.sum(-1)
    if p in (1, 2, math.inf) or p < 0:
        return METHODS["norm"](difference, p, -1)
    zero = difference == 0
    powers = (difference.abs().masked_fill(zero, 1) ** p).masked_fill(zero, 0).sum(-1)
    if p == 0:
        return powers
    zero = powers == 0
    return (powers.masked_fill(zero, 1) ** (1 / p)).masked_fill(zero, 0)


def _not_negative(name: str, p: float) -> None:
    if not p >= 0:  # nor NaN
        raise RuntimeError(message(f"{name} only supports non-negative p values", f"p={p}"))
