"""The inside of each node: Graphviz's HTML-like tables. Every string of the user's is escaped.

All tables have one shape: a head, which says what it is, and rows with a label on the left and a
value on the right. Three traps of dot are kept out here. An empty ``<FONT>``, or a bare ``<`` in a
name, is a syntax error; a fill pokes out of rounded corners, so chips are inset; a chip's table
stretches with its cell unless its size is fixed.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TypeAlias

from ..reading import numbers
from ..reading.trace import TraceNode, Value
from ..telling.words import cut, printable
from . import style
from .style import Theme

Lines: TypeAlias = "Sequence[tuple[str, str]]"
SMALL = 10
CHIP = (50, 17)


def escape(s: str, longest: int = 40) -> str:
    """A user's string inside a label: no markup, no control characters, not endless."""
    return html.escape(cut(printable(s), longest)).replace("&#x27;", "&#39;")


def font(s: str, colour: str = "", size: int = 0) -> str:
    """Already escaped text in a colour and size; never an empty tag."""
    if not s:
        return "&nbsp;"
    attributes = (f' COLOR="{colour}"' if colour else "") + (
        f' POINT-SIZE="{size}"' if size else ""
    )
    return f"<FONT{attributes}>{s}</FONT>"


def bold(s: str) -> str:
    return f"<B>{s}</B>" if s else "&nbsp;"


def cell(content: str, align: str = "LEFT", span: int = 1, extra: str = "") -> str:
    columns = f' COLSPAN="{span}"' if span > 1 else ""
    return f'<TD ALIGN="{align}"{columns}{extra}>{content}</TD>'


def row(*cells: str) -> str:
    return f"<TR>{''.join(cells)}</TR>"


def table(
    rows: Sequence[str], line: str, fill: str, width: float, dashed: bool = False, spacing: int = 0
) -> str:
    look = "ROUNDED,DASHED" if dashed else "ROUNDED"
    return (
        f'<TABLE BORDER="{width:g}" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="3" '
        f'COLOR="{line}" STYLE="{look}" BGCOLOR="{fill}">{"".join(rows)}</TABLE>'
    )


def plain(rows: str, spacing: int = 0, padding: int = 0, size: str = "") -> str:
    """A table without lines and colours, which only holds its rows together."""
    look = f'BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
    return f"<TABLE {f'{size} ' if size else ''}{look}>{rows}</TABLE>"


def framed(rows: Sequence[str], role: str, t: Theme, spacing: int = 0) -> str:
    """The rows in the frame of a role: thick, dashed, thin or double."""
    fill, line = t.roles[role]
    if role == "loss":
        inner = table(rows, line, fill, 1.2, spacing=spacing)
        return (
            f'<TABLE BORDER="1.2" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" COLOR="{line}" '
            f'STYLE="ROUNDED" BGCOLOR="{t.background}"><TR><TD>{inner}</TD></TR></TABLE>'
        )
    return table(
        rows, line, fill, 2.2 if role == "parameter" else 1.2, role in ("data", "constant"), spacing
    )


# ---- parts ---------------------------------------------------------------------------------------
def chip(value: Value | None, state: str, t: Theme) -> str:
    """The size of a gradient on its heat colour; ``–`` in the same room if it was not computed."""
    if state != "known" or value is None:
        text, ink, look = (
            "freed" if state == "lost" else numbers.MISSING,
            t.gradient,
            ' ALIGN="RIGHT"',
        )
    else:
        fill, ink = style.heat(t, value.rms)
        text = numbers.short(value.number if value.number is not None else value.rms)
        look = f' BORDER="0.6" COLOR="{t.heat_line}" BGCOLOR="{fill}" STYLE="ROUNDED"'
    width, height = CHIP
    chip = f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"{look}>'
    words = f"{chip}{font(text, ink, SMALL)}</TD>"
    return plain(row(words), spacing=1, size=fixed(width + 2, height + 2))


def cells(value: Value, t: Theme, gradient: bool) -> str:
    """The thumbnail: one small square per cell; a cell of None is left empty."""
    scale = max(
        (abs(v) for line in value.cells for v in line if v is not None and v == v), default=0.0
    )
    size = 7
    lines = []
    for line in value.cells:
        fills = [
            "" if v is None else f' BGCOLOR="{style.cell_colour(t, v, scale, gradient)}"'
            for v in line
        ]
        squares = "".join(
            f'<TD FIXEDSIZE="TRUE" WIDTH="{size}" HEIGHT="{size}"{fill}></TD>' for fill in fills
        )
        lines.append(f"<TR>{squares}</TR>")
    box = fixed(size * len(value.cells[0]), size * len(value.cells))
    return plain("".join(lines), size=box)


