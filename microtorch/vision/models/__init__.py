"""Networks that courses load: torchvision's names, parameters and numbers for a seed.

No weights come with the package; `weights.py` says where a file of them is looked for.
"""

from __future__ import annotations

import importlib
import sys

from ...base.errors import message, unknown
from . import weights
from .alexnet import *
from .convnext import *
from .densenet import *
from .efficientnet import *
from .googlenet import *
from .inception import *
from .lenet import *
from .lookup import get_model, get_model_builder, get_model_weights, get_weight, list_models
from .mnasnet import *
from .mobilenetv2 import *
from .mobilenetv3 import *
from .regnet import *
from .resnet import *
from .shufflenetv2 import *
from .squeezenet import *
from .swin_transformer import *
from .vgg import *
from .vision_transformer import *
from .weight_files import FILES

__all__ = [n for n, x in [*globals().items()] if getattr(x, "__module__", "").startswith(__name__)]

# families that torchvision has, too
_ABSENT = ("detection", "maxvit", "optical_flow", "quantization", "video")

for _model in FILES:  # of which torchvision has the weights in the model's own file, too
    if _model in globals():
        vars(sys.modules[globals()[_model].__module__]).setdefault("__getattr__", weights.versions)


def __getattr__(name: str) -> object:
    """`ResNet18_Weights` and its like: the versions of a model's weights; and `segmentation`."""
    if name == "segmentation":  # imported when first named
        return importlib.import_module(f"{__name__}.segmentation")
    try:
        return weights.versions(name)
    except AttributeError:
        pass
    if name.startswith(_ABSENT):
        raise AttributeError(
            message(
                f"models.{name} is part of torchvision, but not of microtorch",
                fix=f"one of {', '.join(list_models())}",
            )
        )
    raise unknown("module 'torchvision.models'", name, __all__)
