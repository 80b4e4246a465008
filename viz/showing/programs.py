"""``step`` of a compiled function: its program part by part, beside its C and its memory.

One step is one part of the program: a loop of C, a call, or a kernel. The page shows three things
at once, the picture of the program, the lines of the C file and the memory plan, and the step in
each of them; a terminal shows the parts, the lines and what is held.
"""

from __future__ import annotations

import html
import os
import re
import sys
import textwrap
from typing import Any, TypeAlias

from ..drawing import onefile, style
from ..drawing.hairpin import Hairpin, spoken
from ..drawing.program import ProgramPicture, counted
from ..drawing.render import render
from ..drawing.rows import Rows
from ..drawing.saved import suffix_of, write
from ..drawing.shelves import Shelves
from ..reading.compiled import account, compiled_of, kernel_source
from ..reading.folding import folded
from ..reading.numbers import size_of
from ..reading.parts import Account, Part
from ..reading.places import Places, places_of, shorter
from ..telling.words import cut, printable
from .terminal import has_keys, raw_keys

FORMATS = ("html", "txt")
KEYS = "←/→ step   b backward   u update   x quit"
LONG = 150  # parts that a page shows one by one
# styles, fonts, hints and names that the page has or does not need; decimals of places
SPARED = re.compile(
    r' (?:style|font-family|xlink:title)="[^"]*"| text-anchor="start"|<!--.*?-->\n'
    r'|<title>[^<]*</title>\n| id="(?:node|edge|a_)[^"]*"|(?<=\.\d)\d+(?=[ ,"])'
)
# the box of a text, which has neither line nor filling
UNSEEN = re.compile(r'<polygon fill="none" stroke="[^"]*" stroke-width="0" points="[^"]*"/>\n')
COLOUR = re.compile(r'(?<==")(#[0-9A-Fa-f]{6})(?=")')
Colours: TypeAlias = tuple[str, str]
SHOWN = 9  # lines of C on a screen


