"""The methods of Tensor and of Scalar that are functions: one loop binds them.

Which they are, with their signatures, the stub ``methods.pyi`` says, for editors and type checkers.
``python scripts/stubs.py --write`` writes it anew.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..backends import definitions
from ..base.promises import Promises
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

    def __init__(self, name: str, methods: Promises[Callable[..., Any]], cls: type):
        self.name, self.methods, self.cls = name, methods, cls

    def __get__(self, instance: object, owner: type) -> Argument:
        method = self.methods[self.name]
        if vars(self.cls).get(self.name) is self:
            setattr(self.cls, self.name, method)
        return method.__get__(instance, owner)


def bind_promised(
    methods: Promises[Callable[..., Any]], names: Iterable[str], to: type = Methods
) -> None:
    """As ``bind_methods``, of methods that were promised."""
    for name in names:
        setattr(to, name, Promised(name, methods, to))


class Later:
    """Stands for a method that a file binds (``bind_methods``) when it is imported."""

    def __init__(self, name: str, module: str, cls: type):
        self.name, self.module, self.cls = name, module, cls

    def __get__(self, instance: object, owner: type) -> Argument:
        importlib.import_module(self.module)
        if vars(self.cls).get(self.name) is self:
            raise AttributeError(f"{self.name} of {owner.__name__}, which {self.module} is to bind")
        return getattr(owner if instance is None else instance, self.name)


def bind_later(names: Iterable[str], module: str, to: type = Methods) -> None:
    """Have a file imported that binds these methods, when one of them is first asked for."""
    for name in names:
        setattr(to, name, Later(name, module, to))


def promise(contents: Mapping[str, Mapping[str, str]], folder: str) -> None:
    """Promise what the files of a folder declare, by the table that scripts/contents.py writes."""
    kinds = {"ops": REGISTRY, "kernels": definitions, "functions": FUNCTIONS, "methods": METHODS}
    for family, declared in contents.items():
        module = f"microtorch.{folder}.{family}"
        for kind, names in declared.items():
            if kind == "bound":
                bind_later(names.split(), module)
            else:
                kinds[kind].promise(names.split(), module)
        definitions.promise(declared.get("ops", "").split(), module)  # an op is a kernel, too


def bind_all(to: type = Methods) -> dict[str, Callable[..., Any]]:
    """All methods of Tensor (or Scalar) by name, made now."""
    return {name: getattr(to, name) for name in list(vars(to))}


promise(CONTENTS, "ops")
bind_promised(METHODS, METHODS.names())
# the twin of each formula; those of all else are in the table of the files
OWN_TWINS = {*formulas.TABLE} - {*PARTS, "where"}
bind_later([f"{name}_" for name in OWN_TWINS], "microtorch.handles.twins")
