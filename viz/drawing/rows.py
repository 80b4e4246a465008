"""A hairpin (hairpin.py) as DOT, in which every place is given."""

from __future__ import annotations

from collections.abc import Sequence

from ..reading.parts import Around, Held, Part
from . import hairpin as at
from . import style
from .hairpin import Chip, Column, Hairpin
from .plate import Plate, Point, fit, width
from .style import Theme


class Rows(Plate):
    """The DOT text of a layout."""

    def __init__(self, h: Hairpin, theme: Theme):
        super().__init__(h.width, h.height, theme, "program")
        self.h = h
        self._title()
        for column, back in ((h.down, False), (h.up, True)):
            self._column(column, back)
        for chip in h.given:
            self._chip(at.EDGE, chip, h.chip)
        for chip in h.grads:
            self._chip(h.grads_left, chip, h.grad)
        self._updates()
        self._flow()
        self._returns()
        self._legend()

    def _title(self) -> None:
        t = self.t
        self.text(at.EDGE, at.EDGE + 10, self.h.account.name, 22, t.ink, bold=True)
        x = at.EDGE
        for number, words in self.h.facts:
            x += self.text(x, at.EDGE + 36, number, 12, t.ink, bold=True) + 5
            x += self.text(x, at.EDGE + 36, words, 12, t.secondary) + 16
        self.box(self.h.width / 2, at.EDGE + 50, self.h.width - 2 * at.EDGE, 1, t.module[1])

    # ---- rows ------------------------------------------------------------------------------------
    def _column(self, c: Column, back: bool) -> None:
        t = self.t
        for f in sorted(c.frames, key=lambda f: f.depth):
            inset = at.INSET * f.depth
            fill = style.mix(t.module[0], t.module[1], 0.08 * f.depth)
            x, wide, high = c.left + c.wide / 2, c.wide - 2 * inset, f.bottom - f.top
            loop = isinstance(f.what, Around)
            self.box(
                x,
                f.top + high / 2,
                wide,
                high,
                fill,
                t.ink if loop else t.module[1],
                1.2 if loop else 0.8,
                True,
                id=f"frame-{f.text}",
            )
            self.text(
                c.left + at.INSET * self.h.depth + at.STEM + 9,
                f.top + at.HEAD / 2 + 1,
                f.text,
                at.TINY,
                t.ink if loop else t.secondary,
                bold=loop,
            )
            if isinstance(f.what, Around):
                self._badge(c.right - inset - 7, f.top + at.HEAD / 2 + 1, f"× {f.what.count}")
        for placed in c.rows:
            self._row(c, placed, back)

    def _badge(self, right: float, y: float, words: str) -> None:
        wide = width(words, at.TINY, True)
        self.box(right - wide / 2 - 4, y, wide + 9, at.TINY + 3.5, self.t.ink, round=True)
        self.text(right - wide - 4, y - 0.5, words, at.TINY, self.t.background, bold=True)

    def _row(self, c: Column, placed: at.Placed, back: bool) -> None:
        t, p = self.t, placed.part
        inset = at.INSET * self.h.depth
        left, wide = c.left + inset, c.wide - 2 * inset
        if placed.said:
            self.text(
                left + at.STEM + 9,
                placed.y - placed.high / 2 - at.LINE / 2,
                fit(placed.said, at.TINY, wide - 2 * at.STEM),
                at.TINY,
                t.secondary,
            )
        line = t.gradient if back else t.roles["intermediate"][1]
        fill = (
            t.roles["average"][0]
            if back and p.kind == "loop"
            else (t.op[0] if p.kind == "loop" else t.background)
        )
        self.box(
            left + wide / 2,
            placed.y,
            wide,
            placed.high,
            fill,
            line,
            1.8 if p.kind == "loop" else 1,
            dashed=p.kind == "kernel",
            id=f"part-{p.number}",
            tooltip=self._tip(p),
        )
        for k, line_of_c in enumerate(p.code):
            y = placed.y + at.CODE * (k - (len(p.code) - 1) / 2)
            self.text(left + 8, y, fit(line_of_c, at.SMALL, wide - 14), at.SMALL, t.ink)
        if p.code:
            return
        self.text(left + 6, placed.y, p.kind, at.TINY, line if back else t.secondary)
        ops, reads, makes = self.h.words(p)
        made = fit(makes, at.SMALL, wide * 0.55)
        room = wide - at.TAG - width(made, at.SMALL) - 22
        x = left + at.TAG
        ops = fit(ops, at.TEXT, room, True)
        x += self.text(x, placed.y, ops, at.TEXT, t.ink, bold=True) + 7
        self.text(
            x,
            placed.y,
            fit(reads, at.SMALL, left + wide - 16 - width(made, at.SMALL) - x) if reads else "",
            at.SMALL,
            t.secondary,
        )
        self.text(
            left + wide - 6,
            placed.y,
            made,
            at.SMALL,
            t.gradient if back else t.secondary,
            right=True,
        )

    @staticmethod
    def _tip(p: Part) -> str:
        """What a viewer shows under the pointer: the text in C."""
        return "\n".join(p.lines[:40]).replace("\\", "\\\\") or " "

    def _chip(self, left: float, chip: Chip, wide: float) -> None:
        t = self.t
        fill, line = t.roles[
            "average"
            if chip.role == "gradient"
            else "parameter"
            if chip.role == "parameter"
            else "constant"
            if chip.role == "constant"
            else "data"
        ]
        dashed = chip.role in ("data", "constant")
        self.box(
            left + wide / 2,
            chip.y,
            wide,
            chip.height,
            fill,
            line,
            2.2 if chip.role == "parameter" else 1.1,
            True,
            dashed,
        )
        for k, h in enumerate(chip.arrays):
            y = chip.y - chip.height / 2 + 2 + at.CHIP * (k + 0.5)
            self.text(
                left + 6,
                y,
                h.name + at.sign_of(h, chip),
                at.SMALL,
                t.ink if chip.role != "gradient" else t.gradient,
                bold=chip.role == "parameter",
            )
            self.text(left + wide - 6, y, str(h), at.SMALL, t.secondary, right=True)

    # ---- updates ---------------------------------------------------------------------------------
    def _updates(self) -> None:
        """The optimizer's parts, as high as the gradients that they read."""
        h, t = self.h, self.t
        fill, line = t.roles["parameter"]
        for p, top, high in h.optimizer:
            y, x = top + high / 2, h.update_left + 8
            self.box(
                h.update_left + h.update / 2,
                y,
                h.update,
                high - 6,
                fill,
                line,
                1.8 if p.kind == "loop" else 1.1,
                dashed=p.kind == "kernel",
                id=f"part-{p.number}",
                tooltip=self._tip(p),
            )
            lines = h.update_lines(p)
            for i, (words, size, bold) in enumerate(lines):
                line_y = y + 15 * (i - (len(lines) - 1) / 2)
                words = fit(words, size, h.update - 16, bold)
                self.text(x, line_y, words, size, t.ink if bold else t.secondary, bold=bold)
        for chip in h.grads:
            for p, top, high in h.optimizer:
                if chip.arrays[0] in p.reads:
                    end = min(max(chip.y, top + 8), top + high - 14)
                    self._bent(h.grads_left + h.grad, chip.y, h.update_left, end, t.gradient)

    # ---- lines -----------------------------------------------------------------------------------
    def _go(self, corners: Sequence[Point], colour: str, bold: float = 1.2) -> None:
        self.path(corners, colour, bold)

    def _flow(self) -> None:
        h, t = self.h, self.t
        inset = at.INSET * h.depth
        for a, b, _ in h.straight:
            c = h.down if h.account.parts[a].phase == "forward" else h.up
            up = c is h.up
            x = c.left + inset + at.STEM
            y0, y1 = h.place[a].y, h.place[b].y
            sign = 1 if y1 > y0 else -1
            self._go(
                [(x, y0 + sign * h.place[a].high / 2), (x, y1 - sign * h.place[b].high / 2)],
                t.gradient if up else t.edge,
                1.6,
            )
        for (maker, held), to in h.along["down"].items():
            lane = h.down.left - 10 - at.LANE * h.lane["down"][maker, held]
            self._lane(
                h.down.left + inset,
                lane,
                h.place[maker].y + 3,
                [h.place[n].y - 3 for n in to],
                t.edge,
            )
        for (key, held), to in h.again.items():
            lane = h.down.left - 10 - at.LANE * h.lane["down"][key, held]
            y = self._beside(held)
            self._lane(
                at.EDGE + h.chip,
                lane,
                y,
                [h.place[n].y - 3 for n in to],
                t.edge,
                h.down.left + inset,
            )
        for (maker, held), to in h.along["up"].items():
            lane = h.up.right + 10 + at.LANE * h.lane["up"][maker, held]
            self._lane(
                h.up.right - inset,
                lane,
                h.place[maker].y - 3,
                [h.place[n].y + 3 for n in to],
                t.gradient,
            )
        for (maker, held), to in h.along["across"].items():
            lane = h.across + at.LANE * (h.lane["across"][maker, held])
            self._lane(
                h.down.right - inset,
                lane,
                h.place[maker].y,
                [h.place[n].y for n in to],
                t.edge,
                h.up.left + inset,
            )
        for held, to in h.fed.items():
            y = self._beside(held)
            end = h.place[to[0]].y
            end += 4 if y > end + 4 else 0
            turn = at.EDGE + h.chip + 7
            corners = (
                [(at.EDGE + h.chip, y), (h.down.left + inset, y)]
                if abs(y - end) < 0.6
                else [(at.EDGE + h.chip, y), (turn, y), (turn, end), (h.down.left + inset, end)]
            )
            self._go(corners, t.roles["parameter"][1] if held.role == "parameter" else t.edge)
        for chip in h.grads:
            start = h.up.right - inset
            self._bent(start, h.place[chip.part].y, h.grads_left, chip.y, t.gradient)

    def _bent(self, x0: float, y0: float, x1: float, y1: float, colour: str) -> None:
        """To the right, and up or down shortly before the end."""
        turn = [(x1 - 9, y0), (x1 - 9, y1)] if abs(y0 - y1) > 0.6 else []
        self._go([(x0, y0), *turn, (x1, y1)], colour)

    def _beside(self, held: Held) -> float:
        for chip in self.h.given:
            if held in chip.arrays:
                return chip.y - chip.height / 2 + 2 + at.CHIP * (chip.arrays.index(held) + 0.5)
        return 0.0

    def _lane(
        self,
        start: float,
        lane: float,
        y: float,
        ends: Sequence[float],
        colour: str,
        stop: float | None = None,
    ) -> None:
        for end in ends:
            x = start if stop is None else stop
            if abs(end - y) < 0.6:
                self._go([(start, y), (x, y)], colour)
            else:
                self._go([(start, y), (lane, y), (lane, end), (x, end)], colour)

    def _returns(self) -> None:
        h, t = self.h, self.t
        x = h.down.left
        y = h.bottom - at.CHIP / 2 + 2
        fill, line = t.roles["loss"]
        for held in h.returns:
            words = f"{held.name}  {held}"
            wide = width(words, at.SMALL, True) + 70
            self.box(x + wide / 2, y, wide + 5, at.CHIP + 9, t.background, line, 1.1, True)
            self.box(
                x + wide / 2,
                y,
                wide,
                at.CHIP + 4,
                fill,
                line,
                1.1,
                True,
                id=f"returned-{held.name}",
            )
            self.text(x + 8, y, "returned", at.TINY, t.secondary)
            self.text(x + 56, y, words, at.SMALL, t.ink, bold=True)
            x += wide + 14

    def _legend(self) -> None:
        h, t = self.h, self.t
        y, x = h.height - 16, at.EDGE
        for kind, words in (
            ("loop", "one loop of C: its ops are fused"),
            ("call", "a call of a C function"),
            ("kernel", "a kernel that Python calls"),
            ("parts", "several, in turn"),
        ):
            if all(p.kind != kind for p in h.account.parts):
                continue
            kind = "call" if kind == "parts" else kind
            self.box(
                x + 9,
                y,
                18,
                11,
                t.op[0] if kind == "loop" else t.background,
                t.roles["intermediate"][1],
                1.8 if kind == "loop" else 1,
                dashed=kind == "kernel",
            )
            x += 24
            x += self.text(x, y, words, at.TINY, t.secondary) + 14
        said = []
        if any(p.phase == "backward" for p in h.account.parts):
            said.append(("backward goes up", t.gradient))
        if any(a.changed for a in h.account.arrays):
            said.append(("↺ changed by the program", t.secondary))
        for words, ink in said:
            x += self.text(x, y, words, at.TINY, ink) + 14
