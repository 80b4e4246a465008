"""The call of a small program by C, from its guards to the tensor that it returns.

``written_quick`` writes the call of a program as a Python function. Where the program is one
function of C, and all that the call finds and leaves is plain (its arguments are tensors with
memory of their own, it returns one new tensor or none, its new gradients take the place of those
that it made last), C does the same without a line of Python (``called`` in c/direct.txt). Where a
guard does not hold, or the program stops, C has done nothing, and calls the Python function.
"""
from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from ..graph import last_write, mode, tick
from .loops import LARGE
from .native import address, builtin
from .quick import MISSED, WRITER, parts_of
from .same import filling, places, python, slots
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Kernel, Operand
    from ..handles.tensor import Tensor
    from .entry import Entry
    from .loops import Loops, Plan
    from .same import Rows

OBJECT, OF_ARGUMENT, IN_DICT, RESULT = range(4)  # what C gives to the program (c/direct.txt)
RATE, LASTI = "lr", "f_lasti"


class Direct:
    """The calls of ``entry`` for arguments such as ``tensors``; ``rows``: their guards.

    ``state``: what C reads: the call, where all is plain, and what is to live with it; the code
    object of the user's that called last; the call in Python; how many arguments there are.
    """

    def __init__(
        self, entry: Entry, tensors: Sequence[Tensor], plan: Plan, runners: dict[str, Loops],
        rows: Rows,
    ):  # fmt: skip
        self.entry, self.rows = entry, rows
        self.loops = runners[plan.regions[0].name] if _is_plain(entry, tensors, plan) else None
        self.state: list[Operand] = [None, None, None, len(tensors), MISSED]
        entry.reused.call = self.state

    def function(self, in_python: Kernel) -> Kernel:
        """The function; ``in_python``: the same call."""
        self.state[2] = in_python
        return builtin(python(), "call_directly", own=self.state)

    def prepare(self) -> None:
        """Let C make the calls from now on, if it may. Asked for after each call that Python made.
        """
        loops, reused = self.loops, self.entry.reused
        if loops is None or not loops.checked or (reused.numbers and not reused.arrays):
            return
        written = [x.tensor for x in self.entry.written]
        guards = self.rows.guards(*[reused.rows] * bool(reused.numbers))
        clock: Operand = tick
        objects = [guards, written, WRITER, clock.__self__, last_write, mode, LASTI]
        result, has_site, *kept = self.result()
        given, more = self.given(loops)
        numbers = [
            places()["array"], places()["mode scope"],
            *[0 if x is None else id(x) for x in (*objects, *result)],
            has_site, len(given), address(loops.c), *[x for row in given for x in row],
        ]  # fmt: skip
        kept += [objects, result, more, reused.arrays, reused.tensors]
        self.state[0] = slots() + pack(f"{len(numbers)}N", *numbers), kept

    def given(self, loops: Loops) -> tuple[list[tuple[int, int, int]], list[Operand]]:
        """What the program is given, as rows for C; and what is to live."""
        entry, reused = self.entry, self.entry.reused
        known = {x.number: x.array for x in entry.leaves} | entry.program.constants
        # no reference of ours to the gradients' arrays: those to them are counted
        every = known | dict(zip(reused.numbers, reused.arrays or (), strict=True))
        arguments = {x.number: x.place for x in entry.leaves if x.kind == "argument"}
        rows: list[tuple[int, int, int]] = []
        for n in [*loops.region.takes, *loops.region.gives]:
            if n in arguments:
                rows.append((OF_ARGUMENT, arguments[n], 0))
            else:
                rows.append((OBJECT, id(every[n]), 0) if n in every else (RESULT, 0, 0))
        rows += [(IN_DICT, id(group), id(RATE)) for group in loops.groups]
        rows += [(OBJECT, id(block), 0) for block in loops.blocks]
        return rows, [known, loops.groups, [*loops.blocks]]

    def result(self) -> tuple[list[Operand], bool, Operand]:
        """What makes the array that is returned, the classes of its tensor and node, and what C
        puts into them; does the node say which line has called; and what is to live."""
        for o in self.entry.outputs:
            value = self.entry.program.values[o.number]
            kind, given, constants = parts_of(o)
            filled, kept = filling(given, constants)
            like = np.zeros(value.shape, value.dtype)
            sizes = [t.__basicsize__ for t in (type(o.tensor), kind, np.ndarray)]
            seen = pack("4N", 0, *sizes) + bytes(2 * sum(sizes))
            made = [like.copy, type(o.tensor), kind, filled, [None, None], seen]
            return made, o.kind == "done", kept
        return [None] * 6, False, None


def _is_plain(entry: Entry, tensors: Sequence[Tensor], plan: Plan) -> bool:
    """Is a call one of C, and is all around it such as C does?"""
    p, made, outputs = entry.program, {*entry.reused.numbers}, {o.number for o in entry.outputs}
    returned = entry.template is None if not outputs else type(entry.template) is Ref
    if not returned or len(plan.items) != 1 or len(plan.regions) != 1 or entry.late is not None:
        return False
    region = plan.regions[0]
    return (
        {*region.gives} == made | outputs and not made & outputs
        and {n for _, n in entry.new_grads} == made
        and all(o.kind in ("value", "done") and p.values[o.number].nbytes <= LARGE
                for o in entry.outputs)
        and not p.fresh and not entry.undo.needed and not entry.lent
        and all(t.array.base is None for t in tensors)
        and all(leaf.kind in ("tensor", "argument") for leaf in entry.leaves)
        and all(leaf.kind == "tensor" for leaf in entry.written)
    )  # fmt: skip
