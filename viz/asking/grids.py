"""The zoom of the stepper's page: each cell's own arithmetic, ready to be walked through.

``viz.expand`` shows one element of an op. Here all of them are written out: for each element of the
output the sum that made it, for each element of an input the sum that is its gradient, and which
cells take part.
"""

from __future__ import annotations

from typing import TypeAlias, TypedDict

from ..reading.arithmetic import Arithmetic, Operand, place_of
from ..reading.spelling import spell_small_ops
from ..reading.trace import Trace
from ..telling import writing

Cell: TypeAlias = list[list[str] | list[list[int]]]  # the lines of its sum, and the cells in it


class Grid(TypedDict):
    """One op: the names of its operands; forward and, by operand, backward: a Cell per element.

    Elements are numbered in row-major order. The cells in a sum are listed per operand, and last
    those of the result's gradient.
    """

    ins: list[str]
    f: list[Cell]
    b: dict[int, list[Cell]]


def grids(trace: Trace, names: list[str]) -> dict[int, Grid]:
    """The grid of every tensor op that is small enough, by its node."""
    spell_small_ops(trace, names)
    arithmetic = trace.arithmetic or {}
    return {i: _grid(a, names[trace.top(i)]) for i, a in arithmetic.items()}


def _grid(a: Arithmetic, loss: str) -> Grid:
    forward = [
        _cell(a, a.result.called(place_of(k, a.result.shape)), cell)
        for k, cell in zip(a.result.at, a.result.cells, strict=True)
    ]
    back = {k: _gradients(a, x, loss) for k, x in enumerate(a.operands) if x.derivatives}
    return {"ins": [x.name for x in a.operands], "f": forward, "b": back}


def _gradients(a: Arithmetic, x: Operand, loss: str) -> list[Cell]:
    out: list[Cell] = []
    for k, d in zip(x.at, x.derivatives, strict=True):
        left = f"∂{loss}/∂{x.called(place_of(k, x.shape))}"
        if d is None:
            out.append([[f"{left} = 0: no gradient comes back"], []])
        else:
            out.append(_cell(a, left, d, "+" if x.uses > 1 else "", newest_first=True))
    return out


def _cell(a: Arithmetic, left: str, root: int, plus: str = "", newest_first: bool = False) -> Cell:
    lines = writing.equation(left, a, root, plus, newest_first)
    below = a.below(root)
    reads = [[k for k, cell in enumerate(x.cells) if cell in below] for x in a.operands]
    seeds = [k for k, cell in a.seeds.items() if cell in below]
    return [[line.strip() for line in lines], [*reads, seeds]]
