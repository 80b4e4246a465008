"""MobileNetV2: blocks that widen, convolve each channel by itself, and narrow again.

M. Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import Conv2dNormActivation
from .start import fan_out, fill, hundredth
from .weights import builder

__all__ = ["MobileNetV2", "mobilenet_v2"]

Norm = Callable[[int], nn.Module]
Mobile = partial(Conv2dNormActivation, activation_layer=nn.ReLU6)
# table 2 of the paper: how much wider, channels, how many blocks, stride of the first
SETTING = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def divisible(value: float, by: int) -> int:
    """The multiple of `by` nearest to `value`, and not less than 90 % of it."""
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


class InvertedResidual(nn.Module):
    """`expand_ratio` times as wide, each channel by itself, narrow; plus the input if it fits."""

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: float,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(message(f"stride should be 1 or 2 instead of {stride}"))
        norm = norm_layer or nn.BatchNorm2d
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        hidden = round(inp * expand_ratio)
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(Mobile(inp, hidden, 1, norm_layer=norm))
        layers.append(Mobile(hidden, hidden, 3, stride, groups=hidden, norm_layer=norm))
        layers += [nn.Conv2d(hidden, oup, 1, bias=False), norm(oup)]
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """(N, 3, H, W) to classes. `width_mult` makes all layers wider or narrower."""

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        setting = SETTING if inverted_residual_setting is None else inverted_residual_setting
        if len(setting) == 0 or len(setting[0]) != 4:
            raise ValueError(
                message(
                    "inverted_residual_setting should be non-empty or a 4-element list, got "
                    f"{inverted_residual_setting}"
                )
            )
        norm = norm_layer or nn.BatchNorm2d
        make = block or InvertedResidual
        channels = divisible(32 * width_mult, round_nearest)
        self.last_channel = divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [Mobile(3, channels, stride=2, norm_layer=norm)]
        for ratio, width, count, stride in setting:
            after = divisible(width * width_mult, round_nearest)
            for i in range(count):
                first = stride if i == 0 else 1
                features.append(make(channels, after, first, expand_ratio=ratio, norm_layer=norm))
                channels = after
        features.append(Mobile(channels, self.last_channel, 1, norm_layer=norm))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        fill(self, fan_out, hundredth)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(x.flatten(1))


mobilenet_v2 = builder("mobilenet_v2", MobileNetV2, "MobileNetV2", 3_504_872)
