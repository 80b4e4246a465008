"""SqueezeNet: few channels into a layer, many out of it, and no linear layer.

F. N. Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016.
"""

from __future__ import annotations

from functools import partial

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from .weights import builder

__all__ = ["SqueezeNet", "squeezenet1_0", "squeezenet1_1"]


class Fire(nn.Module):
    """A 1x1 convolution to few channels; from them a 1x1 and a 3x3 one, side by side."""

    def __init__(self, inplanes: int, squeeze: int, expand1x1: int, expand3x3: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand1x1, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand3x3, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [
                self.expand1x1_activation(self.expand1x1(x)),
                self.expand3x3_activation(self.expand3x3(x)),
            ],
            1,
        )


# (first convolution: channels and size; before which Fire modules there is a pooling)
VERSIONS = {"1_0": (96, 7, (0, 3, 7)), "1_1": (64, 3, (0, 2, 4))}
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


class SqueezeNet(nn.Module):
    """(N, 3, H, W) to classes; `version` is "1_0" or "1_1", which needs 2.4 times less work."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in VERSIONS:
            raise ValueError(
                message(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
            )
        self.num_classes = num_classes
        channels, size, pooled = VERSIONS[version]
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, kernel_size=size, stride=2),
            nn.ReLU(inplace=True),
        ]
        for i, (squeeze, expand) in enumerate(FIRES):
            if i in pooled:
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            layers.append(Fire(channels, squeeze, expand, expand))
            channels = 2 * expand
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(512, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is last:
                    nn.init.normal_(module.weight, mean=0.0, std=0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(self.classifier(self.features(x)), 1)


squeezenet1_0 = builder(
    "squeezenet1_0", partial(SqueezeNet, "1_0"), "SqueezeNet of the paper", 1_248_424
)
squeezenet1_1 = builder(
    "squeezenet1_1", partial(SqueezeNet, "1_1"), "SqueezeNet 1.1", 1_235_496
)
