"""torch.nn: modules, layers, losses, initial values."""

import importlib
from typing import TYPE_CHECKING, Any

from ..base.errors import unknown
from . import functional, init, layers, utils
from .buffer import Buffer
from .contents import LAYERS
from .parameter import Parameter, UninitializedBuffer, UninitializedParameter

if TYPE_CHECKING:
    from .layers import *  # noqa: F403

__all__ = ["Parameter", "UninitializedBuffer", "UninitializedParameter"]
__all__ += ["functional", "init", "utils"]
__all__ += layers.__all__
__all__ += ["Buffer"]


def __getattr__(name: str) -> Any:
    if name in LAYERS and name in __all__:  # a layer's file is imported when it is named
        return globals().setdefault(name, getattr(layers, name))
    if name in ("parallel", "DataParallel"):  # few programs need it
        parallel = importlib.import_module(f"{__name__}.parallel")
        return parallel if name == "parallel" else parallel.DataParallel
    if name in ("attention", "grad", "modules"):  # attention, modules: facade/paths.py
        return importlib.import_module(f"{__name__}.{name}")
    raise unknown("module 'torch.nn'", name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
