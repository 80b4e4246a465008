"""What the models share: a classifier's layers without its end, and how one is made."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from microtorch import nn

from ....handles.tensor import Tensor
from .. import mobilenetv3
from .._utils import IntermediateLayerGetter as IntermediateLayerGetter
from ..weights import Weights
from ..weights import build as build_from

Outputs = OrderedDict[str, Tensor]
FROM_FILE: Weights = "IMAGENET1K_V1"  # what the first layers begin with, unless they are told


def conv_norm_relu(wide: int, out: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    pad = 0 if kernel == 1 else dilation
    conv = nn.Conv2d(wide, out, kernel, padding=pad, dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(out), nn.ReLU()]


def sized(x: Tensor, like: Tensor) -> Tensor:
    """x in the height and width of `like`."""
    size = like.shape[-2:]
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def stages(weights_backbone: Weights) -> tuple[nn.Sequential, int, int]:
    """MobileNetV3's layers, and the numbers of the fourth last of its stages and of the last."""
    full = mobilenetv3.mobilenet_v3_large(weights=weights_backbone, dilated=True)
    layers = full.features
    ends = [0, *(i for i, b in enumerate(layers) if getattr(b, "_is_cn", False)), len(layers) - 1]
    return layers, ends[-4], ends[-1]


def build(
    name: str, make: Callable[..., nn.Module], weights: Weights, options: dict[str, object]
) -> nn.Module:
    """`weights`: of the whole model, for 21 classes; else `weights_backbone` of its first layers,
    by default those of a file: None begins with numbers by chance.
    """
    options = {key: value for key, value in options.items() if key != "num_classes" or value}
    of_file: dict[str, object] = {"num_classes": 21}
    if not name.startswith("lraspp"):
        of_file["aux_loss"] = True
    if weights or options.get("pretrained"):
        options["weights_backbone"] = None
    return build_from(name, make, weights, options, lambda version: of_file)
