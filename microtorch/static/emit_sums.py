"""Sums as loops of C."""
from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from .c_text import counting, plus
from .functions import named
from .statements import C_TYPES, row_major

if TYPE_CHECKING:
    from ..base.types import Shape
    from .c_text import Lies
    from .emit_places import Places
    from .statements import Sum

FEW = 1024  # numbers whose sum need not be vector code

def total(e: Places, s: Sum) -> None:
    """A sum: of each element that stays, or where neighbours stay, of a row of them at a time.
    """
    value, shape = e.program.values[s.result], e.program.values[s.operand].shape
    out, kind = e.new(s.result), C_TYPES[value.dtype.name]
    if in_a_row(e, s, out):
        return
    seen = e.places[s.operand]
    dims, sizes, steps = merged(shape, seen.strides, s.dims)
    kept = [i for i in sizes if i not in dims]
    index = {i: f"i{i}" for i in sizes}
    x = f"{seen.name}[{seen.at([*index.values()], [steps[i] for i in sizes])}]"
    strides = dict(zip(kept, row_major(tuple([sizes[i] for i in kept])), strict=True))
    e.comment([s])
    width = sizes[kept[-1]] if kept else 1
    aside = bool(kept and dims) and kept[-1] > dims[-1] and width <= 1024
    row = kept[-1] if aside else -1
    lines, depth = [], 0
    for i in kept[: -1 if aside else None]:
        lines.append("    " * depth + counting(index[i], sizes[i]))
        depth += 1
    if not depth:
        lines, depth = ["{"], 1
    tab = "    " * depth
    lines.append(f"{tab}double total{f'[{width}] = {{0}}' if aside else ' = 0'};")
    for k, i in enumerate([*dims, *([row] if aside else [])]):
        mark = "ADDED_UP " * (not aside and k == len(dims) - 1)
        lines.append(tab + "    " * k + mark + counting(index[i], sizes[i]).removesuffix(" {"))
    inner = tab + "    " * (len(dims) + aside)
    lines.append(f"{inner}total{f'[{index[row]}]' if aside else ''} += {x};")
    place = f"{out.name}[{out.at([index[i] for i in kept], [strides[i] for i in kept])}]"
    over = "" if s.divisor == 1 else f" / {s.divisor}"
    if aside:
        lines.append(tab + counting(index[row], width).removesuffix(" {"))
        lines.append(f"{tab}    {place} = ({kind})(total[{index[row]}]{over});")
    else:
        lines.append(f"{tab}{place} = ({kind})(total{over});")
    e.lines += [*lines, *["    " * k + "}" for k in reversed(range(depth))]]


def merged(
    shape: Shape, strides: Shape, dims: Shape
) -> tuple[list[int], dict[int, int], dict[int, int]]:
    """The dimensions that are added up, of which neighbours are one where they lie so; and size and
    stride of each that is left, but for those of size 1."""
    sizes = {i: n for i, n in enumerate(shape) if n > 1}
    steps = {i: strides[i] for i in sizes}
    for i, j in reversed([*pairwise(sizes)]):
        if i in dims and j in dims and steps[i] == steps[j] * sizes[j]:
            sizes[i], steps[i] = sizes[i] * sizes.pop(j), steps[j]
    return [i for i in sizes if i in dims], sizes, steps


def in_a_row(e: Places, s: Sum, out: Lies) -> bool:
    """A sum of all that lies in a row, or of rows that do; False: it is neither."""
    value, shape = e.program.values[s.result], e.program.values[s.operand].shape
    seen, kind = e.places[s.operand], C_TYPES[value.dtype.name]
    size, columns = math.prod(shape), math.prod(value.shape)
    if seen.strides != row_major(shape):
        return False
    if len(s.dims) == len(shape) and size > FEW:
        over = "" if s.divisor == 1 else f" / {s.divisor}"
        e.comment([s])
        e.lines += [
            "{", "    double total = 0;",
            f"    ADDED_UP {counting('i', size).removesuffix(' {')}",
            f"        total += {seen.name}[{seen.at(['i'], [1])}];",
            f"    {out.name}[{out.at()}] = ({kind})(total{over});", "}",
        ]  # fmt: skip
        return True
    if (s.divisor == 1 or columns == 1) and s.dims == (*range(len(s.dims)),) and columns <= 1024:
        e.call("rows_sum", value.dtype)
        e.comment([s])
        given = f"{size // columns}, {columns}, {e.pointer(s.operand)}, {columns}"
        called = f"{named('rows_sum', value.dtype.name)}({given}"
        e.lines.append(f"{called}, {plus(out.name, out.at())});")
        if s.divisor != 1:
            e.lines.append(f"{out.name}[{out.at()}] /= {s.divisor};")
        return True
    return False
