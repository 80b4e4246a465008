"""A region: successive steps of a program that are one C function."""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .statements import Call, Each, View, writes
from .templates import Rate

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from .batches import Batch
    from .program import Program, Step
    from .rounds import Rounds
    from .statements import Lowered


class Region(NamedTuple):
    """Successive steps that are one C function: what it reads, and what is read of it later.

    ``calls``: the steps that were recorded, as the interpreter runs them.
    """

    name: str
    steps: list[Lowered]
    takes: list[int]
    gives: list[int]
    calls: list[Step]

    @property
    def written(self) -> list[int]:
        """The values among ``takes`` that it changes."""
        root: dict[int, int] = {}
        found: dict[int, None] = {}
        for s in self.steps:
            if isinstance(s, View):
                root[s.result] = root.get(s.base, s.base)
            for n in writes(s):
                found[root.get(n, n)] = None
        return [n for n in found if n in self.takes]

    @property
    def rates(self) -> list[Rate]:
        """The learning rates that it reads, which each call gives anew."""
        found = [x for s in self.steps if isinstance(s, Call) for x in s.operands
                 if type(x) is Rate]  # fmt: skip
        return [*{id(x.group): x for x in found}.values()]


class Piece(NamedTuple):
    """Statements that stand together in the C text of a region: one loop, or one call.

    Of rounds or matrices, ``around`` is the loop, and ``inside`` are the pieces of its body.
    """

    statements: list[Lowered]
    lines: list[str]
    around: Rounds | Batch | None = None
    inside: tuple[Piece, ...] = ()


def in_own_order(program: Program, steps: Sequence[Lowered], gives: Container[int]) -> set[int]:
    """The values that lie in C as they were recorded, though not row by row: elementwise results
    that stay inside. So a view of one finds its elements, and a write to it their places."""
    made = {s.result for s in steps if isinstance(s, Each) and s.into is None}
    loose = {n for n in made if not program.values[n].contiguous and program.values[n].dense}
    return {n for n in loose if n not in gives}


def number_name(region: Region, x: float) -> str:
    """A number, or what a learning rate is called: ``lr``, or ``lr_1`` in a second group."""
    if type(x) is not Rate:
        return repr(x) if isinstance(x, float) else str(int(x))
    alike = [y for y in region.rates if y.word == x.word]
    i = next(i for i, y in enumerate(alike) if y.group is x.group)
    return f"{x.word}_{i}" if i else x.word
