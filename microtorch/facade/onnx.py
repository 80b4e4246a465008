"""``torch.onnx``: models as ONNX files, and ``load``, which PyTorch does not have."""
from __future__ import annotations

import enum

from ..base.errors import missing
from ..static.onnx_in import load
from ..static.onnx_out import export

__all__ = ["dynamo_export", "export", "is_in_onnx_export", "load"]
__all__ += ["OperatorExportTypes", "TrainingMode"]

dynamo_export = export


class TrainingMode(enum.Enum):
    """PyTorch's values of ``export(training=)``. A Module is exported in eval mode."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


class OperatorExportTypes(enum.Enum):
    """PyTorch's values of ``export(operator_export_type=)``; every node here is of ONNX."""

    ONNX = 0
    ONNX_ATEN = 1
    ONNX_ATEN_FALLBACK = 2
    ONNX_FALLTHROUGH = 3


def is_in_onnx_export() -> bool:
    """False: a model that is exported runs as always."""
    return False


__getattr__ = missing("torch.onnx", __all__)
