"""ShuffleNet V2: half of the channels go through, the others are convolved, then they are mixed.

N. Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from .weights import Builder, builder

__all__ = [
    "ShuffleNetV2", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
]  # fmt: skip


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels of (N, C, H, W), first of each group, second of each, and so on."""
    return x.unflatten(1, (groups, x.shape[1] // groups)).transpose(1, 2).flatten(1, 2)


def _each(channels: int, stride: int) -> list[nn.Module]:
    """Each channel by itself."""
    conv = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    return [conv, nn.BatchNorm2d(channels)]


def _mixed(before: int, after: int) -> list[nn.Module]:
    """Each pixel by itself."""
    conv = nn.Conv2d(before, after, kernel_size=1, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


class InvertedResidual(nn.Module):
    """At stride 1 half of the channels stay as they are; otherwise both branches see all."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        half = oup // 2
        if not 1 <= stride <= 3:
            raise ValueError(message("illegal stride value"))
        if stride == 1 and inp != half * 2:
            raise ValueError(
                message(
                    f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. "
                    "If stride == 1 then inp should be equal to oup // 2 << 1."
                )
            )
        self.stride = stride
        first = [] if stride == 1 else [*_each(inp, stride), *_mixed(inp, half)]
        self.branch1 = nn.Sequential(*first)
        before = half if stride == 1 else inp
        self.branch2 = nn.Sequential(
            *_mixed(before, half), *_each(half, stride), *_mixed(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1) if self.stride == 1 else (x, x)
        return channel_shuffle(torch.cat((self.branch1(left), self.branch2(right)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """(N, 3, H, W) to classes; three stages of so many blocks and channels."""

    def __init__(
        self, stages_repeats: Sequence[int], stages_out_channels: Sequence[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:  # fmt: skip
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError(message("expected stages_repeats as list of 3 positive ints"))
        if len(stages_out_channels) != 5:
            raise ValueError(message("expected stages_out_channels as list of 5 positive ints"))
        first, *widths, last = stages_out_channels
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        before = first
        for i, (count, width) in enumerate(zip(stages_repeats, widths, strict=True), 2):
            blocks = [inverted_residual(before, width, 2)]
            blocks += [inverted_residual(width, width, 1) for _ in range(count - 1)]
            setattr(self, f"stage{i}", nn.Sequential(*blocks))
            before = width
        self.conv5 = nn.Sequential(*_mixed(before, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage2(self.maxpool(self.conv1(x)))
        x = self.conv5(self.stage4(self.stage3(x)))
        return self.fc(x.mean([2, 3]))


def _shuffled(times: str, widths: Sequence[int], count: int) -> Builder[ShuffleNetV2]:
    name = f"shufflenet_v2_x{times.replace('.', '_')}"
    make = partial(ShuffleNetV2, (4, 8, 4), widths)
    return builder(name, make, f"ShuffleNet V2, {times} times as wide", count)


shufflenet_v2_x0_5 = _shuffled("0.5", (24, 48, 96, 192, 1024), 1_366_792)
shufflenet_v2_x1_0 = _shuffled("1.0", (24, 116, 232, 464, 1024), 2_278_604)
shufflenet_v2_x1_5 = _shuffled("1.5", (24, 176, 352, 704, 1024), 3_503_624)
shufflenet_v2_x2_0 = _shuffled("2.0", (24, 244, 488, 976, 2048), 7_393_996)
