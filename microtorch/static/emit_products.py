"""Products of matrices, as calls of the functions of c/products.c."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .c_text import counting, plus
from .emit_places import TILE
from .functions import named
from .statements import C_TYPES, row_major

if TYPE_CHECKING:
    from ..base.types import Shape
    from .emit_places import Places
    from .statements import Product

NARROW = 8  # columns of a product below which its tiles would be nearly empty
DOT = 5  # what a sum along a row costs besides, in steps of a tile


def product(e: Places, s: Product) -> None:
    """A product: its tiles, or where a row of y does not lie together, y first laid out."""
    values, d = e.program.values, e.program.values[s.result].dtype
    shape, kind = values[s.result].shape, C_TYPES[d.name]
    a, b = (matrix(e, n, s.step.name) for n in (s.x, s.y))
    (*batch, m, n), _ = a
    inner, rows = (m, n) if s.x_turned else (n, m)
    columns = b[0][-2] if s.y_turned else b[0][-1]
    xi, xk = a[1][-2:][:: -1 if s.x_turned else 1]
    yk, yj = b[1][-2:][:: -1 if s.y_turned else 1]
    out = e.new(s.result)
    e.comment([s])
    index = [f"i{k}" for k in range(len(batch))]
    for k, size in enumerate(batch):
        e.lines.append("    " * k + counting(index[k], size))
    tab = "    " * len(batch)
    x, y, bias, to = (
        begins(e, s.x, index, a[1]), begins(e, s.y, index, b[1]),
        "NULL" if s.bias is None else e.pointer(s.bias),
        plus(out.name, out.at(index, row_major(tuple(shape))[: len(batch)])),
    )  # fmt: skip
    rows_, d_ = f"({kind} *)rows", d.name
    small, sizes = columns < NARROW, f"{rows}, {columns}, {inner}"

    def say(name: str, *given: object) -> None:
        e.call(name, d)
        e.lines.append(f"{tab}{named(name, d_)}({', '.join(map(str, given))});")

    def turn(high: int, wide: int, row: int, column: int, room: int) -> None:
        """y as an array that lies row by row."""
        e.turned = max(e.turned, high * room * d.itemsize)
        say("turned", high, wide, y, row, column, rows_, room)

    if small and xi == 1 and rows >= TILE and s.bias is None:  # the product turned
        e.turned = max(e.turned, rows * columns * d.itemsize)
        say("product", columns, rows, inner, y, yj, yk, x, xk, "NULL", rows_)
        say("turned", rows, columns, rows_, 1, rows, to, columns)
    elif columns * (inner // TILE + DOT) < inner:
        if yk != 1:
            turn(columns, inner, yj, yk, inner)
            y, yj = rows_, inner
        say("dots", sizes, x, xi, xk, y, yj, bias, to)
    else:
        room = max(columns, TILE)
        if yj != 1 or columns < TILE:
            turn(inner, columns, yk, yj, room)
            y, yk = rows_, room
        say("product", sizes, x, xi, xk, y, yk, bias, to)
    for k in reversed(range(len(batch))):
        e.lines.append("    " * k + "}")


def matrix(e: Places, n: int, name: str) -> tuple[Shape, Shape]:
    """Shape and strides of an operand; of ``linear``, all dimensions but the last are rows."""
    shape, strides = e.program.values[n].shape, e.places[n].strides
    if name.startswith("linear") and len(shape) != 2:
        return (math.prod(shape[:-1]), shape[-1]), (shape[-1], 1)
    return shape, strides


def begins(e: Places, n: int, index: list[str], strides: Shape) -> str:
    place = e.places[n]
    return plus(place.name, place.at(index, strides[: len(index)]))
