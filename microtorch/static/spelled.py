"""A step that is written in no other way, as the steps of its definition.

An op is declared by what it means: its forward, and its derivatives, are functions of a backend
``F`` whose kernels are other ops (docs/design.md). Where a program must do without a kernel, that
function is called once more, with a backend that writes down what it calls. What is in the arrays
plays no part: they are zeros, and a definition that asks for numbers is left alone.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..backends import cpu
from ..backends.table import definition, definitions
from ..engine.op import Op
from ..engine.registry import REGISTRY
from .elements import IN_PLACE
from .lower import lowered
from .program import Program, Step
from .recorded import Recorded
from .recording import Recording
from .statements import C_TYPES
from .templates import Ref, Value, refs, replaced
from .turns import Busy

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from .statements import Lowered

MOST_NUMBERS = 1 << 20  # in the operands of a step, as they are computed with once
MOST_STEPS = 256


def meaning(step: Step) -> Kernel | None:
    """``f(F, *arguments, **attrs)``: what a step means, or None."""
    name, _, place = step.name.rpartition("_vjp")
    if step.kind == "kernel" and step.name in definitions and "out" not in step.attrs:
        return definition(step.name)
    if step.kind in ("vjp", "vjps") and name in REGISTRY:
        # not the cached ones: guards of an op that a function names would see another attribute
        rules = vars(Op)["derivatives"].func(REGISTRY[name])
        if step.kind == "vjp":  # of an op of any number of operands there is one rule
            found: Kernel | None = rules[int(place)] if int(place) < len(rules) else None
            return found
        return lambda F, *given, **attrs: tuple([v and v(F, *given, **attrs) for v in rules])
    if step.kind == "vjp" and isinstance(step.function, partial):  # of an op that has no entry
        found = step.function.func
        return found
    return None


def by_meaning(
    program: Program, step: Step, arrays: dict[int, Array], depth: int = 3
) -> list[Lowered] | None:  # fmt: skip
    """The statements of the steps that a step means, in an exported program, or None."""
    made = spelled(program, step) if depth else None
    if made is None:
        return None
    done: list[Lowered] = []
    every = arrays | made[1]
    for s in made[0]:
        found = lowered(program, s, every, True)
        if found is None:
            found = by_meaning(program, s, every, depth - 1)
        if found is None:
            return None
        done += found
    return [s._replace(step=step) for s in done]


def spelled(program: Program, step: Step) -> tuple[list[Step], dict[int, Array]] | None:
    """The steps that a step means, over values of ``program``, and zeros that lie as those do; or
    None."""
    function, values = meaning(step), program.values
    numbers = [*dict.fromkeys(step.reads())]
    if function is None or not numbers or any(
        values[n].dtype.name not in C_TYPES for n in [*numbers, *step.gives()]
    ):
        return None
    if any(s < 0 for n in numbers for s in values[n].strides) or 0 in [
        k for n in numbers for k in values[n].shape
    ]:  # fmt: skip
        return None
    if sum(math.prod(values[n].shape) for n in numbers) > MOST_NUMBERS:
        return None
    made = _recorded(program, step, function, numbers)
    if made is None:
        return None
    r, given, results = made
    if len(r.program.steps) > MOST_STEPS or not _is_plain(r):
        return None
    # its values take the next numbers of the program
    to = {x.number: n for n, x in given.items()}
    arrays = {n: x.value for n, x in given.items()}
    by_number = {x.number: x.value for x in r.arrays.values()}
    for n, value in enumerate(r.program.values):
        if n not in to:
            to[n] = len(values)
            values.append(value)
            if n in r.program.constants:
                program.constants[to[n]] = r.program.constants[n]
        if n in by_number:
            arrays[to[n]] = by_number[n]

    def put(ref: Ref) -> Ref:
        return Ref(to[ref.number])

    steps = [
        replace(s, arguments=replaced(s.arguments, put), attrs=replaced(s.attrs, put),
                result=replaced(s.result, put), site=step.site)
        for s in r.program.steps
    ]  # fmt: skip
    for n, x in results:
        steps.append(Step("clone", np.copy, (Ref(to[x.number]),), {}, Ref(n), step.site, "kernel"))
    return steps, arrays


def _recorded(
    program: Program, step: Step, function: Kernel, numbers: list[int]
) -> tuple[Recording, dict[int, Recorded], list[tuple[int, Recorded]]] | None:
    """A recording of a step's meaning, what its operands are in it, and its results: the numbers
    that they have in ``program``, and what they are. None where it cannot be recorded."""
    floats = [d for n in numbers if (d := program.values[n].dtype).kind == "f"]
    if not floats:  # what is computed of whole numbers and masks has a text
        return None
    r = Recording(step.name)
    given: dict[int, Recorded] = {}

    def run() -> Operand:
        for n in numbers:
            given[n] = r.new(_zeros_like(program.values[n]))
        arguments, attrs = (
            replaced(x, lambda ref: given[ref.number]) for x in (step.arguments, step.attrs)
        )
        return function(cpu.of(floats[0]), *arguments, **attrs)

    try:
        with np.errstate(all="ignore"):
            out = r.lasts(run)
    except Busy:
        return None
    except (RuntimeError, TypeError, ValueError):  # F has no such kernel, or the numbers are others
        return None
    wanted, found = [*_leaves(step.result)], [*_leaves(out)]
    if r.reason or r.asked.answers or len(wanted) != len(found):
        return None
    results = []
    for ref, x in zip(wanted, found, strict=True):
        if ref is None:
            continue
        value = program.values[ref.number]
        if type(x) is not Recorded or x.shape != value.shape or x.dtype != value.dtype:
            return None
        results.append((ref.number, x))
    return r, given, results


def _zeros_like(v: Value) -> Array:
    """Zeros that lie as a value does, so that what is a view of it here is one there."""
    last = sum(s * (n - 1) for s, n in zip(v.strides, v.shape, strict=True))
    row = np.zeros(last // v.dtype.itemsize + 1, v.dtype)
    return np.ndarray(v.shape, v.dtype, row, 0, v.strides)


def _leaves(x: Operand) -> Iterator[Operand]:
    if type(x) in (tuple, list):
        for y in x:
            yield from _leaves(y)
    else:
        yield x


def _is_plain(r: Recording) -> bool:
    """Does it write into nothing but what it has made? A constant would be another the next time.
    """
    made = {n for s in r.program.steps for n in s.gives()}
    writes = [s for s in r.program.steps if s.name in (*IN_PLACE, "setitem", "overwrite")]
    return all(n in made for s in writes for n in [*refs(s.arguments[:1])])
