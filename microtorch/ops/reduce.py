"""Reductions: sums, means, products, extremes, log-sum-exp, truth.

Each derivative begins by laying ``g`` over the reduced dimensions again (``keep``, ``back_over``).
The reductions that pick elements (max, min, median) are in order.py.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import BOOL, F32, OBJECT, TORCH_TYPES
from ..backends import LARGE, defines
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.handle import NotDense
from ..engine.hot import whole
from ..engine.op import Op
from ..engine.out import into
from ..engine.record import constant, record
from ..engine.registry import REGISTRY
from ..engine.short import single
from .arguments import dim_of, dims_of, no_tensor, rows, shape_of, whole_or_not
from .scan import shifted_products
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Dims, DType, DTypeLike, Gradient, Namespace, Operand, Shape
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
    of a leaf, which keeps it. A larger one is ``g`` itself, repeated by strides of 0: reading so
    little memory is faster still.
    """
    shape = x.shape
    if type(g) is np.ndarray and (math.prod(shape) < LARGE or x.op is None):
        return F.spread(g, shape, dim, divisor)
    if divisor != 1:
        g = g / divisor
    return F.expand(g if g.ndim == 0 else keep(F, g, x, dim), shape=shape)


def count(x: Operand, dim: Shape | None) -> int:
    """How many elements of ``x`` a reduction over ``dim`` combines into one."""
    if dim is not None and len(dim) == 1:  # the common case, at half of the time
        return x.shape[dim[0]]
    return math.prod(x.shape) if dim is None else math.prod([x.shape[d] for d in dim])


# ---- sums ----------------------------------------------------------------------------------------
add_up: Callable[..., Array] = np.add.reduce  # whose declared types take no variable for keepdims


def _sum(F: Namespace, x: Array, dim: Dims, keepdim: bool) -> Array:
    d = x.dtype
    if dim is None and d is BOOL and type(x) is np.ndarray:  # eight at a time
        return np.full((1,) * (x.ndim if keepdim else 0), np.count_nonzero(x), np.int64)
    out = add_up(x, dim, None if d is F32 or d.kind not in "biu" else np.int64, None, keepdim)
    return out if dim is None else rows(out)


def _sum_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Dims, keepdim: bool
) -> Gradient:
    if dim is None and type(g) is np.ndarray and math.prod(shape := x.shape) < LARGE:
        return F.spread(g, shape, None, 1)  # as back_over does, without its call
    return back_over(F, g, x, dim)


sum_op = Op(
    "sum",
    _sum,
    vjps=(_sum_vjp,),
    rule=("g, spread over the sum",),
)
mean_op = Op(
    "mean",
    lambda F, x, dim, keepdim: _sum(F, x, dim, keepdim) / (count(x, dim) or x.dtype.type(math.nan)),
    vjps=(lambda F, g, out, x, dim, keepdim: back_over(F, g, x, dim, max(count(x, dim), 1)),),
    rule=("g / n, spread over the mean",),
    result="float",
    ordered=False,
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
            return into(out, METHODS[op.name], (input, dim, keepdim), options)
        if axis is not None or keepdims is not False:  # numpy's names
            for name, twice in (("dim", axis is not None and dim is not None),
                                ("keepdim", keepdims and keepdim)):  # fmt: skip
                if twice:
                    raise TypeError(message(f"{op.name}() got multiple values for '{name}'"))
            dim = axis if dim is None else dim
            keepdim = keepdim if keepdims is False else keepdims
        try:
            ndim = input.array.ndim
        except NotDense as met:
            x = input if dtype is None else input.to(dtype=dtype)
            return cast("Tensor", met.tensor.in_op(op, (x,), {"dim": dim, "keepdim": keepdim}))
        except AttributeError:
            raise no_tensor(op.name, input) from None
        if dtype is not None:
            if floating and dtypes.as_numpy(dtype).kind not in "fcV":
                raise float_error(op.name, dtypes.as_numpy(dtype), "Optional")
            return in_dtype(reduce, input, dtype, dim, keepdim)
        if dim is not None:
            if keepdim is not False and keepdim is not True:
                kind = type(keepdim).__name__
                raise TypeError(
                    message(f"{op.name}(): argument 'keepdim' must be bool, not {kind}")
                )
            dim = dims_of(dim, ndim, op.name) or None
        if floating and input.array.dtype.kind not in "fcV":
            raise float_error(op.name, input.array.dtype)
        return single(op, input, {"dim": dim, "keepdim": keepdim}, dim, keepdim)

    public()(named(whole(op, reduce), op.name, doc))


_publish_sum(
    sum_op,
    "The sum over ``dim`` (an int, a tuple, or None for all). Integers and bools add up to int64.",
)
_publish_sum(
    mean_op, "The mean over ``dim`` (an int, a tuple, or None for all) of a floating tensor."
)


def in_dtype(
    reduce: Callable[..., Tensor], input: Tensor, dtype: DTypeLike, *arguments: Any
) -> Tensor:
    """``reduce(input, *arguments)`` with ``dtype=``: converted first, and again what widened.

    Integers are added up in int64 and wrap around where the narrow result does not hold them.
    """
    out = reduce(whole_or_not(input, dtype), *arguments)
    return out if out.array.dtype == dtypes.as_numpy(dtype) else out.to(dtype=dtype)


def float_error(name: str, d: DType, which: str = "Input") -> Exception:
    return RuntimeError(
        message(
            f"{name}(): could not infer output dtype. {which} dtype must be either a floating "
            f"point or complex dtype. Got: {TORCH_TYPES[d.name]}",
            fix="convert it first: x.float()",
        )
    )


@public()
def nansum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
) -> Tensor:
    """The sum with NaN counted as 0, of real numbers."""
    if input.array.dtype.kind == "c":
        what = "nansum on CPU does not support complex inputs"
        raise RuntimeError(message(what, describe(input)))
    out: Tensor = FUNCTIONS["sum"](input, dim, keepdim, dtype=dtype)
    dev = input.node.dev
    if dev.ordered and not (out != out).any():
        return out  # a NaN among the elements would be one in the sum
    known = input.masked_fill(input.isnan(), 0) if input.array.dtype.kind in "fV" else input
    return FUNCTIONS["sum"](known, dim, keepdim, dtype=dtype)


