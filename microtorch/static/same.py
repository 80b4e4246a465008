"""Are objects of Python what they were? Asked of all at once, by C.

A program is used only where the objects that its function could read are the same (guards.py), and
their number is that of a model's attributes. C compares a hundred of them in a microsecond. Where
one is another, guards.py asks again and may find that it is equal.
"""
from __future__ import annotations

import ctypes
from functools import cache
from struct import pack
from types import CellType
from typing import TYPE_CHECKING

from ..engine.handle import Handle
from ..graph import Node
from ..graph.clock import Storage
from .build import loaded
from .functions import text_of
from .native import NONE, builtin

if TYPE_CHECKING:
    from ..base.types import Kernel, Operand
    from ..handles.tensor import Tensor

WORD, OTHER, BYTES, ITEM, PLACE, SIZE, EQUAL, GIVEN = range(8)  # kinds of rows (c/python.txt)
POINTER = ctypes.sizeof(ctypes.c_void_p)


def words(x: Operand) -> list[int]:
    """An object's memory as addresses."""
    n = type(x).__basicsize__ // POINTER
    return [*(ctypes.c_size_t * n).from_address(id(x))]


def place_of(x: Operand, value: Operand) -> int:
    """Where in an object's memory the address of ``value`` stands. ValueError: nowhere."""
    return words(x).index(id(value)) * POINTER


@cache
def places() -> dict[str, int]:
    """Where the slots of tensors, nodes and storages lie, a cell's content, and a class."""
    found = {}
    tensor, node, storage, mark = Handle(), Node(), Storage(), object()
    for x, names in (
        (tensor, ("array", "node")), (node, ("grad", "hooks", "value", "storage")),
        (storage, ("written", "version", "writer")),
    ):  # fmt: skip
        for name in names:
            vars(type(x))[name].__set__(x, mark)
            found[name] = place_of(x, mark)
            vars(type(x))[name].__delete__(x)
    return found | {"content": place_of(CellType(mark), mark), "class": place_of(node, Node)}


class Rows:
    """What is to be compared: ``made`` is a function that says whether all is as it was."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.kept: list[Operand] = []

    def row(self, kind: int, x: Operand, key: int, value: Operand, *kept: Operand) -> None:
        self.kept += (x, value, *kept)
        self.rows.append(pack("NNNN", kind, id(x), key, id(value)))

    def slot(self, x: Operand, name: str, value: Operand, other: bool = False) -> None:
        """A slot of an object holds ``value``; ``other``: something else."""
        self.row(OTHER if other else WORD, x, places()[name], value)

    def size(self, x: Operand, n: int) -> None:
        self.row(SIZE, x, n, None)

    def item(self, x: Operand, key: Operand, value: Operand) -> None:
        """``x[key]`` is ``value``."""
        if type(x) is list:
            self.row(PLACE, x, key, value)
        else:
            plain = isinstance(x, dict) and type(x).__getitem__ is dict.__getitem__
            self.row(ITEM if plain else GIVEN, x, id(key), value, key)

    def memory(self, x: Operand, references: int) -> None:
        """Nothing in the memory of ``x`` has changed, and nobody has a reference to it but those
        who have one now: ``references`` many. The caller sees to it that ``x`` lives."""
        held = words(x)
        held[words_of_count()] = references
        value = pack(f"{len(held)}N", *held)
        self.kept.append(value)
        at = id(value) + bytes.__basicsize__ - 1  # where the bytes of an object of bytes begin
        self.rows.append(pack("NNNN", BYTES, id(x), len(held) * POINTER, at))

    def made(self) -> Kernel:
        """The function."""
        return builtin(python(), "all_hold", NONE, (b"".join(self.rows), self.kept))


@cache
def python() -> ctypes.CDLL:
    """The compiled text. CompilerError: there is no compiler."""
    return loaded(text_of("python"))


@cache
def words_of_count() -> int:
    """Which word of an object counts the references to it."""
    x = object()
    more = [x] * 1000
    n = words(x)
    del more
    return next(i for i, (a, b) in enumerate(zip(n, words(x), strict=True)) if a - b == 1000)


def untouched(tensors: list[Tensor]) -> Kernel:
    """Does nobody but their leaves and this list know these gradients, and is nothing changed of
    them?"""
    rows = Rows()
    for t in tensors:
        rows.memory(t, 2)
        rows.memory(t.node, 1)
        rows.memory(t.array, 3)  # of the tensor, its node, and a list of the caller
    return rows.made()
