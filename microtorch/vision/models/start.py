"""The numbers that a model begins with, where they are not those of its layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from microtorch import nn

from ...handles.tensor import Tensor

Fill = Callable[[Tensor], Any]
fan_out = partial(nn.init.kaiming_normal_, mode="fan_out")
hundredth = partial(nn.init.normal_, mean=0.0, std=0.01)


def fill(model: nn.Module, conv: Fill, linear: Fill) -> None:
    """Fill the weights of convolutions and linear layers; biases 0, normalisations 1 and 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            conv(module.weight)
        elif isinstance(module, nn.Linear):
            linear(module.weight)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)) and module.weight is not None:
            nn.init.ones_(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
