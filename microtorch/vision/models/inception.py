"""Inception v3: branches of several kernels beside each other, kernels in factors.

C. Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015. Pictures have
299x299 pixels, at least 75x75.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import microtorch as torch
from microtorch import nn

from ...base.errors import message, warn
from ...handles.tensor import Tensor
from .weights import Weights, build

__all__ = ["Inception3", "InceptionOutputs", "inception_v3"]

F = nn.functional
Layer = Callable[..., nn.Module]
# from ImageNet's units, in which pictures come, to those of the weights: -1 to 1
SCALES, SHIFTS = (0.229 / 0.5, 0.224 / 0.5, 0.225 / 0.5), (-0.03, -0.088, -0.188)
ACROSS: dict[str, Any] = {"kernel_size": (1, 7), "padding": (0, 3)}
DOWN: dict[str, Any] = {"kernel_size": (7, 1), "padding": (3, 0)}


class BasicConv2d(nn.Module):
    """A convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


def pooled(x: Tensor) -> Tensor:
    """The mean of each pixel's neighbours."""
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class Branches(nn.Module):
    """Layers with names; each row of ``rows`` is a branch of some of them, one after the other.

    What the branches give is joined along the channels.
    """

    rows: Sequence[Sequence[str]] = ()

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for row in self.rows:
            y = x
            for name in row:
                y = getattr(self, name)(y)
            outputs.append(y)
        return torch.cat([*outputs, *self.others(x)], 1)

    def others(self, x: Tensor) -> list[Tensor]:
        """The branches that are no row."""
        return [self.branch_pool(pooled(x))]


