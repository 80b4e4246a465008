"""Trace -> DOT: nodes in creation order, clusters for modules, gradients on nodes or edges.

The text is the same in every process: ids count creations, and nothing depends on memory or on the
order of a set. Layout is Graphviz's work alone. Two views share the code. In the *separate* view,
for scalar graphs, values and ops are nodes of their own, as micrograd draws them; in the *merged*
view, for tensors, an op and its result are one node.

``graphviz`` is imported by the functions that need it, not by ``import microtorch.viz``.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Protocol

from ..reading import numbers
from ..reading.trace import Edge, Trace, TraceNode, Value
from ..telling.words import cut, printable
from . import boxes, labels, style
from .details import caption, details
from .options import Options
from .plan import Plan, Unit

if TYPE_CHECKING:
    from graphviz import Digraph

ORDERED = frozenset(
    {"sub", "div", "matmul", "pow", "fmod", "remainder", "atan2"}
)  # x - y is not y - x
INLINE = frozenset(
    {"add", "sub", "mul", "div", "pow", "maximum", "minimum"}
)  # ops that show a number operand: × 2
MAX_LR_RANKS = 14
WIDEST = 1200  # points: at 1024 pixels, text of 10 points is then still 9 pixels high


class Canvas(Protocol):
    """What boxes are put on: a Digraph, or one that changes their look."""

    def node(self, name: str, label: str, **look: str) -> None: ...


def themed(trace: Trace, options: Options) -> style.Theme:
    """The theme, with the word for what the derivatives of the trace are."""
    t = style.theme(options.theme)
    return t if trace.mode == "reverse" else dataclasses.replace(t, derivative="ε")


class Drawing:
    """One picture being made: ``digraph`` is the result."""

    def __init__(self, trace: Trace, options: Options):
        self.trace, self.options = trace, options
        self.t = themed(trace, options)
        self.plan = Plan(trace, options.depth, options.max_nodes)
        self.nodes = trace.nodes
        plain = all(u.kind == "value" for u in self.plan.units)
        scalars = plain and all(not n.shape for n in self.nodes)
        self.separate = (options.ops == "separate") if options.ops else scalars
        self.grads = options.grads or ("labels" if scalars else "values")
        self.into: dict[int, list[Edge]] = {}
        for e in trace.edges:
            self.into.setdefault(e.target, []).append(e)
        self.uses: dict[int, int] = {}
        for e in trace.edges:
            self.uses[e.source] = self.uses.get(e.source, 0) + 1
        self.inlined = self._inlined()
        self.frames = self._frames()
        self.rankdir = options.rankdir or self._direction()
        self.beside = self._beside()
        self.digraph = self._open()
        self._draw_nodes()
        self._draw_edges()

    def _inlined(self) -> dict[int, str]:
        """Ops that write a number into their symbol: ``**2`` everywhere, ``× 0.5`` if merged."""
        out: dict[int, str] = {}
        for n in self.nodes:
            if n.op not in INLINE or len(n.inputs) != 2:
                continue
            constant = [self.nodes[i].role == "constant" for i in n.inputs]
            if sum(constant) != 1 or (self.separate and not (n.op == "pow" and constant[1])):
                continue
            value = self.nodes[n.inputs[constant.index(True)]].number
            if value is None:
                continue
            text = numbers.literal(value)
            if n.op == "pow":
                out[n.id] = f"**{text}" if constant[1] else f"{text}**"
            else:
                out[n.id] = f"{n.symbol} {text}" if constant[1] else f"{text} {n.symbol}"
        return out

    def _direction(self) -> str:
        """Left to right, as slides are, while the text can be read there; else top to bottom.

        Several processes stand side by side, so each goes from top to bottom.
        """
        if self.trace.roots:
            return "TB"
        columns = self._columns()
        return "LR" if len(columns) <= MAX_LR_RANKS and sum(columns) <= WIDEST else "TB"

    def _beside(self) -> dict[int, bool]:
        """Leaves that stand beside the one op that reads them, in its frame: before or after it.

        Above the op they would push it away from the op before, each frame further than the last.
        """
        beside: dict[int, bool] = {}
        unit = self.plan.unit
        for n in self.nodes if self.grads in ("values", "none") else ():
            around = self._clusters(unit[n.id]) if n.op and n.id in unit else []
            own = [
                i
                for i in n.inputs
                if around
                and not self.nodes[i].op
                and self.uses[i] == 1
                and i in unit
                and self._clusters(unit[i]) == around
                and unit[i].kind == unit[n.id].kind == "value"
            ]
            turned = self.rankdir in ("LR", "RL")  # dot turns a row around
            beside.update((i, (2 * k < len(own)) != turned) for k, i in enumerate(own))
        return beside

    def _columns(self) -> list[int]:
        """The widths of the columns of a left-to-right picture, about, in points, with the gaps."""
        rank = self.plan.ranks()
        widest: dict[int, int] = {}
        for u in self.plan.units:
            n = self.nodes[u.newest]
            if u.kind == "value" and self.separate:
                name = len(n.name or n.expression)
                width = max(88, 8 * name) + (53 + 8 * len(n.symbol) if n.op else 0)
                width += 68 if self.grads == "labels" and self.trace.backward else 0
            elif u.kind == "value":
                cells = (
                    7 * len(n.value.cells[0])
                    if not n.op and n.value is not None and n.value.cells
                    else 0
                )
                width = max(62 + cells + 30 * (cells > 0), 8 * len(n.name + n.symbol) + 48, 98) + 44
            else:
                width = 285 if u.kind == "fold" else 185
            lines = details(self.trace, u, self.options)
            width = max([width, *(6 * len(left + right) + 72 for left, right in lines)])
            widest[rank[u.id]] = max(widest.get(rank[u.id], 0), width)
        return [widest[r] for r in sorted(widest)]

    def _open(self) -> Digraph:
        import graphviz

        o, t = self.options, self.t
        g = graphviz.Digraph(o.name)
        g.attr(
            "graph",
            rankdir=self.rankdir,
            nodesep="0.22" if self.rankdir == "LR" else "0.3",
            ranksep="0.36",
            pad="0.12",
            bgcolor=o.bg or t.background,
            fontname=style.FONT,
            fontcolor=t.ink,
        )
        g.attr("node", fontname=style.FONT, fontsize="12", fontcolor=t.ink, shape="plain")
        g.attr(
            "edge",
            fontname=style.FONT,
            fontsize="10",
            fontcolor=t.gradient,
            color=t.edge,
            penwidth="1.2",
            arrowsize="0.6",
        )
        below = [labels.sentence(s, t) for s in caption(self.trace) if o.show_saved]
        if o.legend:
            roles = [r for r in style.ROLES if any(n.role == r for n in self.nodes)]
            heat = any(n.shape for n in self.nodes)
            below.append(labels.row(labels.cell(labels.legend(roles, heat, t))))
        if below:
            g.attr(label=f"<{labels.plain(''.join(below))}>", labelloc="b", labeljust="l")
        return g

    # ---- nodes -----------------------------------------------------------------------------------
    def _draw_nodes(self) -> None:
        """Units inside the clusters of their module calls, in creation order.

        Each leaf stands just before its first use. dot starts its search from the order of the
        text, so operands tend to stay in the order of the code.
        """
        tree = _Cluster(None)
        for u in self._reading_order():
            tree.at(self._clusters(u)).units.append(u)
        self._emit(tree, self.digraph)

    def _reading_order(self) -> list[Unit]:
        done: dict[str, Unit] = {}
        for u in self.plan.units:
            if u.kind == "value" and not self.nodes[u.newest].inputs:
                continue
            for i in u.members:
                for j in self.nodes[i].inputs:
                    leaf = self.plan.unit.get(j)
                    if leaf is not None and leaf is not u:
                        done.setdefault(leaf.id, leaf)
            done[u.id] = u
        return list(done.values())

    def _emit(self, cluster: _Cluster, g: Digraph) -> None:
        import graphviz

        several = min(cluster.inner, default=0) < 0
        for u in () if several else cluster.units:
            self._unit(u, g)
        for call, inner in cluster.inner.items():
            name = f"cluster_{call}" if call >= 0 else f"cluster_rank{-1 - call}"
            with g.subgraph(name=name) as sub:
                title = self._title(call)
                fill, line = self.t.module
                sub.attr(
                    label=graphviz.escape(_clean(title)), labelloc="t", labeljust="l",
                    fontsize="11", penwidth="1", style="rounded,filled", margin="9",
                    fontcolor=self.t.secondary, fillcolor=fill, color=line,
                )  # fmt: skip
                self._emit(inner, sub)
        for u in cluster.units if several else ():  # after them, so that rank 0 stands left
            self._unit(u, g)
        for u in cluster.units:
            if any(i in self.beside for i in self.nodes[u.newest].inputs):
                self._row(self.nodes[u.newest], g)

    def _title(self, call: int) -> str:
        if call < 0:
            return f"rank {-1 - call}"
        m = self.trace.modules[call]
        return f"{m.path}  {m.text}" if m.parent is not None or m.path != m.type else m.text

    def _clusters(self, u: Unit) -> list[int]:
        """The module calls drawn as frames around a unit, outermost first.

        Around them stands the process where there are several: rank r as -1 - r.
        """
        calls = [m for m in self._around(u) if m in self.frames]
        rank = self.nodes[u.newest].rank
        return calls if rank is None else [-1 - rank, *calls]

    def _around(self, u: Unit) -> list[int]:
        if u.kind in ("fold", "loop"):
            return []
        inside = self.nodes[u.newest].module
        return self.trace.chain(inside if u.call is None else self.trace.modules[u.call].parent)

    def _frames(self) -> set[int]:
        """The calls that get a frame: not around a single op, nor around everything."""
        held: dict[int, int] = {}
        inner = {c.parent for c in self.trace.modules if c.parent is not None}
        for u in self.plan.units:
            for c in self._around(u):
                held[c] = held.get(c, 0) + 1
        whole = {c for c in held if self.trace.modules[c].parent is None and c in inner}
        return {c for c, units in held.items() if units > 1} - whole

    def _unit(self, u: Unit, g: Canvas) -> None:
        if u.kind == "value":
            self._value(self.nodes[u.newest], g)
            return
        label, tooltip = boxes.box(self.trace, u, self.t, details(self.trace, u, self.options))
        g.node(u.id, label=f"<{label}>", tooltip=_quote(tooltip))

    def _value(self, n: TraceNode, g: Canvas) -> None:
        t = self.t
        g.node(
            f"v{n.id}",
            label=f"<{self._label(n)}>",
            tooltip=_quote(self._tooltip(n)),
            **({} if self.separate else self._order(n)),
        )
        if not (self.separate and n.op):
            return
        symbol = self.inlined.get(n.id, n.symbol)
        look = {
            "fillcolor": t.op[0],
            "color": t.op[1],
            "penwidth": "1.2",
            "tooltip": _quote(self._tooltip(n)),
        }
        look.update(self._order(n))
        if len(symbol) <= 2:
            size = "17" if len(symbol) == 1 else "13"
            look |= {"shape": "circle", "fixedsize": "true", "width": "0.38", "fontsize": size}
            g.node(f"o{n.id}", label=_quote(symbol), style="filled", **look)
        else:
            look |= {"shape": "box", "height": "0.3", "margin": "0.09,0.03"}
            g.node(f"o{n.id}", label=_quote(_clean(symbol)), style="rounded,filled", **look)

    def _row(self, n: TraceNode, g: Digraph) -> None:
        """An op and the leaves beside it, at one height."""
        leaves = [i for i in n.inputs if i in self.beside]
        with g.subgraph() as row:
            row.attr(rank="same")
            for i in leaves:
                row.node(f"v{i}")
            row.node(self._head(n))

    def _head(self, n: TraceNode) -> str:
        """Where the arrows of a node's operands end."""
        return f"o{n.id}" if self.separate and n.op else self.plan.unit[n.id].id

    def _label(self, n: TraceNode) -> str:
        t, o = self.t, self.options
        if n.role == "average":
            return labels.average(n, t, o.show_shapes)
        more = details(self.trace, self.plan.unit[n.id], o)
        if self.separate:
            return (
                labels.tensor_value(n, t, o.show_shapes, o.thumbnails, more=more)
                if n.shape
                else labels.scalar_value(n, t, more)
            )
        module = ""
        if n.op and n.module is not None and n.module not in self.frames:
            m = self.trace.modules[n.module]
            if sum(x.module == n.module and x.op != "" for x in self.nodes) == 1:
                module = f"{m.path}  {m.text}" if m.parent is not None else m.text
        return labels.tensor_value(
            n, t, o.show_shapes, o.thumbnails, self.inlined.get(n.id, ""), module, more
        )

    def _order(self, n: TraceNode) -> dict[str, str]:
        """Keep the operands in the order of the code, where no other use of them pulls elsewhere.

        ``ordering`` counts the arrows of grads="edges" as well, and would ruin their layout.
        """
        single = len(n.inputs) > 1 and all(self.uses[i] == 1 for i in n.inputs)
        turned = bool(self.frames) and self.rankdir in ("LR", "RL")  # dot turns the order around
        free = turned or any(i in self.beside for i in n.inputs)
        return {"ordering": "in"} if single and not free and self.grads != "edges" else {}

    def _tooltip(self, n: TraceNode) -> str:
        what = n.name or n.expression or n.op or n.role
        parts = [f"{what} ({n.role})" if not n.op else f"{what} = {n.op}"]
        if n.site is not None:
            parts.append(f"{os.path.basename(n.site.file)}, line {n.site.line}")
        if n.value is not None and n.value.pooled:
            parts.append("each cell is the average of several elements")
        return "; ".join(parts)

    # ---- edges -----------------------------------------------------------------------------------
    def _draw_edges(self) -> None:
        seen: set[tuple[str, str]] = set()
        unit = self.plan.unit
        for n in self.nodes:
            if n.id not in unit:
                continue
            target = unit[n.id]
            if self.separate and n.op:
                self._edge(f"o{n.id}", f"v{n.id}", None, weight="3")
            for e in self.into.get(n.id, ()):
                if e.source not in unit:  # a number
                    if target.kind == "value" and n.id not in self.inlined:
                        self._number(e, n)
                    continue
                origin = unit[e.source]
                if origin is target:
                    continue
                key = (origin.id, target.id)
                if origin.kind != "value" or target.kind != "value":
                    if key not in seen:
                        seen.add(key)
                        self._boxes_edge(origin, target, e)
                    continue
                self._edge(origin.id, self._head(n), e, **self._place(e, n))

    def _number(self, e: Edge, n: TraceNode) -> None:
        """A Python number: plain text attached to its edge, one for each use."""
        value = self.nodes[e.source].number
        name = f"c{n.id}_{e.position}"
        text = "number" if value is None else numbers.literal(value)
        look = {"height": "0.2", "width": "0.15", "margin": "0.03", "fontcolor": self.t.secondary}
        self.digraph.node(name, label=_quote(text), shape="plaintext", **look)
        self.digraph.edge(name, self._head(n), **self._place(e, n))

    def _place(self, e: Edge, n: TraceNode) -> dict[str, str]:
        """Operand numbers, where the order matters and the layout may not keep it."""
        if (
            n.op in ORDERED
            and len(n.inputs) == 2
            and n.id not in self.inlined
            and not self._order(n)
        ):
            look = {
                "labelfontsize": "8",
                "labelfontcolor": self.t.secondary,
                "labeldistance": "1.1",
            }
            return {"headlabel": str(e.position + 1), **look}
        return {}

    def _boxes_edge(self, origin: Unit, target: Unit, e: Edge) -> None:
        n = self.nodes[e.source]
        look = {"fontcolor": self.t.secondary}
        if self.nodes[e.target].role == "average":
            look["color"] = self.t.gradient
        if self.options.show_shapes and n.op and n.shape:
            look["label"] = _quote(" " + numbers.shape(n.shape) + " ")
        if n.op:
            look["weight"] = "20"
        self.digraph.edge(origin.id, target.id, **look)

    def _edge(self, tail: str, head: str, e: Edge | None, **look: str) -> None:
        """A forward edge, with what came back along it in the style asked for."""
        t = self.t
        source = None if e is None else self.nodes[e.source]
        if e is not None and self.nodes[e.target].role == "average":
            look.update(color=t.gradient)
        if e is not None and not e.flows and source is not None and source.op and not source.needs:
            look.update(
                color=t.roles["constant"][1], arrowhead="tee"
            )  # computed, but no gradient comes back
        if e is not None and source is not None and source.op and not self.separate:
            look["weight"] = "20"
        back = e is not None and e.flows and self.trace.backward
        if e is not None and back and self.grads == "labels":
            text, zero = _contribution(e.contribution)
            if text:
                look["label"] = f" ◂ {text} "
                if zero:
                    look["fontcolor"] = t.zero_edge
        if e is not None and self.beside.get(e.source) is False:
            tail, head, look = head, tail, {**look, "dir": "back"}  # dot orders a row by its edges
        self.digraph.edge(tail, head, **look)
        if self.grads == "edges" and self.trace.backward:
            # as an arrow from head to tail it would be laid around the nodes between them
            if e is None:
                if self.nodes[int(head[1:])].needs:
                    self.digraph.edge(tail, head, dir="back", style="dashed", color=t.gradient)
            elif back:
                text, zero = _contribution(e.contribution)
                colour = t.zero_edge if zero else t.gradient
                look = {
                    "style": "dotted" if zero else "dashed",
                    "color": colour,
                    "fontcolor": colour,
                }
                look |= {"label": text} if text else {}
                self.digraph.edge(tail, head, dir="back", **look)


class _Cluster:
    """A tree of module calls and the units drawn directly in each."""

    def __init__(self, call: int | None):
        self.call = call
        self.units: list[Unit] = []
        self.inner: dict[int, _Cluster] = {}

    def at(self, chain: list[int]) -> _Cluster:
        here = self
        for call in chain:
            here = here.inner.setdefault(call, _Cluster(call))
        return here


def _contribution(a: Value | None) -> tuple[str, bool]:
    """The text of a contribution, and whether it is exactly zero."""
    if a is None:
        return "", False
    v = a.number if a.number is not None else a.rms
    v = v if isinstance(v, complex) else float(v)
    return (numbers.number(v) if a.number is not None else numbers.rms(a.rms)), v == 0


def _clean(s: str, longest: int = 60) -> str:
    return cut(printable(s), longest)


def _quote(s: str) -> str:
    """A user's string as an attribute: no HTML label, no escape sequences."""
    import graphviz

    return str(graphviz.escape(_clean(s, 200)))
