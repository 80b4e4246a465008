"""LR-ASPP: classes from a late layer and an early one (A. Howard et al. 2019)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from microtorch import nn

from ....handles.tensor import Tensor
from ..weights import Weights
from .parts import FROM_FILE, IntermediateLayerGetter, Outputs, build, conv_norm_relu, sized, stages


class LRASPPHead(nn.Module):
    """Classes from a late layer, weighed by its mean, and from an early one, added up."""

    def __init__(
        self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int
    ) -> None:
        super().__init__()
        self.cbr = nn.Sequential(*conv_norm_relu(high_channels, inter_channels, 1))
        self.cbr[2].inplace = True
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.Sigmoid(),
        )  # fmt: skip
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: Mapping[str, Tensor]) -> Tensor:
        low, high = input["low"], input["high"]
        x = sized(self.cbr(high) * self.scale(high), low)
        return self.low_classifier(low) + self.high_classifier(x)


class LRASPP(nn.Module):
    """A backbone whose outputs are "low" and "high", and LRASPPHead."""

    def __init__(
        self, backbone: nn.Module, low_channels: int, high_channels: int, num_classes: int,
        inter_channels: int = 128,
    ) -> None:  # fmt: skip
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> Outputs:
        return OrderedDict(out=sized(self.classifier(self.backbone(input)), input))


def _lraspp(num_classes: int = 21, weights_backbone: Weights = FROM_FILE) -> LRASPP:
    layers, early, last = stages(weights_backbone)
    low, high = (layers[i].out_channels for i in (early, last))
    names = {str(early): "low", str(last): "high"}
    return LRASPP(IntermediateLayerGetter(layers, names), low, high, num_classes)


def lraspp_mobilenet_v3_large(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """LR-ASPP on MobileNetV3."""
    return build("lraspp_mobilenet_v3_large", _lraspp, weights, options)
