"""Find a pattern in a graph, and put something else in its place."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..nn.module import Module
from .graph import Graph
from .graph_module import GraphModule
from .node import Argument, Node
from .tracing import symbolic_trace


class Match(NamedTuple):
    """Where the pattern ends, and which node each of the pattern's is."""

    anchor: Node
    nodes_map: dict[Node, Any]


def _graph(of: Callable[..., Any] | GraphModule | Graph) -> Graph:
    if isinstance(of, Graph):
        return of
    return of.graph if isinstance(of, GraphModule) else symbolic_trace(of).graph


def replace_pattern(
    gm: GraphModule, pattern: Callable[..., Any] | GraphModule,
    replacement: Callable[..., Any] | GraphModule,
) -> list[Match]:  # fmt: skip
    """Put ``replacement`` in the place of each part of ``gm`` that is like ``pattern``.

    Both are functions of the same number of arguments, or modules. A part matches if its nodes do
    the same with each other, and nobody else reads what is inside; parts do not overlap.
    """
    wanted, new = _graph(pattern), _graph(replacement)
    end = _result(wanted)
    inputs = [n for n in wanted.nodes if n.op == "placeholder"]
    found: list[Match] = []
    taken: set[Node] = set()
    for anchor in list(gm.graph.nodes):
        known: dict[Node, Any] = {}
        if not _alike(end, anchor, known):
            continue
        inside = {n for p, n in known.items() if p.op not in ("placeholder", "get_attr")}
        if inside & taken or any(set(n.users) - inside for n in inside - {anchor}):
            continue
        taken |= inside
        found.append(Match(anchor, known))
    became: dict[Node, Node] = {}
    for anchor, known in found:
        values = [known[p] for p in inputs]
        values = [became.get(v, v) if isinstance(v, Node) else v for v in values]
        arguments = dict(zip((n for n in new.nodes if n.op == "placeholder"), values, strict=True))
        with gm.graph.inserting_before(anchor):
            result = gm.graph.graph_copy(new, arguments)
        anchor.replace_all_uses_with(result)
        became[anchor] = result
        gone = [n for p, n in known.items() if p.op not in ("placeholder", "get_attr")]
        for node in reversed([n for n in gm.graph.nodes if n in gone]):
            gm.graph.erase_node(node)
    if isinstance(replacement, Module):
        for node in new.nodes:
            if node.op in ("get_attr", "call_module"):
                gm._take(replacement, str(node.target))
    gm.recompile()
    return found


def _result(graph: Graph) -> Node:
    """The one node that the pattern returns."""
    result = next(n.args[0] for n in graph.nodes if n.op == "output")
    if not isinstance(result, Node):
        raise RuntimeError("replace_pattern(): a pattern returns one value")
    return result


def _alike(p: Argument, n: Argument, known: dict[Node, Any]) -> bool:
    """Is ``n`` what the pattern's ``p`` says, as far as it is ``known`` already?"""
    if isinstance(p, Node):
        if p in known:
            return known[p] is n
        if p.op == "placeholder":
            known[p] = n
            return True
        if not isinstance(n, Node) or (p.op, p.target) != (n.op, n.target):
            return False
        known[p] = n
        return _alike(p.args, n.args, known) and _alike(p.kwargs, n.kwargs, known)
    if isinstance(p, (tuple, list)):
        same = isinstance(n, (tuple, list)) and len(p) == len(n)
        return same and all(_alike(a, b, known) for a, b in zip(p, n, strict=True))
    if isinstance(p, dict):
        same = isinstance(n, dict) and p.keys() == n.keys()
        return same and all(_alike(p[k], n[k], known) for k in p)
    return not isinstance(n, Node) and bool(p == n)
