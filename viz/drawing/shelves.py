"""``memory``: the memory plan of a compiled function as a picture.

Time goes down, a row for each part of the program, and bytes go to the right. A value is a
rectangle: as wide as it has bytes, as high as it lives. Two values below one another in the same
place share it. On the right stands what is held at each time, beside what eager would hold.
"""

from __future__ import annotations

from itertools import pairwise

from ..reading.numbers import size_of
from ..reading.parts import Part
from ..reading.places import Band, Places, Rect, places, shorter
from . import style
from .hairpin import spoken
from .plate import Plate, fit, width
from .saved import Printed
from .style import Theme

ROW, TOP, EDGE = 17.0, 122.0, 22.0
WORDS, WHERE, ROOM, BARS, GAP = 190.0, 92.0, 460.0, 130.0, 16.0
# of the plan in a page, which has the title and the user's line beside it
WORDS_IN, ROOM_IN, BARS_IN, ABOVE_IN = 120.0, 330.0, 90.0, 78.0
TEXT, SMALL, TINY = 11.0, 9.5, 9.0
LEVELS = 4  # of titles
PIECE = 100  # corners of one line: Graphviz reads no longer strings
NARROW = 60  # of so many points and less: the few letters of a text cut short would say nothing
ROWS = 90  # a longer program is folded


class MemoryPlan(Printed):
    """A drawn memory plan. ``save(path)`` picks the format by suffix; ``print`` lists it.

    ``.places``: the plan as data; ``peak`` and ``eager_peak``: bytes.
    """

    def __init__(self, found: Places, theme: str = "light"):
        self.places, self.theme = found, style.theme(theme)
        self.peak, self.eager_peak = max(found.held, default=0), max(found.eager, default=0)

    @property
    def source(self) -> str:
        """The DOT text, in which every place is given."""
        return str(Shelves(shorter(self.places, ROWS), self.theme).g.source)

    def __str__(self) -> str:
        lines = [f"{self.places.account.name}: {said(self.places)}"]
        for band in self.places.bands:
            lines.append(f"{title(band)}, {band.size:,} bytes")
            for r in sorted(band.rects, key=lambda r: (r.first, r.start)):
                shape = "" if r.held is None else str(r.held)
                span = f"{r.start:>9,} … {r.start + r.size:<9,}"
                lines.append(
                    f"  {span} parts {r.first:>3} … {r.last:<3} {r.name} {shape}  # {r.where}"
                )
        return "\n".join(lines)

    __repr__ = __str__


def memory(f: object, theme: str = "light") -> MemoryPlan:
    """The memory plan of a compiled function or Module: ``viz.memory(f).save("memory.svg")``.

    It shows where each value lies that the program makes, and from when to when; which values use a
    place one after the other; the peak; and what the same steps would hold as eager runs them.
    ``theme``: "light", "dark" or "print".

    Raises TypeError for what is not compiled, and for a step of Scalars; RuntimeError where the
    function has no program as yet.
    """
    style.theme(theme)
    return MemoryPlan(places(f, "memory"), theme)


def title(band: Band) -> str:
    return {"block": f"block of {band.title}()", "stack": f"arrays of {band.title}()"}.get(
        band.kind, band.title
    )


def said(p: Places) -> str:
    """The two peaks in words."""
    if not p.held:
        return "nothing is made"
    held, eager = max(p.held), max(p.eager)
    return f"at most {size_of(held)} at a time; eager holds {size_of(eager)}"


