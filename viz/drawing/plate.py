"""A picture of which every place is given: Graphviz (``nop2``) only draws.

Points from the top left. Boxes, lines of text and lines of right angles are all that there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import labels, lengths, style
from .style import Theme

if TYPE_CHECKING:
    from graphviz import Digraph

Point = tuple[float, float]


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is, at least nearly so where it has other characters than Latin ones."""
    wide = lengths.width(text, size, bold)
    return len(text) * 0.6 * size if wide is None else wide


def fit(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, its end left out where there is no room."""
    if width(text, size, bold) <= room:
        return text
    while text and width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip(" ,·") + "…"


class Plate:
    """The DOT text of such a picture."""

    def __init__(self, wide: float, high: float, theme: Theme, name: str):
        import graphviz  # slow to import

        self.wide, self.high, self.t = wide, high, theme
        self.g: Digraph = graphviz.Digraph(name)
        self.g.attr("graph", layout="nop2", bgcolor=theme.background, pad="0")
        self.g.attr("graph", outputorder="nodesfirst")
        self.g.attr("node", fontname=style.FONT, margin="0", fixedsize="true", penwidth="0")
        self.g.attr("edge", arrowsize="0.6", penwidth="2")
        self.count = 0
        self.ground = self.box(wide / 2, high / 2, wide, high, theme.background)

    def node(self, x: float, y: float, w: float, h: float, **look: str) -> str:
        """A shape around a point; returns its name."""
        self.count += 1
        name = f"p{self.count}"
        place = f"{x:.1f},{self.high - y:.1f}"
        self.g.node(name, pos=place, width=f"{w / 72:.4f}", height=f"{h / 72:.4f}", **look)
        return name

    def box(
        self, x: float, y: float, w: float, h: float, fill: str, line: str = "", bold: float = 1,
        round: bool = False, dashed: bool = False, **more: str,
    ) -> str:  # fmt: skip
        """A filled box around a point."""
        look = ["filled", *["rounded"] * round, *["dashed"] * dashed]
        return self.node(
            x, y, w, h, shape="box", style=",".join(look), label="", fillcolor=fill,
            color=line or fill, penwidth=f"{bold if line else 0:g}", **more,
        )  # fmt: skip

    def text(
        self, x: float, y: float, words: str, size: float, ink: str, bold: bool = False,
        right: bool = False, **more: str,
    ) -> float:  # fmt: skip
        """A line of text from x on, or up to x; returns how wide it is."""
        if not words:
            return 0.0
        wide = width(words, size, bold)
        room, high = math.ceil(wide) + 40, math.ceil(size * 1.3)  # fonts differ: the edge holds
        middle = x - room / 2 if right else x + room / 2
        if bold:
            y += 0.13 * size  # where a plain text has its line
            cell = labels.cell(labels.bold(labels.escape(words, 200)), "RIGHT" if right else "LEFT")
            size_of = f'FIXEDSIZE="TRUE" WIDTH="{room}" HEIGHT="{high}"'
            label = f"<{labels.plain(labels.row(cell), size=size_of)}>"
        else:
            label = words.replace("\\", "\\\\") + ("\\r" if right else "\\l")
        self.node(
            middle, y, room, high, shape="box", style="", color=self.t.background, label=label,
            fontsize=f"{size:g}", fontcolor=ink, **more,
        )  # fmt: skip
        return wide

    def line(
        self, points: Sequence[Point], colour: str, bold: float = 1.6, tip: Point | None = None,
        tail: str = "", head: str = "", **more: str,
    ) -> None:  # fmt: skip
        """A curve by the points of its splines; ``tip``: where an arrow ends."""

        def place(p: Point) -> str:
            return f"{p[0]:.1f},{self.high - p[1]:.1f}"

        self.g.edge(
            tail or self.ground, head or self.ground,
            pos=(f"e,{place(tip)} " if tip else "") + " ".join(map(place, points)),
            arrowhead="normal" if tip else "none", penwidth=f"{bold:g}", color=colour, **more,
        )  # fmt: skip

    def path(self, corners: Sequence[Point], colour: str, bold: float = 1.3, **more: str) -> None:
        """A line of right angles, its corners rounded, with an arrow at its end."""
        (x0, y0), (x1, y1) = corners[-2:]
        far = math.hypot(x1 - x0, y1 - y0) or 1.0
        end = (x1 - 5 * (x1 - x0) / far, y1 - 5 * (y1 - y0) / far)
        points = [corners[0]]
        for a, b, c in zip(corners, corners[1:], [*corners[2:-1], end], strict=False):
            turn = min(5.0, math.dist(a, b) / 2, math.dist(b, c) / 2)
            before, after = _toward(b, a, turn), _toward(b, c, turn)
            points += [points[-1], before, before, b, b, after]
        points += [points[-1], end, end]
        self.line(points, colour, bold, corners[-1], **more)


def _toward(a: Point, b: Point, far: float) -> Point:
    """The point on the way from a to b that is so far from a."""
    whole = math.dist(a, b) or 1.0
    return a[0] + (b[0] - a[0]) * far / whole, a[1] + (b[1] - a[1]) * far / whole
