"""Walking the graph: one loop without recursion, and a sort by creation time."""
from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from .node import Node


def reachable(roots: Iterable[Node], constants: bool = False) -> list[Node]:
    """The roots and all they depend on, each once.

    Through nodes that need gradient; with ``constants``, through all.
    """
    found = list(roots)
    seen = set(found)
    if len(seen) < len(found):  # a root is named twice
        found = list(dict.fromkeys(found))
    for node in found:  # the list grows while it is walked
        for x in node.inputs:
            if (x.needs or constants) and x not in seen:
                seen.add(x)
                found.append(x)
    return found


def in_order(roots: Iterable[Node], constants: bool = False) -> list[Node]:
    """``reachable``, oldest first: a topological order, as inputs are older than their uses."""
    found = reachable(roots, constants)
    found.sort(key=by_seq)
    return found


by_seq = attrgetter("seq")


def check(roots: Iterable[Node]) -> None:
    """Raise AssertionError unless the invariants hold below ``roots``.

    For tests; costs a full walk.
    """
    for node in reachable(roots, constants=True):
        assert type(node.inputs) is tuple, node
        assert all(x.seq < node.seq for x in node.inputs), (
            f"{node} has an input younger than itself"
        )
        assert node.needs or node.op is None or node.dev is None, (
            f"{node} was recorded, but no gradient flows"
        )
        assert node.needs == any(x.needs for x in node.inputs) or node.op is None, node
