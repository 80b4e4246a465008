"""numpy's functions on device arrays, through numpy's own protocols (NEP 13 for ufuncs, NEP 18 for functions).

An op's declaration says ``np.where(c, x, y)`` or ``np.add.reduce(x, axis=dim)``; numpy sees a device array among the arguments and
asks it, and the tables here name the kernel. So one declaration serves both memories. What is in no table raises an error that
says so (``missing``), or runs on the host where the user has asked for that (``fallback``).
"""
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import MissingKernel, message
from ...graph import here
from ..reference import UFUNCS
from . import reduce as reductions
from .array import Array
from .elementwise import empty, upload
from .indexing import along, nonzero, scatter
from .matmul import matmul

_mode = ["error"]
_warned: set[str] = set()


def fallback(where: str) -> None:
    """What happens to an op without an OpenCL kernel: ``"error"`` (as at the start), or ``"host"``.

    With "host" the operands are copied to the host, numpy computes, the result is copied back; each op says so once, as a
    UserWarning. Raises ValueError for any other word.
    """
    if where not in ("error", "host"):
        raise ValueError(f'fallback() takes "error" or "host", but got {where!r}')
    _mode[0] = where


def missing(name: str, device: Any) -> MissingKernel:
    return MissingKernel(
        message(
            f"opencl has no kernel '{name}'",
            f"on {device}; nothing is copied to the host unless you say so",
            fix=f"x.cpu() before it and .to('{device}') after it; or, once, torch.backends.opencl.fallback('host'), "
            "which does that for every op without a kernel",
        )
    )


def on_host(name: str, function: Callable[..., Any], runtime: Any, args: Any, kwargs: Any) -> Any:
    """``function`` on copies of the operands in host memory, the result copied back; or the error, as ``fallback`` says."""
    if _mode[0] != "host":
        raise missing(name, runtime.device)
    if name not in _warned:
        _warned.add(name)
        at = here()
        warnings.warn_explicit(f"opencl has no kernel '{name}': it runs on the host, with a copy there and back", UserWarning,
                               at.file, at.line)
    result = function(*_mapped(args, Array, lambda x: x.get()), **_mapped(kwargs, Array, lambda x: x.get()))
    return _mapped(result, (np.ndarray, np.generic), lambda x: upload(runtime, np.asarray(x)))


def _mapped(value: Any, kind: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {k: _mapped(v, kind, change) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_mapped(v, kind, change) for v in value])
    return type(value)(_mapped(v, kind, change) for v in value) if type(value) in (tuple, list) else value


# ---- ufuncs --------------------------------------------------------------------------------------------------------
NAMES: dict[Any, str] = {f: name for name, f in UFUNCS.items() if isinstance(f, np.ufunc)} | {
    np.power: "pow", np.floor_divide: "floor_divide", np.isnan: "isnan", np.isinf: "isinf", np.isfinite: "isfinite",
    **{getattr(np, name): name for name in ("logical_and", "logical_or", "logical_xor", "logical_not")},
    np.bitwise_and: "bitwise_and", np.bitwise_or: "bitwise_or", np.bitwise_xor: "bitwise_xor", np.invert: "bitwise_not",
    np.positive: "copied",
}  # fmt: skip


