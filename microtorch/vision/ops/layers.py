"""Layers that several models are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor

Layer = Callable[..., nn.Module]
Size = int | tuple[int, ...]


def _settings(inplace: bool | None) -> dict[str, bool]:
    return {} if inplace is None else {"inplace": inplace}


class _ConvNormActivation(nn.Sequential):
    """A convolution, a normalisation, an activation; either of the last two may be None."""

    def __init__(
        self, conv: Layer, dims: int, in_channels: int, out_channels: int, kernel_size: Size,
        stride: Size, padding: Size | str | None, groups: int, norm_layer: Layer | None,
        activation_layer: Layer | None, dilation: Size, inplace: bool | None, bias: bool | None,
    ) -> None:  # fmt: skip
        if padding is None:  # what keeps the size at stride 1
            sizes = (kernel_size,) * dims if isinstance(kernel_size, int) else kernel_size
            steps = (dilation,) * dims if isinstance(dilation, int) else dilation
            padding = tuple((k - 1) // 2 * d for k, d in zip(sizes, steps, strict=True))
            if isinstance(kernel_size, int) and isinstance(dilation, int):
                padding = padding[0]
        layers = [
            conv(
                in_channels, out_channels, kernel_size, stride, padding, dilation=dilation,
                groups=groups, bias=norm_layer is None if bias is None else bias,
            )
        ]  # fmt: skip
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**_settings(inplace)))
        super().__init__(*layers)
        self.out_channels = out_channels


class Conv2dNormActivation(_ConvNormActivation):
    """``Conv2d``, a normalisation, an activation.

    The size is kept at stride 1 where ``padding`` is not given, and there is a bias where
    ``norm_layer`` is None.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size = 3, stride: Size = 1,
        padding: Size | str | None = None, groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d, activation_layer: Layer | None = nn.ReLU,
        dilation: Size = 1, inplace: bool | None = True, bias: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            nn.Conv2d, 2, in_channels, out_channels, kernel_size, stride, padding, groups,
            norm_layer, activation_layer, dilation, inplace, bias,
        )  # fmt: skip


class Conv3dNormActivation(_ConvNormActivation):
    """The same with ``Conv3d``, for films."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size = 3, stride: Size = 1,
        padding: Size | str | None = None, groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm3d, activation_layer: Layer | None = nn.ReLU,
        dilation: Size = 1, inplace: bool | None = True, bias: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            nn.Conv3d, 3, in_channels, out_channels, kernel_size, stride, padding, groups,
            norm_layer, activation_layer, dilation, inplace, bias,
        )  # fmt: skip


class SqueezeExcitation(nn.Module):
    """Each channel times a number that the means of all channels give.

    J. Hu et al., Squeeze-and-Excitation Networks, 2017, section 3.
    """

    def __init__(
        self, input_channels: int, squeeze_channels: int, activation: Layer = nn.ReLU,
        scale_activation: Layer = nn.Sigmoid,
    ) -> None:  # fmt: skip
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        narrow = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(narrow)) * input


class MLP(nn.Sequential):
    """Linear layers of the sizes ``hidden_channels``, each with an activation but the last."""

    def __init__(
        self, in_channels: int, hidden_channels: Sequence[int], norm_layer: Layer | None = None,
        activation_layer: Layer | None = nn.ReLU, inplace: bool | None = None, bias: bool = True,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        layers: list[nn.Module] = []
        settings: dict[str, Any] = _settings(inplace)
        last = len(hidden_channels) - 1
        for i, width in enumerate(hidden_channels):
            layers.append(nn.Linear(in_channels, width, bias=bias))
            if i < last:
                layers += [norm_layer(width)] if norm_layer is not None else []
                layers += [activation_layer(**settings)] if activation_layer is not None else []
            layers.append(nn.Dropout(dropout, **settings))
            in_channels = width
        super().__init__(*layers)


class Permute(nn.Module):
    """``x.permute(dims)`` as a module."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = list(dims)

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.dims)


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Zeros in the place of each sample (``mode="row"``) or of all ("batch") with probability p.

    What stays is divided by 1 - p. G. Huang et al., Deep Networks with Stochastic Depth, 2016.
    Raises ValueError for another mode, or p outside of [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(message(f"drop probability has to be between 0 and 1, but got {p}"))
    if mode not in ("batch", "row"):
        raise ValueError(message(f"mode has to be either 'batch' or 'row', but got {mode}"))
    if not training or p == 0.0:
        return input
    count = input.shape[0] if mode == "row" else 1
    shape = [count] + [1] * (input.ndim - 1)
    kept = torch.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1.0 - p)
    return input * (kept / (1.0 - p) if p < 1.0 else kept)


setattr(stochastic_depth, "fx_leaf", True)  # noqa: B010 - one node in a graph of torch.fx


class StochasticDepth(nn.Module):
    """``stochastic_depth`` as a module."""

    _shown = ("p", "mode")

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)


class FrozenBatchNorm2d(nn.Module):
    """A batch norm whose statistics and weights are given numbers."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, torch.full((num_features,), float(value)))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"
