"""Rows of words as aligned columns."""
from __future__ import annotations

from collections.abc import Collection, Sequence


def columns(
    rows: Sequence[Sequence[str]], left: Collection[int] = (0,), between: str = "  "
) -> list[str]:
    """A line for each row. Columns whose numbers are in ``left`` start together, others end so."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        between.join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """The same between rules, the first row as the head."""
    head, *lines = columns(rows, left)
    rule = "-" * max(map(len, (head, *lines)))
    return "\n".join([rule, head, rule, *lines, rule])
