"""Why a program may be used: two recordings agree, and it leaves what the recorded run left."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import generator
from .compared import SIMPLE
from .supposed import random_state
from .templates import Rate, Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .entry import Entry, Run
    from .program import Leaf
    from .recording import Recording


def disagreement(run: Run, again: Run) -> str:
    """Where two recordings of one function differ, or ""."""
    both = Pair(run.recording, again.recording)
    p, q, agree = run.recording.program, again.recording.program, both.agree
    for s, t in zip(p.steps, q.steps, strict=False):
        if s.name != t.name or s.kind != t.kind:
            return f"two calls differ: {s.name} at {s.site}, and then {t.name} at {t.site}"
        if not agree((s.arguments, s.attrs, s.result), (t.arguments, t.attrs, t.result)):
            return f"two calls differ in what they give to {s.name}, at {s.site}"
    if len(p.steps) != len(q.steps):
        return "two calls differ in length"
    kinds = [(o.kind, both.numbers.get(o.number, o.number)) for o in run.outputs]
    if not agree(p.outputs, q.outputs, places=True) or kinds != [
        (o.kind, o.number) for o in again.outputs
    ]:
        return "two calls differ in what they return"
    return ""


class Pair:
    """Two recordings, which are compared from their first step on."""

    def __init__(self, a: Recording, b: Recording):
        self.a, self.b = a, b
        self.numbers: dict[int, int] = {}  # of a value in the one -> in the other

    def agree(self, x: Operand, y: Operand, places: bool = False) -> bool:
        """Are they the same? ``places``: a Ref is a place among the outputs, not a value."""
        if type(x) is not type(y):
            return False
        if type(x) is Ref:
            return bool(x.number == y.number) if places else self.same_value(x.number, y.number)
        if isinstance(x, dict):
            return [*x] == [*y] and all(self.agree(x[k], y[k], places) for k in x)
        if isinstance(x, (tuple, list)):
            return len(x) == len(y) and all(
                self.agree(i, j, places) for i, j in zip(x, y, strict=True)
            )
        if type(x) is Rate:
            return x.same(y)
        if isinstance(x, (*SIMPLE, slice, np.generic)):
            return repr(x) == repr(y)
        return x is y or (isinstance(x, np.dtype) and x == y)

    def same_value(self, m: int, n: int) -> bool:
        """Are values m and n equal constants, leaves of one kind and place, or made alike?"""
        a, b = self.a, self.b
        p, q = a.program, b.program
        if m in p.constants and n in q.constants:
            c, d = p.constants[m], q.constants[n]
            return c.dtype == d.dtype and c.shape == d.shape and c.tobytes() == d.tobytes()
        if m in p.constants or n in q.constants:
            return False
        if (m in a.leaves) is not (n in b.leaves) or p.values[m] != q.values[n]:
            return False
        if m in a.leaves and not self.same_leaf(a.leaves[m], b.leaves[n]):
            return False
        return self.numbers.setdefault(m, n) == n

    def same_leaf(self, x: Leaf, y: Leaf) -> bool:
        """Of a gradient, the place is the number of the leaf that it belongs to."""
        place = self.numbers.get(x.place, x.place) if x.kind == "gradient" else x.place
        same = (x.kind, place) == (y.kind, y.place)
        return same and (x.kind != "tensor" or x.array is y.array)


def proved(entry: Entry, run: Run, state: Array) -> str:
    """Run the program on the memory of before the recorded run: it must leave the same, or why not.
    """
    r = run.recording
    leaves = [x for x in r.program.leaves if x.kind != "seed"]
    for leaf in leaves:
        if not leaf.array.flags.writeable and not np.array_equal(
            leaf.array, r.before[leaf.number], equal_nan=leaf.array.dtype.kind == "f"
        ):
            return "it writes to memory that is locked"
    after = [leaf.array.copy() for leaf in leaves]
    drawn = random_state()
    now = r.effects.now()
    wanted = [_value(r, n) for n in entry.gives]
    wanted = [x.copy() for x in wanted]
    try:
        _restore(leaves, [r.before[leaf.number] for leaf in leaves])
        generator.Generator.set_state(generator.default_generator, state)
        for s in r.effects.states:
            s.restore()
        got = entry.function(*[leaf.array for leaf in leaves])
        left = [leaf.array.copy() for leaf in leaves]
        if random_state().tobytes() != drawn.tobytes():
            return "it draws random numbers, or seeds, where a program cannot follow"
        if any(s.differs() for s in now):
            return "its program does not change the Python values that the call changed"
        late_ok = entry.late is None or entry.late.agrees(r, got[len(entry.gives) :])
    except Exception as e:
        return f"its program raises {type(e).__name__}, where the call did not"
    finally:
        _restore(leaves, after)
        for s in now:
            s.restore()
        generator.Generator.set_state(generator.default_generator, drawn)
    for x, y in zip([*got[: len(wanted)], *left], [*wanted, *after], strict=True):
        if x.shape != y.shape or x.dtype != y.dtype or x.tobytes() != y.tobytes():
            return "its program does not leave what the call left"
    return "" if late_ok else "its program's backward does not give what backward gave"


def _value(r: Recording, number: int) -> Array:
    return next(x.value for x in r.arrays.values() if x.number == number)


def _restore(leaves: Sequence[Leaf], arrays: Sequence[Array]) -> None:
    # where two lie over one another, the one that was read first was read before all writes
    for leaf, array in reversed([*zip(leaves, arrays, strict=True)]):
        if leaf.array.flags.writeable:
            leaf.array[...] = array
