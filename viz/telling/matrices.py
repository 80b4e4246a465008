"""Small matrices as text: lines of aligned numbers in brackets."""

from __future__ import annotations

from typing import Any

from ..reading import numbers
from ..reading.trace import Value

ROWS, COLUMNS = 4, 6  # what a table has room for


def block(a: Value | None) -> list[str]:
    """The lines of an array of at most two dimensions; empty for a number and for what is large.

    A vector is one line.
    """
    full: Any = None if a is None else a.full
    if not isinstance(full, list) or not full:
        return []
    rows: list[list[Any]] = full if isinstance(full[0], list) else [full]
    if len(rows) > ROWS or any(not r or len(r) > COLUMNS for r in rows):
        return []
    if any(isinstance(v, list) for r in rows for v in r):
        return []
    cells = [[numbers.short(v) for v in r] for r in rows]
    widths = [max(len(r[k]) for r in cells) for k in range(len(cells[0]))]
    return [f"[{'  '.join(c.rjust(w) for c, w in zip(r, widths, strict=True))}]" for r in cells]
