"""Where a detached value came from: the user's source, read backwards from a leaf.

``target = h.detach() + 1`` makes a leaf: the graph forgets ``h``. The line that assigned the leaf's
name, or the operand where the leaf is used, still names it. A link is found only where that text
takes a value out of the graph (cuts.py), compares it, or runs under ``no_grad``. What was used
without a name of its own, and what stands in brackets (``x[mask]``), is followed through the names
in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

from . import source
from .cuts import CUTS
from .recurrence import Origin
from .trace import Trace, TraceNode

Made: TypeAlias = "tuple[ast.AST, int, str]"  # an expression, its line, the `no_grad` around it


def find(trace: Trace) -> list[Origin]:
    """The origins of the leaves that want no gradient, as far as the source tells them."""
    users: dict[int, tuple[int, int]] = {}
    for e in trace.edges:
        users.setdefault(e.source, (e.target, e.position))
    out = []
    moving = {t.name for t in trace.nodes if t.needs and t.name}
    for t in trace.nodes:
        if t.op:
            before, texts = t.id, _in_brackets(t, moving)
        elif t.needs or t.role == "constant" or t.id not in users:
            continue
        else:
            before, texts = users[t.id][0], _made_by(trace, t, *users[t.id], moving)
        for text, line, under in texts:
            why = _cut(text, under)
            for i in _named(trace, text, before, t.id) if why else ():
                out.append(Origin(t.id, i, line, why))
            if out and out[-1].node == t.id:
                break
    return out


def _in_brackets(t: TraceNode, moving: set[str]) -> Iterator[Made]:
    """What chose the places that an op reads: ``x[mask]``."""
    if t.site is None:
        return
    index, site = source.of(t.site.file), t.site
    whole = index.expressions.get((site.line, site.end_line, site.column, site.end_column))
    if isinstance(whole, ast.Subscript):
        yield whole.slice, site.line, ""
        yield from _behind(index, whole.slice, site.line, moving)


def _behind(
    index: source.Source, text: ast.AST, line: int, moving: set[str], depth: int = 3
) -> Iterator[Made]:
    """The newest assignments of the names in a text that are not in the graph themselves."""
    for n in ast.walk(text):
        if isinstance(n, ast.Name) and n.id not in moving:
            made = [a for a in index.assignments.get(n.id, ()) if a[1] <= line][-1:]
            for value, at, under in made:
                yield value, at, under
                if depth:
                    yield from _behind(index, value, at, moving, depth - 1)


def _made_by(
    trace: Trace, t: TraceNode, user: int, position: int, moving: set[str]
) -> Iterator[Made]:
    """The expressions that may have made a leaf: text, line, and the ``no_grad`` it runs under."""
    site = trace.nodes[user].site
    if site is None:
        return
    index = source.of(site.file)
    whole = index.expressions.get((site.line, site.end_line, site.column, site.end_column))
    parts = source.parts(whole, len(trace.nodes[user].inputs))
    if position < len(parts) and not isinstance(parts[position], ast.Name):
        yield parts[position], site.line, ""
    if position < len(parts) and not t.name:
        yield from _behind(index, parts[position], site.line, moving)
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
        if t.name and t.name in names and t.needs and t.id != leaf:
            found[t.name] = t.id
    return sorted(found.values())
