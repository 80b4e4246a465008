"""MNASNet: stages of MobileNetV2's blocks, chosen by a search for accuracy and speed.

M. Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, 2018 (B1).
"""

from __future__ import annotations

from functools import partial

from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from .mobilenetv2 import divisible
from .start import fan_out, fill
from .weights import Builder, builder

__all__ = ["MNASNet", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"]

MOMENTUM = 1 - 0.9997  # TensorFlow's 0.9997
WIDTHS = (32, 16, 24, 40, 80, 96, 192, 320)
# kernel, stride of the first, how much wider, how many
STAGES = ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1))


def _conv(
    before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True
) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    norm = nn.BatchNorm2d(after, momentum=MOMENTUM)
    return [conv, norm, nn.ReLU(inplace=True)] if active else [conv, norm]


class _InvertedResidual(nn.Module):
    """Wider, each channel by itself, narrow; plus the input where it fits."""

    def __init__(
        self, before: int, after: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = before * expansion
        self.apply_residual = before == after and stride == 1
        self.layers = nn.Sequential(
            *_conv(before, wide, 1), *_conv(wide, wide, kernel, stride, wide),
            *_conv(wide, after, 1, active=False),
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return self.layers(input) + input if self.apply_residual else self.layers(input)


class MNASNet(nn.Module):
    """(N, 3, H, W) to classes; ``alpha`` makes all layers wider or narrower."""

    _version = 2

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(message(f"alpha should be greater than 0.0 instead of {alpha}"))
        self.alpha, self.num_classes = alpha, num_classes
        first, before, *widths = (divisible(width * alpha, 8) for width in WIDTHS)
        layers = [
            *_conv(3, first, 3, 2), *_conv(first, first, 3, 1, first),
            *_conv(first, before, 1, active=False),
        ]  # fmt: skip
        for width, (kernel, stride, wider, count) in zip(widths, STAGES, strict=True):
            stage = [_InvertedResidual(before, width, kernel, stride, wider)]
            stage += [_InvertedResidual(width, width, kernel, 1, wider) for _ in range(count - 1)]
            layers.append(nn.Sequential(*stage))
            before = width
        self.layers = nn.Sequential(*layers, *_conv(before, 1280, 1))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes)
        )
        last = partial(nn.init.kaiming_uniform_, mode="fan_out", nonlinearity="sigmoid")
        fill(self, fan_out, last)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))


def _mnasnet(times: str, count: int) -> Builder[MNASNet]:
    name = f"mnasnet{times.replace('.', '_')}"
    return builder(name, partial(MNASNet, float(times)), f"MNASNet, {times} times as wide", count)


mnasnet0_5 = _mnasnet("0.5", 2_218_512)
mnasnet0_75 = _mnasnet("0.75", 3_170_208)
mnasnet1_0 = _mnasnet("1.0", 4_383_312)
mnasnet1_3 = _mnasnet("1.3", 6_282_256)
