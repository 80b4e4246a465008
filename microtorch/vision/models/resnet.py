"""ResNet and its relatives: blocks that add to what they are given.

K. He et al., Deep Residual Learning for Image Recognition, 2015; ResNeXt: S. Xie et al. 2016; Wide
ResNet: S. Zagoruyko, N. Komodakis 2016. In a bottleneck the 3x3 convolution has the stride, not the
1x1 before it as in the paper ("V1.5").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from .weights import Builder, builder

__all__ = [
    "ResNet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
    "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
]  # fmt: skip

Norm = Callable[[int], nn.Module]


def conv3x3(
    before: int, after: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """A 3x3 convolution that keeps height and width at stride 1."""
    return nn.Conv2d(before, after, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution: every pixel by itself."""
    return nn.Conv2d(before, after, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, plus the input: `planes` channels."""

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError(message("BasicBlock only supports groups=1 and base_width=64"))
        if dilation > 1:
            raise NotImplementedError(message("Dilation > 1 not supported in BasicBlock"))
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution, plus the input: four times `planes` channels."""

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """A 7x7 convolution, four groups of `layers` blocks, and a linear layer.

    (N, 3, H, W) to classes. `groups` and `width_per_group` make a ResNeXt or a wide one;
    `zero_init_residual`: each block begins as the identity; `replace_stride_with_dilation`: for the
    last three groups, keep the size and dilate; `norm_layer`: instead of BatchNorm2d.
    """

    def __init__(
        self,
        block: Block,
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        self._norm_layer: Norm = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.dilation = 1
        dilate = replace_stride_with_dilation or [False, False, False]
        if len(dilate) != 3:
            raise ValueError(
                message(
                    "replace_stride_with_dilation should be None or a 3-element tuple, got "
                    f"{replace_stride_with_dilation}"
                )
            )
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)) and module.weight is not None:
                assert module.bias is not None
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, (BasicBlock, Bottleneck)):
                    last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                    nn.init.zeros_(last.weight)

    def _make_layer(
        self, block: Block, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        """`blocks` blocks; the first has the stride, and fits its input to its output."""
        norm, dilation = self._norm_layer, self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        wide = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != wide:
            downsample = nn.Sequential(conv1x1(self.inplanes, wide, stride), norm(wide))
        made = [
            block(self.inplanes, planes, stride, downsample, self.groups, self.base_width,
                  dilation, norm)
        ]  # fmt: skip
        self.inplanes = wide
        for _ in range(1, blocks):
            made.append(
                block(wide, planes, 1, None, self.groups, self.base_width, self.dilation, norm)
            )
        return nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _resnet(
    name: str, block: Block, layers: Sequence[int], what: str, count: int, **widths: Any
) -> Builder[ResNet]:
    return builder(name, partial(ResNet, block, layers, **widths), what, count)


resnet18 = _resnet("resnet18", BasicBlock, [2, 2, 2, 2], "ResNet with 18 layers", 11_689_512)
resnet34 = _resnet("resnet34", BasicBlock, [3, 4, 6, 3], "ResNet with 34 layers", 21_797_672)
resnet50 = _resnet("resnet50", Bottleneck, [3, 4, 6, 3], "ResNet with 50 layers", 25_557_032)
resnet101 = _resnet("resnet101", Bottleneck, [3, 4, 23, 3], "ResNet with 101 layers", 44_549_160)
resnet152 = _resnet("resnet152", Bottleneck, [3, 8, 36, 3], "ResNet with 152 layers", 60_192_808)
resnext50_32x4d = _resnet(
    "resnext50_32x4d", Bottleneck, [3, 4, 6, 3], "ResNeXt with 50 layers, 32 groups of 4 channels",
    25_028_904, groups=32, width_per_group=4,
)  # fmt: skip
resnext101_32x8d = _resnet(
    "resnext101_32x8d", Bottleneck, [3, 4, 23, 3],
    "ResNeXt with 101 layers, 32 groups of 8 channels", 88_791_336, groups=32, width_per_group=8,
)  # fmt: skip
resnext101_64x4d = _resnet(
    "resnext101_64x4d", Bottleneck, [3, 4, 23, 3],
    "ResNeXt with 101 layers, 64 groups of 4 channels", 83_455_272, groups=64, width_per_group=4,
)  # fmt: skip
wide_resnet50_2 = _resnet(
    "wide_resnet50_2", Bottleneck, [3, 4, 6, 3],
    "ResNet with 50 layers, twice as wide inside the blocks", 68_883_240, width_per_group=128,
)  # fmt: skip
wide_resnet101_2 = _resnet(
    "wide_resnet101_2", Bottleneck, [3, 4, 23, 3],
    "ResNet with 101 layers, twice as wide inside the blocks", 126_886_696, width_per_group=128,
)  # fmt: skip