@public()
def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
) -> Tensor:
    """The mean of the elements that are not NaN."""
    if input.array.dtype.kind not in "fcV":
        what = "nanmean(): expected input to have floating point or complex dtype but got "
        raise RuntimeError(message(what + TORCH_TYPES[input.array.dtype.name], fix="x.float()"))
    if dtype is not None and dtypes.as_numpy(dtype).kind not in "fcV":
        raise float_error("nanmean", dtypes.as_numpy(dtype), "Optional")
    counted = input.isnan().logical_not().sum(dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / counted


# ---- products ------------------------------------------------------------------------------------
def _prod_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int, keepdim: bool
) -> Gradient:
    if not x.shape[dim]:
        return F.expand(keep(F, g, x, dim), shape=x.shape)
    recorded = getattr(x, "array", None)  # a second derivative passes the result, as in PyTorch
    if type(recorded) is np.ndarray and recorded.all():
        return keep(F, g, x, dim) * (keep(F, out, x, dim) / x)
    before, after = shifted_products(F, x, dim, False), shifted_products(F, x, dim, True)
    return keep(F, g, x, dim) * before * after


def _prod(F: Namespace, x: Array, dim: int, keepdim: bool) -> Array:
    wide: Any = np.int64 if x.dtype.kind in "biu" else None
    if x.ndim == 1 and len(x) > 1000 and type(x) is np.ndarray:  # in rows, for numpy multiplies
        ends = len(x) % 128  # element by element in a row, but whole rows in SIMD registers
        rest = x[len(x) - ends :]
        x = np.append(np.multiply.reduce(x[: len(x) - ends].reshape(-1, 128), 0, wide), rest)
    multiply: Callable[..., Array] = np.multiply.reduce
    return rows(multiply(x, axis=dim, keepdims=keepdim, dtype=wide))


prod_op = Op(
    "prod",
    _prod,
    vjps=(_prod_vjp,),
    saves=("x out",),
    rule=("g · the product of all others",),
    complex="holomorphic",
)


# of one number, of which PyTorch's derivative asks for both all the same
one_op = Op(
    "prod_of_one",
    lambda F, x: x.copy(),
    vjps=(lambda F, g, out, x: g,),
    saves=("x out",),
    rule=("g",),
    torch_name="Prod",
    complex="own",
    ties=False,
    attributes=False,
    register=False,
)


@public()
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
) -> Tensor:
    """The product of all elements, or along ``dim``."""
    if dtype is not None:
        return in_dtype(prod, input, dtype, dim, keepdim)
    if dim is None or not input.array.ndim:
        dim_of(dim or 0, input.array.ndim, "prod")
        if not input.array.ndim and type(x := input.array) is np.ndarray and x.dtype.kind in "fcV":
            return record(one_op, [input], x.copy(), input.node.dev, None)
        if input.array.ndim != 1:
            input = input.reshape(-1)
        dim, keepdim = 0, False
    d = dim_of(dim, input.array.ndim, "prod")
    return single(prod_op, input, {"dim": d, "keepdim": keepdim})


# ---- extremes ------------------------------------------------------------------------------------
def equal_to(F: Namespace, x: Operand, extreme: Operand) -> Operand:
    """Which elements are the extreme; where that is NaN, those that are NaN."""
    unknown = F.logical_and(x != x, extreme != extreme)
    return F.logical_or(x == extreme, unknown)


