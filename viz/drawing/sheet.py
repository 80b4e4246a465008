"""The layout of a poster: rows in columns, frames around blocks, and a rail of what flows where.

Each innermost layer is a row. Left of the rows runs a rail with a stop for each of them, as on the
map of an underground line: what a layer reads from further above comes along a lane of its own.
Rows run on in the next column, and so do the lanes. The number of columns is the one with which the
poster is largest on a screen.

Where everything stands is found here, in points; engraving.py draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..reading.layers import Layer, Model
from .plate import width

SCREEN = (1920.0, 1080.0)
MOST = 4  # columns
TEXT, SMALL, TINY = 11.5, 11.0, 10.8
# heights: of a layer, a small step, the head of a block, and below a block
ROW, STEP, HEAD, END = 20.0, 15.5, 21.0, 5.0
INDENT, NESTED = 11.0, 4.0  # of a block in a block, left and right
LANE, STOP, GAP = 11.0, 4.2, 14.0
LEAST = 540.0  # of all columns together, for the lines above and below them
WORDS = 420.0  # the widest that the column of words may be
EDGE, GUTTER, TOP = 22.0, 26.0, 66.0  # around the poster, between columns, above them
HEADINGS = ("output", "parameters", "multiply-adds")


@dataclass
class Row:
    """``kind``: "layer", "small", or "head" of a block; ``block``: the blocks it lies in."""

    kind: str
    layer: Layer
    block: tuple[Layer, ...]
    ends: int = 0  # blocks that end with it

    @property
    def height(self) -> float:
        return {"layer": ROW, "small": STEP, "head": HEAD}[self.kind] + END * self.ends


def rows_of(model: Model) -> list[Row]:
    out: list[Row] = []

    def add(layer: Layer, block: tuple[Layer, ...]) -> None:
        if not layer.inside:
            out.append(Row("small" if layer.small else "layer", layer, block))
            return
        out.append(Row("head", layer, block))
        for inner in layer.inside:
            add(inner, (*block, layer))
        out[-1].ends += 1

    for layer in model.layers:
        add(layer, ())
    return out


def count(n: float) -> str:
    """``9,408``, ``118 k``, ``1.81 G``."""
    if n < 10_000:
        return f"{n:,.0f}"
    for sign in ("k", "M", "G", "T"):
        n /= 1000
        if n < 999.5 or sign == "T":
            break
    return f"{n:.3g} {sign}"


def shape_of(layer: Layer) -> str:
    if layer.kind == "output":
        return layer.words[0]
    return "" if layer.shape is None else "×".join(map(str, layer.shape)) or "scalar"


def words_of(layer: Layer) -> tuple[str, str]:
    """What it does, and the small steps after it."""
    if layer.kind == "output":
        return "", ""
    if layer.small or not layer.words:
        return " · ".join(layer.words), ""
    return layer.words[0], "".join(f"· {word} " for word in layer.words[1:]).rstrip()


def numbers_of(layer: Layer) -> tuple[str, str]:
    """Parameters and multiply-adds; nothing for 0."""
    own = "shared" if layer.shared else count(layer.parameters) if layer.parameters else ""
    return own, count(layer.multiply_adds) if layer.multiply_adds else ""


# ---- columns -------------------------------------------------------------------------------------
def breaks(rows: Sequence[Row], columns: int) -> list[int]:
    """Where columns begin, so that the highest is as low as can be; a block is rather not torn."""
    n, above = len(rows), [0.0]
    for row in rows:
        above.append(above[-1] + row.height)
    total = above[-1]

    def price(i: int) -> float:
        """Of a column that begins with row i."""
        if i == 0:
            return 0.0
        if rows[i - 1].kind == "head":
            return total
        return 0.03 * total * len(rows[i].block) ** 2

    # by number of rows: the height of the highest column so far, and where the columns begin
    best = [(above[j], [0]) for j in range(n + 1)]
    for _ in range(1, columns):
        best = [best[0], best[1]] + [
            min(
                (max(best[i][0], above[j] - above[i] + price(i)), [*best[i][1], i])
                for i in range(1, j)
            )
            for j in range(2, n + 1)
        ]
    return best[n][1]


@dataclass
class Sheet:
    """Where everything stands. ``scale``: pixels per point on the screen."""

    model: Model
    columns: int
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = rows_of(self.model)
        self.starts = breaks(self.rows, self.columns)
        ends = [*self.starts[1:], len(self.rows)]
        self.parts = [self.rows[a:b] for a, b in zip(self.starts, ends, strict=True)]
        self.leaf_rows = [r for r in self.rows if r.kind != "head"]
        self.number = {r.layer: k for k, r in enumerate(self.leaf_rows)}
        self._lanes()
        self.rail = 14 + self.apart * self.lanes
        size = {"layer": TEXT, "head": TEXT, "small": SMALL}
        names = max(
            width(r.layer.name, size[r.kind], True) + INDENT * len(r.block)
            + (8 if r.layer.name else 0) + width(' '.join(words_of(r.layer)), size[r.kind])
            for r in self.rows
        )  # fmt: skip
        self.words = min(WORDS, names + 34)
        texts = zip(*((shape_of(r.layer), *numbers_of(r.layer)) for r in self.rows), strict=True)
        self.cells = [
            max(width(head, TINY), *(width(text, TEXT) for text in column))
            for head, column in zip(HEADINGS, texts, strict=True)
        ]
        self.inset = 6 + NESTED * max(len(r.block) for r in self.rows)
        self.column = self.rail + self.words + sum(self.cells) + 3 * GAP + self.inset
        self.column = max(self.column, LEAST / self.columns)
        self.width = 2 * EDGE + self.columns * self.column + (self.columns - 1) * GUTTER
        crumbs = [HEAD * bool(part[0].block) for part in self.parts]
        self.body = max(
            c + sum(r.height for r in part) for c, part in zip(crumbs, self.parts, strict=True)
        )
        self.height = EDGE + TOP + 18 + self.body + 34
        self.scale = min(SCREEN[0] / self.width, SCREEN[1] / self.height)

    def _lanes(self) -> None:
        """The lane of each row that is read further below: the nearest that is free all the way."""
        self.skips: dict[int, list[int]] = {}  # by row: where it is read
        for a, b in sorted((self.number[p], self.number[q]) for p, q in self.model.flow):
            if b != a + 1:
                self.skips.setdefault(a, []).append(b)
        taken: list[list[tuple[int, int]]] = []
        self.lane: dict[int, int] = {}
        for a, ends in sorted(self.skips.items(), key=lambda item: (item[1][-1] - item[0], item)):
            b = ends[-1]
            fits = (all(b <= c or d <= a for c, d in lane) for lane in taken)
            k = next((k for k, free in enumerate(fits) if free), len(taken))
            if k == len(taken):
                taken.append([])
            taken[k].append((a, b))
            self.lane[a] = k + 1
        self.lanes = len(taken)
        self.apart = min(LANE, 8 * LANE / max(1, self.lanes))


def best(model: Model) -> Sheet:
    """The layout that is largest on a screen."""
    sheets = [Sheet(model, n) for n in range(1, min(MOST, len(model.leaves())) + 1)]
    return max(sheets, key=lambda s: s.scale)
