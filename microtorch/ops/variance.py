"""The variance and the standard deviation, with the mean beside them on wish."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..backends import defines
from ..backends.variances import ROUNDING, shows_rounding, squares
from ..base.errors import describe, message, warn
from ..base.naming import named
from ..engine.op import Op
from ..engine.short import single
from .arguments import dims_of, rows
from .reduce import add_up, count, keep
from .surface import METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Dims, Gradient, Namespace, Operand, Shape
    from ..handles.tensor import Tensor


def _deviations(x: Array, dim: Shape | None) -> tuple[Array, Array]:
    mean = add_up(x, axis=dim, keepdims=True) / (count(x, dim) or 1)
    return mean, add_up(squares(x - mean), axis=dim, keepdims=True)


@defines
def deviations(F: Namespace, x: Array, dim: Shape | None) -> tuple[Array, Array]:
    """The mean over ``dim``, which is kept, and the sum of the squares of what differs from it."""
    return _deviations(x, dim)


def _var(F: Namespace, x: Array, dim: Shape | None, correction: float, keepdim: bool) -> Array:
    n = count(x, dim)
    of = F.deviations if type(x) is np.ndarray and x.dtype in ROUNDING else _deviations
    mean, total = of(x, dim)
    if type(total) is np.ndarray and total.dtype in ROUNDING:
        if shows_rounding(total, mean, n, n):
            first = tuple([slice(1) if dim is None or d in dim else slice(None)
                           for d in range(x.ndim)])  # fmt: skip
            total[(x == x[first]).all(dim, keepdims=True)] = 0
    total = rows(total if keepdim else total.squeeze(dim))
    if n == 0:
        return total * total.dtype.type(math.nan)
    if total.dtype.kind not in "fV":
        return total / (n - correction)
    if n > correction:
        narrow = total.dtype not in ROUNDING  # where a number of Python's may not fit
        return total / (total.dtype.type(n - correction) if narrow else n - correction)
    with np.errstate(divide="ignore", invalid="ignore"):  # said once, by the function itself
        return total / max(total.dtype.type(n - correction), total.dtype.type(0))


def _centred(F: Namespace, x: Operand, dim: Dims) -> Operand:
    return x - F.mean(x, dim=dim, keepdim=True)


def _of_centred(
    F: Namespace, g: Gradient, x: Operand, dim: Shape | None, divisor: float, times: float
) -> Gradient:
    """g · times · (x − mean) / divisor; without degrees of freedom, divided by 0 as the value is.
    """
    centred = _centred(F, x, dim)
    if divisor > 0:
        return keep(F, g, x, dim) * centred * (times / divisor)
    nan, inf = centred * math.nan, centred * 0 + math.inf  # in the dtype of x
    return keep(F, g, x, dim) * F.where(centred == 0, nan, inf)


def _var_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Shape | None, correction: float,
    keepdim: bool,
) -> Gradient:  # fmt: skip
    return _of_centred(F, g, x, dim, count(x, dim) - correction, 2)


def _std_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Shape | None, correction: float,
    keepdim: bool,
) -> Gradient:  # fmt: skip
    each = F.where(out == 0, 0, g / out)  # at 0 its derivative is NaN, as PyTorch's
    return _of_centred(F, each, x, dim, count(x, dim) - correction, 1)


var_op = Op(
    "var", _var, vjps=(_var_vjp,), saves=("x",), rule=("g · 2 (x − mean) / (n − correction)",),
    complex="own",
)


def _std(F: Namespace, x: Array, dim: Shape | None, correction: float, keepdim: bool) -> Array:
    """The root of the variance; in float64 where squares leave float32, as PyTorch's always are."""
    plain = type(x) is np.ndarray
    var = F.var(x, dim, correction, keepdim) if plain else _var(F, x, dim, correction, keepdim)
    if plain and x.dtype == np.float32 and count(x, dim) > correction:
        left = (var < 1e-30) | (var == math.inf)  # below, their digits are fewer
        if left.any() if var.ndim else left:
            wide = x.astype(np.float64).var(axis=dim, ddof=correction, keepdims=keepdim)
            return rows(np.asarray(np.sqrt(wide), np.float32))
    return F.sqrt(var)


std_op = Op(
    "std",
    _std,
    vjps=(_std_vjp,),
    saves=("x out",),
    rule=("g · (x − mean) / ((n − correction) · out)",),
    complex="own",
)


def _publish_spread(op: Op, what: str) -> None:
    def spread(
        input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None,
    ) -> Tensor:  # fmt: skip
        if isinstance(dim, bool):  # var(unbiased): PyTorch's other overload
            dim, unbiased = None, dim
        if input.array.dtype.kind not in "fcV":
            wrong = f"{op.name}: input dtype must be floating point, but got {describe(input)}"
            raise RuntimeError(message(wrong, fix="x.float()"))
        if correction is not None and unbiased is not None:
            raise TypeError(
                message(
                    f"{op.name}() received an invalid combination of arguments: unbiased and "
                    "correction say the same",
                    fix="correction=1 is unbiased=True",
                )
            )
        if correction is None:
            correction = 1 if unbiased is None or unbiased else 0
        dim = dims_of(dim, input.array.ndim, op.name) if dim is not None else None
        if count(input.array, dim or None) <= correction:
            warn(
                f"{op.name}(): degrees of freedom is <= 0. Correction should be strictly less than "
                "the reduction factor (input numel divided by output numel).",
            )
        attrs = {"dim": (dims := dim or None), "correction": correction, "keepdim": keepdim}
        return single(op, input, attrs, dims, correction, keepdim)

    doc = f"The {what} over ``dim``; sums are divided by n - correction (1)."
    public()(named(spread, op.name, doc))


_publish_spread(var_op, "variance")
_publish_spread(std_op, "standard deviation")


def _publish_with_mean(name: str, what: str) -> None:
    def with_mean(
        input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        spread = METHODS[name](input, dim, unbiased, keepdim, correction=correction)
        return spread, METHODS["mean"](input, None if isinstance(dim, bool) else dim, keepdim)

    public(method=False)(named(with_mean, f"{name}_mean", f"({what}, mean), as {name} and mean."))


_publish_with_mean("var", "variance")
_publish_with_mean("std", "standard deviation")
