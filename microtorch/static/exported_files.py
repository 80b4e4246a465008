"""Exported programs in files: ``torch.export.save`` and ``load``.

A file is a stored program (stored.py), as of ``torch.jit.save``, with the names of the model: data,
and no code. PyTorch's own files, of which the graph consists of its operations, are refused.
"""
from __future__ import annotations

from os import PathLike
from typing import IO, TYPE_CHECKING

import numpy as np

from ..base.errors import message
from ..engine.record import constant
from ..files import load as load_file
from ..files import save as save_file
from ..nn.parameter import Parameter
from .exported import ExportedProgram, GraphModule
from .nodes import Walk
from .script import LoadedProgram, of_data
from .signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from .stored import stored
from .templates import Value

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..handles.tensor import Tensor

FORMAT = "microtorch exported program"
FIX = "torch.onnx.export(model, args, f) for other programs; torch.save(model.state_dict(), f)"


def save(ep: ExportedProgram, f: str | PathLike[str] | IO[bytes], **more: Operand) -> None:
    """Write a program with its weights. TypeError for anything else; RuntimeError for one with
    dynamic shapes, that writes to memory, or that takes other arguments than tensors."""
    if not isinstance(ep, ExportedProgram):
        raise TypeError(
            message("The 'ep' parameter must be an instance of 'ExportedProgram', got "
                    f"'{type(ep).__name__}' instead.", fix="ep = torch.export.export(model, args)")
        )  # fmt: skip
    signature = ep.graph_signature
    if ep.dynamic.places or [*signature.user_inputs] != ep.arguments or ep.most < len(ep.arguments):
        raise RuntimeError(
            message("torch.export.save: only programs that take tensors, by position, of the sizes "
                    "of the example have files", fix=FIX)
        )  # fmt: skip
    outputs = next(template for found in ep.compiled.entries.values()
                   for entry, template in found if entry is ep.entry)  # fmt: skip
    every = {**ep.named, **ep.constants}
    paths = {id(t): path for path, t in every.items()}
    names = {x.number: paths[id(x.tensor)] for x in ep.entry.leaves if id(x.tensor) in paths}
    specs = [
        [s.kind.name, s.arg.name, s.target, s.persistent, [*v.shape], v.dtype.name, [*v.strides]]
        for s, (_, v) in zip(signature.input_specs, ep.order, strict=True)
    ]
    data = stored(ep.entry, outputs, names) | {
        "format": FORMAT, "specs": specs, "made": [s.arg.name for s in signature.output_specs],
        "read": {str(n): name for n, name in ep.numbers.items()},
        "state": {path: t.detach().clone() for path, t in every.items()},
        "trained": [path for path, t in every.items() if isinstance(t, Parameter)],
        "buffers": [path for path, t in every.items() if not isinstance(t, Parameter)],
    }  # fmt: skip
    save_file(data, f)


def load(f: str | PathLike[str] | IO[bytes], **more: Operand) -> ExportedProgram:
    """The program of a file that ``save`` wrote; it is the forward pass alone. RuntimeError for
    another file."""
    data = load_file(f, weights_only=False)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RuntimeError(message("the file holds no exported program of microtorch", fix=FIX))
    return of_data(LoadedExport, data)


class LoadedExport(ExportedProgram):
    """A program from a file. Its weights require no gradient."""

    def __init__(self, data: dict[str, Operand]) -> None:
        self.loaded = loaded = LoadedProgram(data)
        read: dict[str, Tensor] = dict(loaded.named_parameters())
        read |= loaded.named_buffers()
        trained = {*data["trained"]}
        kept: dict[str, Tensor] = {
            path: read[path] if path in read
            else Parameter(t, requires_grad=False) if path in trained else t
            for path, t in data["state"].items()
        }  # fmt: skip
        specs = [InputSpec(InputKind[kind], TensorArgument(name), target, persistent)
                 for kind, name, target, persistent, *_ in data["specs"]]  # fmt: skip
        apart = {s.target for s in specs if s.kind is InputKind.CONSTANT_TENSOR}
        self.named = {path: t for path, t in kept.items() if path not in apart}
        self.constants = {path: t for path, t in kept.items() if path in apart}
        unkept = {s.target for s in specs if s.persistent is False}
        self.state_dict = {path: t for path, t in self.named.items() if path not in unkept}
        self.model, self.range_constraints = loaded, {}
        self.order = [(name, Value(tuple(shape), np.dtype(kind), tuple(strides)))
                      for _, name, _, _, shape, kind, strides in data["specs"]]  # fmt: skip
        given = [v for (_, v), s in zip(self.order, specs, strict=True)
                 if s.kind is InputKind.USER_INPUT]  # fmt: skip
        self.example_inputs = (tuple(constant(np.zeros(v.shape, v.dtype)) for v in given), {})
        self.numbers = {int(n): name for n, name in data["read"].items()}
        self.graph = Walk(loaded.graph, dict(self.numbers), self.order, {}).graph
        self.graph_module = GraphModule(self.graph)
        made = [OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(name)) for name in data["made"]]
        self.graph_signature = ExportGraphSignature(specs, made)
        self.arguments = [*self.graph_signature.user_inputs]

    def run(self, args: tuple[Operand, ...], kwargs: dict[str, Operand]) -> Operand:
        """The program's outputs; RuntimeError for other shapes, strides or dtypes."""
        left = self.arguments[len(args) :]
        return self.loaded(*args, *[kwargs[n] for n in left if n in kwargs])
