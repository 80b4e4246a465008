"""``torch.autograd``: backward, grad, grad modes, custom functions, gradient checking."""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..base.errors import missing
from ..handles.methods import ScalarMethods, bind_later
from . import grad_mode
from .anomaly import detect_anomaly, set_detect_anomaly
from .anomaly import is_anomaly_enabled as is_anomaly_enabled  # torch.is_anomaly_enabled
from .grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .gradcheck import gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import forward_ad, functional, graph
    from .function import Function
    from .gradients import backward, grad
    from .variable import Variable

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]  # fmt: skip


# imported when first used
_LAZY = {
    "Function": "function", "Variable": "variable", "backward": "gradients", "grad": "gradients"
}  # fmt: skip
_LAZY_MODULES = ("forward_ad", "functional", "graph")
_missing = missing(__name__, [*__all__, "is_anomaly_enabled"])


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = importlib.import_module(f"{__name__}.{_LAZY[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    if name in _LAZY_MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    return _missing(name)


bind_later(["backward"], f"{__name__}.gradients")
bind_later(["backward"], f"{__name__}.gradients", ScalarMethods)
