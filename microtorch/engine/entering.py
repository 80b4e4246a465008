"""What happens where a function is entered, by its name: one wrapper, made of its rows in tables.

Before it runs, operands are cast under autocast (autocast.py), and dtypes refused that PyTorch has
no kernel for. A function that is one kernel in PyTorch and composed of several ops here would round
its 16-bit numbers after each of them: those of ROUNDED_ONCE run in float32, and their result is
rounded. The casts are ops, so gradients are rounded once as well.

After it, the result lies in memory as PyTorch's does, and its node bears PyTorch's name and watches
what PyTorch's derivative keeps (kept.py).

The package calls a function as ``entered`` makes it, users as ``called`` does.
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import F32, TORCH_TYPES
from ..arrays.memory_format import is_channels_last
from ..base.errors import describe, message
from . import autocast
from .autocast import LISTED, recast, region
from .calling import EXPORTED, reading
from .handle import Handle
from .kept import KEPT, keep
from .out import into
from .record import moved
from .registry import REGISTRY
from .short import single

if TYPE_CHECKING:
    from ..base.types import Argument

F = TypeVar("F", bound=Callable[..., Any])
Before: TypeAlias = "Callable[..., Any]"  # (function, args, kwargs) -> the result, if it takes over
After: TypeAlias = "Callable[..., Any]"  # (result, args, kwargs) -> the result

BEYOND = 65  # more dimensions than an array may have
ROUNDED_ONCE = frozenset(
    "addbmm addcdiv addcmul addmm addmv addr baddbmm glu interpolate lerp matrix_exp renorm "
    "round scaled_dot_product_attention upsample upsample_bilinear".split()
)
# those of them that are one op for tensors of one dtype and numbers, which rounds once by itself
ONE_OP = frozenset("addcdiv addcmul lerp round".split())
NO_LIMIT = 6e4  # numbers below it are held by every dtype of 16 bits


# functions of images whose result PyTorch lays out as their input
OF_IMAGES = frozenset(
    [f"{name}{n}d{more}" for n in (2, 3) for more in ("", "_with_indices")
     for name in ("conv", "conv_transpose", "max_pool")]
) | frozenset(
    "adaptive_avg_pool2d adaptive_max_pool2d adaptive_max_pool2d_with_indices avg_pool2d "
    "batch_norm cat channel_shuffle group_norm interpolate lp_pool2d max_unpool2d pad "
    "pixel_shuffle pixel_unshuffle rms_norm upsample upsample_bilinear upsample_nearest".split()
)  # fmt: skip


def entered(f: F) -> F:
    """``f`` as the package calls it."""
    if "entered" in vars(f):
        return f
    after = _after(f)
    before = _before(f.__name__, "", after)
    if before is after is None:
        return f

    @functools.wraps(f)
    def function(*args: Argument, **kwargs: Argument) -> Argument:
        if before is not None and (taken := before(function, args, kwargs)) is not None:
            return taken
        result = f(*args, **kwargs)
        return result if after is None else after(result, args, kwargs)

    vars(function)["entered"] = True
    return cast(F, function)


def called(
    f: F, out: bool = True, strict: bool = True, kinds: str = "", shown: After | None = None
) -> F:
    """``f`` as users call it, read as ``reading`` says.

    ``kinds``: of numpy's dtypes, those that its first operand may have. ``shown``: gives the
    result's node the name that PyTorch shows.
    """
    if getattr(f, "reading", False):
        return f
    if f in EXPORTED and not kinds:
        return cast(F, EXPORTED[f])
    written = cast(F, inspect.unwrap(f)) if "entered" in vars(f) else f
    after = _after(written, shown)
    name = written.__name__
    before, rank = _before(name, kinds, after), 4 if name in OF_IMAGES else BEYOND
    rank = 0 if hasattr(after, "quick") else rank
    of_regions = not kinds and name not in ROUNDED_ONCE
    made = reading(written, out, strict, before, after, rank, of_regions)
    vars(made)["entered"] = True
    return made


def _before(name: str, kinds: str, after: After | None) -> Before | None:
    """What precedes a function of this name; None: nothing does."""
    lists, rounds = name in LISTED, name in ROUNDED_ONCE
    if not (lists or rounds or kinds):
        return None

    def before(
        call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Argument:
        if lists and autocast.regions and (now := region.get()) is not None:
            return recast(name, now, call, args, kwargs)
        if not (rounds or kinds):
            return None
        first = args[0] if args else next(iter(kwargs.values()), None)
        if not isinstance(first, Handle):
            return None
        d = first.array.dtype
        if kinds and d.kind not in kinds:
            what = f"\"{name}\" not implemented for '{TORCH_TYPES[d.name]}'"
            raise NotImplementedError(message(what, describe(first), fix="x.float()"))
        if not rounds or d.itemsize != 2 or d.kind not in "fV":
            return None
        if name in ONE_OP and _is_one_op(d, args, kwargs):
            return None
        if any(_wider(x, first) for x in (*args, *kwargs.values())):
            return None  # promoted to the wider dtype, or refused
        out = kwargs.pop("out", None)
        if out is not None:  # it takes the rounded result
            return into(out, call, args, kwargs)
        wide = [_widened(x, d) for x in args], {k: _widened(v, d) for k, v in kwargs.items()}
        result = call(*wide[0], **wide[1]).to(dtypes.FROM_NUMPY[d])
        return result if after is None else after(result, args, kwargs)

    return before


def _is_one_op(d: np.dtype[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Are the operands tensors of dtype ``d``, and numbers that it holds?"""
    if "out" in kwargs or "decimals" in kwargs:
        return False
    for x in (*args, *kwargs.values()):
        if isinstance(x, Handle):
            if x.array.dtype != d:
                return False
        elif (type(x) is not float and type(x) is not int) or not -NO_LIMIT < x < NO_LIMIT:
            return False
    return True


