"""The one error for a file that is not read: damaged, hostile, or holding what is not data."""

from __future__ import annotations

import pickle
import reprlib

from ..base.errors import message, seen_as


@seen_as(pickle.UnpicklingError)
class FileError(pickle.UnpicklingError, RuntimeError):
    """A file that cannot be loaded.

    PyTorch raises UnpicklingError for what a file may not name and RuntimeError for a damaged
    archive; this class is both, so that scripts that catch either go on working.
    """

    fix = ""

    def about(self, name: object) -> FileError:
        """The error that a user reads: with the file's name, the user's line and the likely fix."""
        return type(self)(message(f"cannot load {name}: {self}", fix=self.fix))


@seen_as(EOFError)
class EmptyFileError(FileError, EOFError):
    """A file with nothing in it."""


def refused(
    what: str, *details: str, fix: str = "", kind: type[FileError] = FileError
) -> FileError:
    """The error for a file that is not read. `load` adds the file's name and the user's line."""
    error = kind("\n  ".join([what, *details]))
    error.fix = fix
    return error


def damaged(why: str) -> FileError:
    """The error for a file whose content contradicts itself."""
    return refused(f"the file is damaged: {why}")


_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxother = 2, 60


def brief(x: object) -> str:
    """A short text of what a file holds; the whole one might not end."""
    try:
        return _REPR.repr(x)
    except ValueError:  # a number of very many digits
        return type(x).__name__
