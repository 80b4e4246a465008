"""Where a detached value came from: the user's source, read backwards from a leaf.

``target = h.detach() + 1`` makes a leaf: the graph forgets ``h``. The line that assigned the leaf's
name, or the operand where the leaf is used, still names it. A link is found only where that text
takes a value out of the graph (cuts.py), compares it, or runs under ``no_grad``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from . import source
from .cuts import CUTS
from .recurrence import Origin
from .trace import Trace, TraceNode


def find(trace: Trace) -> list[Origin]:
    """The origins of the leaves that want no gradient, as far as the source tells them."""
    users: dict[int, tuple[int, int]] = {}
    for e in trace.edges:
        users.setdefault(e.source, (e.target, e.position))
    out = []
    for t in trace.nodes:
        if t.op or t.needs or t.role == "constant" or t.id not in users:
            continue
        for text, line, under in _made_by(trace, t, *users[t.id]):
            why = _cut(text, under)
            for i in _named(trace, text, users[t.id][0], t.id) if why else ():
                out.append(Origin(t.id, i, line, why))
            if out and out[-1].node == t.id:
                break
    return out


def _made_by(
    trace: Trace, t: TraceNode, user: int, position: int
) -> Iterator[tuple[ast.AST, int, str]]:
    """The expressions that may have made a leaf: text, line, and the ``no_grad`` it runs under."""
    site = trace.nodes[user].site
    if site is None:
        return
    index = source.of(site.file)
    whole = index.expressions.get((site.line, site.end_line, site.column, site.end_column))
    parts = source.parts(whole, len(trace.nodes[user].inputs))
    if position < len(parts) and not isinstance(parts[position], ast.Name):
        yield parts[position], site.line, ""
    if t.name:
        made = [a for a in index.assignments.get(t.name, ()) if a[1] <= site.line]
        yield from reversed(made)


def _cut(text: ast.AST, under: str) -> str:
    for n in ast.walk(text):
        word = getattr(n, "attr", getattr(n, "id", ""))
        if word in CUTS and word != "float_":
            return f"{word} {CUTS[word]}"
        if isinstance(n, ast.Compare):
            return "a comparison gives truth values, which have no derivative"
    return f"{under} records nothing" if under else ""


def _named(trace: Trace, text: ast.AST, before: int, leaf: int) -> list[int]:
    """The newest nodes of the graph that the text names, made before the leaf was used."""
    names = {source.text(n) for n in ast.walk(text) if isinstance(n, (ast.Name, ast.Attribute))}
    found: dict[str, int] = {}
    for t in trace.nodes[:before]:
        if t.name in names and t.needs and t.id != leaf:
            found[t.name] = t.id
    return sorted(found.values())
