"""What changed between two runs of one computation: a table, and one graph with old → new."""

from __future__ import annotations

from typing import Any, TypeAlias

from microtorch.base import errors

from ..drawing import labels
from ..drawing.dot import Drawing
from ..drawing.options import Options
from ..drawing.picture import Graph
from ..drawing.saved import Told
from ..reading import numbers
from ..reading.take import Root, caller, take
from ..reading.trace import Trace, TraceNode, Value
from ..reading.training import TRACES, WHOLE, TrainingStep
from ..telling.words import display_names

Row: TypeAlias = tuple[str, float | None, float | None, float | None, float | None]


class Difference(Told):
    """Two runs of one computation.

    ``rows``: name, value before and after, gradient before and after.
    """

    def __init__(self, a: Trace, b: Trace):
        self.a, self.b = a, b
        self.before = _pairs(a, b)
        names = display_names(b)
        self.rows: list[Row] = [
            (names[y.id], _size(x.value), _size(y.value), _size(x.grad), _size(y.grad))
            for y in b.nodes
            if y.role != "constant"
            and ((x := self.before[y.id]).value != y.value or x.grad != y.grad)
        ]

    def __str__(self) -> str:
        if not self.rows:
            return "nothing changed between the two steps"
        width = max(len(r[0]) for r in self.rows)
        lines = [f"{'':<{width}}  {'value':>9}   {'':>9}  {'gradient':>9}"]
        for name, *sizes in self.rows:
            v, w, g, h = (numbers.short(x) for x in sizes)
            back = "" if g == h == numbers.MISSING else f"  {g:>9} → {h:<9}"
            lines.append(f"{name:<{width}}  {v:>9} → {w:<9}{back}".rstrip())
        return "\n".join(lines)

    __repr__ = __str__

    def draw(self, **look: Any) -> Graph:
        """The graph after the second step; below each value, what it was."""
        options = Options(**look)
        options.check()
        return Graph(self.b, self._drawing(options).digraph)

    def _drawing(self, options: Options) -> Drawing:
        return Changes(self.b, options, self.before)


def diff(a: Root, b: Root) -> Difference:
    """What changed between two steps of a recording, or between two losses of the same computation.

    Raises GraphError where the graphs are not alike or were too large to be kept.
    """
    frame = caller()
    traces = []
    for x in (a, b):
        if isinstance(x, TrainingStep):
            if x.trace is None:
                what = f"the graph of step {x.number} was not kept"
                fix = (
                    f"graphs of up to {WHOLE} nodes are, of the first {TRACES} steps: "
                    "record fewer, or a smaller batch"
                )
                raise errors.GraphError(errors.message(what, fix=fix))
            traces.append(x.trace)
        else:
            traces.append(x if isinstance(x, Trace) else take(x, "diff", frame))
    return Difference(*traces)


def _pairs(a: Trace, b: Trace) -> dict[int, TraceNode]:
    """The node of a for each node of b: the same operand of the same op, from the root down."""
    before: dict[int, TraceNode] = {}
    stack = [(a.nodes[a.root], b.nodes[b.root])]
    while stack:
        x, y = stack.pop()
        if (x.op, x.shape, len(x.inputs)) != (y.op, y.shape, len(y.inputs)):
            one, other = (f"{t.op or t.role} {tuple(t.shape)}" for t in (x, y))
            what = f"the two graphs differ: {one} against {other}"
            details = f"{_outline(a)} and {_outline(b)}"
            raise errors.GraphError(
                errors.message(what, details, fix="compare two steps of the same computation")
            )
        if y.id not in before:
            before[y.id] = x
            stack += [(a.nodes[i], b.nodes[j]) for i, j in zip(x.inputs, y.inputs, strict=True)]
    return before


def _outline(t: Trace) -> str:
    return numbers.count(sum(1 for n in t.nodes if n.op), "operation")


def _size(a: Value | None) -> float | None:
    if a is None:
        return None
    return a.rms if a.number is None or isinstance(a.number, complex) else a.number


class Changes(Drawing):
    """The graph with a line below each value: before → after."""

    def __init__(self, trace: Trace, options: Options, before: dict[int, TraceNode]):
        self.before = before
        super().__init__(trace, options)

    def _label(self, n: TraceNode) -> str:
        label = super()._label(n)
        old = self.before[n.id]
        rows: list[str] = []
        for word, a, b, ink in (
            ("value", old.value, n.value, self.t.ink),
            ("grad", old.grad, n.grad, self.t.gradient),
        ):
            x, y = _size(a), _size(b)
            if x is None or y is None or a == b:
                continue
            mark = "▲" if y > x else "▼" if y < x else "≈"
            text = f"{word} was {numbers.short(x)} {mark}"
            shown = labels.font(labels.escape(text), ink, 9)
            room = ' CELLPADDING="5"' if not rows else ""
            rows.append(labels.row(labels.cell(shown, "RIGHT", extra=room)))
        if not rows:
            return label
        return labels.plain(labels.row(f"<TD>{label}</TD>") + "".join(rows))
