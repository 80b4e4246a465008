"""Products of matrices, as calls of the functions of c/products.c."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .batches import Batch
from .c_text import counting, plus
from .functions import named
from .look import cheaper_turned
from .region import number_name
from .rounds import Rounds
from .statements import C_TYPES, TILE, Call, reads
from .templates import Rate, Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import Shape
    from .emit_places import Places
    from .statements import Lowered, Product

NARROW = 8  # columns of a product below which its tiles would be nearly empty
LARGE = 1 << 15  # numbers of a matrix that is worth a longer text to be turned
DOT = 5  # what a sum along a row costs, in steps of a tile, but for two loads of each 16 numbers


class Matrix(NamedTuple):
    """Where a matrix begins, ``name[at]``, and how far its next row and its next column are."""

    name: str
    at: str
    row: int
    column: int

    @property
    def begin(self) -> str:
        return plus(self.name, self.at)

    @property
    def turned(self) -> Matrix:
        return Matrix(self.name, self.at, self.column, self.row)

    def moved(self, *index: tuple[str, int]) -> str:
        terms = [i if far == 1 else f"{i} * {far}" for i, far in index if i != "0"]
        return " + ".join([self.at] * (self.at != "0") + terms) or "0"

    def element(self, *index: tuple[str, int]) -> str:
        """``name[at + i * far + ...]``."""
        return f"{self.name}[{self.moved(*index)}]"

    def along(self, *index: tuple[str, int]) -> str:
        """Where a row or a column begins."""
        return plus(self.name, self.moved(*index))


def updated(
    e: Places, s: Product, items: Sequence[Lowered | Rounds | Batch], i: int
) -> Call | None:
    """The call among ``items``, after the i-th, that can be made where the product is: a step of
    SGD without more, by the gradient that it is, if nothing before that step has to do with the
    weight or with the gradient. What clips it, or reads the weight as it was, comes between."""
    if not s.few or e.places[s.x].strides[-1] != 1:
        return None
    touched = {*reads(s)}  # a weight may be what its own layer is given
    for x in items[i + 1 :]:
        if isinstance(x, (Rounds, Batch)) or (isinstance(x, Call) and x.checks):
            return None
        if isinstance(x, Call) and x.function == "sgd" and x.operands[2] == Ref(s.result):
            weight, (_, decay, maximize) = x.operands[1], x.operands[3:]
            home = e.places[weight.number].name
            alone = home not in {e.places[n].name for n in touched if n in e.places}
            plain = not (decay or maximize or type(decay) is Rate)
            return x if alone and plain else None
        touched.update(reads(x))
        if s.result in touched:
            return None
    return None


def product(e: Places, s: Product, update: Call | None) -> None:
    """A product, or several of them in loops; of few, with the ``update`` by what it gives."""
    shape = e.program.values[s.result].shape
    out = e.new(s.result)
    strides = out.strides
    if s.flat:
        shape = math.prod(shape[:-1]), shape[-1]
        strides = (shape[-1], *strides)[-2:]
    *batch, rows, columns = shape
    index = [f"i{k}" for k in range(len(batch))]
    e.comment([s] if update is None else [s, update])
    for k, size in enumerate(batch):
        e.lines.append("    " * k + counting(index[k], size))
    (x, inner), (y, _) = (matrix(e, n, s, index) for n in (s.x, s.y))
    if s.x_turned:
        inner, x = rows_of(e, s.x, s), x.turned
    y = y.turned if s.y_turned else y
    to = Matrix(out.name, out.at(index, strides[:-2]), *strides[-2:])
    first, lines = len(e.lines), e.lines
    if to.column == 1:
        multiply(e, s, (rows, columns, inner), x, y, to, update)
    else:
        multiply(e, s, (columns, rows, inner), y.turned, x.turned, to.turned, update)
    lines[first:] = ["    " * len(batch) + line for line in lines[first:]]
    e.lines += ["    " * k + "}" for k in reversed(range(len(batch)))]


def matrix(e: Places, n: int, s: Product, index: list[str]) -> tuple[Matrix, int]:
    """An operand, and how many columns it has; of ``linear``, all dimensions but the last are rows.
    """
    shape, place = e.program.values[n].shape, e.places[n]
    strides = place.strides
    if s.flat and len(shape) != 2:
        strides = (shape[-1], 1)
    at = place.at(index[: len(strides) - 2], strides[:-2])
    return Matrix(place.name, at, *strides[-2:]), shape[-1]


def rows_of(e: Places, n: int, s: Product) -> int:
    shape = e.program.values[n].shape
    return math.prod(shape[:-1]) if s.flat else shape[-2]


def multiply(
    e: Places, s: Product, sizes: Shape, x: Matrix, y: Matrix, to: Matrix, update: Call | None
) -> None:
    """One product, row by row: its tiles, or where a row of y does not lie together, y first laid
    out. ``sizes``: rows, columns, and products that are added up."""
    d = e.program.values[s.result].dtype
    kind, (rows, columns, inner) = C_TYPES[d.name], sizes
    bias = "NULL" if s.bias is None else e.pointer(s.bias)
    apart = e.apart(kind)

    def say(name: str, *given: object) -> None:
        e.call(name, d)
        e.lines.append(f"{named(name, d.name)}({', '.join(map(str, given))});")

    def turn(high: int, wide: int, from_: Matrix, room: int) -> None:
        """A matrix as an array that lies row by row, in rows of ``room`` numbers."""
        e.turned = max(e.turned, high * room * d.itemsize)
        fours = from_.row == 1 and room == wide and not (high % 4 or wide % 4)
        if fours and high * wide >= LARGE:
            say("turned_fours", high, wide, from_.begin, from_.column, apart)
        else:
            say("turned", high, wide, from_.begin, from_.row, from_.column, apart, room)

    def put(from_: Matrix, by_rows: bool) -> None:
        """What came out, where it is to be, and the bias."""
        more = "" if s.bias is None else f" + {e.element(s.bias, 'j')}"
        loops = [counting("i", rows), counting("j", columns)]
        first, second = (x.removesuffix(" {") for x in (loops if by_rows else loops[::-1]))
        e.lines += [
            first, f"    {second}",
            f"        {to.element(('i', to.row), ('j', 1))} = "
            f"{from_.element(('i', from_.row), ('j', from_.column))}{more};",
        ]  # fmt: skip

    if s.few and x.row == 1:
        e.turned = max(e.turned, inner * (columns + rows) * d.itemsize + -(-inner // 64) * 8 * rows)
        weight, lr = ("NULL", "0") if update is None else (
            e.pointer(update.operands[1].number), number_name(e.region, update.operands[3])
        )  # fmt: skip
        say("product_of_few", *sizes, x.begin, x.column, y.begin, y.row, y.column, to.begin, to.row,
            apart, weight, lr)
    elif columns < NARROW and x.row == 1 and rows >= TILE and s.bias is None:  # the product turned
        e.turned = max(e.turned, rows * columns * d.itemsize)
        say("product", columns, rows, inner, y.begin, y.column, y.row, x.begin, x.column, "NULL",
            apart, rows)
        if to.row == columns:  # for `turned` fills up its rows
            say("turned", rows, columns, apart, 1, rows, to.begin, to.row)
        else:
            put(Matrix(apart, "0", 1, rows), True)
    elif columns * (2 * inner // TILE + DOT) < inner:  # each column of it
        room = columns * inner if y.row != 1 else 0
        if room:
            turn(columns, inner, y.turned, inner)
            y = Matrix(apart, "0", 1, inner)
        e.turned = max(e.turned, (room + 4 * rows) * d.itemsize)
        for j in map(str, range(columns)):
            say("dots", rows, inner, x.begin, x.row, x.column, y.along((j, y.column)),
                "0" if s.bias is None else e.element(s.bias, j), to.along((j, 1)), to.row,
                plus(apart, str(room)))
    elif columns < TILE:  # y filled up to a tile, and of what comes out the columns that are meant
        out = Matrix(apart, str(inner * TILE), TILE, 1)
        turn(inner, columns, y, TILE)
        e.turned = max(e.turned, (inner + rows) * TILE * d.itemsize)
        say("product", rows, TILE, inner, x.begin, x.row, x.column, apart, TILE, "NULL",
            out.begin, TILE)
        put(out, True)
    elif y.column != 1 and y.row == 1 and cheaper_turned(*sizes):
        out = Matrix(apart, str(inner * rows), 1, rows)
        turn(inner, rows, x.turned, rows)
        e.turned = max(e.turned, (inner + columns) * rows * d.itemsize)
        say("product", columns, rows, inner, y.begin, y.column, 1, apart, rows, "NULL", out.begin,
            rows)
        put(out, False)
    else:
        if y.column != 1:
            turn(inner, columns, y, columns)
            y = Matrix(apart, "0", columns, 1)
        say("product", *sizes, x.begin, x.row, x.column, y.begin, y.row, bias, to.begin, to.row)
