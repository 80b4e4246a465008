"""Cells of recurrent layers as calls of the functions of ``c/cells.c``: a table like calls.py."""
from __future__ import annotations

from .look import Look, Table, has_tables
from .statements import Lowered

cells = Table()
# operands that a cell overwrites or fills; the last ones of all are those
WRITTEN = {"lstm_cell": (0, 3, 4), "lstm_cell_vjp": (1, 5), "gru_cell": (0, 2, 4),
           "gru_cell_vjp": (0, 4, 5)}  # fmt: skip


@cells.entry(*(f"kernel {name}" for name in WRITTEN))
def _cell(s: Look) -> list[Lowered] | None:
    name, given = s.step.name, s.given
    if not s.rows(*given):
        return None
    h = given[4 if name in ("lstm_cell", "gru_cell") else 0]
    if not s.alone and has_tables(s.program.values[h.number]):
        return None
    rows, n = s.shape(h)
    writes = tuple([given[i] for i in WRITTEN[name]])
    return [s.call(name, rows, n, *given, writes=writes)]