def fixed(width: int, height: int) -> str:
    """The size of a table at the right end of its cell, with which it would stretch otherwise."""
    return f'ALIGN="RIGHT" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"'


def label(word: str, t: Theme, gradient: bool = False, note: str = "") -> str:
    text = font(word, t.gradient if gradient else t.secondary, SMALL)
    return cell(text + (f" {font(note, t.secondary, 10)}" if note else ""))


def details(lines: Sequence[tuple[str, str]], t: Theme, columns: int = 2) -> list[str]:
    """Below a rule, rows of two texts (details.py) at the end of a table of so many columns."""
    rows = [
        row(
            label(escape(left), t),
            cell(font(escape(right, 100), t.ink, SMALL), "RIGHT", columns - 1),
        )
        for left, right in lines
    ]
    return ["<HR/>", *rows] if rows else []


# ---- scalar nodes --------------------------------------------------------------------------------
def scalar_value(n: TraceNode, t: Theme, more: Lines = ()) -> str:
    """micrograd's record: a bold name over a rule, then data and grad."""
    name = n.name or n.expression
    rows = []
    if name:
        rows += [row(f'<TD COLSPAN="2">{bold(escape(name, 24))}</TD>'), "<HR/>"]
    data = numbers.number(n.value.number) if n.value is not None else "freed"
    rows.append(row(label("data", t), cell(font(data, t.ink), "RIGHT")))
    if n.needs:
        grad = (
            numbers.number(n.grad.number)
            if n.grad_state == "known" and n.grad is not None
            else numbers.MISSING
        )
        rows.append(row(label(t.derivative, t, True), cell(font(grad, t.gradient), "RIGHT")))
    return framed(rows + details(more, t), n.role, t)


# ---- tensor nodes --------------------------------------------------------------------------------
def tensor_value(
    n: TraceNode, t: Theme, shapes: bool, thumbnails: bool, symbol: str = "", module: str = "",
    more: Lines = (),
) -> str:  # fmt: skip
    """Head: op → name, and the shape. Then a leaf's cells, a number, the size of the gradient."""
    leaf = not n.op
    if leaf:
        head = (
            bold(escape(n.name, 24))
            if n.name
            else font(escape(n.expression or n.role, 24), t.secondary, SMALL)
        )
    else:
        head = bold(escape(symbol or n.symbol, 24))
        if n.name:
            head += " " + font(
                f"→ {escape(n.name, 24)}", t.ink if n.role == "loss" else t.secondary, SMALL
            )
    right = n.size if shapes else ""
    if n.dtype not in ("float32",) and not n.scalar and (n.dtype != "float64" or leaf):
        right = f"{right} {n.dtype}".strip()
    rows = [row(cell(head), cell(font(escape(right), t.secondary, SMALL), "RIGHT"))]
    if module:
        rows.append(row(cell(font(escape(module), t.secondary, SMALL), span=2)))
    if n.number is not None and (leaf or n.role == "loss" or not n.shape):
        rows.append(row(label("data", t), cell(font(numbers.number(n.number), t.ink), "RIGHT")))
    elif leaf and thumbnails and n.value is not None and n.value.cells:
        if n.value.low == n.value.high == 0:  # cells of zeros look like none
            zeros = font("all 0", t.ink, SMALL)
            rows.append(row(label("data", t), cell(zeros, "RIGHT")))
        else:
            rows.append(
                row(
                    label("data", t, note="pooled" if n.value.pooled else ""),
                    cell(cells(n.value, t, False), "RIGHT"),
                )
            )
    if n.needs:
        if leaf and n.grad is not None and thumbnails and n.grad.cells and n.grad.number is None:
            rows.append(row(label(t.derivative, t, True), cell(cells(n.grad, t, True), "RIGHT")))
        rows.append(_size_of_gradient(n, t.derivative, " rms", t))
    return framed(rows + details(more, t), n.role, t, spacing=1)


def _size_of_gradient(n: TraceNode, word: str, several: str, t: Theme) -> str:
    """Its row: a number is called by the ``word``, the size of an array by ``several`` as well."""
    one = not n.shape or (n.grad is not None and n.grad.number is not None)
    words = label(word if one else word + several, t, True)
    return row(words, cell(chip(n.grad, n.grad_state, t), "RIGHT"))


