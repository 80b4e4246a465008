"""Where the numbers of a rolled program lie: in variables, in arrays, and how they are found there.

A statement in loops makes an array with one number per round; a use of it is an index that grows
with the loops of the use. Where one use reads what several statements made (the first round of a
loop that began with something else, say), they share an array, in the order of the instructions.
A number that is used in the round that makes it, and nowhere else, is a variable of that round.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...engine.registry import REGISTRY
from ...notation import expr, formulas
from .reroll import Loop, Statement, statements

if TYPE_CHECKING:
    from ...base.types import Array
    from .reroll import Node


class Index(NamedTuple):
    """``start`` + the sum of ``strides`` times the counters of the loops around."""

    start: int
    strides: tuple[int, ...]


def index_of(places: Array) -> Index | None:
    """The index that gives these places, one for each round of some loops; or None."""
    start, strides = int(places.flat[0]), []
    found = np.full(places.shape, start)
    for d, n in enumerate(places.shape):
        second = tuple([int(e == d) for e in range(places.ndim)])
        strides.append(int(places[second]) - start if n > 1 else 0)
        shape = [1] * places.ndim
        shape[d] = n
        found = found + strides[-1] * np.arange(n).reshape(shape)
    return Index(start, tuple(strides)) if np.array_equal(found, places) else None


@dataclass(eq=False)
class Room:
    """The memory of the numbers of ``members``, or (``walk`` >= 0) of their gradients.

    ``flat``: it is one row, from instruction ``first`` on; else it has the loops of its only member
    as dimensions. ``variable``: it is a variable in those loops.
    """

    members: list[Statement]
    shape: tuple[int, ...]
    flat: bool = False
    first: int = 0
    variable: bool = True
    walk: int = -1
    once: bool = True  # a gradient: does each number get one contribution?
    back: bool = False  # does a walk back read it?
    name: str = ""


@dataclass
class Use:
    """Operand ``k`` of ``by``: it reads the number, or (``walk``) gives to its gradient."""

    by: Statement
    k: int
    room: Room
    index: list[Index] = field(default_factory=list)


class Rooms:
    """The rooms of all numbers and gradients of a program in ``parts`` (see reroll.rolled)."""

    def __init__(self, parts: Sequence[Sequence[Node]], listed: list[Statement], inputs: int):
        self.parts, self.listed, self.inputs = parts, listed, inputs
        self.number = {id(s): i for i, s in enumerate(listed)}
        size = max([int(s.all(-2).max()) for s in listed], default=0) + 1
        self.maker = np.full(size, -1)
        self.offset = np.zeros(size, int)
        for i, s in enumerate(listed):
            numbers = s.all(-2).ravel()
            self.maker[numbers] = i
            self.offset[numbers] = np.arange(numbers.size)
        self.united = [*range(len(listed))]  # a union-find: who shares a room
        self.bent: set[int] = set()  # whose room must be one row
        self.walks = 1 + max([s.first.place for s in listed if s.first.name == "backward"],
                             default=-1)  # fmt: skip
        self.unite()
        self.rooms: dict[int, Room] = {}
        self.grads: dict[tuple[int, int], Room] = {}
        for i, s in enumerate(listed):
            if s.first.makes:
                self.rooms.setdefault(self.root(i), self.room(i))
        for k in range(self.walks):
            for i, room in self.rooms.items():
                self.grads[i, k] = Room(room.members, room.shape, room.flat, room.first,
                                        variable=not room.flat, walk=k)  # fmt: skip
            self.grads[-1, k] = Room([], (inputs,), True, variable=False, walk=k)
        self.look_at_values()
        self.look_at_gradients()

    # ---- who shares ------------------------------------------------------------------------------
    def root(self, i: int) -> int:
        while self.united[i] != i:
            i = self.united[i]
        return i

    def unite(self) -> None:
        for s in self.listed:
            for k, (kind, _) in enumerate(s.first.operands):
                if kind != "v":
                    continue
                numbers = s.all(k)
                makers = np.unique(self.maker[numbers])
                roots = sorted({self.root(int(m)) for m in makers})
                for r in roots[1:]:
                    self.united[r] = roots[0]
                if len(makers) == 1 and self.by_loops(int(makers[0]), numbers) is None:
                    self.bent.add(int(makers[0]))

    def by_loops(self, m: int, numbers: Array) -> list[Index] | None:
        """How the numbers of statement m are found in an array with its loops as dimensions."""
        shape = self.listed[m].extents
        if not shape:
            return []
        places = np.unravel_index(self.offset[numbers], shape)
        found = [index_of(x) for x in places]
        return None if None in found else [x for x in found if x is not None]

    def room(self, i: int) -> Room:
        members = [s for j, s in enumerate(self.listed) if self.root(j) == self.root(i)]
        if len(members) == 1 and i not in self.bent:
            return Room(members, members[0].extents)
        numbers = [s.all(-2) for s in members]
        first, last = min(int(n.min()) for n in numbers), max(int(n.max()) for n in numbers)
        return Room(members, (last - first + 1,), True, first, variable=False)

    def stands_for_gradient(self, s: Statement) -> bool:
        """Is it a gradient as a walk left it, with nothing added, that is found by its loops?"""
        room = self.of(s)
        return s.first.name == "grad" and len(s.first.operands) == 1 and not room.flat

    def of(self, s: Statement) -> Room:
        """The room of what a statement makes."""
        return self.rooms[self.root(self.number[id(s)])]

    # ---- uses ------------------------------------------------------------------------------------
    def index(self, room: Room, numbers: Array) -> list[Index]:
        """Where in a room some numbers are found."""
        if room.flat:
            at = index_of(numbers - room.first)
            assert at is not None  # the numbers of one operand
            return [at]
        m = int(self.maker[numbers.flat[0]])
        found = self.by_loops(m, numbers)
        assert found is not None
        return found

    def use(self, s: Statement, k: int, walk: int = -1) -> Use:
        """Operand k of a statement, or its gradient in a walk back."""
        kind, numbers = s.first.operands[k][0], s.all(k)
        if kind == "p":
            return Use(s, k, self.grads[-1, walk], self.index(self.grads[-1, walk], numbers))
        m = int(self.maker[numbers.flat[0]])
        made = self.listed[m]
        if walk < 0 and self.stands_for_gradient(made):  # read it where it is
            walk, kind = made.first.place, made.first.operands[0][0]
            numbers = made.all(0).reshape(-1)[self.offset[numbers]]
            if kind == "p":
                return Use(s, k, self.grads[-1, walk], self.index(self.grads[-1, walk], numbers))
            m = int(self.maker[numbers.flat[0]])
        room = self.rooms[self.root(m)] if walk < 0 else self.grads[self.root(m), walk]
        return Use(s, k, room, self.index(room, numbers))

    @staticmethod
    def inside(use: Use) -> bool:
        """Is it a use in the round that makes the number?"""
        loops = use.room.members[0].loops
        n = len(loops)
        if len(use.by.loops) < n or any(a is not b for a, b in zip(loops, use.by.loops)):  # noqa: B905
            return False
        return all(
            not x.start and all(s == (e == d) for e, s in enumerate(x.strides))
            for d, x in enumerate(use.index)
        )

    def look_at_values(self) -> None:
        """Which numbers are variables."""
        for s in self.listed:
            for k, (kind, _) in enumerate(s.first.operands):
                if kind != "v" or (k == 0 and s.first.name in ("grad", "backward")):
                    continue
                use = self.use(s, k)
                if use.room.members and use.room.members[0].loops and not self.inside(use):
                    use.room.variable = False
            for letter in read_back(s):
                if letter == "out":
                    room = self.of(s)
                elif s.first.operands["xyz".index(letter)][0] == "v":
                    room = self.use(s, "xyz".index(letter)).room
                else:
                    continue
                room.back = True
                room.variable = room.variable and not (room.members and room.members[0].loops)

    def look_at_gradients(self) -> None:
        """Which gradients are variables, and which get one contribution only."""
        count = {k: np.zeros(len(self.maker), int) for k in range(self.walks)}
        inputs = {k: np.zeros(self.inputs, int) for k in range(self.walks)}
        for s in self.listed:
            for k, (kind, _) in enumerate(s.first.operands):
                for w in s.first.flows[k]:
                    np.add.at((inputs if kind == "p" else count)[w], s.all(k), 1)
                    if kind == "v":
                        use = self.use(s, k, w)
                        use.room.variable = use.room.variable and self.inside(use)
            if s.first.name in ("grad", "backward") and s.first.operands[0][0] == "v":
                w, numbers = s.first.place, s.all(0)
                room = self.use(s, 0, w).room
                room.variable = room.variable and not (room.members and room.members[0].loops)
                count[w][numbers] += s.first.name == "backward"
            elif s.first.name == "backward" and s.first.operands[0][0] == "p":
                inputs[s.first.place][s.all(0)] += 1
        for (i, w), room in self.grads.items():
            if i < 0:
                room.once = bool((inputs[w] <= 1).all())
            else:
                room.once = all(bool((count[w][s.all(-2)] <= 1).all()) for s in room.members)

    # ---- loops -----------------------------------------------------------------------------------
    def free(self, loop: Loop, k: int, active: dict[int, Statement]) -> bool:
        """Do different rounds of a loop have to do with different gradients?"""
        whose: list[Array] = []  # (rounds of the loops around, gradient, round) as one number
        span = 2 * max(len(self.maker), self.inputs)
        for s in statements([loop]):
            if id(s) not in active:
                continue
            d = next(i for i, x in enumerate(s.loops) if x is loop)
            rounds = np.zeros(s.extents, int)
            outer = np.zeros(s.extents, int)
            for e, n in enumerate(s.extents[: d + 1]):
                shape = [1] * len(s.extents)
                shape[e] = -1
                if e == d:
                    rounds = rounds + np.arange(n).reshape(shape)
                else:
                    outer = outer * n + np.arange(n).reshape(shape)
            targets = [s.all(j) * 2 + (s.first.operands[j][0] == "p")
                       for j, f in enumerate(s.first.flows) if k in f]  # fmt: skip
            if s.first.name != "add to":  # which reads what others may read
                targets.append(s.all(-2) * 2)
            for t in targets:
                whose.append((outer * span + t).ravel() * loop.count + rounds.ravel())
        pairs = np.unique(np.concatenate(whose))
        return bool(len(np.unique(pairs // loop.count)) == len(pairs))


def read_back(s: Statement) -> set[str]:
    """The values that the walks back read at a statement: "x", "y", "z" and "out"."""
    found: set[str] = set()
    row = formulas.TABLE.get(s.first.name)
    if row is not None and s.first.name in REGISTRY:
        for flow, text in zip(s.first.flows, row[1], strict=True):
            if flow and text is not None:
                found |= expr.names(text) & {"x", "y", "z", "out"}
    return found
