"""torch.nn: modules, layers, losses, initial values."""

from typing import TYPE_CHECKING

from ..base.errors import missing
from ..base.promises import on_demand
from . import functional as functional
from . import init as init
from . import layers
from . import utils as utils
from .buffer import Buffer as Buffer
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

_FILES = dict.fromkeys(layers.NAMES, ".layers") | {
    "DataParallel": ".parallel", "grad": "", "parallel": ""
}  # fmt: skip
__getattr__ = on_demand(globals(), _FILES, missing(__name__, NAMES))