def average(n: TraceNode, t: Theme, shapes: bool) -> str:
    """What several processes have averaged: the parameter's name, and the size of the mean."""
    head = f"{bold('all-reduce')} {font(escape(n.name), t.secondary, SMALL)}"
    right = font(numbers.shape(n.shape) if shapes else "", t.secondary, SMALL)
    rows = [row(cell(head), cell(right, "RIGHT")), _size_of_gradient(n, "mean", ", rms", t)]
    return framed(rows, n.role, t, spacing=1)


def average_box(averages: list[TraceNode], t: Theme) -> str:
    """The averages of several parameters: one row each."""
    size = font(numbers.count(len(averages), "parameter"), t.secondary, SMALL)
    rows = [row(cell(bold("all-reduce")), cell(size, "RIGHT"))]
    for n in averages[:6]:
        name = font(escape(n.name), t.secondary, SMALL)
        rows.append(row(cell(name), cell(chip(n.grad, n.grad_state, t), "RIGHT")))
    if len(averages) > 6:
        more = font(f"and {len(averages) - 6} more", t.secondary, SMALL)
        rows.append(row(cell(more, span=2)))
    return framed(rows, "average", t, spacing=1)


# ---- boxes ---------------------------------------------------------------------------------------
def module_box(
    path: str, text: str, parameters: list[TraceNode], t: Theme, more: Lines = ()
) -> str:
    """A collapsed module: its path and class, and one row per parameter."""
    fill, line = t.module
    blue = t.roles["parameter"][1]
    head = f"{bold(escape(path))}&nbsp;&nbsp;{font(escape(text, 60), t.secondary, SMALL)}"
    rows = [row(cell(head, span=3))]
    if parameters:
        rows.append("<HR/>")
    for p in parameters[:6]:
        name = f"{font('■', blue)} {font(escape(p.parameter or p.name or 'parameter', 24), t.ink)}"
        shape = font(numbers.shape(p.shape), t.secondary, SMALL)
        rows.append(
            row(cell(name), cell(shape, "RIGHT"), cell(chip(p.grad, p.grad_state, t), "RIGHT"))
        )
    if len(parameters) > 6:
        rows.append(
            row(
                cell(font(f"and {len(parameters) - 6} more parameters", t.secondary, SMALL), span=3)
            )
        )
    return table(rows + details(more, t, 3), line, fill, 1.6, spacing=1)


def fold_box(
    path: str,
    text: str,
    times: int,
    size: int,
    words: str,
    strip: Sequence[TraceNode | None],
    shared: list[TraceNode],
    t: Theme,
    more: Lines = (),
) -> str:
    """Equal blocks in a row: how many, of what, and the gradient of each as a strip of heat.

    ``shared``: the parameters that all blocks use, as a cell does that is called in a loop.
    """
    fill, line = t.module
    head = f"{bold(escape(path))}&nbsp;&nbsp;{font(escape(text, 80), t.secondary, SMALL)}"
    head += f"&nbsp;&nbsp;{font(bold(f'× {times}'), t.ink, SMALL)}"
    rows = [row(cell(head, span=2))]
    if words:
        rows.append("<HR/>")
        size_text = font(numbers.count(size, "parameter"), t.secondary, SMALL)
        rows.append(row(cell(font(escape(f"{words} × {times}"), t.ink)), cell(size_text, "RIGHT")))
    if shared:
        rows += ["<HR/>", row(cell(font("shared by all", t.secondary, SMALL), span=2))]
        rows += [_shared_row(p, t) for p in shared[:6]]
    known = [g for p in strip if (g := _known(p)) is not None]
    if strip and strip[0] is not None:
        name = escape(strip[0].parameter or strip[0].name or "a parameter")
        rows.append(
            row(cell(font(f"{t.derivative} rms of {name}, per block", t.gradient, SMALL), span=2))
        )
        rows.append(row(cell(heat_strip(strip, t), "CENTER", span=2)))
        first = last = numbers.MISSING
        if len(known) == len(strip):
            first, last = numbers.short(known[0].rms), numbers.short(known[-1].rms)
        rows.append(
            row(
                cell(font(f"first {first}", t.gradient, SMALL)),
                cell(font(f"last {last}", t.gradient, SMALL), "RIGHT"),
            )
        )
    return table(rows + details(more, t), line, fill, 1.6, spacing=1)


def _shared_row(p: TraceNode, t: Theme) -> str:
    """A parameter's name and shape, and the chip of its gradient."""
    name = f"{font('■', t.roles['parameter'][1])} {font(escape(p.parameter or p.name, 24), t.ink)}"
    size = font(numbers.shape(p.shape), t.secondary, SMALL)
    return row(cell(f"{name}&nbsp;&nbsp;{size}"), cell(chip(p.grad, p.grad_state, t), "RIGHT"))


