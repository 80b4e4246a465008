"""What stands for a value while a graph is recorded: whatever is done with it becomes a node."""
from __future__ import annotations

import dis
import operator
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from .node import Argument, Node, Target, Value, map_aggregate
from .recorders import RECORDERS, Recorded

if TYPE_CHECKING:
    from .graph import Graph

CONTROL = "symbolically traced variables cannot be used as inputs to control flow"
INSTEAD = "torch.where chooses by values; torch.fx.wrap makes a function that is not looked into"
ITERATED = (
    "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a loop or as "
    "a *args or **kwargs function argument. See the torch.fx docs on pytorch.org for a more "
    "detailed explanation of what types of control flow can be traced, and check out the Proxy "
    "docstring for help troubleshooting Proxy iteration errors"
)
OPERATORS = (
    "add sub mul truediv floordiv mod pow matmul lshift rshift and_ or_ xor lt le gt ge eq ne "
    "getitem"
).split()
REFLECTED = "add sub mul truediv floordiv mod pow matmul lshift rshift and_ or_ xor".split()
ONE = "neg pos invert".split()


class TraceError(ValueError):
    """The function does with a value what a graph cannot record."""


class TracerBase:
    """Makes nodes of what is done with proxies, at the place where ``graph`` has new ones."""

    graph: Graph

    def to_bool(self, obj: Proxy) -> bool:
        """``if proxy``."""
        raise TraceError(message(CONTROL, f"the value of {obj.node}", fix=INSTEAD))

    def iter(self, obj: Proxy) -> Iterator[Proxy]:
        """``for x in proxy``."""
        raise TraceError(message(ITERATED))

    def keys(self, obj: Proxy) -> Value:
        """``**proxy``."""
        return self.create_proxy("call_method", "keys", (obj,), {})

    def proxy(self, node: Node) -> Proxy:
        """What stands for a node."""
        return Proxy(node, self)

    def create_node(
        self, kind: str, target: Target, args: tuple[Argument, ...], kwargs: dict[str, Argument],
        name: str | None = None, type_expr: object = None,
    ) -> Node:  # fmt: skip
        """A node of the graph."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def create_proxy(
        self, kind: str, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any],
        name: str | None = None, type_expr: object = None,
    ) -> Proxy:  # fmt: skip
        """A node of what was called, and what stands for its value."""
        given, named = self.create_arg(args), self.create_arg(kwargs)
        return self.proxy(self.create_node(kind, target, given, named, name, type_expr))

    def create_arg(self, a: Value) -> Argument:
        """An argument as a node has it, with nodes in the place of proxies."""
        return map_aggregate(a, self.one_arg)

    def one_arg(self, a: Value) -> Argument:
        """One element of an argument."""
        return a.node if isinstance(a, Proxy) else a


class GraphAppendingTracer(TracerBase):
    """Adds to a graph that there is: for a pass that computes with proxies of its nodes.

    Functions of torch make nodes of such proxies as long as one of them lives.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        RECORDERS.begin()
        weakref.finalize(self, RECORDERS.end).atexit = False


class Proxy(Recorded):
    """The value of ``node``; ``tracer`` records, by default at the end of the node's graph."""

    def __init__(self, node: Node | None, tracer: TracerBase | None = None) -> None:
        if tracer is None:
            assert node is not None
            tracer = GraphAppendingTracer(node.graph)
        self._node, self.tracer = node, tracer

    @property
    def node(self) -> Node:
        """What is recorded."""
        assert self._node is not None
        return self._node

    def __getattr__(self, name: str) -> Attribute:
        if name.startswith("__") or name == "array":  # Python and the engine ask what this is
            raise AttributeError(name)
        return Attribute(self, name)

    def __call__(self, *args: Value, **kwargs: Value) -> Proxy:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __iter__(self) -> Iterator[Proxy]:
        frame = sys._getframe(1)
        wanted = frame.f_lasti
        for step in dis.get_instructions(frame.f_code):  # a, b = proxy: as many as there are names
            if step.offset >= wanted and step.opname == "UNPACK_SEQUENCE" and step.argval:
                if step.offset == wanted:
                    return iter([self[i] for i in range(step.argval)])
                break
        return self.tracer.iter(self)

    def __len__(self) -> int:
        raise RuntimeError(
            message(
                "'len' is not supported in symbolic tracing by default. If you want this call to "
                "be recorded, please call torch.fx.wrap('len') at module scope"
            )
        )

    def __setitem__(self, key: Value, value: Value) -> None:
        raise TypeError(message("'Proxy' object does not support item assignment"))

    def __index__(self) -> int:
        raise TypeError(
            message(f"'Proxy' object cannot be interpreted as a number: {self!r}", fix=INSTEAD)
        )

    def __hash__(self) -> int:
        return id(self)

    def __abs__(self) -> Proxy:
        return self.tracer.create_proxy("call_function", abs, (self,), {})

    def keys(self) -> Value:
        """What ``**proxy`` asks for."""
        return self.tracer.keys(self)

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    __eq__: Value
    __getitem__: Value


class Attribute(Proxy):
    """``proxy.name``: a method that is to be called, or a node of its own."""

    def __init__(self, root: Proxy, attr: str) -> None:
        super().__init__(None, root.tracer)
        self.root, self.attr = root, attr

    @property
    def node(self) -> Node:
        """The node of ``getattr(root, name)``, made when it is needed."""
        if self._node is None:
            args = (self.root, self.attr)
            self._node = self.tracer.create_proxy("call_function", getattr, args, {}).node
        return self._node

    def __call__(self, *args: Value, **kwargs: Value) -> Proxy:
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


def _recorded(name: str, swapped: bool = False) -> Callable[..., Proxy]:
    function = getattr(operator, name)

    def method(self: Proxy, *others: Value) -> Proxy:
        args = (*others, self) if swapped else (self, *others)
        return self.tracer.create_proxy("call_function", function, args, {})

    return method


for _name in [*OPERATORS, *ONE]:
    setattr(Proxy, f"__{_name.strip('_')}__", _recorded(_name))
for _name in REFLECTED:
    setattr(Proxy, f"__r{_name.strip('_')}__", _recorded(_name, swapped=True))
