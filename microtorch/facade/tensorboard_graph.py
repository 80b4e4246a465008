"""A model's graph as TensorBoard draws it: an op for each node of one run, in boxes of modules."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..autograd import enable_grad
from ..graph import Node, in_order
from ..handles.tensor import Tensor
from ..nn.module import Module
from .random import fork_rng

if TYPE_CHECKING:
    from ..base.types import Argument

VERSION = 22  # of TensorFlow's graphs, which TensorBoard reads


def graph_of(model: Module, inputs: Argument) -> Argument:
    """A GraphDef of `model(*inputs)`, run once in eval mode with the random numbers put back."""
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with enable_grad(), fork_rng():
            fresh = tuple(_followed(x) for x in given)
            out = model(*fresh)
    finally:
        for module, training in modes:
            module.training = training
    names = _names(model)
    leaves = {p.node: ("Parameter", f"{names[owner]}/{name}") for owner in model.modules()
              for name, p in owner.named_parameters(recurse=False)}  # fmt: skip
    leaves |= {x.node: ("IO Node", f"input/input.{i}")
               for i, x in enumerate(fresh) if isinstance(x, Tensor)}  # fmt: skip
    made, graph = _messages()
    seen: dict[Node, str] = {}

    def add(node: Node) -> str:
        """The name of a node, which is entered where it is new; its inputs are there already."""
        if node not in seen:
            kind, name = leaves.get(node, ("Constant", f"constant/{len(seen)}"))
            inputs: list[str] = []
            if node.op is not None:
                inside = names.get(_module(node), names[model])
                kind, name = node.name(), f"{inside}/{node.name()}_{len(seen)}"
                inputs = [add(x) for x in node.inputs]
            seen[node] = name
            graph.append(made(name, kind, node.value.shape, inputs))
        return seen[node]

    ends = list(_tensors(out))
    for node in in_order([x.node for x in ends]):
        add(node)
    for i, x in enumerate(ends):
        graph.append(made(f"output/output.{i}", "IO Node", x.shape, [add(x.node)]))
    proto = importlib.import_module("tensorboardX.proto.graph_pb2")
    versions = importlib.import_module("tensorboardX.proto.versions_pb2")
    return proto.GraphDef(node=graph, versions=versions.VersionDef(producer=VERSION))


def _followed(x: Argument) -> Argument:
    """A copy that requires gradient, so that the graph begins at it."""
    if not isinstance(x, Tensor):
        return x
    return x.detach().clone().requires_grad_(x.is_floating_point())


def _names(model: Module) -> dict[Module | None, str]:
    """Modules by path, as TensorBoard nests boxes: Net/Sequential[features]/Linear[0]."""
    names: dict[Module | None, str] = {model: type(model).__name__}
    for path, module in model.named_modules():
        if path:
            above, _, own = path.rpartition(".")
            names[module] = f"{names[model.get_submodule(above)]}/{type(module).__name__}[{own}]"
    return names


def _module(node: Node) -> Module | None:
    """The innermost module that the node was made in."""
    found: Module | None = None if node.scope is None else node.scope.module()
    return found


def _tensors(out: Argument) -> Iterator[Tensor]:
    """What a model returns, whatever it is packed in."""
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, (tuple, list, dict)):
        for part in out.values() if isinstance(out, dict) else out:
            yield from _tensors(part)


def _messages() -> tuple[Argument, list[Argument]]:
    """The function that makes a message of a node, and an empty list for them."""
    attribute, node, shapes = (
        importlib.import_module(f"tensorboardX.proto.{name}_pb2")
        for name in ("attr_value", "node_def", "tensor_shape")
    )

    def made(name: str, op: str, shape: Argument, inputs: list[str]) -> Argument:
        sizes = [shapes.TensorShapeProto.Dim(size=int(n)) for n in shape]
        listed = attribute.AttrValue.ListValue(shape=[shapes.TensorShapeProto(dim=sizes)])
        return node.NodeDef(
            name=name, op=op, input=inputs,
            attr={"_output_shapes": attribute.AttrValue(list=listed)},
        )  # fmt: skip

    return made, []
