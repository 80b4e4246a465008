"""Reductions: sums, means, products, extremes, variances, scans, sorting.

Each derivative begins by laying ``g`` over the reduced dimensions again (``spread``). Reductions
that *pick* elements (max, min, median, sort, topk...) compute the integer index first, as data, and
then gather: one op and one derivative serve all.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import F32, OBJECT, TORCH_TYPES
from ..backends import LARGE, defines
from ..base.errors import describe, message
from ..engine.hot import single
from ..engine.op import Op
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .arguments import dim_of, dims_of, rows
from .scan import _shifted_products
from .surface import FUNCTIONS, METHODS, public

# ---- sums ----------------------------------------------------------------------------------------


def keep(F: Any, g: Any, x: Any, dim: Any) -> Any:
    """``g`` of a reduction over ``dim``, with the reduced dimensions back at size 1."""
    reduced = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    shape = tuple([1 if i in reduced else n for i, n in enumerate(x.shape)])
    return g if g.shape == shape else F.reshape(g, shape=shape)


@defines
def spread(F: Any, g: Any, shape: tuple[int, ...], dim: Any, divisor: float) -> Any:
    """``g / divisor``, of the shape of a reduction of ``shape`` over ``dim``, as a new array of
    that ``shape``.
    """
    out = np.empty(shape, g.dtype)
    out[...] = keep(F, g, out, dim) / divisor
    return out


def back_over(F: Any, g: Any, x: Any, dim: Any, divisor: float = 1) -> Any:
    """``g / divisor`` of a reduction over ``dim``, laid over the shape of ``x`` again.

    A small array, and the gradient of a leaf, which keeps it, get memory of their own, so that
    kernels in C can read it. Of a larger one only ``g`` itself is in memory, repeated by strides of
    0: to read so little is faster still.
    """
    shape = x.shape
    if type(g) is np.ndarray and (math.prod(shape) < LARGE or x.op is None):
        return F.spread(g, shape, dim, divisor)
    if divisor != 1:
        g = g / divisor
    return F.expand(g if g.ndim == 0 else keep(F, g, x, dim), shape=shape)


def count(x: Any, dim: Any) -> int:
    return math.prod(x.shape) if dim is None else math.prod([x.shape[d] for d in dim])


def _sum(F: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    d = x.dtype
    out = np.add.reduce(
        x, dim, None if d is F32 or d.kind not in "biu" else np.int64, None, keepdim
    )
    return out if dim is None else rows(out)


sum_op = Op(
    "sum",
    _sum,
    vjps=(lambda F, g, out, x, dim, keepdim: back_over(F, g, x, dim),),
    rule=("g, spread over the sum",),
)


mean_op = Op(
    "mean",
    lambda F, x, dim, keepdim: _sum(F, x, dim, keepdim) / (count(x, dim) or x.dtype.type(math.nan)),
    vjps=(lambda F, g, out, x, dim, keepdim: back_over(F, g, x, dim, max(count(x, dim), 1)),),
    rule=("g / n, spread over the mean",),
)


def reduction(op: Op) -> Callable[..., Any]:
    """The public function ``op(input, dim=None, keepdim=False, *, dtype=None)``."""
    floating = op.result == "float"

    def reduce(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
               axis: Any = None, keepdims: bool = False) -> Any:
        if axis is not None or keepdims:  # numpy's names
            dim, keepdim = axis if dim is None else dim, keepdims or keepdim
        if dtype is not None:
            input = input.to(dtype)
        if dim is not None:
            dim = dims_of(dim, input.array.ndim, op.name) or None
        if floating and input.array.dtype.kind != "f":
            raise float_error(op.name, input)
        return single(op, input, {"dim": dim, "keepdim": keepdim}, dim, keepdim)

    reduce.__name__ = reduce.__qualname__ = op.name
    return reduce


def float_error(name: str, x: Any) -> Exception:
    return RuntimeError(
        message(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. "
            f"Got: {TORCH_TYPES[x.array.dtype.name]}",
            fix="convert it first: x.float()",
        )
    )


mean_op.result = "float"


for _op in (sum_op, mean_op):
    public()(reduction(_op))


FUNCTIONS[
    "sum"
].__doc__ = (
    "The sum over ``dim`` (an int, a tuple, or None for all). Integers and bools add up to int64."
)


FUNCTIONS[
    "mean"
].__doc__ = "The mean over ``dim`` (an int, a tuple, or None for all) of a floating tensor."


@public()
def nansum(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The sum with NaN counted as 0."""
    return FUNCTIONS["sum"](input.masked_fill(input.isnan(), 0), dim, keepdim)


