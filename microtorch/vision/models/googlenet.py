"""GoogLeNet, the first Inception network.

C. Szegedy et al., Going Deeper with Convolutions, 2014. As in torchvision the branch of 5x5 kernels
has 3x3 ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import microtorch as torch
from microtorch import nn

from ...handles.tensor import Tensor
from .inception import BasicConv2d, Layer, chosen, start, starts_new, to_halves
from .weights import Weights, build

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "googlenet"]

F = nn.functional
# table 1 of the paper: channels of 1x1; before and after 3x3; before and after 5x5; after pooling
TABLE = {
    "inception3a": (64, 96, 128, 16, 32, 32), "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64), "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64), "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128), "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


class Inception(nn.Module):
    """Four branches, joined along the channels."""

    def __init__(
        self, in_channels: int, ch1x1: int, ch3x3red: int, ch3x3: int, ch5x5red: int, ch5x5: int,
        pool_proj: int, conv_block: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            conv(in_channels, ch3x3red, kernel_size=1),
            conv(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            conv(in_channels, ch5x5red, kernel_size=1),
            conv(ch5x5red, ch5x5, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            conv(in_channels, pool_proj, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    """Classes from the middle of the network, for training."""

    def __init__(
        self, in_channels: int, num_classes: int, conv_block: Layer | None = None,
        dropout: float = 0.7,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.conv(F.adaptive_avg_pool2d(x, (4, 4))), 1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


class GoogLeNetOutputs(NamedTuple):
    """What the model gives in training."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


class GoogLeNet(nn.Module):
    """(N, 3, H, W) to classes; in training with ``aux_logits`` a ``GoogLeNetOutputs``."""

    def __init__(
        self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
        init_weights: bool | None = None, blocks: Sequence[Layer] | None = None,
        dropout: float = 0.2, dropout_aux: float = 0.7,
    ) -> None:  # fmt: skip
        super().__init__()
        known = (BasicConv2d, Inception, InceptionAux)
        conv, inception, aux = chosen(blocks, known, "blocks")
        drawn = starts_new(init_weights, "GoogleNet")
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels, widths = 192, {}
        for name, row in TABLE.items():
            setattr(self, name, inception(channels, *row))
            widths[name] = channels = row[0] + row[2] + row[4] + row[5]
            if name == "inception3b":
                self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            if name == "inception4e":
                self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.aux1 = self.aux2 = None
        if aux_logits:
            self.aux1 = aux(widths["inception4a"], num_classes, dropout=dropout_aux)
            self.aux2 = aux(widths["inception4d"], num_classes, dropout=dropout_aux)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        if drawn:
            start(self, lambda name: 0.01)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        if self.transform_input:
            x = to_halves(x)
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x) if self.aux1 is not None and self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.aux2 is not None and self.training else None
        x = self.inception5b(self.inception5a(self.maxpool4(self.inception4e(x))))
        x = self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))
        return GoogLeNetOutputs(x, aux2, aux1) if self.training and self.aux_logits else x


def googlenet(weights: Weights = None, progress: bool = True, **options: object) -> GoogLeNet:
    """GoogLeNet: 13,004,888 parameters for 1,000 classes, 6,624,904 without the other answers.

    With a file's weights ``transform_input`` is True unless given, and the other answers, which
    nobody has trained, are left out unless ``aux_logits=True``.
    """
    aux = options.get("aux_logits", False)
    transform = options.get("transform_input", True)
    trained: list[str] = []

    def of_file(version: str) -> dict[str, object]:
        trained.append(version)
        return {"aux_logits": True, "init_weights": False, "transform_input": transform}

    model = build("googlenet", GoogLeNet, weights, options, of_file)
    if trained and not aux:
        model.aux_logits, model.aux1, model.aux2 = False, None, None
    return model
