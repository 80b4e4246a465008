"""Reductions: sums, means, products, extremes, variances, scans, sorting.

Each derivative begins by laying ``g`` over the reduced dimensions again (``spread``). Reductions that *pick* elements (max,
min, median, sort, topk...) compute the integer index first, as data, and then gather: one op and one derivative serve all.
"""
from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..backends import LARGE, defines
from ..errors import DTypeError, describe, message
from . import F32, FUNCTIONS, METHODS, OBJECT, REGISTRY, Op, apply, apply_one, constant, public
from .shape import dim_of, dims_of, rows

# ---- sums ----------------------------------------------------------------------------------------------------------


def keep(F: Any, g: Any, x: Any, dim: Any) -> Any:
    """``g`` of a reduction over ``dim``, with the reduced dimensions back at size 1."""
    reduced = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    shape = tuple([1 if i in reduced else n for i, n in enumerate(x.shape)])
    return g if g.shape == shape else F.reshape(g, shape=shape)


@defines
def spread(F: Any, g: Any, shape: tuple[int, ...], dim: Any, divisor: float) -> Any:
    """``g / divisor``, of the shape of a reduction of ``shape`` over ``dim``, as a new array of that ``shape``."""
    out = np.empty(shape, g.dtype)
    out[...] = keep(F, g, out, dim) / divisor
    return out


def back_over(F: Any, g: Any, x: Any, dim: Any, divisor: float = 1) -> Any:
    """``g / divisor`` of a reduction over ``dim``, laid over the shape of ``x`` again.

    A small array, and the gradient of a leaf, which keeps it, get memory of their own, so that kernels in C can read it.
    Of a larger one only ``g`` itself is in memory, repeated by strides of 0: to read so little is faster still.
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
    out = np.add.reduce(x, dim, None if d is F32 or d.kind not in "biu" else np.int64, None, keepdim)
    return out if dim is None else rows(out)


sum_op = Op("sum", _sum, vjps=(lambda F, g, out, x, dim, keepdim: back_over(F, g, x, dim),), rule=("g, spread over the sum",))
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
        return apply_one(op, input, {"dim": dim, "keepdim": keepdim}, dim, keepdim)

    reduce.__name__ = reduce.__qualname__ = op.name
    return reduce


def float_error(name: str, x: Any) -> Exception:
    return RuntimeError(
        message(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {TORCH_TYPES[x.array.dtype.name]}",
            fix="convert it first: x.float()",
        )
    )


TORCH_TYPES = {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
               "float32": "Float", "float64": "Double", "float16": "Half"}  # fmt: skip
mean_op.result = "float"

for _op in (sum_op, mean_op):
    public()(reduction(_op))
FUNCTIONS["sum"].__doc__ = "The sum over ``dim`` (an int, a tuple, or None for all). Integers and bools add up to int64."
FUNCTIONS["mean"].__doc__ = "The mean over ``dim`` (an int, a tuple, or None for all) of a floating tensor."


@public()
def nansum(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The sum with NaN counted as 0."""
    return FUNCTIONS["sum"](input.masked_fill(input.isnan(), 0), dim, keepdim)


# ---- variance ------------------------------------------------------------------------------------------------------
def _var(F: Any, x: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    n = count(x, dim)
    centred = x - np.add.reduce(x, axis=dim, keepdims=True) / (n or 1)
    total = rows(np.add.reduce(centred * centred, axis=dim, keepdims=keepdim))
    if n == 0:
        return total * x.dtype.type(math.nan)
    return total / max(x.dtype.type(n - correction), x.dtype.type(0)) if x.dtype.kind == "f" else total / (n - correction)


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
        lambda F, g, out, x, dim, correction, keepdim: keep(F, F.where(out == 0, 0, g / F.where(out == 0, 1, out)), x, dim)
        * _centred(F, x, dim)
        * (1 / max(count(x, dim) - correction, 0) if count(x, dim) > correction else math.nan),
    ),
    saves=("x out",),
    rule=("g · (x − mean) / ((n − correction) · out)",),
)


def _spread_of(op: Op) -> None:
    def spread_of(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
                  correction: float | None = None) -> Any:
        if isinstance(dim, bool):  # var(unbiased): PyTorch's other overload
            dim, unbiased = None, dim
        if input.array.dtype.kind != "f":
            what = f"{op.name}: input dtype must be floating point, but got {describe(input)}"
            raise RuntimeError(message(what, fix="x.float()"))
        if correction is None:
            correction = 1 if unbiased is None or unbiased else 0
        dim = dims_of(dim, input.array.ndim, op.name) if dim is not None else None
        return apply(op, (input,), {"dim": dim or None, "correction": correction, "keepdim": keepdim})

    spread_of.__name__ = op.name
    what = "variance" if op.name == "var" else "standard deviation"
    spread_of.__doc__ = f"The {what} over ``dim``, divided by n - correction (1)."
    public()(spread_of)


