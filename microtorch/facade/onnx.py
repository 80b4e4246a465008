"""``torch.onnx``: models as ONNX files, and ``load``, which PyTorch does not have."""
from __future__ import annotations

from ..base.errors import missing
from ..static.onnx_in import load
from ..static.onnx_out import export

__all__ = ["dynamo_export", "export", "is_in_onnx_export", "load"]

dynamo_export = export


def is_in_onnx_export() -> bool:
    """False: a model that is exported runs as always."""
    return False


__getattr__ = missing("torch.onnx", __all__)
