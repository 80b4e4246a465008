"""A program to walk: its steps as nodes that know their inputs and their users.

A read-only view with the names of PyTorch's ``torch.fx``. The nodes are, in order: a "placeholder"
for each tensor that the program finds, its weights among them; a "get_attr" for each constant array
that a step reads; a "call_function" for each step; the "output". A step with several results is
followed by a ``getitem`` for each; one that writes into an array stands for that array from then
on. ``target`` is a kernel: it takes arrays, not tensors.
"""
from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import dtypes
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


class Node:
    """One node. ``args`` and ``kwargs`` hold the nodes that it reads; ``users`` those that read it.

    ``op`` is "placeholder", "get_attr", "call_function" or "output"; ``shape`` and ``dtype`` are
    None where it gives no array, or several; ``site`` is the place in the user's source.
    """

    __slots__ = ("args", "dtype", "kwargs", "meta", "name", "op", "shape", "site", "target",
                 "users")  # fmt: skip

    def __init__(
        self, op: str, name: str, target: Operand, args: tuple[Operand, ...] = (),
        kwargs: dict[str, Operand] | None = None, value: Value | None = None,
        site: Site | None = None,
    ) -> None:  # fmt: skip
        self.op, self.name, self.target, self.args = op, name, target, args
        self.kwargs, self.site = kwargs or {}, site
        self.users: dict[Node, None] = {}
        meta = None if value is None else TensorMeta.of(value)
        self.shape = None if meta is None else meta.shape
        self.dtype = None if meta is None else meta.dtype
        self.meta: dict[str, Operand] = {} if meta is None else {"val": meta, "tensor_meta": meta}
        if site is not None:
            self.meta["stack_trace"] = f'  File "{site.file}", line {site.line}, in {site.function}'
        for x in self.all_input_nodes:
            x.users[self] = None

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes that it reads, each once, in the order of its arguments."""
        return [*dict.fromkeys(_nodes((self.args, self.kwargs)))]

    def format_node(self) -> str:
        """The node as a line."""
        if self.op == "output":
            return f"return {_shown(self.args[0])}"
        head = f"%{self.name} : [num_users={len(self.users)}] = {self.op}"
        if self.op != "call_function":
            return f"{head}[target={self.target}]"
        args = _shown(self.args)
        kwargs = ", ".join(f"{k}: {_shown(v)}" for k, v in self.kwargs.items())
        return f"{head}[target={target_name(self)}](args = {args}, kwargs = {{{kwargs}}})"

    def __repr__(self) -> str:
        return self.name


def target_name(node: Node) -> str:
    """What the step is called."""
    if node.target is operator.getitem:
        return "operator.getitem"
    return str(node.meta.get("kernel", node.target))


def _nodes(x: Operand) -> Iterator[Node]:
    if isinstance(x, Node):
        yield x
    elif isinstance(x, dict):
        for y in x.values():
            yield from _nodes(y)
    elif isinstance(x, (tuple, list)):
        for y in x:
            yield from _nodes(y)


def _shown(x: Operand) -> str:
    if isinstance(x, Node):
        return f"%{x.name}"
    if isinstance(x, tuple):
        return f"({', '.join(map(_shown, x))}{',' * (len(x) == 1)})"
    if isinstance(x, list):
        return f"[{', '.join(map(_shown, x))}]"
    return repr(x)


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
        self.nodes: list[Node] = []
        self.of: dict[int, Node] = {}  # by the number of a value: what it is at this point
        names = names or {}
        leaves = [x for x in program.leaves if x.kind != "seed"]
        named = {names.get(x.number, x.name or f"{x.kind}_{x.number}"): x for x in leaves}
        for name, value in order or [(k, program.values[x.number]) for k, x in named.items()]:
            node = self.add(Node("placeholder", self.name(name), name, (), None, value))
            node.meta |= {"sizes": self.sizes[name]} if name in self.sizes else {}
            if name in named:
                self.of[named[name].number] = node
        for step in program.steps[: program.split]:
            self.step(step)
        returned = replaced(program.outputs, lambda ref: Ref(program.returned[ref.number]))
        self.add(Node("output", self.name("output"), "output", (self.operand(returned),)))

    def add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

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
                self.of[n] = self.add(Node("get_attr", name, name, (), None, value))

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
        node = Node("call_function", self.name(step.name), step.function, args, kwargs, value,
                    step.site)  # fmt: skip
        self.add(node).meta["kernel"] = step.name
        if alone:
            node.meta |= {"sizes": self.sizes[gives[0]]} if gives[0] in self.sizes else {}
            self.of[gives[0]] = node
            return
        for i, n in enumerate(gives):  # such a node has no kernel
            part = Node("call_function", self.name("getitem"), operator.getitem, (node, i), None,
                        self.program.values[n], step.site)  # fmt: skip
            self.of[n] = self.add(part)
        written = next(refs(step.arguments[:1]), None)
        if not gives and written is not None:  # it wrote into its first operand
            self.of[written] = node