_spread_of(var_op)
_spread_of(std_op)


@public(method=False)
def var_mean(input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> tuple[Any, Any]:
    """(variance, mean)."""
    return METHODS["var"](input, dim, unbiased, keepdim), METHODS["mean"](input, dim, keepdim)


@public(method=False)
def std_mean(input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> tuple[Any, Any]:
    """(standard deviation, mean)."""
    return METHODS["std"](input, dim, unbiased, keepdim), METHODS["mean"](input, dim, keepdim)


# ---- products and scans --------------------------------------------------------------------------------------------
def _shifted_products(F: Any, x: Any, dim: int, reverse: bool) -> Any:
    """At each place the product of all elements before it (after it, if ``reverse``) along ``dim``; no division by zero."""
    n = x.shape[dim]
    at = (slice(None),) * dim
    ones = F.getitem(x, index=(*at, slice(0, 1))) * 0 + 1
    if reverse:
        rest = F.flip(F.cumprod(F.flip(F.getitem(x, index=(*at, slice(1, n))), dims=(dim,)), dim=dim), dims=(dim,))
        return F.cat(rest, ones, dim=dim)
    return F.cat(ones, F.cumprod(F.getitem(x, index=(*at, slice(0, n - 1))), dim=dim), dim=dim)


def _prod_vjp(F: Any, g: Any, out: Any, x: Any, dim: int, keepdim: bool) -> Any:
    if not x.shape[dim]:
        return F.expand(keep(F, g, x, dim), shape=x.shape)
    return keep(F, g, x, dim) * _shifted_products(F, x, dim, False) * _shifted_products(F, x, dim, True)


def _cumprod_vjp(F: Any, g: Any, out: Any, x: Any, dim: int) -> Any:
    # s[i] = g[i] + x[i+1] s[i+1] is the gradient of the tail's products; times the product of all before i
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
    "prod",
    lambda F, x, dim, keepdim: np.multiply.reduce(x, axis=dim, keepdims=keepdim,
                                                  dtype=np.int64 if x.dtype.kind in "biu" else None),
    vjps=(_prod_vjp,),
    saves=("x",),
    rule=("g · the product of all others",),
)
Op(
    "cumsum",
    lambda F, x, dim: rows(np.cumsum(x, axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else None)),
    vjps=(lambda F, g, out, x, dim: F.flip(F.cumsum(F.flip(g, dims=(dim,)), dim=dim), dims=(dim,)),),
    rule=("g, summed from the end",),
)
Op(
    "cumprod",
    lambda F, x, dim: rows(np.cumprod(x, axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else None)),
    vjps=(_cumprod_vjp,),
    saves=("x",),
    rule=("Σ g · the product of all others up to there",),
)


@public()
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product of all elements, or along ``dim``."""
    if dtype is not None:
        input = input.to(dtype)
    if dim is None or not input.array.ndim:
        dim_of(dim or 0, input.array.ndim, "prod")
        input, dim, keepdim = input.reshape(-1), 0, False
    return apply(REGISTRY["prod"], (input,), {"dim": dim_of(dim, input.array.ndim, "prod"), "keepdim": keepdim})


def _scan(name: str) -> None:
    def scan(input: Any, dim: int, *, dtype: Any = None) -> Any:
        if dtype is not None:
            input = input.to(dtype)
        if not input.array.ndim:
            return scan(input.reshape(1), 0).reshape(())
        return apply(REGISTRY[name], (input,), {"dim": dim_of(dim, input.array.ndim, name)})

    scan.__name__ = name
    scan.__doc__ = f"The running {'sum' if name == 'cumsum' else 'product'} along ``dim``."
    public()(scan)


_scan("cumsum")
_scan("cumprod")


# ---- extremes ------------------------------------------------------------------------------------------------------
def _extreme_vjp(F: Any, g: Any, out: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    mask = F.cast(F.eq(x, keep(F, out, x, dim)), dtype=x.dtype)
    return keep(F, g, x, dim) * mask / F.sum(mask, dim=dim, keepdim=True)  # ties share the gradient


for _name, _reduce in {"amax": np.maximum, "amin": np.minimum}.items():
    Op(
        _name,
        lambda F, x, dim, keepdim, reduce=_reduce: rows(reduce.reduce(x, axis=dim, keepdims=keepdim)),
        vjps=(_extreme_vjp,),
        saves=("x out",),
        rule=("g where x is the extreme, shared among equals",),
        torch_name={"amax": "Amax", "amin": "Amin"}[_name],
    )


def _extreme(name: str) -> None:
    def extreme(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
        not_empty(input, name)
        dim = dims_of(dim, input.array.ndim, name) if dim != () else None
        return apply(REGISTRY[name], (input,), {"dim": dim or None, "keepdim": keepdim})

    extreme.__name__ = name
    extreme.__doc__ = f"The {'largest' if name == 'amax' else 'smallest'} element over ``dim``; equal ones share the gradient."
    public()(extreme)


_extreme("amax")
_extreme("amin")


def not_empty(input: Any, name: str) -> None:
    if not input.array.size:
        raise IndexError(message(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                                 f"reduction dim with the 'dim' argument.", describe(input)))


def _pick(F: Any, x: Any, index: Any, dim: int, squeeze: bool) -> Any:
    out = np.take_along_axis(x, index, dim) if x.ndim else x.reshape(1)[index]
    return out.squeeze(dim) if squeeze and x.ndim else rows(out)


def _pick_vjp(F: Any, g: Any, out: Any, x: Any, index: Any, dim: int, squeeze: bool) -> Any:
    if x.ndim and g.ndim != len(index.shape):
        g = F.reshape(g, shape=index.shape)
    return F.scatter_sum(g, index, shape=x.shape, dim=dim)


PICKS = {
    name: Op(name, _pick, vjps=(_pick_vjp, None), saves=("y", ""), rule=("g at the picked place, 0 elsewhere",))
    for name in ("max", "min", "median", "sort", "topk", "kthvalue", "mode")
}


def result_type(name: str) -> Any:
    """PyTorch's named pair of values and indices (torch.return_types)."""
    pair = namedtuple(name, ["values", "indices"])

    class Pair(pair):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def __repr__(self) -> str:
            return f"torch.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"

    Pair.__name__ = Pair.__qualname__ = name
    return Pair


_PAIRS = {name: result_type(name) for name in PICKS}


def picked(name: str, input: Any, index: Any, dim: int, squeeze: bool) -> Any:
    """(values, indices) of ``input`` at ``index`` (an int array of the same rank) along ``dim``."""
    place = constant(index, input.node.dev)
    values = apply(PICKS[name], (input, place), {"dim": dim, "squeeze": squeeze})
    return _PAIRS[name](values, constant(index.squeeze(dim) if squeeze and index.ndim else index, input.node.dev))


def _along(name: str, choose: Any, binary: str | None) -> None:
    def along(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if hasattr(dim, "node"):
            if binary is None:
                raise TypeError(message(f"{name}(): argument 'dim' must be int, not Tensor"))
            return FUNCTIONS[binary](input, dim)
        if dim is None:
            not_empty(input, name)
            if name == "median":
                return along(input.reshape(-1), 0).values
            return apply(REGISTRY[f"a{name}"], (input,), {"dim": None, "keepdim": False})
        d = dim_of(dim, input.array.ndim, name)
        index = choose(input.array, d).astype(np.int64) if input.array.ndim else np.zeros((), np.int64)
        return picked(name, input, index, d, not keepdim)

    along.__name__ = name
    along.__doc__ = f"The {name} of all elements, or (values, indices) along ``dim``" + (
        f"; with a second tensor, {binary}." if binary else "."
    )
    public()(along)


def _median_index(x: Any, d: int) -> Any:
    return np.take(np.argsort(x, d, kind="stable"), [(x.shape[d] - 1) // 2], d)


_along("max", lambda x, d: np.argmax(x, d, keepdims=True), "maximum")
_along("min", lambda x, d: np.argmin(x, d, keepdims=True), "minimum")
_along("median", _median_index, None)


def _argument(name: str, choose: Any) -> None:
    def argument(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        not_empty(input, name)
        d = None if dim is None else dim_of(dim, input.array.ndim, name)
        out = choose(input.array, axis=d if input.array.ndim else None, keepdims=keepdim)
        return constant(out.astype(np.int64, copy=False), input.node.dev)

    argument.__name__ = name
    which = "largest" if name == "argmax" else "smallest"
    argument.__doc__ = f"The index of the {which} element (of the flattened tensor if dim is None)."
    public()(argument)


_argument("argmax", np.argmax)
_argument("argmin", np.argmin)


# ---- order ---------------------------------------------------------------------------------------------------------
def _order(x: Any, d: int, descending: bool) -> Any:
    """Stable order along ``d``; NaN counts as the largest, as in PyTorch."""
    if not descending:
        return np.argsort(x, d, kind="stable")
    return x.shape[d] - 1 - np.flip(np.argsort(np.flip(x, d), d, kind="stable"), d)


@public()
def sort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Any:
    """(values, indices) in order along ``dim``; equal elements keep their order."""
    if not input.array.ndim:
        return picked("sort", input, np.zeros((), np.int64), 0, False)
    d = dim_of(dim, input.array.ndim, "sort")
    return picked("sort", input, _order(input.array, d, descending), d, False)


@public()
def argsort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Any:
    """The indices that sort along ``dim``."""
    return sort(input, dim, descending).indices


@public()
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """(values, indices) of the ``k`` largest (smallest) elements along ``dim``, in order."""
    d = dim_of(dim, input.array.ndim, "topk")
    if not 0 <= k <= (input.array.shape[d] if input.array.ndim else 1):
        raise RuntimeError(message("selected index k out of range", f"topk(k={k}, dim={dim}) of {describe(input)}"))
    order = _order(input.array, d, largest) if input.array.ndim else np.zeros(1, np.int64)
    return picked("topk", input, np.take(order, np.arange(k), d), d, False)


@public()
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """(value, index) of the k-th smallest element along ``dim`` (k counts from 1)."""
    d = dim_of(dim, input.array.ndim, "kthvalue")
    if not 1 <= k <= input.array.shape[d]:
        raise RuntimeError(message("kthvalue(): selected number k out of range for dimension", f"k={k} of {describe(input)}"))
    return picked("kthvalue", input, np.take(_order(input.array, d, False), [k - 1], d), d, not keepdim)


# ---- composed ------------------------------------------------------------------------------------------------------
@public()
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """The p-norm of the elements over ``dim`` (all if None): p a number, inf, -inf, or "fro" (2)."""
    if input.array.dtype.kind != "f":
        raise RuntimeError(message("linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
                                   + TORCH_TYPES[input.array.dtype.name], fix="x.float()"))
    p = 2.0 if p in ("fro", None) else float(p)
    total = FUNCTIONS["sum"]
    if p == 2:
        dims = dims_of(dim, input.array.ndim, "norm") or None if dim is not None else None
        return apply(REGISTRY["norm"], (input,), {"dim": dims, "keepdim": keepdim})
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
        lambda F, g, out, x, dim, keepdim: keep(F, g, x, dim)
        * F.where(keep(F, out, x, dim) == 0, 0, x / F.where(keep(F, out, x, dim) == 0, 1, keep(F, out, x, dim))),
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
    return apply(REGISTRY["logsumexp"], (input,), {"dim": dims_of(dim, input.array.ndim, "logsumexp"), "keepdim": keepdim})


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


@public()
def unique(input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:
    """The distinct elements in order, and on request the inverse index and the counts."""
    out = np.unique(input.array, return_inverse=return_inverse, return_counts=return_counts, axis=dim)
    if not isinstance(out, tuple):
        return constant(out, input.node.dev)
    return tuple(constant(o, input.node.dev) for o in out)


@public()
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each non-negative integer occurs (or the sum of its weights)."""
    if input.array.dtype.kind not in "iu" or input.array.ndim != 1 or (input.array < 0).any():
        raise RuntimeError(message("bincount only supports 1-d non-negative integral inputs.", describe(input)))
    return constant(np.bincount(input.array, None if weights is None else weights.array, minlength), input.node.dev)


@public()
def quantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The q-th quantile (0 <= q <= 1) along ``dim``, by linear interpolation between neighbours."""
    if hasattr(q, "array"):
        if q.array.ndim:
            raise DTypeError(message("quantile() takes one q at a time here", fix="torch.stack([x.quantile(v) for v in q])"))
        q = q.item()
    if not 0 <= q <= 1:
        raise RuntimeError(message("quantile() q values must be in the range [0, 1]", f"got {q}"))
    if dim is None:
        input, dim = input.reshape(-1), 0
    values = sort(input, dim).values
    place = q * (values.array.shape[dim] - 1)
    low, high = math.floor(place), math.ceil(place)
    out = values.select(dim, low) + (place - low) * (values.select(dim, high) - values.select(dim, low))
    return out.unsqueeze(dim) if keepdim else out
