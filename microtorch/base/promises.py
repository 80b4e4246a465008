"""A dict, and a package, of which some values are made when they are first asked for.

Most programs name few of the functions there are. Declaring them all took a third of the import.
"""
from __future__ import annotations

import importlib
import sys
from _thread import RLock  # `threading` is slow to import
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from .naming import speaking

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_keys, dict_values

V = TypeVar("V")
# held while values are made one by one. Not while a module is imported: the import system has its
# own locks, and a thread that holds one of those may come here
_ONE_AT_A_TIME = RLock()


def on_demand(
    place: dict[str, Any], files: Mapping[str, str], unknown: Callable[[str], Any],
    made: Callable[[str, Any], Any] = lambda name, found: speaking(found),
) -> Callable[[str], Any]:  # fmt: skip
    """The ``__getattr__`` of a package, given as its globals, each of whose names is in a file.

    ``files``: that file by name, as in an import of the package; "" for a file itself. (Those of
    other names are found, too.)
    ``made(name, found)``: what stands for what is found there.
    """
    package = place["__name__"]

    def __getattr__(name: str) -> Any:
        if not files.get(name):
            own = name in files or f".{name}" in files.values()
            return importlib.import_module(f".{name}", package) if own else unknown(name)
        found = made(name, getattr(importlib.import_module(files[name], package), name))
        return place.setdefault(name, found)  # of several threads, the first's

    return __getattr__


def is_importing(module: str) -> bool:
    """Has the import of a module begun, and not come to an end?"""
    return getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False)


class Promises(dict[str, V]):
    """Looked up as a dict is; who walks over it, or counts, gets all that was promised.

    A promise is the name of a module that enters the value when it is imported, or a function that
    gives it when called with the name.
    """

    def __init__(self, apart: bool = False) -> None:
        """``apart``: making a value twice does no harm, and may import modules: nobody waits."""
        super().__init__()
        self.turn = nullcontext() if apart else _ONE_AT_A_TIME
        self.open: dict[str, str | Callable[[str], Any]] = {}
        self.making: set[str] = set()

    def promise(self, names: Iterable[str], by: str | Callable[[str], Any]) -> None:
        """Promise values for ``names``; a later promise takes the place of an earlier one."""
        self.open.update(dict.fromkeys(names, by))

    def made(self, name: str) -> bool:
        """Is there a value, other than the one that is being made just now?

        Who is about to enter a value asks this, to keep off what was promised.
        """
        by = self.open.get(name)
        if isinstance(by, str) and is_importing(by):  # one of an import that Ctrl-C ended, perhaps
            return False
        begun = by in sys.modules if isinstance(by, str) else by is None or name in self.making
        if not begun:
            self[name]
        return super().__contains__(name)

    def names(self) -> set[str]:
        """The names of all values, made or not."""
        return {*self.open, *super().keys()}

    def keep_all(self) -> None:
        """Make all values now."""
        for name in list(self.open):
            self[name]

    def __missing__(self, name: str) -> V:
        by = self.open.get(name)
        if by is None:
            raise KeyError(name)
        if isinstance(by, str):
            importlib.import_module(by)
            if not super().__contains__(name):  # to look it up would ask for it here, without end
                raise KeyError(f"{name}, which {by} has not entered, or not yet")
            return super().__getitem__(name)
        with self.turn:
            if not super().__contains__(name):  # else another thread has made it
                self.making.add(name)
                try:
                    self.setdefault(name, by(name))
                finally:
                    self.making.discard(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.open

    def get(self, name: str, default: Any = None) -> Any:
        """The value of ``name``, made if need be; ``default`` where there is none."""
        return self[name] if name in self else default

    def __iter__(self) -> Iterator[str]:
        self.keep_all()
        return super().__iter__()

    def __len__(self) -> int:
        self.keep_all()
        return super().__len__()

    def keys(self) -> dict_keys[str, V]:
        """All names."""
        self.keep_all()
        return super().keys()

    def values(self) -> dict_values[str, V]:
        """All values."""
        self.keep_all()
        return super().values()

    def items(self) -> dict_items[str, V]:
        """All names with their values."""
        self.keep_all()
        return super().items()
