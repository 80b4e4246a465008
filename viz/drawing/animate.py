"""The frames of a film: each step as a picture, drawn by the code and in the look of ``draw``.

**Nothing moves that did not change.** Every frame has the same boxes of the same sizes, so that
Graphviz, which is deterministic, lays all of them out alike. Numbers stand in cells of fixed size;
what is not yet known is there, but faint. Labels on edges have their room from the first frame on.
The outline of the current node is there in all frames, and transparent in most.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

from microtorch.base import errors

from ..reading import numbers
from ..reading.trace import (
    Contribution,
    Edge,
    GraphTooLarge,
    Push,
    Step,
    Trace,
    TraceNode,
    Value,
)
from ..telling.words import cut
from . import labels, style
from .dot import Canvas, Drawing, themed
from .options import Options
from .plan import Unit
from .style import Theme

MOST = 250  # frames
CLEAR = "transparent"
FAINT = 0.72  # how far what is not computed yet fades into the background


@dataclass
class Moment:
    """What is known at one step: values, gradients so far, contributions so far by edge."""

    values: set[int]
    held: dict[int, Value | None]
    sent: dict[int, Value | None]
    now: Step
    number: int
    of: int


def moments(trace: Trace) -> Iterator[Moment]:
    """The state at each step of a trace."""
    values: set[int] = {t.id for t in trace.nodes if t.role == "constant"}
    held: dict[int, Value | None] = {}
    sent: dict[int, Value | None] = {}
    edges = {(e.target, e.position): k for k, e in enumerate(trace.edges)}
    for k, s in enumerate(trace.steps):
        if isinstance(s, Contribution):
            new = s.new
            held[s.node] = s.total if new is None else Value(new, abs(new), cells=[[new]])
            sent[s.edge] = trace.edges[s.edge].contribution
            if s.kind == "reduce":  # nothing comes before it
                values.add(s.node)
        elif isinstance(s, Push):
            values.add(s.node)
            held[s.node] = trace.nodes[s.node].grad
            sent |= {edges[s.node, p]: part for p, part in s.terms.items()}
        elif s.left is not None:
            held[s.node] = s.left
        elif s.kind == "seed":
            held[s.node] = trace.nodes[s.node].grad
        else:
            values.add(s.node)
        yield Moment(set(values), dict(held), dict(sent), s, k + 1, len(trace.steps))


class Still(Drawing):
    """The picture of one moment."""

    def __init__(self, trace: Trace, options: Options, moment: Moment):
        self.moment = moment
        self.faint = faint(themed(trace, options))
        known = [t.number for t in trace.nodes]
        known += [s.new for s in trace.steps if isinstance(s, Contribution)]
        known += [s.contribution for s in trace.steps if isinstance(s, Push)]
        texts = [numbers.number(v) for v in known if v is not None]
        self.room = 7 * max(map(len, texts), default=1) + 4
        self.places = {(e.target, e.position): k for k, e in enumerate(trace.edges)}
        shown = copy.copy(trace)
        shown.backward = True
        shown.nodes = [self._so_far(t) for t in trace.nodes]
        super().__init__(shown, options)
        self._caption()

    def _so_far(self, t: TraceNode) -> TraceNode:
        """The node as it is now: its gradient so far, or the room for it."""
        if not t.needs:
            return t
        g = self.moment.held.get(t.id)
        if g is not None:
            if g.number is not None and not isinstance(g.number, complex) and t.shape:
                g = replace(g, cells=[[g.number]])
            return replace(t, grad=g, grad_state="known")
        blank = (
            None
            if t.grad is None
            else replace(t.grad, cells=[[None] * len(r) for r in t.grad.cells])
        )
        return replace(t, grad=blank, grad_state="missing")

    # ---- nodes -----------------------------------------------------------------------------------
    def _unit(self, u: Unit, g: Canvas) -> None:
        ops = [i for i in u.members if self.nodes[i].op] or u.members
        seen = any(i in self.moment.values for i in ops)
        now = self.moment.now
        current = now.node in u.members and (u.kind == "value" or now.phase == "forward")
        colour = CLEAR
        if current:
            colour = self.t.gradient if now.phase == "backward" else self.t.ink
        with self._look(seen):
            super()._unit(u, Haloed(g, colour, self.t.ink if seen else self.faint.secondary))

    def _label(self, n: TraceNode) -> str:
        if n.shape or not self.separate:
            return super()._label(n)
        t = self.t
        room = f' FIXEDSIZE="TRUE" WIDTH="{self.room}" HEIGHT="20"'
        rows = []
        name = n.name or n.expression
        if name:
            rows += [
                labels.row(f'<TD COLSPAN="2">{labels.bold(labels.escape(name, 24))}</TD>'),
                "<HR/>",
            ]
        seen = n.id in self.moment.values
        data = numbers.number(n.value.number) if n.value is not None else "freed"
        rows.append(
            labels.row(
                labels.label("data", t),
                labels.cell(
                    labels.font(data if seen else "?", t.ink if seen else t.secondary),
                    "RIGHT",
                    extra=room,
                ),
            )
        )
        if n.needs:
            grad = (
                numbers.number(n.grad.number)
                if n.grad_state == "known" and n.grad is not None
                else numbers.MISSING
            )
            text = labels.font(
                labels.bold(grad) if self.moment.now.node == n.id else grad, t.gradient
            )
            rows.append(
                labels.row(
                    labels.label(t.derivative, t, True), labels.cell(text, "RIGHT", extra=room)
                )
            )
        return labels.framed(rows, n.role, t)

    @contextmanager
    def _look(self, seen: bool) -> Iterator[None]:
        before = self.t
        if not seen:
            self.t = self.faint
        yield
        self.t = before

    # ---- edges -----------------------------------------------------------------------------------
    def _active(self, source: str, target: str) -> bool:
        """Does the current contribution run along this edge of the picture?"""
        now = self.moment.now
        if isinstance(now, Push):
            to = self.plan.unit.get(now.node)
            ways = [self.plan.unit.get(self.nodes[now.node].inputs[p]) for p in now.terms]
            op = f"o{now.node}"
            ends = {op} | ({to.id} if to is not None else set())
            froms = {u.id for u in ways if u is not None}
            return (source in froms and target in ends) or (source == op and target in ends)
        if not isinstance(now, Contribution):
            return False
        a, b = self.plan.unit.get(now.node), self.plan.unit.get(now.sender)
        if a is None or b is None:
            return False
        op, result = f"o{now.sender}", f"v{now.sender}"
        return (source, target) in ((a.id, b.id), (a.id, op), (op, result))

    def _edge_look(self, tail: str, head: str, target: int) -> dict[str, str]:
        if self._active(tail, head):
            look = {"color": self.t.gradient, "penwidth": "2.6", "style": "dashed"}
            onward = self.moment.now.kind in ("reduce", "push")
            return look if onward else look | {"dir": "back"}
        if target not in self.moment.values:
            return {"color": self.faint.edge}
        return {"color": self.t.gradient} if self.nodes[target].role == "average" else {}

    def _edge(self, tail: str, head: str, e: Edge | None, **look: str) -> None:
        t = self.t
        target = int(head[1:]) if e is None else e.target
        source = None if e is None else self.nodes[e.source]
        if e is not None and source is not None and source.op:
            if not e.flows and not source.needs:
                look["arrowhead"] = "tee"
            if not self.separate:
                look["weight"] = "20"
        look.update(self._edge_look(tail, head, target))
        if e is not None and e.flows and self.grads == "labels":
            a = self.moment.sent.get(self.places[e.target, e.position])
            sign = "▸" if self.trace.mode == "forward" else "◂"
            text = "" if a is None or a.number is None else f"{sign} {numbers.number(a.number)}"
            zero = a is not None and a.number == 0
            words = labels.font(text, t.zero_edge if zero else t.gradient, 10)
            size = f'FIXEDSIZE="TRUE" WIDTH="{self.room + 10}" HEIGHT="14"'
            look["label"] = f"<{labels.plain(labels.row(f'<TD {size}>{words}</TD>'))}>"
        self.digraph.edge(tail, head, **look)

    def _boxes_edge(self, origin: Unit, target: Unit, e: Edge) -> None:
        n = self.nodes[e.source]
        look = {"fontcolor": self.t.secondary, **self._edge_look(origin.id, target.id, e.target)}
        if self.options.show_shapes and n.op and n.shape:
            look["label"] = f" {numbers.shape(n.shape)} "
        if n.op:
            look["weight"] = "20"
        self.digraph.edge(origin.id, target.id, **look)

    def _number(self, e: Edge, n: TraceNode) -> None:
        with self._look(n.id in self.moment.values):
            super()._number(e, n)

    # ---- words below the picture -----------------------------------------------------------------
    def _caption(self) -> None:
        width = (
            max(7.2 * len(line) for s in self.trace.steps for line in caption(self.trace, s)) + 12
        )
        m, t = self.moment, self.t
        back = m.now.phase == "backward"
        phase = "forward mode" if self.trace.mode == "forward" else m.now.phase
        first, *rest = caption(self.trace, m.now)
        head = labels.font(labels.bold(phase.upper()), t.gradient if back else t.ink, 12)
        head += labels.font(f"  step {m.number} of {m.of}  ", t.secondary, 11) + _mono(first, t.ink)
        lines = [
            head,
            *(
                labels.font(labels.escape(line, 160), t.gradient if back else t.ink, 13)
                for line in rest
            ),
        ]
        size = f'FIXEDSIZE="TRUE" WIDTH="{width + 190:.0f}" HEIGHT="22"'
        rows = "".join(f'<TR><TD ALIGN="LEFT" {size}>{line}</TD></TR>' for line in lines)
        self.digraph.attr(
            "graph", labelloc="b", labeljust="l",
            label=f"<{labels.plain(rows)}>",
        )  # fmt: skip


class Haloed:
    """A canvas whose nodes get a colour of text and an outline, transparent in most frames."""

    def __init__(self, digraph: Canvas, colour: str, ink: str):
        self.digraph, self.colour, self.ink = digraph, colour, ink

    def node(self, name: str, label: str, **look: str) -> None:
        if label.startswith("<<TABLE"):
            label = (
                f'<<TABLE BORDER="3" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1" '
                f'COLOR="{self.colour}" STYLE="ROUNDED"><TR><TD>{label[1:-1]}</TD></TR></TABLE>>'
            )
        self.digraph.node(name, label=label, fontcolor=self.ink, **look)


def caption(trace: Trace, s: Step) -> list[str]:
    """Three lines: the user's line; the rule; the numbers."""
    code = cut(trace.line(trace.nodes[s.origin].site), 60)
    if isinstance(s, Contribution):
        in_numbers = f"{s.numbers}   " if s.numbers and s.contribution is not None else ""
        return [code, cut(f"{s.rule}   {in_numbers}", 110), cut(s.sum, 60) if s.sum else " "]
    if isinstance(s, Push):
        t = trace.nodes[s.node]
        value = "" if t.number is None else f"{s.name} = {numbers.number(t.number)}     "
        return [code, cut(f"{s.rule}   {s.numbers}", 110), cut(value + s.sum, 110)]
    if s.kind == "seed":
        return [code, s.text, "backward starts where forward ended"]
    if s.kind == "left":
        return [code, s.text, "zero_grad() would have emptied it"]
    t = trace.nodes[s.node]
    result = numbers.shape(t.shape) if t.number is None else numbers.number(t.number)
    return [code, cut(f"{s.name}{' =' if t.op else ':'} {s.text}", 110), f"= {result}"]


