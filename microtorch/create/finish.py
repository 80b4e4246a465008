"""What all functions that make tensors share: how they are exported, and their options."""
from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from inspect import CO_VARKEYWORDS
from typing import TYPE_CHECKING, Any, TypeVar, cast

from numpy import ndarray

from ..arrays import dtypes, quiet
from ..arrays.device import CPU, default
from ..arrays.layout import strided
from ..backends import cpu, home
from ..base.errors import describe, message, no_memory
from ..engine.argument_types import check_type
from ..engine.calling import fitting, looker, reading
from ..engine.leaf import leaf
from ..engine.operands import NUMBERS
from ..engine.out import into
from ..engine.record import constant, constant_of, note_order
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Array, DeviceLike, DType, DTypeLike, Setting
    from ..handles.tensor import Tensor
    from ..handles.tensor import Tensor as Handle
else:
    from ..engine.handle import Handle

F = TypeVar("F", bound=Callable[..., Any])


def export(f: F, name: str = "", plain: Callable[..., Tensor] | None = None) -> F:
    """Export a function as ``microtorch.<name>``; a decorator, too.

    ``plain``: what it does where only positions are given, if that takes less time.

    One that makes tensors (it has a parameter ``device``) takes the options that all of PyTorch's
    take: ``out``, ``layout`` and ``pin_memory``. One that draws for given chances takes ``out``.
    """
    code = getattr(f, "__code__", None)
    if code is not None:
        own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        new = not {"data", "obj"}.intersection(own)  # else it may be a tensor that there was
        if new and "device" in own and "requires_grad" in own:
            f = with_options(f, plain or f)
        elif "generator" in own and "out" not in own and "device" not in own:
            FUNCTIONS[name or f.__name__] = reading(f)
            return f
        elif ("device" in own or code.co_flags & CO_VARKEYWORDS) and looker(f)[0] < len(own):
            FUNCTIONS[name or f.__name__] = reading(f, out=False)
            return f
    FUNCTIONS[name or f.__name__] = f
    return f


def with_options(f: F, plain: Callable[..., Tensor]) -> F:
    """``f`` with ``out``, ``layout`` and ``pin_memory``.

    The result has the dtype of ``out`` unless one is asked for. Raises NotImplementedError for a
    layout other than ``torch.strided``.
    """
    first, fits, known, look = looker(f)
    draws = "generator" in f.__code__.co_varnames

    @functools.wraps(f)
    def function(*args: object, **kwargs: object) -> object:
        try:
            if (n := len(args)) > first:
                types = type(args[-1]) if n == first + 1 else tuple(map(type, args[first:]))
                if types not in fits:
                    args = tuple(look(args))
            if not kwargs:
                return plain(*args)
            if len(kwargs) == 1 and kwargs.get("requires_grad") is True:
                return requiring(plain(*args))
            check_layout(f.__name__, kwargs.pop("layout", None))
            if (pinned := kwargs.pop("pin_memory", None)) is not None:
                check_type(f.__name__, "pin_memory", "bool", pinned)
            out = kwargs.pop("out", None)
            for name, value in kwargs.items():
                # what reads a dtype or a device says more
                if name not in ("dtype", "device") and type(value) not in known.get(name, ()):
                    fitting(f, name, value, known)
            if out is None:
                return f(*args, **kwargs)
            # what is drawn for given tensors is of their dtype
            of_tensors = draws and any(isinstance(x, Handle) for x in (*args, *kwargs.values()))
            if isinstance(out, Handle) and not of_tensors:
                kwargs = {"dtype": out.dtype, "device": out.device} | kwargs
            return into(out, f, args, kwargs)
        except (MemoryError, ValueError, AttributeError, RuntimeError) as e:
            from ..engine.mistakes import beyond, mistaken

            of_numpy = isinstance(e, (MemoryError, ValueError))
            other = no_memory(e) if of_numpy else mistaken(f, args, kwargs, e)
            if (other := beyond(f, args) or other) is e:
                raise
            raise other from None

    return cast(F, function)


def check_layout(name: str, layout: object) -> None:
    """Raise NotImplementedError for a layout that microtorch has not, TypeError for what is none.
    """
    if layout is not None and layout is not strided:
        check_type(name, "layout", "layout", layout, "layout=torch.strided")
        raise NotImplementedError(
            message(f"{name}(): layout {layout} is not in microtorch", fix="layout=torch.strided")
        )


def chosen(dtype: DTypeLike | None, otherwise: DType | None = None) -> DType:
    """numpy's dtype for the ``dtype`` a user gave; for None, ``otherwise`` or the default one."""
    if dtype is not None:
        return dtypes.as_numpy(dtype)
    return dtypes.default_numpy() if otherwise is None else otherwise


def number(value: Tensor | AnyNumber, wrong: type[Exception] = TypeError) -> Setting:
    """The number that an argument is or holds. TypeError, or ``wrong``, for any other Tensor."""
    if type(value) in NUMBERS:
        return value
    if isinstance(value, Handle) and not value.array.ndim:
        if value.node.needs and wrong is TypeError:
            what = "argument must be Number, not a Tensor that requires gradient"
            raise TypeError(message(what, describe(value), fix="x.item(), or torch.stack"))
        return value.item()
    if isinstance(value, Handle):
        raise wrong(message(f"a Tensor of 0 dimensions stands for a number, not {describe(value)}"))
    if isinstance(value, (list, tuple, str)) or value is None:
        raise TypeError(message(f"argument must be Number, not {type(value).__name__}"))
    return value


def finish(array: Array, device: DeviceLike | None, requires_grad: bool) -> Tensor:
    """The tensor on an array, which is copied if it does not lie in the device's memory."""
    if type(requires_grad) is not bool:
        kind = type(requires_grad).__name__
        raise TypeError(message(f"argument 'requires_grad' must be bool, not {kind}"))
    if (warnings.filters or quiet.NONE)[0] is not quiet.own:
        quiet.stand_first()
    if type(array) is ndarray and (device is CPU or (device is None and default.device is None)):
        # `constant`, for the common case
        t = constant_of(array, cpu.of(array.dtype))
        if not array.flags.c_contiguous:
            note_order(t)
    else:
        t = constant(array, home(device, array.dtype))
    return requiring(t) if requires_grad else t


def requiring(t: Tensor) -> Tensor:
    """``t``, which nobody has seen yet, as a leaf that requires gradient."""
    if type(t.array) is not ndarray:
        return t.requires_grad_()
    leaf(t, new=True)
    return t
