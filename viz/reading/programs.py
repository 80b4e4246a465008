"""The program of a compiled function of tensors, read off the entry that runs it.

Views are the memory that they show, and no arrays of their own. ``c_source()``, ``print(f.graph)``
and this read the same entry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from microtorch.graph import Site
from microtorch.static.batches import Batch
from microtorch.static.entry import Entry
from microtorch.static.program import Step
from microtorch.static.region import Piece, Region
from microtorch.static.rounds import Rounds
from microtorch.static.statements import Call, Each, Lowered, View, makes, reads, writes
from microtorch.static.templates import Ref

from . import source
from .parts import VJP, Account, Around, Held, Part, pair

EMPTY = frozenset({"empty", "empty_like", "zeros", "zeros_like", "ones_like", "full_like"})
SIGNS = {"iadd": "+=", "isub": "-=", "imul": "*=", "itruediv": "/=", "setitem": "[…] ="}
IN_PLACE = re.compile(r"i[a-z]+|setitem")  # operators


class Reader:
    """Reads an entry of tensors."""

    def __init__(self, entry: Entry):
        self.entry, self.program = entry, entry.program
        self.base: dict[int, int] = {}  # of values of C that are views or rows: what they are of
        self.rows: dict[int, int] = {}  # of values of all rounds in one array: how many
        self.parts: list[Part] = []
        self.arrays: dict[int, Held] = {}
        self.backward: set[int] = set()  # values that are gradients
        self.late = False
        self.taken: dict[str, int] = {}
        p = self.program
        self.returned = {self.home(n) for n in [*p.returned, *entry.gives]}
        self.leaves = {x.number: x for x in p.leaves}
        self.changed = {x.number for x in entry.written}
        # the lines of backward()
        self.walks = {s.site for s in p.steps[: p.split] if VJP.search(s.name)}
        self.last: dict[Site, Held] = {}  # of an expression: what the last of its parts gives
        self.items(entry.plan.items)
        if entry.late is not None:
            self.late = True
            self.items(entry.late.plan.items)
        self.name_values()
        pair(self.parts)
        self.account = Account(
            p.name, self.parts, [*self.arrays.values()], entry.c_source, len(p.steps), entry
        )

    # ---- parts -----------------------------------------------------------------------------------
    def items(self, items: Sequence[Step | Region]) -> None:
        for item in items:
            if isinstance(item, Step):
                self.step(item)
                continue
            text = self.entry.runners[item.name].text
            inner = [s for x in text.items if isinstance(x, (Rounds, Batch)) for s in x.body]
            every = [*text.region.steps, *text.items, *inner]
            self.base |= {s.result: s.base for s in every if isinstance(s, View)}
            for x in text.items:
                self.base |= x.slices if isinstance(x, Batch) else {}
            self.base |= {n: r.members[0] for n, r in text.rows.items() if n != r.members[0]}
            self.rows |= {r.members[0]: r.height for r in text.rows.values()}
            times = text.memory.times
            for piece in text.pieces:
                self.piece(piece, item.name, None, times)

    def piece(self, p: Piece, function: str, outer: Around | None, times: dict[int, int]) -> None:
        if p.around is not None:
            around = _around(p.around, outer)
            for inner in p.inside:
                self.piece(inner, function, around, times)
            return
        read = [*dict.fromkeys(n for s in p.statements for n in reads(s))]
        made = [*dict.fromkeys(n for s in p.statements for n in makes(s))]
        written = [*dict.fromkeys(n for s in p.statements for n in writes(s))]
        inside = {self.home(n) for n in made}
        loops = any(re.match(r"\s*(INDEPENDENT )?for \(", x) for x in p.lines)
        kind = "loop" if loops or isinstance(p.statements[0], Each) else "call"
        if any(isinstance(s, Call) and s.checks for s in p.statements):
            kind = "check"
        steps = [*{id(s.step): s.step for s in p.statements}.values()]
        kept = self.seen_outside(p.statements, made, function)
        time = times.get(id(p.statements[0]), 0)
        self.add(kind, steps, [n for n in read if self.home(n) not in inside], kept, written,
                 p.lines, function, outer, time)  # fmt: skip
        last, now = [None, None, *self.parts][-2:]
        if last is not None and now is not None and one_step(last, now):
            self.parts.pop()
            last.lines += now.lines
            for old, new in (
                (last.reads, now.reads),
                (last.makes, now.makes),
                (last.writes, now.writes),
            ):
                old += [h for h in new if h not in old]

    def seen_outside(self, group: list[Lowered], made: list[int], function: str) -> list[int]:
        """What a loop makes that has memory; the rest are variables of a round."""
        text = self.entry.runners[function].text
        return [n for n in made if n in text.declared or n in text.region.gives]

    def step(self, step: Step) -> None:
        """A kernel that Python calls; a view is none."""
        if step.kind == "suppose":
            return
        made = [n for n in step.gives() if self.home(n) == n and n not in self.arrays
                and n not in self.leaves]  # fmt: skip
        written = self.written_by(step)
        if not made and not written:
            return
        lines = [f"{step.name}({', '.join(f'v{n}' for n in step.reads())})"]
        if made and (step.name in EMPTY or not [*step.reads()]):  # memory, and no work
            for n in made:
                self.array(n, "value")
            return
        self.add("kernel", [step], [*step.reads()], made, written, lines, "", None, 0)

    def written_by(self, step: Step) -> list[int]:
        """The older arrays that a step writes into."""
        given = [n for n in step.gives() if self.home(n) in self.arrays or n in self.leaves]
        if given and step.kind == "operator" and IN_PLACE.fullmatch(step.name):
            return given
        if next(step.gives(), None) is not None:
            return []
        first = step.arguments[0] if step.arguments else None
        if type(first) is Ref:
            return [first.number]
        return [n for n in step.reads() if n in self.changed]

    def add(
        self, kind: str, steps: list[Step], read: list[int], made: list[int], written: list[int],
        lines: list[str], function: str, around: Around | None, time: int,
    ) -> None:  # fmt: skip
        if not any(x.strip() and not x.lstrip().startswith("/*") for x in lines):
            return  # memory that others fill
        written = [*dict.fromkeys([*written, *[n for n in made if self.home(n) in self.arrays]])]
        made = [n for n in made if self.home(n) not in self.arrays]
        back = (
            self.late
            or steps[0].site in self.walks
            or any(self.home(n) in self.backward for n in read)
        )
        phase = "backward" if back else "forward"
        leaves = [n for n in written if self.home(n) in self.leaves]
        if (
            back
            and leaves
            and not made
            and all(self.leaves[self.home(n)].kind != "gradient" for n in leaves)
        ):
            phase = "update"
        role = "gradient" if back else "value"
        if back:
            self.backward |= {self.home(n) for n in made}
        site = steps[-1].site
        part = Part(
            number=len(self.parts),
            kind=kind,
            ops=[_called(s.name) for s in steps],
            phase=phase,
            said=source.line_of(site),
            where=str(site),
            reads=self.held(read, "value"),
            makes=self.held(made, role),
            writes=self.held(written, role),
            lines=[*lines],
            function=function,
            around=around,
            steps=steps,
            time=time,
        )
        part.reads = [h for h in part.reads if h not in part.writes or phase == "update"]
        if phase == "forward" and part.gives:
            self.last[site] = part.gives[-1]
        self.parts.append(part)

    def name_values(self) -> None:
        """The user's names: what an expression gives last is what it is assigned to."""
        for site, h in self.last.items():
            named = source.of(site.file).target(site)
            if named and h.number not in self.entry.names and h.number not in self.leaves:
                h.name = self.unique(named)

    # ---- arrays ----------------------------------------------------------------------------------
    def home(self, n: int) -> int:
        """The value whose memory a value shows."""
        seen = self.base
        while n in seen:
            n = seen[n]
        homes = self.entry.homes
        n = homes.get(n, n)
        while n in seen:
            n = homes.get(seen[n], seen[n])
        return n

    def held(self, numbers: Sequence[int], role: str) -> list[Held]:
        found = [self.array(self.home(n), role) for n in numbers]
        return [*dict.fromkeys(h for h in found if h is not None)]

    def array(self, n: int, role: str) -> Held | None:
        """The array of a value; None for a number."""
        if n in self.arrays:
            return self.arrays[n]
        p = self.program
        leaf, value = self.leaves.get(n), p.values[n]
        if leaf is None and n in p.constants and n not in p.fresh:
            if p.constants[n].size == 1:
                return None
            role = "constant"
        rows = self.rows.get(n)
        shape = value.shape if rows is None else (rows, *value.shape)
        size = max(value.nbytes, value.dtype.itemsize) * (rows or 1)
        name = self.entry.names.get(n, f"v{n}")
        if leaf is not None:
            role = {"argument": "data", "gradient": "gradient", "seed": "gradient"}.get(
                leaf.kind, "state"
            )
            if leaf.kind in ("tensor", "argument") and leaf.tensor.node.needs:
                role = "parameter"
            name = self.entry.names.get(n) or leaf.name or name
        made = Held(self.unique(name), tuple(shape), value.dtype.name, role, size, n)
        made.changed = n in self.changed
        made.returned = n in self.returned and leaf is None
        self.arrays[n] = made
        return made

    def unique(self, name: str) -> str:
        """A name that no array has: ``h``, ``h.2``, ``h.3``."""
        self.taken[name] = self.taken.get(name, 0) + 1
        return name if self.taken[name] == 1 else f"{name}.{self.taken[name]}"


def one_step(a: Part, b: Part) -> bool:
    """Are they several calls of one step, such as an optimizer's?"""
    same = (a.function, a.around, a.kind, [*map(id, a.steps)])
    return same == (b.function, b.around, "call", [*map(id, b.steps)])


def _around(loop: Rounds | Batch, outer: Around | None) -> Around:
    if isinstance(loop, Rounds):
        count = loop.end - loop.first
        return Around("rounds", count, f"step = {loop.first} … {loop.end - 1}", outer)
    count = 1
    for n in loop.shape:
        count *= n
    return Around("matrices", count, " × ".join(map(str, loop.shape)) + " matrices", outer)


def _called(name: str) -> str:
    """The op of a step; its derivative with ∂."""
    op = VJP.sub("", name)
    op = SIGNS.get(op, op)
    return f"∂{op}" if VJP.search(name) else op
