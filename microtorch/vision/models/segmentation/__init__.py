"""Segmentation: a class for each pixel, by a classifier's layers without its end and a new head.

FCN (J. Long et al. 2015), DeepLabV3 (L.-C. Chen et al. 2017) and LR-ASPP (A. Howard et al. 2019),
with torchvision's keys and numbers for a seed. A model returns a dict: "out", (N, classes, H, W) in
the size of its input, and "aux" where a second head learns from an earlier layer.
"""

from ....base.errors import unknown
from ..weights import Versions
from .deeplabv3 import (
    DeepLabV3,
    deeplabv3_mobilenet_v3_large,
    deeplabv3_resnet50,
    deeplabv3_resnet101,
)
from .fcn import FCN, fcn_resnet50, fcn_resnet101
from .lraspp import LRASPP, lraspp_mobilenet_v3_large

__all__ = [
    "FCN", "LRASPP", "DeepLabV3", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50",
    "deeplabv3_resnet101", "fcn_resnet50", "fcn_resnet101", "lraspp_mobilenet_v3_large",
]  # fmt: skip


def __getattr__(name: str) -> Versions:
    """`FCN_ResNet50_Weights` and its like."""
    for model in __all__[3:] if name.endswith("_Weights") else ():
        if model.replace("_", "") == name.removesuffix("_Weights").lower().replace("_", ""):
            return Versions(model)
    raise unknown("module 'torchvision.models.segmentation'", name, __all__)
