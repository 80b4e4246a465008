"""The picture in the stepper's page: Graphviz's SVG, written anew for a script to play on.

The same DOT is laid out twice, in the light and in the dark theme. Both have the same shapes, so
walking them side by side turns each pair of colours into one CSS variable, and dark mode is a
change of variables. Only shapes and text are written again: no links, titles or styles of the
original, and every text is escaped.

Each value ``v3`` and op ``o3`` is a group with that id. Each operand's edge is a group ``e3_0``
(target, position), and the arrow from an op to its result is ``r3``. Texts that change with the
steps are marked: ``val``, ``grd``, ``con``.
"""

from __future__ import annotations

import copy
import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import NamedTuple

from ..drawing import lengths, render
from ..drawing.dot import Drawing
from ..drawing.options import Options
from ..drawing.style import LIGHT
from ..reading.trace import Edge, Trace
from ..telling.words import display_names

FEW = 60  # pictures of up to so many boxes show contributions on their edges
WHOLE = (
    150  # up to so many values are all drawn, since a step that happens inside a box cannot be seen
)
DEEP = 1_000  # modules below this depth become boxes: none
SVG = "{http://www.w3.org/2000/svg}"


class Scene(NamedTuple):
    """``svg``; ``colours``: (light, dark) per variable; ``units``: the id of each node's box."""

    svg: str
    colours: list[tuple[str, str]]
    units: dict[int, str]
    edges: dict[str, str]  # "target_position" -> id of its edge
    separate: bool


def scene(trace: Trace) -> Scene:
    """Draw a trace that has its gradients.

    Raises RenderError without Graphviz, GraphTooLarge above 400 boxes.
    """
    shown = copy.copy(trace)
    shown.backward = True  # the room for every number is reserved from the start
    shown.nodes = [  # what the formulas call v₇ has to be found in the picture
        replace(n, name=name) if n.op and not n.expression else n
        for n, name in zip(trace.nodes, display_names(trace), strict=True)
    ]
    drawn = sum(n.role != "constant" for n in trace.nodes)
    options = Options(
        # steps go from left to right, as the stage has more room; processes stand side by side
        rankdir="TB" if trace.roots else "LR",
        grads="labels" if drawn <= FEW else "values",
        depth=DEEP if drawn <= WHOLE else None,
        thumbnails=drawn <= FEW // 2,
    )
    light, dark = (Drawing(shown, replace(options, theme=t)) for t in ("light", "dark"))
    trees = [_laid_out(d) for d in (light, dark)]
    return _Writer(trace, light).write(*trees)


def _laid_out(drawing: Drawing) -> ET.Element:
    return ET.fromstring(render.render(drawing.digraph.source, "svg", over=True))


