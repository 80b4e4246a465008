"""Python's values as they were when a program was recorded, and whether one is another now."""
from __future__ import annotations

import sys
from operator import is_
from types import CellType, MappingProxyType, MethodType
from typing import TYPE_CHECKING

import numpy as np

from .code_names import is_users
from .watched import Has, Slots, contents_of, grouped, holds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..base.types import Operand
    from .same import Rows
    from .watched import Group, Item

SIMPLE: tuple[type, ...] = (bool, int, float, complex, str, bytes, type(None))
# attributes of functions and classes that are words in their memory
WORDS = frozenset({"__class__", "__code__", "__defaults__", "__kwdefaults__", "__bases__"})
# what the package counts for itself, and no program reads
UNWATCHED = frozenset({"_opt_called", "_step_count"})


class Compared:
    """What is to be as it was: items of containers, cells of closures, lengths, and contents."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.single: list[Item] = []  # those that are alone in their container
        self.groups: list[Group] | None = None  # the others, by container
        self.cells: list[tuple[CellType, Operand]] = []
        self.sizes: list[tuple[Operand, int]] = []
        self.sized: list[Operand] = []  # of which containers
        self.lengths: list[int] = []  # theirs when they were last found to be right
        # arrays, sets and dicts, and what they held: the elements in their order
        self.copies: list[tuple[Operand, tuple[Operand, ...]]] = []

    def changed(self) -> str:
        """The name of a value that is another now, or ""."""
        if self.groups is None:
            self.single, self.groups = grouped(self.items)
            self.sized = [x for x, _ in self.sizes]
        for container, key, value in self.single:
            try:
                now = container[key]
            except (KeyError, IndexError):
                return _named(key)
            if now is not value and not same(now, value):
                return _named(key, value, now)
        for container, read, keys, values in self.groups:
            try:
                if all(map(is_, read(container), values)):  # as a rule
                    continue
                now = [container[key] for key in keys]
            except (KeyError, IndexError):
                return next(_named(k) for k in keys if not holds(container, k))
            for key, x, value in zip(keys, now, values, strict=True):
                if x is not value and not same(x, value):
                    return _named(key, value, x)
        for cell, value in self.cells:
            if cell.cell_contents is not value and not same(cell.cell_contents, value):
                return _named("a variable of an enclosing function", value, cell.cell_contents)
        return self.resized() or next(
            (f"a {type(x).__name__}" for x, held in self.copies if contents_of(x) != held), ""
        )

    def resized(self) -> str:
        """Which container has another length now, or ""."""
        lengths = [*map(len, self.sized)]
        if lengths != self.lengths:
            for x, n in self.sizes:
                plain = not isinstance(x, (dict, MappingProxyType))
                if len(x) != n and (plain or counted(x) != n):
                    return f"a {type(x).__name__}"
            self.lengths = lengths
        return ""

    def say(self, rows: Rows) -> None:
        """What C is to compare at each call. ValueError: it cannot compare some of it."""
        for x in self.sized:
            rows.size(x, len(x))
        for container, key, _ in self.items:
            if isinstance(container, Has) and type(container.x) is dict and not container[key]:
                rows.absent(container.x, key)
            elif key in WORDS and isinstance(container, Slots):
                rows.word(container.x, container[key])
            else:
                rows.item(container, key, container[key])
        for cell, _ in self.cells:
            rows.slot(cell, "content", cell.cell_contents)
        for x, held in self.copies:
            if isinstance(x, np.ndarray):
                raise ValueError("arrays are compared by Python")
            rows.order(x, held)


def counted(x: Mapping[str, Operand]) -> int:
    """How many keys a dict has that are watched."""
    return len(x) - len(UNWATCHED & x.keys())


def _named(key: Operand, *values: Operand) -> str:
    """A value by its key, and what it was and is, if these are numbers and the like."""
    name = repr(key) if isinstance(key, (str, int)) else "an element of a dict"
    name = name.strip("'") if " " in name else name
    if values and all(isinstance(x, SIMPLE) for x in values):
        name += f" ({repr(values[0])[:20]}, and then {repr(values[1])[:20]})"
    return name


def same(a: Operand, b: Operand) -> bool:
    """Are two Python values equal, and known to be for good?"""
    if type(a) is MethodType and type(b) is MethodType:
        return a.__self__ is b.__self__ and a.__func__ is b.__func__
    return type(a) is type(b) and is_simple(a) and repr(a) == repr(b)


def is_simple(x: Operand) -> bool:
    """A number, say, that its ``repr`` tells; one of a user's class may have attributes."""
    return type(x) in SIMPLE or isinstance(x, np.generic) or (
        isinstance(x, SIMPLE) and not is_users(sys.modules.get(type(x).__module__))
    )  # fmt: skip
