"""Writing a file so that it is the old one or the new one at every moment, and never half of one.

The new bytes are written to a file beside, which takes the old one's place by a rename when all of
them lie on the disk. An exception removes the file beside; a process that is killed leaves it,
under a name that begins with a dot and ends in `.part`.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from typing import IO

from ..base.errors import message


def replace(path: str | os.PathLike[str], write: Callable[[IO[bytes]], None]) -> None:
    """Let `write` write the file at `path`.

    A link stays a link, and the file keeps its permissions. What is no ordinary file (a pipe, a
    device) is written to directly, as there is nothing to keep; so is a file in a folder in which
    nothing may be made. RuntimeError if the folder does not exist, as in PyTorch.
    """
    path = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise RuntimeError(message(f"Parent directory {folder} does not exist."))
    mode = _mode(path)
    if mode is not None and (not stat.S_ISREG(mode) or not os.access(folder, os.W_OK)):
        with open(path, "wb") as file:
            write(file)
        return
    if mode is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    beside = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with open(beside, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(beside, stat.S_IMODE(mode))
        os.replace(beside, path)
    except BaseException:  # Ctrl-C too: it leaves the old file, and nothing beside it
        if os.path.exists(beside):
            os.unlink(beside)
        raise
    _sync_folder(folder)


def _mode(path: str) -> int | None:
    """The mode of what lies at `path`; None if nothing does."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _sync_folder(folder: str) -> None:
    """Have the rename itself on the disk, where a folder can be opened (not on Windows)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # a file system that has no such call
    finally:
        os.close(handle)
