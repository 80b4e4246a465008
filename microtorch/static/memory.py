"""The memory plan of a region: where the values lie that are computed on the way.

A value lives from the statement that makes it to the last one that reads it, or a view of it. Small
ones are arrays of the C function. The others share one block: each gets the lowest place that no
value has that lives at the same time.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .batches import Batch
from .rounds import Rounds
from .statements import Each, View, makes, reads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import Shape
    from .program import Program
    from .rounds import Rows
    from .statements import Lowered

LINE = 64  # bytes of a cache line, at which each value begins
ON_STACK = 1 << 12  # bytes of arrays of the function itself


class Room(NamedTuple):
    """A value's bytes in the block, and the statements between which it lives."""

    start: int
    size: int
    first: int
    last: int


class Memory(NamedTuple):
    """``stack``: the values that are arrays of the function. ``rooms``: the others'.

    ``times``: when a statement runs, by its id, as rooms count.
    """

    stack: set[int]
    rooms: dict[int, Room]
    size: int
    times: dict[int, int]


def looped(program: Program, s: Lowered) -> Shape | None:
    """The shape of the loop of an elementwise step, which successive ones may share."""
    return program.values[s.result].shape if isinstance(s, Each) and s.into is None else None


def planned(
    program: Program, items: Sequence[Lowered | Rounds | Batch], rows: dict[int, Rows],
    kept: set[int],
) -> Memory:
    """The plan. ``rows``: values that are rows of arrays, of which the first stands for all.
    ``kept``: values that lie elsewhere, since they are read after the region."""
    first, last, times = lives(program, items, {n: x.members[0] for n, x in rows.items()})
    stack: set[int] = set()
    rooms: dict[int, Room] = {}
    free = ON_STACK
    for n, begin in first.items():
        if n in kept:
            continue
        value = program.values[n]
        size = max(math.prod(value.shape), 1) * value.dtype.itemsize
        size *= rows[n].height if n in rows else 1
        if size <= free:
            free -= size
            stack.add(n)
            continue
        size = -(-size // LINE) * LINE
        start = 0
        taken = sorted(r for r in rooms.values() if r.first <= last[n] and r.last >= begin)
        for r in taken:
            if start + size <= r.start:
                break
            start = max(start, r.start + r.size)
        rooms[n] = Room(start, size, begin, last[n])
    size = max((r.start + r.size for r in rooms.values()), default=0)
    return Memory(stack, rooms, size, times)


def lives(
    program: Program, items: Sequence[Lowered | Rounds | Batch], root: dict[int, int]
) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """When each value is first written and last needed, and the time of each statement, by its id.

    ``root``: values that lie in others, to which views and slices are added.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    times: dict[int, int] = {}
    time, shape = 0, None
    for item in items:
        begin, loop = time, isinstance(item, (Rounds, Batch))
        shape = None if loop else shape
        if isinstance(item, Batch):
            root |= {m: root.get(n, n) for m, n in item.slices.items()}
        for s in item.body if isinstance(item, (Rounds, Batch)) else (item,):
            if isinstance(s, View):  # no text stands for it: the loop around it goes on
                root[s.result] = root.get(s.base, s.base)
                continue
            before, shape = shape, looped(program, s)
            time += shape is None or shape != before  # one loop reads and writes at once
            times[id(s)] = time
            for n in reads(s):
                last[root.get(n, n)] = time
            for n in makes(s):
                first.setdefault(root.get(n, n), time)
                last[root.get(n, n)] = time
        if isinstance(item, (Rounds, Batch)):  # what is older is read in the next round, too
            for n in last:
                if last[n] > begin and first.get(n, 0) <= begin:
                    last[n] = time
            whole = item.slices if isinstance(item, Batch) else item.moved
            for n in {root.get(m, m) for m in whole}:  # and all rows of an array live throughout
                last[n] = time
                if n in first:
                    first[n] = min(first[n], begin + 1)
            shape = None
    return first, last, times
