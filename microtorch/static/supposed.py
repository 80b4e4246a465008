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
from ..base.errors import message
from ..graph.source import user_frame
from .effects import State

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from .program import Leaf
    from .recording import Recording

ASKING = frozenset({"__bool__", "is_nonzero"})  # functions that ask for whoever calls them


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
    """A program's function that leaves everything as it was if a condition is answered otherwise.

    ``r``: the recording, which knows what had been written when the last condition was asked.
    """

    def __init__(self, r: Recording, leaves: list[Leaf]):
        self.places = [i for i, x in enumerate(leaves) if x.number in r.touched]
        self.draws = r.drew
        self.states = [s.held for s in r.effects.states] if r.affected else []

    def around(self, function: Kernel, array: Kernel = lambda i, given: given[i]) -> Kernel:
        """The function, which then is as it was written, or raises Otherwise with no effect.

        ``array``: the memory of leaf ``i``, of what the function is given.
        """
        if not self.places and not self.draws and not self.states:
            return function

        def program(*given: Operand) -> Operand:
            before = [array(i, given).copy() for i in self.places]
            state = random_state() if self.draws else None
            held = [State.of(x) for x in self.states]
            try:
                return function(*given)
            except Otherwise:
                for i, old in zip(self.places, before, strict=True):
                    array(i, given)[...] = old
                if state is not None:
                    generator.Generator.set_state(generator.default_generator, state)
                for x in held:
                    x.restore()
                raise

        vars(program)["text"] = vars(function)["text"]
        return program
