"""Segmentation: a class for each pixel, by a classifier's layers without its end and a new head.

FCN (J. Long et al. 2015), DeepLabV3 (L.-C. Chen et al. 2017) and LR-ASPP (A. Howard et al. 2019),
with torchvision's keys and numbers for a seed. A model returns a dict: "out", (N, classes, H, W) in
the size of its input, and "aux" where a second head learns from an earlier layer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import microtorch as torch
from microtorch import nn

from ...base.errors import message, unknown
from ...handles.tensor import Tensor
from . import mobilenetv3, resnet
from .weights import Versions, Weights, build

Outputs = OrderedDict[str, Tensor]
FROM_FILE: Weights = "IMAGENET1K_V1"  # what the first layers begin with, unless they are told


class IntermediateLayerGetter(nn.ModuleDict):
    """The children of a model up to the last one that is asked for.

    `return_layers`: the names of children, and what their outputs are called. ValueError for a
    child that is not there.
    """

    def __init__(self, model: nn.Module, return_layers: Mapping[str, str]) -> None:
        names = dict(model.named_children())
        if not set(return_layers) <= set(names):
            raise ValueError(message("return_layers are not present in model"))
        last = max(list(names).index(name) for name in return_layers)
        super().__init__(dict(list(names.items())[: last + 1]))
        self.return_layers = dict(return_layers)

    def forward(self, x: Tensor) -> Outputs:
        found: Outputs = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                found[self.return_layers[name]] = x
        return found


class FCNHead(nn.Sequential):
    """A convolution, and one that gives each pixel its classes."""

    def __init__(self, in_channels: int, channels: int) -> None:
        inside = in_channels // 4
        super().__init__(*_conv(in_channels, inside, 3), nn.Dropout(0.1),
                         nn.Conv2d(inside, channels, 1))  # fmt: skip


def _conv(wide: int, out: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    pad = 0 if kernel == 1 else dilation
    conv = nn.Conv2d(wide, out, kernel, padding=pad, dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(out), nn.ReLU()]


class ASPPPooling(nn.Sequential):
    """The mean of the whole picture, everywhere."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_conv(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return _sized(super().forward(x), x)


class ASPP(nn.Module):
    """Convolutions with holes of several widths side by side, and the mean of the picture."""

    def __init__(
        self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256
    ) -> None:
        super().__init__()
        parts = [nn.Sequential(*_conv(in_channels, out_channels, 1))]
        parts += [nn.Sequential(*_conv(in_channels, out_channels, 3, rate))
                  for rate in atrous_rates]  # fmt: skip
        parts.append(ASPPPooling(in_channels, out_channels))
        self.convs = nn.ModuleList(parts)
        self.project = nn.Sequential(
            *_conv(len(parts) * out_channels, out_channels, 1), nn.Dropout(0.5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([conv(x) for conv in self.convs], 1))


class DeepLabHead(nn.Sequential):
    """ASPP, a convolution, and one that gives each pixel its classes."""

    def __init__(
        self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)
    ) -> None:
        super().__init__(ASPP(in_channels, atrous_rates), *_conv(256, 256, 3),
                         nn.Conv2d(256, num_classes, 1))  # fmt: skip


class LRASPPHead(nn.Module):
    """Classes from a late layer, weighed by its mean, and from an early one, added up."""

    def __init__(
        self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int
    ) -> None:
        super().__init__()
        self.cbr = nn.Sequential(*_conv(high_channels, inter_channels, 1))
        self.cbr[2].inplace = True
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.Sigmoid(),
        )  # fmt: skip
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: Mapping[str, Tensor]) -> Tensor:
        low, high = input["low"], input["high"]
        x = _sized(self.cbr(high) * self.scale(high), low)
        return self.low_classifier(low) + self.high_classifier(x)


def _sized(x: Tensor, like: Tensor) -> Tensor:
    """x in the height and width of `like`."""
    size = like.shape[-2:]
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


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
        made: Outputs = OrderedDict(out=_sized(self.classifier(features["out"]), x))
        if self.aux_classifier is not None:
            made["aux"] = _sized(self.aux_classifier(features["aux"]), x)
        return made


class DeepLabV3(FCN):
    """The same, with DeepLab's head."""


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
        return OrderedDict(out=_sized(self.classifier(self.backbone(input)), input))


