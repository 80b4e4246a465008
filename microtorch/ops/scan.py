"""Scans: cumulative sums and products."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base.naming import named
from ..engine.hot import single
from ..engine.op import Op
from .arguments import dim_of, rows
from .surface import public

if TYPE_CHECKING:
    from ..base.types import DTypeLike, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


def shifted_products(F: Namespace, x: Operand, dim: int, reverse: bool) -> Operand:
    """At each place, the product of all elements of ``x`` before it along ``dim``.

    ``reverse``: after it. Nothing is divided, so zeros do no harm.
    """
    n = x.shape[dim]
    at = (slice(None),) * dim
    ones = F.getitem(x, index=(*at, slice(0, 1))) * 0 + 1
    if reverse:
        rest = F.flip(F.getitem(x, index=(*at, slice(1, n))), dims=(dim,))
        return F.cat(F.flip(F.cumprod(rest, dim=dim), dims=(dim,)), ones, dim=dim)
    return F.cat(ones, F.cumprod(F.getitem(x, index=(*at, slice(0, n - 1))), dim=dim), dim=dim)


def _cumsum_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int) -> Gradient:
    return F.flip(F.cumsum(F.flip(g, dims=(dim,)), dim=dim), dims=(dim,))


def _cumprod_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int) -> Gradient:
    # s[i] = g[i] + x[i+1] s[i+1] is the gradient of the tail's products; it is multiplied by the
    # product of all elements before i
    n = x.shape[dim]
    if n == 0:
        return g

    def at(a: Operand, i: int) -> Operand:
        return F.getitem(a, index=(slice(None),) * dim + (i,))

    tails = [at(g, n - 1)]
    for i in range(n - 2, -1, -1):
        tails.append(at(g, i) + at(x, i + 1) * tails[-1])
    return shifted_products(F, x, dim, False) * F.stack(*tails[::-1], dim=dim)


cumsum_op = Op(
    "cumsum",
    lambda F, x, dim: rows(np.cumsum(x, dim, np.int64 if x.dtype.kind in "biu" else None)),
    vjps=(_cumsum_vjp,),
    rule=("g, summed from the end",),
)
cumprod_op = Op(
    "cumprod",
    lambda F, x, dim: rows(np.cumprod(x, dim, np.int64 if x.dtype.kind in "biu" else None)),
    vjps=(_cumprod_vjp,),
    saves=("x",),
    rule=("Σ g · the product of all others up to there",),
)


def _publish(op: Op, what: str) -> None:
    def scan(input: Tensor, dim: int, *, dtype: DTypeLike | None = None) -> Tensor:
        if dtype is not None:
            input = input.to(dtype)
        if not input.array.ndim:
            return scan(input.reshape(1), 0).reshape(())
        return single(op, input, {"dim": dim_of(dim, input.array.ndim, op.name)})

    public()(named(scan, op.name, f"The running {what} along ``dim``."))


_publish(cumsum_op, "sum")
_publish(cumprod_op, "product")
