"""A graph cut into parts, each a module, and a graph that calls them."""
from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from typing import Any

from ...base.errors import message
from ...nn.module import Module
from ..graph import Graph
from ..graph_module import GraphModule
from ..node import Argument, Node, map_arg, nodes_in

OUTSIDE = ("placeholder", "get_attr", "output")


class Part:
    """Some nodes: a graph of their own, what it takes from outside, and what it gives."""

    def __init__(self, name: str) -> None:
        self.name, self.nodes = name, list[Node]()
        self.takes: dict[Node, None] = {}
        self.gives: dict[Node, None] = {}
        self.after: dict[Part, None] = {}  # the parts that are to run before it

    def module(self, root: Module) -> GraphModule:
        """The part as a module, with the layers of ``root`` that it calls."""
        graph, of = Graph(), dict[Node, Node]()
        for n in self.takes:
            of[n] = graph.placeholder(n.name)
        for n in self.nodes:
            of[n] = graph.node_copy(n, lambda x: of[x])
        outs = [of[n] for n in self.gives]
        if outs:
            graph.output(outs[0] if len(outs) == 1 else tuple(outs))
        return GraphModule(root, graph)


def split_module(
    m: GraphModule, root_m: Module, split_callback: Callable[[Node], Hashable],
    qualname_map: dict[str, str] | None = None, keep_original_order: bool | None = False,
    keep_original_node_name: bool = False, **more: Argument,
) -> GraphModule:  # fmt: skip
    """A module that calls ``submod_0``, ...: parts of ``m``, by the number or the name that
    ``split_callback(node)`` gives each node.

    Arguments and weights stay outside, and are given to the parts. ``qualname_map`` gets the path
    of each layer in the parts -> its path before. RuntimeError where parts need each other.
    """
    graph, made, held = Graph(), dict[Node, Any](), dict[str, Any]()
    for n in m.graph.nodes:
        if n.op in ("placeholder", "get_attr"):
            made[n] = graph.node_copy(n)
            if n.op == "get_attr":
                held[str(n.target)] = _at(m, str(n.target))
    for part in _in_order(_parts(m.graph, split_callback)):
        held[part.name] = part.module(m)
        for n in part.nodes:
            if n.op == "call_module" and qualname_map is not None:
                qualname_map[f"{part.name}.{n.target}"] = str(n.target)
        call = graph.call_module(part.name, tuple([made[n] for n in part.takes]))
        for i, n in enumerate(part.gives):
            made[n] = call
            if len(part.gives) > 1:
                made[n] = graph.call_function(operator.getitem, (call, i))
    for n in m.graph.nodes:
        if n.op == "output":
            graph.output(map_arg(n.args[0], lambda x: made[x]), n.type)
    result = GraphModule(held, graph)
    result.training = m.training
    return result


def _parts(graph: Graph, split_callback: Callable[[Node], Hashable]) -> list[Part]:
    """The parts, each with what it takes from others and gives to them."""
    parts: dict[str, Part] = {}
    of: dict[Node, Part] = {}
    for n in graph.nodes:
        if n.op not in OUTSIDE:
            name = str(split_callback(n))
            of[n] = parts.setdefault(name, Part(f"submod_{name}"))
            of[n].nodes.append(n)
    for n in graph.nodes:
        mine = of.get(n)
        for read in [*nodes_in(n.args), *nodes_in(n.kwargs)]:
            other = of.get(read)
            if mine is other:
                continue
            if other is not None:
                other.gives[read] = None
            if mine is not None:
                mine.takes[read] = None
                mine.after |= {other: None} if other is not None else {}
    return [*parts.values()]


def _at(root: Module, path: str) -> Argument:
    found: Argument = root
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _in_order(parts: list[Part]) -> list[Part]:
    """Each after those that it needs, else in the order of their first nodes."""
    done: dict[Part, None] = {}
    while len(done) < len(parts):
        ready = [p for p in parts if p not in done and all(q in done for q in p.after)]
        if not ready:
            names = ", ".join(p.name for p in parts if p not in done)
            raise RuntimeError(
                message(f"cycle exists between partitions! {names} need each other",
                        fix="put what lies between two nodes of a part into it, too")
            )  # fmt: skip
        done[ready[0]] = None
    return [*done]
