"""torch.nn: modules, layers, losses, initial values.

The layers of PyTorch that are not here are listed below: asking for one says so.
"""

import importlib
from typing import Any

from ..base.errors import nearest
from . import functional, init, layers, utils
from .buffer import Buffer
from .layers import *  # noqa: F403
from .parameter import Parameter

__all__ = ["Parameter", "functional", "init", "utils"]
__all__ += layers.__all__
__all__ += ["Buffer"]

# PyTorch's layers that a later version brings: their absence is told apart from a misspelt name.
_LATER = frozenset(
    """
    AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d AdaptiveMaxPool3d AvgPool3d
    CTCLoss Conv3d ConvTranspose3d CrossMapLRN2d DataParallel EmbeddingBag
    FractionalMaxPool2d FractionalMaxPool3d InstanceNorm3d LPPool1d LPPool2d LPPool3d
    LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d
    LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d
    LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear LocalResponseNorm MaxPool3d MaxUnpool1d
    MaxUnpool2d MaxUnpool3d SyncBatchNorm Transformer TransformerDecoder TransformerDecoderLayer
    """.split()
)


def __getattr__(name: str) -> Any:
    if name == "modules":  # PyTorch's name for layers/ (facade/paths.py)
        return importlib.import_module(f"{__name__}.modules")
    known = nearest(name, __all__)
    if name in _LATER:
        raise AttributeError(f"torch.nn.{name} is not in microtorch yet.{known}")
    raise AttributeError(f"module 'torch.nn' has no attribute '{name}'.{known}")
