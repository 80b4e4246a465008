"""``torch.export``: a Module as one program (static/exported.py), and in a file."""
from __future__ import annotations

from typing import NoReturn

from ..base.errors import message, unknown
from ..static.dims import Dim, dims
from ..static.exported import ExportedProgram, export, register_dataclass
from ..static.exported_files import load, save
from ..static.signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)

__all__ = ["Dim", "ExportGraphSignature", "ExportedProgram", "InputKind", "InputSpec", "OutputKind",
           "OutputSpec", "TensorArgument", "dims", "export", "load", "register_dataclass",
           "save"]  # fmt: skip


def __getattr__(name: str) -> NoReturn:
    fix = {"ShapesCollection": 'dynamic_shapes={"x": {0: torch.export.Dim("batch")}}',
           "unflatten": "ep.module(), which has the modules' names; ep.graph is flat"}  # fmt: skip
    fix["AdditionalInputs"] = fix["ShapesCollection"]
    if name in fix:
        raise AttributeError(message(f"torch.export.{name} is not here", fix=fix[name]))
    raise unknown("module 'torch.export'", name, __all__)
