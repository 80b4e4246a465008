"""MobileNetV3: MobileNetV2's blocks, found by a search, some weighed by the means of channels.

A. Howard et al., Searching for MobileNetV3, 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import Conv2dNormActivation, SqueezeExcitation
from .mobilenetv2 import divisible
from .start import fan_out, fill, hundredth
from .weights import builder

__all__ = ["MobileNetV3", "mobilenet_v3_large", "mobilenet_v3_small"]

Layer = Callable[..., nn.Module]
WEIGHED = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)
# tables 1 and 2 of the paper: kernel, width inside, channels, weighed?, activation, stride
LARGE = (
    (3, 16, 16, False, "RE", 1), (3, 64, 24, False, "RE", 2), (3, 72, 24, False, "RE", 1),
    (5, 72, 40, True, "RE", 2), (5, 120, 40, True, "RE", 1), (5, 120, 40, True, "RE", 1),
    (3, 240, 80, False, "HS", 2), (3, 200, 80, False, "HS", 1), (3, 184, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1), (3, 480, 112, True, "HS", 1), (3, 672, 112, True, "HS", 1),
    (5, 672, 160, True, "HS", 2), (5, 960, 160, True, "HS", 1), (5, 960, 160, True, "HS", 1),
)  # fmt: skip
SMALL = (
    (3, 16, 16, True, "RE", 2), (3, 72, 24, False, "RE", 2), (3, 88, 24, False, "RE", 1),
    (5, 96, 40, True, "HS", 2), (5, 240, 40, True, "HS", 1), (5, 240, 40, True, "HS", 1),
    (5, 120, 48, True, "HS", 1), (5, 144, 48, True, "HS", 1), (5, 288, 96, True, "HS", 2),
    (5, 576, 96, True, "HS", 1), (5, 576, 96, True, "HS", 1),
)  # fmt: skip


class InvertedResidualConfig:
    """One block: channels, kernel, width inside, and what is special."""

    def __init__(
        self, input_channels: int, kernel: int, expanded_channels: int, out_channels: int,
        use_se: bool, activation: str, stride: int, dilation: int, width_mult: float,
    ) -> None:  # fmt: skip
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.kernel, self.stride, self.dilation = kernel, stride, dilation
        self.use_se, self.use_hs = use_se, activation == "HS"

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """A multiple of 8."""
        return divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """Wider, each channel by itself, perhaps weighed, narrow; plus the input where it fits."""

    def __init__(
        self, cnf: InvertedResidualConfig, norm_layer: Layer,
        se_layer: Layer = WEIGHED,
    ) -> None:  # fmt: skip
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(message("illegal stride value"))
        wide, activation = cnf.expanded_channels, nn.Hardswish if cnf.use_hs else nn.ReLU
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation)
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(conv(cnf.input_channels, wide, 1))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(conv(wide, wide, cnf.kernel, stride, groups=wide, dilation=cnf.dilation))
        if cnf.use_se:
            layers.append(se_layer(wide, divisible(wide // 4, 8)))
        layers.append(conv(wide, cnf.out_channels, 1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels
        self._is_cn = cnf.stride > 1  # does a stage begin here?

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(nn.Module):
    """(N, 3, H, W) to classes."""

    def __init__(
        self, inverted_residual_setting: Sequence[InvertedResidualConfig], last_channel: int,
        num_classes: int = 1000, block: Layer | None = None, norm_layer: Layer | None = None,
        dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError(message("The inverted_residual_setting should not be empty"))
        if not all(isinstance(cnf, InvertedResidualConfig) for cnf in setting):
            raise TypeError(
                message("The inverted_residual_setting should be List[InvertedResidualConfig]")
            )
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        make = block or InvertedResidual
        wide = 6 * setting[-1].out_channels
        self.features = nn.Sequential(
            conv(3, setting[0].input_channels, stride=2),
            *(make(cnf, norm) for cnf in setting),
            conv(setting[-1].out_channels, wide, 1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(wide, last_channel), nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True), nn.Linear(last_channel, num_classes),
        )  # fmt: skip
        fill(self, fan_out, hundredth)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _mobilenet(
    rows: Sequence[tuple[int, int, int, bool, str, int]], last: int, width_mult: float = 1.0,
    reduced_tail: bool = False, dilated: bool = False, **options: Any,
) -> MobileNetV3:  # fmt: skip
    """``reduced_tail``: the last stage half as wide; ``dilated``: it has holes, and no stride."""
    setting, before, tail = [], 16, False
    for i, (kernel, inside, after, weighed, activation, stride) in enumerate(rows):
        if i >= len(rows) - 3:
            divisor = 2 if reduced_tail else 1
            after, inside = after // divisor, inside // divisor if tail else inside
            tail = True
        setting.append(
            InvertedResidualConfig(
                before, kernel, inside, after, weighed, activation, stride,
                2 if dilated and tail else 1, width_mult,
            )
        )  # fmt: skip
        before = after
    last = InvertedResidualConfig.adjust_channels(last // (2 if reduced_tail else 1), width_mult)
    return MobileNetV3(setting, last, **options)


mobilenet_v3_large = builder(
    "mobilenet_v3_large", partial(_mobilenet, LARGE, 1280), "MobileNetV3 large", 5_483_032
)
mobilenet_v3_small = builder(
    "mobilenet_v3_small", partial(_mobilenet, SMALL, 1024), "MobileNetV3 small", 2_542_856
)
