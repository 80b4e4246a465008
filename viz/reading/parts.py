"""A compiled program as plain data: the parts that run, and the arrays that they read and make.

A *part* is what runs as one thing: a loop of C in which several ops are fused, a call of a C
function, or a kernel that Python calls. Where a part stands inside a loop that was found again, or
a loop over matrices, it says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from microtorch.static.entry import Entry
    from microtorch.static.program import Step
    from microtorch.static.scalars.entry import ScalarEntry

VJP = re.compile(r"_vjps?\d*$")  # the end of a derivative's name


@dataclass(eq=False)
class Held:
    """An array. ``role``: "parameter", "data" (an argument), "state" (another tensor that it
    finds), "constant", "value" or "gradient"."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    size: int
    number: int
    changed: bool = False
    returned: bool = False

    def __str__(self) -> str:
        sizes = "×".join(map(str, self.shape)) or "scalar"
        return sizes if self.dtype in ("float32", "") else f"{sizes} {self.dtype}"


@dataclass(eq=False)
class Around:
    """A loop around parts: ``kind`` is "rounds" or "matrices", ``count`` how often; or "alike":
    so many layers, of which one is shown (alike.py)."""

    kind: str
    count: int
    text: str
    outer: Around | None = None


@dataclass(eq=False)
class Part:
    """``kind``: "loop" and "call" are C, "kernel" is called by Python, "check" may stop it.

    ``lines``: its text in the C file; ``function``: the function of C that it stands in.
    """

    number: int
    kind: str
    ops: list[str]
    phase: str  # "forward", "backward", or "update"
    said: str  # the user's line, and where it stands
    where: str  # "f.py:12"
    reads: list[Held]
    makes: list[Held]
    writes: list[Held]
    lines: list[str]
    function: str = ""
    around: Around | None = None
    steps: list[Step] = field(default_factory=list)
    time: int = 0  # as the memory plan of its function counts
    code: list[str] = field(default_factory=list)  # of Scalars: its lines stand for its ops
    alike: Around | None = None  # of a folded program
    of: int = -1  # of backward: the part whose derivative it is, or stands beside

    @property
    def gives(self) -> list[Held]:
        return [*self.makes, *self.writes]


@dataclass(eq=False)
class Account:
    """A program: its parts in order, and its arrays. ``c``: the text of the C file."""

    name: str
    parts: list[Part]
    arrays: list[Held]
    c: str
    steps: int
    entry: Entry | ScalarEntry  # that of the compiled function
    refused: frozenset[str] = frozenset()  # functions of C that differed, and are not used
    programs: int = 1  # how many the function has, for other shapes: this is the last one

    @property
    def given(self) -> list[Held]:
        """What was there before."""
        return [h for h in self.arrays if h.role in ("parameter", "data", "state")]


def pair(parts: Sequence[Part]) -> None:
    """Find for each part of backward that of forward whose derivative it is. Parts of one walk stay
    in their order: none stands below one that ran before it."""
    forward: list[Part] = []  # so far
    at = -1
    for p in parts:
        if p.phase == "forward":
            forward.append(p)
            at = len(forward) - 1
        elif p.phase == "backward" and forward:
            at = (by_line if p.code else by_op)(p, forward[: at + 1])
            p.of = forward[at].number


def by_op(p: Part, forward: Sequence[Part]) -> int:
    """The part with an op of that name that knows the most of the same values; or the last."""
    at, most = len(forward) - 1, 0
    for s in p.steps:
        op, seen = VJP.sub("", s.name), {*s.reads()}
        for k, f in enumerate(forward):
            for other in f.steps:
                n = 1 + len(seen & {*other.reads(), *other.gives()})
                if other.name == op != s.name and n >= most:
                    at, most = k, n
    return at


def by_line(p: Part, forward: Sequence[Part]) -> int:
    """Of Scalars: the last part of the same line; or the last."""
    last = len(forward) - 1
    return next((k for k in range(last, -1, -1) if forward[k].where == p.where), last)
