"""Copies that a careful person would not make: several statements of a region as one.

The gradient of a slice is an array of zeros with a part in it; three slices of one tensor give
three such arrays, which are added up. Where the parts do not meet, that is one array with three
parts. And what is copied only to be copied again is copied once. Relu and its gradient are asked
for each window of a pooling behind it, not for all that the windows see.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .remade import RELU, RELU_VJP
from .statements import Call, Copy, Each, Place, reads, row_major, writes
from .templates import Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import Operand, Shape
    from .program import Program
    from .statements import Lowered


def joined(program: Program, chain: Sequence[Lowered], later: set[int]) -> list[Lowered]:
    """The statements, with fewer copies. ``later``: the values that are read after them."""
    readers: dict[int, int] = {}
    for s in chain:
        for n in {*reads(s)}:
            readers[n] = readers.get(n, 0) + 1
    copies: dict[int, Copy] = {}  # whose result has one reader, and whose operands are as they were
    pooled: dict[int, Call] = {}  # likewise, gradients of poolings
    relus: dict[int, Operand] = {}  # and of what relu made, what it was given
    done: list[Lowered] = []
    for s in chain:
        if isinstance(s, Each) and s.formula == "x + y" and s.into is None:
            s = _sum_of_parts(program, s, copies)
        if isinstance(s, Each) and s.formula == RELU and s.into is None:
            relus[s.result] = s.operands["x"]
        if isinstance(s, Each) and s.formula == RELU_VJP:
            s = _pooled_relu(s, pooled, relus, done)
        if isinstance(s, Call) and s.function == "halved" and s.operands[-2].number in relus:
            rows, n, _, x, out = s.operands
            s = s._replace(operands=[rows, n, 1, relus[x.number], out])
        if isinstance(s, Call) and s.function == "halved_vjp0" and (
            readers.get(s.makes[0]) == 1 and s.makes[0] not in later
        ):
            pooled[s.makes[0]] = s
        if isinstance(s, Copy):
            s = s._replace(parts=[_at_once(n, place, copies) for n, place in s.parts])
            if readers.get(s.result) == 1 and s.result not in later:
                copies[s.result] = s
        elif writes(s):
            copies.clear()
            pooled.clear()
            relus.clear()
        done.append(s)
    return done


def _pooled_relu(
    s: Each, pooled: dict[int, Call], relus: dict[int, Operand], done: list[Lowered]
) -> Each | Call:
    """The gradient of relu, of that of a pooling of what relu gave: at the one place of each window
    where that is not 0, relu gave the largest number, which the pooling knows."""
    pool = pooled.get(getattr(s.operands["g"], "number", -1))
    if pool is None or pool.operands[-2] != s.operands["out"] or s.into is not None:
        return s
    del done[next(i for i, x in enumerate(done) if x is pool)]
    rows, n, _, g, largest, x, _ = pool.operands
    both = [rows, n, 1, g, largest, relus.get(x.number, x), Ref(s.result)]
    return pool._replace(operands=both, makes=[s.result])


def _sum_of_parts(program: Program, s: Each, copies: dict[int, Copy]) -> Each | Copy:
    """x + y, where both are zeros but for parts that do not meet."""
    found = [copies.get(x.number) for x in s.operands.values() if type(x) is Ref]
    if len(found) != 2 or any(c is None or c.fill != 0 for c in found):
        return s
    shape = program.values[s.result].shape
    parts = [part for c in found if c is not None for part in c.parts]
    if any(program.values[c.result].shape != shape for c in found if c is not None):
        return s
    times = np.zeros(math.prod(shape), np.uint8)
    for _, place in parts:
        elements(times, place)[...] += 1
    if times.max(initial=0) > 1:
        return s
    return Copy(s.step, s.result, None if times.all() else 0.0, parts)


def _at_once(n: int, place: Place, copies: dict[int, Copy]) -> tuple[int, Place]:
    """A part that is another copy, as a part that is what was copied there."""
    copy = copies.get(n)
    if copy is None or copy.fill is not None or len(copy.parts) != 1:
        return n, place
    source, whole = copy.parts[0]
    if whole.start or whole.strides != row_major(whole.shape):
        return n, place
    seen = elements(np.zeros(last(place) + 1, np.uint8), place)
    strides = split(seen, whole.shape)
    return (n, place) if strides is None else (source, Place(place.base, place.start, strides,
                                                             whole.shape))  # fmt: skip


def split(seen: np.ndarray, shape: Shape) -> Shape | None:
    """The strides of an array in another shape, if that is possible without a copy."""
    again = seen.reshape(shape)
    return again.strides if not seen.size or np.may_share_memory(again, seen) else None


def last(place: Place) -> int:
    return place.start + sum((n - 1) * k for n, k in zip(place.shape, place.strides, strict=True))


def elements(whole: np.ndarray, place: Place) -> np.ndarray:
    """A place in an array of bytes."""
    return np.lib.stride_tricks.as_strided(whole[place.start :], place.shape, place.strides)
