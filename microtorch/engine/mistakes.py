"""What was wrong with a call that has failed. Imported when the first one has."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import NoTensor, message, no_memory
from .argument_types import INTS, TENSORS, is_one, kinds, misfit, no_fit, parameters_of, remedy
from .handle import Handle

if TYPE_CHECKING:
    from ..base.types import Argument

MOST = 2**63  # the first int that 64 bits do not hold


def plain(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """A call with Python's numbers in the place of numpy's, and of tensors that stand for an int.

    None if there are none. It is made when the call as it was given has failed.
    """
    parameters = parameters_of(f)
    names = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    found = False

    def number(value: Argument, name: str | None) -> Argument:
        nonlocal found
        one = isinstance(value, np.generic)
        if not one and name is not None and name in parameters and is_one(value, "iu"):
            one = not TENSORS & {*kinds(str(parameters[name].annotation))}
        found = found or one
        return value.item() if one else value

    named = dict(zip(range(len(args)), names, strict=False))
    again = [number(x, named.get(i)) for i, x in enumerate(args)]
    more = {k: number(x, k) for k, x in kwargs.items()}
    return (again, more) if found else None


def _no_tensor(
    f: Callable[..., Any], args: Iterable[Any], kwargs: Mapping[str, Any], e: AttributeError
) -> NoTensor | None:
    """The error for an argument, or for one in a list, that is no tensor: it lacks an attribute."""
    for name, x in [*(("", x) for x in args), *kwargs.items()]:
        for one in (x, *(x if isinstance(x, (tuple, list)) else ())):
            if one is e.obj and not isinstance(one, Handle):
                what = f"expected a Tensor, but got {type(one).__name__}"
                annotation = getattr(parameters_of(f).get(name), "annotation", "")
                if name and "Tensor" not in str(annotation):
                    what = f"argument '{name}' cannot be {type(one).__name__}"
                return NoTensor(message(f"{f.__name__}(): {what}"))
    return None


def beyond(f: Callable[..., Any], args: Sequence[Argument]) -> Exception | None:
    """The error for an int that 64 bits do not hold, in a call that failed; None if there is none.

    TypeError in a list of sizes, ValueError where one int is expected.
    """
    listed = bool(args) and isinstance(args[0], (tuple, list))
    if listed or f.__code__.co_flags & inspect.CO_VARARGS:
        for i, n in enumerate(args[0] if listed else args, 1):
            if type(n) is int and not -MOST <= n < MOST:
                what = f"{f.__name__}(): argument 'size' failed to unpack the object at pos {i} "
                return TypeError(message(what + 'with error "Overflow when unpacking long long"'))
    for n, p in zip(args, parameters_of(f).values(), strict=False):
        if type(n) is int and not -MOST <= n < MOST and INTS & {*kinds(str(p.annotation))}:
            return ValueError(message("Overflow when unpacking long long"))
    return None


def mistaken(
    f: Callable[..., Any], args: Iterable[Any], kwargs: Mapping[str, Any], e: Exception,
    strict: bool = True,
) -> Exception:  # fmt: skip
    """A call's error, or the TypeError for an argument of a wrong type, where there is one.

    Unless ``strict`` also a choice ("mean") may be of any type: the function itself refuses it.
    """
    if isinstance(e, TypeError) and "\n  at " in str(e):  # Python's own name no argument
        return e
    if isinstance(e, MemoryError):
        return e if isinstance(e, RuntimeError) else no_memory(e)
    parameters = parameters_of(f)
    if isinstance(e, AttributeError) and (wrong := _no_tensor(f, args, kwargs, e)) is not None:
        return wrong
    names = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for i, (name, value) in enumerate([*zip(names, args, strict=False), *kwargs.items()], 1):
        annotation = parameters[name].annotation if name in parameters else None
        if isinstance(annotation, str) and value is not parameters[name].default:
            if type(value) is int and not -MOST <= value < MOST and INTS & set(kinds(annotation)):
                return ValueError(message("Overflow when unpacking long long"))
            if should := misfit(annotation, value):
                # PyTorch's Python says so before its C++ looks at types
                if not strict and (
                    isinstance(e, (ValueError, AssertionError))
                    or (should in ("str", "bool") and type(e) is not RuntimeError)
                ):
                    return e
                place = f" (position {i})" if name not in kwargs else ""
                what = f"argument '{name}'{place} must be {should}, not {type(value).__name__}"
                fix = remedy(value, should)
                return no_fit(should)(message(f"{f.__name__}(): {what}", fix=fix))
    return e
