"""What is exported to users: ``public`` makes a function ``microtorch.<name>`` and a method."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

METHODS: dict[str, Callable[..., Any]] = {}  # methods of Tensor (handles/methods.py binds them)
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # exported as microtorch.<name>


def public(
    *, method: bool = True, function: bool = True, aliases: Sequence[str] = ()
) -> Callable[[F], F]:
    """Export a function of Tensors as ``microtorch.<name>`` and as a Tensor method.

    Its first parameter is the method's self. One with a parameter ``dim`` also takes numpy's names,
    ``axis`` and ``keepdims``, as PyTorch's do.
    """

    def export(f: F) -> F:
        f.__qualname__ = f.__name__  # as Python's own messages show it
        positional = f.__code__.co_varnames[: f.__code__.co_argcount]
        if "dim" in positional and "axis" not in f.__code__.co_varnames:
            f = numpy_names(f)
        own = f.__name__.rstrip("_") if f.__name__.endswith("__") else f.__name__
        for name in (own, *aliases):
            if method:
                METHODS[name] = f
            if function:
                FUNCTIONS[name] = f
        return f

    return export


def numpy_names(f: F) -> F:
    """``f``, which takes ``axis`` for ``dim`` and ``keepdims`` for ``keepdim`` as well."""

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in kwargs and ours not in kwargs:
                kwargs[ours] = kwargs.pop(theirs)
        return f(*args, **kwargs)

    return cast(F, function)
