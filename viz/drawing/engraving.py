"""A sheet (sheet.py) as DOT, in which every place is given: Graphviz (``nop2``) only draws."""

from __future__ import annotations

from collections.abc import Sequence

from ..reading.layers import Layer
from . import sheet as at
from . import style
from .plate import Plate, fit, width
from .sheet import Row, Sheet, numbers_of, shape_of, words_of
from .style import Theme


class Drawn(Plate):
    """The DOT text of a sheet."""

    def __init__(self, sheet: Sheet, theme: Theme, title: str, facts: Sequence[tuple[str, str]]):
        super().__init__(sheet.width, sheet.height, theme, "summary")
        self.sheet = sheet
        self.stops: dict[int, tuple[str, float, float, int]] = {}
        self._title(title, facts)
        for k in range(len(sheet.parts)):
            self._column(k)
        self._flow()
        self._legend()

    # ---- what stands where -----------------------------------------------------------------------
    def _title(self, title: str, facts: Sequence[tuple[str, str]]) -> None:
        s, t = self.sheet, self.t
        self.text(at.EDGE, at.EDGE + 14, title, 24, t.ink, bold=True)
        x = at.EDGE
        for number, words in facts:
            x += self.text(x, at.EDGE + 42, number, 13, t.ink, bold=True) + 6
            x += self.text(x, at.EDGE + 42, words, 13, t.secondary) + 20
        self.box(s.width / 2, at.EDGE + at.TOP - 6, s.width - 2 * at.EDGE, 1, t.module[1])

    def left(self, k: int) -> float:
        """Where column k begins."""
        return at.EDGE + k * (self.sheet.column + at.GUTTER)

    def spine(self, k: int) -> float:
        """Where its main line runs."""
        return self.left(k) + self.sheet.rail - 6

    def edges(self, k: int) -> list[float]:
        """The right ends of its three columns of numbers."""
        x = self.left(k) + self.sheet.column - self.sheet.inset
        out: list[float] = []
        for wide in reversed(self.sheet.cells):
            out.insert(0, x)
            x -= wide + at.GAP
        return out

    def _column(self, k: int) -> None:
        s, t = self.sheet, self.t
        part = s.parts[k]
        top = at.EDGE + at.TOP
        right = self.left(k) + s.column
        for x, word in zip(self.edges(k), at.HEADINGS, strict=True):
            self.text(x, top + 7, word, at.TINY, t.secondary, right=True)
        y = top + 18
        open_blocks = list(part[0].block)
        if open_blocks:  # the blocks that began in the column before
            y += at.HEAD
        places: list[tuple[Row, float]] = []
        spans: dict[Layer, list[float]] = {
            b: [y - at.HEAD, y, d] for d, b in enumerate(open_blocks)
        }
        for row in part:
            if row.kind == "head":
                spans[row.layer] = [y, y, len(row.block)]
            places.append((row, y))
            bottom = y + row.height
            for b in (*row.block, *([row.layer] if row.kind == "head" else [])):
                spans[b][1] = bottom
            for d in range(row.ends):  # outer frames end a little below inner ones
                spans[row.block[-1 - d]][1] = bottom - at.END * (row.ends - 1 - d)
            y = bottom
        for y0, y1, depth in sorted(spans.values(), key=lambda span: span[2]):
            x0, x1 = self.left(k) + s.rail + at.INDENT * depth - 2, right - at.NESTED * depth
            self.box(
                (x0 + x1) / 2, (y0 + y1) / 2 - 1, x1 - x0, y1 - y0 - 3, self._tint(int(depth)),
                t.module[1], 0.8, True,
            )  # fmt: skip
        if open_blocks:
            words = ", ".join(b.name or "repeated" for b in open_blocks) + " (continued)"
            self.text(
                self.left(k) + s.rail + 6, top + 18 + at.HEAD / 2, words, at.SMALL, t.secondary
            )
        for row, top_of_row in places:
            self._row(k, row, top_of_row)

    def _tint(self, depth: int) -> str:
        return style.mix(self.t.module[0], self.t.module[1], 0.06 * depth)

    def _row(self, k: int, row: Row, y: float) -> None:
        s, t, layer = self.sheet, self.t, row.layer
        size = at.SMALL if row.kind == "small" else at.TEXT
        middle = y + {"head": at.HEAD, "small": at.STEP, "layer": at.ROW}[row.kind] / 2
        x = self.left(k) + s.rail + at.INDENT * len(row.block) + 5
        end = self.left(k) + s.rail + s.words
        ink = t.ink if row.kind != "small" else t.secondary
        if row.kind != "head":
            self._stop(k, row, middle)
        times = f"× {layer.times}" if layer.times > 1 else ""
        room = end - (width(times, size, True) + 12 if times else 0)
        name = fit(layer.name, size, room - x)
        x += self.text(x, middle, name, size, ink, bold=True) + (7 if name else 0)
        for part, colour in zip(words_of(layer), (ink, t.secondary), strict=True):
            words = fit(part, size, room - x) if room - x > 20 else ""
            x += self.text(x, middle, words, size, t.secondary if row.kind == "head" else colour)
            x += 0.3 * size
        if times:
            self._badge(x + 8, middle, times, size)
        cells = self.edges(k)
        quiet = t.secondary if row.kind != "layer" else t.ink
        if row.kind != "head":
            self.text(cells[0], middle, shape_of(layer), size, quiet, right=True)
        own, products = numbers_of(layer)
        if row.kind != "head":
            self._bar(cells[1], middle, s.cells[1], layer.parameters, 1, row)
            self._bar(cells[2], middle, s.cells[2], layer.multiply_adds, 2, row)
        self.text(cells[1], middle, own, size, quiet, right=True)
        self.text(cells[2], middle, products, size, quiet, right=True)

    def _badge(self, x: float, y: float, words: str, size: float) -> None:
        wide = width(words, size, True)
        self.box(x + wide / 2, y, wide + 10, size + 5, self.t.ink, round=True)
        self.text(x, y, words, size, self.t.background, bold=True)

    def _bar(self, right: float, y: float, room: float, value: float, which: int, row: Row) -> None:
        """The share of the largest, as a bar behind the number."""
        leaves = [r.layer for r in self.sheet.leaf_rows]
        most = max((x.parameters if which == 1 else x.multiply_adds for x in leaves), default=0)
        wide = (room + 6) * value / most if most else 0
        if wide < 1.5:
            return
        fill, line = self.t.roles["parameter"] if which == 1 else self.t.op
        high = at.STEP if row.kind == "small" else at.ROW
        self.box(right + 3 - wide / 2, y, wide, high - 4, style.mix(fill, line, 0.12))

    # ---- the rail --------------------------------------------------------------------------------
    def _stop(self, k: int, row: Row, y: float) -> None:
        t, layer = self.t, row.layer
        x, n = self.spine(k), self.sheet.number[layer]
        blue = t.roles["parameter"][1]
        full = layer.size > 0
        ends = layer.kind in ("input", "output")
        r = 2 * at.STOP if row.kind != "small" else 1.5 * at.STOP
        name = self.node(
            x, y, r, r, shape="box" if ends else "circle", style="filled", label="",
            fillcolor=blue if full else t.background if not ends else t.ink,
            color=blue if full else t.ink, penwidth="1.6",
        )  # fmt: skip
        self.stops[n] = (name, x, y, k)

    def _flow(self) -> None:
        for a, b in sorted((self.number(p), self.number(q)) for p, q in self.sheet.model.flow):
            if b == a + 1:
                self._straight(a, b)
        for a, ends in self.sheet.skips.items():
            for b in ends:
                self._lane(a, b, b == ends[-1])

    def number(self, layer: Layer) -> int:
        return self.sheet.number[layer]

    def _span(self) -> tuple[float, float]:
        """Where the lines that run on into another column end and begin."""
        return at.EDGE + at.TOP + 18 + self.sheet.body + 6, at.EDGE + at.TOP + 14

    def _straight(self, a: int, b: int) -> None:
        (tail, x0, y0, k0), (head, x1, y1, k1) = self.stops[a], self.stops[b]
        bottom, top = self._span()
        first, last = (x0, y0 + at.STOP), (x1, y1 - at.STOP)
        parts = [(first, last)] if k0 == k1 else [(first, (x0, bottom)), ((x1, top), last)]
        for p, q in parts:
            self._spline(tail, head, [p, p, q, q], False)

    def _lane(self, a: int, b: int, last: bool) -> None:
        """From row a to row b; ``last``: the line itself, and not only the way off it."""
        (tail, x0, y0, k0), (head, x1, y1, k1) = self.stops[a], self.stops[b]
        shift = self.sheet.apart * self.sheet.lane[a] + 2
        bottom, top = self._span()
        turn = min(8.0, abs(y1 - y0) / 2) if k0 == k1 else 8.0
        for k in range(k0 if last else k1, k1 + 1):
            x = self.spine(k) - shift
            points = [(x, top), (x, top)] if last else [(x, y1 - turn), (x, y1 - turn)]
            if k == k0 and last:  # out of the stop, round the corner
                points = [(x0 - at.STOP, y0), (x, y0), (x, y0), (x, y0 + turn), (x, y0 + turn)]
            if k == k1:
                end = (x1 - at.STOP - 5, y1)
                points += [(x, y1 - turn), (x, y1 - turn), (x, y1), (x, y1), end]
            else:
                points += [(x, bottom), (x, bottom)]
            self._spline(tail, head, points, True, (x1 - at.STOP, y1) if k == k1 else None)

    def _spline(
        self, tail: str, head: str, points: Sequence[tuple[float, float]], skip: bool,
        tip: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        colour = self.t.roles["loss"][1] if skip else self.t.edge
        self.line(points, colour, 1.6 if skip else 2, tip, tail, head)

    def _legend(self) -> None:
        s, t = self.sheet, self.t
        y, x = s.height - 16, at.EDGE
        blue = t.roles["parameter"][1]
        for full, words in ((True, "has parameters"), (False, "has none")):
            self.node(
                x + 4, y, 8, 8, shape="circle", style="filled", label="", penwidth="1.6",
                fillcolor=blue if full else t.background, color=blue if full else t.ink,
            )  # fmt: skip
            x += 13
            x += self.text(x, y, words, at.TINY, t.secondary) + 16
        said = ["bars: share of the largest"]
        if any(row.kind == "head" and row.layer.times > 1 for row in s.rows):
            said.insert(0, "inside × n: numbers of one")
        if s.lanes:
            said.insert(0, "lines beside the rows: what a layer reads from further above")
        for words in said:
            x += self.text(x, y, words, at.TINY, t.secondary) + 16
