"""The running program's own classes and functions: what a file may name with weights_only=False.

A model keeps a configuration, or a function of the program's; a checkpoint keeps a vocabulary. As
for whole modules, nothing is imported and no `__init__` runs: an object is made empty, and is given
its attributes. A function or method is found by its name, and is never called. Classes of Python's
library and of installed packages are not among them: some of those do harm by being made. Nor is a
class with `__del__`, which would run on attributes that the file has chosen.
"""

from __future__ import annotations

import enum
import functools
import sys
import sysconfig
import types
from collections.abc import Callable
from pathlib import Path

from ..base.errors import message
from ..nn.module import Module
from . import modules
from .errors import refused
from .guard import Guard
from .rebuild import Call

_OURS = (__package__.partition(".")[0], "viz")
_INSTALLED = [Path(sysconfig.get_path(k)) for k in ("stdlib", "platstdlib", "purelib", "platlib")]
_PACKAGES = {"site-packages", "dist-packages"}


def _is_own(module: str) -> bool:
    """Is it a module of the program: `__main__`, or a file that nobody has installed?"""
    found = sys.modules.get(module)
    if found is None or module.partition(".")[0] in _OURS:
        return False
    if module == "__main__":
        return True
    file = getattr(found, "__file__", None)
    if not isinstance(file, str):
        return False
    path = Path(file)
    return not _PACKAGES.intersection(path.parts) and not any(
        path.is_relative_to(folder) for folder in _INSTALLED
    )


def read(module: str, name: str) -> type | types.FunctionType | None:
    """The program's own class or function of this name; None where it has none."""
    found = modules.located(f"{module}.{name}".split("."))
    if not isinstance(found, (type, types.FunctionType)) or not _is_own(found.__module__):
        return None
    return None if hasattr(found, "__del__") else found


def written(x: object) -> str:
    """The name by which a file calls a class or function of the program; empty for others."""
    if not isinstance(x, (type, types.FunctionType)):
        return ""
    return f"{x.__module__}.{x.__qualname__}" if read(x.__module__, x.__qualname__) is x else ""


def is_plain(x: object) -> bool:
    """Is it an object of such a class, made of nothing but its attributes, or its fields?"""
    kind = type(x)
    if not written(kind):
        return False
    if isinstance(x, enum.Enum) or (isinstance(x, tuple) and hasattr(kind, "_fields")):
        return True
    parts = x.__reduce_ex__(2)
    return (
        isinstance(parts, tuple)
        and getattr(parts[0], "__name__", "") == "__newobj__"
        and parts[1] == (kind,)
        and not any(part is not None for part in parts[3:])  # no list's or dict's elements
    )


def maker(kind: type) -> Call:
    """What stands for a call of the class: an object of which `__init__` has not run."""

    def make(guard: Guard, *args: object) -> object:
        if issubclass(kind, enum.Enum):
            for member in kind:
                if [type(member.value), member.value] == [*map(type, args), *args]:
                    return member
            raise TypeError(message(f"{kind.__name__} has no member of this value"))
        if issubclass(kind, tuple) and len(getattr(kind, "_fields", ())) == len(args):
            return tuple.__new__(kind, args)
        if args:
            raise TypeError(message(f"a {kind.__name__} is made from arguments"))
        return object.__new__(kind)

    return make


def member_of(holder: object, name: object) -> enum.Enum | None:
    """The member of an enumeration of the program's: how Python 3.11 before .4 names it."""
    if isinstance(holder, type) and issubclass(holder, enum.Enum) and written(holder):
        return holder.__members__.get(name) if isinstance(name, str) else None
    return None


def method_of(holder: object, name: object) -> types.MethodType | None:
    """The bound method of a module, or of an object of the program's, that a file names."""
    kind = type(holder)
    if not isinstance(name, str) or name.startswith("_"):
        return None
    if not isinstance(holder, Module) and not written(kind):
        return None
    found = next((vars(k)[name] for k in kind.__mro__ if name in vars(k)), None)
    return types.MethodType(found, holder) if isinstance(found, types.FunctionType) else None


def is_named(x: types.MethodType) -> bool:
    """Would `method_of` find this method?"""
    return method_of(x.__self__, x.__name__) == x


def make_partial(guard: Guard, function: object = None) -> functools.partial[object]:
    """functools.partial of a function that the file has named, which it does not call."""
    if not isinstance(function, (type, types.FunctionType, types.MethodType)):
        raise refused("it has a functools.partial of what is no function")
    called: Callable[..., object] = function
    return functools.partial(called)
