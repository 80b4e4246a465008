"""``torch.autograd``: backward, grad, grad modes, custom functions, gradient checking."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import missing
from ..base.promises import on_demand
from ..handles.methods import ScalarMethods, promise_methods
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


_FILES = {
    "Function": ".function", "Variable": ".variable", "backward": ".gradients",
    "grad": ".gradients", "forward_ad": "", "functional": "", "graph": "",
}  # fmt: skip
__getattr__ = on_demand(globals(), _FILES, missing(__name__, [*__all__, "is_anomaly_enabled"]))

promise_methods(["backward"], f"{__name__}.gradients")
promise_methods(["backward"], f"{__name__}.gradients", ScalarMethods)
