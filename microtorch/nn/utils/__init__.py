"""torch.nn.utils: clipping, parameters as one vector, packed sequences, reparametrised weights."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ...base.errors import missing

if TYPE_CHECKING:
    from ...base.types import Argument
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

# Imported when they are named: programs name few, and some need the layers, which need this one.
_MODULES = ("fusion", "parametrizations", "parametrize", "prune", "rnn", "stateless")
_LATER = {name: "" for name in _MODULES}
_LATER |= {name: "clipping" for name in (*(n for n in __all__ if "clip_" in n), "get_total_norm")}
_LATER |= {name: "vectors" for name in ("parameters_to_vector", "vector_to_parameters")}
_LATER |= {
    name: "norms"
    for name in ("remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm")
}
_LATER |= {name: "fusion" for name in __all__ if name.startswith("fuse_")}
_LATER |= {f"convert_conv{n}d_weight_memory_format": "fresh" for n in (2, 3)}
_LATER["skip_init"] = "fresh"


_missing = missing(__name__, __all__)


def __getattr__(name: str) -> Argument:
    if name not in _LATER:
        return _missing(name)
    module = importlib.import_module(f"{__name__}.{_LATER[name] or name}")
    return getattr(module, name) if _LATER[name] else module