def _widened(x: Argument, d: np.dtype[Any]) -> Argument:
    """``x`` in float32, if it is a tensor of dtype ``d``."""
    if isinstance(x, Handle) and x.array.dtype == d:
        return single(REGISTRY["cast"], x, {"dtype": F32})
    return x


def _wider(x: Argument, first: Handle) -> bool:
    """Is ``x`` a tensor of another floating or complex dtype, which the result then has?"""
    if not isinstance(x, Handle) or x.array.dtype == first.array.dtype:
        return False
    if x.array.dtype.kind == "c":
        return True
    return x.array.dtype.kind in "fVc" and (x.array.ndim > 0 or first.array.ndim == 0)


def _after(f: Callable[..., Any], shown: After | None = None) -> After | None:
    """What follows a function; None: nothing does."""
    name = f.__name__
    images, kept = name in OF_IMAGES, KEPT.get(name)
    looks_at = 2 if name.startswith("conv") else 1  # at its weight, too
    if not images and kept is None and shown is None:
        return None
    code = f.__code__
    parameters = code.co_varnames[: code.co_argcount]

    def after(result: Argument, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Argument:
        if images and getattr(getattr(result, "array", None), "ndim", 4) > 3:
            result = laid_as(result, args[:looks_at] if args else (kwargs.get("input"),))
        if kept is None and shown is None:
            return result
        first = result[0] if isinstance(result, tuple) and result else result
        if not isinstance(first, Handle) or first.node.op is None:  # nothing was recorded
            return result
        if kept is not None and first is result:
            keep(first.node, kept, dict(zip(parameters, args, strict=False)) | kwargs)
        return result if shown is None else shown(result, args, kwargs)

    if kept is not None or shown is not None or parameters[:1] != ("input",):
        return after

    def quickly(result: Argument, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Argument:
        """``after`` of images; what its first comparison says of most is found here."""
        try:
            for x in args[:looks_at]:
                steps = x.array.strides
                if len(steps) > 3 and 0 < steps[1] <= steps[-1]:
                    return after(result, args, kwargs)
        except AttributeError:  # a sparse one
            return after(result, args, kwargs)
        return result if args else after(result, args, kwargs)

    vars(quickly)["quick"] = True
    return quickly


def laid_as(out: Argument, inputs: tuple[Any, ...]) -> Argument:
    """A result, which lies in memory as images do that are ``channels_last``, if an input does.

    Kernels give rows; what lies otherwise is a copy, for scripts that look at ``stride()``.
    """
    for x in inputs:
        a = getattr(x, "array", None)  # a sparse tensor has none
        if type(a) is np.ndarray:
            lies = is_channels_last(a)
        else:  # several to be joined?
            lies = type(x) in (tuple, list) and bool(x) and all(map(_is_last, x))
        if lies:
            return tuple_of(out, _laid) if isinstance(out, tuple) else _laid(out)
    return out


def _is_last(x: Argument) -> bool:
    a = getattr(x, "array", None)
    return type(a) is np.ndarray and is_channels_last(a)


def _laid(t: Argument) -> Argument:
    """A result that nobody has seen yet, with its channels side by side."""
    if type(a := t.array) is np.ndarray and a.ndim in (4, 5) and not is_channels_last(a):
        if t.origin is None:
            t.node.storage = None  # of what was made on the way
            return moved(t, np.moveaxis(np.moveaxis(a, 1, -1).copy("C"), -1, 1))
    return t


def tuple_of(found: Argument, change: Callable[[Argument], Argument]) -> Argument:
    """A tuple, or a named one, of what ``change`` makes of its elements."""
    made = [change(x) for x in found]
    return type(found)(*made) if hasattr(found, "_fields") else tuple(made)
