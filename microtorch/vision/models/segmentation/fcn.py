"""FCN: layers that give each pixel its classes (J. Long et al. 2015)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from microtorch import nn

from ....handles.tensor import Tensor
from .. import resnet
from ..weights import Weights
from .parts import FROM_FILE, IntermediateLayerGetter, Outputs, build, conv_norm_relu, sized


class FCNHead(nn.Sequential):
    """A convolution, and one that gives each pixel its classes."""

    def __init__(self, in_channels: int, channels: int) -> None:
        inside = in_channels // 4
        super().__init__(*conv_norm_relu(in_channels, inside, 3), nn.Dropout(0.1),
                         nn.Conv2d(inside, channels, 1))  # fmt: skip


class FCN(nn.Module):
    """A backbone whose outputs are "out" and perhaps "aux", and a head for each."""

    def __init__(
        self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> Outputs:
        features = self.backbone(x)
        made: Outputs = OrderedDict(out=sized(self.classifier(features["out"]), x))
        if self.aux_classifier is not None:
            made["aux"] = sized(self.aux_classifier(features["aux"]), x)
        return made


def on_resnet(
    kind: type[FCN], head: Callable[[int, int], nn.Module], layers: Callable[..., nn.Module],
    num_classes: int = 21, aux_loss: bool | None = None, weights_backbone: Weights = FROM_FILE,
) -> FCN:  # fmt: skip
    full = layers(weights=weights_backbone, replace_stride_with_dilation=[False, True, True])
    names = {"layer4": "out"} | ({"layer3": "aux"} if aux_loss else {})
    aux = FCNHead(1024, num_classes) if aux_loss else None
    return kind(IntermediateLayerGetter(full, names), head(2048, num_classes), aux)


def fcn_resnet50(weights: Weights = None, progress: bool = True, **options: object) -> nn.Module:
    """FCN on ResNet-50: `num_classes` 21, `aux_loss`, `weights_backbone`."""
    make = partial(on_resnet, FCN, FCNHead, resnet.resnet50)
    return build("fcn_resnet50", make, weights, options)


def fcn_resnet101(weights: Weights = None, progress: bool = True, **options: object) -> nn.Module:
    """FCN on ResNet-101."""
    make = partial(on_resnet, FCN, FCNHead, resnet.resnet101)
    return build("fcn_resnet101", make, weights, options)
