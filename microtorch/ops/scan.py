"""Scans: cumulative sums and products, log-sum-exps, and the recurrence of their derivatives."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import OBJECT, TORCH_TYPES, as_numpy
from ..backends import defines
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.op import Op
from ..engine.short import single
from .arguments import dim_of, owned, rows, whole_or_not
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, DTypeLike, Gradient, Namespace, Operand
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


def _reversed(F: Namespace, x: Operand, dim: int) -> Operand:
    return F.flip(x, dims=(dim,))


def _moved(F: Namespace, x: Operand, dim: int) -> Operand:
    """``x`` one place later along ``dim``, with its first element also in the last's place."""
    at, n = (slice(None),) * dim, x.shape[dim]
    first = F.getitem(x, index=(*at, slice(0, 1)))
    return F.cat(first, F.getitem(x, index=(*at, slice(0, n - 1))), dim=dim)


def _slices(F: Namespace, x: Array, dim: int) -> list[Array]:
    return [F.getitem(x, index=(slice(None),) * dim + (i,)) for i in range(x.shape[dim])]


def _from_the_end(F: Namespace, factors: Operand, g: Gradient, dim: int) -> Gradient:
    """s[i] = g[i] + factors[i + 1] · s[i + 1]."""
    moved = _moved(F, _reversed(F, factors, dim), dim)
    return _reversed(F, F.recurrence(moved, _reversed(F, g, dim), dim=dim), dim)


@defines
def cumprod_vjp0(F: Namespace, g: Array, out: Array, x: Array, dim: int) -> Array | None:
    """Without a zero, the product of all others is out / x. None if there is one."""
    if type(x) is not np.ndarray or not x.size or not out.all():
        return None
    flipped = np.flip(np.cumsum(np.flip(g * out, dim), dim), dim)
    return np.ascontiguousarray(flipped / x)


def _cumprod_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int) -> Gradient:
    if math.prod(x.shape) <= 1 or x.shape[dim] == 1:
        return g
    numbers = getattr(x, "array", x)
    if type(numbers) is np.ndarray and numbers.all():
        # the product of all others is out / x. PyTorch reads both, too: hooks on them see it
        return _reversed(F, F.cumsum(_reversed(F, out * g, dim), dim=dim), dim) / x
    # the gradient of the tail's products, times the product of all elements before
    return shifted_products(F, x, dim, False) * _from_the_end(F, x, g, dim)


# ---- s[i] = b[i] + a[i] s[i - 1] -----------------------------------------------------------------
def _recurrence(F: Namespace, a: Array, b: Array, dim: int) -> Array:
    """The first-order linear recurrence along ``dim``; a[0] plays no part.

    Few long rows go through Python numbers, of which each step takes a tenth of numpy's time on
    short arrays; many rows go together, step by step.
    """
    n = b.shape[dim]
    if not b.size:
        return b.copy()
    if type(b) is not np.ndarray:
        pairs = zip(_slices(F, a, dim), _slices(F, b, dim), strict=True)
        steps = itertools.accumulate(pairs, lambda s, ab: (None, ab[1] + ab[0] * s[1]))
        return F.stack(*[s for _, s in steps], dim=dim)
    left, right = np.moveaxis(a, dim, 0).reshape(n, -1), np.moveaxis(b, dim, 0).reshape(n, -1)
    if left.shape[1] < 8 or a.dtype is OBJECT:
        total = np.empty_like(right)
        for j in range(total.shape[1]):
            total[:, j] = _run(left[1:, j].tolist(), right[:, j].tolist())
    else:
        total = right.copy()
        for i in range(1, n):
            total[i] += left[i] * total[i - 1]
    moved = np.moveaxis(b, dim, 0).shape
    return rows(np.moveaxis(total.reshape(moved), 0, dim))


def _run(factors: list[Any], terms: list[Any]) -> list[Any]:
    factor = iter(factors).__next__
    return list(itertools.accumulate(terms, lambda s, b: b + factor() * s))


def _recurrence_vjps(place: int) -> Callable[..., Gradient]:
    def vjp(F: Namespace, g: Gradient, out: Operand, a: Operand, b: Operand, dim: int) -> Gradient:
        if a.shape[dim] == 0:
            return g
        s = _from_the_end(F, a, g, dim)
        return s if place else s * _before(F, out, dim)

    return vjp


def _before(F: Namespace, out: Operand, dim: int) -> Operand:
    """``out`` one place later along ``dim``, with 0 first."""
    at, n = (slice(None),) * dim, out.shape[dim]
    nothing = F.getitem(out, index=(*at, slice(0, 1))) * 0
    return F.cat(nothing, F.getitem(out, index=(*at, slice(0, n - 1))), dim=dim)


recurrence_op = Op(
    "recurrence",
    _recurrence,
    vjps=(_recurrence_vjps(0), _recurrence_vjps(1)),
    saves=("x out", "x"),
    complex="holomorphic",
    rule=("the recurrence of g from the end, times out before", "the recurrence of g from the end"),
)


# ---- log Σ exp -----------------------------------------------------------------------------------
def _logcumsumexp_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int) -> Gradient:
    # x[i] contributes exp(x[i] - out[j]) to each out[j] after it: what of it is left at out[i],
    # and then what is left of that at each next place, which is never above 1
    if x.shape[dim] == 0:
        return g
    nothing = out == -math.inf
    below = F.where(nothing, 0, out)
    kept = F.where(F.abs(out) == math.inf, 0, F.exp(_moved(F, below, dim) - below))
    return F.where(nothing, 0, F.exp(x - below)) * _from_the_end(F, kept, g, dim)


