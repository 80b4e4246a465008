"""``torch.nn.grad``: the two gradients of a convolution, each as a function of its own.

A convolution is linear in its input and in its weight, so that neither gradient depends on the
values of what it is taken for: its shape is enough, and autograd gives the rest.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..autograd import enable_grad, grad, is_grad_enabled
from ..create.filled import zeros
from .functional import conv1d, conv2d, conv3d

if TYPE_CHECKING:
    from ..base.types import Shape
    from ..handles.tensor import Tensor

__all__ = [f"conv{n}d_{what}" for n in (1, 2, 3) for what in ("input", "weight")]


def _by_input(n: int, conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def conv_input(
        input_size: Sequence[int], weight: Tensor, grad_output: Tensor, stride: int | Shape = 1,
        padding: int | Shape = 0, dilation: int | Shape = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        place = zeros(*input_size, dtype=weight.dtype, device=weight.device, requires_grad=True)
        with enable_grad():
            made = conv(place, weight, None, stride, padding, dilation, groups)
        return grad(made, place, grad_output, create_graph=is_grad_enabled())[0]

    conv_input.__name__ = conv_input.__qualname__ = f"conv{n}d_input"
    conv_input.__doc__ = f"""The gradient of ``conv{n}d`` with respect to its input.

    Shapes: input_size, given and returned; grad_output, that of the convolution's result. The
    other arguments are the convolution's. It can be differentiated by weight and grad_output.
    """
    return conv_input


def _by_weight(n: int, conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def conv_weight(
        input: Tensor, weight_size: Sequence[int], grad_output: Tensor, stride: int | Shape = 1,
        padding: int | Shape = 0, dilation: int | Shape = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        place = zeros(*weight_size, dtype=input.dtype, device=input.device, requires_grad=True)
        with enable_grad():
            made = conv(input, place, None, stride, padding, dilation, groups)
        return grad(made, place, grad_output, create_graph=is_grad_enabled())[0]

    conv_weight.__name__ = conv_weight.__qualname__ = f"conv{n}d_weight"
    conv_weight.__doc__ = f"""The gradient of ``conv{n}d`` with respect to its weight.

    Shapes: weight_size, given and returned; grad_output, that of the convolution's result. The
    other arguments are the convolution's. It can be differentiated by input and grad_output.
    """
    return conv_weight


conv1d_input, conv1d_weight = _by_input(1, conv1d), _by_weight(1, conv1d)
conv2d_input, conv2d_weight = _by_input(2, conv2d), _by_weight(2, conv2d)
conv3d_input, conv3d_weight = _by_input(3, conv3d), _by_weight(3, conv3d)