class _Writer:
    def __init__(self, trace: Trace, drawing: Drawing):
        self.trace, self.drawing = trace, drawing
        self.units = {i: u.id for i, u in drawing.plan.unit.items()}
        self.colours: dict[tuple[str, str], int] = {}
        self.edges: dict[str, str] = {}
        self.taken: dict[tuple[str, str], int] = {}

    def write(self, light: ET.Element, dark: ET.Element) -> Scene:
        width, height = (float(v) for v in light.attrib["viewBox"].split()[2:])
        graph, other = light.find(f"{SVG}g"), dark.find(f"{SVG}g")
        assert graph is not None and other is not None
        shift = re.search(r"translate\(([^)]*)\)", graph.attrib.get("transform", ""))
        groups = list(zip(graph, other, strict=True))
        edges = [p for p in groups if p[0].get("class") == "edge"]
        edges.sort(
            key=lambda p: int(re.sub(r"\D", "", p[0].get("id", "0")) or 0)
        )  # as written: so are the operands
        parts = [self._cluster(*p) for p in groups if p[0].get("class") == "cluster"]
        parts += [self._edge(*p) for p in edges]
        parts += [self._node(*p) for p in groups if p[0].get("class") == "node"]
        svg = (
            f'<svg id="svg" viewBox="0 0 {_r(width)} {_r(height)}" '
            f'data-w="{_r(width)}" data-h="{_r(height)}" '
            f'font-family="Helvetica,Arial,sans-serif" role="group" aria-label="computation graph">'
            f'<g transform="translate({_numbers(shift[1]) if shift else "0"})">'
            f"{''.join(parts)}</g></svg>"
        )
        return Scene(svg, list(self.colours), self.units, self.edges, self.drawing.separate)

    def _colour(self, a: str, b: str) -> str:
        if a in ("none", "transparent"):
            return "none"
        return f"var(--c{self.colours.setdefault((a, b), len(self.colours))})"

    # ---- groups ----------------------------------------------------------------------------------
    def _cluster(self, a: ET.Element, b: ET.Element) -> str:
        return f'<g class="cluster">{"".join(self._shapes(a, b))}</g>'

    def _edge(self, a: ET.Element, b: ET.Element) -> str:
        title = a.findtext(f"{SVG}title", "")
        tail, _, head = title.partition("->")
        where = ""
        if tail[0] == "o":
            where = f"r{head[1:]}"
        elif tail[0] == "c":
            where = "e" + tail[1:]
        else:
            found = [e for e in self.trace.edges if self._joins(e, tail, head)]
            if not found:  # an arrow that is written from its head, beside which the operand stands
                tail, head = head, tail
                found = [e for e in self.trace.edges if self._joins(e, tail, head)]
                for way in (*a.iter(f"{SVG}path"), *b.iter(f"{SVG}path")):
                    way.set("d", _backwards(way.get("d", "")))
            if head[0] in "vo" and tail[0] == "v":
                k = self.taken[tail, head] = self.taken.get((tail, head), -1) + 1
                found = found[k : k + 1]
            if found:
                where = f"e{found[0].target}_{found[0].position}"
            self.edges.update({f"{e.target}_{e.position}": where for e in found})
        shapes = "".join(self._shapes(a, b, "con"))
        return f'<g class="e" id="{where}">{shapes}</g>'

    def _joins(self, e: Edge, tail: str, head: str) -> bool:
        target = f"o{e.target}" if head[0] == "o" else self.units.get(e.target)
        return self.units.get(e.source) == tail and target == head

    def _node(self, a: ET.Element, b: ET.Element) -> str:
        name = a.findtext(f"{SVG}title", "")
        if name.startswith("title"):  # of a frame, where an arrow crosses it
            return f'<g class="cluster">{"".join(self._shapes(a, b))}</g>'
        if name[0] == "c":
            op = name[1:].partition("_")[0]
            return f'<g class="k" data-of="{op}">{"".join(self._shapes(a, b))}</g>'
        if name[0] == "v":
            role = self.trace.nodes[int(name[1:])].role
            shapes = "".join(self._value(int(name[1:]), a, b))
        else:
            role = "op" if name[0] == "o" else "box"
            shapes = "".join(self._shapes(a, b) if name[0] == "o" else self._box(a, b))
        return f'<g class="n {role}" id="{name}">{shapes}</g>'

    def _value(self, i: int, a: ET.Element, b: ET.Element) -> list[str]:
        """A value's box. Its numbers are the last texts: data, then grad, if the node has them."""
        n = self.trace.nodes[i]
        pairs = _drawn(a, b)
        texts = [k for k, (x, _) in enumerate(pairs) if _tag(x) == "text"]
        words = [pairs[k][0].text or "" for k in texts]
        marks: dict[int, str] = {}
        rows = len(texts)
        if n.needs:
            marks[texts[-1]] = "grd"
            rows -= 2
        heading = self.drawing.t.derivative  # of a row of cells
        while rows > 1 and words[rows - 1] == heading:
            rows -= 1
        if rows > 1 and words[rows - 2] == "data":
            marks[texts[rows - 1]] = "val"
        gradient = texts[rows] if n.needs else len(pairs)  # from its first label on
        out = []
        for k, (x, y) in enumerate(pairs):
            if marks.get(k) and n.shape == [] and self.drawing.separate:
                out.append(self._text(x, y, marks[k], "end"))
            elif marks.get(k):
                out.append(self._text(x, y, marks[k], "middle" if marks[k] == "grd" else "end"))
            else:
                cell = "heat" if k > gradient else "thumb"
                out.append(self._shape(x, y, cell if _small(x, pairs) else ""))
        return out

    def _box(self, a: ET.Element, b: ET.Element) -> list[str]:
        """A collapsed module or loop: what backward brings is marked ``later``."""
        out, chip = [], False
        pairs = _drawn(a, b)
        for x, y in pairs:
            if _tag(x) == "text":
                number = chip or (
                    x.get("fill", "").upper() == LIGHT.gradient
                    and bool(re.search(r"\d", x.text or ""))
                )
                out.append(self._text(x, y, "later" if number else ""))
                chip = False
            else:
                heat = _small(x, pairs)
                chip = chip or (heat and _extent(x) > 40)
                out.append(self._shape(x, y, "later" if heat else ""))
        return out

    # ---- shapes ----------------------------------------------------------------------------------
    def _shapes(self, a: ET.Element, b: ET.Element, mark: str = "") -> list[str]:
        return [self._shape(x, y, mark) for x, y in _drawn(a, b)]

    def _shape(self, x: ET.Element, y: ET.Element, mark: str) -> str:
        tag = _tag(x)
        if tag == "text":
            label = mark == "con" and (x.text or "").strip() not in ("1", "2", "")
            return self._text(x, y, "con" if label else "")
        fill, stroke = (
            self._colour(x.get(k, "none"), y.get(k, "none")) for k in ("fill", "stroke")
        )
        keep = {"path": ("d",), "polygon": ("points",), "ellipse": ("cx", "cy", "rx", "ry")}[tag]
        shape = "".join(f' {k}="{_numbers(x.get(k, ""))}"' for k in keep)
        line = (
            f' stroke-width="{x.get("stroke-width")}"' if x.get("stroke-width", "1") != "1" else ""
        )
        dash = x.get("stroke-dasharray")
        dashed = (
            f' stroke-dasharray="{dash}"' if dash and mark != "con" else ""
        )  # a script dots the edges of zeros
        outline = "" if fill != "none" else "way" if mark == "con" else "line"
        name = mark if mark in ("heat", "later", "thumb") else outline
        classes = f' class="{name}"' if name else ""
        border = "" if stroke == "none" else f' stroke="{stroke}"{line}{dashed}'
        return f'<{tag}{classes}{shape} fill="{fill}"{border}/>'

    def _text(self, x: ET.Element, y: ET.Element, mark: str = "", anchor: str = "") -> str:
        words = x.text or ""
        left, size = float(x.get("x", "0")), float(x.get("font-size", "12"))
        was = x.get("text-anchor", "start")
        if anchor and was == "start":  # texts that change keep their right end, or their middle
            wide = lengths.width(words, size) or 0.556 * size * len(words)
            left += wide * (1 if anchor == "end" else 0.5)
        anchor = anchor or was
        where = f'x="{_r(left)}" y="{_r(float(x.get("y", "0")))}"'
        look = f' font-size="{_r(size)}"' + (' font-weight="bold"' if x.get("font-weight") else "")
        look += "" if anchor == "start" else f' text-anchor="{anchor}"'
        look += f' class="{mark}"' if mark else ""
        ink = self._colour(x.get("fill", "#000000"), y.get("fill", "#000000"))
        return f'<text {where}{look} fill="{ink}">{html.escape(words)}</text>'


