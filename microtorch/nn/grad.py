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

    Size = int | Shape

__all__ = [f"conv{n}d_{what}" for n in (1, 2, 3) for what in ("input", "weight")]


def _place(size: Sequence[int], like: Tensor) -> Tensor:
    return zeros(size, dtype=like.dtype, device=like.device, requires_grad=True)


def _gradient(
    conv: Callable[..., Tensor], of: Tensor, x: Tensor, weight: Tensor, g: Tensor, *options: Size
) -> Tensor:  # fmt: skip
    with enable_grad():
        made = conv(x, weight, None, *options)
    return grad(made, of, g, create_graph=is_grad_enabled())[0]


def _by_input(n: int, conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def conv_input(
        input_size: Sequence[int], weight: Tensor, grad_output: Tensor, stride: Size = 1,
        padding: Size = 0, dilation: Size = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        x = _place(input_size, like=weight)
        return _gradient(conv, x, x, weight, grad_output, stride, padding, dilation, groups)

    return _named(conv_input, f"conv{n}d", "input", "weight")


def _by_weight(n: int, conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def conv_weight(
        input: Tensor, weight_size: Sequence[int], grad_output: Tensor, stride: Size = 1,
        padding: Size = 0, dilation: Size = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        w = _place(weight_size, like=input)
        return _gradient(conv, w, input, w, grad_output, stride, padding, dilation, groups)

    return _named(conv_weight, f"conv{n}d", "weight", "input")


def _named(function: Callable[..., Tensor], conv: str, of: str, by: str) -> Callable[..., Tensor]:
    function.__name__ = function.__qualname__ = f"{conv}_{of}"
    function.__doc__ = f"""The gradient of ``{conv}`` with respect to its {of}.

    Shapes: {of}_size, given and returned; grad_output, that of the convolution's result. The other
    arguments are the convolution's. It can be differentiated by {by} and grad_output.
    """
    return function


conv1d_input, conv1d_weight = _by_input(1, conv1d), _by_weight(1, conv1d)
conv2d_input, conv2d_weight = _by_input(2, conv2d), _by_weight(2, conv2d)
conv3d_input, conv3d_weight = _by_input(3, conv3d), _by_weight(3, conv3d)
