"""A graph with remarks: yellow frames around some values, and a line of text below each.

``microtorch check`` draws with it where a pupil's numbers differ from the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..drawing import animate, labels
from ..drawing.dot import Canvas, Drawing
from ..drawing.options import Options
from ..drawing.picture import Graph
from ..drawing.plan import Unit
from ..reading.names import Given, given_names
from ..reading.take import Root, take
from ..reading.trace import Trace, TraceNode
from ..telling.words import display_names


def marked(root: Root, names: Given, remarks: Mapping[str, str]) -> Graph:
    """The graph of a Tensor or Scalar, with a remark at each value named in ``remarks``."""
    trace = take(root, "draw", None, given_names(names), gradients=True)
    trace.backward = True
    by_name = {name: i for i, name in enumerate(display_names(trace))}
    found = {by_name[name]: text for name, text in remarks.items() if name in by_name}
    graph = Graph(trace, _Marked(trace, Options(), found).digraph)
    trace.computation = None
    return graph


class _Marked(Drawing):
    def __init__(self, trace: Trace, options: Options, remarks: Mapping[int, str]):
        self.remarks = remarks
        super().__init__(trace, options)

    def _label(self, n: TraceNode) -> str:
        label = super()._label(n)
        if n.id not in self.remarks:
            return label
        text = labels.font(labels.bold(labels.escape(self.remarks[n.id], 60)), self.t.ink, 10)
        remark = labels.cell(text, "CENTER", extra=' CELLPADDING="7"')
        return labels.plain(labels.row(f"<TD>{label}</TD>") + labels.row(remark))

    def _unit(self, u: Unit, g: Canvas) -> None:
        held = not self.remarks.keys().isdisjoint(u.members)
        super()._unit(u, animate.Haloed(g, self.t.nan[0] if held else animate.CLEAR, self.t.ink))
