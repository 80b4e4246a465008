"""numpy's functions on device arrays, through numpy's own protocols: NEP 13 for ufuncs, NEP 18 for
functions.

An op's declaration says ``np.where(c, x, y)`` or ``np.add.reduce(x, axis=dim)``. numpy sees a
device array among the arguments and asks it, and the tables here name the kernel. So one
declaration serves both memories. What is in no table raises an error that says so (``missing``), or
runs on the host where the user has asked for that (``fallback``).
"""
from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...arrays.device import device
from ...base.errors import MissingKernel, message
from ...graph import here
from ..reference import UFUNCS
from . import reduce as reductions
from .array import Array, Axis, Operand
from .indexing import gather_index, nonzero, scatter
from .layout import Shape, axes_of
from .matmul import matmul
from .memory import concatenate, upload
from .runtime import Runtime

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .backend import OpenCL

_fallback = ["error"]
_warned: set[str] = set()


def fallback(where: str) -> None:
    """What happens to an op without an OpenCL kernel: ``"error"`` (as at the start), or ``"host"``.

    With "host" the operands are copied to the host, numpy computes, and the result is copied back;
    each op says so once, as a UserWarning. Raises ValueError for any other word.
    """
    if where not in ("error", "host"):
        raise ValueError(f'fallback() takes "error" or "host", but got {where!r}')
    _fallback[0] = where


def missing(name: str, device: device) -> MissingKernel:
    return MissingKernel(
        message(
            f"opencl has no kernel '{name}'",
            f"on {device}; nothing is copied to the host unless you say so",
            fix=f"x.cpu() before it and .to('{device}') after it; or, once, "
            "torch.backends.opencl.fallback('host'), which does that for every op without a kernel",
        )
    )


def on_host(
    name: str, function: Callable[..., Any], runtime: Runtime, args: Sequence[Any],
    named: Mapping[str, Any],
) -> Any:  # fmt: skip
    """``function`` on copies of the operands in host memory, the result copied back; or the error,
    as ``fallback`` says."""
    if _fallback[0] != "host":
        raise missing(name, runtime.device)
    if name not in _warned:
        _warned.add(name)
        at = here()
        text = f"opencl has no kernel '{name}': it runs on the host, with a copy there and back"
        warnings.warn_explicit(text, UserWarning, at.file, at.line)
    args, named = (_mapped(v, Array, lambda x: x.get()) for v in (tuple(args), dict(named)))
    result = function(*args, **named)
    return _mapped(result, (np.ndarray, np.generic), lambda x: upload(runtime, np.asarray(x)))


