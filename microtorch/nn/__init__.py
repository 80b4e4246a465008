"""torch.nn: modules, layers, losses, initial values."""

import importlib
from typing import TYPE_CHECKING, Any

from ..base.errors import unknown
from . import functional as functional
from . import init as init
from . import layers
from . import utils as utils
from .buffer import Buffer as Buffer
from .contents import LAYERS
from .parameter import Parameter as Parameter
from .parameter import UninitializedBuffer as UninitializedBuffer
from .parameter import UninitializedParameter as UninitializedParameter

if TYPE_CHECKING:
    from .layers import *  # noqa: F403

NAMES = [
    "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "functional", "init",
    "utils", *layers.NAMES,
]  # fmt: skip
if not TYPE_CHECKING:  # a checker takes the names from the imports
    __all__ = NAMES


def __getattr__(name: str) -> Any:
    if name in LAYERS and name in NAMES:  # a layer's file is imported when it is named
        return globals().setdefault(name, getattr(layers, name))
    if name in ("parallel", "DataParallel"):  # few programs need it
        parallel = importlib.import_module(f"{__name__}.parallel")
        return parallel if name == "parallel" else parallel.DataParallel
    if name in ("attention", "grad", "modules"):  # attention, modules: facade/paths.py
        return importlib.import_module(f"{__name__}.{name}")
    raise unknown("module 'torch.nn'", name, NAMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES})
