"""Where the values of a region lie in its C function, and the lines written so far."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .batches import Batch, batched, once
from .c_text import Lies, number, plus
from .memory import planned
from .region import in_own_order
from .rounds import rolled
from .statements import C_TYPES, TILE, Each, makes, reads, row_major

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import DType, Shape
    from .program import Program
    from .region import Piece, Region
    from .rounds import Rows
    from .statements import Lowered

TOGETHER = 3  # calls from one line of the program, under one comment
LONG = 1 << 17  # bytes that a region makes if it takes longer than a change of threads


class Places:
    """What is known while a region is written. ``names``: what its inputs and outputs are called.

    ``places``: where each value lies that there is so far. ``scratch``: what it calls these,
    ``lines``: what it does.
    """

    def __init__(self, program: Program, region: Region, names: dict[int, str]):
        self.program, self.region, self.names = program, region, names
        self.places: dict[int, Lies] = {}
        self.lines: list[str] = []
        self.pieces: list[Piece] = []  # the same, by what stands together
        self.arrays: dict[str, list[str]] = {}  # of the function itself, by type
        self.scratch: list[str] = []
        self.called: set[tuple[str, str]] = set()  # functions, and of which type
        items, self.rows = rolled(program, region.steps, {*region.gives})
        self.items = batched(program, items, self.rows, {*region.gives})
        self.ordered = in_own_order(program, region.steps, region.gives)
        self.kept = {*region.gives, *self.rows}  # what is read later, and so has memory
        made = [program.values[n].nbytes for s in region.steps for n in makes(s)]
        self.long = sum(made) > LONG
        self.said, self.said_at = "", 0  # the last comment, and in which line
        self.readers: dict[int, set[int]] = {}  # the statements that read a value, by id
        for s in once(self.items):
            for n in reads(s):
                self.readers.setdefault(n, set()).add(id(s))
        for x in self.items:
            for n in x.slices.values() if isinstance(x, Batch) else ():
                self.readers.setdefault(n, set()).add(id(x))
        self.declared: set[int] = set()
        self.kinds: dict[str, str] = {}  # what that array is called, by type
        self.turned = 0  # bytes of the largest array that a product lays out anew
        for n in region.takes:
            value = program.values[n]
            strides = tuple([s // value.dtype.itemsize for s in value.strides])
            self.places[n] = Lies(names[n], 0, strides)

    # ---- elements --------------------------------------------------------------------------------
    def at(self, n: int, index: list[str], shape: Shape) -> str:
        """The element of value n at an index of the (larger) shape."""
        value, constant = self.program.values[n], self.program.constants.get(n)
        if constant is not None and n not in self.places:
            return number(constant.item(), value.dtype)
        place = self.places[n]
        extra = len(shape) - len(value.shape)
        used = [i for i, size in enumerate(value.shape) if size > 1]
        at = place.at([index[i + extra] for i in used], [place.strides[i] for i in used])
        return f"{place.name}[{at}]"

    def pointer(self, n: int) -> str:
        """Where a value that lies row by row begins."""
        place = self.places[n]
        return plus(place.name, place.at())

    def apart(self, kind: str) -> str:
        """The array in which products lay out what does not lie row by row."""
        self.kinds.setdefault(kind, f"rows{len(self.kinds) + 1}" if self.kinds else "rows")
        return self.kinds[kind]

    def element(self, n: int, i: str) -> str:
        """An element of a value that lies row by row."""
        place = self.places[n]
        at = place.at() if i == "0" else place.at([i], [1])
        return f"{place.name}[{at}]"

    def new(self, n: int) -> Lies:
        """Memory for value n: an output, an array, a place in the block, or a row of these."""
        rows = self.rows.get(n)
        head = n if rows is None else rows.members[0]
        if head in self.declared:
            return self.places[n]
        self.declared.add(head)
        name = self.names.get(head, f"v{head}")
        if rows is None:
            self.places[n] = Lies(name, 0, self.strides(n))
        else:
            self.places |= {m: self.row(rows, i) for i, m in enumerate(rows.members)
                            if m not in self.places}  # fmt: skip
        return self.places[n]

    def plan(self) -> None:
        """Once all is written: where those values lie that got memory, and not only a variable."""
        program, region = self.program, self.region
        made = {n for s in once(self.items) for n in makes(s)}
        elsewhere = {*region.gives, *(made - self.declared - self.rows.keys())}
        self.memory = planned(program, self.items, self.rows, elsewhere)
        for head in sorted({*self.memory.stack, *self.memory.rooms}):
            value, rows = program.values[head], self.rows.get(head)
            name = self.names.get(head, f"v{head}")
            shape = value.shape if rows is None else (rows.height, *value.shape)
            kind, room = C_TYPES[value.dtype.name], self.memory.rooms.get(head)
            if room is None:
                size = max(math.prod(shape), 1)
                sizes = size if rows is None else f"{rows.height} * {size // rows.height}"
                self.arrays.setdefault("ALIGNED " * (size >= TILE) + kind, []).append(
                    f"{name}[{sizes}]"
                )
            else:
                about = f"/* {list(shape)}, {room.size} bytes */"
                at = f"({kind} *)(block + {room.start})"
                self.scratch.append(f"{kind} *const {name} = {at}; {about}")

    def strides(self, n: int) -> Shape:
        """The strides, in elements, of memory for value n."""
        value = self.program.values[n]
        if n not in self.ordered:
            return row_major(value.shape)
        return tuple([s // value.dtype.itemsize for s in value.strides])

    def row(self, rows: Rows, first: int, step: int = 0) -> Lies:
        """A row of an array: ``first`` + ``step`` times the round."""
        head = rows.members[0]
        strides, size = self.strides(head), math.prod(self.program.values[head].shape)
        name = self.names.get(head, f"v{head}")
        if not rows.turns or not step:
            first = first % 2 if rows.turns else first
            return Lies(name, first * size, strides, step * size)
        turn = "step % 2" if first == 0 else "(step + 1) % 2"
        return Lies(name, 0, strides, 0, turn if size == 1 else f"{size} * ({turn})")

    def moves(self, n: int) -> bool:
        """Does a value lie elsewhere in each round of a loop?"""
        return bool(self.places[n].moves or self.places[n].turns)

    # ---- lines -----------------------------------------------------------------------------------
    def loops(self, shape: Shape, flat: bool) -> tuple[list[str], list[str], int]:
        """Lines that open loops over a shape, the indices, and how many braces to close."""
        if flat:
            n = math.prod(shape)
            return ([f"for (int i = 0; i < {n}; i++) {{"] if n != 1 else ["{"]), ["i"], 1
        names = [f"i{k}" for k in range(len(shape))]
        opened, depth = [], 0
        for name, n in zip(names, shape, strict=True):
            opened.append("    " * depth + f"for (int {name} = 0; {name} < {n}; {name}++) {{")
            depth += 1
        return opened, names, depth

    def comment(self, steps: Sequence[Lowered]) -> None:
        """Which lines of the program the next ones are of."""
        seen: dict[str, list[str]] = {}
        for s in steps:
            seen.setdefault(str(s.step.site), []).append(s.step.name)
        what = "; ".join(f"{site}: {', '.join(names)}" for site, names in seen.items())
        if what == self.said:
            return
        calls = self.lines[self.said_at + 1 :]
        plain = all(x[0].isalpha() and x.endswith(");") for x in calls) and len(calls) <= TOGETHER
        loop = any(isinstance(s, Each) for s in steps)
        same = self.said.startswith(f"{next(iter(seen))}: ") and "; " not in self.said
        if len(seen) == 1 and plain and not loop and same:
            what = ", ".join([self.said, *next(iter(seen.values()))])
            self.lines[self.said_at] = f"/* {what} */"
        else:
            self.said_at = len(self.lines)
            self.lines.append(f"/* {what} */")
        self.said = what

    def call(self, name: str, d: DType) -> None:
        self.called.add((name, d.name))