def extreme_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Dims, keepdim: bool
) -> Gradient:
    """g, shared among the elements that are equal to the extreme.

    As in PyTorch, amax and amin over a ``dim`` divide by their number, also if there are none, as
    of a NaN: then all is NaN. max() and min() (None) find the NaN, and give 0 if there are none.
    """
    extreme = keep(F, out, x, dim)
    if dim is not None:
        mask = F.cast(x == extreme, dtype=x.dtype)
        return keep(F, g, x, dim) * mask / F.sum(mask, dim=dim, keepdim=True)
    equal = equal_to(F, x, extreme)
    each = keep(F, g, x, dim) / F.sum(F.cast(equal, dtype=x.dtype), dim=None, keepdim=True)
    return F.where(equal, each, 0)


def _publish_extreme(name: str, which: str, ufunc: np.ufunc) -> None:
    op = Op(
        name,
        lambda F, x, dim, keepdim: rows(ufunc.reduce(x, axis=dim, keepdims=keepdim)),
        vjps=(extreme_vjp,),
        saves=("x out",),
        rule=("g where x is the extreme, shared among equals",),
        ties=False,
    )

    def extreme(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
        dim = dims_of(dim, input.array.ndim, name) if dim not in ((), [], None) else ()
        not_empty(input, name, dim)
        dim = dim or tuple(range(input.array.ndim))
        return single(op, input, {"dim": dim, "keepdim": keepdim})

    doc = f"The {which} element over ``dim``; equal ones share the gradient."
    public()(named(extreme, name, doc))


_publish_extreme("amax", "largest", np.maximum)
_publish_extreme("amin", "smallest", np.minimum)


def not_empty(
    input: Tensor, name: str, dims: Shape = (), error: type[Exception] = RuntimeError
) -> None:
    """Raise unless there is an element to choose: along ``dims``, or (none given) at all.

    Without ``dims`` the error is of class ``error``.
    """
    if input.array.size:
        return
    for d in dims:
        if not input.array.shape[d]:
            what = f"{name}(): Expected reduction dim {d} to have non-zero size."
            raise IndexError(message(what, describe(input)))
    if not dims:
        raise error(
            message(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
                "the reduction dim with the 'dim' argument.",
                describe(input),
            )
        )


# ---- log-sum-exp ---------------------------------------------------------------------------------
@public()
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ exp(x) over ``dim``, without overflow."""
    if input.array.dtype.kind not in "fcV":
        input = input.to(dtypes.get_default_dtype())
    n = input.array.ndim
    dims = dims_of(dim, n, "logsumexp") or tuple(range(n))
    return single(REGISTRY["logsumexp"], input, {"dim": dims, "keepdim": keepdim})


def _logsumexp(F: Namespace, x: Array, dim: Dims, keepdim: bool) -> Array:
    size = x.real if x.dtype.kind == "c" else x
    top = np.maximum.reduce(size, axis=dim, keepdims=True, initial=None if x.size else -math.inf)
    if x.dtype is not OBJECT:
        top = np.where(np.isfinite(top), top, size.dtype.type(0))
    total = F.log(add_up(F.exp(x - top), axis=dim, keepdims=True)) + top
    return total if keepdim else rows(total.squeeze(dim))


Op(
    "logsumexp",
    _logsumexp,
    vjps=(
        lambda F, g, out, x, dim, keepdim: F.mul(
            F.exp(F.sub(x, keep(F, out, x, dim))), keep(F, g, x, dim)
        ),
    ),
    saves=("x out",),
    rule=("g · exp(x − out)",),
    complex="holomorphic",
)


# ---- truth ---------------------------------------------------------------------------------------
def _publish_truth(name: str, reduce: Callable[..., Any], ufunc: np.ufunc) -> None:
    def truth(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
        x = input.array
        d = None if dim is None else dims_of(dim, x.ndim, name)
        if d is None and not keepdim and x.dtype is dtypes.BOOL and type(x) is np.ndarray:
            trues = np.count_nonzero(x)  # at a third of the time
            out: Array = np.asarray(trues == x.size if name == "all" else trues > 0)
        elif type(x) is np.ndarray:  # what numpy's function calls, at half of the time
            out = rows(np.asarray(ufunc.reduce(x, axis=d, keepdims=keepdim)))
        else:
            out = reduce(x, axis=d, keepdims=keepdim)
        if x.dtype.char == "B":  # uint8, which was PyTorch's type of truth before bool
            out = input.node.dev.array(out).astype(np.uint8)
        return constant(out, input.node.dev)

    public()(named(truth, name, f"Are {name} elements true (nonzero), over ``dim``?"))


_publish_truth("all", np.all, np.logical_and)
_publish_truth("any", np.any, np.logical_or)


@public()
def count_nonzero(input: Tensor, dim: Dims = None, *more: int) -> Tensor:
    """How many elements are not 0, in all or along dimensions: ``count_nonzero(0, 1)``."""
    if more:
        dim = shape_of((dim, *more), "count_nonzero")
    if dim is None and type(input.array) is np.ndarray:
        return constant(np.asarray(np.count_nonzero(input.array)), input.node.dev)
    return (input != 0).sum(dim)