class Shelves(Plate):
    """The DOT text of a plan."""

    def __init__(self, found: Places, theme: Theme, in_page: bool = False):
        self.p, self.n, self.in_page = found, len(found.parts), in_page
        said = [width(self.words(part), TEXT) for part in found.parts]
        self.says = min(max([*said, 60.0]) + 8, WORDS_IN if in_page else WORDS)
        self.where, room, self.bar = (0.0, ROOM_IN, BARS_IN) if in_page else (WHERE, ROOM, BARS)
        self.top = TOP - ABOVE_IN if in_page else TOP
        self.left = EDGE + self.says + self.where + 10
        self.bars = self.left + room + GAP + 6
        wide = self.bars + self.bar + EDGE
        super().__init__(wide, self.top + ROW * self.n + 58, theme, "memory")
        total = sum(self.room(b) for b in found.bands) or 1.0
        gaps = GAP * max(0, len(found.bands) - 1)
        self.scale = (room - gaps) / total
        self.offset: dict[int, float] = {}
        x = self.left
        for band in found.bands:
            self.offset[id(band)] = x
            x += self.room(band) * self.scale + GAP
        self.level: dict[int, int] = {}  # of a band's title, above those that begin beneath it
        for k, band in reversed([*enumerate(found.bands)]):
            end = self.offset[id(band)] + width(f"{title(band)}, {size_of(band.size)}", TINY) + 8
            below = [self.level[id(b)] for b in found.bands[k + 1 :] if self.offset[id(b)] < end]
            least = 0 if end > self.bars else -1  # above the title of the bars
            self.level[id(band)] = 1 + max(below, default=least)
        if not in_page:
            self._title()
        self._rows()
        for band in found.bands:
            self._band(band)
        self._held()
        self._legend()

    @staticmethod
    def room(band: Band) -> float:
        return float(band.size)

    @staticmethod
    def words(part: Part) -> str:
        """What stands left of a row."""
        times = "" if part.around is None else f"  × {part.around.count}"
        return spoken(part.ops) + times

    def y(self, k: float) -> float:
        """Where part k begins."""
        return self.top + ROW * k

    def _title(self) -> None:
        t, p = self.t, self.p
        self.text(EDGE, EDGE + 8, f"{p.account.name}: memory", 20, t.ink, bold=True)
        x = EDGE
        facts = [
            (size_of(max(p.held, default=0)), "at most, by this plan"),
            (size_of(max(p.eager, default=0)), "as eager runs it"),
            (size_of(p.given), "of weights and arguments besides"),
        ]
        for number, words in facts:
            x += self.text(x, EDGE + 32, number, 12, t.ink, bold=True) + 5
            x += self.text(x, EDGE + 32, words, 12, t.secondary) + 16

    def _rows(self) -> None:
        t, p = self.t, self.p
        before = ""
        for k, part in enumerate(p.parts):
            y = self.y(k) + ROW / 2
            ink = t.gradient if part.phase == "backward" else t.ink
            if k % 2 == 0:
                self.box(
                    (EDGE + self.wide - EDGE) / 2,
                    y,
                    self.wide - 2 * EDGE + 8,
                    ROW,
                    style.mix(t.background, t.module[1], 0.07),
                )
            self.text(EDGE, y, fit(self.words(part), TEXT, self.says), TEXT, ink)
            if self.where and part.where != before and k != p.peak:
                self.text(
                    EDGE + self.says,
                    y,
                    fit(part.where, TINY, WHERE),
                    TINY,
                    t.secondary,
                    tooltip=_safe(part.said),
                )
            before = part.where

    def _band(self, band: Band) -> None:
        t = self.t
        x, wide = self.offset[id(band)], self.room(band) * self.scale
        y0, y1 = self.y(band.first), self.y(band.last + 1)
        if band.kind != "arrays":
            self.box(
                x + wide / 2,
                (y0 + y1) / 2,
                wide,
                y1 - y0,
                style.mix(t.background, t.module[1], 0.16),
                t.module[1],
                0.8,
                id=f"band-{band.title}",
                tooltip=f"{title(band)}: {band.size:,} bytes",
            )
        words = f"{title(band)}, {size_of(band.size)}"
        level = self.level[id(band)]
        if level < LEVELS:
            self.text(x + 2, self.top - 14 - 12 * level, words, TINY, t.secondary)
            self.box(x, self.top - 5 - 6 * level, 0.8, 10 + 12 * level, t.module[1])
        for r in band.rects:
            self._rect(band, r, x)

    def _rect(self, band: Band, r: Rect, x: float) -> None:
        t = self.t
        left, wide = x + r.start * self.scale, max(r.size * self.scale, 1.2)
        y0, y1 = self.y(r.first) + 0.8, self.y(r.last + 1) - 0.8
        gradient = r.held is not None and r.held.role == "gradient"
        fill, line = t.roles["average"] if gradient else (t.op[0], t.roles["intermediate"][1])
        if r.held is None:
            fill, line = t.roles["data"]
        if r.held is not None and r.held.returned:
            fill, line = (fill, line) if gradient else t.roles["loss"]
        shape = "" if r.held is None else str(r.held)
        tip = f"{r.name} {shape}: {r.size:,} bytes from {r.start:,} on, {r.where}"
        self.box(
            left + wide / 2,
            (y0 + y1) / 2,
            wide,
            y1 - y0,
            fill,
            line,
            0.9,
            dashed=r.held is None,
            id=f"rect-{r.name}",
            tooltip=_safe(tip),
        )
        ink = t.gradient if gradient else t.ink
        if wide < 26:
            return
        y = y0 + 7.6
        name = fit(r.name, SMALL, wide - 6, True)
        if name != r.name and wide < NARROW:
            return
        used = self.text(left + 4, y, name, SMALL, ink, bold=True)
        lines = [w for w in (shape, size_of(r.size), r.where) if w]
        if y1 - y0 > 28:
            cut = [(words, fit(words, TINY, wide - 6)) for words in lines]
            shown = [short for words, short in cut if short == words or wide >= NARROW]
            for k, words in enumerate(shown[: int((y1 - y0 - 16) // 11)]):
                self.text(left + 4, y + 11 * (k + 1), words, TINY, t.secondary)
        elif wide - used > 40:
            self.text(
                left + 8 + used, y, fit("  ".join(lines), TINY, wide - used - 12), TINY, t.secondary
            )

    def _held(self) -> None:
        """At each part: bytes by this plan, filled; as eager runs it, a line."""
        t, p = self.t, self.p
        most = max([*p.held, *p.eager, 1])
        scale = self.bar / most
        self.text(self.bars, self.top - 14, f"held: 0 … {size_of(most)}", TINY, t.secondary)
        blue = t.roles["parameter"]
        for k, n in enumerate(p.held):
            wide = max(n * scale, 0.6)
            self.box(
                self.bars + wide / 2,
                self.y(k) + ROW / 2,
                wide,
                ROW - 3,
                blue[0],
                blue[1],
                0.8,
                id=f"held-{k}",
                tooltip=f"{n:,} bytes",
            )
        corners = []
        for k, n in enumerate(p.eager):
            x = self.bars + n * scale
            corners += [(x, self.y(k)), (x, self.y(k + 1))]
        for k in range(0, len(corners) - 1, PIECE):
            piece = corners[k : k + PIECE + 1]
            points = [piece[0], *[x for a, b in pairwise(piece) for x in (a, b, b)]]
            self.line(points, t.ink, 1.4, style="dashed")
        if p.held:
            k = p.peak
            y = self.y(k) + ROW / 2
            self.box(
                (self.left + self.bars + self.bar) / 2 - 4,
                y,
                self.bars + self.bar - self.left + 10,
                ROW,
                f"{t.roles['loss'][1]}38",  # a veil: a frame would cross the texts
            )
            if not self.in_page:
                end, words = EDGE + self.says + WHERE - 2, f"peak {size_of(p.held[k])}"
                self.text(end, y, words, SMALL, t.roles["loss"][1], bold=True, right=True)

    def _legend(self) -> None:
        t, y, x = self.t, self.high - 18, EDGE
        looks = [
            (t.op[0], t.roles["intermediate"][1], "a value"),
            (*t.roles["average"], "a gradient"),
            (*t.roles["loss"], "returned"),
            (*t.roles["data"], "a product's operand, laid out anew"),
            (*t.roles["parameter"], "held by this plan"),
        ]
        for fill, line, words in looks:
            dashed = (fill, line) == t.roles["data"]
            self.box(x + 8, y, 16, 10, fill, line, 0.9, dashed=dashed)
            x += 21
            x += self.text(x, y, words, TINY, t.secondary) + 14
        self.text(x, y, "- - -  as eager runs it", TINY, t.secondary)


def _safe(words: str) -> str:
    return words.replace("\\", "\\\\")
