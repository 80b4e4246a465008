"""ConvNeXt: a convolutional network with a vision transformer's proportions.

Z. Liu et al., A ConvNet for the 2020s, 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import Conv2dNormActivation, Permute, StochasticDepth
from .weights import Builder, builder

__all__ = ["ConvNeXt", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny"]

F = nn.functional
Layer = Callable[..., nn.Module]


class LayerNorm2d(nn.LayerNorm):
    """A layer norm over the channels of each pixel of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        x = input.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """7x7 for each channel, then two linear layers for each pixel, four times as wide inside."""

    def __init__(
        self, dim: int, layer_scale: float, stochastic_depth_prob: float,
        norm_layer: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim),
            Permute([0, 2, 3, 1]),
            norm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(torch.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class CNBlockConfig:
    """A stage: its channels, those of the next (None for the last), how many blocks."""

    def __init__(self, input_channels: int, out_channels: int | None, num_layers: int) -> None:
        self.input_channels, self.out_channels = input_channels, out_channels
        self.num_layers = num_layers

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v}" for k, v in vars(self).items())
        return f"{type(self).__name__}({settings})"


class ConvNeXt(nn.Module):
    """(N, 3, H, W) to classes, H and W at least 32."""

    def __init__(
        self, block_setting: Sequence[CNBlockConfig], stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6, num_classes: int = 1000, block: Layer | None = None,
        norm_layer: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if not block_setting:
            raise ValueError(message("The block_setting should not be empty"))
        if not all(isinstance(stage, CNBlockConfig) for stage in block_setting):
            raise TypeError(message("The block_setting should be List[CNBlockConfig]"))
        make, norm = block or CNBlock, norm_layer or partial(LayerNorm2d, eps=1e-6)
        first = block_setting[0].input_channels
        layers: list[nn.Module] = [
            Conv2dNormActivation(
                3, first, 4, 4, 0, norm_layer=norm, activation_layer=None, bias=True
            )
        ]
        count, total = 0, sum(stage.num_layers for stage in block_setting)
        for stage in block_setting:
            blocks = []
            for _ in range(stage.num_layers):
                depth = stochastic_depth_prob * count / (total - 1.0)
                blocks.append(make(stage.input_channels, layer_scale, depth))
                count += 1
            layers.append(nn.Sequential(*blocks))
            last = stage.input_channels
            if stage.out_channels is not None:
                smaller = nn.Conv2d(last, stage.out_channels, kernel_size=2, stride=2)
                layers.append(nn.Sequential(norm(last), smaller))
                last = stage.out_channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(last), nn.Flatten(1), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(size: str, width: int, third: int, depth: float, count: int) -> Builder[ConvNeXt]:
    """Four stages, each twice as wide as the one before; ``third``: blocks of the third."""
    setting = [
        CNBlockConfig(width << i, width << (i + 1) if i < 3 else None, blocks)
        for i, blocks in enumerate((3, 3, third, 3))
    ]
    make = partial(ConvNeXt, setting, stochastic_depth_prob=depth)
    return builder(f"convnext_{size}", make, f"ConvNeXt {size}", count)


convnext_tiny = _convnext("tiny", 96, 9, 0.1, 28_589_128)
convnext_small = _convnext("small", 96, 27, 0.4, 50_223_688)
convnext_base = _convnext("base", 128, 27, 0.5, 88_591_464)
convnext_large = _convnext("large", 192, 27, 0.5, 197_767_336)
