"""EfficientNet: blocks like MobileNetV2's, wider and deeper together.

M. Tan, Q. Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019 (b0 to
b7); the same, EfficientNetV2: Smaller Models and Faster Training, 2021 (v2: the first blocks have
one 3x3 convolution in the place of a 1x1 and one for each channel).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from .mobilenetv2 import divisible
from .start import fan_out, fill
from .weights import Builder, builder

__all__ = [
    "EfficientNet", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3",
    "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7",
    "efficientnet_v2_l", "efficientnet_v2_m", "efficientnet_v2_s",
]  # fmt: skip

Layer = Callable[..., nn.Module]
# table 1 of the first paper: how much wider, kernel, stride of the first, channels, how many
TABLE = (
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3), (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
)  # fmt: skip
# table 4 of the second one: fused blocks, then others
SMALL = (
    ((1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4)),
    ((4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)),
)
MIDDLE = (
    ((1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5)),
    ((4, 3, 2, 80, 160, 7), (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18),
     (6, 3, 1, 304, 512, 5)),
)  # fmt: skip
LARGE = (
    ((1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7)),
    ((4, 3, 2, 96, 192, 10), (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25),
     (6, 3, 1, 384, 640, 7)),
)  # fmt: skip


@dataclass
class _Stage:
    """Blocks of one kind: how much wider, kernel, stride of the first, channels, how many."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    block: Layer

    @staticmethod
    def adjust_channels(channels: float, width_mult: float) -> int:
        """A multiple of 8."""
        return divisible(channels * width_mult, 8)


class MBConvConfig(_Stage):
    """A stage of ``MBConv`` blocks, ``width_mult`` times as wide and ``depth_mult`` as deep."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int,
        out_channels: int, num_layers: int, width_mult: float = 1.0, depth_mult: float = 1.0,
        block: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            expand_ratio, kernel, stride, self.adjust_channels(input_channels, width_mult),
            self.adjust_channels(out_channels, width_mult), math.ceil(num_layers * depth_mult),
            block or MBConv,
        )  # fmt: skip


class FusedMBConvConfig(_Stage):
    """A stage of ``FusedMBConv`` blocks."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int,
        out_channels: int, num_layers: int, block: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            expand_ratio, kernel, stride, input_channels, out_channels, num_layers,
            block or FusedMBConv,
        )  # fmt: skip


class _Residual(nn.Module):
    """A block that is left out of a sample now and then, plus the input where it fits."""

    def __init__(self, cnf: _Stage, layers: list[nn.Module], depth_prob: float) -> None:
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(message("illegal stride value"))
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Residual):
    """Wider by a 1x1 convolution, each channel by itself, weighed by their means, narrow."""

    def __init__(
        self, cnf: _Stage, stochastic_depth_prob: float, norm_layer: Layer,
        se_layer: Layer = SqueezeExcitation,
    ) -> None:  # fmt: skip
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(conv(cnf.input_channels, wide, 1))
        layers.append(conv(wide, wide, cnf.kernel, cnf.stride, groups=wide))
        squeezed = max(1, cnf.input_channels // 4)
        layers.append(se_layer(wide, squeezed, activation=partial(nn.SiLU, inplace=True)))
        layers.append(conv(wide, cnf.out_channels, 1, activation_layer=None))
        super().__init__(cnf, layers, stochastic_depth_prob)


class FusedMBConv(_Residual):
    """Wider by a convolution of the full kernel, narrow by a 1x1 one."""

    def __init__(self, cnf: _Stage, stochastic_depth_prob: float, norm_layer: Layer) -> None:
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        if wide == cnf.input_channels:
            layers = [conv(wide, cnf.out_channels, cnf.kernel, cnf.stride)]
        else:
            layers = [conv(cnf.input_channels, wide, cnf.kernel, cnf.stride),
                      conv(wide, cnf.out_channels, 1, activation_layer=None)]  # fmt: skip
        super().__init__(cnf, [*layers], stochastic_depth_prob)


class EfficientNet(nn.Module):
    """(N, 3, H, W) to classes. ``stochastic_depth_prob`` grows from 0 to nearly this with depth."""

    def __init__(
        self, inverted_residual_setting: Sequence[_Stage], dropout: float,
        stochastic_depth_prob: float = 0.2, num_classes: int = 1000,
        norm_layer: Layer | None = None, last_channel: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError(message("The inverted_residual_setting should not be empty"))
        if not all(isinstance(stage, _Stage) for stage in setting):
            raise TypeError(message("The inverted_residual_setting should be List[MBConvConfig]"))
        norm = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [conv(3, setting[0].input_channels, stride=2)]
        count, total = 0, sum(stage.num_layers for stage in setting)
        for stage in setting:
            blocks, cnf = [], copy.copy(stage)
            for _ in range(stage.num_layers):
                blocks.append(cnf.block(cnf, stochastic_depth_prob * count / total, norm))
                cnf.input_channels, cnf.stride = cnf.out_channels, 1
                count += 1
            layers.append(nn.Sequential(*blocks))
        channels = setting[-1].out_channels
        last = 4 * channels if last_channel is None else last_channel
        layers.append(conv(channels, last, 1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(last, num_classes)
        )

        def spread(weight: Tensor) -> None:
            most = 1.0 / math.sqrt(weight.shape[0])
            nn.init.uniform_(weight, -most, most)

        fill(self, fan_out, spread)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _scaled(
    size: str, width: float, depth: float, dropout: float, count: int
) -> Builder[EfficientNet]:
    """One of the first paper's."""
    setting = [MBConvConfig(*row, width_mult=width, depth_mult=depth) for row in TABLE]
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01) if size in ("b5", "b6", "b7") else None
    make = partial(EfficientNet, setting, dropout=dropout, norm_layer=norm)
    return builder(f"efficientnet_{size}", make, f"EfficientNet {size.upper()}", count)


def _second(
    size: str, stages: Sequence[Sequence[tuple[int, int, int, int, int, int]]], dropout: float,
    count: int,
) -> Builder[EfficientNet]:  # fmt: skip
    """One of the second paper's."""
    fused, others = stages
    setting = [*(FusedMBConvConfig(*row) for row in fused), *(MBConvConfig(*row) for row in others)]
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    make = partial(EfficientNet, setting, dropout=dropout, norm_layer=norm, last_channel=1280)
    return builder(f"efficientnet_v2_{size}", make, f"EfficientNetV2 {size.upper()}", count)


efficientnet_b0 = _scaled("b0", 1.0, 1.0, 0.2, 5_288_548)
efficientnet_b1 = _scaled("b1", 1.0, 1.1, 0.2, 7_794_184)
efficientnet_b2 = _scaled("b2", 1.1, 1.2, 0.3, 9_109_994)
efficientnet_b3 = _scaled("b3", 1.2, 1.4, 0.3, 12_233_232)
efficientnet_b4 = _scaled("b4", 1.4, 1.8, 0.4, 19_341_616)
efficientnet_b5 = _scaled("b5", 1.6, 2.2, 0.4, 30_389_784)
efficientnet_b6 = _scaled("b6", 1.8, 2.6, 0.5, 43_040_704)
efficientnet_b7 = _scaled("b7", 2.0, 3.1, 0.5, 66_347_960)
efficientnet_v2_s = _second("s", SMALL, 0.2, 21_458_488)
efficientnet_v2_m = _second("m", MIDDLE, 0.3, 54_139_356)
efficientnet_v2_l = _second("l", LARGE, 0.4, 118_515_272)
