"""``torch.onnx``: there is no export. A script that imports it runs until it exports."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import message, missing

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = ["dynamo_export", "export", "is_in_onnx_export"]


def export(*args: Argument, **kwargs: Argument) -> None:
    """Refused; raises NotImplementedError."""
    raise NotImplementedError(
        message(
            "torch.onnx.export(): microtorch does not write ONNX files",
            fix="torch.save(model.state_dict(), path): PyTorch reads that file and exports it",
        )
    )


dynamo_export = export


def is_in_onnx_export() -> bool:
    """False."""
    return False


__getattr__ = missing("torch.onnx", __all__)
