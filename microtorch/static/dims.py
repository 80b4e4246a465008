"""``torch.export.Dim``: sizes that may be others than those of the example.

A program has the sizes of its example. Where some may differ, the model is recorded for a second
example, too, in which each of them is another: both must be the same steps. A size that comes later
is recorded when it comes, and must be the same steps again.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..base.errors import describe, message
from ..create.counted import arange
from ..handles.tensor import Tensor
from .keys import structure
from .templates import through

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Program

MOST = 2**63 - 1


class Hint(NamedTuple):
    """A size that has no name: ``Dim.AUTO`` and ``Dim.DYNAMIC`` may differ, ``Dim.STATIC`` not."""

    name: str


@dataclass(frozen=True)
class Derived:
    """``factor`` times a Dim's size, and ``offset`` more: what ``2 * Dim("n") + 1`` makes."""

    root: Dim
    factor: int
    offset: int

    def of(self, size: int) -> int:
        """The size that it is where the Dim's is ``size``."""
        return self.factor * size + self.offset

    def __mul__(self, k: int) -> Derived:
        return Derived(self.root, self.factor * _whole(k), self.offset * k)

    def __add__(self, k: int) -> Derived:
        return Derived(self.root, self.factor, self.offset + _whole(k))

    def __sub__(self, k: int) -> Derived:
        return self + -_whole(k)

    __rmul__, __radd__ = __mul__, __add__

    def __repr__(self) -> str:
        text = f"{self.factor}*" * (self.factor != 1) + self.root.__name__
        return text + f" {'+-'[self.offset < 0]} {abs(self.offset)}" * (self.offset != 0)


def _whole(k: int) -> int:
    if type(k) is not int:
        raise NotImplementedError(
            message(f"a Dim is multiplied with, or moved by, a number: not {k!r}")
        )
    return k


class Dim:
    """A size by name, between ``min`` (0) and ``max``, both included. Raises AssertionError if
    there is none between them."""

    AUTO, DYNAMIC, STATIC = Hint("AUTO"), Hint("DYNAMIC"), Hint("STATIC")

    def __init__(self, name: str, *, min: int | None = None, max: int | None = None):
        self.__name__ = name
        self.min, self.max = 0 if min is None else min, MOST if max is None else max
        if self.min >= self.max:
            raise AssertionError(
                message(f"Cannot create Dim with inconsistent min={self.min}, max={self.max}")
            )

    def __mul__(self, k: int) -> Derived:
        return Derived(self, 1, 0) * k

    def __add__(self, k: int) -> Derived:
        return Derived(self, 1, 0) + k

    def __sub__(self, k: int) -> Derived:
        return Derived(self, 1, 0) - k

    __rmul__, __radd__ = __mul__, __add__

    def __repr__(self) -> str:
        return f"Dim({self.__name__!r}, min={self.min}, max={self.max})"


def dims(*names: str, min: int | None = None, max: int | None = None) -> tuple[Dim, ...]:
    """A Dim for each name."""
    return tuple([Dim(name, min=min, max=max) for name in names])


class ValueRange(NamedTuple):
    """What a size may be, both ends included."""

    lower: int
    upper: int

    def __repr__(self) -> str:
        return f"VR[{self.lower}, {'int_oo' if self.upper == MOST else self.upper}]"


