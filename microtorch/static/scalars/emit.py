"""A rolled step of Scalars as one C function to read.

Forward, the loops are what they were. A walk back is the same loops from their end to their
beginning, and in them the same statements, each with what it gives to the gradients of its
operands. Where the rounds of a loop give to different gradients, it may as well run upwards.

Gradients begin as -0.0, the one number to which each can be added without a change.
"""
from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from linecache import getline
from typing import TYPE_CHECKING

import numpy as np

from ...graph import Site
from ...notation import expr, formulas
from ..source import reserved, unique
from .reroll import Loop, Statement, statements
from .rooms import Index, Room, Rooms
from .words import DIALECT, KEEPS, NAMES, SHORT, counter, file, number, table, text_of_index

if TYPE_CHECKING:
    from ...base.types import Array
    from .reroll import Node
    from .trace import Trace

LARGE = 1 << 14  # numbers in arrays on the stack; a caller lets one call run at a time


class Text:
    """The C file of a rolled program: ``source``. ``parts``: see reroll.rolled."""

    def __init__(self, trace: Trace, parts: Sequence[Sequence[Node]]):
        self.trace, self.parts = trace, parts
        self.listed = [s for part in parts for s in statements(part)]
        self.rooms = Rooms(parts, self.listed, trace.inputs)
        self.lines: list[str] = []
        self.arrays: list[str] = []
        self.on_stack = 0
        self.tables: dict[tuple[bytes, tuple[int, ...]], str] = {}  # constants
        self.taken = {*reserved(), *KEEPS.values(), *NAMES.values(), *expr.SCALAR_FUNCTIONS,
                      "p", "grad", "step", "l"}  # fmt: skip
        self.inlined: dict[int, str] = {}  # id of a statement -> its text, where it is used once
        self.totals: dict[int, str] = {}  # id of a sum -> the variable that it is added up in
        self.same: dict[int, str] = {}  # id of a gradient's room -> a name for the same number
        self.said = ""
        self.depth = 1
        self.name_rooms()
        self.single = self.used_once()
        for i, part in enumerate(parts):
            if len(part) == 1 and isinstance(part[0], Statement) and (
                part[0].first.name == "backward"
            ):  # fmt: skip
                self.back(part[0], [n for p in parts[:i] for n in p])
            else:
                self.forward(part)
        tables = [table(name, *key) for key, name in self.tables.items()]
        self.lines = ["    " + a for a in self.arrays] + [line.rstrip() for line in self.lines]
        count = len([s for s in self.listed if s.first.makes])
        self.source = file(trace, count, tables, self.lines)

    # ---- names -----------------------------------------------------------------------------------
    def name_rooms(self) -> None:
        """The user's names, where a line of theirs gives one: ``act = sum(...)``."""
        final: dict[object, Statement] = {}
        for s in self.listed:
            if s.first.site[0] is not None and s.first.makes:
                final[self.line(s)[:2], tuple(map(id, s.loops))] = s
        chosen: dict[int, str] = {}
        for s in final.values():
            m = re.match(r"\s*([A-Za-z_]\w*)\s*=(?!=)", self.line(s)[2])
            if m:
                if s.first.name == "add to":
                    s = self.listed[int(self.rooms.maker[s.all(0).flat[0]])]
                chosen[id(s)] = m[1]
        for i, room in self.rooms.rooms.items():
            s = room.members[0]
            named = [chosen[id(x)] for x in room.members if id(x) in chosen]
            room.name = self.new(named[0] if named else SHORT.get(s.first.name, s.first.name))
            if not room.variable and not self.rooms.stands_for_gradient(s):
                self.array(room)
            for k in range(self.rooms.walks):
                grad = self.rooms.grads[i, k]
                grad.name = self.new(f"d_{room.name}")
        for k in range(self.rooms.walks):
            self.rooms.grads[-1, k].name = self.new("d_p")

    def new(self, name: str) -> str:
        name = unique(name, self.taken)
        self.taken.add(name)
        return name

    def array(self, room: Room) -> None:
        shape, size = "".join(f"[{n}]" for n in room.shape), math.prod(room.shape)
        kind = "static double" if self.on_stack + size > LARGE else "double"
        self.on_stack += size * (kind == "double")
        self.arrays.append(f"{kind} {room.name}{shape};")

    @staticmethod
    def line(s: Statement) -> tuple[str, int, str]:
        """File, line and text of the user's line."""
        code, lasti = s.first.site
        assert code is not None
        site = Site.of(code, lasti)
        return site.file, site.line, getline(site.file, site.line)

    def comment(self, s: Statement, before: str = "") -> None:
        if s.first.site[0] is None:
            return
        code, lasti = s.first.site
        assert code is not None
        site = Site.of(code, lasti)
        said = f"/* {before}{site} */"
        text = textwrap.shorten(getline(site.file, site.line).replace("*/", "* /"), 70)
        if text and not before:
            said = f"/* {site}: {text} */"
        if said != self.said:
            self.say(said)
        self.said = said

    # ---- lines -----------------------------------------------------------------------------------
    def say(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def opened(self, loop: Loop, down: bool = False) -> None:
        i = counter(self.depth - 1)
        if down:
            self.say(f"for (int {i} = {loop.count - 1}; {i} >= 0; {i}--) {{")
        else:
            self.say(f"for (int {i} = 0; {i} < {loop.count}; {i}++) {{")
        self.depth += 1

    def closed(self) -> None:
        self.depth -= 1
        self.said = ""
        if self.lines[-1].endswith("++) {"):  # nothing is to be done in it
            self.lines.pop()
        else:
            self.say("}")

    # ---- operands --------------------------------------------------------------------------------
    def at(self, room: Room, index: Sequence[Index]) -> str:
        if id(room) in self.same:
            return self.same[id(room)]
        if room.variable:
            return room.name
        return room.name + "".join(f"[{text_of_index(x)}]" for x in index)

    def operand(self, s: Statement, k: int) -> str:
        """The number that a statement reads."""
        kind = s.first.operands[k][0]
        if kind == "c":
            return self.constant(s.constants[k])
        if kind in ("p", "h"):
            name = {"p": "p", "h": "grad"}[kind]
            return f"{name}[{text_of_index(Index(s.starts[k + 2], s.strides[k + 2]))}]"
        use = self.rooms.use(s, k)
        if len(use.room.members) == 1 and use.room.walk < 0:
            text = self.inlined.get(id(use.room.members[0]))
            if text is not None:
                return text
        return self.at(use.room, use.index)

    def constant(self, values: Array) -> str:
        """A constant operand: a number, or a table that has the loops in which it changes."""
        kept = []
        for d in range(values.ndim):
            first = np.take(values, [0], d)
            same = np.ascontiguousarray(np.broadcast_to(first, values.shape))
            if not np.array_equal(same.view(np.int64), values.view(np.int64)):  # bit by bit
                kept.append(d)
        cut = values[tuple([slice(None) if d in kept else 0 for d in range(values.ndim)])]
        if not kept:
            return number(float(cut))
        key = (np.ascontiguousarray(cut).tobytes(), cut.shape)
        if key not in self.tables:
            self.tables[key] = self.new("table")
        return self.tables[key] + "".join(f"[{counter(d)}]" for d in kept)

    def gradient(self, s: Statement, walk: int) -> str:
        """The gradient of a statement's result."""
        if s.first.name == "add to":
            use = self.rooms.use(s, 0, walk)
            return self.at(use.room, use.index)
        i = self.rooms.root(self.rooms.number[id(s)])
        room = self.rooms.grads[i, walk]
        return self.at(room, self.rooms.index(room, s.all(-2)))

    # ---- forward ---------------------------------------------------------------------------------
    def used_once(self) -> set[int]:
        """Variables that one "add to", or whatever keeps a number, is all that reads."""
        uses: dict[int, list[Statement]] = {}
        for s in self.listed:
            for k, (kind, _) in enumerate(s.first.operands):
                if kind == "v" and not (k == 0 and s.first.name in ("grad", "backward")):
                    made = self.listed[int(self.rooms.maker[s.all(k).flat[0]])]
                    uses.setdefault(id(made), []).append(s)
        found = set()
        for s in self.listed:
            by = uses.get(id(s), [])
            room = self.rooms.rooms.get(self.rooms.root(self.rooms.number[id(s)]))
            if len(by) == 1 and room is not None and room.variable and not room.back and (
                by[0].first.name in ("add to", *KEEPS) and s.first.name not in ("set", "add to")
                and len(by[0].loops) == len(s.loops) and all(
                    a is b for a, b in zip(by[0].loops, s.loops, strict=True))
            ):  # fmt: skip
                found.add(id(s))
        return found

    def forward(self, nodes: Sequence[Node]) -> None:
        """Statements and loops, as they were."""
        for i, node in enumerate(nodes):
            if isinstance(node, Loop):
                self.opened(node)
                self.forward(node.body)
                self.closed()
            else:
                self.statement(node)
            for s in self.sums(nodes[: i + 1]):
                last = [a for a in statements([node]) if self.adds_to(a, s)]
                if last and not any(self.adds_to(a, s) for a in statements(nodes[i + 1 :])):
                    self.say(f"{self.result(s)} = {self.total(s)};")

    def adds_to(self, s: Statement, to: Statement) -> bool:
        return s.first.name == "add to" and (
            self.listed[int(self.rooms.maker[s.all(0).flat[0]])] is to
        )

    def sums(self, nodes: Sequence[Node]) -> list[Statement]:
        """The sums set here that are added up in a variable, and then stored in an array."""
        return [s for s in nodes if isinstance(s, Statement) and s.first.name == "set"
                and self.aside(s)]  # fmt: skip

    def aside(self, s: Statement) -> bool:
        room = self.rooms.of(s)
        return not room.variable and all(
            self.rooms.inside(self.rooms.use(a, 0)) for a in self.listed if self.adds_to(a, s)
        ) and not room.flat  # fmt: skip

    def total(self, s: Statement) -> str:
        room = self.rooms.of(s)
        if id(s) not in self.totals:
            self.totals[id(s)] = self.new(f"sum_{room.name}")
        return self.totals[id(s)]

    def result(self, s: Statement) -> str:
        room = self.rooms.of(s)
        return self.at(room, self.rooms.index(room, s.all(-2)))

    def statement(self, s: Statement) -> None:
        name = s.first.name
        if name in KEEPS:
            place = text_of_index(Index(s.starts[1], s.strides[1]))
            self.say(f"{KEEPS[name]}[{place}] = {self.operand(s, 0)};")
            return
        if name == "add to":
            chain = self.listed[int(self.rooms.maker[s.all(0).flat[0]])]
            to = self.total(chain) if self.aside(chain) else self.operand(s, 0)
            self.comment(s)
            self.say(f"{to} += {self.operand(s, 1)};")
            return
        if name == "grad":
            if self.rooms.stands_for_gradient(s):
                return
            use = self.rooms.use(s, 0, s.first.place)
            text = self.at(use.room, use.index)
            if len(s.first.operands) > 1:
                text = f"{self.operand(s, 1)} + {text}"
        elif name in ("set", "copy"):
            text = self.operand(s, 0)
        else:
            names = dict(zip("xyz", [self.operand(s, k) for k in range(len(s.first.operands))],
                             strict=False))  # fmt: skip
            names |= {k: number(v) for k, v in s.first.attrs}
            text = expr.render(
                formulas.TABLE[name][0], DIALECT.but(name=names.__getitem__)
            )
        if id(s) in self.single:
            self.inlined[id(s)] = text
            return
        self.comment(s)
        room = self.rooms.of(s)
        if name == "set" and self.aside(s):
            self.say(f"double {self.total(s)} = {text};")
        elif room.variable:
            kind = "double" if name == "set" else "const double"
            self.say(f"{kind} {room.name} = {text};")
        else:
            self.say(f"{self.result(s)} = {text};")

    # ---- back ------------------------------------------------------------------------------------
    def back(self, s: Statement, nodes: list[Node]) -> None:
        """Walk back from a number through all that stands before."""
        k = s.first.place
        self.said = ""
        self.say("")
        self.say(f"/* backward{f' number {k + 1}' if k else ''} */")
        active = {id(a): a for a in statements(nodes) if any(k in f for f in a.first.flows)}
        given: dict[int, Room] = {}
        for a in active.values():
            for j, flow in enumerate(a.first.flows):
                if k in flow:
                    room = self.rooms.use(a, j, k).room
                    given[id(room)] = room
        kind = s.first.operands[0][0]
        use = self.rooms.use(s, 0, k) if kind != "c" else None
        if use is not None:
            given[id(use.room)] = use.room
        for room in given.values():
            if not room.variable:
                self.array(room)
                if not room.once:
                    self.fill(room)
        seed = number(s.first.attrs[0][1])
        if use is not None:
            if use.room.variable:
                self.say(f"double {use.room.name} = {seed};")
            else:
                self.say(f"{self.at(use.room, use.index)} = {seed};")
        self.declared = {id(use.room)} if use is not None else set()
        self.scope(nodes, k, active)

    def fill(self, room: Room) -> None:
        for n in room.shape:
            self.opened(Loop(n))
        names = "".join(f"[{counter(d)}]" for d in range(self.depth - len(room.shape) - 1,
                                                          self.depth - 1))  # fmt: skip
        self.say(f"{room.name}{names} = -0.0;")
        for _ in room.shape:
            self.closed()

    def scope(self, nodes: Sequence[Node], k: int, active: dict[int, Statement]) -> None:
        """The statements of a body, the last one first."""
        for node in reversed(nodes):
            inner = [a for a in statements([node]) if id(a) in active]
            if not inner:
                continue
            for a in inner:
                for j, flow in enumerate(a.first.flows):
                    if k in flow and a.first.operands[j][0] == "v":
                        self.declare(self.rooms.use(a, j, k).room, a, node)
            if isinstance(node, Loop):
                self.opened(node, down=not self.rooms.free(node, k, active))
                self.scope(node.body, k, active)
                self.closed()
            else:
                self.give(node, k)

    def declare(self, room: Room, by: Statement, node: Node) -> None:
        """A gradient that is a variable of this body, and gets its first contribution now."""
        if not room.variable or id(room) in self.declared:
            return
        if len(room.members[0].loops) != self.depth - 1 or (node is by and room.once):
            return
        self.declared.add(id(room))
        self.say(f"double {room.name} = -0.0;")

    def give(self, s: Statement, k: int) -> None:
        """What a statement gives to the gradients of its operands."""
        row = formulas.TABLE.get(s.first.name, ("", ("g", "g")))
        names = {"g": self.gradient(s, k)}
        reads = [expr.names(t) for t, f in zip(row[1], s.first.flows, strict=False) if k in f and t]
        for j, letter in enumerate("xyz"[: len(s.first.operands)]):
            if any(letter in r for r in reads):
                names[letter] = self.operand(s, j)
        if any("out" in r for r in reads):
            names["out"] = self.result(s)
        names |= {a: number(v) for a, v in s.first.attrs}
        self.comment(s, "backward of ")
        for j, flow in enumerate(s.first.flows):
            formula = row[1][j]
            if k not in flow or formula is None:
                continue
            text = expr.render(formula, DIALECT.but(name=names.__getitem__))
            use = self.rooms.use(s, j, k)
            room = use.room
            if room.variable and id(room) not in self.declared:
                if re.fullmatch(r"\w+", text) and text[0].isalpha():
                    self.same[id(room)] = text
                else:
                    self.say(f"const double {room.name} = {text};")
                continue
            sign = "=" if room.once else "+="
            self.say(f"{self.at(room, use.index)} {sign} {text};")
