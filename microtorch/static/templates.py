"""What a program is told of values: their numbers, in the places where arrays stood.

A template is what a call was given, or gave, with a ``Ref`` in the place of each array.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ..base.types import DType, Kernel, Operand, Shape


class Ref(NamedTuple):
    """Value number ``number`` of a program, where an array stood."""

    number: int


class Setting:
    """A number of an optimizer's group, other than the rate, found in the place of a rate."""

    def __init__(self, group: dict[str, Operand], key: str, i: int | None):
        self.group, self.key, self.i = group, key, i

    def __getitem__(self, lr: str) -> float:
        value = self.group[self.key]
        return float(value if self.i is None else value[self.i])


class Rate(float):
    """A learning rate that a kernel was given, and the group in which a program finds it anew.

    Where a schedule changes a momentum, too, that is another, and ``group`` is its Setting.
    """

    group: dict[str, Operand] | Setting

    @classmethod
    def of(cls, group: dict[str, Operand] | Setting, value: float) -> Rate:
        made = cls(value)
        made.group = group
        return made

    @property
    def word(self) -> str:
        """What C calls it."""
        if isinstance(self.group, Setting):
            return "momentum" if self.group.i is None else f"beta{self.group.i + 1}"
        return "lr"

    def same(self, other: Rate) -> bool:
        """Is it found in the same place?"""
        a, b = self.group, other.group
        if isinstance(a, Setting) and isinstance(b, Setting):
            return a.group is b.group and (a.key, a.i) == (b.key, b.i)
        return a is b


class Unread(NamedTuple):
    """An operand of which a derivative reads the shape and the dtype only.

    It is taken for a leaf (``op`` is None), so that its gradient gets memory of its own.
    """

    shape: Shape
    dtype: DType

    @property
    def op(self) -> None:
        return None

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Record(NamedTuple):
    """A dataclass that a function returns: its class, and the attributes of the object."""

    kind: type
    held: dict[str, Operand]

    def made(self) -> Operand:
        """Such an object, as copy.copy makes one."""
        found: Operand = object.__new__(self.kind)
        found.__dict__.update(self.held)
        return found

    def __repr__(self) -> str:
        return f"{self.kind.__name__}({', '.join(f'{k}={v}' for k, v in self.held.items())})"


class Value(NamedTuple):
    """What is known of a value before the program runs."""

    shape: Shape
    dtype: DType
    strides: Shape

    @property
    def contiguous(self) -> bool:
        """Does it lie row by row?"""
        step = self.dtype.itemsize
        for n, s in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n > 1 and s != step:
                return False
            step *= n
        return True

    @property
    def dense(self) -> bool:
        """Do its elements fill a block of memory, in some order of dimensions?"""
        step = self.dtype.itemsize
        for s, n in sorted(zip(self.strides, self.shape, strict=True)):
            if n > 1 and s != step:
                return False
            step *= n
        return True

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.name} {list(self.shape)}"


ATOMS: set[type] = {Ref, Unread}  # tuples that are leaves of templates


def refs(template: Operand) -> Iterator[int]:
    """The numbers of the values in a template."""
    if type(template) is Ref:
        yield template.number
    elif isinstance(template, dict):
        for x in template.values():
            yield from refs(x)
    elif isinstance(template, (tuple, list)):
        for x in template:
            yield from refs(x)


def through(x: Operand, change: Kernel) -> Operand:
    """An operand with ``change`` made to all in it that is no tuple, list or dict."""
    if type(x) in (tuple, list):
        return type(x)([through(y, change) for y in x])
    if isinstance(x, dict):
        return {k: through(y, change) for k, y in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields") and type(x) not in ATOMS:
        return type(x)(*[through(y, change) for y in x])
    return change(x)


def replaced(template: Operand, change: Callable[[Ref], Operand]) -> Operand:
    """A template with ``change`` made to each Ref."""
    return through(template, lambda x: change(x) if type(x) is Ref else x)


def shown(x: Operand) -> str:
    """A template as text."""
    if type(x) is Ref:
        return f"%{x.number}"
    if isinstance(x, Unread):
        return f"{x.dtype.name} {list(x.shape)}"
    if isinstance(x, (tuple, list)):
        return f"({', '.join(map(shown, x))})"
    if isinstance(x, (np.dtype, type)):
        return getattr(x, "name", getattr(x, "__name__", "?"))
    return repr(x)
