"""When backward computed and when gradients travelled: the overlap of DistributedDataParallel."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, Protocol

from . import style
from .saved import write

LEFT, WIDTH, ROW, TOP = 210, 640, 30, 34  # pixels: names, time, a row, the scale


class Span(Protocol):
    """Something that lasted from ``start`` to ``end``, in seconds; ``size`` bytes travelled."""

    what: str
    start: float
    end: float
    size: int


class Timeline:
    """Spans of time as rows of one picture; ``save("x.svg")``, or the last line of a cell."""

    def __init__(self, spans: Sequence[Span], theme: str = "light"):
        self.spans, self.theme = list(spans), theme

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str) -> str:
        """Write the SVG; returns the path."""
        return write(path, self.svg())

    def svg(self) -> str:
        t = style.theme(self.theme)
        end = max((s.end for s in self.spans), default=0.0) or 1e-9
        height = TOP + ROW * len(self.spans) + 12
        text = f'font-family="{style.FONT}" font-size="13"'
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 90} {height}" '
            f'width="{LEFT + WIDTH + 90}" role="img" aria-label="time line of a backward pass">',
            f'<rect width="100%" height="100%" fill="{t.background}"/>',
        ]
        for k in range(5):
            x = LEFT + WIDTH * k / 4
            out.append(
                f'<path d="M{x:.1f} {TOP - 8}V{height - 8}" stroke="{t.module[1]}"/>'
                f'<text x="{x:.1f}" y="{TOP - 14}" {text} fill="{t.secondary}" '
                f'text-anchor="middle">{1000 * end * k / 4:.2f} ms</text>'
            )
        for k, s in enumerate(self.spans):
            y, x = TOP + ROW * k, LEFT + WIDTH * s.start / end
            w = max(2.0, WIDTH * (s.end - s.start) / end)
            colour = t.gradient if not s.size else t.roles["parameter"][1]
            took = f"{1000 * (s.end - s.start):.2f} ms" + (f", {_bytes(s.size)}" if s.size else "")
            name = s.what if len(s.what) <= 32 else s.what[:31] + "…"
            out.append(
                f'<text x="{LEFT - 10}" y="{y + 18}" {text} fill="{t.ink}" text-anchor="end">'
                f"{html.escape(name)}</text>"
                f'<rect x="{x:.1f}" y="{y + 5}" width="{w:.1f}" height="18" rx="4" '
                f'fill="{colour}"><title>{html.escape(s.what)}: {took}</title></rect>'
                f'<text x="{x + w + 6:.1f}" y="{y + 18}" {text} fill="{t.secondary}">{took}</text>'
            )
        return "".join(out) + "</svg>"


def timeline(source: Any, theme: str = "light") -> Timeline:
    """The last backward of a DistributedDataParallel, or any spans, on one axis of time.

    Orange is the computation of backward, blue an all-reduce; a blue bar under the orange one cost
    nothing. Raises TypeError for what has no spans.
    """
    spans = source.timeline() if hasattr(source, "timeline") else source
    if not isinstance(spans, Sequence) or not all(
        hasattr(s, "start") and hasattr(s, "end") for s in spans
    ):
        raise TypeError("timeline() takes a DistributedDataParallel, or spans with start and end")
    return Timeline(spans, theme)


def _bytes(n: int) -> str:
    return f"{n / 2**20:.1f} MB" if n >= 2**20 else f"{n / 1024:.1f} KB"
