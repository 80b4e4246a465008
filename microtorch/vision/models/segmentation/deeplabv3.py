"""DeepLabV3: convolutions with holes of several widths (L.-C. Chen et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import microtorch as torch
from microtorch import nn

from ....handles.tensor import Tensor
from .. import resnet
from ..weights import Weights
from .fcn import FCN, FCNHead, on_resnet
from .parts import FROM_FILE, IntermediateLayerGetter, build, conv_norm_relu, sized, stages


class ASPPPooling(nn.Sequential):
    """The mean of the whole picture, everywhere."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *conv_norm_relu(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return sized(super().forward(x), x)


class ASPP(nn.Module):
    """Convolutions with holes of several widths side by side, and the mean of the picture."""

    def __init__(
        self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256
    ) -> None:
        super().__init__()
        parts = [nn.Sequential(*conv_norm_relu(in_channels, out_channels, 1))]
        parts += [nn.Sequential(*conv_norm_relu(in_channels, out_channels, 3, rate))
                  for rate in atrous_rates]  # fmt: skip
        parts.append(ASPPPooling(in_channels, out_channels))
        self.convs = nn.ModuleList(parts)
        self.project = nn.Sequential(
            *conv_norm_relu(len(parts) * out_channels, out_channels, 1), nn.Dropout(0.5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([conv(x) for conv in self.convs], 1))


class DeepLabHead(nn.Sequential):
    """ASPP, a convolution, and one that gives each pixel its classes."""

    def __init__(
        self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)
    ) -> None:
        super().__init__(ASPP(in_channels, atrous_rates), *conv_norm_relu(256, 256, 3),
                         nn.Conv2d(256, num_classes, 1))  # fmt: skip


class DeepLabV3(FCN):
    """The same, with DeepLab's head."""


def _deeplab_on_mobilenet(
    num_classes: int = 21, aux_loss: bool | None = None, weights_backbone: Weights = FROM_FILE
) -> FCN:
    layers, early, last = stages(weights_backbone)
    names = {str(last): "out"} | ({str(early): "aux"} if aux_loss else {})
    aux = FCNHead(layers[early].out_channels, num_classes) if aux_loss else None
    head = DeepLabHead(layers[last].out_channels, num_classes)
    return DeepLabV3(IntermediateLayerGetter(layers, names), head, aux)


def deeplabv3_resnet50(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """DeepLabV3 on ResNet-50: 39,638,869 parameters for 21 classes without `aux_loss`."""
    make = partial(on_resnet, DeepLabV3, DeepLabHead, resnet.resnet50)
    return build("deeplabv3_resnet50", make, weights, options)


def deeplabv3_resnet101(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """DeepLabV3 on ResNet-101."""
    make = partial(on_resnet, DeepLabV3, DeepLabHead, resnet.resnet101)
    return build("deeplabv3_resnet101", make, weights, options)


def deeplabv3_mobilenet_v3_large(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """DeepLabV3 on MobileNetV3."""
    return build("deeplabv3_mobilenet_v3_large", _deeplab_on_mobilenet, weights, options)
