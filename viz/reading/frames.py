"""The caller's variables, read from its frame without keeping them alive."""

from __future__ import annotations

import inspect
import sys
from types import FrameType, SimpleNamespace
from typing import Any, TypeAlias

Frame: TypeAlias = FrameType | SimpleNamespace  # or a copy of its variables (watching.py)


def local_variables(frame: Frame) -> dict[str, Any]:
    """A copy of the frame's local variables; at the top of a module, its globals.

    Up to Python 3.12, ``f_locals`` of a function is a dict that the frame keeps for as long as it
    runs, and with it every tensor, even after the user's ``del``. It is emptied again; the
    variables are not touched by that.
    """
    found = dict(frame.f_locals)
    function = isinstance(frame, FrameType) and frame.f_code.co_flags & inspect.CO_OPTIMIZED
    if function and sys.version_info < (3, 13):
        frame.f_locals.clear()
    return found
