"""A function as a list of nodes, each made before those that read it; and its text in Python."""
from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arrays.device import device
from ..base.columns import columns
from ..base.errors import message
from .files import Row, of_rows, rows
from .names import Namespace, module, qualified, snake
from .node import Argument, Node, Target, Value, map_arg, nodes_in, type_name

if TYPE_CHECKING:
    from ..nn.module import Module

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@", "and_": "&", "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}  # fmt: skip
UNARY = {"neg": "-", "pos": "+", "invert": "~"}


@dataclass
class PythonCode:
    """The text of a function, and what its names mean."""

    src: str
    globals: dict[str, Any]


class Nodes:
    """The nodes of a graph, in order; a node may be erased or added while they are walked."""

    def __init__(self, graph: Graph, forward: bool = True) -> None:
        self.graph, self.forward = graph, forward

    def __len__(self) -> int:
        return self.graph._count

    def __iter__(self) -> Iterator[Node]:
        root = self.graph._root
        node = root._next if self.forward else root._prev
        while node is not root:
            if not node._erased:
                yield node
            node = node._next if self.forward else node._prev

    def __reversed__(self) -> Nodes:
        return Nodes(self.graph, not self.forward)


class Graph:
    """``nodes`` in the order in which they are computed; new ones come at the end.

    ``with graph.inserting_before(node):`` or ``inserting_after`` they come there.
    """

    def __init__(
        self, owning_module: Module | None = None, tracer_cls: type[Any] | None = None
    ) -> None:
        self._root = Node(self, "", "placeholder", "", (), {})
        self._count = 0
        self._names = Namespace()
        self._insert: Callable[[Node], None] = self._root.prepend
        self.owning_module, self._tracer_cls = owning_module, tracer_cls

    @property
    def nodes(self) -> Nodes:
        """The nodes, in order."""
        return Nodes(self)

    def changes(self) -> None:
        """Called before each change. A graph that is a view of something else refuses."""

    def find_nodes(self, *, op: str, target: Target | None = None, sort: bool = True) -> list[Node]:
        """The nodes of a kind, and of a target."""
        return [n for n in self.nodes if n.op == op and target in (None, n.target)]

    def output_node(self) -> Node:
        """The node that returns."""
        return next(n for n in reversed(self.nodes) if n.op == "output")

    # ---- new nodes -------------------------------------------------------------------------------
    def create_node(
        self, op: str, target: Target, args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None, name: str | None = None,
        type_expr: object = None,
    ) -> Node:  # fmt: skip
        """A node at the place where new ones come; ``name`` is made different from all others."""
        self.changes()
        wanted = name or _candidate(target)
        node = Node(self, self._names.new(wanted), op, target, args or (), kwargs or {}, type_expr)
        self._insert(node)
        self._count += 1
        return node

    def placeholder(
        self, name: str, type_expr: object = None, default_value: Argument = ...
    ) -> Node:
        """An argument of the function."""
        args = () if default_value is ... else (default_value,)
        return self.create_node("placeholder", name, args, type_expr=type_expr)

    def get_attr(self, qualified_name: str, type_expr: object = None) -> Node:
        """A member of the module, by its path."""
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_function(
        self, the_function: Callable[..., Any], args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None, type_expr: object = None,
        name: str | None = None,
    ) -> Node:  # fmt: skip
        """A call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name, type_expr)

    def call_method(
        self, method_name: str, args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None, type_expr: object = None,
    ) -> Node:  # fmt: skip
        """A call of a method of ``args[0]``."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_module(
        self, module_name: str, args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None, type_expr: object = None,
    ) -> Node:  # fmt: skip
        """A call of the submodule at a path."""
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def output(self, result: Argument, type_expr: object = None) -> Node:
        """What the function returns."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def node_copy(
        self, node: Node, arg_transform: Callable[[Node], Argument] = lambda x: x
    ) -> Node:
        """A node like one of another graph; ``arg_transform(node)`` says what its inputs are."""
        args, kwargs = map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform)
        made = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        made.meta = dict(node.meta)
        return made

    def graph_copy(
        self, g: Graph, val_map: dict[Node, Node], return_output_node: bool = False
    ) -> Argument:
        """The nodes of another graph; ``val_map`` gets, and may have, what each became.

        Returns what the other graph returns, in new nodes; no output node is made.
        """
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                result = map_arg(node.args[0], lambda n: val_map[n])
                return (result, node) if return_output_node else result
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Graph:
        made, known = Graph(tracer_cls=self._tracer_cls), dict[Node, Node]()
        result = made.graph_copy(self, known)
        ends = [n for n in self.nodes if n.op == "output"]
        if ends:
            made.output(result, ends[0].type).meta = dict(ends[0].meta)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Graph._of, (rows(self),)

    @staticmethod
    def _of(given: list[Row]) -> Graph:
        return of_rows(Graph(), given)

    # ---- changes ---------------------------------------------------------------------------------
    def erase_node(self, to_erase: Node) -> None:
        """Take out a node that nobody reads; RuntimeError for another."""
        if to_erase.users:
            raise RuntimeError(
                message(
                    f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users "
                    f"in the graph: {to_erase.users}!",
                    fix="node.replace_all_uses_with(other) first",
                )
            )
        if to_erase._erased:
            return
        self.changes()
        to_erase._leave()  # it keeps its neighbours, so that a walk that is here goes on
        to_erase._erased = True
        self._count -= 1
        to_erase.args, to_erase.kwargs = (), {}

    @contextmanager
    def _inserting(self, insert: Callable[[Node], None]) -> Iterator[None]:
        before, self._insert = self._insert, insert
        try:
            yield
        finally:
            self._insert = before

    def inserting_before(self, n: Node | None = None) -> Value:
        """In the block new nodes come before ``n`` (None: at the beginning)."""
        return self._inserting(self._root._next.prepend if n is None else n.prepend)

    def inserting_after(self, n: Node | None = None) -> Value:
        """In the block new nodes come after ``n`` (None: at the end), each after the last."""
        place = [self._root._prev if n is None else n]

        def insert(node: Node) -> None:
            place[0].append(node)
            place[0] = node

        return self._inserting(insert)

    def eliminate_dead_code(
        self, is_impure_node: Callable[[Node], bool] | None = None
    ) -> bool:
        """Take out what nobody reads and has no effect; returns whether there was any."""
        impure = is_impure_node or Node.is_impure
        before = self._count
        for node in reversed(self.nodes):
            if not node.users and not impure(node):
                self.erase_node(node)
        return self._count < before

    def lint(self) -> None:
        """RuntimeError where a node reads one that comes later, or is not of this graph."""
        seen: set[Node] = set()
        for node in self.nodes:
            for read in node.all_input_nodes:
                if read.graph is not self:
                    what = f"Argument '{read}' of Node '{node}' does not belong to this Graph"
                    raise RuntimeError(message(what))
                if read not in seen:
                    raise RuntimeError(
                        message(
                            f"Argument '{read}' of Node '{node}' was used before it has been "
                            "defined! Please check that Nodes in the graph are topologically "
                            f"ordered\n{self}"
                        )
                    )
            seen.add(node)

    # ---- text ------------------------------------------------------------------------------------
    def python_code(self, root_module: str = "self") -> PythonCode:
        """The function's text: a line for each node, and None for what is not read again."""
        known = {"torch": module("torch"), "inf": math.inf, "nan": math.nan, "device": device}
        writer = Writer(self, root_module, known)
        return PythonCode(writer.text(), known)

    def __str__(self) -> str:
        return "\n    ".join(["graph():", *(str(n.format_node()) for n in self.nodes)])

    def print_tabular(self) -> None:
        """Print the nodes as a table."""
        head = ["opcode", "name", "target", "args", "kwargs"]
        rows = [[*map(str, self._row(n))] for n in self.nodes]
        rule = ["-" * max(map(len, column)) for column in zip(head, *rows, strict=True)]
        print(*columns([head, rule, *rows], left=range(5)), sep="\n")

    def _row(self, n: Node) -> tuple[Argument, ...]:
        return n.op, n.name, n.target, n.args, n.kwargs


