"""How the tables of lower.py look at a step: what it is given, in which shapes and layouts."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..backends import core, cpu
from .statements import TILE, Call, Lowered
from .templates import Rate, Ref, Value

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Program, Step

Entry: TypeAlias = "Callable[[Look], list[Lowered] | None]"


F32 = np.dtype(np.float32)
# From so many elements on, the C core's tables of functions like tanh are faster than loops, also
# where a loop does more besides.
LARGE = 1 << 13


def has_tables(out: Value) -> bool:
    """Has the C core a faster kernel for functions of so many elements?"""
    return out.dtype == F32 and math.prod(out.shape) >= LARGE and cpu.of(F32).name == "core"


def one_thread() -> bool:
    """Would the C core have no more threads than a program has?"""
    return cpu.of(F32).name == "core" and core.get_num_threads() == 1


def cheaper_turned(rows: int, columns: int, inner: int) -> bool:
    """Of a product whose y would have to be laid out anew: is it less work to lay out x, and what
    comes out? Then y is read as it lies, each number of it once for a tile's width of rows."""
    return rows >= TILE and columns >= TILE and rows * (inner + 2 * columns) < columns * inner


class Look(NamedTuple):
    """A step as the table's entries see it."""

    program: Program
    step: Step
    alone: bool  # must it be C, since there is no Python?

    @property
    def given(self) -> tuple[Operand, ...]:
        return self.step.arguments

    def attr(self, name: str) -> Operand:
        return self.step.attrs.get(name)

    def shape(self, x: Operand) -> Shape:
        return self.program.values[x.number].shape

    def size(self, x: Operand) -> int:
        return math.prod(self.shape(x))

    def floats(self, *given: Operand, kind: str = "") -> bool:
        """Are all of these values of one floating type (or of ``kind``)?"""
        if any(type(x) is not Ref for x in given):
            return False
        kinds = {self.program.values[x.number].dtype.name for x in given}
        return kinds == {kind} if kind else kinds in ({"float32"}, {"float64"})

    def alike(self, *given: Operand) -> bool:
        """Are all of these values of one type?"""
        kind = type(given[0]) is Ref and self.program.values[given[0].number].dtype.name
        return self.floats(*given, kind=kind or "")

    def rows(self, *given: Operand, kind: str = "") -> bool:
        """And do they lie row by row?"""
        return self.floats(*given, kind=kind) and all(map(self.lies_in_rows, given))

    def numbers(self, *given: Operand) -> bool:
        """Are they floats of one type, or int64, row by row?"""
        return self.rows(*given) or self.rows(*given, kind="int64")

    def lies_in_rows(self, x: Operand) -> bool:
        """Does a value lie row by row, of whichever type it is?"""
        return self.program.values[x.number].contiguous

    def call(self, function: str, *operands: Operand, writes: tuple[Operand, ...] = ()) -> Call:
        """The call; what is new is the step's result."""
        old = {x.number for x in self.given if type(x) is Ref}
        fresh = [n for n in dict.fromkeys(self.step.gives()) if n not in old]
        return Call(self.step, function, [*operands], fresh, [x.number for x in writes])


class Table(dict[str, Entry]):
    """Entries by the kind and the name of a step: each gives its statements, or None where it does
    not fit."""

    def entry(self, *names: str) -> Callable[[Entry], Entry]:
        def keep(function: Entry) -> Entry:
            self.update(dict.fromkeys(names, function))
            return function

        return keep

    def lowered(self, program: Program, step: Step, alone: bool) -> list[Lowered] | None:
        """A step as statements, or None."""
        found = self.get(f"{step.kind} {step.name}")
        return None if found is None or "out" in step.attrs else found(Look(program, step, alone))


def is_number(x: Operand) -> bool:
    """May C be given it as a number?"""
    return type(x) in (bool, int, float, Rate)
