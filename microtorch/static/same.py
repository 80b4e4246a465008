"""Are objects of Python what they were? Asked of all at once, by C.

A program is used only where the objects that its function could read are the same (guards.py), and
their number is that of a model's attributes. C compares a hundred of them in a microsecond. Where
one is another, guards.py asks again and may find that it is equal.
"""
from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from functools import cache
from struct import pack
from types import CellType
from typing import TYPE_CHECKING

import numpy as np

from ..engine.handle import Handle
from ..engine.record import Constant
from ..graph import Node
from ..graph.clock import Storage
from ..graph.mode import Mode
from .build import CompilerError, loaded
from .functions import text_of
from .native import builtin

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from ..handles.tensor import Tensor

# kinds of rows (c/python.txt)
(OTHER, BYTES, ITEM, PLACE, SIZE, ORDER, GIVEN, HELD, VARIABLE, VARIABLE_NOT, ARGUMENT) = range(11)
POINTER = ctypes.sizeof(ctypes.c_void_p)


def words(x: Operand) -> list[int]:
    """An object's memory as addresses."""
    n = type(x).__basicsize__ // POINTER
    return [*(ctypes.c_size_t * n).from_address(id(x))]


def place_of(x: Operand, value: Operand) -> int:
    """Where in an object's memory the address of ``value`` stands."""
    found = words(x)
    if id(value) not in found:
        raise CompilerError("Python's objects have another layout here")
    return found.index(id(value)) * POINTER


