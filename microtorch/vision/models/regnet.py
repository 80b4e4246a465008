"""RegNet: stages whose widths follow a line, rounded.

I. Radosavovic et al., Designing Network Design Spaces, 2020; x: without, y: with a weight for each
channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import Conv2dNormActivation, SqueezeExcitation
from .mobilenetv2 import divisible
from .weights import Builder, builder

__all__ = [
    "RegNet", "regnet_x_1_6gf", "regnet_x_3_2gf", "regnet_x_8gf", "regnet_x_16gf",
    "regnet_x_32gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_y_1_6gf", "regnet_y_3_2gf",
    "regnet_y_8gf", "regnet_y_16gf", "regnet_y_32gf", "regnet_y_128gf", "regnet_y_400mf",
    "regnet_y_800mf",
]  # fmt: skip

Layer = Callable[..., nn.Module]
# depth, w_0, w_a, w_m of the paper's section 3.3, and the width of a group
TABLE = {
    "y_400mf": (16, 48, 27.89, 2.09, 8), "y_800mf": (14, 56, 38.84, 2.4, 16),
    "y_1_6gf": (27, 48, 20.71, 2.65, 24), "y_3_2gf": (21, 80, 42.63, 2.66, 24),
    "y_8gf": (17, 192, 76.82, 2.19, 56), "y_16gf": (18, 200, 106.23, 2.48, 112),
    "y_32gf": (20, 232, 115.89, 2.53, 232), "y_128gf": (27, 456, 160.83, 2.52, 264),
    "x_400mf": (22, 24, 24.48, 2.54, 16), "x_800mf": (16, 56, 35.73, 2.28, 16),
    "x_1_6gf": (18, 80, 34.01, 2.25, 24), "x_3_2gf": (25, 88, 26.31, 2.25, 48),
    "x_8gf": (23, 80, 49.56, 2.88, 120), "x_16gf": (22, 216, 55.59, 2.1, 128),
    "x_32gf": (23, 320, 69.86, 2.0, 168),
}  # fmt: skip


class Stage(NamedTuple):
    """So many blocks of a width, in groups of a width, wider inside by a factor."""

    depth: int
    width: int
    group_width: int
    bottleneck_multiplier: float


class BlockParams:
    """The stages, each of stride 2; ``se_ratio``: how much narrower the weights' layer is."""

    def __init__(self, stages: list[Stage], se_ratio: float | None = None) -> None:
        self.stages, self.se_ratio = stages, se_ratio

    @classmethod
    def from_init_params(
        cls, depth: int, w_0: int, w_a: float, w_m: float, group_width: int,
        bottleneck_multiplier: float = 1.0, se_ratio: float | None = None,
    ) -> BlockParams:  # fmt: skip
        """Widths w_0 + i w_a, rounded to w_0 times a power of w_m, and that to a multiple of 8."""
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError(message("Invalid RegNet settings"))
        line = torch.arange(depth) * w_a + w_0
        power = torch.round(torch.log(line / w_0) / math.log(w_m))
        widths = (torch.round(w_0 * torch.pow(w_m, power) / 8) * 8).int().tolist()
        stages = []
        for width in sorted(set(widths)):
            inside = int(width * bottleneck_multiplier)
            group = min(group_width, inside)
            width_ = int(divisible(inside, group) / bottleneck_multiplier)
            stages.append(Stage(widths.count(width), width_, group, bottleneck_multiplier))
        return cls(stages, se_ratio)


class SimpleStemIN(Conv2dNormActivation):
    """The first convolution, of stride 2."""

    def __init__(
        self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer
    ) -> None:
        super().__init__(
            width_in, width_out, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer
        )


class BottleneckTransform(nn.Sequential):
    """What a block adds."""


class AnyStage(nn.Sequential):
    """Blocks of one width."""


class ResBottleneckBlock(nn.Module):
    """1x1, 3x3 in groups, perhaps weighed, 1x1; plus the input, brought to its shape."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, norm_layer: Layer,
        activation_layer: Layer, group_width: int = 1, bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        conv = partial(
            Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation_layer
        )
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = conv(width_in, width_out, 1, stride, activation_layer=None)
        inside = round(width_out * bottleneck_multiplier)
        layers = BottleneckTransform()
        layers.add_module("a", conv(width_in, inside, 1))
        layers.add_module("b", conv(inside, inside, 3, stride, groups=inside // group_width))
        if se_ratio:
            narrow = round(se_ratio * width_in)
            layers.add_module("se", SqueezeExcitation(inside, narrow, activation_layer))
        layers.add_module("c", conv(inside, width_out, 1, activation_layer=None))
        self.f = layers
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.proj is None else self.proj(x)
        return self.activation(kept + self.f(x))


class RegNet(nn.Module):
    """(N, 3, H, W) to classes."""

    def __init__(
        self, block_params: BlockParams, num_classes: int = 1000, stem_width: int = 32,
        stem_type: Layer | None = None, block_type: Layer | None = None,
        norm_layer: Layer | None = None, activation: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        norm, active = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        make = block_type or ResBottleneckBlock
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm, active)
        self.trunk_output, before = nn.Sequential(), stem_width
        for i, (depth, width, group, multiplier) in enumerate(block_params.stages, 1):
            stage = AnyStage()
            for k in range(depth):
                stride = 2 if k == 0 else 1
                block = make(
                    before, width, stride, norm, active, group, multiplier, block_params.se_ratio
                )
                stage.add_module(f"block{i}-{k}", block)
                before = width
            self.trunk_output.add_module(f"block{i}", stage)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                height, width = module.kernel_size
                deviation = math.sqrt(2.0 / (height * width * module.out_channels))
                nn.init.normal_(module.weight, mean=0.0, std=deviation)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, mean=0.0, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.trunk_output(self.stem(x)))
        return self.fc(x.flatten(start_dim=1))


def regnet(name: str, count: int) -> Builder[RegNet]:
    def make(**options: Any) -> RegNet:
        ratio = 0.25 if name[0] == "y" else None
        return RegNet(BlockParams.from_init_params(*TABLE[name], se_ratio=ratio), **options)

    what = f"RegNet {name.upper().replace('_', '.')}"
    return builder(f"regnet_{name}", make, what, count)


regnet_y_400mf, regnet_y_800mf = regnet("y_400mf", 4_344_144), regnet("y_800mf", 6_432_512)
regnet_y_1_6gf, regnet_y_3_2gf = regnet("y_1_6gf", 11_202_430), regnet("y_3_2gf", 19_436_338)
regnet_y_8gf, regnet_y_16gf = regnet("y_8gf", 39_381_472), regnet("y_16gf", 83_590_140)
regnet_y_32gf, regnet_y_128gf = regnet("y_32gf", 145_046_770), regnet("y_128gf", 644_812_894)
regnet_x_400mf, regnet_x_800mf = regnet("x_400mf", 5_495_976), regnet("x_800mf", 7_259_656)
regnet_x_1_6gf, regnet_x_3_2gf = regnet("x_1_6gf", 9_190_136), regnet("x_3_2gf", 15_296_552)
regnet_x_8gf, regnet_x_16gf = regnet("x_8gf", 39_572_648), regnet("x_16gf", 54_278_536)
regnet_x_32gf = regnet("x_32gf", 107_811_560)
