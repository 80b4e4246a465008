"""The learning rates of an exported program, where a schedule moves them: a table of them.

A schedule is a method of Python (effects.py), and an exported program has no Python. So it is asked
beforehand for the rates of many steps, one after the other, and put back to where it was. The table
stands among the weights, with the number of steps that have been made.
"""
from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from .effects import Effects
from .templates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..base.types import Array, Operand
    from .program import Program, Step

MOST = 10_000  # steps whose rates are written


def effects_of(program: Program) -> Effects:
    """The schedules that a program moves, as they are; RuntimeError for others."""
    found = Effects()
    for s in effects(program):
        if not hasattr(s.arguments[0], "optimizer"):
            raise RuntimeError(
                message(f"{program.name} cannot be exported: {s.name}, at {s.site}, has no C")
            )
        found.about(s.arguments[0])
    return found


def effects(program: Program) -> list[Step]:
    return [s for s in program.steps[: program.split] if s.kind == "effect"]


def table(program: Program, rates: Sequence[Rate]) -> Array | None:
    """(steps, rates): what each kernel is given in each step from now on; None: no schedule moves
    them."""
    if not effects(program) or not rates:
        return None
    found, rows = effects_of(program), []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(MOST):
                rows.append([*_step(program, rates)])
    except ValueError:  # it has an end
        pass
    finally:
        for s in found.states:
            s.restore()
    return np.array(rows).reshape(len(rows), len(rates))


def _step(program: Program, rates: Sequence[Rate]) -> Iterator[float]:
    """The rates of one step, which moves the schedules."""
    read: dict[int, float] = {}
    for s in program.steps[: program.split]:
        if s.kind == "effect":
            s.function(*s.arguments, **s.attrs)
            continue
        for x in _rates((s.arguments, s.attrs)):
            value = float(x.group["lr"])
            if read.setdefault(id(x.group), value) != value:
                raise RuntimeError(
                    message(f"{program.name} cannot be exported: a schedule moves a rate between "
                            "two optimizers' steps that read it")
                )  # fmt: skip
    yield from [read[id(x.group)] for x in rates]


def _rates(x: Operand) -> Iterator[Rate]:
    if type(x) is Rate:
        yield x
    elif isinstance(x, (tuple, list)):
        for y in x:
            yield from _rates(y)
    elif isinstance(x, dict):
        yield from _rates(tuple(x.values()))
