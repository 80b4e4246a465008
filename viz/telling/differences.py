"""Finite differences: is each gradient what it claims to be?

The forward pass is run again in float64 with one value moved by ±h, and (f(x + h) - f(x - h)) / 2h stands beside the
analytic gradient, which is computed in float64 too. Up to 64 elements each is moved; larger tensors are moved along
one random direction (fixed seed), whose derivative is the gradient's component along it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..drawing import style
from ..reading import measure as replay
from ..reading.trace import Trace

H = 1e-5
ELEMENTS = 64
WORK = 2_000_000  # kernel runs a check may take, at most; what is beyond is not checked
CLOSE = 1e-6


class Forward:
    """The forward pass in float64, from any node on."""

    def __init__(self, trace: Trace, known: list[Any]):
        self.nodes = trace._graph
        self.index = {n: i for i, n in enumerate(self.nodes)}
        self.inputs = [[self.index[x] for x in n.inputs] for n in self.nodes]
        self.values: list[Any] = []
        self.possible = all(v is not None for v in known)
        for i, v in enumerate(known):
            if not self.possible:
                break
            n = self.nodes[i]
            if n.op is None:
                self.values.append(_wide(v))
            else:
                self.values.append(self.run(i, self.values))
                if self.values[i] is None:
                    self.possible = False

    def run(self, i: int, values: Any) -> Any:
        n = self.nodes[i]
        inputs = [values[j] for j in self.inputs[i]]
        try:
            if n.op.name == "cast" and np.dtype(n.dtype).kind == "f":
                return inputs[0]  # the check stays in float64
            if n.op.name == "element":
                return float(inputs[0][n.attrs["index"]])  # type: ignore[index]
            if n.dev is None:
                return float(n.op.scalar(*inputs, **(n.attrs or {})))
            return np.asarray(n.op.kernels[replay.home(n)](*inputs, **replay.attributes(n)))
        except (TypeError, KeyError, AttributeError):  # a custom Function
            return None

    def downstream(self, j: int) -> list[int]:
        """The nodes that change with node j, in order."""
        reached = {j}
        for i in range(j + 1, len(self.nodes)):
            if any(k in reached for k in self.inputs[i]):
                reached.add(i)
        reached.discard(j)
        return sorted(reached)

    def moved(self, j: int, value: Any, later: list[int]) -> float:
        """The root's value with node j replaced."""
        changed = {j: value}
        view = _Changed(changed, self.values)
        for i in later:
            changed[i] = self.run(i, view)
        return float(np.asarray(view[len(self.nodes) - 1]).reshape(()))


class _Changed:
    def __init__(self, changed: dict[int, Any], values: list[Any]):
        self.changed, self.values = changed, values

    def __getitem__(self, i: int) -> Any:
        return self.changed[i] if i in self.changed else self.values[i]


def _wide(v: Any) -> Any:
    if isinstance(v, float):
        return v
    v = np.asarray(v)
    return v.astype(np.float64) if v.dtype.kind == "f" else v


def gradients(trace: Trace, known: list[Any], h: float = H) -> dict[int, dict[str, Any]]:
    """Per node: {"analytic", "finite", "error", "ok", "what"}. Nodes that cannot be checked are left out."""
    forward = Forward(trace, known)
    if not forward.possible:
        return {}
    exact = replay.Replay(trace._graph, forward.values).gradients
    rng = np.random.default_rng(0)
    out: dict[int, dict[str, Any]] = {}
    work = 0
    for j in range(len(trace.nodes)):
        g = exact.get(j)
        if g is None or isinstance(g, dict) or j == trace.root:
            continue
        later = forward.downstream(j)
        value = forward.values[j]
        size = int(np.asarray(value).size)
        work += 2 * len(later) * (size if size <= ELEMENTS else 1)
        if work > WORK or not size:
            break
        pairs = _compare(forward, j, value, np.asarray(g, float), later, h, rng)
        error, analytic, finite = max((abs(a - f), a, f) for a, f in pairs)
        scale = max(1.0, abs(analytic))
        what = (
            "the derivative" if size == 1 else "the worst element" if size <= ELEMENTS else "along a random direction"
        )
        out[j] = {
            "analytic": analytic,
            "finite": finite,
            "error": error,
            "ok": bool(error <= CLOSE * scale * 10),
            "what": what,
        }
    return out


def _compare(
    forward: Forward, j: int, value: Any, g: np.ndarray, later: list[int], h: float, rng: Any
) -> list[tuple[float, float]]:
    """(analytic, finite difference) pairs."""
    if isinstance(value, float):
        up, down = (forward.moved(j, value + s, later) for s in (h, -h))
        return [(float(g), (up - down) / (2 * h))]
    pairs = []
    if value.size <= ELEMENTS:
        for index in np.ndindex(value.shape):
            ends = []
            for s in (h, -h):
                x = value.copy()
                x[index] += s
                ends.append(forward.moved(j, x, later))
            pairs.append((float(g[index]), (ends[0] - ends[1]) / (2 * h)))
        return pairs
    direction = rng.standard_normal(value.shape)
    direction /= np.linalg.norm(direction)
    up, down = (forward.moved(j, value + s * direction, later) for s in (h, -h))
    return [(float((g * direction).sum()), (up - down) / (2 * h))]


class Check:
    """Finite differences of every node, the worst first. ``ok``: do all agree?"""

    def __init__(self, rows: list[tuple[str, dict[str, Any]]], note: str = ""):
        self.rows = sorted(rows, key=lambda r: -r[1]["error"])
        self.note = note

    @property
    def ok(self) -> bool:
        return bool(self.rows) and all(r["ok"] for _, r in self.rows)

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
            sign = "✓" if r["ok"] else "✗"
            a, f = (f"{r[k]:.6g}".replace("-", "−") for k in ("analytic", "finite"))
            error = style.short(r["error"])
            note = "" if r["what"] == "the derivative" else f"  ({r['what']})"
            lines.append(f"{name:<{width}}  {a:>12}  {f:>12}  {error:>9} {sign}{note}")
        return "\n".join(lines)

    __repr__ = __str__


def check(loss: Any, h: float = H) -> Check:
    """Compare the gradient of every value with a finite difference in float64. ``.ok``, ``.worst``, and a table."""
    import sys

    from microtorch.graph import user_frame

    from .steps import display_names

    trace = Trace.skeleton(loss, "check", most=10_000).fill(user_frame(sys._getframe(1)), gradients=True)
    names = display_names(trace)
    found = gradients(trace, replay.values(trace._graph, trace._root_value), h)
    return Check(
        [(names[j], r) for j, r in found.items()], trace.note or "values were freed by backward or overwritten"
    )
