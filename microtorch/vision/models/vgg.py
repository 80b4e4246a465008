"""VGG: 3x3 convolutions in five stages, each of half the size of the one before.

K. Simonyan, A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import microtorch as torch
from microtorch import nn

from ...handles.tensor import Tensor
from .weights import Builder, builder

__all__ = [
    "VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip

# how many convolutions in the stages of 64, 128, 256, 512 and 512 channels
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


def convolutions(stages: Sequence[int], batch_norm: bool) -> nn.Sequential:
    """The stages, each followed by a pooling that halves height and width."""
    layers: list[nn.Module] = []
    before = 3
    for count, channels in zip(stages, CHANNELS, strict=True):
        for _ in range(count):
            layers.append(nn.Conv2d(before, channels, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            before = channels
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """`features`, then three linear layers: (N, 3, H, W), H and W at least 32, to classes."""

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            self._fill()

    def _fill(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d) and module.weight is not None:
                nn.init.ones_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            else:
                continue
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _vgg(depth: int, norm: bool, count: int) -> Builder[VGG]:
    name, more = (f"vgg{depth}_bn", " and batch normalisation") if norm else (f"vgg{depth}", "")

    def make(**options: Any) -> VGG:
        return VGG(convolutions(STAGES[depth], norm), **options)

    return builder(name, make, f"VGG with {depth} layers{more}", count)


vgg11, vgg11_bn = _vgg(11, False, 132_863_336), _vgg(11, True, 132_868_840)
vgg13, vgg13_bn = _vgg(13, False, 133_047_848), _vgg(13, True, 133_053_736)
vgg16, vgg16_bn = _vgg(16, False, 138_357_544), _vgg(16, True, 138_365_992)
vgg19, vgg19_bn = _vgg(19, False, 143_667_240), _vgg(19, True, 143_678_248)