def _candidate(target: Target) -> str:
    """The name that a node would like."""
    name = getattr(target, "__name__", type(target).__name__) if callable(target) else target
    if name.startswith("*"):
        return "_" + name.strip("*")
    return snake(name[2:-2] if name.startswith("__") and name.endswith("__") else name)


class Writer:
    """Writes a graph as a function of Python's."""

    def __init__(self, graph: Graph, root: str, known: dict[str, Any]) -> None:
        self.graph, self.root, self.known = graph, root, known

    def text(self) -> str:
        """``def forward(self, ...)``."""
        last = self._last_uses()
        arguments, lines = [self.root], []
        for node in self.graph.nodes:
            if node.op == "placeholder":
                arguments.append(self._parameter(node))
                raw = str(node.target).lstrip("*")
                if raw != node.name:
                    lines.append(f"{node.name} = {raw}")
            elif node.op == "output":
                lines.append(f"return {self._written(node.args[0])}")
                break
            else:
                gone = [*last.get(node, []), *([] if node.users else [node])]
                names = "".join(f"{n.name} = " for n in gone)
                end = f";  {names}None" if gone else ""
                lines.append(f"{node.name} = {self._call(node)}{end}")
        order = sorted(arguments, key=lambda a: a.startswith("*") + a.startswith("**"))
        body = "\n".join(f"    {line}" for line in [*(lines or ["pass"]), ""])
        return f"\n\n\ndef forward({', '.join(order)}):\n{body}"

    def _last_uses(self) -> dict[Node, list[Node]]:
        """By node, what is read there for the last time."""
        found: dict[Node, list[Node]] = {}
        seen: set[Node] = set()
        for node in reversed(self.graph.nodes):
            for read in [*nodes_in(node.args), *nodes_in(node.kwargs)]:
                if read not in seen:
                    seen.add(read)
                    found.setdefault(node, []).append(read)
        return found

    def _parameter(self, node: Node) -> str:
        kind = type_name(node.type) if isinstance(node.type, type) else ""
        known = kind if kind.startswith("torch.") else self._global(kind, node.type)
        typed = f" : {known}" if kind else ""
        default = f" = {self._written(node.args[0])}" if node.args else ""
        return f"{node.target}{typed}{default}"

    def _call(self, node: Node) -> str:
        args = [self._written(a) for a in node.args]
        given = ", ".join([*args, *(f"{k} = {self._written(v)}" for k, v in node.kwargs.items())])
        if node.op == "get_attr":
            return _path(self.root, str(node.target))
        if node.op == "call_module":
            return f"{_path(self.root, str(node.target))}({given})"
        if node.op == "call_method":
            rest = given[len(args[0]) :].removeprefix(", ")
            return f"{self._held(node.args[0])}.{node.target}({rest})"
        f: Value = node.target
        name = f.__name__
        if getattr(operator, name, None) is f:
            if name in BINARY and len(args) == 2:
                return f"{self._held(node.args[0])} {BINARY[name]} {self._held(node.args[1])}"
            if name in UNARY and len(args) == 1:
                return f"{UNARY[name]}{self._held(node.args[0])}"
            if name == "getitem":
                return f"{self._held(node.args[0])}[{args[1]}]"
        if f is getattr and len(args) == 2 and str(node.args[1]).isidentifier():
            return f"{self._held(node.args[0])}.{node.args[1]}"
        return f"{self._function(f)}({given})"

    def _held(self, a: Argument) -> str:
        """An operand: what is no name or number stands in brackets."""
        text = self._written(a)
        return text if isinstance(a, Node) or text.replace(".", "").isalnum() else f"({text})"

    def _function(self, f: Callable[..., Any]) -> str:
        name = qualified(f)
        if name.startswith("torch."):
            return name
        return self._global(name.removeprefix("builtins."), f)

    def _global(self, wanted: str, value: Value) -> str:
        """The name of something that the text does not import."""
        name = wanted.replace(".", "_").replace("<", "").replace(">", "")
        if getattr(builtins, name, None) is value:
            return name
        while self.known.setdefault(name, value) is not value:
            name += "_"
        return name

    def _written(self, a: Argument) -> str:
        """An argument as Python's text."""
        if isinstance(a, Node):
            return a.name
        if isinstance(a, (tuple, list)):
            inner = ", ".join(map(self._written, a))
            if hasattr(a, "_fields"):
                return f"{self._global(type(a).__name__, type(a))}({inner})"
            if isinstance(a, list):
                return f"[{inner}]"
            return f"({inner},)" if len(a) == 1 else f"({inner})"
        if isinstance(a, dict):
            return "{" + ", ".join(f"{k!r}: {self._written(v)}" for k, v in a.items()) + "}"
        if isinstance(a, slice):
            return f"slice({', '.join(map(self._written, (a.start, a.stop, a.step)))})"
        if callable(a) and not isinstance(a, type) and hasattr(a, "__name__"):
            return self._function(a)
        if isinstance(a, (bool, int, float, complex, str, bytes, type(None), type(...))):
            return repr(a)
        text = repr(a)
        if text.startswith(("torch.", "device(")):  # dtypes, devices, layouts
            return text
        return self._global(f"{type(a).__name__}_{len(self.known)}", a)


def _path(root: str, target: str) -> str:
    """``self.layer1.0.conv`` as Python reads it."""
    text = root
    for part in target.split("."):
        text = f"{text}.{part}" if part.isidentifier() else f'getattr({text}, "{part}")'
    return text
