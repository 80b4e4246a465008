"""Making a module without spending time on initial numbers; memory formats of convolutions."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar

from ...arrays.generator import default_generator
from ...base.errors import message
from ..layers import conv
from ..module import Module

if TYPE_CHECKING:
    from ...base.types import Argument

T = TypeVar("T", bound=Module)


def skip_init(module_cls: type[T], *args: Argument, **kwargs: Argument) -> T:
    """module_cls(*args, **kwargs) with parameters that hold any numbers, to be filled later.

    ValueError unless the class takes a `device`, as PyTorch demands. The numbers are made and
    thrown away here, without a trace in the generator.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(message(f"Expected a Module; got {module_cls}"))
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError(message("Module must support a 'device' arg to skip initialization"))
    state = default_generator.get_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        default_generator.set_state(state)


def convert_conv2d_weight_memory_format(module: T, memory_format: Argument) -> T:
    """Lay the weights of 2-d convolutions out in `memory_format`."""
    for below in module.modules():
        if isinstance(below, (conv.Conv2d, conv.ConvTranspose2d)):
            below.weight.data = below.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv3d_weight_memory_format(module: T, memory_format: Argument) -> T:
    """Lay the weights of 3-d convolutions out in `memory_format`."""
    for below in module.modules():
        if isinstance(below, (conv.Conv3d, conv.ConvTranspose3d)):
            below.weight.data = below.weight.detach().clone(memory_format=memory_format)
    return module