def _drawn(a: ET.Element, b: ET.Element) -> list[tuple[ET.Element, ET.Element]]:
    """Shapes and texts below two groups that differ in their colours only, pair by pair."""
    pairs = zip(a.iter(), b.iter(), strict=True)
    return [(x, y) for x, y in pairs if _tag(x) in ("path", "polygon", "text", "ellipse")]


def _backwards(way: str) -> str:
    """A chain of Bézier curves, ``M1,2C3,4 5,6 7,8``, from its end to its beginning."""
    points = re.findall(r"[-\d.]+,[-\d.]+", way)[::-1]
    return f"M{points[0]}C{' '.join(points[1:])}" if points else way


def _tag(x: ET.Element) -> str:
    return x.tag.removeprefix(SVG)


def _r(v: float) -> str:
    return f"{v:.1f}".removesuffix(".0")


def _numbers(s: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda m: _r(float(m[0])), s)


def _small(x: ET.Element, pairs: list[tuple[ET.Element, ET.Element]]) -> bool:
    """Is it a cell or chip in a box, and not the box or a line as wide as it?"""
    whole = max(_extent(y) for y, _ in pairs if _tag(y) != "text")
    return _tag(x) != "text" and _extent(x) <= 54 and _extent(x) < whole - 1


def _extent(x: ET.Element) -> float:
    """The width of a shape."""
    points = re.findall(r"(-?[\d.]+),-?[\d.]+", x.get("d", "") + x.get("points", ""))
    return (
        max(map(float, points)) - min(map(float, points)) if points else 2 * float(x.get("rx", "0"))
    )
