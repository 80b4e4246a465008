"""The values inside of a model: ``torchvision.models.feature_extraction``.

A node has the path of the module that made it, and for a function its name: ``layer1.0.add``. What
is made twice has a number: ``layer1.0.relu_1``.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..base.errors import message, nearest
from ..nn.module import Module
from ..vision.ops import layers as ops
from .graph import Graph
from .graph_module import GraphModule
from .node import Argument, Node, Target, Value
from .tracing import Tracer

Names = Sequence[str] | Mapping[str, str]


class NodePathTracer(Tracer):
    """Records, and knows the paths of its nodes."""

    def __init__(
        self, *args: Value, leaf_modules: Sequence[type[Module]] = (), **kwargs: Value
    ) -> None:
        super().__init__(*args, **kwargs)
        self.leaf_modules = tuple(leaf_modules)
        self.node_to_qualname: dict[Node, str] = {}
        self._inside = ""
        self._made: dict[str, int] = {}

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        leaf = isinstance(m, self.leaf_modules) or type(m).__module__ == ops.__name__
        return leaf or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Value:
        before, self._inside = self._inside, self.path_of_module(m)
        try:
            return super().call_module(m, forward, args, kwargs)
        finally:
            self._inside = before

    def create_node(
        self, kind: str, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Argument],
        name: str | None = None, type_expr: object = None,
    ) -> Node:  # fmt: skip
        node = super().create_node(kind, target, args, kwargs, name, type_expr)
        path = self._inside
        if kind != "call_module":
            path = f"{path}.{node.name}".lstrip(".")
        path = re.sub(r"_\d+$", "", path)
        count = self._made[path] = self._made.get(path, -1) + 1
        self.node_to_qualname[node] = f"{path}_{count}" if count else path
        return node


def _traced(
    model: Module, training: bool, tracer_kwargs: Mapping[str, Any] | None
) -> tuple[Graph, dict[Node, str]]:
    before = model.training
    tracer = NodePathTracer(**(tracer_kwargs or {}))
    try:
        graph = tracer.trace(model.train(training))
    finally:
        model.train(before)
    return graph, tracer.node_to_qualname


def get_graph_node_names(
    model: Module, tracer_kwargs: Mapping[str, Any] | None = None,
    suppress_diff_warning: bool = False, concrete_args: object = None,
) -> tuple[list[str], list[str]]:  # fmt: skip
    """The paths of a model's nodes, in order: those in training, and those in evaluation."""
    train, evaluation = (
        [names[n] for n in graph.nodes if n.op != "output"]
        for graph, names in (_traced(model, mode, tracer_kwargs) for mode in (True, False))
    )
    return train, evaluation


class DualGraphModule(GraphModule):
    """Two graphs: one for training, one for evaluation."""

    def __init__(self, root: Module, train: Graph, evaluation: Graph) -> None:
        super().__init__(root, evaluation, type(root).__name__)
        for node in train.nodes:
            if node.op in ("get_attr", "call_module"):
                self._take(root, str(node.target))
        self.__dict__["graphs"] = {True: train, False: evaluation}
        self.train(root.training)

    def train(self, mode: bool = True) -> DualGraphModule:
        """Choose the graph."""
        super().train(mode)
        if "graphs" in self.__dict__:
            self.graph = self.__dict__["graphs"][mode]
        return self


def create_feature_extractor(
    model: Module, return_nodes: Names | None = None, train_return_nodes: Names | None = None,
    eval_return_nodes: Names | None = None, tracer_kwargs: Mapping[str, Any] | None = None,
    suppress_diff_warning: bool = False, concrete_args: object = None,
) -> GraphModule:  # fmt: skip
    """A module that gives a dict of what nodes of ``model`` have computed.

    ``return_nodes``: paths, or a dict from paths to the names of the results. "layer1" is the last
    node below that path. ``train_return_nodes`` and ``eval_return_nodes``, both or none: other ones
    for each mode. Raises ValueError for a path that is not there, or for other combinations.
    """
    apart = (train_return_nodes, eval_return_nodes)
    if (return_nodes is None) == (apart == (None, None)):
        raise ValueError(
            message("If `train_return_nodes` or `eval_return_nodes` is specified, then both should "
                    "be, and not `return_nodes`; otherwise `return_nodes`")
        )  # fmt: skip
    if None in apart and return_nodes is None:
        raise ValueError(message("give train_return_nodes and eval_return_nodes, or neither"))
    graphs = []
    for training, own in ((True, train_return_nodes), (False, eval_return_nodes)):
        wanted = return_nodes if own is None else own
        assert wanted is not None
        names = wanted if isinstance(wanted, Mapping) else {name: name for name in wanted}
        graph, paths = _traced(model, training, tracer_kwargs)
        _return(graph, paths, {str(k): str(v) for k, v in names.items()})
        graphs.append(graph)
    made = DualGraphModule(model, *graphs)
    used = {str(n.target) for g in graphs for n in g.nodes}
    for name, _ in list(made.named_modules()):
        kept = any(u == name or u.startswith(f"{name}.") or name.startswith(f"{u}.") for u in used)
        if name and not kept:
            made.delete_submodule(name)
    return made


def _return(graph: Graph, paths: Mapping[Node, str], names: Mapping[str, str]) -> None:
    """Let a graph return a dict of what lies at some paths, and compute nothing else."""
    results: dict[str, Node] = {}
    known = [(node, paths[node]) for node in graph.nodes if node.op != "output"]
    for path, name in names.items():
        found = [n for n, p in known if p == path or p.startswith(f"{path}.")]
        if not found:
            every = [p for _, p in known]
            raise ValueError(
                message(
                    f"node: '{path}' is not present in model.{nearest(path, every)} Hint: use "
                    "`get_graph_node_names` to make sure the `return_nodes` you specified are "
                    "present.",
                    f"there are {', '.join(every[:40])}",
                )
            )
        results[name] = found[-1]
    for node in reversed(graph.nodes):
        if node.op == "output":
            graph.erase_node(node)
    graph.output({name: results[name] for name in results})
    graph.eliminate_dead_code()
