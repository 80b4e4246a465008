"""A step of Scalars as the parts of its program: the lines of C between the loops found again.

``print(f.graph)`` shows these lines, and they are read here as they are written there: loops by
their heads, the user's lines by their comments.
"""

from __future__ import annotations

import math
import re

from microtorch.graph import Site
from microtorch.static.scalars.entry import ScalarEntry

from .parts import Account, Around, Held, Part, pair
from .source import line_of

LOOP = re.compile(r"for \(int (\w+) = (\d+); \w+ (<|>=) (\d+);")
ARRAY = re.compile(r"(?:static )?double (\w+)((?:\[\d+\])+);")
GIVES = re.compile(r"(const double |double )?(\w+)((?:\[[^\]]*\])*) \+?= (.*);")
LEFT = {"new_p": "p", "new_grad": "grad"}  # what the step leaves of what it was given


def of_scalars(entry: ScalarEntry) -> Account:
    """The program of an entry."""
    return _Reader(entry).account


class _Reader:
    """Reads the text from above to below."""

    def __init__(self, entry: ScalarEntry):
        text, trace = entry.program.text, entry.program.trace
        self.arrays: dict[str, Held] = {}
        self.parts: list[Part] = []
        self.loops: list[Around] = []
        self.back, self.where = False, ""
        known = [s.first.site for s in text.listed if s.first.site[0] is not None]
        self.sites = {str(site): site for site in (Site.of(*x) for x in known)}
        self.array("p", (trace.inputs,), "parameter", "float64")
        for (_, shape), name in text.tables.items():
            self.array(name, shape, "constant", "float64")
        self.found: list[str] = []
        for line in text.lines:
            self.line(line.strip())
        self.close()
        pair(self.parts)
        if "new_p" in text.source:
            self.arrays["p"].changed = True
        used = {h for p in self.parts for h in [*p.reads, *p.gives]}
        self.account = Account(
            trace.name, self.parts, [h for h in self.arrays.values() if h in used],
            entry.c_source, len(trace.instructions), entry,
        )  # fmt: skip

    def array(self, name: str, shape: tuple[int, ...], role: str, dtype: str = "") -> Held:
        made = Held(name, shape, dtype, role, 8 * math.prod(shape), len(self.arrays))
        return self.arrays.setdefault(name, made)

    def line(self, line: str) -> None:
        """One line: an array, a comment, a loop that begins or ends, or a statement."""
        if made := ARRAY.fullmatch(line):
            shape = tuple(map(int, re.findall(r"\d+", made[2])))
            self.array(made[1], shape, "gradient" if made[1].startswith("d_") else "value")
        elif line.startswith("/* backward") and " of " not in line:
            self.close()
            self.back, self.where = True, ""
        elif line.startswith("/*"):
            self.close()
            found = re.match(r"/\* (backward of )?(.*?:\d+)\b", line)
            self.where = found[2] if found else ""
            if found and not found[1]:
                self.back = False
        elif loop := LOOP.match(line):
            self.close()
            a, b = int(loop[2]), int(loop[4])
            count = b - a if loop[3] == "<" else a + 1
            last = b - 1 if loop[3] == "<" else 0
            outer = self.loops[-1] if self.loops else None
            self.loops.append(Around("rounds", count, f"{loop[1]} = {a} … {last}", outer))
        elif line == "}":
            self.close()
            self.loops.pop()
            self.where = ""
        elif line:
            self.found.append(line)

    def close(self) -> None:
        """The statements so far are a part."""
        lines, self.found = self.found, []
        reads: dict[Held, None] = {}
        gives: dict[Held, None] = {}
        out: dict[Held, None] = {}
        for line in lines:
            found = GIVES.fullmatch(line)
            if found is None:
                continue
            for word in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", found[4])):
                if word in self.arrays and self.arrays[word] not in gives:
                    reads[self.arrays[word]] = None
            name = found[2]
            if found[1]:  # a variable
                role = "gradient" if name.startswith("d_") else "value"
                self.array(name, (), role)
            if name == "out":
                out |= {h: None for h in reads if h.role == "value"}
            elif name in LEFT:
                gives[self.array(LEFT[name], (), "state")] = None
            elif name in self.arrays:
                gives[self.arrays[name]] = None
        for h in out:
            h.returned = True
        lines = [x for x in lines if not x.startswith("out[")]
        if not lines:
            return
        leaves = any(x.startswith(tuple(LEFT)) for x in lines)
        phase = "update" if leaves else "backward" if self.back else "forward"
        site = self.sites.get(self.where)
        said = line_of(site) if site is not None else self.where
        before = {h for p in self.parts for h in p.gives}
        if phase == "update":
            gives = {h: None for h in gives if h.name in LEFT.values()}
        self.parts.append(Part(
            len(self.parts), "loop" if self.loops else "lines", [], phase, said, self.where,
            [*reads], [h for h in gives if h not in before and phase != "update"],
            [h for h in gives if h in before or phase == "update"], lines,
            "step", self.loops[-1] if self.loops else None, code=lines,
        ))  # fmt: skip
