"""Finite differences: is each gradient what it claims to be?

The forward pass is run again in float64 with one value moved by ±h, and (f(x + h) - f(x - h)) / 2h
stands beside the analytic gradient, which is computed in float64 too. Of up to 64 elements each is
moved; a larger tensor is moved along one random direction (of a fixed seed), and compared with the
gradient's component along it. Where there is a kink, a gradient between the slopes of its two sides
is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from ..reading import numbers
from ..reading.measure import Computation, Data
from ..reading.replay import registered
from ..reading.take import Root, caller, take
from ..reading.trace import Comparison, Trace
from .words import display_names

H = 1e-5
ELEMENTS = 64
WORK = 400_000  # kernel runs a check may take, at most (some seconds); the rest is not checked
SOME = 8  # elements of a larger tensor that are moved, where its direction leads over a kink
CLOSE = 1e-6
KINK = "at a kink, between the slopes of both sides"
DERIVATIVE = "the derivative"  # what is compared, if nothing else is said
MEANT = "meant so: "
# ops whose gradient, here and in PyTorch, is on purpose not the derivative of what they compute
CONVENTIONS = {
    "ctc_loss": "it is the gradient of the numbers whose log_softmax this is",
    "embedding": "the row of padding_idx receives none, or rows are scaled by how often they occur",
    "scale_gradient": "rows are scaled by how often they occur",
    "choleskysolve": "the elements above the diagonal, which are not read, receive one as well",
    "BinaryCrossEntropy": "logarithms are cut at −100, and their derivatives are not",
}
PARTS = "the worse of the real and the imaginary part"


class Forward:
    """The forward pass in float64, from any node on.

    ``fixed``: the nodes that cannot be computed again, and keep the value that they had.
    """

    def __init__(self, found: Computation):
        self.found = found
        self.values: list[Data] = []
        self.fixed: set[int] = set()
        self.possible = all(v is not None for v in found.values)
        for i, v in enumerate(found.values if self.possible else []):
            again = None if found.is_leaf(i) else found.rerun(i, self.values)
            if again is None and not found.is_leaf(i):
                self.fixed.add(i)
            self.values.append(_wide(v) if again is None else again)

    def downstream(self, j: int) -> list[int]:
        """The nodes that change with node j, in order."""
        reached = {j}
        for i in range(j + 1, len(self.values)):
            if any(k in reached for k in self.found.inputs[i]):
                reached.add(i)
        return sorted(reached - {j})

    def moved(self, j: int, value: Data, later: list[int]) -> float:
        """The root's value with node j replaced; NaN where an op cannot be computed there."""
        view = _Changed({j: value}, self.values)
        for i in later:
            again = self.found.rerun(i, view)
            if again is None:
                return math.nan
            view.changed[i] = again
        return float(np.asarray(view[len(self.values) - 1]).reshape(()))


class _Changed(Mapping[int, Data]):
    """The values, some of them replaced."""

    def __init__(self, changed: dict[int, Data], values: list[Data]):
        self.changed, self.values_before = changed, values

    def __getitem__(self, i: int) -> Data:
        return self.changed[i] if i in self.changed else self.values_before[i]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self.values_before)


def _wide(v: Data | None) -> Data:
    assert v is not None  # the caller has looked
    if isinstance(v, float):
        return v
    v = np.asarray(v)
    wide = {"f": np.float64, "V": np.float64, "c": np.complex128}.get(v.dtype.kind)  # V: bfloat16
    return v if wide is None else v.astype(wide)


def differences(trace: Trace, h: float = H) -> dict[int, Comparison]:
    """Each node's gradient beside its finite difference; what cannot be checked is left out."""
    assert trace.computation is not None
    forward = Forward(trace.computation)
    if not forward.possible or np.isnan(np.asarray(forward.values[-1])).any():
        return {}
    exact = trace.computation.gradients_at(forward.values)
    rng = np.random.default_rng(0)
    out: dict[int, Comparison] = {}
    work = 0
    for j in range(len(trace.nodes)):
        if (found := exact.get(j)) is None or j == trace.root:
            continue
        g, value = trace.computation.whole(j, found), forward.values[j]
        if np.shape(g) != np.shape(value) or j in trace.computation.holders:
            continue
        later, size = forward.downstream(j), int(np.asarray(value).size)
        if not size or not forward.fixed.isdisjoint(later):
            continue
        work += 2 * len(later) * (size if size <= ELEMENTS else 1)
        if work > WORK:
            break
        line = _Line(forward, j, value, np.asarray(g), later, h)
        with np.errstate(all="ignore"):  # a step may lead out of an op's domain
            out[j] = line.compared(rng)
    _excuse(trace, out)
    return out


def _excuse(trace: Trace, found: dict[int, Comparison]) -> None:
    """Say so where a difference is a convention of the op that reads the value, and no fault."""
    excused: dict[int, str] = {}
    for t in reversed(trace.nodes):
        why = CONVENTIONS.get(t.op) or (excused.get(t.id) if registered(t.op) else None)
        for j in t.inputs if why else ():
            c = found.get(j)
            if c is not None and not c.ok and math.isfinite(c.analytic):
                excused[j] = why or ""
    for j, why in excused.items():
        found[j] = replace(found[j], ok=True, what=MEANT + why)


