"""An ONNX model as a Module: ``microtorch.onnx.load``. Needs the package onnx.

Each node is a call of microtorch's own functions, so that the model runs on any device, trains and
draws like one written by hand. The table of calls is in onnx_ops.py; an operation that is not in
it, or an attribute that its function does not take, is named when the file is loaded, before
anything runs.
"""
from __future__ import annotations

import os
import re
from typing import IO, TYPE_CHECKING

from ..base.errors import message
from ..create.data import from_numpy
from ..handles.tensor import Tensor
from ..nn.module import Module
from ..nn.parameter import Parameter
from . import onnx_layers
from .onnx_ops import CALLS, lists, values_of
from .onnx_out import onnx_package

if TYPE_CHECKING:
    from ..base.types import Operand
    from .onnx_ops import Function

ENTERED = onnx_layers  # importing it has entered its rows into CALLS


class OnnxModule(Module):
    """A graph of ONNX. Its weights are parameters, under their names with _ for what is no letter.

    ``forward`` takes the graph's inputs in order and returns its output, or a tuple of them.
    """

    def __init__(self, model: Operand):
        super().__init__()
        onnx = onnx_package()
        graph = model.graph
        opsets = {o.domain: o.version for o in model.opset_import}
        self.opset: int = opsets.get("", opsets.get("ai.onnx", 1))
        self.names: dict[str, str] = {}  # of ONNX -> of a parameter or buffer
        for array in graph.initializer:
            attribute = re.sub(r"\W", "_", array.name) or "_"
            while hasattr(self, attribute):
                attribute = f"{attribute}_"
            self.names[array.name] = attribute
            values = from_numpy(onnx.numpy_helper.to_array(array).copy())
            if values.is_floating_point() and values.numel() > 1:
                self.register_parameter(attribute, Parameter(values))
            else:
                self.register_buffer(attribute, values)
        self.inputs = [i.name for i in graph.input if i.name not in self.names]
        self.outputs = [o.name for o in graph.output]
        self.nodes: list[tuple[Function, list[str], list[str], dict[str, Operand]]] = []
        self.fixed: dict[str, Tensor] = {}  # what nodes Constant give
        for node in graph.node:
            if node.op_type == "Constant":
                attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                self.fixed[node.output[0]] = values_of(attrs)
            else:
                self.nodes.append(self.bound(onnx, node))

    def bound(
        self, onnx: Operand, node: Operand
    ) -> tuple[Function, list[str], list[str], dict[str, Operand]]:
        """The call that a node is. NotImplementedError for what is not known of it."""
        def refused(what: str) -> NotImplementedError:
            return NotImplementedError(
                message(
                    f"onnx.load: {what} is not known",
                    f"node {node.name!r}, which gives {', '.join(node.output)}",
                    fix="the table of operations is CALLS in microtorch/static/onnx_ops.py",
                )
            )

        kind = node.op_type
        if node.domain not in ("", "ai.onnx") or kind not in CALLS:
            raise refused(f"the operation {node.domain}{'.' * bool(node.domain)}{kind}")
        value = onnx.helper.get_attribute_value
        schema = onnx.defs.get_schema(kind, self.opset, "").attributes
        defaults = {
            k: text(value(a.default_value)) for k, a in schema.items() if a.default_value.type
        }
        given = {a.name: text(value(a)) for a in node.attribute}
        outputs = [*node.output]
        while outputs and not outputs[-1]:
            outputs.pop()
        try:
            more = CALLS[kind].bound(len(node.input), len(outputs), given, defaults, self.opset)
        except ValueError as e:
            raise refused(f"{kind} with {e}") from None
        return CALLS[kind].function, [*node.input], outputs, more

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The graph's outputs; TypeError for another number of inputs."""
        if len(inputs) != len(self.inputs):
            raise TypeError(message(f"the model takes {', '.join(self.inputs)}, but was given "
                                    f"{len(inputs)} inputs"))  # fmt: skip
        values: dict[str, Operand] = {"": None, **self.fixed}
        values.update(zip(self.inputs, inputs, strict=True))
        values.update({n: getattr(self, a) for n, a in self.names.items()})
        for function, given, made, attrs in self.nodes:
            found = lists(function(*[values[n] for n in given], **attrs))
            values.update(zip(made, found, strict=False))
        outputs = tuple([values[n] for n in self.outputs])
        return outputs[0] if len(outputs) == 1 else outputs


def text(value: Operand) -> Operand:
    """An attribute of ONNX, whose texts are bytes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return [text(x) for x in value] if isinstance(value, (list, tuple)) else value


def load(f: str | os.PathLike[str] | IO[bytes]) -> OnnxModule:
    """The Module of a file. NotImplementedError names an operation that is not known."""
    onnx = onnx_package()
    model = onnx.load(f)
    onnx.checker.check_model(model)
    return OnnxModule(model)