def ufunc(x: Array, ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """NEP 13: ``ufunc(*inputs)``, ``ufunc.reduce``, ``ufunc.at``."""
    if method == "__call__" and not kwargs.keys() - {"out"}:
        (out,) = kwargs.get("out", (None,))
        if ufunc is np.matmul:
            return matmul(*inputs)
        name = NAMES.get(ufunc)
        if name is not None and (out is None or isinstance(out, Array)):
            given = {} if out is None else {"out": out}
            return getattr(x.dev, name)(*inputs, **given)
    elif method == "reduce" and ufunc in reductions.UFUNCS:
        if kwargs.pop("out", (None,)) == (None,) and kwargs.keys() <= {"axis", "keepdims", "dtype", "initial"}:
            return reductions.reduce(
                inputs[0], reductions.UFUNCS[ufunc], kwargs.get("axis", 0), kwargs.get("keepdims", False), kwargs.get("dtype"),
                kwargs.get("initial"),
            )  # fmt: skip
    elif method == "at" and ufunc is np.add and isinstance(inputs[0], Array):
        return scatter(inputs[0], inputs[1], inputs[2], add=True)
    elif method == "accumulate" and ufunc in (np.add, np.multiply):
        return reductions.scan(inputs[0], reductions.UFUNCS[ufunc], kwargs.get("axis", 0))
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    return on_host(name, ufunc if method == "__call__" else getattr(ufunc, method), x.runtime, inputs, kwargs)


# ---- functions -----------------------------------------------------------------------------------------------------
FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def function(x: Array, function: Any, args: Any, kwargs: Any) -> Any:
    """NEP 18: a numpy function with a device array among its arguments."""
    implementation = FUNCTIONS.get(function)
    if implementation is None:
        return on_host(function.__name__, function, x.runtime, args, kwargs)
    return implementation(*args, **kwargs)


def implements(numpy_function: Any) -> Callable[[Any], Any]:
    def register(f: Any) -> Any:
        FUNCTIONS[numpy_function] = f
        return f

    return register


def device_of(*values: Any) -> Any:
    """The backend of the first device array among ``values``."""
    return next(v for v in values if isinstance(v, Array)).dev


FUNCTIONS[np.ndim] = lambda a: a.ndim
FUNCTIONS[np.shape] = lambda a: a.shape
FUNCTIONS[np.size] = lambda a: a.size
FUNCTIONS[np.dot] = lambda a, b, out=None: matmul(a, b)
FUNCTIONS[np.where] = lambda c, x, y: device_of(c, x, y).where(c, x, y)
FUNCTIONS[np.zeros_like] = lambda a, dtype=None, order="K", subok=True, shape=None: _filled(a, 0, dtype, shape)
FUNCTIONS[np.ones_like] = lambda a, dtype=None, order="K", subok=True, shape=None: _filled(a, 1, dtype, shape)
FUNCTIONS[np.full_like] = lambda a, fill_value, dtype=None, order="K", subok=True, shape=None: _filled(a, fill_value, dtype, shape)
FUNCTIONS[np.any] = lambda a, axis=None, out=None, keepdims=False: reductions.reduce(a, "any", axis, keepdims)
FUNCTIONS[np.all] = lambda a, axis=None, out=None, keepdims=False: reductions.reduce(a, "all", axis, keepdims)
FUNCTIONS[np.sum] = lambda a, axis=None, dtype=None, out=None, keepdims=False: reductions.reduce(a, "sum", axis, keepdims, dtype)
FUNCTIONS[np.cumsum] = lambda a, axis, dtype=None: reductions.scan(a, "sum", axis)
FUNCTIONS[np.cumprod] = lambda a, axis, dtype=None: reductions.scan(a, "prod", axis)
FUNCTIONS[np.argmax] = lambda a, axis=None, out=None, keepdims=False: reductions.place(a, True, axis, keepdims)
FUNCTIONS[np.argmin] = lambda a, axis=None, out=None, keepdims=False: reductions.place(a, False, axis, keepdims)
FUNCTIONS[np.argsort] = lambda a, axis=-1, kind=None: reductions.argsort(a, axis)
FUNCTIONS[np.nonzero] = lambda a: nonzero(a)
FUNCTIONS[np.count_nonzero] = lambda a: int(reductions.reduce(a.dev.ne(a, 0), "sum").item())
FUNCTIONS[np.broadcast_to] = lambda a, shape, subok=False: a.expand(tuple(shape))
FUNCTIONS[np.array_equal] = lambda a, b: a.shape == b.shape and bool(reductions.reduce(device_of(a, b).eq(a, b), "all").item())
FUNCTIONS[np.may_share_memory] = lambda a, b, max_work=None: getattr(a, "buffer", a) is getattr(b, "buffer", b)


def _filled(a: Array, value: Any, dtype: Any, shape: Any) -> Array:
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    return a.dev.full(shape, value, a.dtype if dtype is None else np.dtype(dtype))


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    dev = device_of(a, b)
    near = dev.le(dev.abs(a - b), atol + rtol * dev.abs(b))
    near = dev.logical_or(dev.logical_and(near, dev.isfinite(b)), dev.eq(a, b))  # infinities are close only to themselves
    return dev.logical_or(near, dev.logical_and(dev.isnan(a), dev.isnan(b))) if equal_nan else near


@implements(np.concatenate)
def concatenate(arrays: Any, axis: int = 0) -> Array:
    arrays = list(arrays)
    first = arrays[0]
    d = np.result_type(*[a.dtype for a in arrays])
    (axis,) = reductions.axes_of(axis, first.ndim)
    for a in arrays:
        if a.ndim != first.ndim or a.shape[:axis] + a.shape[axis + 1 :] != first.shape[:axis] + first.shape[axis + 1 :]:
            raise ValueError("all the input array dimensions except for the concatenation axis must match exactly")
    shape = (*first.shape[:axis], sum(a.shape[axis] for a in arrays), *first.shape[axis + 1 :])
    out, start = empty(first.runtime, shape, d), 0
    for a in arrays:
        n = a.shape[axis]
        region = out.view_of((*shape[:axis], n, *shape[axis + 1 :]), out.steps, out.at + start * out.steps[axis])
        first.dev.copied(a, out=region)
        start += n
    return out


@implements(np.stack)
def stack(arrays: Any, axis: int = 0) -> Array:
    arrays = list(arrays)
    if len({a.shape for a in arrays}) > 1:
        raise ValueError("all input arrays must have the same shape")
    (axis,) = reductions.axes_of(axis, arrays[0].ndim + 1)
    return concatenate([a.reshape((*a.shape[:axis], 1, *a.shape[axis:])) for a in arrays], axis)


@implements(np.flip)
def flip(m: Array, axis: Any = None) -> Array:
    axes = reductions.axes_of(axis, m.ndim)
    at = m.at + sum((m.shape[a] - 1) * m.steps[a] for a in axes if m.shape[a])
    return m.view_of(m.shape, [-s if d in axes else s for d, s in enumerate(m.steps)], at)


@implements(np.roll)
def roll(a: Array, shift: Any, axis: Any = None) -> Array:
    shifts, axes = ((v,) if isinstance(v, int) else tuple(v) for v in (shift, axis))
    for s, d in zip(shifts, axes, strict=True):
        n = a.shape[d]
        if n and s % n:
            before, after = (slice(None),) * d + (slice(n - s % n, n),), (slice(None),) * d + (slice(0, n - s % n),)
            a = concatenate([a[before], a[after]], d)
    return a.copy("K")


@implements(np.take)
def take(a: Array, indices: Any, axis: int) -> Array:
    return a[(slice(None),) * (axis % a.ndim) + (np.asarray(indices) if not isinstance(indices, Array) else indices,)]


@implements(np.take_along_axis)
def take_along_axis(arr: Array, indices: Array, axis: int) -> Array:
    return arr[along(indices, axis)]


@implements(np.diagonal)
def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    (one, two) = reductions.axes_of((axis1, axis2), a.ndim)
    n, m = a.shape[one], a.shape[two]
    length = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    at = a.at + ((offset * a.steps[two] if offset >= 0 else -offset * a.steps[one]) if length else 0)
    rest = [d for d in range(a.ndim) if d not in (one, two)]
    return a.view_of([*[a.shape[d] for d in rest], length], [*[a.steps[d] for d in rest], a.steps[one] + a.steps[two]], at)


@implements(np.copyto)
def copyto(dst: Array, src: Any, casting: Any = None, where: Any = True) -> None:
    dst.dev.copied(src if where is True else dst.dev.where(where, src, dst), out=dst)


@implements(np.repeat)
def repeat(a: Array, repeats: int, axis: int) -> Array:
    return take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis)


@implements(np.einsum)
def einsum(subscripts: str, *operands: Any, **options: Any) -> Array:
    """Contract the operands pair by pair, each pair as one batch of matrix products. One letter per dimension."""
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
    return (reductions.reduce(x, "sum", dims) if dims else x), "".join(c for c in name if c in kept)


def _pair(x: Array, p: str, y: Array, q: str, kept: str) -> tuple[Array, str]:
    x, p = _summed(x, p, kept + q)
    y, q = _summed(y, q, kept + p)
    size = dict(zip(p + q, x.shape + y.shape, strict=True))
    both = [c for c in p if c in q and c in kept]
    left, right = [c for c in p if c not in q], [c for c in q if c not in p]
    inner = [c for c in p if c in q and c not in kept]

    def matrix(a: Array, name: str, rows: list[str], columns: list[str]) -> Array:
        a = a.transpose([name.index(c) for c in (*both, *rows, *columns)])
        return a.reshape((int(np.prod([size[c] for c in both])), *(int(np.prod([size[c] for c in g])) for g in (rows, columns))))

    out = matmul(matrix(x, p, left, inner), matrix(y, q, inner, right))
    name = "".join([*both, *left, *right])
    return out.reshape(tuple(size[c] for c in name)), name
