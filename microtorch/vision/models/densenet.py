"""DenseNet: each layer sees the outputs of all before it.

G. Huang et al., Densely Connected Convolutional Networks, 2016 (DenseNet-BC).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import microtorch as torch
from microtorch import nn

from ...handles.tensor import Tensor
from .weights import Builder, builder

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]


class _DenseLayer(nn.Module):
    """A 1x1 convolution to `bn_size` times `growth` channels, a 3x3 one to `growth`."""

    def __init__(self, before: int, growth: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(before, bn_size * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth, growth, kernel_size=3, padding=1, bias=False)
        self.drop_rate = float(drop_rate)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        x = self.conv1(self.relu1(self.norm1(torch.cat(list(features), 1))))
        x = self.conv2(self.relu2(self.norm2(x)))
        if self.drop_rate > 0:
            x = nn.functional.dropout(x, p=self.drop_rate, training=self.training)
        return x


class _DenseBlock(nn.ModuleDict):
    """`count` layers, each of which adds `growth` channels."""

    def __init__(
        self, count: int, before: int, bn_size: int, growth: int, drop_rate: float
    ) -> None:
        super().__init__()
        for i in range(count):
            layer = _DenseLayer(before + i * growth, growth, bn_size, drop_rate)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class _Transition(nn.Sequential):
    """Between two blocks: fewer channels, half the height and width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(before)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(before, after, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """(N, 3, H, W) to classes; `block_config`: how many layers in each of the four blocks.

    `memory_efficient` is accepted and has no effect: no activations are computed twice.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        features = nn.Sequential()
        first = nn.Conv2d(3, num_init_features, kernel_size=7, stride=2, padding=3, bias=False)
        features.add_module("conv0", first)
        features.add_module("norm0", nn.BatchNorm2d(num_init_features))
        features.add_module("relu0", nn.ReLU(inplace=True))
        features.add_module("pool0", nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        channels = num_init_features
        for i, count in enumerate(block_config, 1):
            block = _DenseBlock(count, channels, bn_size, growth_rate, drop_rate)
            features.add_module(f"denseblock{i}", block)
            channels += count * growth_rate
            if i < len(block_config):
                features.add_module(f"transition{i}", _Transition(channels, channels // 2))
                channels //= 2
        features.add_module("norm5", nn.BatchNorm2d(channels))
        self.features = features
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d) and module.weight is not None:
                assert module.bias is not None
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu(self.features(x), inplace=True)
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1))
        return self.classifier(torch.flatten(x, 1))


def _densenet(
    depth: int, growth: int, blocks: Sequence[int], first: int, count: int
) -> Builder[DenseNet]:
    make = partial(DenseNet, growth, blocks, first)
    return builder(f"densenet{depth}", make, f"DenseNet with {depth} layers", count)


densenet121 = _densenet(121, 32, (6, 12, 24, 16), 64, 7_978_856)
densenet161 = _densenet(161, 48, (6, 12, 36, 24), 96, 28_681_000)
densenet169 = _densenet(169, 32, (6, 12, 32, 32), 64, 14_149_480)
densenet201 = _densenet(201, 32, (6, 12, 48, 32), 64, 20_013_928)
