"""Scans: cumulative sums and products."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.hot import single
from ..engine.op import Op
from ..engine.registry import REGISTRY
from .arguments import dim_of, rows
from .surface import public


# ---- products and scans --------------------------------------------------------------------------
def _shifted_products(F: Any, x: Any, dim: int, reverse: bool) -> Any:
    """At each place the product of all elements before it (after it, if ``reverse``) along ``dim``;
    no division by zero.
    """
    n = x.shape[dim]
    at = (slice(None),) * dim
    ones = F.getitem(x, index=(*at, slice(0, 1))) * 0 + 1
    if reverse:
        rest = F.flip(
            F.cumprod(F.flip(F.getitem(x, index=(*at, slice(1, n))), dims=(dim,)), dim=dim),
            dims=(dim,),
        )
        return F.cat(rest, ones, dim=dim)
    return F.cat(ones, F.cumprod(F.getitem(x, index=(*at, slice(0, n - 1))), dim=dim), dim=dim)


def _cumprod_vjp(F: Any, g: Any, out: Any, x: Any, dim: int) -> Any:
    # s[i] = g[i] + x[i+1] s[i+1] is the gradient of the tail's products; times the product of all
    # before i
    n = x.shape[dim]
    if n == 0:
        return g

    def at(a: Any, i: int) -> Any:
        return F.getitem(a, index=(slice(None),) * dim + (i,))

    tails = [at(g, n - 1)]
    for i in range(n - 2, -1, -1):
        tails.append(at(g, i) + at(x, i + 1) * tails[-1])
    return _shifted_products(F, x, dim, False) * F.stack(*tails[::-1], dim=dim)


Op(
    "cumsum",
    lambda F, x, dim: rows(
        np.cumsum(x, axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else None)
    ),
    vjps=(
        lambda F, g, out, x, dim: F.flip(F.cumsum(F.flip(g, dims=(dim,)), dim=dim), dims=(dim,)),
    ),
    rule=("g, summed from the end",),
)


Op(
    "cumprod",
    lambda F, x, dim: rows(
        np.cumprod(x, axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else None)
    ),
    vjps=(_cumprod_vjp,),
    saves=("x",),
    rule=("Σ g · the product of all others up to there",),
)


def _scan(name: str) -> None:
    def scan(input: Any, dim: int, *, dtype: Any = None) -> Any:
        if dtype is not None:
            input = input.to(dtype)
        if not input.array.ndim:
            return scan(input.reshape(1), 0).reshape(())
        return single(REGISTRY[name], input, {"dim": dim_of(dim, input.array.ndim, name)})

    scan.__name__ = name
    scan.__doc__ = f"The running {'sum' if name == 'cumsum' else 'product'} along ``dim``."
    public()(scan)


_scan("cumsum")


_scan("cumprod")
