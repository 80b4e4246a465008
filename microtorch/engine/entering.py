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

from ..arrays import dtypes
from ..arrays.dtypes import F32
from .autocast import listed
from .handle import Handle
from .kept import keeping
from .out import into
from .registry import REGISTRY
from .short import single

if TYPE_CHECKING:
    from ..base.types import Argument

F = TypeVar("F", bound=Callable[..., Any])

ROUNDED_ONCE = frozenset(
    "addbmm addcdiv addcmul addmm addmv addr baddbmm group_norm histc interpolate lerp matrix_exp "
    "round scaled_dot_product_attention".split()
)


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


def entered(f: F) -> F:
    """``f`` as users call it."""
    return f if "entered" in vars(f) else _marked(listed(keeping(rounded_once(f))), f)


def _marked(wrapped: F, f: F) -> F:
    if wrapped is not f:
        vars(wrapped)["entered"] = True
    return wrapped


def enter_all(module: dict[str, Any]) -> None:
    """``entered`` for each function that a module, given as its globals, exports."""
    for name in module["__all__"]:
        if inspect.isfunction(module[name]):
            module[name] = entered(module[name])
