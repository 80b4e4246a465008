"""The picture of a zoom: tensors as grids of numbers, and beside them the sum written out.

The cells that meet in the sum are framed. Which they are is not known per op: they are the leaves
of the scalar expression. Graphviz sees a single node, one large table. Its rows are FORWARD, then
BACKWARD for each input, and BROADCAST where an input was copied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..drawing import labels, style
from ..drawing.style import Theme
from ..reading import numbers
from ..reading.arithmetic import Operand, Place
from ..telling.words import INFIX

if TYPE_CHECKING:
    from graphviz import Digraph

    from .zooming import Gradient, Zoom

WINDOW = 8  # rows and columns shown of a large tensor
WIDE = 62  # characters of a written line
CELL = (44, 24)
GAP = 3
Part: TypeAlias = tuple[
    str, float, float
]  # the text of a table cell; about how wide and high it is


def digraph(z: Zoom, t: Theme) -> Digraph:
    """The whole picture as a graphviz.Digraph."""
    import graphviz

    rows = [_section("FORWARD", f"one cell of {z.headline}", t.ink, forward(z, t), t)]
    for d in z.gradients:
        if d.expression is not None:
            name = d.operand.called(d.place)
            rows.append(
                _section(
                    "BACKWARD", f"how {name} gets its gradient", t.gradient, backward(z, d, t), t
                )
            )
        if d.copies > 1:
            rows.append(
                _section(
                    "BROADCAST",
                    f"why the gradient of {d.operand.name} is a sum",
                    t.gradient,
                    broadcast(z, d, t),
                    t,
                )
            )
    if z.note:
        rows.append(
            labels.row(
                labels.cell(labels.font(labels.escape(z.note, 100), t.secondary, labels.SMALL))
            )
        )
    body = "<HR/>".join(rows)
    table = (
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="6" CELLPADDING="2" COLOR="{t.module[1]}">'
        f"{body}</TABLE>"
    )
    g = graphviz.Digraph("zoom")
    g.attr("graph", bgcolor=t.background, pad="0.12", fontname=style.FONT)
    g.attr("node", shape="plain", fontname=style.FONT, fontsize="12", fontcolor=t.ink)
    g.node("zoom", label=f"<{table}>", tooltip=graphviz.escape(f"{z.op}, cell by cell"))
    return g


def _section(title: str, words: str, colour: str, parts: list[Part], t: Theme) -> str:
    """One row of the picture. It has a size, or it would be stretched to the widest row."""
    head = (
        labels.font(labels.bold(title), colour, 11)
        + "&nbsp;&nbsp;"
        + labels.font(labels.escape(words, 90), colour, 11)
    )
    width = sum(w for _, w, _ in parts) + 10 * len(parts) + 12
    height = max(h for *_, h in parts) + 12
    cells = "".join(text for text, *_ in parts)
    inner = _table([f"<TR>{cells}</TR>"], 3, 2, (width, height))
    return labels.row(
        labels.cell(_table([labels.row(labels.cell(head)), labels.row(labels.cell(inner))], 0, 1))
    )


def _table(
    rows: list[str], spacing: int, padding: int, size: tuple[float, float] | None = None
) -> str:
    fixed = (
        f' FIXEDSIZE="TRUE" WIDTH="{size[0]:.0f}" HEIGHT="{size[1]:.0f}"'
        if size is not None
        else ""
    )
    return (
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}" '
        f'ALIGN="LEFT"{fixed}>'
        f"{''.join(rows)}</TABLE>"
    )


# ---- the three kinds of rows ---------------------------------------------------------------------
def forward(z: Zoom, t: Theme) -> list[Part]:
    """Inputs, op and result; framed are the chosen cell and those that it is computed from."""
    below = z.arithmetic.below(z.cell)
    grids = [
        _grid(x.name, _array(x), {p for p, cell in x.each() if cell in below}, x.role, t)
        for x in z.inputs
    ]
    infix = INFIX.get(z.op) if len(grids) == 2 else None
    parts: list[Part] = []
    if infix is None:
        parts.append(_sign(z.op, t))
    for k, grid in enumerate(grids):
        if k:
            parts.append(_sign(infix or ",", t))
        parts.append(grid)
    parts += [_sign("=", t), _grid(z.name, _array(z.output), {z.index}, "intermediate", t)]
    return [*parts, _words(z.forward_lines(), t.ink, t)]


def backward(z: Zoom, d: Gradient, t: Theme) -> list[Part]:
    """What meets in one element's gradient: cells of the result's gradient and of the inputs."""
    parts = [_grid(z.upstream(), z.g_values, d.reads.get("g", ()), "gradient", t)]
    for x in z.inputs:
        if d.reads.get(x.name):
            parts += [_sign("with", t), _grid(x.name, _array(x), d.reads[x.name], x.role, t)]
    own = f"∂{z.loss or 'L'}/∂{d.operand.name}"
    parts += [_sign("→", t), _grid(own, d.values, {d.place}, "gradient", t)]
    return [*parts, _words(z.backward_lines(d), t.gradient, t)]


def broadcast(z: Zoom, d: Gradient, t: Theme) -> list[Part]:
    """The input, its copies in the shape of the result, and their gradients.

    Copies that do not exist in memory have a dashed frame.
    """
    x, out = d.operand, z.output.shape
    copied = np.broadcast_to(np.array(x.cells).reshape(x.shape), out)
    chosen = x.cell(d.place)
    mine = {p for p in np.ndindex(out) if copied[p] == chosen}
    seen: set[int] = set()
    ghosts = set()
    for p in np.ndindex(out):
        if copied[p] in seen:
            ghosts.add(p)
        seen.add(int(copied[p]))
    values = np.broadcast_to(_array(x), out)
    name = x.called(d.place)
    total = numbers.short(d.value)
    terms = " + ".join(_number(float(z.g_values[p])) for p in sorted(mine)[:6])
    terms += " + …" if len(mine) > 6 else ""
    words = [
        f"{name} is used {d.copies} times,",
        "so its gradient is the sum over its copies",
        terms,
        f"= {total}",
    ]
    note = f"{numbers.shape(x.shape)} → {numbers.shape(out)}, copied"
    return [
        _grid(x.name, _array(x), {d.place}, x.role, t),
        _sign("→", t),
        _grid(x.name, values, mine, x.role, t, ghosts, note),
        _sign("⇠", t),
        _grid(z.upstream(), z.g_values, mine, "gradient", t),
        _words(words, t.gradient, t),
    ]


def _number(v: float) -> str:
    text = numbers.short(v)
    return f"({text})" if text.startswith("−") else text


# ---- pieces --------------------------------------------------------------------------------------
def _grid(
    name: str,
    values: np.ndarray,
    framed: Iterable[Place],
    role: str,
    t: Theme,
    ghosts: Iterable[Place] = (),
    note: str = "",
) -> Part:
    """A tensor as numbers.

    Of a large one, a window around the framed cells; of one with many dimensions, one plane.
    """
    framed, ghosts = set(framed), set(ghosts)
    plane, rows, columns, where = _window(values.shape, framed)
    gradient = role == "gradient"
    ink = t.gradient if gradient else t.ink
    lines = []
    for r in rows:
        line = []
        for c in columns:
            place = _place(values.ndim, plane, r, c)
            line.append(_cell(values[place], place in framed, place in ghosts, role, t))
        lines.append(f"<TR>{''.join(line)}</TR>")
    shape = note or numbers.shape(values.shape)
    head = labels.font(labels.bold(labels.escape(name, 24)), ink)
    head += "&nbsp;" + labels.font(labels.escape(shape), t.secondary, labels.SMALL)
    inner = len(columns) * (CELL[0] + GAP) + GAP, len(rows) * (CELL[1] + GAP) + GAP
    parts = [labels.row(labels.cell(head)), labels.row(labels.cell(_table(lines, GAP, 0, inner)))]
    if where:
        parts.append(labels.row(labels.cell(labels.font(labels.escape(where, 60), t.secondary, 9))))
    width = max(inner[0], 7.5 * len(name[:24]) + 6 * len(shape) + 8, 5 * len(where))
    height = inner[1] + 18 + 13 * bool(where)
    return labels.cell(_table(parts, 0, 0, (width, height))), width, height


def _array(x: Operand) -> np.ndarray:
    return np.array(x.values).reshape(x.shape)


def _cell(v: float, framed: bool, ghost: bool, role: str, t: Theme) -> str:
    v = float(v)
    fill, line = (t.background, t.gradient) if role == "gradient" else t.roles[role]
    if role == "gradient" and framed:
        fill = t.heat[3]
    elif not framed and not ghost:
        fill = style.mix(fill, t.background, 0.6)
    colour = (
        (t.gradient if role == "gradient" else t.ink)
        if framed
        else style.mix(line, t.background, 0.45)
    )
    ink = t.gradient if role == "gradient" else t.ink
    if role == "gradient" and framed:
        ink = t.heat_ink[3]
    text = "" if np.isnan(v) and role == "gradient" else numbers.short(v)
    if text:
        text = labels.font(
            labels.bold(text) if framed else text,
            ink if framed else style.mix(ink, t.background, 0.25),
            10,
        )
    look = "ROUNDED,DASHED" if ghost else "ROUNDED"
    return (
        f'<TD BORDER="{2 if framed else 1}" COLOR="{colour}" BGCOLOR="{fill}" STYLE="{look}" '
        f'FIXEDSIZE="TRUE" WIDTH="{CELL[0]}" HEIGHT="{CELL[1]}">{text}</TD>'
    )


def _place(ndim: int, plane: Place, r: int, c: int) -> Place:
    return () if ndim == 0 else (c,) if ndim == 1 else (*plane, r, c)


def _window(shape: Place, framed: set[Place]) -> tuple[Place, range, range, str]:
    """The plane, rows and columns to show, and in words what is left out."""
    if not shape:
        return (), range(1), range(1), ""
    rows_of, columns_of = (1, shape[0]) if len(shape) == 1 else shape[-2:]
    first = min(framed, default=(0,) * len(shape))
    plane = first[:-2] if len(shape) > 2 else ()
    inside = [p for p in framed if p[: len(plane)] == plane]
    rows = _span(rows_of, [p[-2] for p in inside] if len(shape) > 1 else [])
    columns = _span(columns_of, [p[-1] for p in inside])
    words = []
    if plane:
        words.append(f"plane [{', '.join(map(str, plane))}, :, :]")
    if len(rows) < rows_of:
        words.append(f"rows {rows[0]} to {rows[-1]} of {rows_of}")
    if len(columns) < columns_of:
        words.append(f"columns {columns[0]} to {columns[-1]} of {columns_of}")
    return plane, rows, columns, ", ".join(words)


def _span(n: int, wanted: list[int]) -> range:
    if n <= WINDOW:
        return range(n)
    first = max(
        0, min(min(wanted, default=0) - (1 if len(set(wanted)) < WINDOW else 0), n - WINDOW)
    )
    return range(first, first + WINDOW)


def _sign(text: str, t: Theme) -> Part:
    size = 16 if len(text) <= 2 else 12
    return (
        f'<TD VALIGN="MIDDLE">{labels.font(labels.escape(text), t.secondary, size)}</TD>',
        0.7 * size * len(text),
        20,
    )


def _words(lines: list[str], colour: str, t: Theme) -> Part:
    """The written sum: rule, numbers, value; long lines are broken at their signs."""
    rows, width = [], 0.0
    for k, line in enumerate(lines):
        for piece in _broken(line.strip()):
            last = k == len(lines) - 1 and not line.strip().startswith(("where", "and"))
            text = labels.escape(piece, 100)
            ink = colour if last or not k else t.secondary
            rows.append(
                labels.row(labels.cell(labels.font(labels.bold(text) if last else text, ink, 12)))
            )
            width = max(width, 6.6 * len(piece) + 8)
    height = 20 * len(rows)
    return labels.cell(_table(rows, 0, 2, (width, height))), width, height


def _broken(line: str) -> list[str]:
    out = [""]
    for piece in line.replace(" + ", "\0+ ").replace(" − ", "\0− ").split("\0"):
        if len(out[-1]) + len(piece) > WIDE and out[-1]:
            out.append("      " + piece)
        else:
            out[-1] += (" " if out[-1] else "") + piece
    return out if len(out) <= 10 else [*out[:8], "      …", out[-1]]
