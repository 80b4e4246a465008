"""A batch normalisation in evaluation mode is a linear map: it can be part of the layer before it.

With s = scale / √(variance + ε), BN(Wx + b) is (s W) x + (b - mean) s + shift.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from ...base.errors import message
from ...create.filled import ones_like, zeros_like
from ...handles.tensor import Tensor
from ..layers import conv, linear
from ..layers.normalization import _BatchNorm
from ..module import Module
from ..parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]

C = TypeVar("C", bound="conv._ConvNd")
L = TypeVar("L", bound=linear.Linear)


def fuse_conv_bn_eval(conv: C, bn: _BatchNorm, transpose: bool = False) -> C:
    """A copy of `conv` that does what `bn` after `conv` does; both in evaluation mode."""
    _check(conv, bn)
    fused = copy.deepcopy(conv)
    assert bn.running_mean is not None and bn.running_var is not None
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose,
    )  # fmt: skip
    return fused


def fuse_linear_bn_eval(linear: L, bn: _BatchNorm) -> L:
    """A copy of `linear` that does what `bn` after `linear` does; both in evaluation mode."""
    _check(linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            message("To fuse, linear.out_features == bn.num_features or bn.num_features == 1")
        )
    fused = copy.deepcopy(linear)
    assert bn.running_mean is not None and bn.running_var is not None
    assert bn.weight is not None
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def _check(layer: Module, bn: Module) -> None:
    if layer.training or bn.training:
        raise AssertionError(message("Fusion only for eval!"))


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused convolution."""
    b = zeros_like(bn_rm) if conv_b is None else conv_b
    scale = (ones_like(bn_rm) if bn_w is None else bn_w) * (bn_rv + bn_eps).rsqrt()
    shift = zeros_like(bn_rm) if bn_b is None else bn_b
    ahead = [1, -1] if transpose else [-1, 1]
    weight = conv_w * scale.reshape(ahead + [1] * (conv_w.ndim - 2))
    bias = (b - bn_rm) * scale + shift
    return (
        Parameter(weight.to(conv_w.dtype).detach(), conv_w.requires_grad),
        Parameter(bias.to(conv_w.dtype).detach(), b.requires_grad),
    )


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused linear layer."""
    b = zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    shift = zeros_like(bn_rm) if bn_b is None else bn_b
    weight = linear_w * scale.unsqueeze(-1)
    bias = (b - bn_rm) * scale + shift
    return (
        Parameter(weight.detach(), linear_w.requires_grad),
        Parameter(bias.detach(), b.requires_grad),
    )
