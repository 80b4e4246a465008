"""Training through time: what every ``backward()`` inside a block found, and how two steps differ.

    with viz.record() as rec:
        train()                       # any code; each backward() is a step
    print(rec)                        # loss, gradient of each layer, gradient and update of each parameter
    rec.save("flow.svg")              # heat: one row per layer and per parameter, one column per step
    viz.diff(rec[0], rec[-1])         # one graph, old → new

Per parameter and step three numbers are kept: the root mean squares of its gradient, of its value, and of what the
optimizer then changed. A layer is the parameters of one module: its gradient is the root mean square over all their
elements, so that a large weight counts for more than its bias. Small graphs are kept whole (a Trace), which is what ``diff`` draws.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from microtorch import autograd, errors, nn
from microtorch.backends import host
from microtorch.graph import in_order, user_frame
from microtorch.tensor import Tensor

from ..drawing import labels, render, style
from ..drawing.dot import Drawing, Options
from ..drawing.picture import Graph
from ..reading.names import Names, node_of
from ..reading.trace import Array, Trace, TraceNode
from ..telling.steps import display_names

WHOLE = 150  # nodes of a graph that is kept whole
TRACES = 200  # steps of which the graph is kept
COLUMNS = 60  # of the picture; more steps than that are averaged
BARS = "▁▂▃▄▅▆▇█"


@dataclass
class Step:
    """One backward: ``loss``, and per parameter the RMS of ``gradients``, ``values`` and, once known, ``updates``."""

    number: int
    loss: float
    gradients: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    updates: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # elements of each parameter
    trace: Trace | None = None

    def __repr__(self) -> str:
        return f"<step {self.number}: loss {style.short(self.loss)}, {style.count(len(self.gradients), 'parameter')}>"


class Recording:
    """The steps, in order: ``rec[0]``, ``len(rec)``, ``for step in rec``. A context manager."""

    def __init__(self, frame: Any, params: Any = None, epoch: int | None = None):
        self.steps: list[Step] = []
        self.names: list[str] = []
        self.layers: dict[str, list[str]] = {}  # path of a module -> names of its parameters; of others, their own name
        self.epoch = epoch
        self._frame, self._params = frame, params
        self._layer: dict[str, str] = {}
        self._called: dict[Any, str] = {}
        self._before: dict[str, tuple[Any, Any]] = {}  # name -> (parameter's node, its value at backward)
        self._original: Any = None

    def __enter__(self) -> Recording:
        if self._original is not None:
            raise RuntimeError("this recording is already running")
        self._original = original = autograd.backward

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            original(tensors, *args, **kwargs)
            self._step(tensors[0] if isinstance(tensors, (tuple, list)) else tensors)

        autograd.backward = backward  # type: ignore[assignment]
        return self

    def __exit__(self, *exc: object) -> None:
        autograd.backward = self._original
        self._original = None
        self._finish()

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, k: Any) -> Any:
        return self.steps[k]

    # ---- while it runs ---------------------------------------------------------------------------------------------
    def _step(self, loss: Any) -> None:
        """Take down one backward, which has just run."""
        self._finish()
        nodes = in_order([node_of(loss)], constants=True)  # type: ignore[list-item]
        leaves = [n for n in nodes if n.op is None and n.needs]
        if any(n not in self._called for n in leaves):
            self._name(nodes, user_frame(sys._getframe(2)))
        value = loss.array if isinstance(loss, Tensor) else loss.data
        step = Step(len(self.steps), float(np.mean(value)))
        for n in leaves:
            name = self._called[n]
            g = n.grad
            step.gradients[name] = _rms(0.0 if g is None else g.array if isinstance(g, Tensor) else g)
            step.values[name] = _rms(n.value)
            step.sizes[name] = int(np.size(n.value))
            self._before[name] = n, np.array(host(n.value), copy=True)
            if name not in self.names:
                self.names.append(name)
                self.layers.setdefault(self._layer.get(name, name), []).append(name)
        if len(self.steps) < TRACES and len(nodes) <= WHOLE:
            step.trace = Trace.skeleton(loss, "record").fill(self._frame, self._params)
        self.steps.append(step)

    def _finish(self) -> None:
        """What has changed since the last backward is the optimizer's doing."""
        if self.steps:
            self.steps[-1].updates = {k: _rms(np.asarray(host(n.value)) - old) for k, (n, old) in self._before.items()}
        self._before = {}

    def _name(self, nodes: list[Any], frame: Any) -> None:
        frames = [self._frame] if frame is self._frame else [frame, self._frame]
        found: dict[int, str] = {}
        for f in frames:
            names = Names(nodes, f, self._params)
            for i, n in enumerate(nodes):
                if n.op is None and n.needs:
                    owner = names.parameters.get(i)
                    name = names.name(i) if owner is None else ".".join(p for p in owner if p)
                    if name:
                        found.setdefault(i, name)
                        given = owner is None and isinstance(self._params, dict) and name in self._params
                        path = name.rpartition(".")[0] if given else owner[0] if owner is not None else ""
                        self._layer.setdefault(name, path or name)
        taken = set(self._called.values())
        for i, n in enumerate(nodes):
            if n.op is None and n.needs and n not in self._called:
                name = found.get(i) or f"parameter {len(taken) + 1}"
                self._called[n] = name  # a new tensor under an old name is the old one's next value
                taken.add(name)

    # ---- what it shows ---------------------------------------------------------------------------------------------
    @property
    def losses(self) -> list[float]:
        return [s.loss for s in self.steps]

    def gradients(self, name: str) -> list[float | None]:
        """The RMS of one parameter's gradient, step by step; None where it took no part."""
        return [s.gradients.get(name) for s in self.steps]

    def layer(self, path: str) -> list[float | None]:
        """The RMS of the gradient over all elements of one layer (a key of ``layers``), step by step."""
        rows = []
        for s in self.steps:
            parts = [(s.sizes[name], s.gradients[name]) for name in self.layers[path] if name in s.gradients]
            elements = sum(size for size, _ in parts)
            squares = sum(size * g * g for size, g in parts)
            rows.append(float(np.sqrt(squares / elements)) if elements else 0.0 if parts else None)
        return rows

    def _layers(self) -> list[str]:
        """The layers to show: all, unless each is a parameter, which is shown anyway."""
        return list(self.layers) if any(len(names) > 1 for names in self.layers.values()) else []

    def __str__(self) -> str:
        if not self.steps:
            return "nothing was recorded: no backward() ran inside the block"
        unit, layers = self.epoch or 1, self._layers()
        width = max(len(n) for n in (*self.names, *layers, "parameter", "loss"))
        size = style.count(len(self), "step")
        if self.epoch:
            size += f", {style.count(-(-len(self) // unit), 'epoch')}"
        lines = [size, f"{'':<{width}}  {'first':>9}  {'last':>9}  {'update':>9}"]
        first, last = (style.short(self.losses[k]) for k in (0, -1))
        lines.append(f"{'loss':<{width}}  {first:>9}  {last:>9}  {'':9}  {_bars(self.losses, unit=unit)}")
        if layers:
            lines.append("layer")
        for path in layers:
            row = self.layer(path)
            seen = [v for v in row if v is not None]
            first, last = (style.short(seen[k]) for k in (0, -1))
            lines.append(f"{path:<{width}}  {first:>9}  {last:>9}  {'':9}  {_bars(row, logarithmic=True, unit=unit)}")
        if layers:
            lines.append("parameter")
        for name in self.names:
            row = self.gradients(name)
            seen = [v for v in row if v is not None]
            update = next((s.updates[name] for s in reversed(self.steps) if name in s.updates), None)
            cells = [style.short(v) for v in (seen[0], seen[-1], update)]
            bars = _bars(row, logarithmic=True, unit=unit)
            lines.append(f"{name:<{width}}  {cells[0]:>9}  {cells[1]:>9}  {cells[2]:>9}  {bars}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        last = f", loss {style.short(self.losses[0])} → {style.short(self.losses[-1])}" if self.steps else ""
        return f"<Recording of {style.count(len(self), 'step')}{last}; print(it), .save('flow.svg')>"

    def to_json(self) -> str:
        """All numbers as JSON text."""
        keys = ("number", "loss", "gradients", "values", "updates")
        rows = [{k: getattr(s, k) for k in keys} for s in self.steps]
        return json.dumps({"names": self.names, "layers": self.layers, "steps": rows}, ensure_ascii=False)

    def digraph(self, theme: str = "light") -> Any:
        """The gradient flow as a table of heat: layers, then parameters, down; steps (or epochs) across; the loss above."""
        import graphviz

        t = style.theme(theme)
        if not self.steps:
            raise errors.GraphError(errors.message("nothing was recorded: no backward() ran inside the block"))
        groups, word = _groups(len(self), self.epoch or 1), "epoch" if self.epoch else "step"
        title = labels.font(labels.bold(f"|grad| per {word}"), t.gradient, 12)
        rows = [labels.row(labels.cell(title, span=2)), _losses(self, groups, t)]
        layers = self._layers()
        if layers:
            rows.append(labels.row(labels.cell(labels.font("layer", t.secondary, 9))))
            rows += [_strip(path, self.layer(path), groups, t) for path in layers]
            rows.append(labels.row(labels.cell(labels.font("parameter", t.secondary, 9))))
        rows += [_strip(name, self.gradients(name), groups, t) for name in self.names]
        newest = (len(self) - 1) // (self.epoch or 1)
        ends = labels.row(
            labels.cell(labels.font(word, t.secondary, 9)),
            labels.cell(labels.font(f"0 … {newest}" if newest else "0", t.secondary, 9)),
        )
        legend = "".join(
            f'<TD BORDER="0.6" COLOR="{t.heat_line}" BGCOLOR="{fill}">&nbsp;{labels.font(labels.escape(word), ink, 9)}&nbsp;</TD>'
            for fill, ink, word in zip(t.heat, t.heat_ink, style.HEAT_WORDS, strict=True)
        )
        scale = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="2">{labels.row(legend)}</TABLE>'
        body = "".join([*rows, ends, labels.row(labels.cell(scale, span=3))])
        g = graphviz.Digraph("flow")
        g.attr("graph", bgcolor=t.background, pad="0.12")
        g.attr("node", shape="plain", fontname=style.FONT, fontcolor=t.ink)
        label = f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="1">{body}</TABLE>>'
        g.node("flow", label=label, tooltip="gradient flow")
        return g

    def pipe(self, format: str = "svg", dpi: float | None = None, theme: str = "light") -> bytes:
        source = self.digraph(theme).source
        return source.encode() if format in ("dot", "gv") else render.render(source, format, dpi)

    def save(self, path: str | os.PathLike[str], dpi: float | None = None, theme: str = "light") -> str:
        """Write the heat (.svg .png .pdf .dot), the table (.txt) or all numbers (.json). Returns the path."""
        path = os.fspath(path)
        suffix = os.path.splitext(path)[1].lower().lstrip(".")
        if suffix not in ("svg", "png", "pdf", "dot", "gv", "txt", "json"):
            raise ValueError(f"save({path!r}): use one of .svg, .png, .pdf, .dot, .txt, .json")
        text = {"txt": lambda: str(self) + "\n", "json": self.to_json}.get(suffix)
        data = text().encode() if text is not None else self.pipe(suffix, dpi, theme)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.pipe("svg").decode(), "text/plain": str(self)}
        except (render.RenderError, errors.GraphError):
            return {"text/plain": str(self)}


