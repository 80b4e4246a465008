"""torch.nn: modules, layers, losses, initial values."""

import importlib
from typing import Any

from ..base.errors import unknown
from . import functional, init, layers, utils
from .buffer import Buffer
from .layers import *  # noqa: F403
from .parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = ["Parameter", "UninitializedBuffer", "UninitializedParameter"]
__all__ += ["functional", "init", "utils"]
__all__ += layers.__all__
__all__ += ["Buffer"]


def __getattr__(name: str) -> Any:
    if name in ("parallel", "DataParallel"):  # few programs need it
        parallel = importlib.import_module(f"{__name__}.parallel")
        return parallel if name == "parallel" else parallel.DataParallel
    if name in ("attention", "grad", "modules"):  # attention, modules: facade/paths.py
        return importlib.import_module(f"{__name__}.{name}")
    raise unknown("module 'torch.nn'", name, __all__)
