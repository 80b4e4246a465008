"""The instructions of a pickle that push a number, text or bytes."""

from __future__ import annotations

import codecs
import pickle
import struct
from typing import TYPE_CHECKING

from .errors import damaged
from .stream import does, parsed

if TYPE_CHECKING:
    from .machine import Machine


# ---- numbers and constants
@does(pickle.NONE)
def none(m: Machine) -> None:
    m.push(None)


@does(pickle.NEWTRUE)
def true(m: Machine) -> None:
    m.push(True)


@does(pickle.NEWFALSE)
def false(m: Machine) -> None:
    m.push(False)


@does(pickle.BININT)
def int4(m: Machine) -> None:
    m.push(m.stream.number("<i"))


@does(pickle.BININT1)
def int1(m: Machine) -> None:
    m.push(m.stream.take(1)[0])


@does(pickle.BININT2)
def int2(m: Machine) -> None:
    m.push(m.stream.number("<H"))


@does(pickle.LONG1)
def long1(m: Machine) -> None:
    m.push(int.from_bytes(m.stream.take(m.stream.take(1)[0]), "little", signed=True))


@does(pickle.LONG4)
def long4(m: Machine) -> None:
    n = _length(m, "<i")
    m.push(int.from_bytes(m.stream.take(n), "little", signed=True))


@does(pickle.INT, pickle.LONG)
def int_text(m: Machine) -> None:
    text = m.stream.line()
    if text in (b"00", b"01"):
        m.push(text == b"01")
    else:
        m.push(parsed(int, text.rstrip(b"L")))


@does(pickle.BINFLOAT)
def float8(m: Machine) -> None:
    m.push(struct.unpack(">d", m.stream.take(8))[0])


@does(pickle.FLOAT)
def float_text(m: Machine) -> None:
    m.push(parsed(float, m.stream.line()))


# ---- text and bytes
def _length(m: Machine, form: str) -> int:
    n = m.stream.number(form)
    if n < 0:
        raise damaged("a length in it is negative")
    return n


def _text(m: Machine, n: int) -> None:
    m.push(str(m.stream.take(n), "utf-8", "surrogatepass"))


@does(pickle.BINUNICODE)
def text4(m: Machine) -> None:
    _text(m, _length(m, "<I"))


@does(pickle.SHORT_BINUNICODE)
def text1(m: Machine) -> None:
    _text(m, _length(m, "<B"))


@does(pickle.BINUNICODE8)
def text8(m: Machine) -> None:
    _text(m, _length(m, "<Q"))


@does(pickle.UNICODE)
def text_line(m: Machine) -> None:
    m.push(str(m.stream.line(), "raw-unicode-escape"))


def _old_text(m: Machine, data: bytes) -> None:
    """A string of Python 2: bytes, or text in the encoding that `load` was given."""
    m.push(data if m.encoding == "bytes" else data.decode(m.encoding))


@does(pickle.SHORT_BINSTRING)
def old_text1(m: Machine) -> None:
    _old_text(m, m.stream.take(_length(m, "<B")))


@does(pickle.BINSTRING)
def old_text4(m: Machine) -> None:
    _old_text(m, m.stream.take(_length(m, "<i")))


@does(pickle.STRING)
def old_text_line(m: Machine) -> None:
    data = m.stream.line()
    if len(data) < 2 or data[:1] not in b"'\"" or data[-1:] != data[:1]:
        raise damaged("a string in it is not quoted")
    _old_text(m, codecs.escape_decode(data[1:-1])[0])


@does(pickle.SHORT_BINBYTES)
def bytes1(m: Machine) -> None:
    m.push(m.stream.take(_length(m, "<B")))


@does(pickle.BINBYTES)
def bytes4(m: Machine) -> None:
    m.push(m.stream.take(_length(m, "<I")))


@does(pickle.BINBYTES8)
def bytes8(m: Machine) -> None:
    m.push(m.stream.take(_length(m, "<Q")))


@does(pickle.BYTEARRAY8)
def bytearray8(m: Machine) -> None:
    m.push(bytearray(m.stream.take(_length(m, "<Q"))))