class InceptionA(Branches):
    """1x1, 5x5, 3x3 twice, and the pooled input."""

    rows = (
        ("branch1x1",), ("branch5x5_1", "branch5x5_2"),
        ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
    )  # fmt: skip

    def __init__(
        self, in_channels: int, pool_features: int, conv_block: Layer | None = None
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1x1 = conv(in_channels, 64, kernel_size=1)
        self.branch5x5_1 = conv(in_channels, 48, kernel_size=1)
        self.branch5x5_2 = conv(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, padding=1)
        self.branch_pool = conv(in_channels, pool_features, kernel_size=1)


class Shrinking(Branches):
    """Branches of stride 2."""

    def others(self, x: Tensor) -> list[Tensor]:
        return [cast("Tensor", F.max_pool2d(x, kernel_size=3, stride=2))]  # without indices


class InceptionB(Shrinking):
    """From 35x35 to 17x17."""

    rows = (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"))

    def __init__(self, in_channels: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3 = conv(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, stride=2)


class InceptionC(Branches):
    """1x1, 7x7 in two factors, and in four, on ``channels_7x7`` channels."""

    rows = (
        ("branch1x1",), ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
        tuple(f"branch7x7dbl_{i}" for i in range(1, 6)),
    )  # fmt: skip

    def __init__(
        self, in_channels: int, channels_7x7: int, conv_block: Layer | None = None
    ) -> None:
        super().__init__()
        conv, c = conv_block or BasicConv2d, channels_7x7
        self.branch1x1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7_1 = conv(in_channels, c, kernel_size=1)
        self.branch7x7_2 = conv(c, c, **ACROSS)
        self.branch7x7_3 = conv(c, 192, **DOWN)
        self.branch7x7dbl_1 = conv(in_channels, c, kernel_size=1)
        self.branch7x7dbl_2 = conv(c, c, **DOWN)
        self.branch7x7dbl_3 = conv(c, c, **ACROSS)
        self.branch7x7dbl_4 = conv(c, c, **DOWN)
        self.branch7x7dbl_5 = conv(c, 192, **ACROSS)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)


class InceptionD(Shrinking):
    """From 17x17 to 8x8."""

    rows = (("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{i}" for i in range(1, 5)))

    def __init__(self, in_channels: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch3x3_2 = conv(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7x3_2 = conv(192, 192, **ACROSS)
        self.branch7x7x3_3 = conv(192, 192, **DOWN)
        self.branch7x7x3_4 = conv(192, 192, kernel_size=3, stride=2)


class InceptionE(Branches):
    """Branches that fork at their end."""

    def __init__(self, in_channels: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        across = {"kernel_size": (1, 3), "padding": (0, 1)}
        down = {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = conv(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = conv(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = conv(384, 384, **across)
        self.branch3x3_2b = conv(384, 384, **down)
        self.branch3x3dbl_1 = conv(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = conv(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **across)
        self.branch3x3dbl_3b = conv(384, 384, **down)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [self.branch1x1(x)]
        y = self.branch3x3_1(x)
        outputs += [self.branch3x3_2a(y), self.branch3x3_2b(y)]
        y = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        outputs += [self.branch3x3dbl_3a(y), self.branch3x3dbl_3b(y)]
        return torch.cat([*outputs, *self.others(x)], 1)


class InceptionAux(nn.Module):
    """Classes from the middle of the network, for training: a gradient that has not come far."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1 = conv(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class InceptionOutputs(NamedTuple):
    """What the model gives in training."""

    logits: Tensor
    aux_logits: Tensor | None


def to_halves(x: Tensor) -> Tensor:
    """Pictures in ImageNet's units, (N, 3, H, W), in the units of the weights."""
    return torch.stack([x[:, i] * SCALES[i] + SHIFTS[i] for i in range(3)], 1)


def chosen(blocks: Sequence[Layer] | None, known: Sequence[Layer], name: str) -> Sequence[Layer]:
    """The classes that a model is made of. ValueError for another number of them."""
    if blocks is None:
        return known
    if len(blocks) != len(known):
        raise ValueError(
            message(f"length of {name} should be {len(known)} instead of {len(blocks)}")
        )
    return blocks


def starts_new(init_weights: bool | None, name: str) -> bool:
    """Are weights drawn anew? As torchvision does, a caller that does not say so is warned."""
    if init_weights is None:
        warn(
            f"The default weight initialization of {name} will be changed in future releases of "
            "torchvision. If you wish to keep the old behavior (which leads to long initialization "
            "times due to scipy/scipy#11299), please set init_weights=True.",
            FutureWarning,
        )  # fmt: skip
    return init_weights is None or init_weights


def start(model: nn.Module, deviation: Callable[[str], float]) -> None:
    """Weights from a normal distribution cut at -2 and 2, of a deviation by the module's name."""
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(module.weight, mean=0.0, std=deviation(name), a=-2, b=2)
        elif isinstance(module, nn.BatchNorm2d) and module.weight is not None:
            assert module.bias is not None
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


class Inception3(nn.Module):
    """(N, 3, 299, 299) to classes; in training with ``aux_logits`` an ``InceptionOutputs``."""

    def __init__(
        self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
        inception_blocks: Sequence[Layer] | None = None, init_weights: bool | None = None,
        dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        known = (BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE,
                 InceptionAux)  # fmt: skip
        conv, a, b, c, d, e, aux = chosen(inception_blocks, known, "inception_blocks")
        drawn = starts_new(init_weights, "inception_v3")
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = a(192, pool_features=32)
        self.Mixed_5c = a(256, pool_features=64)
        self.Mixed_5d = a(288, pool_features=64)
        self.Mixed_6a = b(288)
        self.Mixed_6b = c(768, channels_7x7=128)
        self.Mixed_6c = c(768, channels_7x7=160)
        self.Mixed_6d = c(768, channels_7x7=160)
        self.Mixed_6e = c(768, channels_7x7=192)
        self.AuxLogits = aux(768, num_classes) if aux_logits else None
        self.Mixed_7a = d(768)
        self.Mixed_7b = e(1280)
        self.Mixed_7c = e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        if drawn:
            start(self, lambda name: 0.001 if name == "AuxLogits.fc" else 0.1)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        if self.transform_input:
            x = to_halves(x)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool2(x))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))
        aux = self.AuxLogits(x) if self.AuxLogits is not None and self.training else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = self.fc(torch.flatten(self.dropout(self.avgpool(x)), 1))
        return InceptionOutputs(x, aux) if self.training and self.aux_logits else x


def inception_v3(weights: Weights = None, progress: bool = True, **options: object) -> Inception3:
    """Inception v3: 27,161,264 parameters for 1,000 classes, those of the second answer included.

    With a file's weights ``transform_input`` is True unless given, since they want pictures in
    other units, and ``aux_logits=False`` leaves out what the file has of the second answer.
    """
    aux = options.get("aux_logits", True)
    transform = options.get("transform_input", True)
    of_file = {"aux_logits": True, "init_weights": False, "transform_input": transform}
    model = build("inception_v3", Inception3, weights, options, lambda _: of_file)
    if not aux:
        model.aux_logits, model.AuxLogits = False, None
    return model
