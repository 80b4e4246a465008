"""Copies into parts of new arrays, as loops of C."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .c_text import counting, number
from .rounds import LEAST

if TYPE_CHECKING:
    from .c_text import Lies
    from .emit_places import Places
    from .statements import Copy


def copy(e: Places, s: Copy) -> None:
    out = e.new(s.result)
    if s.fill is None and not s.parts:  # it is made part by part
        return
    e.comment([s])
    if s.fill is not None:
        value = e.program.values[s.result]
        filled = f"    {out.name}[{out.at(['i'], [1])}] = {number(s.fill, value.dtype)};"
        e.lines += [counting("i", math.prod(value.shape)).removesuffix(" {"), filled]
    k = 0
    while k < len(s.parts):
        many, row, start = rows_copied(e, s, k)
        (n, place), tab = s.parts[k], "    " * (many > 1)
        opened, index, depth = e.loops(place.shape, False)
        opened[-1:] = [line.removesuffix(" {") for line in opened[-1:]]
        if many > 1:
            e.lines.append(counting("step", many))
        e.lines += [tab + line for line in opened]
        to = out._replace(start=out.start + place.start, moves=start or out.moves)
        old = e.places.get(n)
        e.places |= {} if row is None else {n: row}
        text = f"{to.name}[{to.at(index, place.strides)}] = {e.at(n, index, place.shape)};"
        e.places |= {} if old is None else {n: old}
        e.lines.append(tab + "    " * depth + text)
        e.lines += [tab + "    " * i + "}" for i in reversed(range(max(depth - 1, 0)))]
        e.lines += ["}"] * (many > 1)
        k += many


def rows_copied(e: Places, s: Copy, k: int) -> tuple[int, Lies | None, int]:
    """How many parts from the k-th one are rows of one array that go to places equally far
    apart; where they lie, and how far that is."""
    parts = s.parts[k:]
    rounds = e.places[s.result].moves  # there is a loop of this name already
    if len(parts) < LEAST or rounds or any(n not in e.rows for n, _ in parts[:2]):
        return 1, None, 0
    (n, a), (m, b) = parts[:2]
    rows = e.rows[n]
    if e.rows[m] is not rows or rows.turns:
        return 1, None, 0
    first, many = rows.members.index(n), 0
    step, far = rows.members.index(m) - first, b.start - a.start
    for i, (x, place) in enumerate(parts):
        row = first + i * step
        if not 0 <= row < len(rows.members) or rows.members[row] != x or (
            place[2:] != a[2:] or place.start != a.start + i * far
        ):  # fmt: skip
            break
        many += 1
    return (many, e.row(rows, first, step), far) if many >= LEAST else (1, None, 0)