def record(params: Any = None, epoch: int | None = None) -> Recording:
    """Record every backward() inside a ``with`` block.

    ``params``: {name: tensor} or a Module, for names not found. ``epoch``: how many steps make one, ``len(loader)``;
    columns are then epochs, not steps. Raises ValueError for an ``epoch`` that is no count of steps.
    """
    if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1):
        raise ValueError(f"epoch={epoch!r}: it is the number of steps in an epoch, an integer of at least 1")
    if isinstance(params, nn.Module):
        params = dict(params.named_parameters())
    return Recording(user_frame(sys._getframe(1)), params, epoch)


def _rms(x: Any) -> float:
    x = np.asarray(host(x), np.float64)
    return float(np.sqrt(np.mean(x * x))) if x.size else 0.0


def _groups(n: int, unit: int = 1) -> list[range]:
    """The steps of each column: ``unit`` of them, or a multiple where there would be too many columns."""
    units = -(-n // unit)
    ends = np.linspace(0, units, min(units, COLUMNS) + 1).astype(int) * unit
    return [range(a, min(b, n)) for a, b in pairwise(ends.tolist())]


def _strip(name: str, row: list[float | None], groups: list[range], t: style.Theme) -> str:
    """One row of heat: the name, a cell per column, and the last number on its chip."""
    cells = []
    for group in groups:
        seen = [v for k in group if (v := row[k]) is not None]
        cells.append(_heat(float(np.sqrt(np.mean(np.square(seen)))) if seen else None, t))
    last = next((v for v in reversed(row) if v is not None), None)
    head = labels.cell(labels.font(labels.escape(name, 28), t.ink, 11))
    strip = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{labels.row(*cells)}</TABLE>'
    chip = labels.chip(Array(rms=last or 0.0), "known" if last is not None else "missing", t)
    return labels.row(head, labels.cell(strip), labels.cell(chip, "RIGHT"))


def _heat(rms: float | None, t: style.Theme) -> str:
    fill = t.background if rms is None else style.heat(t, rms)[0]
    return f'<TD WIDTH="9" HEIGHT="18" FIXEDSIZE="TRUE" BGCOLOR="{fill}"></TD>'


def _losses(rec: Recording, groups: list[range], t: style.Theme) -> str:
    """The loss as bars, each column as high as its loss is large."""
    values = [float(np.mean([rec.losses[k] for k in group])) for group in groups]
    finite = [v for v in values if np.isfinite(v)]
    high, low = max(finite, default=1.0), min(0.0, min(finite, default=0.0))
    cells = []
    for v in values:
        h = 1 + 29 * (v - low) / ((high - low) or 1.0) if np.isfinite(v) else 30
        bar = t.roles["loss"][1] if np.isfinite(v) else t.nan[0]
        inner = (
            f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>'
            f'<TD WIDTH="9" HEIGHT="{31 - h:.0f}" FIXEDSIZE="TRUE"></TD></TR><TR>'
            f'<TD WIDTH="7" HEIGHT="{h:.0f}" FIXEDSIZE="TRUE" BGCOLOR="{bar}"></TD></TR></TABLE>'
        )
        cells.append(f'<TD WIDTH="9" HEIGHT="32" FIXEDSIZE="TRUE">{inner}</TD>')
    strip = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{labels.row(*cells)}</TABLE>'
    last = labels.cell(labels.font(style.short(rec.losses[-1]), t.ink, 10), "RIGHT")
    return labels.row(labels.cell(labels.font("loss", t.ink, 11)), labels.cell(strip), last)


def _bars(values: list[float | None], logarithmic: bool = False, width: int = 24, unit: int = 1) -> str:
    """A curve of block characters."""
    groups = [[v for k in g if (v := values[k]) is not None] for g in _groups(len(values), unit)]
    size = max(1, -(-len(groups) // width))
    means = [np.mean([v for g in groups[k : k + size] for v in g] or [np.nan]) for k in range(0, len(groups), size)]
    heights = np.array(means, float)
    if logarithmic:
        with np.errstate(divide="ignore"):
            heights = np.log10(heights)
    finite = heights[np.isfinite(heights)]
    if not finite.size:
        return "·" * len(heights)
    low, span = finite.min(), (finite.max() - finite.min()) or 1.0
    return "".join(BARS[int(7 * (h - low) / span + 0.5)] if np.isfinite(h) else "·" for h in heights)


# ---- two steps -------------------------------------------------------------------------------------------------------
class Difference:
    """Two runs of one computation: ``rows`` of (name, value before, value after, gradient before, gradient after)."""

    def __init__(self, a: Trace, b: Trace):
        self.a, self.b = a, b
        self.before = _pairs(a, b)
        names = display_names(b)
        self.rows = [
            (names[y.id], _size(x.value), _size(y.value), _size(x.grad), _size(y.grad))
            for y in b.nodes
            if y.role != "constant" and ((x := self.before[y.id]).value != y.value or x.grad != y.grad)
        ]

    def __str__(self) -> str:
        if not self.rows:
            return "nothing changed between the two steps"
        width = max(len(r[0]) for r in self.rows)
        lines = [f"{'':<{width}}  {'value':>9}   {'':>9}  {'gradient':>9}"]
        for name, *numbers in self.rows:
            v, w, g, h = (style.short(x) for x in numbers)
            back = "" if g == h == style.MISSING else f"  {g:>9} → {h:<9}"
            lines.append(f"{name:<{width}}  {v:>9} → {w:<9}{back}".rstrip())
        return "\n".join(lines)

    __repr__ = __str__

    def draw(self, **look: Any) -> Graph:
        """The graph after the second step; below each value, what it was."""
        options = Options(**look)
        options.check()
        return Graph(self.b, _Changes(self.b, options, self.before).digraph)

    def save(self, path: str | os.PathLike[str]) -> str:
        """The picture, or the table (.txt). Returns the path."""
        path = os.fspath(path)
        if not path.endswith(".txt"):
            return self.draw().save(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(self) + "\n")
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.draw()._repr_mimebundle_() | {"text/plain": str(self)}


def diff(a: Any, b: Any) -> Difference:
    """What changed between two steps of a recording, or between two losses of the same computation.

    Raises GraphError where the graphs are not alike or were too large to be kept.
    """
    frame = user_frame(sys._getframe(1))
    traces = []
    for x in (a, b):
        if isinstance(x, Step):
            if x.trace is None:
                what = f"the graph of step {x.number} was not kept"
                fix = f"graphs of up to {WHOLE} nodes are, of the first {TRACES} steps: record fewer, or a smaller batch"
                raise errors.GraphError(errors.message(what, fix=fix))
            traces.append(x.trace)
        else:
            traces.append(x if isinstance(x, Trace) else Trace.skeleton(x, "diff", most=10_000).fill(frame))
    return Difference(*traces)


def _pairs(a: Trace, b: Trace) -> dict[int, TraceNode]:
    """Which node of a stands for each node of b: the same operand of the same op, from the roots down."""
    before: dict[int, TraceNode] = {}
    stack = [(a.nodes[a.root], b.nodes[b.root])]
    while stack:
        x, y = stack.pop()
        if (x.op, x.shape, len(x.inputs)) != (y.op, y.shape, len(y.inputs)):
            what = f"the two graphs differ: {x.op or x.role} {tuple(x.shape)} against {y.op or y.role} {tuple(y.shape)}"
            details = f"{_outline(a)} and {_outline(b)}"
            raise errors.GraphError(errors.message(what, details, fix="compare two steps of the same computation"))
        if y.id not in before:
            before[y.id] = x
            stack += [(a.nodes[i], b.nodes[j]) for i, j in zip(x.inputs, y.inputs, strict=True)]
    return before


def _outline(t: Trace) -> str:
    return style.count(sum(1 for n in t.nodes if n.op), "operation")


def _size(a: Array | None) -> float | None:
    return None if a is None else a.number if a.number is not None else a.rms


class _Changes(Drawing):
    """The graph with a line below each value: before → after."""

    def __init__(self, trace: Trace, options: Options, before: dict[int, TraceNode]):
        self.before = before
        super().__init__(trace, options)

    def _label(self, n: TraceNode) -> str:
        label = super()._label(n)
        old = self.before[n.id]
        rows = []
        for word, a, b, ink in (("value", old.value, n.value, self.t.ink), ("grad", old.grad, n.grad, self.t.gradient)):
            x, y = _size(a), _size(b)
            if x is None or y is None or a == b:
                continue
            mark = "▲" if y > x else "▼" if y < x else "≈"
            text = f"{word} was {style.short(x)} {mark}"
            rows.append(labels.row(labels.cell(labels.font(labels.escape(text), ink, 9), "RIGHT")))
        if not rows:
            return label
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD>{label}</TD></TR>{"".join(rows)}</TABLE>'