@cache
def places() -> dict[str, int]:
    """Where slots lie, a cell's content, an object's class, and what numpy keeps of an array."""
    found = {}
    mark: Operand = object()
    tensor, node, storage = Handle(), Node(), Storage()
    for x, names in (
        (tensor, ("array", "node", "origin")),
        (node, ("attrs", "code", "dev", "grad", "hooks", "inputs", "lasti", "needs", "saved",
                "scope", "seq", "storage", "value")),
        (storage, ("written", "version", "writer")),
    ):  # fmt: skip
        for name in names:
            vars(type(x))[name].__set__(x, mark)
            found[name] = place_of(x, mark)
            vars(type(x))[name].__delete__(x)
    found["mode grad"] = place_of(Mode(mark), mark)
    found["mode scope"] = place_of(Mode(True, mark), mark)
    found["mode inference"] = place_of(Mode(True, None, mark), mark)
    array = np.zeros((3, 5), np.int16)[1:, ::2]
    found |= {"base": place_of(array, array.base), "dtype": place_of(array, array.dtype)}
    numbers = {"shape": array.shape, "strides": array.strides}
    for name, values in numbers.items():  # the words before base: numpy's C interface
        found[name] = found["base"] - POINTER * (2 if name == "shape" else 1)
        at = words(array)[found[name] // POINTER]
        if tuple((ctypes.c_ssize_t * 2).from_address(at)) != values:
            raise CompilerError("numpy's array objects have another layout here")
    found["dims"] = found["shape"] - POINTER
    for a in (array, array[0], array[None], np.zeros(())):
        if ctypes.c_int.from_address(id(a) + found["dims"]).value != a.ndim:
            raise CompilerError("numpy's array objects have another layout here")
    found["digit"] = int.__basicsize__  # the lowest of a whole number
    for number in (1000, 1 << 29):
        if ctypes.c_uint32.from_address(id(number) + found["digit"]).value != number:
            raise CompilerError("Python's whole numbers have another layout here")
    return found | {"content": place_of(CellType(mark), mark), "class": place_of(node, Node)}


@cache
def version_of_dicts() -> int:
    """Where in a dict's memory its version stands, which each change makes another; 0: it has none.

    Python 3.13 still counts, but not where an attribute is written into the object that the dict
    is of.
    """
    if sys.version_info >= (3, 13):
        return 0
    d: dict[str, object] = {"k": 0}
    other = object()
    before = words(d)
    d["k"] = other
    found = [i for i, (a, b) in enumerate(zip(before, words(d), strict=True)) if a != b]
    before = words(d)
    d["k"] = 0
    again = [i for i, (a, b) in enumerate(zip(before, words(d), strict=True)) if a != b]
    return found[0] * POINTER if found == again and len(found) == 1 else 0


@cache
def slots() -> bytes:
    """For C: where they lie (struct at of c/python.txt)."""
    names = ("value", "grad", "node", "storage", "written", "version", "writer", "digit")
    return pack("8N", *[places()[name] for name in names])


def put_written() -> Kernel:
    """A function of a list of tensors, a time and a name: they were written to, then, by that.
    False, and nothing is done, where one has no storage as yet."""
    return builtin(python(), "put_written", own=slots())


def put_slots(given: dict[str, int], constants: dict[str, Operand]) -> Kernel:
    """A function of a new tensor, its new node, and more: it fills their slots, and returns the
    tensor. See ``filling``."""
    return builtin(python(), "put_slots", own=filling(given, constants))


def filling(given: dict[str, int], constants: dict[str, Operand]) -> tuple[bytes, list[Operand]]:
    """For C: what it puts into a new tensor and its new node; and what is to live. ``given``:
    slot -> which argument; ``constants``: what else the node holds."""
    found: dict[tuple[int, str], tuple[int, Operand]] = {(0, "node"): (1, None)}
    found |= {(0, "origin"): (0, None), **{(1, k): (0, x) for k, x in constants.items()}}
    found |= {(int(k != "array"), k): (n, None) for k, n in given.items()}
    rows = [pack("NNNN", i, places()[k], n, id(x)) for (i, k), (n, x) in found.items()]
    return b"".join(rows), [x for _, x in found.values()]


class Rows:
    """What is to be compared: ``made`` is a function that says whether all is as it was."""

    def __init__(self) -> None:
        self.words: list[bytes] = []
        self.rows: list[bytes] = []
        self.dicts: dict[int, tuple[Operand, list[bytes]]] = {}  # and the rows about each of them
        self.kept: list[Operand] = []

    def row(self, kind: int, x: Operand, key: int, value: Operand, *kept: Operand) -> None:
        self.kept += (x, value, *kept)
        dict_s = isinstance(x, dict) and type(x).__len__ is dict.__len__
        plain = dict_s if kind == SIZE else kind in (ITEM, ORDER) and type(x) is dict
        rows = self.dicts.setdefault(id(x), (x, []))[1] if plain else self.rows
        rows.append(pack("NNNN", kind, id(x), key, id(value)))

    def slot(self, x: Operand, name: str, value: Operand) -> None:
        """A slot of an object holds ``value``."""
        self.kept += (x, value)
        self.words.append(pack("NN", id(x) + places()[name], id(value)))

    def word(self, x: Operand, value: Operand) -> None:
        """An object of Python's holds ``value`` where it does now: its class, code or bases."""
        self.kept += (x, value)
        self.words.append(pack("NN", id(x) + place_of(x, value), id(value)))

    def other(self, x: Operand, name: str, value: Operand) -> None:
        """A slot of an object holds something else."""
        self.row(OTHER, x, places()[name], value)

    def variable(
        self, x: ContextVar[Operand], value: Operand, slot: str = "", other: bool = False
    ) -> None:
        """A context variable, or a slot of what it holds, is ``value``; ``other``: is not."""
        self.row(VARIABLE_NOT if other else VARIABLE, x, places()[slot] if slot else 0, value)

    def size(self, x: Operand, n: int) -> None:
        self.row(SIZE, x, n, None)

    def order(self, x: Operand, elements: tuple[Operand, ...]) -> None:
        """A set has these elements, or a dict these keys, one after the other."""
        self.row(ORDER, x, 0, elements)

    def item(self, x: Operand, key: Operand, value: Operand) -> None:
        """``x[key]`` is ``value``."""
        if type(x) is list:
            self.row(PLACE, x, key, value)
        else:
            plain = isinstance(x, dict) and type(x).__getitem__ is dict.__getitem__
            self.row(ITEM if plain else GIVEN, x, id(key), value, key)

    def absent(self, x: dict[str, Operand], key: str) -> None:
        """A dict has no such key."""
        self.row(ITEM, x, id(key), None, key)
        self.dicts[id(x)][1][-1] = pack("NNNN", ITEM, id(x), id(key), 0)

    def argument(self, i: int, t: Tensor, others: Sequence[Array]) -> None:
        """Argument i is a tensor such as ``t``, with memory of its own: not of arguments before it,
        and not that of ``others``. ValueError: ``t`` is a view."""
        at, array, node = places(), t.array, t.node
        if array.base is not None:
            raise ValueError("a view is looked at by Python")
        plain = isinstance(node, Constant)  # which needs no gradient, as its class says
        names = "array node origin base dtype dims shape strides needs hooks grad".split()
        objects = [type(t), t.origin, type(array), array.dtype, type(node),
                   type(node) if plain else node.needs]  # fmt: skip
        sizes = [n for pair in zip(array.shape, array.strides, strict=True) for n in pair]
        found = [at["class" if plain and name == "needs" else name] for name in names]
        found += [*map(id, objects), array.ndim, node.grad is not None, len(others), *sizes]
        self.kept += [*objects, *others]
        self.rows.append(pack("NNNN", ARGUMENT, 0, i, self.bytes([*found, *map(id, others)])))

    def bytes(self, values: Sequence[int]) -> int:
        """Where C finds some numbers."""
        made = pack(f"{len(values)}N", *[v % (1 << 8 * POINTER) for v in values])
        self.kept.append(made)
        return id(made) + bytes.__basicsize__ - 1  # where an object of bytes has its bytes

    def memory(self, x: Operand, references: int) -> None:
        """Nothing in the memory of ``x`` has changed, and nobody has a reference to it but those
        who have one now: ``references`` many. The caller sees to it that ``x`` lives."""
        held = words(x)
        count = words_of_count()  # in its lower half; later Pythons have flags in the upper one
        held[count] = (held[count] >> 32 << 32) + references
        size = len(held) * POINTER
        self.rows.append(pack("NNNN", BYTES, id(x), size, self.bytes(held)))

    def made(self) -> Kernel:
        """The function."""
        return builtin(python(), "all_hold", own=self.guards())

    def guards(self, *more: Rows) -> Operand:
        """For C (``all`` of c/python.txt): these, and ``more``, which say nothing of dicts."""
        version, of_dicts, rows = version_of_dicts(), b"", [*self.rows]
        dicts: list[bytes] = []
        for x, own in self.dicts.values():
            if version:  # filled in by C when these rows have held for the first time
                begin = len(of_dicts) // len(own[0])
                dicts.append(pack("NNNN", id(x) + version, 0, begin, len(own)))
                of_dicts += b"".join(own)
            else:
                rows += own
        words = b"".join(w for x in (self, *more) for w in x.words)
        every = b"".join([*rows, *(row for x in more for row in x.rows)])
        return words, b"".join(dicts), every, of_dicts, [x.kept for x in (self, *more)]


@cache
def python() -> ctypes.CDLL:
    """The compiled text. CompilerError: there is no compiler."""
    return loaded(f"{text_of('python')}\n{text_of('direct')}")


@cache
def words_of_count() -> int:
    """Which word of an object counts the references to it."""
    x = object()
    more = [x] * 1000
    n = words(x)
    del more
    return next(i for i, (a, b) in enumerate(zip(n, words(x), strict=True)) if a - b == 1000)


def untouched(leaves: Sequence[Tensor], tensors: list[Tensor]) -> Rows:
    """Are these the gradients of those leaves, does nobody else know them but this list, and is
    nothing changed of them?"""
    rows = Rows()
    key = places()["node"] + (places()["grad"] << 16)
    for leaf, t in zip(leaves, tensors, strict=True):
        rows.kept.append(leaf)
        rows.rows.append(pack("NNNN", HELD, id(leaf), key, id(t)))
        rows.memory(t, 2)
        rows.memory(t.node, 1)
        rows.memory(t.array, 3)  # of the tensor, its node, and a list of the caller
    return rows
