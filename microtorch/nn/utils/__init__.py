"""torch.nn.utils: clipping, parameters as one vector, packed sequences, reparametrised weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base.errors import missing
from ...base.promises import on_demand

if TYPE_CHECKING:
    from . import rnn
    from .clipping import (
        clip_grad_norm,
        clip_grad_norm_,
        clip_grad_value_,
        clip_grads_with_norm_,
        get_total_norm,
    )
    from .vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format",
    "convert_conv3d_weight_memory_format",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "fusion",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "prune",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]

# programs name few, and some need the layers, which need this one
_FILES = dict.fromkeys(
    ("fusion", "parametrizations", "parametrize", "prune", "rnn", "stateless"), ""
)
_FILES |= {name: ".clipping" for name in (*(n for n in __all__ if "clip_" in n), "get_total_norm")}
_FILES |= dict.fromkeys(("parameters_to_vector", "vector_to_parameters"), ".vectors")
_FILES |= {name: ".norms" for name in __all__ if name.endswith(("spectral_norm", "weight_norm"))}
_FILES |= {name: ".fusion" for name in __all__ if name.startswith("fuse_")}
_FILES |= {name: ".fresh" for name in __all__ if name.startswith(("convert_", "skip_"))}

__getattr__ = on_demand(globals(), _FILES, missing(__name__, __all__))
