"""Run a graph node by node; make a new graph of it, node by node."""
from __future__ import annotations

from typing import Any

from ..base.errors import message
from ..nn.module import Module
from .graph import Graph
from .graph_module import GraphModule
from .node import Argument, Node, Target, Value, map_arg
from .proxy import Proxy
from .tracing import Tracer, recording


class Interpreter:
    """Runs ``module``'s graph; a subclass may do something else at a kind of node."""

    def __init__(
        self, module: Module, garbage_collect_values: bool = True, graph: Graph | None = None
    ) -> None:
        self.module, self.submodules = module, dict(module.named_modules())
        self.graph: Graph = module.graph if graph is None else graph
        self.garbage_collect_values = garbage_collect_values
        self.env: dict[Node, Any] = {}
        self.name = "Interpreter"
        self.extra_traceback = True

    def run(
        self, *args: Value, initial_env: dict[Node, Any] | None = None,
        enable_io_processing: bool = True,
    ) -> Value:  # fmt: skip
        """What the graph returns for ``args``. ``initial_env``: values of nodes that are known."""
        self.env = dict(initial_env or {})
        self.args_iter = iter(args)
        left = {node: len(node.users) for node in self.graph.nodes}
        for node in self.graph.nodes:
            if node in self.env:
                continue
            self.env[node] = self._tried(node)
            if node.op == "output":
                return self.env[node]
            if self.garbage_collect_values:
                for read in node.all_input_nodes:
                    left[read] -= 1
                    if left[read] == 0:
                        del self.env[read]
        return None

    def _tried(self, node: Node) -> Value:
        """The value of a node; an error says which node it was."""
        try:
            return self.run_node(node)
        except Exception as error:
            if error.args and isinstance(error.args[0], str):
                where = f"\n\nWhile executing {node.format_node()}"
                error.args = (error.args[0] + where, *error.args[1:])
            raise

    def run_node(self, n: Node) -> Value:
        """The value of a node."""
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        return getattr(self, n.op)(n.target, args, kwargs)

    def placeholder(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        """The next argument, or its default."""
        name = str(target)
        if name.startswith("**"):
            return {}
        if name.startswith("*"):
            return list(self.args_iter)
        try:
            return next(self.args_iter)
        except StopIteration:
            if args:
                return args[0]
            raise RuntimeError(
                message(
                    f"Expected positional argument for parameter {target}, but one was not passed "
                    "in!"
                )
            ) from None

    def get_attr(self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]) -> Value:
        """A member of the module."""
        return self.fetch_attr(str(target))

    def call_function(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        """A function's value."""
        assert not isinstance(target, str)
        return target(*args, **kwargs)

    def call_method(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        """A method's value."""
        owner, *rest = args
        return getattr(owner, str(target))(*rest, **kwargs)

    def call_module(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        """A submodule's value."""
        return self.fetch_attr(str(target))(*args, **kwargs)

    def output(self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]) -> Value:
        """What is returned."""
        return args[0]

    def fetch_attr(self, target: str) -> Value:
        """What lies at a path of the module. RuntimeError where nothing does."""
        found: Value = self.module
        for part in target.split("."):
            if not hasattr(found, part):
                raise RuntimeError(message(f"Node referenced nonexistent target {target}"))
            found = getattr(found, part)
        return found

    def fetch_args_kwargs_from_env(self, n: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The values that a node reads."""
        return self.map_nodes_to_values(n.args, n), self.map_nodes_to_values(n.kwargs, n)

    def map_nodes_to_values(self, args: Argument, n: Node) -> Value:
        """An argument with values in the place of nodes."""
        return map_arg(args, lambda read: self.env[read])


class Transformer(Interpreter):
    """Makes a new graph: each node is run on proxies, as a subclass says."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.new_graph = Graph()
        self.tracer = Tracer()
        self.tracer.graph, self.tracer.root = self.new_graph, module

    def placeholder(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Proxy:
        return self.tracer.create_proxy("placeholder", target, args, {})

    def get_attr(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Proxy:
        return self.tracer.create_proxy("get_attr", target, args, kwargs)

    def call_function(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        return self.tracer.create_proxy("call_function", target, args, kwargs)

    def call_method(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        return self.tracer.create_proxy("call_method", target, args, kwargs)

    def call_module(
        self, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Any]
    ) -> Value:
        return self.tracer.create_proxy("call_module", target, args, kwargs)

    def transform(self) -> GraphModule:
        """The module with the new graph."""
        self.tracer.param_shapes_constant = True  # a weight that is asked for is that weight
        with recording(self.tracer, type(self).call_function):  # functions of proxies make nodes
            result = super().run()
        self.new_graph.output(self.tracer.create_arg(result))
        return GraphModule(self.module, self.new_graph)
