"""A program to walk: its steps as nodes of ``torch.fx``, which know their inputs and their users.

A read-only view, which ``f.graph.nodes`` and ``torch.export`` show. The nodes are, in order: a
"placeholder" for each tensor that the program finds, its weights among them; a "get_attr" for each
constant array that a step reads; a "call_function" for each step; the "output". A step with
several results is followed by a ``getitem`` for each; one that writes into an array stands for that
array from then on. ``target`` is a kernel: it takes arrays, not tensors.
"""
from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import fx
from ..arrays import dtypes
from ..base.errors import message
from ..handles.size import Size
from .templates import Ref, Unread, refs, replaced

if TYPE_CHECKING:
    from ..base.types import DType, Operand
    from ..graph import Site
    from .program import Program, Step
    from .templates import Value


class TensorMeta(NamedTuple):
    """What is known of a node's value before the program runs; strides in elements."""

    shape: Size
    dtype: dtypes.dtype
    stride: tuple[int, ...]

    @classmethod
    def of(cls, value: Value) -> TensorMeta:
        step = value.dtype.itemsize
        strides = tuple([s // step for s in value.strides])
        return cls(Size(value.shape), _dtype(value.dtype), strides)


def _dtype(d: DType) -> dtypes.dtype:
    return dtypes.of(np.empty(0, d))


class Node(fx.Node):
    """A node of ``torch.fx`` with what is known of its value.

    ``shape`` and ``dtype`` are None where it gives no array, or several; ``site`` is the place in
    the user's source.
    """

    def __init__(
        self, graph: Graph, op: str, name: str, target: Operand, args: tuple[Operand, ...] = (),
        kwargs: dict[str, Operand] | None = None, value: Value | None = None,
        site: Site | None = None,
    ) -> None:  # fmt: skip
        super().__init__(graph, name, op, target, args, kwargs or {})
        self.site = site
        meta = None if value is None else TensorMeta.of(value)
        self.shape = None if meta is None else meta.shape
        self.dtype = None if meta is None else meta.dtype
        self.meta = {} if meta is None else {"val": meta, "tensor_meta": meta}
        if site is not None:
            trace = f'  File "{site.file}", line {site.line}, in {site.function}'
            self.meta["stack_trace"] = self.stack_trace = trace

    @property
    def called(self) -> str:
        """The name of its kernel."""
        return str(self.meta.get("kernel", super().called))


class Graph(fx.Graph):
    """The nodes of a program. A view: they cannot be changed, but a copy of them can."""

    whole = False  # are all nodes there?

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.listed: list[Node] = []

    def add(self, node: Node) -> Node:
        self.listed.append(node)
        self._insert(node)
        self._count += 1
        return node

    def changes(self) -> None:
        """TypeError: the program would not change with it."""
        if self.whole:
            raise TypeError(
                message("the nodes of a recorded program are a view, and are not changed",
                        fix="copy.deepcopy(graph) can be; or record another function")
            )  # fmt: skip

    def find_nodes(
        self, *, op: str, target: Operand = None, sort: bool = True
    ) -> list[fx.Node]:
        """The nodes of a kind; of functions those with this target, or of this name."""
        return [
            n for n in self.nodes
            if n.op == op and (target is None or target in (n.target, n.meta.get("kernel")))
        ]  # fmt: skip

    def _row(self, n: fx.Node) -> tuple[Operand, ...]:
        return n.op, n.name, n.meta.get("kernel", n.target), n.args, n.kwargs


class Walk:
    """Makes the nodes of a program.

    ``names``: of its leaves, by number; ``order``: all placeholders by name and value, of which
    some may be read by no step. By default the leaves, under their own names.
    """

    def __init__(
        self, program: Program, names: dict[int, str] | None = None,
        order: Sequence[tuple[str, Value]] = (), sizes: Mapping[Operand, Operand] | None = None,
    ) -> None:  # fmt: skip
        self.sizes = sizes or {}  # symbols in shapes: by the number of a value, or its name
        self.program, self.taken = program, set[str]()
        self.graph = Graph(program)
        self.of: dict[int, Node] = {}  # by the number of a value: what it is at this point
        names = names or {}
        leaves = [x for x in program.leaves if x.kind != "seed"]
        named = {names.get(x.number, x.name or f"{x.kind}_{x.number}"): x for x in leaves}
        for name, value in order or [(k, program.values[x.number]) for k, x in named.items()]:
            node = self.node("placeholder", self.name(name), name, (), None, value)
            node.meta |= {"sizes": self.sizes[name]} if name in self.sizes else {}
            if name in named:
                self.of[named[name].number] = node
        for step in program.steps[: program.split]:
            self.step(step)
        returned = replaced(program.outputs, lambda ref: Ref(program.returned[ref.number]))
        self.node("output", self.name("output"), "output", (self.operand(returned),))
        self.graph.whole = True

    def node(self, *given: Operand) -> Node:
        return self.graph.add(Node(self.graph, *given))

    def name(self, like: str) -> str:
        """A name that nothing has: ``add``, ``add_1``, ``add_2``."""
        first = found = re.sub(r"\W", "_", like)
        n = 0
        while found in self.taken:
            n += 1
            found = f"{first}_{n}"
        self.taken.add(found)
        return found

    def operand(self, x: Operand) -> Operand:
        """A template with nodes in the place of values, and numbers in that of constants."""
        for n in refs(x):
            array = self.program.constants.get(n)
            if n not in self.of and array is not None and array.ndim:
                name, value = self.name(f"_tensor_constant{n}"), self.program.values[n]
                self.of[n] = self.node("get_attr", name, name, (), None, value)

        def put(ref: Ref) -> Operand:
            if ref.number in self.of:
                return self.of[ref.number]
            return self.program.constants[ref.number].item()

        found = replaced(x, put)
        # of an operand whose shape alone counts, what is known
        return TensorMeta(Size(x.shape), _dtype(x.dtype), ()) if isinstance(x, Unread) else found

    def step(self, step: Step) -> None:
        args = tuple([self.operand(x) for x in step.arguments])
        kwargs = {k: self.operand(x) for k, x in step.attrs.items()}
        gives = [*step.gives()]
        alone = type(step.result) is Ref
        value = self.program.values[gives[0]] if alone else None
        node = self.node("call_function", self.name(step.name), step.function, args, kwargs, value,
                         step.site)  # fmt: skip
        node.meta["kernel"] = step.name
        if alone:
            node.meta |= {"sizes": self.sizes[gives[0]]} if gives[0] in self.sizes else {}
            self.of[gives[0]] = node
            return
        for i, n in enumerate(gives):  # such a node has no kernel
            self.of[n] = self.node("call_function", self.name("getitem"), operator.getitem,
                                   (node, i), None, self.program.values[n], step.site)  # fmt: skip
        written = next(refs(step.arguments[:1]), None)
        if not gives and written is not None:  # it wrote into its first operand
            self.of[written] = node