class _Line:
    """A value, moved along lines, and what its gradient says of each.

    At a kink, as relu has at 0 and a maximum of equal values, the slopes of the two sides differ,
    and any number between them is right (a subgradient).
    """

    def __init__(
        self, forward: Forward, j: int, value: Data, g: np.ndarray, later: list[int], h: float
    ):
        self.value, self.g, self.h = value, g, h
        self.forward, self.j, self.later = forward, j, later
        self.here = float(np.asarray(forward.values[-1]).reshape(()))

    def compared(self, rng: np.random.Generator) -> Comparison:
        size = int(np.asarray(self.value).size)
        if size == 1:
            return self._worst(range(1), PARTS if np.iscomplexobj(self.value) else DERIVATIVE)
        if size <= ELEMENTS:
            return self._worst(range(size), "the worst element")
        direction = rng.standard_normal(np.shape(self.value))
        if np.iscomplexobj(self.value):
            direction = direction + 1j * rng.standard_normal(np.shape(self.value))
        along = self._slopes(direction / np.linalg.norm(direction))
        if _agree(*along) or not _kinked(*along[1:]):
            return _told(*along, "along a random direction")
        return self._worst(rng.choice(size, SOME, replace=False), f"the worst of {SOME} elements")

    def _slopes(self, direction: np.ndarray) -> tuple[float, float, float]:
        """Along a direction: what the gradient says, and the slopes before and behind.

        The gradient of a complex z = a + bi is ∂/∂a + i ∂/∂b, as PyTorch has it.
        """
        way: Data = float(direction) if isinstance(self.value, float) else direction
        ends = (self.value + s * way for s in (self.h, -self.h))
        up, down = (self.forward.moved(self.j, x, self.later) for x in ends)
        says = float((np.conj(self.g) * direction).sum().real)
        return says, (self.here - down) / self.h, (up - self.here) / self.h

    def _worst(self, elements: Iterable[int], what: str) -> Comparison:
        found = []
        for k, unit in product(elements, (1, 1j) if np.iscomplexobj(self.value) else (1,)):
            one = np.zeros(np.shape(self.value), complex if unit == 1j else float)
            one.flat[k] = unit
            found.append(self._slopes(one))
        smooth = [f for f in found if _agree(*f) or not _kinked(*f[1:]) or not _between(*f)]
        rest = smooth or found
        worst = max(rest, key=lambda f: (abs(f[0] - (f[1] + f[2]) / 2), f[0], f[1] + f[2]))
        return _told(*worst, what if smooth else KINK)


def _agree(says: float, before: float, behind: float) -> bool:
    return abs(says - (before + behind) / 2) <= CLOSE * max(1.0, abs(says)) * 10


def _kinked(before: float, behind: float) -> bool:
    return abs(behind - before) > 1e-3 * max(abs(before), abs(behind))


def _between(says: float, before: float, behind: float) -> bool:
    room = 1e-3 * abs(behind - before)
    return min(before, behind) - room <= says <= max(before, behind) + room


def _told(says: float, before: float, behind: float, what: str) -> Comparison:
    finite = (before + behind) / 2
    ok = what == KINK or _agree(says, before, behind)
    return Comparison(says, finite, abs(says - finite), ok, what)


class Check:
    """Finite differences of every node, the worst first. ``ok``: do all agree?"""

    def __init__(self, rows: list[tuple[str, Comparison]], note: str = ""):
        self.rows = sorted(rows, key=lambda row: -row[1].error)
        self.note = note

    @property
    def ok(self) -> bool:
        return bool(self.rows) and all(r.ok for _, r in self.rows)

    @property
    def worst(self) -> str:
        """The name of the value with the largest error."""
        return self.rows[0][0] if self.rows else ""

    def __str__(self) -> str:
        if not self.rows:
            return f"nothing could be checked: {self.note}"
        width = max(len(name) for name, _ in self.rows)
        lines = [f"{'value':<{width}}  {'analytic':>12}  {'finite diff.':>12}  {'error':>9}"]
        for name, r in self.rows:
            sign = "≠" if r.what.startswith(MEANT) else "✓" if r.ok else "✗"
            a, f = (f"{v:.6g}".replace("-", "−") for v in (r.analytic, r.finite))
            note = "" if r.what == DERIVATIVE else f"  ({r.what})"
            error = numbers.short(r.error)
            lines.append(f"{name:<{width}}  {a:>12}  {f:>12}  {error:>9} {sign}{note}")
        return "\n".join(lines)

    __repr__ = __str__


def check(loss: Root, h: float = H) -> Check:
    """Compare the gradient of every value with a finite difference in float64.

    The result has ``.ok`` and ``.worst``, and prints as a table.
    """
    trace = take(loss, "check", caller(), gradients=True)
    names = display_names(trace)
    rows = [(names[j], r) for j, r in differences(trace, h).items()]
    return Check(rows, trace.note or "values were freed by backward or overwritten")
