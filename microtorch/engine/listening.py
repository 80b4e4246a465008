"""Who wants to know that ``backward`` has run: recordings of training, pictures of a program.

    handle = listen(lambda roots: ...)     # after each backward(), with the tensors it started from
    handle.remove()

``autograd.backward`` asks once whether anybody listens. ``grad`` and the private backward of a
picture tell nobody.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import RemovableHandle

Listener = Callable[[list[Any]], None]
listeners: dict[int, Listener] = {}


def listen(listener: Listener) -> RemovableHandle:
    """Call ``listener(roots)`` after each ``backward``, until the handle's ``remove()``."""
    return RemovableHandle(listeners, listener)
