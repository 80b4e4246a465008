"""Training through time: what every ``backward()`` inside a block found.

    with viz.record() as rec:
        train()                       # any code; each backward() is a step
    print(rec)                        # loss; gradients of layers; gradient and update of parameters
    rec.save("run.html")              # a page: steps on one axis, the parts of a step on the other
    rec.save("flow.svg")              # heat: one row per layer and parameter, one column per step
    viz.diff(rec[0], rec[-1])         # one graph, old → new (changes.py)

The gradient of a layer is the root mean square over the elements of all its parameters, so that a
large weight counts for more than its bias. reading/training.py collects the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from microtorch.base import errors

from ..drawing import labels, style
from ..drawing.saved import Themed
from ..reading import numbers
from ..reading.names import Given, given_names
from ..reading.take import caller
from ..reading.trace import Value
from ..reading.training import Training
from . import filming

if TYPE_CHECKING:
    from graphviz import Digraph

COLUMNS = 60  # of the picture; more steps than that are averaged
BARS = "▁▂▃▄▅▆▇█"


class Recording(Training, Themed):
    """The steps of a training, and what they look like: ``save`` writes the page (.html), the heat
    (.svg .png .pdf .dot), the table (.txt), or the numbers (.json).
    """

    formats = ("html", *Themed.formats, "json")

    @property
    def losses(self) -> list[float]:
        return [s.loss for s in self.steps]

    def gradients(self, name: str) -> list[float | None]:
        """The RMS of one parameter's gradient, step by step; None where it took no part."""
        return [s.gradients.get(name) for s in self.steps]

    def layer(self, path: str) -> list[float | None]:
        """The RMS of the gradient over the elements of a layer (a key of ``layers``), per step."""
        rows = []
        for s in self.steps:
            parts = [
                (s.sizes[name], s.gradients[name])
                for name in self.layers[path]
                if name in s.gradients
            ]
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
        size = numbers.count(len(self), "step")
        if self.epoch:
            size += f", {numbers.count(-(-len(self) // unit), 'epoch')}"
        lines = [size, f"{'':<{width}}  {'first':>9}  {'last':>9}  {'update':>9}"]
        first, last = (numbers.short(self.losses[k]) for k in (0, -1))
        lines.append(
            f"{'loss':<{width}}  {first:>9}  {last:>9}  {'':9}  {_bars(self.losses, unit=unit)}"
        )
        if layers:
            lines.append("layer")
        for path in layers:
            row = self.layer(path)
            seen = [v for v in row if v is not None]
            first, last = (numbers.short(seen[k]) for k in (0, -1))
            bars = _bars(row, logarithmic=True, unit=unit)
            lines.append(f"{path:<{width}}  {first:>9}  {last:>9}  {'':9}  {bars}")
        if layers:
            lines.append("parameter")
        for name in self.names:
            row = self.gradients(name)
            seen = [v for v in row if v is not None]
            update = next(
                (s.updates[name] for s in reversed(self.steps) if name in s.updates), None
            )
            cells = [numbers.short(v) for v in (seen[0], seen[-1], update)]
            bars = _bars(row, logarithmic=True, unit=unit)
            lines.append(f"{name:<{width}}  {cells[0]:>9}  {cells[1]:>9}  {cells[2]:>9}  {bars}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        last = (
            f", loss {numbers.short(self.losses[0])} → {numbers.short(self.losses[-1])}"
            if self.steps
            else ""
        )
        return (
            f"<Recording of {numbers.count(len(self), 'step')}{last}; print(it), .save('flow.svg')>"
        )

    def to_json(self) -> str:
        """All numbers as JSON text."""
        keys = ("number", "loss", "gradients", "values", "updates")
        rows = [{k: getattr(s, k) for k in keys} for s in self.steps]
        return json.dumps(
            {"names": self.names, "layers": self.layers, "steps": rows}, ensure_ascii=False
        )

    def digraph(self, theme: str = "light") -> Digraph:
        """The gradient flow as a table of heat.

        Layers, then parameters, from top to bottom; steps (or epochs) across; the loss above.
        """
        import graphviz

        t = style.theme(theme)
        if not self.steps:
            raise errors.GraphError(
                errors.message("nothing was recorded: no backward() ran inside the block")
            )
        groups, word = _groups(len(self), self.epoch or 1), "epoch" if self.epoch else "step"
        title = labels.font(labels.bold(f"rms of grad per {word}"), t.gradient, 12)
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
            f'<TD BORDER="0.6" COLOR="{t.heat_line}" BGCOLOR="{fill}">'
            f"&nbsp;{labels.font(labels.escape(word), ink, 9)}&nbsp;</TD>"
            for fill, ink, word in zip(t.heat, t.heat_ink, style.HEAT_WORDS, strict=True)
        )
        scale = labels.plain(labels.row(legend), spacing=3, padding=2)
        body = "".join([*rows, ends, labels.row(labels.cell(scale, span=3))])
        g = graphviz.Digraph("flow")
        g.attr("graph", bgcolor=t.background, pad="0.12")
        g.attr("node", shape="plain", fontname=style.FONT, fontcolor=t.ink)
        label = f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="1">{body}</TABLE>>'
        g.node("flow", label=label, tooltip="gradient flow")
        return g

    def _text(self, suffix: str) -> str | None:
        if suffix == "html":
            return filming.page(self)
        return self.to_json() if suffix == "json" else super()._text(suffix)


def record(params: Given = None, epoch: int | None = None) -> Recording:
    """Record every backward() inside a ``with`` block.

    ``params``: {name: tensor} or a Module, for names that the source does not show. ``epoch``: how
    many steps make one, ``len(loader)``; columns are then epochs, not steps. Raises ValueError for
    an ``epoch`` that is no count of steps.
    """
    if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1):
        raise ValueError(
            f"epoch={epoch!r}: it is the number of steps in an epoch, an integer of at least 1"
        )
    return Recording(caller(), given_names(params), epoch)


def _groups(n: int, unit: int = 1) -> list[range]:
    """The steps of each column: ``unit`` of them, or a multiple to keep the columns few enough."""
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
    strip = labels.plain(labels.row(*cells))
    chip = labels.chip(Value(rms=last or 0.0), "known" if last is not None else "missing", t)
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
    strip = labels.plain(labels.row(*cells))
    last = labels.cell(labels.font(numbers.short(rec.losses[-1]), t.ink, 10), "RIGHT")
    return labels.row(labels.cell(labels.font("loss", t.ink, 11)), labels.cell(strip), last)


def _bars(
    values: Sequence[float | None], logarithmic: bool = False, width: int = 24, unit: int = 1
) -> str:
    """A curve of block characters."""
    groups = [[v for k in g if (v := values[k]) is not None] for g in _groups(len(values), unit)]
    size = max(1, -(-len(groups) // width))
    means = [
        np.mean([v for g in groups[k : k + size] for v in g] or [np.nan])
        for k in range(0, len(groups), size)
    ]
    heights = np.array(means, float)
    if logarithmic:
        with np.errstate(divide="ignore"):
            heights = np.log10(heights)
    finite = heights[np.isfinite(heights)]
    if not finite.size:
        return "·" * len(heights)
    low, span = finite.min(), (finite.max() - finite.min()) or 1.0
    return "".join(
        BARS[int(7 * (h - low) / span + 0.5)] if np.isfinite(h) else "·" for h in heights
    )
