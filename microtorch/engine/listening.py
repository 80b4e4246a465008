"""Who wants to know that ``backward`` has run: recordings of training, pictures of a program.

    removable = listen(lambda roots: ...)  # after each backward(), with what it started from
    removable.remove()

``autograd.backward`` asks once whether anybody listens. ``grad`` and the private backward of a
picture tell nobody.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ..graph import RemovableHandle

if TYPE_CHECKING:
    from ..base.types import Root

Listener: TypeAlias = Callable[[list["Root"]], None]
listeners: dict[int, Listener] = {}


def listen(listener: Listener) -> RemovableHandle:
    """Call ``listener(roots)`` after each ``backward``, until ``remove()`` is called."""
    return RemovableHandle(listeners, listener)
