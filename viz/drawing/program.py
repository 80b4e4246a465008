"""``draw`` of a compiled function: the program that it runs as one picture."""

from __future__ import annotations

from collections import Counter

from ..reading.alike import alike
from ..reading.compiled import account, compiled_of
from ..reading.folding import folded
from ..reading.parts import Account
from . import hairpin as at
from . import style
from .hairpin import Hairpin
from .options import Options
from .rows import Rows
from .saved import Printed


class ProgramPicture(Printed):
    """A drawn program. ``save(path)`` picks the format by suffix; a notebook shows the SVG.

    ``.account``: its parts and arrays; ``print`` writes them as a list.
    """

    def __init__(self, account: Account, theme: str = "light", depth: int | None = None):
        self.account, self.theme, self.depth = account, style.theme(theme), depth

    @property
    def source(self) -> str:
        """The DOT text, in which every place is given."""
        drawn = self.account
        if self.depth is None and max(Counter(p.phase for p in drawn.parts).values()) > at.ROWS:
            drawn = alike(drawn)
        if self.depth is None or self.depth < 1:
            drawn, _ = folded(drawn, at.ROWS, self.depth == 0)
        layout = Hairpin(drawn, facts=counted(self.account))
        return str(Rows(layout, self.theme).g.source)

    def __str__(self) -> str:
        lines = [facts_of(self.account)]
        for p in self.account.parts:
            where = f"{p.function}: " if p.function else ""
            around = f" (× {p.around.count})" if p.around is not None else ""
            does = " · ".join(p.ops) or " ".join(p.code)
            gives = ", ".join([f"{h.name} {h}" for h in p.makes] or [h.name for h in p.writes])
            head = f"{p.number:>3} {p.phase:<8} {p.kind:<6}"
            result = f" → {gives}" if gives else ""
            lines.append(f"{head} {where}{does}{around}{result}  # {p.where}")
        return "\n".join(lines)

    __repr__ = __str__


def program(f: object, options: Options) -> ProgramPicture | None:
    """The program of a compiled function, drawn; None for anything else.

    TypeError for options that are of graphs; RuntimeError where there is no program as yet.
    """
    if compiled_of(f) is None:
        return None
    plain = Options(theme=options.theme, depth=options.depth)
    if options != plain:
        others = [k for k in vars(plain) if getattr(options, k) != getattr(plain, k)]
        raise TypeError(
            f"draw(): {', '.join(others)} is of graphs; a program takes theme and depth"
        )
    return ProgramPicture(account(f, "draw"), options.theme, options.depth)


def facts_of(account: Account) -> str:
    """How many of what, in a line."""
    return f"{account.name}: " + ", ".join(f"{n} {word}" for n, word in counted(account))


def counted(account: Account) -> list[tuple[str, str]]:
    """How many steps, loops, calls, kernels and functions."""
    kinds = [p.kind for p in account.parts]
    functions = {p.function for p in account.parts if p.function}
    found = [
        (account.steps, "recorded step"),
        (kinds.count("loop"), "loop"),
        (kinds.count("call") + kinds.count("check"), "call of C"),
        (kinds.count("kernel"), "kernel that Python calls"),
        (len(functions), "function of C"),
    ]
    words = {
        "call of C": "calls of C",
        "kernel that Python calls": "kernels that Python calls",
        "function of C": "functions of C",
    }
    said = [(f"{n:,}", word if n == 1 else words.get(word, f"{word}s")) for n, word in found if n]
    if account.programs > 1:
        said.append(("the last", f"of {account.programs} programs"))
    return said
