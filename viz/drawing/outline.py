"""A drawn graph as text for other programs: Mermaid for a README, TikZ for a paper.

Both show what the picture shows (plan.py), each box with a few lines: what it is, its name, its
shape. Mermaid lays its boxes out itself; TikZ takes the places from Graphviz.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..reading import numbers
from ..reading.trace import Trace
from ..telling.words import cut, printable
from . import render, style
from .details import caption, details
from .options import Options

if TYPE_CHECKING:
    from .plan import Plan, Unit

LONGEST = 40  # characters of a line in a box
INCH = 2.54  # centimetres


@dataclass(slots=True)
class Box:
    """``role``: "parameter", "data", "loss", "intermediate", or "module" for what is folded."""

    id: str
    role: str
    lines: list[str]


def boxes(trace: Trace, plan: Plan, options: Options) -> tuple[list[Box], list[tuple[str, str]]]:
    """The boxes of a picture in the order of creation, and the edges between them, each once."""
    edges: dict[tuple[str, str], None] = {}
    for e in trace.edges:
        if e.source in plan.unit and e.target in plan.unit:
            a, b = plan.unit[e.source].id, plan.unit[e.target].id
            if a != b:
                edges[a, b] = None
    found = [_box(trace, u) for u in plan.units]
    for box, u in zip(found, plan.units, strict=True):
        box.lines += _lines(*(f"{left}: {right}" for left, right in details(trace, u, options)))
    return found, list(edges)


def _box(trace: Trace, u: Unit) -> Box:
    n = trace.nodes[u.newest]
    if u.kind == "value":
        number = "" if n.number is None or n.shape else numbers.number(n.number)
        shape = numbers.shape(n.shape) if n.shape else number
        name = n.name or n.expression
        what = f"{n.symbol} → {name}" if n.op and name else n.symbol if n.op else name or n.role
        return Box(u.id, n.role, _lines(what, shape))
    shape = numbers.shape(n.shape) if n.shape else ""
    if u.kind == "module" and u.call is not None:
        m = trace.modules[u.call]
        return Box(u.id, "module", _lines(m.path, m.text, shape))
    if u.kind == "fold":
        calls = [v.call for v in u.blocks[0] if v.call is not None]
        texts = " → ".join(trace.modules[c].text for c in calls)
        return Box(u.id, "module", _lines(texts, f"× {len(u.blocks)}", shape))
    return Box(u.id, "module", _lines(f"loop in line {u.line}", f"× {u.count}", shape))


def _lines(*lines: str) -> list[str]:
    return [cut(printable(line), LONGEST) for line in lines if line]


# ---- Mermaid -------------------------------------------------------------------------------------
def mermaid(trace: Trace, plan: Plan, rankdir: str, options: Options) -> str:
    """A flowchart, as GitHub and GitLab draw it inside ```` ```mermaid ````."""
    found, edges = boxes(trace, plan, options)
    t = style.theme(options.theme)
    lines = [f"flowchart {rankdir}"]
    if options.show_saved:
        lines = ["---", f'title: "{"; ".join(caption(trace))}"', "---", *lines]
    for b in found:
        text = "<br/>".join(_entities(line) for line in b.lines)
        lines.append(f'    {b.id}["{text}"]:::{b.role}')
    lines += [f"    {a} --> {b}" for a, b in edges]
    for role in dict.fromkeys(b.role for b in found):
        fill, line = t.module if role == "module" else t.roles[role]
        dashed = ",stroke-dasharray:4 3" if role == "data" else ""
        look = f"fill:{fill},stroke:{line},color:{t.ink}{dashed}"
        lines.append(f"    classDef {role} {look}")
    return "\n".join(lines) + "\n"


def _entities(s: str) -> str:
    """Mermaid takes a label as HTML, and has its own spelling of characters: #quot;."""
    out = []
    for c in s:
        special = c in '#&<>"`\\;{}[]()|'
        out.append(f"#{ord(c)};" if special else c)
    return "".join(out)


# ---- TikZ ----------------------------------------------------------------------------------------
def tikz(trace: Trace, plan: Plan, source: str, options: Options) -> str:
    """A ``tikzpicture``; needs the package tikz. ``source``: the DOT text, which is laid out."""
    plain = render.render(source, "plain").decode()
    t = style.theme(options.theme)
    lines = [r"\begin{tikzpicture}[>=stealth, font=\sffamily\small]"]
    found, edges = boxes(trace, plan, options)
    for role in dict.fromkeys(b.role for b in found):
        fill, line = t.module if role == "module" else t.roles[role]
        lines += [rf"  \definecolor{{{role}fill}}{{HTML}}{{{fill[1:].upper()}}}",
                  rf"  \definecolor{{{role}line}}{{HTML}}{{{line[1:].upper()}}}"]  # fmt: skip
    words = {b.id: b for b in found}
    drawn: list[str] = []
    for row in plain.splitlines():
        kind, *fields = row.split(" ")
        if kind == "node" and fields[0] in words:
            b = words[fields[0]]
            x, y, w, h = (float(v) * INCH for v in fields[1:5])
            look = f"draw={b.role}line, fill={b.role}fill, rounded corners"
            look += ", dashed" if b.role == "data" else ""
            look += f", minimum width={w:.2f}cm, minimum height={h:.2f}cm, align=center"
            text = r"\\ ".join(_tex(line) for line in b.lines)
            lines.append(rf"  \node[{look}] ({b.id}) at ({x:.2f}, {y:.2f}) {{{text}}};")
        elif kind == "node":  # a number, beside its edge
            x, y = (float(v) * INCH for v in fields[1:3])
            lines.append(rf"  \node at ({x:.2f}, {y:.2f}) {{{_tex(fields[5].strip(chr(34)))}}};")
        elif kind == "edge":
            count = int(fields[2])
            p = [float(v) * INCH for v in fields[3 : 3 + 2 * count]]
            at = [f"({p[k]:.2f}, {p[k + 1]:.2f})" for k in range(0, len(p), 2)]
            path = at[0]
            for k in range(1, len(at) - 2, 3):
                path += f" .. controls {at[k]} and {at[k + 1]} .. {at[k + 2]}"
            back = (fields[1], fields[0]) in edges  # written from its head, beside which it stands
            drawn.append(rf"  \draw[{'<-' if back else '->'}] {path};")
    if options.show_saved:
        text = r"\\ ".join(_tex(s) for s in caption(trace))
        lines.append(rf"  \node[anchor=north west, align=left] at (0, 0) {{{text}}};")
    return "\n".join([*lines, *drawn, r"\end{tikzpicture}"]) + "\n"


_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "×": r"$\times$", "→": r"$\to$", "−": r"$-$", "·": r"$\cdot$", "∗": r"$*$", "Σ": r"$\sum$",
    "…": r"\dots{}", "∂": r"$\partial$", "∞": r"$\infty$", "≤": r"$\le$", "≥": r"$\ge$",
    "ᵀ": r"$^{\top}$", "–": "--",
} | {c: f"${command}$" for c, command in numbers.GREEK.items() if c != "Σ"}  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))


def _tex(s: str) -> str:
    """A user's string in TeX: no character of it becomes a command."""
    out = []
    for c in s:
        if c in _RAISED:
            out.append(f"$^{{{_RAISED[c]}}}$")
        elif c in _LOWERED:
            out.append(f"$_{{{_LOWERED[c]}}}$")
        else:
            out.append(_TEX.get(c, c))
    return "".join(out)


def merged(options: Options) -> Options:
    """The options of a picture whose ops stand in the boxes of their results."""
    return replace(options, ops="merged", grads="none", legend=False)
