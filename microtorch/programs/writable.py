"""Files that a command is to write: looked at with the arguments, before a program runs."""
from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable


def output(formats: Iterable[str] = ()) -> Callable[[str], str]:
    """The ``type=`` of an argument that names a file, in one of ``formats`` by its suffix.

    What it gives raises ArgumentTypeError, which argparse reports, for another suffix and for a
    folder that is not there: a script may run for an hour before anything is written.
    """
    known = sorted(formats)

    def checked(path: str) -> str:
        suffix = os.path.splitext(path)[1].lower()
        if known and suffix.lstrip(".") not in known:
            problem = f"{suffix} is not a format" if suffix else "no suffix"
            raise ArgumentTypeError(
                f"{path}: {problem}; use one of {' '.join(f'.{f}' for f in known)}"
            )
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise ArgumentTypeError(f"{path}: there is no folder {folder}; make it first")
        return path

    return checked