class Dynamic:
    """The axes whose sizes may differ. ``asked``: what ``dynamic_shapes`` says, by argument's name
    or in order. RuntimeError where that does not fit the arguments."""

    def __init__(self, asked: Operand, names: Sequence[str], args: Sequence[Operand]):
        self.args = args
        self.tensors: list[Tensor] = []
        structure(tuple(args), self.tensors)
        self.labels: list[str] = []  # of the tensors
        self.places: dict[Dim, list[tuple[int, int]]] = {}  # which axes of which tensors
        self.derived: dict[tuple[int, int], Derived] = {}  # axes whose sizes follow from others
        self.hints: dict[int, Dim] = {}  # equal sizes without a name are one
        if isinstance(asked, Mapping):
            unknown = [k for k in asked if k not in names]
            if unknown:
                raise _wrong(f"there is no argument {unknown[0]!r}, but {', '.join(names)}")
            asked = [asked.get(name) for name in names]
        if len(asked) != len(names):
            raise _wrong(f"it has {len(asked)} entries for the arguments {', '.join(names)}")
        for name, x, one in zip(names, args, asked, strict=True):
            for label, t, axes in _leaves(name, x, one):
                self.labels.append(label)
                self.place(label, t, axes)
        for (number, axis), follows in self.derived.items():
            where = f"{self.labels[number]}.size()[{axis}]"
            if follows.root not in self.places:
                raise _wrong(f"{where} is {follows}, but no axis is {follows.root.__name__} itself")
            wanted = follows.of(self.size(follows.root, self.tensors))
            if self.tensors[number].shape[axis] != wanted:
                raise _wrong(f"{where} is {self.tensors[number].shape[axis]}, and {follows} is "
                             f"{wanted}")  # fmt: skip
        self.symbols = {d: f"s{i}" for i, d in enumerate(self.places)}
        self.ranges = {self.symbols[d]: ValueRange(d.min, d.max) for d in self.places}

    def place(self, label: str, t: Tensor, axes: Operand) -> None:
        """What is said of one tensor."""
        if isinstance(axes, (tuple, list)):
            if len(axes) != t.ndim:
                raise _wrong(f"{label} has {t.ndim} dimensions, and {len(axes)} are described")
            axes = dict(enumerate(axes))
        if axes is not None and not isinstance(axes, Mapping):
            raise _wrong(f"{label} is a tensor: a dict of its axes describes it, and not {axes!r}")
        number = next(i for i, x in enumerate(self.tensors) if x is t)
        for axis, d in (axes or {}).items():
            if type(axis) is not int or not -t.ndim <= axis < t.ndim:
                raise _wrong(f"{label} has no axis {axis!r}: it is {describe(t)}")
            size = t.shape[axis]
            if d is None or d is Dim.STATIC:
                continue
            if type(d) is int:
                if d != size:
                    raise _wrong(f"{label}.size()[{axis}] is {size}, not {d}")
                continue
            if isinstance(d, Hint):
                d = self.hints.setdefault(size, Dim(f"{label}_{axis}"))
            if isinstance(d, Derived):
                self.derived[number, axis % t.ndim] = d
                continue
            if not isinstance(d, Dim):
                raise _wrong(f"an axis is a Dim, Dim.AUTO, a number or None, not {d!r}")
            self.places.setdefault(d, []).append((number, axis % t.ndim))
            first = self.size(d, self.tensors)
            if size != first or not d.min <= size <= d.max:
                raise _wrong(f"{label}.size()[{axis}] is {size}, and {d} "
                             + (f"is {first} elsewhere" if size != first else "forbids that"))

    def size(self, d: Dim, tensors: Sequence[Tensor]) -> int:
        """How large it is in some inputs."""
        number, axis = self.places[d][0]
        n: int = tensors[number].shape[axis]
        return n

    def other(self) -> tuple[Operand, ...]:
        """Arguments of other sizes, each different: rows of the example, from its first again."""
        found = [*self.tensors]
        for i, (d, places) in enumerate(self.places.items()):
            n = self.size(d, self.tensors)
            size = min(n + 1 + i, d.max) if n < d.max else n - 1
            for number, axis in places:
                rows = arange(size) % max(n, 1)
                found[number] = found[number].detach().index_select(axis, rows)
        for (number, axis), follows in self.derived.items():
            size = follows.of(self.size(follows.root, found))
            rows = arange(size) % max(self.tensors[number].shape[axis], 1)
            found[number] = found[number].detach().index_select(axis, rows)
        tensors = [x.requires_grad_(t.requires_grad) if x is not t else x
                   for x, t in zip(found, self.tensors, strict=True)]  # fmt: skip
        by = {id(t): x for t, x in zip(self.tensors, tensors, strict=True)}
        return tuple(through([*self.args], lambda x: by.get(id(x), x)))

    def fails(self, given: Sequence[Operand], tensors: Sequence[Tensor]) -> str:
        """Which condition arguments, with these tensors in them, do not fulfil, or ""."""
        if structure(tuple(given), []) != structure(tuple(self.args), []):
            return "its Python arguments are others"
        free = {place: d for d, places in self.places.items() for place in places}
        for number, (t, mine) in enumerate(zip(tensors, self.tensors, strict=False)):
            label = self.labels[number]
            if t.ndim != mine.ndim or t.dtype != mine.dtype:
                return f"{label} is {describe(t)}, and was {describe(mine)}"
            for axis, n in enumerate(t.shape):
                where, d = f"{label}.size()[{axis}]", free.get((number, axis))
                follows = self.derived.get((number, axis))
                if follows is not None:
                    wanted = follows.of(self.size(follows.root, tensors))
                    if n != wanted:
                        return f"{where} == {follows}, which is {wanted}, not {n}"
                elif d is None:
                    if n != mine.shape[axis]:
                        return f"{where} == {mine.shape[axis]}, not {n}"
                elif not d.min <= n <= d.max:
                    return f"{d.min} <= {where} <= {d.max}, not {n}"
                elif n != self.size(d, tensors):
                    first, at = self.places[d][0]
                    return f"{where} == {self.labels[first]}.size()[{at}], not {n}"
        return ""

    def symbolic(
        self, shape: Shape, other: Shape, tensors: Sequence[Tensor]
    ) -> tuple[Operand, ...]:  # fmt: skip
        """A shape with the symbols of sizes, from what it is in two programs."""
        sizes = [(self.symbols[d], self.size(d, self.tensors), self.size(d, tensors))
                 for d in self.places]  # fmt: skip
        return tuple([m if m == n else _size(m, n, sizes)
                      for m, n in zip(shape, other, strict=True)])  # fmt: skip


