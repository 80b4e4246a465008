"""The steps of a backward where some of the outputs have got no gradient.

What follows from those alone is left out: a gradient of zeros would not be the same, as 0 times an
infinite derivative is NaN, and as the ``.grad`` of a leaf that stays None would be zeros.
"""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .program import Program, Step
from .templates import Ref, replaced

if TYPE_CHECKING:
    from ..base.types import Operand

ADDITIONS = frozenset({"operator add", "kernel add", "operator iadd"})


class Fewer:
    """The late ``steps`` of ``program`` without those that only ``absent`` ``seeds`` lead to."""

    def __init__(self, program: Program, seeds: Collection[int], absent: Collection[int]):
        self.program, self.absent = program, {*absent}
        self.steps: list[Step] = []
        # what stands for a value that is not there, or that is another; None: nothing does
        self.now: dict[int, Ref | None] = dict.fromkeys(absent)
        self.gradients = {*seeds}  # the values that depend on seeds
        for step in program.steps[program.split :]:
            self.take(step)

    def take(self, step: Step) -> None:
        """One step: as it is, with other operands, or not at all."""
        read = [n for n in step.reads() if n in self.gradients]
        gone = [n for n in read if self.gone(n)]
        if read:
            self.gradients.update(step.gives())
        first, *more = step.arguments or (None,)
        of_nothing = step.kind in ("vjp", "vjps") and type(first) is Ref and first.number in gone
        if gone and (of_nothing or len(gone) == len(read)):
            self.now |= dict.fromkeys(step.gives())
        elif (
            gone and type(first) is Ref and len(more) == 1 and not step.attrs
            and f"{step.kind} {step.name}" in ADDITIONS
        ):  # fmt: skip
            other = self.put(more[0] if first.number in gone else first)
            if step.name == "iadd":  # it writes, from now on, to memory of its own
                self.now.pop(first.number)
                self.steps.append(replace(step, function=_copied, arguments=(other,)))
            else:
                self.now |= dict.fromkeys(step.gives(), other)
        else:
            given, attrs = self.put(step.arguments), self.put(step.attrs)
            self.steps.append(replace(step, arguments=given, attrs=attrs))

    @property
    def gives(self) -> list[int | None]:
        """The numbers of the leaves' gradients."""
        return [
            None if n is None or self.gone(n) else (self.now.get(n) or Ref(n)).number
            for n in self.program.gradients
        ]

    def gone(self, n: int) -> bool:
        """Is there no gradient?"""
        return n in self.now and self.now[n] is None

    def put(self, x: Operand) -> Operand:
        """A template with what now stands for its values."""
        return replaced(x, self.found)

    def found(self, ref: Ref) -> Ref:
        """What stands for a value: zeros, if it is not there, as Functions get them."""
        if self.gone(ref.number):
            value = self.program.values[ref.number]
            self.steps.append(Step(
                "zeros", np.zeros, (value.shape, value.dtype), {}, ref, self.program.steps[-1].site,
                "numpy",
            ))  # fmt: skip
            self.now[ref.number] = ref
        return self.now.get(ref.number) or ref


def _copied(x: Operand) -> Operand:
    return np.array(x)
