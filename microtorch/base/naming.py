"""Made functions bear the name of what they stand for, in tracebacks and in ``help()``."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def with_parameters(function: F, *names: str) -> F:
    """``function`` with other names for its first parameters: no call of it becomes slower."""
    code = function.__code__
    function.__code__ = code.replace(co_varnames=(*names, *code.co_varnames[len(names) :]))
    return function


def alias(function: F, name: str) -> F:
    """``function`` under a second name: the same code, which bears it. No call becomes slower."""
    return function if function.__name__ == name else _copy(function, name)


def speaking(found: T) -> T:
    """A class with copies, under its own name, of what it inherits from helpers and in its file.

    "Conv2d.__init__() missing 1 required positional argument", says Python then, and names no base
    class that nobody has heard of. Other objects as they are.
    """
    if not isinstance(found, type):
        return found
    for name in ("__init__", "forward"):
        inherited = getattr(found, name, None)
        if (
            isinstance(inherited, FunctionType)
            and name not in vars(found)
            and (inherited.__module__ == found.__module__ or inherited.__qualname__[0] == "_")
        ):
            made = _copy(inherited, name)
            made.__qualname__ = f"{found.__qualname__}.{name}"
            setattr(found, name, made)
    return found


def _copy(function: F, name: str) -> F:
    made: Any = FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )
    made.__qualname__, made.__doc__ = name, function.__doc__
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__, made.__module__ = function.__annotations__, function.__module__
    vars(made).update(vars(function))
    return made


def settle(place: str, names: Mapping[str, object]) -> None:
    """Give the functions among ``names`` the module that users import them from.

    By it and its name pickle finds a function again, as an argument of another process.
    """
    for name, f in names.items():
        if isinstance(f, FunctionType) and f.__name__ == name:
            f.__module__ = place


def return_type_text(result: NamedTuple) -> str:
    """How PyTorch prints a result of several named parts: the ``__repr__`` of a NamedTuple."""
    parts = zip(result._fields, result, strict=True)
    fields = ",\n".join([f"{name}={part!r}" for name, part in parts])
    return f"torch.return_types.{type(result).__name__}(\n{fields})"


def named(function: F, name: str, doc: str | None = None, **attributes: object) -> F:
    """``function`` under ``name``, with the docstring ``doc`` if given, and with attributes."""
    vars(function).update(attributes)
    function.__name__ = function.__qualname__ = name
    if doc is not None:
        function.__doc__ = doc
    return function
