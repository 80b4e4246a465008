"""Random numbers as calls of the functions of ``c/random.c``: a table like calls.py.

They are C only where a whole program must be (``alone``), which has the generator's state among its
weights. The numbers are those that arrays/draws.py would draw.
"""
from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import draws
from .bodies import Body
from .look import Look, Table, is_number
from .parts import new
from .statements import Call, Each
from .templates import Ref, Value

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
    given = s.size(out), float(found["mean"]), float(found["std"])
    return [s.call("serial_normal", *given, False, out) if few else s.call("normal", *given, out)]


@drawn.entry("draw normal_tensors")
def _normal_tensors(s: Look) -> list[Lowered] | None:
    """Of means, or deviations, or both, that are arrays."""
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out):
        return None
    mean, std = found["mean"], found["std"]
    given = [x for x in (mean, std) if type(x) is Ref]
    if not s.floats(*given, out) or not all(type(x) is Ref or is_number(x) for x in (mean, std)):
        return None
    n, one = s.size(out), Ref(new(s.program, s.shape(out), out.number))
    more: dict[str, Operand] = {"y": std} if type(std) is Ref else {}
    size = 1.0 if more else float(std)
    name, how = ("serial_normal", [False]) if n < BLOCK else ("normal", [])
    drawn = Call(s.step, name, [n, 0.0, size, *how, one], [one.number], [])
    formula = "x * y + z" if more else "x + z"
    done: list[Lowered] = [drawn, Each(s.step, out.number, formula, {"x": one, **more, "z": mean})]
    if not more:
        return done
    if not s.rows(std):
        return None
    return [Call(s.step, "are_deviations", [s.size(std), std], [], [], 2), *done]


@drawn.entry("draw exponential", "draw cauchy", "draw geometric", "draw log_normal")
def _one_by_one(s: Look) -> list[Lowered] | None:
    """Continuous numbers, one after the other; the scale that C is given is that of fills.py."""
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out) or not all(
        is_number(x) for k, x in found.items() if k not in ("shape", "dtype", "generator")
    ):
        return None
    n, name = s.size(out), s.step.name
    if name == "exponential":
        return [s.call(name, n, -1.0 / found["lambd"], out)]
    if name == "geometric":
        return [s.call(name, n, math.log1p(-found["p"]), out)]
    if name == "cauchy":
        return [s.call(name, n, float(found["median"]), float(found["sigma"]), out)]
    return [s.call("serial_normal", n, float(found["mean"]), float(found["std"]), True, out)]


@drawn.entry("draw multinomial")
def _multinomial(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(found["weights"]) or not s.rows(out, kind="int64"):
        return None
    w, count = found["weights"], found["num_samples"]
    n = s.shape(w)[-1]
    rows, again = s.size(w) // n, found["replacement"] and count > 1
    made = Ref(new(s.program, (n,) if again else s.shape(w), w.number))
    name = "sampled_again" if again else "sampled"
    return [Call(s.step, "are_weights", [rows, n, w], [], [], 2),
            Call(s.step, name, [rows, n, count, w, made, out], [made.number, out.number], [])]


@drawn.entry("draw randint")
def _randint(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.lies_in_rows(out):
        return None
    low, span = int(found["low"]), int(found["high"]) - int(found["low"])
    if span >= 2**28 or abs(low) >= 2**31:
        return None
    d, made = np.dtype(np.int64), out
    if s.program.values[out.number].dtype != d:
        s.program.values.append(Value((s.size(out),), d, (d.itemsize,)))
        made = Ref(len(s.program.values) - 1)
    drawn = Call(s.step, "random_integers", [s.size(out), low, span, made], [made.number], [])
    if made is out:
        return [drawn]
    body = Body(s)
    seen = body.seen(made, s.shape(out))
    return [drawn, *body.done, Each(s.step, out.number, "x", {"x": seen})]


@drawn.entry("whole poisson", "whole rrelu_slope")
def _of_means(s: Look) -> list[Lowered] | None:
    """Parts of the library that draw as many numbers as their operand asks for."""
    x, out = s.given[0], s.step.result
    if not s.alone or not s.rows(x, out) or s.attr("generator") is not None:
        return None
    if s.step.name == "poisson":
        return [Call(s.step, "poisson", [s.size(x), x, out], [out.number], [], 2)]
    bounds = float(s.attr("lower")), float(s.attr("upper"))
    return [s.call("rrelu_slope", s.size(x), *bounds, x, out)]


@drawn.entry("draw randperm")
def _randperm(s: Look) -> list[Lowered] | None:
    found, out = settings(s), s.step.result
    if found is None or not s.rows(out, kind="int64"):
        return None
    return [s.call("permutation", s.size(out), out)]
