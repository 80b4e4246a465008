"""``torch.autograd``: backward, grad, grad modes, custom functions, gradient checking."""
from __future__ import annotations

import warnings

from ..base.errors import missing
from ..handles.tensor import Tensor
from . import forward_ad, functional, grad_mode, graph
from .anomaly import detect_anomaly, set_detect_anomaly
from .anomaly import is_anomaly_enabled as is_anomaly_enabled  # torch.is_anomaly_enabled
from .function import Function
from .grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .gradcheck import gradcheck, gradgradcheck
from .gradients import backward, grad

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


class _VariableMeta(type):
    """What is an instance of Variable: every Tensor. A call makes a Tensor on the same memory."""

    def __call__(
        cls, data: Tensor, requires_grad: bool = False, volatile: bool | None = None
    ) -> Tensor:
        if volatile is not None:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        return data.detach().requires_grad_(requires_grad)

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_VariableMeta):
    """PyTorch's old name for a tensor with gradient: ``Variable(x)`` is a Tensor."""


__getattr__ = missing(__name__, [*__all__, "is_anomaly_enabled"])
