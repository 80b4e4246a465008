"""An ONNX model as a Module: ``microtorch.onnx.load``. Needs the package onnx.

Each node is a call of microtorch's own functions, so that the model runs on any device, trains and
draws like one written by hand (onnx_graph.py). The table of calls is in onnx_ops.py; an operation
that is not in it, or an attribute that its function does not take, is named when the file is
loaded, before anything runs.
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
from .onnx_graph import Body, written_out
from .onnx_ops import CALLS as CALLS
from .onnx_writer import onnx_package

if TYPE_CHECKING:
    from ..base.types import Operand


FIXED = "is not trained"  # what the writer says of a buffer, or a constant
# inputs of operations that are statistics and settings, whoever wrote the file
UNTRAINED = {"BatchNormalization": (3, 4), "Resize": (1, 2), "Upsample": (1,)}


class OnnxModule(Module):
    """A graph of ONNX. Its weights are parameters, under their names with _ for what is no letter.

    Buffers are what is no float, statistics, single numbers in files of others, and what microtorch
    wrote as a buffer or a constant.
    ``forward`` takes the graph's inputs in order and returns its output, or a tuple of them.
    """

    def __init__(self, model: Operand):
        super().__init__()
        onnx = onnx_package()
        model = written_out(onnx, model)
        graph = model.graph
        opsets = {o.domain: o.version for o in model.opset_import}
        self.opset: int = opsets.get("", opsets.get("ai.onnx", 1))
        self.names: dict[str, str] = {}  # of ONNX -> of a parameter or buffer
        ours = model.producer_name == "microtorch"  # whose single numbers may be weights, too
        fixed = {a.name for a in graph.initializer if a.doc_string == FIXED}
        fixed |= {n.input[i] for n in graph.node for i in UNTRAINED.get(n.op_type, ())
                  if i < len(n.input)}  # fmt: skip
        for array in graph.initializer:
            attribute = re.sub(r"\W", "_", array.name) or "_"
            while hasattr(self, attribute):
                attribute = f"{attribute}_"
            self.names[array.name] = attribute
            values = from_numpy(onnx.numpy_helper.to_array(array).copy())
            number = values.numel() == 1 and not ours
            if values.is_floating_point() and not number and array.name not in fixed:
                self.register_parameter(attribute, Parameter(values))
            else:
                self.register_buffer(attribute, values)
        self.body = Body(onnx, graph, self.opset, [*self.names])
        self.inputs, self.outputs = self.body.inputs, self.body.outputs

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The graph's outputs; TypeError for another number of inputs."""
        if len(inputs) != len(self.inputs):
            raise TypeError(message(f"the model takes {', '.join(self.inputs)}, but was given "
                                    f"{len(inputs)} inputs"))  # fmt: skip
        found = self.body.run({n: getattr(self, a) for n, a in self.names.items()}, *inputs)
        return found[0] if len(found) == 1 else tuple(found)


def load(f: str | os.PathLike[str] | IO[bytes]) -> OnnxModule:
    """The Module of a file. NotImplementedError names an operation that is not known."""
    onnx = onnx_package()
    model = onnx.load(f)
    onnx.checker.check_model(model)
    return OnnxModule(model)
