"""Weights that others have trained: not in the package, and not fetched; read where they are put.

torchvision's files lie at https://download.pytorch.org/models/. A function of `models` that is
asked for weights looks for the file where PyTorch would have put it, and says its name if it is not
there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from ...base.errors import message
from ...files import load
from ...nn.module import Module
from ..transforms.presets import ImageClassification

M = TypeVar("M", bound=Module)
SERVER = "https://download.pytorch.org/models/"
# by model: the file of IMAGENET1K_V1, and that of V2 where there is one; the last is the default
FILES = {
    "alexnet": ("alexnet-owt-7be5be79",),
    "densenet121": ("densenet121-a639ec97",),
    "densenet161": ("densenet161-8d451a50",),
    "densenet169": ("densenet169-b2777c0a",),
    "densenet201": ("densenet201-c1103571",),
    "mobilenet_v2": ("mobilenet_v2-b0353104", "mobilenet_v2-7ebf99e0"),
    "resnet101": ("resnet101-63fe2227", "resnet101-cd907fc2"),
    "resnet152": ("resnet152-394f9c45", "resnet152-f82ba261"),
    "resnet18": ("resnet18-f37072fd",),
    "resnet34": ("resnet34-b627a593",),
    "resnet50": ("resnet50-0676ba61", "resnet50-11ad3fa6"),
    "resnext101_32x8d": ("resnext101_32x8d-8ba56ff5", "resnext101_32x8d-110c445d"),
    "resnext101_64x4d": ("resnext101_64x4d-173b62eb",),
    "resnext50_32x4d": ("resnext50_32x4d-7cdf4587", "resnext50_32x4d-1a0047aa"),
    "squeezenet1_0": ("squeezenet1_0-b66bff10",),
    "squeezenet1_1": ("squeezenet1_1-b8a52dc0",),
    "vgg11": ("vgg11-8a719046",),
    "vgg11_bn": ("vgg11_bn-6002323d",),
    "vgg13": ("vgg13-19584684",),
    "vgg13_bn": ("vgg13_bn-abd245e5",),
    "vgg16": ("vgg16-397923af",),
    "vgg16_bn": ("vgg16_bn-6c64b313",),
    "vgg19": ("vgg19-dcbb9e9d",),
    "vgg19_bn": ("vgg19_bn-c79401a0",),
    "wide_resnet101_2": ("wide_resnet101_2-32ee1156", "wide_resnet101_2-d733dc28"),
    "wide_resnet50_2": ("wide_resnet50_2-95faca4d", "wide_resnet50_2-9ba9bcbe"),
}


class Pretrained:
    """One version of the weights of a model, such as `ResNet18_Weights.IMAGENET1K_V1`."""

    def __init__(self, model: str, version: str) -> None:
        self.model, self.name = model, version

    def __repr__(self) -> str:
        return f"{self.model}: {self.name}"

    @property
    def url(self) -> str:
        """Where torchvision's file lies."""
        return f"{SERVER}{file_of(self.model, self.name)}"

    def transforms(self) -> ImageClassification:
        """What makes a picture into an input that these weights know."""
        file = file_of(self.model, self.name).removesuffix(".pth")
        larger = file in FILES[self.model][1:] or self.model == "resnext101_64x4d"
        return ImageClassification(crop_size=224, resize_size=232 if larger else 256)


class Versions:
    """The versions of a model's weights: what `models.ResNet18_Weights` gives."""

    def __init__(self, model: str) -> None:
        names = [f"IMAGENET1K_V{i + 1}" for i in range(len(FILES[model]))]
        for name in names:
            setattr(self, name, Pretrained(model, name))
        self.DEFAULT = Pretrained(model, names[-1])


# None and False: numbers by chance; True, a version or its name: those of a file
Weights: TypeAlias = "Pretrained | str | bool | None"


def file_of(model: str, version: str) -> str:
    """The name of the file with these weights. ValueError for a version that is not known."""
    files = FILES[model]
    known = {f"IMAGENET1K_V{i + 1}": file for i, file in enumerate(files)} | {"DEFAULT": files[-1]}
    try:
        return known[version.rpartition(".")[2]] + ".pth"
    except KeyError:
        raise ValueError(
            message(f"{model} has no weights {version!r}", f"there are {', '.join(known)}")
        ) from None


def folder() -> Path:
    """Where PyTorch keeps such files: $TORCH_HOME/hub/checkpoints, by default in ~/.cache/torch."""
    home = os.environ.get("TORCH_HOME") or "~/.cache/torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def build(name: str, make: Callable[..., M], weights: Weights, options: dict[str, object]) -> M:
    """The model `make(**options)`, with the numbers of a file where `weights` asks for them.

    `pretrained` in `options` is the older word for `weights`. Raises FileNotFoundError, with the
    name of the file and the folder it belongs in, where it is not there.
    """
    old = options.pop("pretrained", None)
    wanted = weights if weights is not None else old
    if wanted is None or wanted is False:
        return make(**options)
    version = wanted.name if isinstance(wanted, Pretrained) else wanted
    if (old and weights is None) or version is True:
        version = "IMAGENET1K_V1"  # what pretrained=True has always meant
    if not isinstance(version, str):
        raise TypeError(message(f"{name}: weights={wanted!r} is neither None nor a version's name"))
    file = file_of(name, version)
    path = folder() / file
    if not path.is_file():
        raise FileNotFoundError(
            message(
                f"{name}: microtorch does not fetch pretrained weights, and {file} is not in "
                f"{folder()}",
                fix=f"get {SERVER}{file} and put it there, or train from weights=None",
            )
        )
    model = make(**options)
    model.load_state_dict(load(path))
    return model
