"""Reductions: sums, means, variances, products, extremes, norms.

Each derivative begins by laying ``g`` over the reduced dimensions again (``keep``, ``back_over``).
The reductions that pick elements (max, min, median) are in order.py.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import F32, OBJECT, TORCH_TYPES
from ..backends import LARGE, defines
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.hot import single
from ..engine.op import Op
from ..engine.out import into
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .arguments import dim_of, dims_of, rows
from .scan import shifted_products
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Dims, DTypeLike, Gradient, Namespace, Number, Operand, Shape
    from ..handles.tensor import Tensor


# ---- from the result's shape back to the input's -------------------------------------------------
def keep(F: Namespace, g: Operand, x: Operand, dim: Dims) -> Operand:
    """``g`` of a reduction over ``dim``, with the reduced dimensions back at size 1."""
    reduced = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    shape = tuple([1 if i in reduced else n for i, n in enumerate(x.shape)])
    return g if g.shape == shape else F.reshape(g, shape=shape)


@defines
def spread(F: Namespace, g: Array, shape: Shape, dim: Dims, divisor: float) -> Array:
    """``g / divisor`` of a reduction over ``dim``, as a new array of the input's ``shape``."""
    out = np.empty(shape, g.dtype)
    out[...] = keep(F, g, out, dim) / divisor
    return out


def back_over(F: Namespace, g: Gradient, x: Operand, dim: Dims, divisor: float = 1) -> Gradient:
    """``g / divisor`` of a reduction over ``dim``, laid over the shape of ``x`` again.

    A small array gets memory of its own, so that kernels in C can read it, and so does the gradient
    of a leaf, which keeps it. Of a larger one only ``g`` itself is in memory, repeated by strides
    of 0: to read so little is faster still.
    """
    shape = x.shape
    if type(g) is np.ndarray and (math.prod(shape) < LARGE or x.op is None):
        return F.spread(g, shape, dim, divisor)
    if divisor != 1:
        g = g / divisor
    return F.expand(g if g.ndim == 0 else keep(F, g, x, dim), shape=shape)


def count(x: Operand, dim: Shape | None) -> int:
    """How many elements of ``x`` a reduction over ``dim`` combines into one."""
    return math.prod(x.shape) if dim is None else math.prod([x.shape[d] for d in dim])


# ---- sums ----------------------------------------------------------------------------------------
add_up: Callable[..., Array] = np.add.reduce  # whose declared types take no variable for keepdims


def _sum(F: Namespace, x: Array, dim: Dims, keepdim: bool) -> Array:
    d = x.dtype
    wide = None if d is F32 or d.kind not in "biu" else np.int64
    out = add_up(x, dim, wide, None, keepdim)
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
    result="float",
)