def _size(m: int, n: int, sizes: Sequence[tuple[str, int, int]]) -> str:
    for word, a, b in sizes:
        if m * b == n * a and a and m % a == 0:
            return word if m == a else f"{m // a}*{word}"
    for word, a, b in sizes:
        if m - a == n - b:
            return f"{word} {'+' if m > a else '-'} {abs(m - a)}"
    for i, (word, a, b) in enumerate(sizes):
        for more, c, e in sizes[i:]:
            if m * b * e == n * a * c and a * c and m % (a * c) == 0:
                return f"{word}*{more}" if m == a * c else f"{m // (a * c)}*{word}*{more}"
    return "?"


def unlike(first: Program, second: Program) -> str:
    """Where two programs are other steps forward, in words, or ""."""
    a, b = first.steps[: first.split], second.steps[: second.split]
    for s, t in zip(a, b, strict=False):
        if (s.kind, s.name) != (t.kind, t.name):
            return f"{s.name} at {s.site}, and {t.name} at {t.site}"
    return "" if len(a) == len(b) else f"{len(a)} steps, and {len(b)}"


def _leaves(name: str, x: Operand, asked: Operand) -> Iterator[tuple[str, Tensor, Operand]]:
    """The tensors in an argument, and what is asked for each."""
    if isinstance(x, Tensor):
        yield name, x, asked
        return
    if asked is not None:
        kind = Mapping if isinstance(x, dict) else (tuple, list)
        size = len(x) if isinstance(x, (tuple, list, dict)) else -1  # of what has no tensors
        if not isinstance(asked, kind) or len(asked) != size:
            many = f" of {size}" if size >= 0 else ""
            raise _wrong(f"{name} is of type {type(x).__name__}{many}, and not {asked!r}")
    if isinstance(x, (tuple, list)):
        for i, y in enumerate(x):
            yield from _leaves(f"{name}_{i}", y, None if asked is None else asked[i])
    elif isinstance(x, dict):
        for k, y in x.items():
            yield from _leaves(f"{name}_{k}", y, None if asked is None else asked.get(k))


def _wrong(why: str) -> RuntimeError:
    return RuntimeError(
        message(
            f"torch.export.export: dynamic_shapes do not fit the arguments: {why}",
            fix='dynamic_shapes={"x": {0: torch.export.Dim("batch")}}',
        )
    )
