"""What ``microtorch check`` answers: what was right, and the first thing that was wrong."""
from __future__ import annotations

import math
import re
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Function: TypeAlias = Callable[..., object]
TOLERANCE = 1e-6  # of float64; what a finite difference can tell
SHOWN = 6  # digits of a number in an answer
PATIENCE = 20.0  # seconds that a definition may take
USUAL = {  # what an error in the pupil's code usually means, by words of its message
    r"'(int|float)' object has no attribute": "a number stands where a Value is expected: "
    "other = other if isinstance(other, Value) else Value(other)",
    "unsupported operand": "the method of this operator is missing: __add__ is +, __mul__ is *",
    "'NoneType' object": "a function without return gives None",
    "it still runs": "a loop that does not end: is each value taken off the list once?",
    "^KeyError": "the dict has no entry of that key yet: begin with 0.0 for each value",
    "shapes cannot be multiplied": "the columns of the first and the rows of the second must be as "
    "many: exchange the factors, or use .T",
    "not defined": "a name that nobody has given a value, or a misspelled one",
}


@dataclass
class Wrong:
    """The first thing that is not as it should be. ``remarks`` are for the picture."""

    program: str  # what was computed
    what: str
    hint: str = ""
    root: object = None  # the engine's result, of which a picture is drawn
    names: Mapping[str, object] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, float] = field(default_factory=dict)  # what the program was run on


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
            values = " and ".join(f"{k} = {shown(v)}" for k, v in self.wrong.given.items())
            lines += [f"         of {values}"] if values else []
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


@contextmanager
def patience() -> Iterator[None]:
    """A TimeoutError where the pupil's code does not end; not on Windows, nor in a thread."""
    here = threading.current_thread() is threading.main_thread()
    if not (here and hasattr(signal, "setitimer")):
        yield
        return

    def ring(*_: object) -> None:
        raise TimeoutError(f"it still runs after {PATIENCE:g} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def raised(program: str, error: Exception) -> Wrong:
    """An exception in the pupil's code, with its line, and what it usually means."""
    stack = traceback.extract_tb(error.__traceback__)
    frames = [f for f in stack if "microtorch" not in f.filename and f.filename != "<string>"]
    where = f"\nin line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    text = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    hint = next((h for words, h in USUAL.items() if re.search(words, text)), "")
    return Wrong(program, f"{text}{where}", hint)
