"""The layout of a program: forward goes down on the left, backward comes up on the right.

Each part of the program is a row. A part of backward stands beside the part of forward whose
derivative it is, so that what forward keeps for it is a short line across. Left stands what the
program is given, right what it leaves: gradients, and what an optimizer makes of them. Frames are
the functions of C, and loops around rows.

Where everything stands is found here, in points; ``program.py`` draws it.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from ..reading.parts import Account, Around, Held, Part
from .plate import fit, width

TEXT, SMALL, TINY = 11.5, 10.0, 9.5
ROW, GAP = 21.0, 11.0  # a part, and the way to the next one
LINE = 16.0  # the user's line above parts
HEAD, END, INSET = 14.0, 6.0, 7.0  # of a frame: above, below, left and right
CODE = 13.0  # a line of C in a part
CHIP, LANE = 15.0, 9.0
EDGE, TOP, AISLE = 22.0, 66.0, 34.0  # around all, above all, between columns
TAG = 38.0  # the word that says what a part is
ROWS = 44  # of a column; a longer program is folded
STEM = 12.0  # where in a row the way to the next one begins
MOST = 330.0  # the widest that a part is
ROLES = frozenset({"parameter", "data", "state", "constant"})  # what was there before
# which part makes an array, which array, and the parts that read it
Flow: TypeAlias = "dict[tuple[int, Held], list[int]]"


@dataclass
class Placed:
    """A part and where it stands: the middle of its row."""

    part: Part
    y: float
    said: str = ""  # the user's line above it

    @property
    def high(self) -> float:
        return high_of(self.part)


@dataclass
class Chip:
    """Arrays of one role in one box, beside a part."""

    role: str
    arrays: list[Held]
    y: float = 0.0  # its middle
    part: int = -1

    @property
    def height(self) -> float:
        return CHIP * len(self.arrays) + 4


@dataclass
class Frame:
    """A box around rows: a function of C, or a loop."""

    what: Around | str
    top: float
    bottom: float
    depth: int
    text: str


@dataclass
class Column:
    """Rows from above to below."""

    rows: list[Placed] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    open: list[Frame] = field(default_factory=list)
    y: float = 0.0
    said: str = ""
    left: float = 0.0
    wide: float = 0.0

    @property
    def right(self) -> float:
        return self.left + self.wide


def spoken(ops: Sequence[str]) -> str:
    """The ops of a part: ``linear · tanh``, ``conv2d · relu × 3``."""
    counts = Counter(ops)
    return " · ".join(op if n == 1 else f"{op} × {n}" for op, n in counts.items())


def sign_of(h: Held, c: Chip) -> str:
    """What stands behind a name: is the array changed by the program?"""
    return " ↺" if h.changed and c.role != "gradient" else ""


def high_of(p: Part) -> float:
    """How high a row is: of Scalars, a line for each statement."""
    return max(ROW, CODE * len(p.code) + 7)


def frames_of(p: Part) -> tuple[Around | str, ...]:
    """What stands around a part, from outside to inside."""
    loops: list[Around | str] = []
    a: Around | None = p.around
    while a is not None:
        loops.insert(0, a)
        a = a.outer
    outside = [] if p.alike is None else [p.alike]
    return (*outside, *[p.function] * bool(p.function), *loops)


class Hairpin:
    """Where everything of a program stands."""

    def __init__(self, account: Account, facts: Sequence[tuple[str, str]] = ()):
        self.account, self.facts = account, facts
        forward = [p for p in account.parts if p.phase == "forward"]
        self.updates = [p for p in account.parts if p.phase == "update"]
        beside: dict[int, list[Part]] = {}
        for p in account.parts:
            if p.phase == "backward":
                beside.setdefault(p.of, []).append(p)
        self.down, self.up = Column(), Column()
        self.down.y = self.up.y = EDGE + TOP
        self.given: list[Chip] = []
        self.grads: list[Chip] = []
        self.place: dict[int, Placed] = {}
        self.depth = max([len(frames_of(p)) for p in account.parts], default=0)
        seen: set[Held] = set()
        asides = EDGE + TOP  # below the chips so far
        bands = [-1, *[p.number for p in forward]]  # -1: where nothing runs before it
        ups = [b for n in bands for b in reversed(beside.get(n, ()))]
        below = {a.number: b for a, b in pairwise([*ups, None]) if a is not None}
        for b in reversed(beside.get(-1, ())):
            self.row(self.up, b, below[b.number])
        for p, after in zip(forward, [*forward[1:], None], strict=True):
            back = beside.get(p.number, [])
            chips = self.chips(p, seen)
            self.down.y = max(self.down.y, self.up.y - 2 * GAP) if back else self.down.y
            self.row(self.down, p, after)
            y = self.place[p.number].y
            for chip in chips:
                chip.y = max(y + chip.height / 2 - CHIP / 2 - 2, asides + chip.height / 2)
                asides = chip.y + chip.height / 2 + 4
            self.up.y = max(self.up.y, y - high_of(p) / 2 - HEAD) if back else self.up.y
            for b in reversed(back):
                self.row(self.up, b, below[b.number])
            self.down.y = max(self.down.y, asides - ROW)
        for column in (self.down, self.up):
            self.close(column, 0)
            column.wide = max([self.wide(x) for x in column.rows], default=0.0)
        self.sides()

    def chips(self, p: Part, seen: set[Held]) -> list[Chip]:
        """What a part is the first to read of what was there before."""
        found: dict[str, Chip] = {}
        for h in p.reads + p.writes:
            if h.role in ROLES and h not in seen:
                seen.add(h)
                found.setdefault(h.role, Chip(h.role, [], part=p.number)).arrays.append(h)
        self.given += found.values()
        return [*found.values()]

    # ---- rows ------------------------------------------------------------------------------------
    def row(self, c: Column, p: Part, below: Part | None) -> None:
        """Put a part at the end of a column, within its frames."""
        frames = frames_of(p)
        same = 0
        while same < min(len(frames), len(c.open)) and c.open[same].what == frames[same]:
            same += 1
        self.close(c, same)
        said = p.said
        if said != c.said:
            c.said = said
        else:
            said = ""
        for depth, what in enumerate(frames[same:], same):
            text = what.text if isinstance(what, Around) else f"{what}()"
            text = f"for {text}" if isinstance(what, Around) and what.kind != "alike" else text
            if what in self.account.refused:
                text += " differed from the steps, which run instead"
            c.open.append(Frame(what, c.y, c.y, depth, text))
            c.frames.append(c.open[-1])
            c.y += HEAD
        c.y += LINE if said else 0
        c.rows.append(Placed(p, c.y + high_of(p) / 2, said))
        self.place[p.number] = c.rows[-1]
        c.y += high_of(p)
        go_on, after = len(frames), () if below is None else frames_of(below)
        while after[:go_on] != frames[:go_on]:
            go_on -= 1
        self.close(c, go_on)
        c.y += GAP

    @staticmethod
    def close(c: Column, depth: int) -> None:
        """End the frames from a depth on."""
        while len(c.open) > depth:
            c.y += END
            c.open.pop().bottom = c.y
        for f in c.open:
            f.bottom = c.y

    # ---- widths ----------------------------------------------------------------------------------
    def words(self, p: Part) -> tuple[str, str, str]:
        """What a row says: the ops; what backward reads of what was there; what it makes."""
        ops = spoken(p.ops)
        reads = ""
        if p.phase != "forward":
            reads = ", ".join(h.name for h in p.reads if h.role in ROLES)
        makes = [f"{h.name} {h}" for h in p.makes] or [f"{h.name}" for h in p.writes]
        return ops, reads, ", ".join(makes)

    def wide(self, x: Placed) -> float:
        ops, reads, makes = self.words(x.part)
        inner = TAG + width(ops, TEXT, True) + width(makes, SMALL) + 34
        inner += width(reads, SMALL) + 10 if reads else 0
        if x.part.code:
            inner = max(width(line, SMALL) for line in x.part.code) + 20
        above = width(fit(x.said, TINY, MOST - 30), TINY) + 2 * STEM + 8
        return min(MOST, max(inner, above)) + 2 * INSET * self.depth

    # ---- columns ---------------------------------------------------------------------------------
    def sides(self) -> None:
        """The chips on both sides, the lanes between, and so how wide everything is."""
        self.stored = {h.number: p.number for p in self.account.parts for h in p.gives}
        self.of_grads()
        self.optimizer = self.beside_grads()
        chips = [
            width(h.name + sign_of(h, c), SMALL, True) + width(f"  {h}", SMALL) + 18
            for c in self.given
            for h in c.arrays
        ]
        self.chip = max([*chips, 60.0])
        grads = [width(f"{h.name}  {h}", SMALL) + 14 for c in self.grads for h in c.arrays]
        self.grad = max([*grads, 0.0])
        self.lanes()
        down, up = self.down, self.up
        self.left_lanes = self.chip + EDGE + 14
        down.left = self.left_lanes + LANE * (1 + self.count["down"]) + 8
        self.across = down.right + 12
        up.left = self.across + (LANE * (1 + self.count["across"]) + 14 if up.rows else 0)
        up_right = up.right if up.rows else down.right
        self.right_lanes = up_right + 10
        self.grads_left = self.right_lanes + LANE * (1 + self.count["up"]) + 12
        self.update_left = self.grads_left + self.grad + 26
        self.update = 190.0 if self.updates else 0.0
        lanes = self.count["up"]
        right = self.right_lanes + LANE * (lanes - 1) if lanes else up_right
        if self.grads:
            right = self.grads_left + self.grad
        if self.updates:
            right = self.update_left + self.update
        ends = [c.y + c.height / 2 for c in self.given]
        ends += [top + high for _, top, high in self.optimizer]
        self.bottom = max([self.down.y, self.up.y, *ends])
        self.returns = [
            h
            for h in self.account.arrays
            if h.returned and h.role == "value" and h.number in self.stored
        ]
        self.bottom += (CHIP + 12) * bool(self.returns)
        self.width = max(right + EDGE, 560.0)
        self.height = self.bottom + 40

    @staticmethod
    def update_lines(p: Part) -> list[tuple[str, float, bool]]:
        """What stands in the box of an optimizer's part: text, its size, is it bold?"""
        lines = [
            (p.kind + (f" in {p.function}()" if p.function else ""), TINY, False),
            (spoken(p.ops), TEXT, True),
            *[(line, SMALL, False) for line in p.code],
            (p.said, TINY, False),
        ]
        for word, own in (("changes", True), ("and", False)):
            names = [a.name for a in p.writes if (a.role == "parameter") is own]
            text = f"{word} {', '.join(names)}" if names else ""
            lines += [(row, SMALL, False) for row in textwrap.wrap(text, 34)[:8]]
        return [x for x in lines if x[0]]

    def beside_grads(self) -> list[tuple[Part, float, float]]:
        """The optimizer's parts, together as high as the gradients that they read: their tops and
        heights."""
        ys = [c.y for c in self.grads] or [x.y for x in self.down.rows[:1]] or [EDGE + TOP]
        top, found = min(ys) - CHIP, []
        room = (max(ys) + CHIP - top) / max(len(self.updates), 1)
        for p in self.updates:
            high = max(room, 15.0 * len(self.update_lines(p)) + 18)
            found.append((p, top, high))
            top += high
        return found

    def of_grads(self) -> None:
        """What backward leaves: gradients that are returned, or that an update reads."""
        read = {h for p in self.updates for h in p.reads}
        last: dict[int, int] = {}
        for p in self.account.parts:
            if p.phase == "backward":
                last |= {h.number: p.number for h in p.gives}
        for h in self.account.arrays:
            if h.number in last and (h.returned or h in read):
                maker = last[h.number]
                self.grads.append(Chip("gradient", [h], self.place[maker].y, maker))
        self.grads.sort(key=lambda c: c.y)
        for a, b in zip(self.grads, self.grads[1:], strict=False):
            b.y = max(b.y, a.y + CHIP + 5)

    def lanes(self) -> None:
        """What flows where: straight to the next row, along a lane, or across."""
        self.straight: list[tuple[int, int, Held]] = []
        self.along: dict[str, Flow] = {"down": {}, "up": {}, "across": {}}
        self.fed: dict[Held, list[int]] = {}  # what was there before, and who reads it
        writer: dict[Held, int] = {}
        columns = {"down": self.down, "up": self.up}
        order = {k: [x.part.number for x in c.rows] for k, c in columns.items()}
        first = {h: c for c in self.given for h in c.arrays}
        for p in self.account.parts:
            for h in dict.fromkeys([*p.reads, *p.writes]):
                maker = writer.get(h)
                if maker is None:
                    if h in first and p.phase == "forward":
                        self.fed.setdefault(h, []).append(p.number)
                    continue
                source = self.account.parts[maker]
                if p.phase == "update" or maker == p.number:
                    continue
                if source.phase == p.phase:
                    kind = "down" if p.phase == "forward" else "up"
                    i, j = order[kind].index(maker), order[kind].index(p.number)
                    if abs(i - j) == 1:
                        self.straight.append((maker, p.number, h))
                    else:
                        self.along[kind].setdefault((maker, h), []).append(p.number)
                elif source.phase == "forward":
                    self.along["across"].setdefault((maker, h), []).append(p.number)
            writer |= dict.fromkeys(p.gives, p.number)
        self.lane: dict[str, dict[tuple[int, Held], int]] = {}
        self.count: dict[str, int] = {}
        for kind, found in self.along.items():
            self.lane[kind], self.count[kind] = self.assigned(found)
        more = {(-1 - k, h): to[1:] for k, (h, to) in enumerate(self.fed.items()) if len(to) > 1}
        self.again = more
        if more:
            both = self.along["down"] | more
            self.lane["down"], self.count["down"] = self.assigned(both)

    def assigned(self, found: Flow) -> tuple[dict[tuple[int, Held], int], int]:
        """A lane for each: the nearest that is free all the way; and how many there are."""

        def span(key: tuple[int, Held]) -> tuple[float, float]:
            ys = [self.place[n].y for n in found[key] if n in self.place]
            ys += (
                [self.place[key[0]].y]
                if key[0] in self.place
                else [c.y for c in self.given if key[1] in c.arrays]
            )
            return min(ys), max(ys)

        taken: list[list[tuple[float, float]]] = []
        lanes: dict[tuple[int, Held], int] = {}
        for key in sorted(found, key=lambda k: span(k)[1] - span(k)[0]):
            a, b = span(key)
            free = (all(b < c - 1 or d < a - 1 for c, d in lane) for lane in taken)
            k = next((k for k, fits in enumerate(free) if fits), len(taken))
            if k == len(taken):
                taken.append([])
            taken[k].append((a, b))
            lanes[key] = k
        return lanes, len(taken)
