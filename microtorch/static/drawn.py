"""Random numbers as calls of the functions of ``c/random.c``: a table like calls.py.

They are C only where a whole program must be (``alone``), which has the generator's state among its
weights. The numbers are those that arrays/draws.py would draw.
"""
from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING

from ..arrays import draws
from .look import Look, Table, is_number
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Operand
    from .statements import Lowered

drawn = Table()
BLOCK = 16  # so many normal numbers are made at once


def settings(s: Look) -> dict[str, Operand] | None:
    """What a function of draws.py is given, by name; None where it cannot be C."""
    function = getattr(draws, s.step.name)
    given = inspect.signature(function).bind(*s.given, **s.step.attrs)
    given.apply_defaults()
    return given.arguments if s.alone and given.arguments["generator"] is None else None


@drawn.entry("draw dropout_noise")
def _dropout_noise(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out) or not 0 < found["p"] < 1 or not s.size(out):
        return None
    kind = s.program.values[out.number].dtype.type
    kept = float(kind(1) / kind(1 - found["p"]))
    return [s.call("coins", s.size(out), math.ceil((1 - found["p"]) * 2.0**53), kept, out)]


@drawn.entry("draw bernoulli")
def _bernoulli(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out):
        return None
    p = found["p"]
    if type(p) is not Ref:
        return [s.call("coins", s.size(out), math.ceil(float(p) * 2.0**53), 1.0, out)]
    if not s.rows(p, out) or s.shape(p) != s.shape(out):
        return None
    return [s.call("bernoulli", s.size(out), p, out)]


@drawn.entry("draw uniform")
def _uniform(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out) or not all(map(is_number, (found["low"], found["high"]))):
        return None
    bounds = float(found["low"]), float(found["high"])
    if bounds == (0, 1):
        return [s.call("uniform", s.size(out), out)]
    return [s.call("uniform_between", s.size(out), *bounds, out)]


@drawn.entry("draw normal")
def _normal(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out) or not all(map(is_number, (found["mean"], found["std"]))):
        return None
    few = s.size(out) < BLOCK or not found["contiguous"]
    name = "serial_normal" if few else "normal"
    return [s.call(name, s.size(out), float(found["mean"]), float(found["std"]), out)]


@drawn.entry("draw randint")
def _randint(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out, kind="int64"):
        return None
    low, span = int(found["low"]), int(found["high"]) - int(found["low"])
    if span >= 2**28 or abs(low) >= 2**31:
        return None
    return [s.call("random_integers", s.size(out), low, span, out)]


@drawn.entry("draw randperm")
def _randperm(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out, kind="int64"):
        return None
    return [s.call("permutation", s.size(out), out)]