def _mono(s: str, colour: str) -> str:
    look = f'FACE="Courier,monospace" COLOR="{colour}" POINT-SIZE="12"'
    return f"<FONT {look}>{labels.escape(s, 80)}</FONT>" if s else ""


def faint(t: Theme) -> Theme:
    """The theme, faded into its background."""

    def fade(c: Any) -> Any:
        if isinstance(c, str):
            return style.mix(c, t.background, FAINT) if c.startswith("#") else c
        if isinstance(c, dict):
            return {k: fade(v) for k, v in c.items()}
        return tuple(fade(v) for v in c)

    return replace(t, **{f.name: fade(getattr(t, f.name)) for f in fields(t) if f.name != "name"})


def stills(
    trace: Trace, theme: str = "light", rankdir: str | None = None, depth: int | None = None
) -> list[Still]:
    """One drawing per step.

    Raises GraphTooLarge above MOST steps, ValueError for an unknown theme or rankdir.
    """
    options = Options(rankdir, depth, theme=theme)
    options.check()
    if len(trace.steps) > MOST:
        many = f"a film of {len(trace.steps):,} steps would take too long to watch"
        what = f"{many}; up to {MOST} are drawn"
        fix = (
            "step(...) of one sample instead of the batch, or save as .html or .txt, "
            "where one can skip"
        )
        raise GraphTooLarge(errors.message(what, fix=fix))
    return [Still(trace, options, m) for m in moments(trace)]