def _mapped(
    value: Any, kind: type | tuple[type, ...], change: Callable[[Any], Any]
) -> Any:
    """``value`` with ``change`` made to what is of a kind in it, in containers, too."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {k: _mapped(v, kind, change) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_mapped(v, kind, change) for v in value])
    if type(value) in (tuple, list):
        return type(value)(_mapped(v, kind, change) for v in value)
    return value


# ---- ufuncs --------------------------------------------------------------------------------------
NAMES: dict[np.ufunc, str] = {
    **{f: name for name, f in UFUNCS.items() if isinstance(f, np.ufunc)},
    **{getattr(np, name): name for name in (
        "floor_divide", "isnan", "isinf", "isfinite", "signbit", "copysign", "nextafter",
        "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_or",
        "bitwise_xor")},
    np.power: "pow", np.invert: "bitwise_not", np.positive: "copied",
    np.sign: "sign",
}  # fmt: skip


def call_ufunc(
    x: Array, ufunc: np.ufunc, method: str, inputs: Sequence[Any], named: dict[str, Any]
) -> Any:
    """NEP 13: ``ufunc(*inputs)``, ``ufunc.reduce``, ``ufunc.at``, ``ufunc.accumulate``."""
    if method == "__call__" and not named.keys() - {"out"}:
        (out,) = named.get("out", (None,))
        if ufunc is np.matmul:
            return matmul(*inputs)
        if ufunc is np.frexp and out is None:
            return x.dev.mantissa(x), x.dev.exponent(x, dtype=np.dtype(np.int32))
        name = NAMES.get(ufunc)
        if name is not None and (out is None or isinstance(out, Array)):
            return getattr(x.dev, name)(*inputs, **({} if out is None else {"out": out}))
    elif method == "reduce" and ufunc in reductions.BY_UFUNC:
        options = {k: v for k, v in named.items() if k != "out"}
        if named.get("out", (None,)) == (None,) and options.keys() <= REDUCE_OPTIONS:
            return _reduce(inputs[0], ufunc, **options)
    elif method == "at" and ufunc is np.add and isinstance(inputs[0], Array):
        return scatter(inputs[0], inputs[1], inputs[2], add=True)
    elif method == "accumulate" and ufunc in (np.add, np.multiply):
        return reductions.scan(inputs[0], reductions.BY_UFUNC[ufunc], named.get("axis", 0))
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    return on_host(name, function, x.runtime, inputs, named)


REDUCE_OPTIONS = {"axis", "keepdims", "dtype", "initial"}


def _reduce(
    x: Array, ufunc: np.ufunc, axis: Axis = 0, keepdims: bool = False,
    dtype: np.dtype | None = None, initial: float | None = None,
) -> Array:  # fmt: skip
    out = reductions.reduce(x, reductions.BY_UFUNC[ufunc], axis, keepdims, dtype, initial)
    if initial is None:
        return out
    combined: Array = ufunc(out, initial)
    return combined


# ---- functions -----------------------------------------------------------------------------------
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}


def call_function(
    x: Array, function: Callable[..., Any], args: Sequence[Any], named: dict[str, Any]
) -> Any:
    """NEP 18: a numpy function with a device array among its arguments."""
    implementation = FUNCTIONS.get(function)
    if implementation is None:
        return on_host(function.__name__, function, x.runtime, args, named)
    return implementation(*args, **named)


F = TypeVar("F", bound=Callable[..., Any])


def implements(numpy_function: Callable[..., Any]) -> Callable[[F], F]:
    def register(f: F) -> F:
        FUNCTIONS[numpy_function] = f
        return f

    return register


def backend_of(*values: object) -> OpenCL:
    """The backend of the first device array among ``values``."""
    return next(v for v in values if isinstance(v, Array)).dev


FUNCTIONS[np.ndim] = lambda a: a.ndim
FUNCTIONS[np.shape] = lambda a: a.shape
FUNCTIONS[np.size] = lambda a: a.size
FUNCTIONS[np.dot] = lambda a, b, out=None: matmul(a, b)
FUNCTIONS[np.where] = lambda c, x, y: backend_of(c, x, y).where(c, x, y)
FUNCTIONS[np.nonzero] = nonzero
FUNCTIONS[np.concatenate] = concatenate
FUNCTIONS[np.broadcast_to] = lambda a, shape, subok=False: a.expand(tuple(shape))
FUNCTIONS[np.argsort] = lambda a, axis=-1, kind=None: reductions.argsort(a, axis)
FUNCTIONS[np.cumsum] = lambda a, axis, dtype=None: reductions.scan(a, "sum", axis)
FUNCTIONS[np.cumprod] = lambda a, axis, dtype=None: reductions.scan(a, "prod", axis)


# ---- new arrays like another ---------------------------------------------------------------------
@implements(np.zeros_like)
def zeros_like(
    a: Array, dtype: DTypeLike | None = None, order: str = "K", subok: bool = True,
    shape: int | Shape | None = None,
) -> Array:  # fmt: skip
    return full_like(a, 0, dtype, order, subok, shape)


@implements(np.ones_like)
def ones_like(
    a: Array, dtype: DTypeLike | None = None, order: str = "K", subok: bool = True,
    shape: int | Shape | None = None,
) -> Array:  # fmt: skip
    return full_like(a, 1, dtype, order, subok, shape)


@implements(np.full_like)
def full_like(
    a: Array, fill_value: float, dtype: DTypeLike | None = None, order: str = "K",
    subok: bool = True, shape: int | Shape | None = None,
) -> Array:  # fmt: skip
    sizes = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    return a.dev.full(sizes, fill_value, a.dtype if dtype is None else np.dtype(dtype))


# ---- reductions, and questions -------------------------------------------------------------------
@implements(np.sum)
def total(
    a: Array, axis: Axis = None, dtype: np.dtype | None = None, out: None = None,
    keepdims: bool = False,
) -> Array:  # fmt: skip
    return reductions.reduce(a, "sum", axis, keepdims, dtype)


@implements(np.any)
def some(a: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    return reductions.reduce(a, "any", axis, keepdims)


@implements(np.all)
def every(a: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    return reductions.reduce(a, "all", axis, keepdims)


@implements(np.argmax)
def argmax(a: Array, axis: int | None = None, out: None = None, keepdims: bool = False) -> Array:
    return reductions.arg_extreme(a, True, axis, keepdims)


@implements(np.argmin)
def argmin(a: Array, axis: int | None = None, out: None = None, keepdims: bool = False) -> Array:
    return reductions.arg_extreme(a, False, axis, keepdims)


@implements(np.count_nonzero)
def count_nonzero(a: Array) -> int:
    return int(reductions.reduce(a.dev.ne(a, 0), "sum"))


@implements(np.array_equal)
def array_equal(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(reductions.reduce(backend_of(a, b).eq(a, b), "all"))


@implements(np.may_share_memory)
def may_share_memory(a: Any, b: Any, max_work: int | None = None) -> bool:
    return getattr(a, "buffer", a) is getattr(b, "buffer", b)


@implements(np.isclose)
def isclose(
    a: Array, b: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    dev = backend_of(a, b)
    near: Array = abs(a - b) <= atol + rtol * abs(b)
    near = near & dev.isfinite(b) | dev.eq(a, b)  # infinities are close only to themselves
    return near | dev.isnan(a) & dev.isnan(b) if equal_nan else near


# ---- joining, moving, picking --------------------------------------------------------------------
@implements(np.stack)
def stack(arrays: Iterable[Array], axis: int = 0) -> Array:
    arrays = list(arrays)
    if len({a.shape for a in arrays}) > 1:
        raise ValueError("all input arrays must have the same shape")
    (axis,) = axes_of(axis, arrays[0].ndim + 1)
    rows = [a.reshape((*a.shape[:axis], 1, *a.shape[axis:])) for a in arrays]
    return concatenate(rows, axis)


@implements(np.flip)
def flip(m: Array, axis: Axis = None) -> Array:
    axes = axes_of(axis, m.ndim)
    at = m.at + sum((m.shape[a] - 1) * m.steps[a] for a in axes if m.shape[a])
    return m.view_of(m.shape, [-s if d in axes else s for d, s in enumerate(m.steps)], at)


@implements(np.roll)
def roll(a: Array, shift: int | Sequence[int], axis: int | Sequence[int]) -> Array:
    shifts, axes = ((v,) if isinstance(v, int) else tuple(v) for v in (shift, axis))
    for s, d in zip(shifts, axes, strict=True):
        n = a.shape[d]
        if n and s % n:
            cut, others = n - s % n, (slice(None),) * d
            after, before = (*others, slice(cut, n)), (*others, slice(0, cut))
            a = concatenate([a[after], a[before]], d)
    return a.copy("K")


@implements(np.take)
def take(a: Array, indices: Any, axis: int) -> Array:
    indices = indices if isinstance(indices, Array) else np.asarray(indices)
    place = *(slice(None),) * (axis % a.ndim), indices
    return a[place]


@implements(np.take_along_axis)
def take_along_axis(arr: Array, indices: Array, axis: int) -> Array:
    return arr[gather_index(indices, axis)]


@implements(np.repeat)
def repeat(a: Array, repeats: int, axis: int) -> Array:
    return take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis)


@implements(np.diagonal)
def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    (one, two) = axes_of((axis1, axis2), a.ndim)
    n, m = a.shape[one], a.shape[two]
    length = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    first = offset * a.steps[two] if offset >= 0 else -offset * a.steps[one]
    rest = [d for d in range(a.ndim) if d not in (one, two)]
    shape, steps = [a.shape[d] for d in rest], [a.steps[d] for d in rest]
    step = a.steps[one] + a.steps[two]
    return a.view_of([*shape, length], [*steps, step], a.at + (first if length else 0))


@implements(np.copyto)
def copyto(
    dst: Array, src: Operand, casting: str | None = None, where: bool | Array = True
) -> None:
    dst.dev.copied(src if where is True else dst.dev.where(where, src, dst), out=dst)


# ---- einsum --------------------------------------------------------------------------------------
@implements(np.einsum)
def einsum(subscripts: str, *operands: Array, **options: Any) -> Array:
    """Contract the operands pair by pair, each pair as one batch of matrix products. One letter
    per dimension."""
    terms, result = subscripts.split("->")
    names = terms.split(",")
    xs = list(operands)
    while len(xs) > 1:
        later = set(result).union(*names[2:])
        kept = [c for c in dict.fromkeys(names[0] + names[1]) if c in later]
        x, name = _pair(xs[0], names[0], xs[1], names[1], "".join(kept))
        xs[:2], names[:2] = [x], [name]
    x, name = _summed(xs[0], names[0], result)
    return x.transpose([name.index(c) for c in result])


def _summed(x: Array, name: str, kept: str) -> tuple[Array, str]:
    """x summed over its letters that are not in ``kept``."""
    dims = tuple(i for i, c in enumerate(name) if c not in kept)
    sums = reductions.reduce(x, "sum", dims) if dims else x
    return sums, "".join(c for c in name if c in kept)


def _pair(x: Array, p: str, y: Array, q: str, kept: str) -> tuple[Array, str]:
    """Two operands, with letters p and q, contracted to one with the letters ``kept``."""
    x, p = _summed(x, p, kept + q)
    y, q = _summed(y, q, kept + p)
    size = dict(zip(p + q, x.shape + y.shape, strict=True))
    both = [c for c in p if c in q and c in kept]
    left, right = [c for c in p if c not in q], [c for c in q if c not in p]
    inner = [c for c in p if c in q and c not in kept]

    def matrix(a: Array, name: str, rows: list[str], columns: list[str]) -> Array:
        a = a.transpose([name.index(c) for c in (*both, *rows, *columns)])
        return a.reshape([math.prod(size[c] for c in letters) for letters in (both, rows, columns)])

    out = matmul(matrix(x, p, left, inner), matrix(y, q, inner, right))
    name = "".join([*both, *left, *right])
    return out.reshape(tuple(size[c] for c in name)), name