def heat_strip(strip: Sequence[TraceNode | None], t: Theme) -> str:
    """One cell per block, numbered; wide strips number every few cells."""
    width = 18 if len(strip) <= 24 else 10 if len(strip) <= 48 else 5
    every = next(
        k for k in (1, 2, 5, 10, 20, 50, 100, 1000) if k * width >= 13 + 3 * (len(strip) > 99)
    )
    colours, marks = [], []
    left = "" if every == 1 else ' ALIGN="LEFT"'
    for i, p in enumerate(strip):
        g = _known(p)
        fill = t.background if g is None else style.heat(t, g.rms)[0]
        colours.append(
            f'<TD WIDTH="{width}" HEIGHT="20" FIXEDSIZE="TRUE" BORDER="1" COLOR="{t.module[1]}" '
            f'BGCOLOR="{fill}"></TD>'
        )
        if i % every == 0:
            span = min(every, len(strip) - i)
            size = f'WIDTH="{width * span}" HEIGHT="13" FIXEDSIZE="TRUE" COLSPAN="{span}"'
            marks.append(f"<TD {size}{left}>{font(str(i), t.secondary, 10)}</TD>")
    return plain(row(*colours) + row(*marks), spacing=1)


def _known(n: TraceNode | None) -> Value | None:
    """The gradient of a node, if there is one."""
    return n.grad if n is not None and n.grad_state == "known" else None


def loop_box(
    line: int, times: int, ops: str, newest: TraceNode, leaves: int, code: str, t: Theme,
    more: Lines = (),
) -> str:  # fmt: skip
    """A folded loop of scalar code: its line, how often it ran, and what it left."""
    fill, edge = t.module
    often = font(numbers.count(times, "iteration"), t.secondary, SMALL)
    rows = [row(cell(f"{bold(f'loop, line {line}')}&nbsp;&nbsp;{often}", span=2)), "<HR/>"]
    if code:
        rows.append(
            row(
                cell(
                    font(
                        escape(code, 48),
                        t.ink,
                        SMALL,
                    ),
                    span=2,
                )
            )
        )
    rows.append(row(cell(font(escape(ops, 60), t.secondary, SMALL), span=2)))
    if leaves:
        rows.append(
            row(
                cell(
                    font(numbers.count(leaves, "leaf", "leaves") + " inside", t.secondary, SMALL),
                    span=2,
                )
            )
        )
    last = f"shape {newest.size}" if newest.number is None else numbers.number(newest.number)
    rows.append(row(label("last value", t), cell(font(last, t.ink), "RIGHT")))
    if newest.needs:
        rows.append(_size_of_gradient(newest, f"its {t.derivative}", " rms", t))
    return table(rows + details(more, t), edge, fill, 1.6, spacing=1)


def sentence(text: str, t: Theme) -> str:
    """A row below the picture."""
    return row(cell(font(escape(text, 200), t.secondary, SMALL)))


# ---- legend --------------------------------------------------------------------------------------
def legend(roles: Sequence[str], heat: bool, t: Theme) -> str:
    """What the looks mean, as one line of swatches, and the heat classes below."""
    words = {
        "parameter": "parameter",
        "data": "data, no gradient",
        "intermediate": "computed",
        "loss": "drawn result",
        "average": "mean of all ranks",
    }
    swatches = []
    for role in roles:
        if role in words:
            text = row(
                f'<TD FIXEDSIZE="TRUE" WIDTH="15" HEIGHT="9">{font("&nbsp;", t.ink, 4)}</TD>'
            )
            swatches.append(
                cell(framed([text], role, t)) + cell(font(words[role], t.secondary, SMALL))
            )
    colour = "grad" if t.name == "print" else "orange"
    swatches.append(cell(font(f"{colour} = gradient, – = not computed", t.gradient, SMALL)))
    rows = [row(cell(plain(row(*swatches), spacing=3, padding=1)))]
    if heat:
        classes = "".join(
            f'<TD BORDER="0.6" COLOR="{t.heat_line}" BGCOLOR="{fill}" STYLE="ROUNDED">'
            f"&nbsp;{font(escape(word), ink, SMALL)}&nbsp;</TD>"
            for fill, ink, word in zip(t.heat, t.heat_ink, style.HEAT_WORDS, strict=True)
        )
        scale = row(cell(font("grad rms", t.gradient, SMALL)), classes)
        rows.append(row(cell(plain(scale, spacing=3, padding=2))))
    return plain("".join(rows))
