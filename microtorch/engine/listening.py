"""Who wants to know that ``backward`` runs: recordings, pictures of a program, several processes.

    removable = listen(lambda roots: ...)  # after each backward(), with what it started from
    removable.remove()
    removable = foresee(lambda roots, create_graph: ...)  # before it

``autograd.backward`` asks twice whether anybody listens. ``grad`` and the private backward of a
picture tell nobody.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ..graph import RemovableHandle

if TYPE_CHECKING:
    from ..base.types import Root

Listener: TypeAlias = Callable[[list["Root"]], None]
Foreseer: TypeAlias = Callable[[list["Root"], bool], None]
listeners: dict[int, Listener] = {}
foreseers: dict[int, Foreseer] = {}


def listen(listener: Listener) -> RemovableHandle:
    """Call ``listener(roots)`` after each ``backward``, until ``remove()`` is called."""
    return RemovableHandle(listeners, listener)


def foresee(foreseer: Foreseer) -> RemovableHandle:
    """Call ``foreseer(roots, create_graph)`` before each ``backward``, until it is removed."""
    return RemovableHandle(foreseers, foreseer)