# ---- variance ------------------------------------------------------------------------------------
def _var(F: Any, x: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    n = count(x, dim)
    centred = x - np.add.reduce(x, axis=dim, keepdims=True) / (n or 1)
    total = rows(np.add.reduce(centred * centred, axis=dim, keepdims=keepdim))
    if n == 0:
        return total * x.dtype.type(math.nan)
    return (
        total / max(x.dtype.type(n - correction), x.dtype.type(0))
        if x.dtype.kind == "f"
        else total / (n - correction)
    )


def _centred(F: Any, x: Any, dim: Any) -> Any:
    return x - F.mean(x, dim=dim, keepdim=True)


var_op = Op(
    "var",
    _var,
    vjps=(
        lambda F, g, out, x, dim, correction, keepdim: keep(F, g, x, dim)
        * _centred(F, x, dim)
        * (2 / max(count(x, dim) - correction, 0) if count(x, dim) > correction else math.nan),
    ),
    saves=("x",),
    rule=("g · 2 (x − mean) / (n − correction)",),
)


std_op = Op(
    "std",
    lambda F, x, dim, correction, keepdim: F.sqrt(_var(F, x, dim, correction, keepdim)),
    vjps=(
        lambda F, g, out, x, dim, correction, keepdim: (
            keep(F, F.where(out == 0, 0, g / F.where(out == 0, 1, out)), x, dim)
            * _centred(F, x, dim)
            * (1 / max(count(x, dim) - correction, 0) if count(x, dim) > correction else math.nan)
        ),
    ),
    saves=("x out",),
    rule=("g · (x − mean) / ((n − correction) · out)",),
)


def _spread_of(op: Op) -> None:
    def spread_of(
        input: Any,
        dim: Any = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Any:
        if isinstance(dim, bool):  # var(unbiased): PyTorch's other overload
            dim, unbiased = None, dim
        if input.array.dtype.kind != "f":
            what = f"{op.name}: input dtype must be floating point, but got {describe(input)}"
            raise RuntimeError(message(what, fix="x.float()"))
        if correction is None:
            correction = 1 if unbiased is None or unbiased else 0
        dim = dims_of(dim, input.array.ndim, op.name) if dim is not None else None
        return single(op, input, {"dim": dim or None, "correction": correction, "keepdim": keepdim})

    spread_of.__name__ = op.name
    what = "variance" if op.name == "var" else "standard deviation"
    spread_of.__doc__ = f"The {what} over ``dim``, divided by n - correction (1)."
    public()(spread_of)


_spread_of(var_op)


_spread_of(std_op)


@public(method=False)
def var_mean(
    input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Any, Any]:
    """(variance, mean)."""
    return METHODS["var"](input, dim, unbiased, keepdim), METHODS["mean"](input, dim, keepdim)


@public(method=False)
def std_mean(
    input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Any, Any]:
    """(standard deviation, mean)."""
    return METHODS["std"](input, dim, unbiased, keepdim), METHODS["mean"](input, dim, keepdim)


def _prod_vjp(F: Any, g: Any, out: Any, x: Any, dim: int, keepdim: bool) -> Any:
    if not x.shape[dim]:
        return F.expand(keep(F, g, x, dim), shape=x.shape)
    return (
        keep(F, g, x, dim)
        * _shifted_products(F, x, dim, False)
        * _shifted_products(F, x, dim, True)
    )


Op(
    "prod",
    lambda F, x, dim, keepdim: np.multiply.reduce(
        x, axis=dim, keepdims=keepdim, dtype=np.int64 if x.dtype.kind in "biu" else None
    ),
    vjps=(_prod_vjp,),
    saves=("x",),
    rule=("g · the product of all others",),
)


@public()
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product of all elements, or along ``dim``."""
    if dtype is not None:
        input = input.to(dtype)
    if dim is None or not input.array.ndim:
        dim_of(dim or 0, input.array.ndim, "prod")
        input, dim, keepdim = input.reshape(-1), 0, False
    return single(
        REGISTRY["prod"], input, {"dim": dim_of(dim, input.array.ndim, "prod"), "keepdim": keepdim}
    )


# ---- extremes ------------------------------------------------------------------------------------
def _extreme_vjp(F: Any, g: Any, out: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    mask = F.cast(F.eq(x, keep(F, out, x, dim)), dtype=x.dtype)
    return keep(F, g, x, dim) * mask / F.sum(mask, dim=dim, keepdim=True)  # ties share the gradient


for _name, _reduce in {"amax": np.maximum, "amin": np.minimum}.items():
    Op(
        _name,
        lambda F, x, dim, keepdim, reduce=_reduce: rows(
            reduce.reduce(x, axis=dim, keepdims=keepdim)
        ),
        vjps=(_extreme_vjp,),
        saves=("x out",),
        rule=("g where x is the extreme, shared among equals",),
        torch_name={"amax": "Amax", "amin": "Amin"}[_name],
    )


def _extreme(name: str) -> None:
    def extreme(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
        not_empty(input, name)
        dim = dims_of(dim, input.array.ndim, name) if dim != () else None
        return single(REGISTRY[name], input, {"dim": dim or None, "keepdim": keepdim})

    extreme.__name__ = name
    extreme.__doc__ = f"The {'largest' if name == 'amax' else 'smallest'} element over ``dim``; equal ones share the gradient."
    public()(extreme)


_extreme("amax")


_extreme("amin")


def not_empty(input: Any, name: str) -> None:
    if not input.array.size:
        raise IndexError(
            message(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
                f"the "
                f"reduction dim with the 'dim' argument.",
                describe(input),
            )
        )


# ---- composed ------------------------------------------------------------------------------------
@public()
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """The p-norm of the elements over ``dim`` (all if None): p a number, inf, -inf, or "fro" (2).
    """
    if input.array.dtype.kind != "f":
        raise RuntimeError(
            message(
                "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
                + TORCH_TYPES[input.array.dtype.name],
                fix="x.float()",
            )
        )
    p = 2.0 if p in ("fro", None) else float(p)
    total = FUNCTIONS["sum"]
    if p == 2:
        dims = dims_of(dim, input.array.ndim, "norm") or None if dim is not None else None
        return single(REGISTRY["norm"], input, {"dim": dims, "keepdim": keepdim})
    size = input.abs()
    if p == math.inf:
        return size.amax(() if dim is None else dim, keepdim)
    if p == -math.inf:
        return size.amin(() if dim is None else dim, keepdim)
    if p == 0:
        return total((input != 0).to(input.dtype), dim, keepdim)
    if p == 1:
        return total(size, dim, keepdim)
    return total(size**p, dim, keepdim) ** (1 / p)


Op(
    "norm",
    lambda F, x, dim, keepdim: F.sqrt(rows(np.add.reduce(x * x, axis=dim, keepdims=keepdim))),
    # at x = 0 the norm has no derivative; 0 is the subgradient that PyTorch takes
    vjps=(
        lambda F, g, out, x, dim, keepdim: (
            keep(F, g, x, dim)
            * F.where(
                keep(F, out, x, dim) == 0,
                0,
                x / F.where(keep(F, out, x, dim) == 0, 1, keep(F, out, x, dim)),
            )
        ),
    ),
    saves=("x out",),
    rule=("g · x / out",),
    torch_name="LinalgVectorNorm",
)


@public()
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """log Σ exp(x) over ``dim``, without overflow."""
    if input.array.dtype.kind != "f":
        input = input.to(dtypes.get_default_dtype())
    return single(
        REGISTRY["logsumexp"],
        input,
        {"dim": dims_of(dim, input.array.ndim, "logsumexp"), "keepdim": keepdim},
    )


def _logsumexp(F: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    top = np.maximum.reduce(x, axis=dim, keepdims=True, initial=None if x.size else -math.inf)
    if x.dtype is not OBJECT:
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = F.log(np.add.reduce(F.exp(x - top), axis=dim, keepdims=True)) + top
    return total if keepdim else rows(total.squeeze(dim))


Op(
    "logsumexp",
    _logsumexp,
    vjps=(lambda F, g, out, x, dim, keepdim: keep(F, g, x, dim) * F.exp(x - keep(F, out, x, dim)),),
    saves=("x out",),
    rule=("g · exp(x − out)",),
)


def _truth(name: str, reduce: Any) -> None:
    def truth(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        d = None if dim is None else dims_of(dim, input.array.ndim, name) or None
        return constant(reduce(input.array, axis=d, keepdims=keepdim), input.node.dev)

    truth.__name__ = name
    truth.__doc__ = f"Are {name} elements true (nonzero), over ``dim``?"
    public()(truth)


_truth("all", np.all)


_truth("any", np.any)


@public()
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """How many elements are not 0."""
    return (input != 0).sum(dim)
