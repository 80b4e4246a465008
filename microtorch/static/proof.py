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


class Twins:
    """Two recordings of one function; which value of the one is which of the other."""

    def __init__(self, first: Recording, second: Recording):
        self.first, self.second = first, second
        self.pairs: dict[int, int] = {}  # number in the one -> number in the other

    def agree(self, x: Operand, y: Operand, places: bool = False) -> bool:
        """Are they the same? ``places``: a Ref is a place among the outputs, not a value."""
        if type(x) is not type(y):
            return False
        if type(x) is Ref:
            return bool(x.number == y.number) if places else self._values(x.number, y.number)
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

    def _values(self, m: int, n: int) -> bool:
        """Are these the same value? What is computed pairs with what is computed, once and for all.
        """
        a, b = self.first, self.second
        p, q = a.program, b.program
        if m in p.constants and n in q.constants:
            c, d = p.constants[m], q.constants[n]
            return c.dtype == d.dtype and c.shape == d.shape and c.tobytes() == d.tobytes()
        if m in p.constants or n in q.constants:
            return False
        if (m in a.leaves) is not (n in b.leaves) or p.values[m] != q.values[n]:
            return False
        if m in a.leaves and not self._leaves(a.leaves[m], b.leaves[n]):
            return False
        return self.pairs.setdefault(m, n) == n

    def _leaves(self, f: Leaf, g: Leaf) -> bool:
        place = self.pairs.get(f.place, f.place) if f.kind == "gradient" else f.place
        same = f.kind != "tensor" or f.array is g.array
        return bool((f.kind, place) == (g.kind, g.place) and same)


def disagreement(run: Run, again: Run) -> str:
    """Where two recordings of one function differ, or ""."""
    twins = Twins(run.recording, again.recording)
    p, q = run.recording.program, again.recording.program
    for s, t in zip(p.steps, q.steps, strict=False):
        if s.name != t.name or s.kind != t.kind:
            return f"two calls differ: {s.name} at {s.site}, and then {t.name} at {t.site}"
        if not twins.agree((s.arguments, s.attrs, s.result), (t.arguments, t.attrs, t.result)):
            return f"two calls differ in what they give to {s.name}, at {s.site}"
    if len(p.steps) != len(q.steps):
        return "two calls differ in length"
    if not twins.agree(p.outputs, q.outputs, places=True):
        return "two calls differ in what they return"
    if [(o.kind, twins.pairs.get(o.number, o.number)) for o in run.outputs] != [
        (o.kind, o.number) for o in again.outputs
    ]:
        return "two calls differ in what they return"
    return ""


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
    for leaf, array in zip(leaves, arrays, strict=True):
        if leaf.array.flags.writeable:
            leaf.array[...] = array
