"""The layers, one family a file. All of them, with Module and its containers, are what PyTorch has
in torch.nn.modules, and are asked for as torch.nn.Linear and so on.

A file is imported when the first of its layers is named: most programs name few. Which file that
is, scripts/contents.py reads from the imports below, and writes to nn/contents.py: every class of
a file that is imported as a whole is a layer, unless its name has an underscore."""
# ruff: noqa: F401, F403

from typing import TYPE_CHECKING

from ...base.errors import missing
from ...base.promises import on_demand
from ..contents import LAYERS

if TYPE_CHECKING:
    from ..module import Module as Module
    from .activations import *
    from .attention import *
    from .containers import *
    from .conv import *
    from .conv import _ConvNd, _ConvTransposeNd
    from .distances import *
    from .dropout import *
    from .flatten import *
    from .fold import *
    from .lazy import *
    from .linear import *
    from .local_response import *
    from .losses import *
    from .losses import _Loss, _WeightedLoss
    from .margin_losses import *
    from .normalization import *
    from .normalization import _BatchNorm, _InstanceNorm, _NormBase
    from .output_losses import *
    from .padding import *
    from .parameter_lists import *
    from .pooling import *
    from .resampling import *
    from .rnn import *
    from .rnn_cells import *
    from .shuffles import *
    from .sparse import *
    from .sync_batch_norm import *
    from .transformer import *
# the rest is not in torch.nn, but below the paths torch.nn.modules.<file>
_APART = ("LazyModuleMixin", "NonDynamicallyQuantizableLinear")
NAMES = [name for name in LAYERS if not name.startswith("_") and name not in _APART]
if not TYPE_CHECKING:  # a checker takes the names from the imports
    __all__ = NAMES

__getattr__ = on_demand(globals(), LAYERS, missing("torch.nn.modules", NAMES))


def __dir__() -> list[str]:
    return sorted({*globals(), *LAYERS})
