"""Where the values of a compiled program lie, and for how long: its memory plan as plain data.

Three kinds of memory are told apart. Each function of C has a *block*, which is made once, and in
which a place is given to the next value as soon as one is read no more; and arrays of its own, on
the stack, while it runs. The other arrays are numpy's: what is returned, and what goes from one
function to another. What the program finds (weights, arguments) is not counted.

Beside it stands what the same list of steps would hold without a plan: an array for each result,
given back after the last step that reads it. So eager holds it, at least.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from microtorch.base import errors
from microtorch.static.entry import Entry
from microtorch.static.loops import LARGE
from microtorch.static.memory import LINE, Room
from microtorch.static.program import Step

from .compiled import account, compiled_of
from .folding import folded
from .parts import VJP, Account, Held, Part
from .programs import Reader

ARRAYS = "arrays of numpy"


@dataclass
class Rect:
    """Bytes ``start`` to ``start + size`` of a band, from part ``first`` to part ``last``."""

    name: str
    held: Held | None
    start: int
    size: int
    first: int
    last: int
    where: str


@dataclass
class Band:
    """``kind``: "block", "stack" or "arrays"; it lasts from part ``first`` to ``last``."""

    kind: str
    title: str
    size: int
    first: int
    last: int
    rects: list[Rect]


@dataclass
class Places:
    """The plan of a program. ``held`` and ``eager``: bytes at each part."""

    account: Account
    bands: list[Band]
    held: list[int]
    eager: list[int]

    @property
    def parts(self) -> list[Part]:
        return self.account.parts

    @property
    def peak(self) -> int:
        """The part at which most is held."""
        return max(range(len(self.held)), key=self.held.__getitem__)

    @property
    def given(self) -> int:
        """Bytes of what was there before."""
        return sum(h.size for h in self.account.given)


def places(f: object, function: str) -> Places:
    """The plan of what ``f`` runs. TypeError for what is not compiled, and for a step of Scalars,
    which has none; RuntimeError where there is no program as yet."""
    compiled = compiled_of(f)
    if compiled is not None and not isinstance(compiled.entry, Entry):
        what = (
            f"{function}() shows the memory of a program of tensors, and this is a step of Scalars"
        )
        fix = "viz.draw(f) shows its arrays; its numbers are Python's objects"
        raise TypeError(errors.message(what, fix=fix))
    found = places_of(account(f, function))
    assert found is not None
    return found


def places_of(account: Account) -> Places | None:
    """The plan of an account; None where it has none, of Scalars."""
    if not isinstance(account.entry, Entry):
        return None
    return _Found(account, Reader(account.entry)).places


class _Found:
    """Reads the plan of an entry."""

    def __init__(self, account: Account, reader: Reader):
        self.reader, self.entry = reader, reader.entry
        self.parts = account.parts
        planned: set[int] = set()
        self.bands: list[Band] = []
        stacks: list[Band] = []
        for name, runner in self.entry.runners.items():
            mine = [p for p in self.parts if p.function == name]
            if not mine:
                continue
            text = runner.text
            rooms = text.memory.rooms
            planned |= {reader.home(n) for n in [*rooms, *text.memory.stack]}
            rects = [self.rect(n, r, mine) for n, r in rooms.items()]
            size = text.size()
            using = [p for p in mine if any(k in x for x in p.lines for k in text.kinds.values())]
            if text.turned and using:
                rects.append(
                    Rect(
                        "laid out anew",
                        None,
                        size - text.turned,
                        text.turned,
                        using[0].number,
                        using[-1].number,
                        using[0].where,
                    )
                )
            last = len(self.parts) - 1
            if size:
                self.bands.append(Band("block", name, size, 0, last, rects))
            at, own = 0, []
            for n in sorted(text.memory.stack):
                value = text.program.values[n]
                rows = text.rows.get(n)
                long = max(value.nbytes, 1) * (rows.height if rows is not None else 1)
                whole = Room(at, long, min(p.time for p in mine), max(p.time for p in mine))
                own.append(self.rect(n, whole, mine))
                at += long
            if own:
                stacks.append(Band("stack", name, at, mine[0].number, mine[-1].number, own))
        self.bands += stacks
        self.arrays(planned)
        held = [
            sum(b.size for b in self.bands if b.kind != "arrays" and b.first <= k <= b.last)
            + sum(
                r.size
                for b in self.bands
                if b.kind == "arrays"
                for r in b.rects
                if r.first <= k <= r.last
            )
            for k in range(len(self.parts))
        ]
        self.places = Places(account, self.bands, held, self.eager())

    def rect(self, n: int, room: Room, mine: list[Part]) -> Rect:
        """A value of a block."""
        held = self.reader.array(self.reader.home(n), "value")
        living = [p for p in mine if room.first <= p.time <= room.last] or mine
        name = held.name if held is not None else f"v{n}"
        return Rect(
            name, held, room.start, room.size, living[0].number, living[-1].number, living[0].where
        )

    def arrays(self, planned: set[int]) -> None:
        """The arrays of numpy: from the first part that makes one to the last that reads it. Where
        they lie is numpy's; here each has the lowest place that is free."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        known = {h.number: h for h in self.reader.arrays.values()}
        begins = {h.number for h in self.reader.account.given} | {
            x.number for x in self.entry.program.leaves
        }
        for p in self.parts:
            for h in [*p.reads, *p.gives]:
                if h.number not in begins and h.number not in planned and h.role != "constant":
                    first.setdefault(h.number, p.number)
                    last[h.number] = p.number
        end = len(self.parts) - 1
        rects: list[Rect] = []
        for n in sorted(first, key=first.__getitem__):
            h = known[n]
            stays = h.returned or h.size < LARGE
            to = end if stays else last[n]
            size, start = -(-h.size // LINE) * LINE, 0
            for r in sorted(
                (r for r in rects if r.first <= to and r.last >= first[n]), key=lambda r: r.start
            ):
                if start + size <= r.start:
                    break
                start = max(start, r.start + r.size)
            rects.append(Rect(h.name, h, start, size, first[n], to, self.parts[first[n]].where))
        if rects:
            size = max(r.start + r.size for r in rects)
            self.bands.append(Band("arrays", ARRAYS, size, 0, end, rects))

    def eager(self) -> list[int]:
        """Bytes at each part without a plan."""
        p, reader = self.entry.program, self.reader
        at = {id(s): part.number for part in self.parts for s in part.steps}
        leaves = {x.number for x in p.leaves}
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for i, s in enumerate(p.steps):
            for n in s.gives():
                first.setdefault(self.home(n), i)
            for n in [*s.reads(), *s.gives()]:
                last[self.home(n)] = i
        for i, j in walked(p.steps):  # a node holds its value until backward has passed it
            for n in p.steps[i].gives():
                last[self.home(n)] = max(last[self.home(n)], j)
        for n in reader.returned:
            last[n] = len(p.steps) - 1
        changes = [0] * (len(p.steps) + 1)
        for n, i in first.items():
            if n not in leaves and n not in p.constants:
                size = p.values[n].nbytes
                changes[i] += size
                changes[last[n] + 1] -= size
        found, now, k = [0] * len(self.parts), 0, 0
        for i, s in enumerate(p.steps):
            now += changes[i]
            k = max(k, at.get(id(s), k))
            found[k] = max(found[k], now)
        for k in range(1, len(found)):  # a part in which no step of the list begins
            found[k] = found[k] or found[k - 1]
        return found

    def home(self, n: int) -> int:
        return self.entry.homes.get(n, n)


def walked(steps: list[Step]) -> list[tuple[int, int]]:
    """Pairs of steps: one of forward, and the last one that computes its derivative: of the steps
    of that name, as backward goes, one that knows most of the same values."""
    found: dict[int, int] = {}
    open_: dict[str, list[int]] = {}
    for i, s in enumerate(steps):
        op = VJP.sub("", s.name)
        if op == s.name:
            open_.setdefault(op, []).append(i)
            continue
        seen, best, most = {*s.reads()}, -1, 0
        for k in reversed(open_.get(op, ())):
            n = 1 + len(seen & {*steps[k].reads(), *steps[k].gives()})
            best, most = (k, n) if n > most else (best, most)
        if best >= 0:
            found[best] = i
    return [*found.items()]


def shorter(found: Places, most: int) -> Places:
    """The plan of a long program, with its parts folded (folding.py)."""
    account, into = folded(found.account, max(most // 2, 1))
    if account is found.account:
        return found
    bands = [
        replace(b, first=into[b.first], last=into[b.last],
                rects=[replace(r, first=into[r.first], last=into[r.last]) for r in b.rects])
        for b in found.bands
    ]  # fmt: skip
    held, eager = ([0] * len(account.parts) for _ in range(2))
    for k, n in enumerate(into):
        held[n], eager[n] = max(held[n], found.held[k]), max(eager[n], found.eager[k])
    return Places(account, bands, held, eager)
