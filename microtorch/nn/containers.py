"""Containers: modules and parameters in lists and dicts.

A plain Python list of modules would hide them from `parameters()`; these containers register what
they hold under the index or key. `Sequential` is the only one that computes something: it feeds
each module's output to the next.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from ..base.errors import message
from ..handles.tensor import Tensor
from .messages import indent, not_a_module, typename
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from typing_extensions import Self


class _Numbered(Module):
    """What Sequential and ModuleList share: children named "0", "1", ..., used as a list."""

    def _index(self, index: SupportsIndex) -> int:
        return _in_range(self, index, len(self))

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
            raise _not_iterable(f"{type(self).__name__}.extend", "an iterable", modules)
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
        for key, module in _pairs(self, modules):
            self[key] = module


class ParameterList(Module):
    """A list of parameters; a Tensor put in becomes a Parameter, anything else is kept as it is."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _index(self, index: SupportsIndex) -> int:
        return _in_range(self, index, self._size)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(self._index(index)))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(self._index(index)), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self._size)])

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add one entry at the end; returns self."""
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Append every entry of an iterable; returns self.

        A Tensor is refused: it would be cut into rows.
        """
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise _not_iterable("ParameterList.extend", "an iterable", values)
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return "\n".join(
            f"  ({i}): {_described(v, str(getattr(v, 'dtype', '')))}" for i, v in enumerate(self)
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            message("ParameterList should not be called.", fix="use its entries: params[0]")
        )


class ParameterDict(Module):
    """A dict of parameters; a Tensor put in becomes a Parameter.

    In order of insertion; but the entries of a plain dict are put in sorted, as PyTorch does.
    """

    def __init__(
        self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None
    ) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys and hasattr(type(self), key):
            raise KeyError(f"attribute '{key}' already exists")
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def pop(self, key: str) -> Any:
        value = self[key]
        del self[key]
        return value

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Tensor | None = None) -> Tensor:
        if key not in self._keys:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Tensor]:
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(self._keys):
            del self[key]

    def copy(self) -> ParameterDict:
        """Another dict of the same parameters."""
        return ParameterDict(self.items())

    def fromkeys(self, keys: Iterable[str], default: object = None) -> ParameterDict:
        """A new dict, in which all these keys have the same entry."""
        return ParameterDict((key, default) for key in keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __or__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        return self.copy().__ior__(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **dict(self.items())}

    def __ior__(self, other: Mapping[str, Any] | ParameterDict) -> Self:
        self.update(other)
        return self

    def keys(self) -> Iterable[str]:
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        return [(key, self[key]) for key in self._keys]

    def update(
        self, parameters: Mapping[str, Any] | ParameterDict | Iterable[tuple[str, Any]]
    ) -> None:
        pairs = _pairs(self, parameters)
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs = sorted(pairs, key=operator.itemgetter(0))
        for key, value in pairs:
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(
            f"  ({key}): {_described(value, typename(value))}" for key, value in self.items()
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            message("ParameterDict should not be called.", fix="use its entries: params['name']")
        )


def _in_range(container: Module, index: SupportsIndex, size: int) -> int:
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


def _not_iterable(function: str, wanted: str, given: object) -> TypeError:
    return TypeError(
        message(
            f"{function} should be called with {wanted}, but got {type(given).__name__}",
            fix="put it in a list",
        )
    )


def _pairs(container: Module, source: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(source, (Mapping, ModuleDict, ParameterDict)):
        return list(source.items())
    if not isinstance(source, Iterable):
        owner = f"{type(container).__name__}.update"
        raise _not_iterable(owner, "an iterable of key/value pairs", source)
    pairs = [tuple(pair) for pair in source]
    for number, pair in enumerate(pairs):
        if len(pair) != 2:
            raise ValueError(
                message(
                    f"{type(container).__name__} update sequence element #{number} has length "
                    f"{len(pair)}; 2 is required",
                    fix='[("name", value), ...]',
                )
            )
    return pairs


def _as_parameter(value: object) -> object:
    return (
        Parameter(value)
        if isinstance(value, Tensor) and not isinstance(value, Parameter)
        else value
    )


def _described(value: object, type_name: str) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {typename(value)}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{kind} containing: [{type_name} of size {'x'.join(map(str, value.shape))}]"
