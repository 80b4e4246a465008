"""The blocks of memory in which the tensors of an object lie, each to be stored once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import dtypes
from ..handles.memory import owner
from ..handles.tensor import Tensor
from ..nn.module import Module
from .archive import Bytes
from .memory import on_host
from .modules import state_of

if TYPE_CHECKING:
    from ..base.types import Array


class Block(NamedTuple):
    """A stretch of memory that is stored once: its bytes, and the dtype of its elements."""

    memory: Bytes
    dtype: dtypes.dtype

    @property
    def numel(self) -> int:
        return len(self.memory) // self.dtype.itemsize


class Place(NamedTuple):
    """Where a tensor lies: the number of its block, offset and strides in elements."""

    block: int
    offset: int
    strides: tuple[int, ...]


class _Stretch:
    """Memory from `low` to `high` and the arrays in it."""

    def __init__(self, low: int, high: int, arrays: list[Array]) -> None:
        self.low, self.high, self.arrays = low, high, arrays


class Collected:
    """The blocks of memory in which the tensors of an object lie.

    Tensors that were views of one memory lie in one block. It reaches from the first to the last
    element that any of them shows, so a small view of a large tensor is stored without the rest.
    """

    def __init__(self, obj: object) -> None:
        self.arrays: dict[int, Array] = {}  # by the id of a tensor
        self.blocks: list[Block] = []
        self.places: dict[int, Place] = {}
        self.states: dict[int, object] = {}  # by the id of a module: what its file holds
        self._kept = list(tensors_in(obj, self.states))  # so that ids stay theirs
        self._fetched: dict[object, Array] = {}
        for t in self._kept:
            self.arrays[id(t)] = self._array(t)
        for stretch in _stretches(self.arrays.values()):
            self._store(stretch)
        for array in self.arrays.values():
            if id(array) not in self.places:  # without elements
                self._add(np.empty(0, np.uint8), array, 0)

    def place(self, x: Tensor) -> tuple[Place, Block]:
        """Where a tensor lies."""
        if id(x) not in self.arrays:  # made while it was pickled, by a class of the user's
            self._kept.append(x)
            array = self.arrays[id(x)] = _regular(on_host(x)).copy()
            low, high = np.lib.array_utils.byte_bounds(array)
            self._add(_memory(low, high, array), array, low)
        place = self.places[id(self.arrays[id(x)])]
        return place, self.blocks[place.block]

    def _array(self, x: Tensor) -> Array:
        """The elements: for handles on the same elements of a device, one array."""
        if x.device.type == "cpu":
            return _regular(x.array)
        key = (str(x.device), x.data_ptr(), x.shape, x.stride(), x.dtype)
        if key not in self._fetched:
            self._fetched[key] = _regular(on_host(x))
        return self._fetched[key]

    def _store(self, stretch: _Stretch) -> None:
        first = stretch.arrays[0]
        starts = [a.__array_interface__["data"][0] for a in stretch.arrays]
        apart = [(start - stretch.low) % first.itemsize for start in starts]
        if all(a.dtype == first.dtype for a in stretch.arrays) and not any(apart):
            memory = _memory(stretch.low, stretch.high, first)
            for array in stretch.arrays:
                self.places[id(array)] = self._place(array, len(self.blocks), stretch.low)
            self.blocks.append(Block(memory, dtypes.of(first)))
            return
        # one memory seen as two types, which PyTorch cannot store, or between its elements
        for array in stretch.arrays:
            low, high = np.lib.array_utils.byte_bounds(array)
            self._add(_memory(low, high, array), array, low)

    def _add(self, memory: Bytes, array: Array, low: int) -> None:
        place = self._place(array, len(self.blocks), low)
        self.places[id(array)] = place if array.size else place._replace(offset=0)
        self.blocks.append(Block(memory, dtypes.of(array)))

    @staticmethod
    def _place(array: Array, block: int, low: int) -> Place:
        n = array.itemsize
        offset = (array.__array_interface__["data"][0] - low) // n
        if not array.size:  # numpy gives them any strides; PyTorch counts no elements as one
            shape = array.shape
            steps = [math.prod([max(m, 1) for m in shape[i + 1 :]]) for i in range(len(shape))]
            return Place(block, offset, tuple(steps))
        return Place(block, offset, tuple([s // n for s in array.strides]))


def _regular(array: Array) -> Array:
    """The array, or a copy if it runs backwards, or between elements, as no tensor of PyTorch."""
    if any(s < 0 or s % array.itemsize for s in array.strides):
        return array.copy()
    d = dtypes.of(array).numpy
    return array[...] if array.dtype.isnative else array.astype(d)


def _stretches(arrays: Iterable[Array]) -> list[_Stretch]:
    """The memory of arrays with elements: together what has one owner, or overlaps."""
    owned: dict[int, _Stretch] = {}
    for array in arrays:
        if array.size:
            low, high = np.lib.array_utils.byte_bounds(array)
            s = owned.setdefault(id(owner(array)), _Stretch(low, high, []))
            s.low, s.high = min(s.low, low), max(s.high, high)
            s.arrays.append(array)
    merged: list[_Stretch] = []
    for s in sorted(owned.values(), key=lambda s: s.low):
        apart = not merged or s.low >= merged[-1].high
        if not apart and not (s.low - merged[-1].low) % s.arrays[0].itemsize:
            merged[-1].high = max(merged[-1].high, s.high)
            merged[-1].arrays += s.arrays
        else:
            merged.append(s)
    return merged


class _Lent:
    """Memory from one address to another, as numpy's interface describes it."""

    def __init__(self, low: int, high: int, keeper: object) -> None:
        self.__array_interface__ = {
            "data": (low, True), "shape": (high - low,), "typestr": "|u1", "version": 3,
        }  # fmt: skip
        self.keeper = keeper


def _memory(low: int, high: int, array: Array) -> Bytes:
    return np.asarray(_Lent(low, high, array))


def tensors_in(obj: object, states: dict[int, object]) -> Iterator[Tensor]:
    """The tensors in containers and attributes, each once, in the order in which they are saved.

    The states of modules, each asked for once, are put into `states`.
    """
    seen: set[int] = set()
    stack = [obj]
    while stack:
        x = stack.pop()
        if type(x) in ATOMS or id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, Tensor):
            yield x
        if isinstance(x, dict):
            stack += reversed([part for pair in x.items() for part in pair])
        elif isinstance(x, (list, tuple, set, frozenset, deque)):
            stack += reversed(list(x))
        if isinstance(x, Module):
            states[id(x)] = state_of(x)
            stack.append(states[id(x)])
        elif hasattr(x, "__dict__") and not isinstance(x, type):
            stack += vars(x).values()


ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray})
