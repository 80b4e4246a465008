"""One recording at a time: while it lasts, the library is changed, for all threads.

A ``Turn`` changes it back whatever happens: an exception, Ctrl-C, or a fork, whose child finds
everything as it is without a recording.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

_now: dict[str, Turn] = {}  # the turn that lasts, if there is one; a dict changes in one step
Result = TypeVar("Result")


class Busy(Exception):
    """Another recording is open, in this thread or another."""


def recording_now() -> bool:
    """Is a function being recorded?"""
    return bool(_now)


def turn_now() -> Turn | None:
    """The turn that lasts."""
    return _now.get("turn")


class Turn:
    """A time in which the library is changed, so that a function can be written down."""

    closed = False  # is it over?

    def change(self) -> None:
        """Change the library. What is done here in part, ``restore`` undoes."""
        raise NotImplementedError

    def restore(self) -> None:
        """Change it back; once more does no harm."""
        raise NotImplementedError

    def after(self) -> None:
        """What is left to do when all is as it was."""

    def lasts(self, during: Callable[[], Result]) -> Result:
        """What ``during`` returns, called while the library is changed. Busy if another turn lasts.
        """
        try:
            if _now.setdefault("turn", self) is not self:
                raise Busy
            self.change()
            found = during()
        except BaseException:
            self.leave()
            raise
        try:
            self.leave()
        except BaseException:  # Ctrl-C before it began
            self.leave()
            raise
        return found

    def back(self) -> None:
        """Change the library back, and let others record."""
        if _now.get("turn") is self:
            self.closed = True
            self.restore()
            _now.pop("turn", None)

    def leave(self) -> None:
        """End the turn. Ctrl-C waits: half a library changed back would be worse."""
        interrupted = None
        todo = [self.back, self.after]
        while todo:
            try:
                todo[0]()
                todo.pop(0)
            except KeyboardInterrupt as e:
                interrupted = e
        if interrupted is not None:
            raise interrupted


def _in_child() -> None:
    for turn in [*_now.values()]:
        turn.leave()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
