"""The methods of Tensor and of Scalar that are functions: one loop binds them.

Which they are, with their signatures, the stub ``methods.pyi`` says, for editors and type checkers.
``python scripts/stubs.py --write`` writes it anew.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..backends import definitions
from ..engine.handle import Handle
from ..engine.registry import REGISTRY
from ..graph import Node
from ..notation import formulas
from ..ops.contents import CONTENTS
from ..ops.elementwise import PARTS  # which promises a method for each formula
from ..ops.surface import FUNCTIONS, METHODS

if TYPE_CHECKING:
    from ..base.types import Argument

class Methods(Handle):
    """The functions of ``ops/``, their in-place twins, and what ``bind_methods`` adds later."""

    __slots__ = ()


class ScalarMethods(Node):
    """The arithmetic of a Scalar, which scalar.py makes, and its ``backward``."""

    __slots__ = ()


def bind_methods(methods: Mapping[str, Callable[..., Any]], to: type = Methods) -> None:
    """Make functions methods of every Tensor (or Scalar): their first parameter is self."""
    for name, f in methods.items():
        setattr(to, name, f)


class Promised:
    """Stands for a method that is made when it is first asked for, and then takes this place."""

    def __init__(self, name: str, by: str | Callable[[str], Callable[..., Any]], cls: type):
        self.name, self.by, self.cls = name, by, cls

    def __get__(self, instance: object, owner: type) -> Argument:
        # of a str, the method of this very class: `instance` may override it, and ask by super()
        if isinstance(self.by, str):
            importlib.import_module(self.by)
            method = vars(self.cls)[self.name]
            if method is self:
                raise AttributeError(f"{self.name}, which {self.by} has not bound, or not yet")
        else:
            method = self.by(self.name)
            if vars(self.cls).get(self.name) is self:
                setattr(self.cls, self.name, method)
        return method.__get__(instance, owner)


def promise_methods(
    names: Iterable[str], by: str | Callable[[str], Callable[..., Any]], to: type = Methods
) -> None:
    """As ``bind_methods``, of methods that are made when they are first asked for: by the module
    that binds them when it is imported, or by a function of the name.
    """
    for name in names:
        setattr(to, name, Promised(name, by, to))


def promise(contents: Mapping[str, Mapping[str, str]], folder: str) -> None:
    """Promise what the files of a folder declare, by the table that scripts/contents.py writes."""
    kinds = {"ops": REGISTRY, "kernels": definitions, "functions": FUNCTIONS, "methods": METHODS}
    for family, declared in contents.items():
        module = f"microtorch.{folder}.{family}"
        for kind, names in declared.items():
            if kind == "bound":
                promise_methods(names.split(), module)
            else:
                kinds[kind].promise(names.split(), module)
        promise_methods(declared.get("methods", "").split(), METHODS.__getitem__)
        definitions.promise(declared.get("ops", "").split(), module)  # an op is a kernel, too


def bind_all(to: type = Methods) -> dict[str, Callable[..., Any]]:
    """All methods of Tensor (or Scalar) by name, made now."""
    return {name: getattr(to, name) for name in list(vars(to))}


promise_methods(METHODS.names(), METHODS.__getitem__)  # of formulas
# and their twins; those of all else are in the table of the files
promise_methods(
    [f"{name}_" for name in formulas.TABLE if name not in (*PARTS, "where")],
    "microtorch.handles.twins",
)
promise(CONTENTS, "ops")
