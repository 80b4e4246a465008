"""What ``microtorch check`` answers: what was right, and the first thing that was wrong."""
from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Function: TypeAlias = Callable[..., object]
TOLERANCE = 1e-6  # of float64; what a finite difference can tell
SHOWN = 6  # digits of a number in an answer


@dataclass
class Wrong:
    """The first thing that is not as it should be. ``remarks`` are for the picture."""

    program: str  # what was computed
    what: str
    hint: str = ""
    root: object = None  # the engine's result, of which a picture is drawn
    names: Mapping[str, object] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    """About one definition of the file: what was right, and the first thing that was wrong."""

    subject: str
    right: list[str] = field(default_factory=list)
    wrong: Wrong | None = None
    later: list[str] = field(default_factory=list)  # what is not there, and need not be
    note: str = ""  # right, but not for every use
    picture: str = ""

    def __bool__(self) -> bool:
        return self.wrong is None

    def __str__(self) -> str:
        lines = [self.subject, *(f"  right  {text}" for text in self.right)]
        if self.wrong is not None:
            program = self.wrong.program.strip().splitlines()
            lines += [f"  WRONG  {program[0]}", *(f"         {line}" for line in program[1:])]
            lines += [f"         {line}" for line in self.wrong.what.splitlines()]
            lines += [f"   hint  {self.wrong.hint}"] if self.wrong.hint else []
            lines += [f"   look  {self.picture}"] if self.picture else []
        else:
            lines += [f"   note  {self.note}"] if self.note else []
            untried = ", ".join(self.later)
            lines += [f"  not defined, so not tried: {untried}"] if untried else []
        return "\n".join(lines)


def near(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return math.isclose(a, b, rel_tol=1e-5, abs_tol=TOLERANCE)


def shown(v: float) -> str:
    return f"{float(v):.{SHOWN}g}"


def raised(program: str, error: Exception) -> Wrong:
    """An exception in the pupil's code, with its line."""
    stack = traceback.extract_tb(error.__traceback__)
    frames = [f for f in stack if "microtorch" not in f.filename]
    where = f"\nin line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    return Wrong(program, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}{where}")