WIDE = 600  # numbers whose exponentials double holds beside one another


def _logcumsumexp(F: Namespace, x: Array, dim: int) -> Array:
    if type(x) is np.ndarray and x.dtype.kind == "f":
        return rows(np.logaddexp.accumulate(x, dim))
    if x.dtype.kind == "c":
        out = _log_of_sums(x, dim) if x.size else x.copy()
        if out is not None:
            return out
    return F.stack(*itertools.accumulate(_slices(F, x, dim), F.logaddexp), dim=dim)


def _log_of_sums(x: Array, dim: int) -> Array | None:
    """The running log Σ exp(x) of complex numbers, all at once; None where that would overflow.

    A logarithm is known up to 2 pi i. One sum after the other, it would be that of the larger of
    the sum before and the new number, turned by less than pi / 2: so its turns are counted.
    """
    z = np.moveaxis(x, dim, -1).astype(np.complex128)
    top, low = z.real.max(), z.real.min()
    if not np.isfinite(z).all() or top - low > WIDE:
        return None
    sums = np.cumsum(np.exp(z - top), -1)
    if not sums.all():
        return None
    out = np.log(sums)
    size, angle = out.real + top, out.imag
    anew = np.ones(z.shape, bool)  # is the new number the larger one?
    anew[..., 1:] = size[..., :-1] < z.real[..., 1:]
    from_ = z.imag.copy()
    np.copyto(from_[..., 1:], angle[..., :-1], where=~anew[..., 1:])
    turn = angle - from_
    turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
    total = np.cumsum(turn, -1)
    last = np.maximum.accumulate(np.where(anew, np.arange(z.shape[-1]), 0), -1)
    begun = np.take_along_axis(z.imag - total + turn, last, -1)
    turns = np.round((begun + total - angle) / (2 * np.pi))
    out = size + 1j * (angle + 2 * np.pi * turns)
    return rows(np.moveaxis(out, -1, dim).astype(x.dtype))


@defines
def logcumsumexp_in_segments(F: Namespace, x: Array) -> Array:
    """Of one long row, in segments side by side: each has its own sums, and then that of those
    before it.
    """
    length = math.isqrt(len(x))
    whole = len(x) - len(x) % length
    own = F.logcumsumexp(x[:whole].reshape(-1, length), 1)
    before = F.logcumsumexp(own[:, -1], 0)
    own[1:] = F.logaddexp(own[1:], before[:-1, None])
    if whole == len(x):
        return own.reshape(-1)
    rest = F.logaddexp(F.logcumsumexp(x[whole:], 0), before[-1:])
    return np.concatenate([own.reshape(-1), rest])


logcumsumexp_op = Op(
    "logcumsumexp",
    _logcumsumexp,
    vjps=(_logcumsumexp_vjp,),
    saves=("x out",),
    rule=("Σ g · exp(x − out), over all results after it",),
    complex="holomorphic",
)


add_along: Callable[..., Array] = np.add.accumulate  # np.cumsum takes a microsecond more
cumsum_op = Op(
    "cumsum",
    lambda F, x, dim: rows(add_along(x, dim, np.int64 if x.dtype.kind in "biu" else None)),
    vjps=(_cumsum_vjp,),
    rule=("g, summed from the end",),
)
cumprod_op = Op(
    "cumprod",
    lambda F, x, dim: rows(np.cumprod(x, dim, np.int64 if x.dtype.kind in "biu" else None)),
    vjps=(_cumprod_vjp,),
    ties=False,
    saves=("x out",),
    rule=("Σ g · the product of all others up to there",),
    complex="holomorphic",
)


def _publish(op: Op, what: str) -> None:
    def scan(input: Tensor, dim: int, *, dtype: DTypeLike | None = None) -> Tensor:
        if dtype is not None:
            if as_numpy(dtype).kind == "b":
                reason = f"\"{op.name}_out_cpu\" not implemented for 'Bool'"
                raise NotImplementedError(message(reason, fix="leave out dtype: masks are counted"))
            out: Tensor = scan(whole_or_not(input, dtype), dim)
            return out if out.array.dtype == as_numpy(dtype) else out.to(dtype=dtype)
        d = dim_of(dim, input.array.ndim, op.name)
        if not input.array.ndim:
            return owned(scan(input.reshape(1), 0).reshape(()))
        return single(op, input, {"dim": d})

    public()(named(scan, op.name, f"The running {what} along ``dim``."))


_publish(cumsum_op, "sum")
_publish(cumprod_op, "product")


@public()
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The running log Σ exp(x) along ``dim``, without overflow."""
    if input.array.dtype.kind not in "fcV":
        kind = TORCH_TYPES[input.array.dtype.name]
        what = f"\"logcumsumexp_out_cpu\" not implemented for '{kind}'"
        raise NotImplementedError(message(what, describe(input), fix="x.float()"))
    d = dim_of(dim, input.array.ndim, "logcumsumexp")
    if not input.array.ndim:
        return owned(logcumsumexp(input.reshape(1), 0).reshape(()))
    return single(logcumsumexp_op, input, {"dim": d})
