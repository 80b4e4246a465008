"""Conditions that the library asks of data while it is recorded: a program asks them again.

``binary_cross_entropy`` asks whether all probabilities lie between 0 and 1, a distribution whether
its scale is positive: ``if`` with an answer that is mostly the same. Such a condition is a step of
the program. Where it holds no more, the program stops, gives back what it has written, and the
function runs as it is written: it raises what it raises, or is recorded on its other way.
"""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..arrays import generator
from ..base.errors import message, seen_as
from ..graph.source import user_frame
from .effects import State

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .program import Writer
    from .recording import Recording

ERRORS = (IndexError, ValueError, RuntimeError)  # of kernels, about their data
ASKING = frozenset({"__bool__", "is_nonzero"})  # functions that ask for whoever calls them


@seen_as(RuntimeError)
class Otherwise(RuntimeError):
    """A condition has not the answer that it had when it was recorded."""


def suppose(condition: Array, answer: bool | bytes, site: str) -> None:
    """A step: the condition, a single number, must be answered as it was; or be these numbers."""
    now = bool(condition) if isinstance(answer, bool) else condition.tobytes()
    if now != answer:
        raise Otherwise(
            message(
                "a condition on data, or a number on which a shape depends, is another than when "
                "the program was recorded",
                f"at {site}",
                fix="run the function itself, whose library code asks it, on these data",
            )
        )


def asked_by_library() -> bool:
    """Does the library ask, in a function of its own, and not the user's code?"""
    frame = sys._getframe(2)
    while frame.f_code.co_name in ASKING and frame.f_back is not None:
        frame = frame.f_back
    return user_frame(frame) is not frame


def random_state() -> Array:
    """The state of the default generator."""
    return generator.Generator.get_state(generator.default_generator).copy()


class Undo:
    """Leaves everything as it was if a program stops, since a condition is answered otherwise.

    ``r``: the recording, which knows what had been written when the last condition was asked.
    """

    def __init__(self, r: Recording):
        self.numbers = sorted(r.asked.touched)
        self.draws = r.asked.drew
        self.states = [s.held for s in r.effects.states] if r.asked.affected else []
        self.needed = bool(self.numbers or self.draws or self.states)

    def around(self, w: Writer, lines: list[str]) -> list[str]:
        """The lines of a program, and those that take back what they have done."""
        if not self.needed:
            return lines
        w.names |= {"undo": self, "Otherwise": Otherwise}
        arrays = "".join(f"v{n}, " for n in self.numbers)
        return [
            f"found = undo.found({arrays})", "try:", *[f"    {x}" for x in lines],
            "except Otherwise:", f"    undo.take_back(found, {arrays})", "    raise",
        ]  # fmt: skip

    def found(self, *arrays: Array) -> Operand:
        """How everything is before the program runs."""
        return (
            [x.copy() for x in arrays], random_state() if self.draws else None,
            [State.of(x) for x in self.states],
        )  # fmt: skip

    def take_back(self, found: Operand, *arrays: Array) -> None:
        """Let everything be as it was."""
        before, state, held = found
        for x, old in zip(arrays, before, strict=True):
            x[...] = old
        if state is not None:
            generator.Generator.set_state(generator.default_generator, state)
        for x in held:
            x.restore()
