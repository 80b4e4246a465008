"""Find a pattern in a graph, and put something else in its place."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..base.errors import message
from ..nn.module import Module
from .graph import Graph
from .graph_module import GraphModule
from .node import Argument, Node
from .tracing import symbolic_trace


class Match(NamedTuple):
    """Where the pattern ends, and which node each of the pattern's is."""

    anchor: Node
    nodes_map: dict[Node, Any]


def _graph(of: Pattern) -> Graph:
    if isinstance(of, Graph):
        return of
    return of.graph if isinstance(of, GraphModule) else symbolic_trace(of).graph


class InternalMatch(NamedTuple):
    """What a filter is asked about: the part of the graph that is like the pattern."""

    anchors: list[Node]
    nodes_map: dict[Node, Any]
    placeholder_nodes: list[Any]
    returning_nodes: list[Node]


class ReplacedPatterns(NamedTuple):
    """A match, and the nodes that have taken its place."""

    anchor: Node
    nodes_map: dict[Node, Any]
    replacements: list[Node]


Pattern: TypeAlias = Callable[..., Any] | GraphModule | Graph
Filter: TypeAlias = Callable[[InternalMatch, Graph, Graph], bool]


def replace_pattern(gm: GraphModule, pattern: Pattern, replacement: Pattern) -> list[Match]:
    """Put ``replacement`` in the place of each part of ``gm`` that is like ``pattern``.

    Both are functions of the same number of arguments, or modules. A part matches if its nodes do
    the same with each other, and nobody else reads what is inside; parts do not overlap.
    """
    return [Match(*r[:2]) for r in replace_pattern_with_filters(gm, pattern, replacement)]


def replace_pattern_with_filters(
    gm: GraphModule, pattern: Pattern, replacement: Pattern | None = None,
    match_filters: Sequence[Filter] | None = None, ignore_literals: bool = False,
    replacement_callback: Callable[[InternalMatch, Graph, Graph], Graph] | None = None,
) -> list[ReplacedPatterns]:  # fmt: skip
    """The same where all filters, each given (match, the graph, the pattern), return True.

    ``replacement_callback`` makes the graph that replaces a match. NotImplementedError for
    ``ignore_literals``.
    """
    if ignore_literals:
        raise NotImplementedError(
            message("replace_pattern_with_filters() compares literals: ignore_literals is not here",
                    fix="make the literal an argument of the pattern")
        )  # fmt: skip
    if (replacement is None) == (replacement_callback is None):
        raise AssertionError("either replacement or replacement_callback is given")
    wanted, whole = _graph(pattern), gm.graph
    new = None if replacement is None else _graph(replacement)
    end = _result(wanted)
    inputs = [n for n in wanted.nodes if n.op == "placeholder"]
    found: list[InternalMatch] = []
    taken: set[Node] = set()
    for anchor in list(gm.graph.nodes):
        known: dict[Node, Any] = {}
        if not _alike(end, anchor, known):
            continue
        inside = {n for p, n in known.items() if p.op not in ("placeholder", "get_attr")}
        if inside & taken or any(set(n.users) - inside for n in inside - {anchor}):
            continue
        match = InternalMatch([anchor], known, [known[p] for p in inputs], [anchor])
        if not all(accepts(match, whole, wanted) for accepts in match_filters or ()):
            continue
        taken |= inside
        found.append(match)
    became: dict[Node, Node] = {}
    done: list[ReplacedPatterns] = []
    for match in found:
        (anchor, *_), known = match[:2]
        if replacement_callback is not None:
            new = replacement_callback(match, whole, wanted)
        assert new is not None
        values = [known[p] for p in inputs]
        values = [became.get(v, v) if isinstance(v, Node) else v for v in values]
        arguments = dict(zip((n for n in new.nodes if n.op == "placeholder"), values, strict=True))
        given = {*arguments}
        with gm.graph.inserting_before(anchor):
            result = gm.graph.graph_copy(new, arguments)
        done.append(ReplacedPatterns(
            anchor, known, [n for k, n in arguments.items() if k not in given]))
        anchor.replace_all_uses_with(result)
        became[anchor] = result
        gone = [n for p, n in known.items() if p.op not in ("placeholder", "get_attr")]
        for node in reversed([n for n in gm.graph.nodes if n in gone]):
            gm.graph.erase_node(node)
    if isinstance(replacement, Module) and new is not None:
        for node in new.nodes:
            if node.op in ("get_attr", "call_module"):
                gm._take(replacement, str(node.target))
    gm.recompile()
    return done


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
