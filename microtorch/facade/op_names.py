"""The names of custom ops: ``torch.ops.<namespace>.<name>``, and ``"namespace::name"``."""
from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ..base.errors import message

if TYPE_CHECKING:
    from ..base.types import Argument, Tree
    from .operators import CustomOpDef

REGISTRY: dict[str, dict[str, CustomOpDef]] = {}  # namespace -> name -> op


def split(qualname: str) -> tuple[str, str]:
    """Namespace and name. ValueError for what is not ``namespace::name``."""
    namespace, colons, name = qualname.partition("::")
    if not (colons and namespace.isidentifier() and name.isidentifier()):
        raise ValueError(
            message(
                f"Expected the name of a custom op to be namespace::name, got {qualname!r}",
                fix='name it as in "mylib::my_op"; overloads (a dot in the name) are not supported',
            )
        )
    return namespace, name


def find(op: str | CustomOpDef | Overload) -> CustomOpDef:
    """The op of a name "mylib::my_op", of torch.ops.mylib.my_op, or of its overload ``default``.

    RuntimeError if none is registered.
    """
    if isinstance(op, Overload):
        return op._op
    if not isinstance(op, str):
        if hasattr(op, "_qualname"):
            return op
        raise ValueError(message(f"got unexpected type for op: {type(op)}"))
    namespace, name = split(op)
    found = REGISTRY.get(namespace, {}).get(name)
    if found is None:
        raise RuntimeError(
            message(
                f"operator {op} does not exist",
                fix="declare it first: torch.library.custom_op, or torch.library.define",
            )
        )
    return found


class Overload:
    """``torch.ops.mylib.my_op`` and ``torch.ops.mylib.my_op.default``: the op itself, called."""

    def __init__(self, op: CustomOpDef, last: str = "") -> None:
        self._op, self._last, self._schema = op, last, op._schema
        self.__name__, self.__module__ = op._name + last, op.__module__

    def __call__(self, *args: Argument, **kwargs: Argument) -> Tree:
        return self._op(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{self._op._namespace}.{self._op._name}{self._last}"

    @property
    def default(self) -> Overload:
        """The one overload that there is."""
        return Overload(self._op, ".default")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # a copy is asked for before it has its attributes
            raise AttributeError(name)
        raise AttributeError(f"The underlying op of '{self!r}' has no overload name '{name}'")

    def overloads(self) -> list[str]:
        """The names of the overloads."""
        return ["default"]

    def name(self) -> str:
        """namespace::name."""
        return self._op._qualname


class OpNamespace:
    """``torch.ops.mylib``: the ops that are registered under this name (ops/__init__.py)."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<module 'torch.ops.{self._name}'>"

    def __dir__(self) -> list[str]:
        return sorted(REGISTRY.get(self._name, {}))

    def __getattr__(self, name: str) -> Overload:
        if name.startswith("_"):
            raise AttributeError(name)
        found = REGISTRY.get(self._name, {}).get(name)
        if found is not None:
            return Overload(found)
        raise AttributeError(
            message(
                f"'_OpNamespace' '{self._name}' object has no attribute '{name}'",
                fix=f"it has: {', '.join(dir(self))}",
            )
        )
