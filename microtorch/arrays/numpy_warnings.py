"""numpy warns of overflow and division by zero; PyTorch, and so microtorch, answers inf and nan.

A filter of warnings is not enough: a program that sets its own (``simplefilter("error")`` in a
test) puts it before ours. A context manager per op would cost as much as the op. So numpy is told
once to hand its messages over instead of raising them itself, and what the user's own calls of
numpy gave rise to is passed on as the same warning, at the same line. numpy keeps this setting per
thread: in threads begun later, and after the user's ``numpy.seterr``, the filter remains.
"""
from __future__ import annotations

import sys
import warnings
from typing import Literal

import numpy as np

PACKAGE = __name__.partition(".")[0]


class Messages:
    """What numpy writes to in the mode ``"log"``."""

    def write(self, text: str) -> None:
        """``Warning: overflow encountered in exp``, by the frame that called numpy."""
        frame, level = sys._getframe(1), 2
        while frame.f_back and _of(frame.f_globals, "numpy"):  # np.var is written in Python
            frame = frame.f_back
        if not _of(frame.f_globals, PACKAGE):
            warnings.warn(text.removeprefix("Warning: ").rstrip(), RuntimeWarning, level)


def _of(names: dict[str, object], package: str) -> bool:
    return str(names.get("__name__")).partition(".")[0] == package


def hand_over() -> None:
    """From now on, in this thread: the kinds that warn, not those the user set otherwise."""
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=rf"{PACKAGE}(\.|$)")
    if np.geterrcall() is None:
        np.seterrcall(Messages())
        warning: dict[str, Literal["log"]] = {
            kind: "log" for kind, what in np.geterr().items() if what == "warn"
        }
        np.seterr(**warning)
