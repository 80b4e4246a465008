"""What all functions that make tensors share: how they are exported, and their options."""
from __future__ import annotations

from typing import Any

from ..backends import home
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS


def export(f: Any, name: str = "") -> Any:
    FUNCTIONS[name or f.__name__] = f
    return f


def finish(array: Any, device: Any, requires_grad: bool) -> Tensor:
    t = constant(array, home(device, array.dtype))
    return t.requires_grad_() if requires_grad else t
