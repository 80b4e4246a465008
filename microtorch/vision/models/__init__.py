"""Networks that courses load: torchvision's names, parameters and numbers for a seed.

No weights come with the package; `weights.py` says where a file of them is looked for.
"""

from __future__ import annotations

from ...base.errors import message, unknown
from .alexnet import AlexNet, alexnet
from .densenet import DenseNet, densenet121, densenet161, densenet169, densenet201
from .lenet import LeNet, lenet
from .lookup import get_model, list_models
from .mobilenetv2 import MobileNetV2, mobilenet_v2
from .resnet import (
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
    wide_resnet50_2,
    wide_resnet101_2,
)
from .squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from .vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from .weights import FILES, Versions

__all__ = [
    "VGG",
    "AlexNet",
    "DenseNet",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "SqueezeNet",
    "alexnet",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "get_model",
    "lenet",
    "list_models",
    "mobilenet_v2",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet50_2",
    "wide_resnet101_2",
]


# families that torchvision has, too
_ABSENT = (
    "convnext", "detection", "efficientnet", "googlenet", "inception", "maxvit", "mnasnet",
    "mobilenet_v3", "quantization", "regnet", "segmentation", "shufflenet", "swin", "video", "vit",
)  # fmt: skip


def __getattr__(name: str) -> Versions:
    """`ResNet18_Weights` and its like: the versions of a model's weights."""
    stem = name.removesuffix("_Weights").lower()
    if name.endswith("_Weights"):
        for model in FILES:
            if model.replace("_", "") == stem.replace("_", ""):
                return Versions(model)
    if name.startswith(_ABSENT):
        raise AttributeError(
            message(
                f"models.{name} is part of torchvision, but not of microtorch",
                fix=f"one of {', '.join(list_models())}",
            )
        )
    raise unknown("module 'torchvision.models'", name, __all__)