# ---- the models ----------------------------------------------------------------------------------
def _on_resnet(
    kind: type[FCN], head: Callable[[int, int], nn.Module], layers: Callable[..., nn.Module],
    num_classes: int = 21, aux_loss: bool | None = None, weights_backbone: Weights = FROM_FILE,
) -> FCN:  # fmt: skip
    full = layers(weights=weights_backbone, replace_stride_with_dilation=[False, True, True])
    names = {"layer4": "out"} | ({"layer3": "aux"} if aux_loss else {})
    aux = FCNHead(1024, num_classes) if aux_loss else None
    return kind(IntermediateLayerGetter(full, names), head(2048, num_classes), aux)


def _stages(weights_backbone: Weights) -> tuple[nn.Sequential, int, int]:
    """MobileNetV3's layers, and the numbers of the fourth last of its stages and of the last."""
    full = mobilenetv3.mobilenet_v3_large(weights=weights_backbone, dilated=True)
    layers = full.features
    ends = [0, *(i for i, b in enumerate(layers) if getattr(b, "_is_cn", False)), len(layers) - 1]
    return layers, ends[-4], ends[-1]


def _deeplab_on_mobilenet(
    num_classes: int = 21, aux_loss: bool | None = None, weights_backbone: Weights = FROM_FILE
) -> FCN:
    layers, early, last = _stages(weights_backbone)
    names = {str(last): "out"} | ({str(early): "aux"} if aux_loss else {})
    aux = FCNHead(layers[early].out_channels, num_classes) if aux_loss else None
    head = DeepLabHead(layers[last].out_channels, num_classes)
    return DeepLabV3(IntermediateLayerGetter(layers, names), head, aux)


def _lraspp(num_classes: int = 21, weights_backbone: Weights = FROM_FILE) -> LRASPP:
    layers, early, last = _stages(weights_backbone)
    low, high = (layers[i].out_channels for i in (early, last))
    names = {str(early): "low", str(last): "high"}
    return LRASPP(IntermediateLayerGetter(layers, names), low, high, num_classes)


MAKE: dict[str, Callable[..., nn.Module]] = {
    "fcn_resnet50": partial(_on_resnet, FCN, FCNHead, resnet.resnet50),
    "fcn_resnet101": partial(_on_resnet, FCN, FCNHead, resnet.resnet101),
    "deeplabv3_resnet50": partial(_on_resnet, DeepLabV3, DeepLabHead, resnet.resnet50),
    "deeplabv3_resnet101": partial(_on_resnet, DeepLabV3, DeepLabHead, resnet.resnet101),
    "deeplabv3_mobilenet_v3_large": _deeplab_on_mobilenet,
    "lraspp_mobilenet_v3_large": _lraspp,
}


def _build(name: str, weights: Weights, options: dict[str, object]) -> nn.Module:
    """`weights`: of the whole model, for 21 classes; else `weights_backbone` of its first layers,
    by default those of a file: None begins with numbers by chance.
    """
    options = {key: value for key, value in options.items() if key != "num_classes" or value}
    of_file: dict[str, object] = {"num_classes": 21}
    if not name.startswith("lraspp"):
        of_file["aux_loss"] = True
    if weights or options.get("pretrained"):
        options["weights_backbone"] = None
    return build(name, MAKE[name], weights, options, lambda version: of_file)


def fcn_resnet50(weights: Weights = None, progress: bool = True, **options: object) -> nn.Module:
    """FCN on ResNet-50: `num_classes` 21, `aux_loss`, `weights_backbone`."""
    return _build("fcn_resnet50", weights, options)


def fcn_resnet101(weights: Weights = None, progress: bool = True, **options: object) -> nn.Module:
    """FCN on ResNet-101."""
    return _build("fcn_resnet101", weights, options)


def deeplabv3_resnet50(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """DeepLabV3 on ResNet-50: 39,638,869 parameters for 21 classes without `aux_loss`."""
    return _build("deeplabv3_resnet50", weights, options)


def deeplabv3_resnet101(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """DeepLabV3 on ResNet-101."""
    return _build("deeplabv3_resnet101", weights, options)


def deeplabv3_mobilenet_v3_large(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """DeepLabV3 on MobileNetV3."""
    return _build("deeplabv3_mobilenet_v3_large", weights, options)


def lraspp_mobilenet_v3_large(
    weights: Weights = None, progress: bool = True, **options: object
) -> nn.Module:
    """LR-ASPP on MobileNetV3."""
    return _build("lraspp_mobilenet_v3_large", weights, options)


def __getattr__(name: str) -> Versions:
    """`FCN_ResNet50_Weights` and its like."""
    for model in MAKE if name.endswith("_Weights") else ():
        if model.replace("_", "") == name.removesuffix("_Weights").lower().replace("_", ""):
            return Versions(model)
    raise unknown("module 'torchvision.models.segmentation'", name, MAKE)
