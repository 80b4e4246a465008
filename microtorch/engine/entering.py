"""What is put around a function, by its name, where it is exported to users.

Casts under autocast are (autocast.py). So is this: a function that is one kernel in PyTorch and
composed of several ops here would round its 16-bit numbers after each of them. ``rounded_once``
runs it in float32, and rounds its result. The casts are ops, so gradients are rounded once as well.
What its derivative keeps in PyTorch is watched (kept.py).
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import F32
from ..arrays.memory_format import is_channels_last
from .autocast import listed
from .handle import Handle
from .kept import keeping
from .out import into
from .record import moved
from .registry import REGISTRY
from .short import single

if TYPE_CHECKING:
    from ..base.types import Argument

F = TypeVar("F", bound=Callable[..., Any])

ROUNDED_ONCE = frozenset(
    "addbmm addcdiv addcmul addmm addmv addr baddbmm group_norm histc interpolate lerp matrix_exp "
    "round scaled_dot_product_attention".split()
)


# functions of images whose result PyTorch lays out as their input
OF_IMAGES = frozenset(
    f"{name}{n}d{more}" for n in (2, 3) for more in ("", "_with_indices")
    for name in ("conv", "conv_transpose", "max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool",
                 "adaptive_max_pool")
) | {"batch_norm", "cat", "group_norm", "interpolate", "pad", "pixel_shuffle"}  # fmt: skip


def rounded_once(f: F) -> F:
    """``f``, which computes in float32 if its first operand is of 16 bits and its name listed."""
    if f.__name__ not in ROUNDED_ONCE:
        return f
    mixes = f.__name__ != "group_norm"  # it takes float32 weights beside a 16-bit input

    @functools.wraps(f)
    def function(*args: Argument, **kwargs: Argument) -> Argument:
        first = args[0] if args else next(iter(kwargs.values()), None)
        if not isinstance(first, Handle):
            return f(*args, **kwargs)
        d = first.array.dtype
        if d.itemsize != 2 or d.kind not in "fV":
            return f(*args, **kwargs)
        if mixes and any(_wider(x, first) for x in (*args, *kwargs.values())):
            return f(*args, **kwargs)  # promoted to the wider dtype, or refused

        def wide(x: Argument) -> Argument:
            if isinstance(x, Handle) and x.array.dtype == d:
                return single(REGISTRY["cast"], x, {"dtype": F32})
            return x

        out = kwargs.pop("out", None)
        if out is not None:  # it takes the rounded result
            return into(out, cast(F, function), args, kwargs)
        kwargs = {k: wide(v) for k, v in kwargs.items()}
        return f(*map(wide, args), **kwargs).to(dtypes.FROM_NUMPY[d])

    return cast(F, function)


def _wider(x: Argument, first: Handle) -> bool:
    """Is ``x`` a tensor of another floating or complex dtype, which the result then has?"""
    if not isinstance(x, Handle) or x.array.dtype == first.array.dtype:
        return False
    if x.array.dtype.kind == "c":
        return True
    return x.array.dtype.kind in "fVc" and (x.array.ndim > 0 or first.array.ndim == 0)


def laid_as_images(f: F) -> F:
    """``f``, whose result lies in memory as images do that are ``channels_last``, if they are.

    Kernels give rows; what lies otherwise is a copy, for scripts that look at ``stride()``.
    """
    if f.__name__ not in OF_IMAGES:
        return f
    looks_at = 2 if f.__name__.startswith("conv") else 1  # at its weight, too

    @functools.wraps(f)
    def function(*args: Argument, **kwargs: Argument) -> Argument:
        out = f(*args, **kwargs)
        if getattr(getattr(out, "array", None), "ndim", 4) < 4:
            return out
        for x in args[:looks_at] if args else (kwargs.get("input"),):
            if type(x) in (tuple, list) and x:  # several to be joined
                lies = all(map(_is_last, x))
            else:
                lies = _is_last(x)
            if lies:
                return tuple_of(out, _laid) if isinstance(out, tuple) else _laid(out)
        return out

    return cast(F, function)


def _is_last(x: Argument) -> bool:
    try:
        a, storage = x.array, x.node.storage
    except AttributeError:  # no tensor, or a sparse one
        return False
    if type(a) is not np.ndarray or a.ndim not in (4, 5):
        return False
    if (storage is None or not storage.turned) and a.shape[1] != 1:
        return False  # it lies in rows, as nearly all do; of one channel, in both orders
    return is_channels_last(a)


def _laid(t: Argument) -> Argument:
    """A result that nobody has seen yet, with its channels side by side."""
    if type(a := t.array) is np.ndarray and a.ndim in (4, 5) and not is_channels_last(a):
        if t.origin is None and t.node.storage is None:
            return moved(t, np.moveaxis(np.moveaxis(a, 1, -1).copy("C"), -1, 1))
    return t


def tuple_of(found: Argument, change: Callable[[Argument], Argument]) -> Argument:
    """A tuple, or a named one, of what ``change`` makes of its elements."""
    made = [change(x) for x in found]
    return type(found)(*made) if hasattr(found, "_fields") else tuple(made)


def entered(f: F) -> F:
    """``f`` as users call it."""
    if "entered" in vars(f):
        return f
    return _marked(listed(keeping(rounded_once(laid_as_images(f)))), f)


def _marked(wrapped: F, f: F) -> F:
    if wrapped is not f:
        vars(wrapped)["entered"] = True
    return wrapped


def enter_all(module: dict[str, Any]) -> None:
    """``entered`` for each function that a module, given as its globals, exports."""
    for name in module["__all__"]:
        if inspect.isfunction(module[name]):
            module[name] = entered(module[name])
