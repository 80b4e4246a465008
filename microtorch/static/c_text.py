"""Pieces of C text: numbers, functions of a dtype, the place of an element, lines."""
from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from ..notation import expr
from .elements import INTEGERS, LIBRARY
from .functions import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import DType, Shape


class Lies(NamedTuple):
    """Where a value's elements lie: ``name[start + i * strides[0] + ... + a * step]``, where ``a``
    is how much further each round of a loop begins; ``turns``: a row of two, used in turn;
    ``part``: which of several matrices it is."""

    name: str
    start: int
    strides: Shape
    moves: int = 0
    turns: str = ""
    part: str = ""

    def at(self, index: Sequence[str] = (), strides: Sequence[int] = ()) -> str:
        """An element's index."""
        terms = [i if s == 1 else f"{i} * {s}" for i, s in zip(index, strides, strict=True) if s]
        far, start = abs(self.moves), self.start
        if far and start % far == 0:  # a row: of this round, or so many before or after
            k = start // far
            row = "step" if k == 0 else f"step {'+-'[k < 0]} {abs(k)}"
            row = f"{k} - step" if self.moves < 0 else row
            row = f"({row})" if row != "step" else row
            terms.append(f"{far} * {row}" if far > 1 else row)
        elif start:
            terms.append(str(start))
        terms += [x for x in (self.turns, self.part) if x]
        text = " + ".join(terms)
        if far and start % far:
            text += f" {'-+'[self.moves > 0]} {far} * step"
        return text or "0"


def dialect(d: DType) -> expr.Dialect:
    """C for one dtype: ``tanh`` is called ``fast_tanh`` for float, for one."""
    kind = d.name if d.name == "float32" else "float64"
    names = INTEGERS if d.kind in "iu" else {**LIBRARY, "remainder": "remainder_"}
    return expr.Dialect(
        call=lambda name, a: f"{named(names.get(name, name), kind)}({', '.join(a)})",
        where=lambda c, a, b: f"({c} ? {a} : {b})",
        power=lambda a, b: f"{named('pow', kind)}({a}, {b})",
        number=lambda v: number(v, d),
    )


def number(v: float, d: DType) -> str:
    """A Python number as a C constant of a dtype."""
    if d.kind in "iu":
        return str(int(v)) if v >= 0 else f"({int(v)})"
    if math.isnan(v):
        return "NAN"
    if math.isinf(v):
        return "INFINITY" if v > 0 else "(-INFINITY)"
    text = repr(float(v)) + ("f" if d.name == "float32" else "")
    return text if v >= 0 else f"({text})"


def bare(text: str) -> str:
    """An expression without brackets around all of it, or around all of an argument."""
    gone: set[int] = set()
    opened: list[int] = []
    for j, c in enumerate(text):
        if c == "(":
            opened.append(j)
        elif c == ")":
            i = opened.pop()
            begins = i == 0 or text[i - 1] == "(" or text[i - 2 : i] == ", "
            ends = j == len(text) - 1 or text[j + 1] in ",)"
            if begins and ends:
                gone |= {i, j}
    return "".join(c for i, c in enumerate(text) if i not in gone)


def wrapped(text: str, tab: int = 4) -> str:
    """A line of C, ``tab`` further in, as lines that are short enough."""
    space = " " * (tab + len(text) - len(text.lstrip()))
    more = " * " if text.lstrip().startswith("/*") else "    "
    return textwrap.fill(text.strip(), 96, initial_indent=space, subsequent_indent=space + more,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def counting(name: str, n: int) -> str:
    return f"for (int {name} = 0; {name} < {n}; {name}++) {{"


def plus(name: str, at: str) -> str:
    return name if at == "0" else f"{name} + {at}"
