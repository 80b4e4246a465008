"""The questions about data that the library asks while a function is recorded: steps, or not.
"""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..graph import here
from ..handles.memory import owner
from .elements import IN_PLACE
from .program import Step
from .recorded import Recorded
from .supposed import asked_by_library, suppose
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from ..handles.tensor import Tensor
    from .recording import Recording


class Asked:
    """The conditions of a recording, ``answers``, and what had been done when the last was asked.
    """

    def __init__(self, r: Recording):
        self.r = r
        self.answers: list[bool | bytes] = []
        self.touched: set[int] = set()  # leaves that had been written to
        self.written: set[int] = set()  # ids of the owners of memory that steps write to
        self.drew = self.affected = False  # may numbers have been drawn, schedules been moved?

    def suppose(self, x: Recorded, answer: bool) -> bool:
        """Write down a condition of the library's; False if a program cannot ask it again."""
        if self.r.closed or self.r.inside or threading.get_ident() != self.r.thread:
            return True
        return asked_by_library() and self.supposes(x, answer)

    def known_numbers(self, t: Tensor) -> Array:
        """Numbers on which shapes depend: other ones are another program."""
        x = t.detach().array
        if type(x) is not Recorded:
            return x
        if x.number not in self.r.program.constants or x.number in self.r.impure:
            if not self.supposes(x, x.value.tobytes()):
                self.r.give_up("a shape depends on data")
        return x.value

    def supposes(self, x: Recorded, answer: bool | bytes) -> bool:
        """Write down what a value is taken to be; False if a program cannot look again."""
        if self.r.program.split:  # in a backward of later
            return False
        self.may_stop()
        self.answers.append(answer)
        site = here()
        given = (Ref(x.number), answer, str(site))
        self.r.program.steps.append(Step("suppose", suppose, given, {}, None, site, "suppose"))
        return True

    def note_writes(self, step: Step, arguments: Operand, attrs: dict[str, Operand]) -> None:
        """A step of the library's that writes to memory of an optimizer's state, say, whose tensor
        nobody dates; perhaps numbers that stand there already, and other ones in another call."""
        target: Operand = ()
        if step.name in IN_PLACE or step.name in ("setitem", "overwrite"):
            target = arguments[0]
        elif step.kind == "kernel" and step.name.endswith("_step"):
            target = arguments
        self.written.update(id(owner(x.value)) for x in self.r.within((target, attrs.get("out"))))

    def may_stop(self) -> None:
        """A program may stop here, and then has to take back what it has done until now."""
        for n, leaf in self.r.leaves.items():
            storage = leaf.tensor.node.storage
            if (storage is not None and storage.version > self.r.versions[n]) or (
                id(owner(leaf.array)) in self.written
                or (leaf.kind == "gradient" and leaf.array.tobytes() != self.r.before[n].tobytes())
            ):  # fmt: skip
                self.touched.add(n)
        self.drew = any(s.kind in ("draw", "whole") for s in self.r.program.steps)
        self.affected = bool(self.r.effects.objects)
