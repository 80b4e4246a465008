"""The bytes of a pickle, and the table of what its instructions do."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, TypeVar

from .errors import brief, damaged

if TYPE_CHECKING:
    from .machine import Machine

_LINE = 4300  # what Python takes for the digits of one number

F = TypeVar("F", bound=Callable[..., None])
OPCODES: dict[int, Callable[[Machine], None]] = {}


def does(*codes: bytes) -> Callable[[F], F]:
    """Enter a function of a Machine as what these instructions do."""

    def enter(f: F) -> F:
        OPCODES.update({code[0]: f for code in codes})
        return f

    return enter


class Stream:
    """Bytes of a file, of which `size` are left."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def take(self, n: int) -> bytes:
        """The next `n` bytes. Raises FileError if there are fewer."""
        if n > self.left:
            raise damaged("it ends too early")
        data = self.file.read(n)
        if len(data) != n:
            raise damaged("it ends too early")
        self.left -= n
        return data

    def line(self) -> bytes:
        """The bytes to the end of the line."""
        data = self.file.readline(min(self.left, _LINE))
        if not data.endswith(b"\n"):
            raise damaged("a line in it does not end")
        self.left -= len(data)
        return data[:-1]

    def number(self, form: str) -> int:
        """A whole number, as `struct` writes it."""
        (n,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(n)


def parsed(kind: type[int] | type[float], text: bytes) -> int | float:
    """A number that is written in digits."""
    try:
        return kind(text)
    except ValueError:
        raise damaged(f"{brief(text)} is no number") from None
