"""torch.nn: modules, layers, losses, initial values.

The layers of PyTorch that are not here are listed below: asking for one says so.
"""

import importlib
from typing import Any

from ..base.errors import nearest, unknown
from . import functional, init, layers, utils
from .buffer import Buffer
from .layers import *  # noqa: F403
from .parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = ["Parameter", "UninitializedBuffer", "UninitializedParameter"]
__all__ += ["functional", "init", "utils"]
__all__ += layers.__all__
__all__ += ["Buffer"]

# PyTorch's layers that a later version brings: their absence is told apart from a misspelt name.
_LATER: frozenset[str] = frozenset()


def __getattr__(name: str) -> Any:
    if name in ("parallel", "DataParallel"):  # few programs need it
        parallel = importlib.import_module(f"{__name__}.parallel")
        return parallel if name == "parallel" else parallel.DataParallel
    if name in ("modules", "attention"):  # what stands elsewhere (facade/paths.py)
        return importlib.import_module(f"{__name__}.{name}")
    if name in _LATER:
        near = nearest(name, __all__)
        raise AttributeError(f"torch.nn.{name} is not in microtorch yet.{near}")
    raise unknown("module 'torch.nn'", name, __all__)
