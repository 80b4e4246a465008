"""Containers: modules in lists and dicts. (Those of parameters: parameter_lists.py.)

A plain Python list of modules would hide them from `parameters()`; these containers register what
they hold under the index or key. `Sequential` is the only one that computes something: it feeds
each module's output to the next.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from ...base.errors import message
from ..messages import indent, not_a_module
from ..module import Module

if TYPE_CHECKING:
    from typing_extensions import Self


class _Numbered(Module):
    """What Sequential and ModuleList share: children named "0", "1", ..., used as a list."""

    def _index(self, index: SupportsIndex) -> int:
        return in_range(self, index, len(self))

    def _renumber(self, modules: Iterable[Module]) -> None:
        children = list(modules)
        self._modules.clear()
        for number, module in enumerate(children):
            self.add_module(str(number), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is child for child in self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Module | Self:
        """The module at `index`; a slice gives a container of the same class."""
        if isinstance(index, slice):
            return self._sliced(list(self._modules.items())[index])
        return list(self._modules.values())[self._index(index)]

    def __setitem__(self, index: int, module: Module | None) -> None:
        self._check(module)
        self.add_module(list(self._modules)[self._index(index)], module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [names[self._index(index)]]:
            del self._modules[name]
        self._renumber(self._modules.values())

    def _sliced(self, items: list[tuple[str, Module]]) -> Self:
        raise NotImplementedError

    @staticmethod
    def _check(module: object) -> None:
        if not isinstance(module, Module) and module is not None:
            raise not_a_module(module)

    def append(self, module: Module | None) -> Self:
        """Add a module at the end; returns self."""
        self._check(module)
        number = len(self)
        while (
            str(number) in self._modules
        ):  # a slice keeps the names "1", "2": its length may be taken already
            number += 1
        self.add_module(str(number), module)
        return self

    def insert(self, index: int, module: Module | None) -> Self | None:
        """Put `module` before position `index`; Sequential's returns self, as in PyTorch."""
        self._check(module)
        number = operator.index(index)
        if not -len(self) <= number <= len(self):
            raise IndexError(
                message(
                    f"Index out of range: {number}",
                    f"{type(self).__name__}.insert() into {len(self)} modules",
                )
            )
        children = list(self._modules.values())
        children.insert(number, module)
        self._renumber(children)
        return self if isinstance(self, Sequential) else None

    def extend(self, modules: Iterable[Module | None]) -> Self:
        """Append every module of an iterable; returns self."""
        if not isinstance(modules, Iterable):
            raise not_iterable(f"{type(self).__name__}.extend", "an iterable", modules)
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int | slice) -> Module | Self:
        """Remove and return the module(s) at `key`."""
        found = self[key]
        del self[key]
        return found


class _Uncalled(Module):
    """What ModuleList and ModuleDict share: they have no forward.

    So pictures name their children with them: `layers.0`.
    """

    _instead_of_forward = "call its modules, or make it a nn.Sequential, which calls them in turn"

    def _label(self, label: str) -> None:
        super()._label(label)
        for name, child in self._modules.items():
            if child is not None:
                child._label(self._child_label(name))

    def _child_label(self, name: str) -> str:
        return name if self._scope_label == type(self).__name__ else f"{self._scope_label}.{name}"


class Sequential(_Numbered):
    """Modules in a row: Sequential(a, b)(x) is b(a(x)).

    Takes modules, or one OrderedDict of name -> module.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = (
            args[0].items()
            if len(args) == 1 and isinstance(args[0], OrderedDict)
            else enumerate(args)
        )
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def _sliced(self, items: list[tuple[str, Module]]) -> Self:
        return type(self)(OrderedDict(items))

    def __add__(self, other: Sequential) -> Sequential:
        _check_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Self:
        _check_sequential(other)
        return self.extend(other)

    def __mul__(self, times: int) -> Sequential:
        """The same modules, so many times in a row."""
        return Sequential(*(list(self) * _times(times)))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(list(self) * (_times(times) - 1))


class ModuleList(_Uncalled, _Numbered):
    """A list of modules; it has no forward: the module that owns it loops over it.

    None is kept at its place in it, as a layer that is left out.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _sliced(self, items: list[tuple[str, Module]]) -> Self:
        return type(self)(module for _, module in items)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __repr__(self) -> str:
        """Neighbours that print alike are shown once: `(0-2): 3 x Linear(...)`."""
        runs: list[tuple[int, int, str]] = []
        for number, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], number, text)
            else:
                runs.append((number, number, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            indent(
                f"({first}): {text}"
                if first == last
                else f"({first}-{last}): {last - first + 1} x {text}"
            )
            for first, last, text in runs
        ]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(_Uncalled):
    """A dict of modules, in order of insertion; it has no forward."""

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        self._modules.clear()

    def pop(self, key: str) -> Module:
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        return self._modules.keys()

    def items(self) -> Iterable[tuple[str, Module]]:
        return self._modules.items()

    def values(self) -> Iterable[Module]:
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        for key, module in pairs(self, modules):
            self[key] = module


def in_range(container: Module, index: SupportsIndex, size: int) -> int:
    """The index counted from the front."""
    number = operator.index(index)
    if not -size <= number < size:
        raise IndexError(
            message(
                f"index {number} is out of range",
                f"{type(container).__name__} of length {size}",
            )
        )
    return number % size


def _check_sequential(other: object) -> None:
    if not isinstance(other, Sequential):
        raise ValueError(
            message(
                "add operator supports only objects of Sequential class, "
                f"but {type(other)} is given.",
                fix="sequential.append(module) adds a module",
            )
        )


def _times(times: object) -> int:
    if not isinstance(times, int):
        raise TypeError(
            message(f"unsupported operand type(s) for *: Sequential and {type(times).__name__}")
        )
    if times <= 0:
        raise ValueError(message(f"Non-positive multiplication factor {times} for Sequential"))
    return times


def not_iterable(function: str, wanted: str, given: object) -> TypeError:
    return TypeError(
        message(
            f"{function} should be called with {wanted}, but got {type(given).__name__}",
            fix="put it in a list",
        )
    )


def pairs(container: Module, source: Any) -> Iterable[tuple[str, Any]]:
    """The keys and values of a dict, of a module used as one, or of an iterable of pairs."""
    if hasattr(source, "items"):
        return list(source.items())
    if not isinstance(source, Iterable):
        owner = f"{type(container).__name__}.update"
        raise not_iterable(owner, "an iterable of key/value pairs", source)
    found = [tuple(pair) for pair in source]
    for number, pair in enumerate(found):
        if len(pair) != 2:
            raise ValueError(
                message(
                    f"{type(container).__name__} update sequence element #{number} has length "
                    f"{len(pair)}; 2 is required",
                    fix='[("name", value), ...]',
                )
            )
    return found