class ProgramStepper:
    """``run()`` in a terminal, ``frames()``, ``save("program.html")`` for a browser."""

    def __init__(self, account: Account, places: Places | None = None):
        self.account = account
        self.places = places_of(account) if places is None else places
        self.where = lines_of(account)

    def __len__(self) -> int:
        return len(self.account.parts)

    # ---- terminal --------------------------------------------------------------------------------
    def frames(self, width: int = 80, height: int = 24) -> list[str]:
        """The terminal screens, first to last."""
        return [self.frame(k, width, height) for k in range(len(self))]

    def frame(self, step: int, width: int = 80, height: int = 24) -> str:
        """The screen at a step: the parts around it, its text in C, what is held."""
        parts, now = self.account.parts, self.account.parts[step]
        lines = [f" step {step + 1}/{len(parts)}  {now.phase.upper()}   {now.said}", "─" * width]
        c = textwrap.dedent("\n".join(now.lines)).splitlines()
        c = c[:SHOWN] + ["…"] * (len(c) > SHOWN)
        space = max(3, height - len(lines) - len(c) - 4)
        first = max(0, min(step - space // 2, len(parts) - space))
        for k, p in enumerate(parts[first : first + space], first):
            around = f" × {p.around.count}" if p.around is not None else ""
            does = (spoken(p.ops) or " ".join(p.code)) + around
            gives = ", ".join([f"{h.name} {h}" for h in p.makes] or [h.name for h in p.writes])
            left = f"{'▶' if k == step else ' '}{k + 1:>3}  {p.kind:<6} {does}"
            room = width - min(len(gives), width // 3) - 3
            lines.append(f"{cut(printable(left), room):<{room}}  {cut(gives, width // 3)}".rstrip())
        where = f"{now.function}() in C" if now.function else "Python calls a kernel"
        lines += ["─" * width, f" {where}:", *[f"   {printable(x)}" for x in c], self.held(step)]
        return "\n".join(cut(x, width) for x in [*lines, f" {KEYS}"])

    def held(self, step: int) -> str:
        """What is held at a step, in a line."""
        if self.places is None:
            return ""
        now, most = self.places.held[step], max(self.places.held)
        bar = "█" * round(20 * now / max(most, 1))
        return f" {bar:░<20} {size_of(now)} held, {size_of(most)} at most"

    def run(self) -> None:
        """Step with the keyboard; where there is no terminal, print all screens."""
        if not has_keys():
            print(("\n" + "─" * 80 + "\n").join(self.frames()))
            return
        phases = [p.phase for p in self.account.parts]
        at, last = 0, len(self) - 1
        with raw_keys() as key:
            while True:
                size = os.get_terminal_size()
                screen = self.frame(at, size.columns - 1, size.lines - 1)
                sys.stdout.write("\x1b[2J\x1b[H" + screen.replace("\n", "\r\n"))
                sys.stdout.flush()
                pressed = key()
                if pressed in ("x", "\x03", "\x04", ""):
                    sys.stdout.write("\r\n")
                    return
                moves = {"left": at - 1, "pageup": at - 1, "home": 0, "end": last}
                moves |= dict.fromkeys(("right", " ", "\r", "pagedown"), at + 1)
                for letter, phase in (("b", "backward"), ("u", "update")):
                    moves[letter] = phases.index(phase) if phase in phases else at
                at = max(0, min(last, moves.get(pressed, at)))

    # ---- files -----------------------------------------------------------------------------------
    def save(self, path: str | os.PathLike[str]) -> str:
        """Write all steps: ``.html``, a page for any browser, or ``.txt``. Returns the path."""
        fix = "a picture of the program: viz.draw(f).save(...)"
        if suffix_of(path, FORMATS, fix) == "html":
            return write(path, self.page())
        return write(path, ("\n" + "─" * 80 + "\n").join(self.frames()) + "\n")

    def page(self) -> str:
        """The page; RenderError without Graphviz. A long program is folded there."""
        if len(self) > LONG:
            folds, _ = folded(self.account, LONG // 2)
            short = None if self.places is None else shorter(self.places, LONG)
            return ProgramStepper(folds, short)._page()
        return self._page()

    def _page(self) -> str:
        script = onefile.script("program.js")
        data, colours = self.data()
        look = onefile.look("program.css", pairs=colours)
        return onefile.page("program.html", self.account.name, data, script, look)

    def data(self) -> tuple[dict[str, Any], list[Colours]]:
        """What the page is told, and the colours of its pictures: of a light page, of a dark one.
        """
        facts = counted(self.account)
        kernels = dict[str, int]()
        steps = [self.step(p, kernels) for p in self.account.parts]
        bands = [] if self.places is None else self.places.bands
        themes, colours = (style.LIGHT, style.DARK), dict[Colours, int]()
        light, dark = (_svg(Rows(Hairpin(self.account, facts), t).g.source) for t in themes)
        drawn = [_in_both(light, dark, colours)]
        if self.places is not None:
            plans = (Shelves(self.places, t, in_page=True) for t in themes)
            light, dark = (_svg(str(plan.g.source)) for plan in plans)
            drawn.append(_in_both(light, dark, colours))
        data = {
            "name": self.account.name,
            "c": self.account.c,
            "drawn": drawn,
            "steps": steps,
            "kernels": [*kernels],
            "rects": [[r.name, r.first, r.last] for b in bands for r in b.rects],
        }
        return data, [*colours]

    def step(self, p: Part, kernels: dict[str, int]) -> dict[str, Any]:
        """A part, as the page needs it. ``kernels``: the texts of kernels so far."""
        does = spoken(p.ops) or " ".join(p.code)
        around = f", {p.around.count} times" if p.around is not None else ""
        where = f"{p.kind} in {p.function}()" if p.function else "a kernel that Python calls"
        return {
            "phase": p.phase,
            "does": does,
            "about": where + around,
            "said": p.said,
            "lines": self.where[p.number],
            "kernel": None if p.function else kernels.setdefault(kernel_source(p), len(kernels)),
            "held": self.held(p.number).strip("█░ "),
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the page in a frame; where frames are taken out, the picture."""
        bundle = ProgramPicture(self.account)._repr_mimebundle_() | {"text/plain": repr(self)}
        if "image/svg+xml" in bundle:
            frame = html.escape(self.page())
            look = "width:100%;height:720px;border:1px solid #9AA3AF;background:#fff"
            bundle["text/html"] = (
                f'<iframe sandbox="allow-scripts" style="{look}" title="program, step by step" '
                f'srcdoc="{frame}"></iframe>'
            )
        return bundle

    def __repr__(self) -> str:
        ways = ".run() in a terminal, .save('program.html') for a browser"
        return f"<ProgramStepper of {len(self)} parts; {ways}>"


def step_program(f: object) -> ProgramStepper | None:
    """The stepper of what a compiled function runs; None for anything else."""
    return None if compiled_of(f) is None else ProgramStepper(account(f, "step"))


def lines_of(account: Account) -> list[list[int]]:
    """The lines of the C file in which each part stands, counted from 0; none for a kernel."""
    starts: list[int] = []  # of each character that counts, the line
    text = ""
    for n, line in enumerate(account.c.splitlines()):
        plain = re.sub(r"\s", "", line)
        text += plain
        starts += [n] * len(plain)
    found: list[list[int]] = []
    at = 0
    for p in account.parts:
        mine: set[int] = set()
        for line in p.lines if p.function else ():
            code = re.sub(r"\s", "", line)
            i = text.find(code, at) if code else -1
            if i >= 0:
                mine.update(starts[i : i + len(code)])
                at = i + len(code) if not code.startswith("/*") else at
        found.append(sorted(mine))
    return found


def _svg(source: str) -> str:
    """A picture as an element of a page, without what the page says or does not need."""
    svg = render(source, "svg").decode()
    return UNSEEN.sub("", SPARED.sub("", svg[svg.index("<svg") :]))


def _in_both(light: str, dark: str, colours: dict[Colours, int]) -> str:
    """Two pictures that differ in their colours only as one, in which a colour is a variable."""
    parts = [(COLOUR.split(picture)) for picture in (light, dark)]
    out = []
    for i, (a, b) in enumerate(zip(*parts, strict=True)):
        out.append(f"var(--c{colours.setdefault((a, b), len(colours))})" if i % 2 else a)
    return "".join(out)