def _publish_sum(op: Op, doc: str) -> None:
    """Publish the function ``op(input, dim=None, keepdim=False, *, dtype=None)``."""
    floating = op.result == "float"

    def reduce(
        input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DTypeLike | None = None,
        axis: Dims = None, keepdims: bool = False, out: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        if out is not None:
            options = {"dtype": dtype, "axis": axis, "keepdims": keepdims}
            return into(out, reduce, (input, dim, keepdim), options)
        if axis is not None or keepdims:  # numpy's names
            dim, keepdim = axis if dim is None else dim, keepdims or keepdim
        if dtype is not None:
            input = input.to(dtype)
        if dim is not None:
            dim = dims_of(dim, input.array.ndim, op.name) or None
        if floating and input.array.dtype.kind != "f":
            raise float_error(op.name, input)
        return single(op, input, {"dim": dim, "keepdim": keepdim}, dim, keepdim)

    public()(named(reduce, op.name, doc))


_publish_sum(
    sum_op,
    "The sum over ``dim`` (an int, a tuple, or None for all). Integers and bools add up to int64.",
)
_publish_sum(
    mean_op, "The mean over ``dim`` (an int, a tuple, or None for all) of a floating tensor."
)


def float_error(name: str, x: Tensor) -> Exception:
    return RuntimeError(
        message(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {TORCH_TYPES[x.array.dtype.name]}",
            fix="convert it first: x.float()",
        )
    )


@public()
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum with NaN counted as 0."""
    return FUNCTIONS["sum"](input.masked_fill(input.isnan(), 0), dim, keepdim)


# ---- variance ------------------------------------------------------------------------------------
def _var(F: Namespace, x: Array, dim: Shape | None, correction: float, keepdim: bool) -> Array:
    n = count(x, dim)
    centred = x - add_up(x, axis=dim, keepdims=True) / (n or 1)
    total = rows(add_up(centred * centred, axis=dim, keepdims=keepdim))
    if n == 0:
        return total * x.dtype.type(math.nan)
    if x.dtype.kind != "f":
        return total / (n - correction)
    return total / max(x.dtype.type(n - correction), x.dtype.type(0))


def _centred(F: Namespace, x: Operand, dim: Dims) -> Operand:
    return x - F.mean(x, dim=dim, keepdim=True)


def _var_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Shape | None, correction: float,
    keepdim: bool,
) -> Gradient:  # fmt: skip
    n = count(x, dim) - correction
    return keep(F, g, x, dim) * _centred(F, x, dim) * (2 / n if n > 0 else math.nan)


def _std_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Shape | None, correction: float,
    keepdim: bool,
) -> Gradient:  # fmt: skip
    n = count(x, dim) - correction
    each = F.where(out == 0, 0, g / F.where(out == 0, 1, out))
    return keep(F, each, x, dim) * _centred(F, x, dim) * (1 / n if n > 0 else math.nan)


var_op = Op(
    "var", _var, vjps=(_var_vjp,), saves=("x",), rule=("g · 2 (x − mean) / (n − correction)",)
)
std_op = Op(
    "std",
    lambda F, x, dim, correction, keepdim: F.sqrt(_var(F, x, dim, correction, keepdim)),
    vjps=(_std_vjp,),
    saves=("x out",),
    rule=("g · (x − mean) / ((n − correction) · out)",),
)


def _publish_spread(op: Op, what: str) -> None:
    def spread(
        input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None,
    ) -> Tensor:  # fmt: skip
        if isinstance(dim, bool):  # var(unbiased): PyTorch's other overload
            dim, unbiased = None, dim
        if input.array.dtype.kind != "f":
            wrong = f"{op.name}: input dtype must be floating point, but got {describe(input)}"
            raise RuntimeError(message(wrong, fix="x.float()"))
        if correction is None:
            correction = 1 if unbiased is None or unbiased else 0
        dim = dims_of(dim, input.array.ndim, op.name) if dim is not None else None
        return single(op, input, {"dim": dim or None, "correction": correction, "keepdim": keepdim})

    doc = f"The {what} over ``dim``; sums are divided by n - correction (1)."
    public()(named(spread, op.name, doc))


_publish_spread(var_op, "variance")
_publish_spread(std_op, "standard deviation")


@public(method=False)
def var_mean(
    input: Tensor, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """(variance, mean)."""
    return METHODS["var"](input, dim, unbiased, keepdim), METHODS["mean"](input, dim, keepdim)


@public(method=False)
def std_mean(
    input: Tensor, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """(standard deviation, mean)."""
    return METHODS["std"](input, dim, unbiased, keepdim), METHODS["mean"](input, dim, keepdim)


# ---- products ------------------------------------------------------------------------------------
def _prod_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int, keepdim: bool
) -> Gradient:
    if not x.shape[dim]:
        return F.expand(keep(F, g, x, dim), shape=x.shape)
    before, after = shifted_products(F, x, dim, False), shifted_products(F, x, dim, True)
    return keep(F, g, x, dim) * before * after


prod_op = Op(
    "prod",
    lambda F, x, dim, keepdim: np.multiply.reduce(
        x, axis=dim, keepdims=keepdim, dtype=np.int64 if x.dtype.kind in "biu" else None
    ),
    vjps=(_prod_vjp,),
    saves=("x",),
    rule=("g · the product of all others",),
)


@public()
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
) -> Tensor:
    """The product of all elements, or along ``dim``."""
    if dtype is not None:
        input = input.to(dtype)
    if dim is None or not input.array.ndim:
        dim_of(dim or 0, input.array.ndim, "prod")
        input, dim, keepdim = input.reshape(-1), 0, False
    d = dim_of(dim, input.array.ndim, "prod")
    return single(prod_op, input, {"dim": d, "keepdim": keepdim})


# ---- extremes ------------------------------------------------------------------------------------
def _extreme_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Dims, keepdim: bool
) -> Gradient:
    mask = F.cast(F.eq(x, keep(F, out, x, dim)), dtype=x.dtype)
    return keep(F, g, x, dim) * mask / F.sum(mask, dim=dim, keepdim=True)  # ties share the gradient


def _publish_extreme(name: str, which: str, ufunc: np.ufunc) -> None:
    op = Op(
        name,
        lambda F, x, dim, keepdim: rows(ufunc.reduce(x, axis=dim, keepdims=keepdim)),
        vjps=(_extreme_vjp,),
        saves=("x out",),
        rule=("g where x is the extreme, shared among equals",),
    )

    def extreme(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
        not_empty(input, name)
        dim = dims_of(dim, input.array.ndim, name) if dim != () else None
        return single(op, input, {"dim": dim or None, "keepdim": keepdim})

    doc = f"The {which} element over ``dim``; equal ones share the gradient."
    public()(named(extreme, name, doc))


_publish_extreme("amax", "largest", np.maximum)
_publish_extreme("amin", "smallest", np.minimum)


def not_empty(input: Tensor, name: str) -> None:
    """Raise IndexError for a tensor without elements, which has no extreme."""
    if not input.array.size:
        raise IndexError(
            message(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
                "the reduction dim with the 'dim' argument.",
                describe(input),
            )
        )


# ---- norms and log-sum-exp -----------------------------------------------------------------------
@public()
def norm(
    input: Tensor, p: Number | str | None = "fro", dim: Dims = None, keepdim: bool = False
) -> Tensor:
    """The p-norm over ``dim`` (all if None); p is a number, inf, -inf, or "fro", which means 2."""
    if input.array.dtype.kind != "f":
        raise RuntimeError(
            message(
                "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
                + TORCH_TYPES[input.array.dtype.name],
                fix="x.float()",
            )
        )
    p = 2.0 if p is None or p == "fro" else float(p)
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


def _norm_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Dims, keepdim: bool
) -> Gradient:
    # at x = 0 the norm has no derivative; 0 is the subgradient that PyTorch takes
    size = keep(F, out, x, dim)
    return keep(F, g, x, dim) * F.where(size == 0, 0, x / F.where(size == 0, 1, size))


Op(
    "norm",
    lambda F, x, dim, keepdim: F.sqrt(rows(add_up(x * x, axis=dim, keepdims=keepdim))),
    vjps=(_norm_vjp,),
    saves=("x out",),
    rule=("g · x / out",),
    torch_name="LinalgVectorNorm",
)


@public()
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ exp(x) over ``dim``, without overflow."""
    if input.array.dtype.kind != "f":
        input = input.to(dtypes.get_default_dtype())
    dims = dims_of(dim, input.array.ndim, "logsumexp")
    return single(REGISTRY["logsumexp"], input, {"dim": dims, "keepdim": keepdim})


def _logsumexp(F: Namespace, x: Array, dim: Dims, keepdim: bool) -> Array:
    top = np.maximum.reduce(x, axis=dim, keepdims=True, initial=None if x.size else -math.inf)
    if x.dtype is not OBJECT:
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = F.log(add_up(F.exp(x - top), axis=dim, keepdims=True)) + top
    return total if keepdim else rows(total.squeeze(dim))


Op(
    "logsumexp",
    _logsumexp,
    vjps=(lambda F, g, out, x, dim, keepdim: keep(F, g, x, dim) * F.exp(x - keep(F, out, x, dim)),),
    saves=("x out",),
    rule=("g · exp(x − out)",),
)


# ---- truth ---------------------------------------------------------------------------------------
def _publish_truth(name: str, reduce: Callable[..., Any]) -> None:
    def truth(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
        d = None if dim is None else dims_of(dim, input.array.ndim, name) or None
        return constant(reduce(input.array, axis=d, keepdims=keepdim), input.node.dev)

    public()(named(truth, name, f"Are {name} elements true (nonzero), over ``dim``?"))


_publish_truth("all", np.all)
_publish_truth("any", np.any)


@public()
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are not 0."""
    return (input != 0).sum(dim)
