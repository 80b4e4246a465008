"""Weights that others have trained: not in the package, and not fetched; read where they are put.

torchvision's files lie at https://download.pytorch.org/models/. A function of `models` that is
asked for weights looks for the file where PyTorch would have put it, and says its name if it is not
there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias, TypeVar

from ...base.errors import message
from ...files import load
from ...files.fetched import checkpoints
from ...handles.tensor import Tensor
from ...nn.module import Module
from ..transforms.modes import InterpolationMode
from ..transforms.presets import ImageClassification, SemanticSegmentation
from .weight_files import FILES, Source, default

M = TypeVar("M", bound=Module)
Builder: TypeAlias = Callable[..., M]  # name(weights=None, progress=True, **options)
FREE = ("aux_logits",)  # an option that the file decides, whatever was given
SERVER = "https://download.pytorch.org/models/"


class Pretrained:
    """One version of the weights of a model, such as `ResNet18_Weights.IMAGENET1K_V1`."""

    def __init__(self, model: str, version: str) -> None:
        self.model, self.name = model, version

    def __repr__(self) -> str:
        return f"{self.model}: {self.name}"

    @property
    def url(self) -> str:
        """Where torchvision's file lies."""
        return f"{SERVER}{source_of(self.model, self.name).file}"

    def get_state_dict(self, *args: object, **kwargs: object) -> dict[str, Tensor]:
        """What the file holds. FileNotFoundError, with its name, where it is not there."""
        found: dict[str, Tensor] = load(file_of(self.model, self.name))
        return found

    def transforms(self) -> ImageClassification | SemanticSegmentation:
        """What makes a picture into an input that these weights know."""
        source = source_of(self.model, self.name)
        if not source.crop:
            return SemanticSegmentation(resize_size=source.resize)
        mode = "bicubic" if "bicubic" in source.unusual else "bilinear"
        made = ImageClassification(
            crop_size=source.crop, resize_size=source.resize, interpolation=InterpolationMode(mode)
        )
        if "halves" in source.unusual:
            made.mean, made.std = [0.5] * 3, [0.5] * 3
        return made


class Versions:
    """The versions of a model's weights: what `models.ResNet18_Weights` gives."""

    def __init__(self, model: str) -> None:
        for name in FILES[model]:
            setattr(self, name, Pretrained(model, name))
        self.DEFAULT = Pretrained(model, default(model))

    def __iter__(self) -> Iterator[Pretrained]:
        return iter([x for name, x in vars(self).items() if name != "DEFAULT"])

    def __len__(self) -> int:
        return len(vars(self)) - 1

    def __getitem__(self, name: str) -> Pretrained:
        found: Pretrained = vars(self)[name]
        return found


def versions(name: str) -> Versions:
    """`ResNet18_Weights` and its like, for the names of the models in any writing."""
    stem = name.removesuffix("_Weights").lower().replace("_", "")
    for model in FILES:
        if name.endswith("_Weights") and model.replace("_", "") == stem:
            return Versions(model)
    raise AttributeError(f"module 'torchvision.models' has no attribute {name!r}")


# None and False: numbers by chance; True, a version or its name: those of a file
Weights: TypeAlias = "Pretrained | str | bool | None"


def source_of(model: str, version: str) -> Source:
    """The file with these weights. ValueError for a version that is not known."""
    known, name = FILES[model], version.rpartition(".")[2]
    try:
        return known[default(model) if name == "DEFAULT" else name]
    except KeyError:
        what = f"there are {', '.join([*known, 'DEFAULT'])}"
        raise ValueError(message(f"{model} has no weights {version!r}", what)) from None


def file_of(model: str, version: str) -> Path:
    """The file with these weights. FileNotFoundError, with its name and folder, without it."""
    file = source_of(model, version).file
    path = checkpoints() / file
    if not path.is_file():
        raise FileNotFoundError(
            message(
                f"{model}: microtorch does not fetch pretrained weights, and {file} is not in "
                f"{checkpoints()}",
                fix=f"get {SERVER}{file} and put it there, or train from weights=None",
            )
        )
    return path


def build(
    name: str, make: Callable[..., M], weights: Weights, options: dict[str, object],
    of_file: Callable[[str], dict[str, object]] | None = None,
) -> M:  # fmt: skip
    """The model `make(**options)`, with the numbers of a file where `weights` asks for them.

    `pretrained` in `options` is the older word for `weights`. `of_file(version)`: what a file asks
    for, beside 1,000 classes. Raises ValueError for options that do not fit it, and
    FileNotFoundError, with the name of the file and its folder, where it is not there.
    """
    old = options.pop("pretrained", None)
    wanted = weights if weights is not None else old
    if wanted is None or wanted is False:
        return make(**options)
    version = wanted.name if isinstance(wanted, Pretrained) else wanted
    if (old and weights is None) or version is True:
        version = next(iter(FILES[name]))  # what pretrained=True has always meant: the first
    if not isinstance(version, str):
        raise TypeError(message(f"{name}: weights={wanted!r} is neither None nor a version's name"))
    path = file_of(name, version)
    wanted_by_file = {"num_classes": 1000} | (of_file(version) if of_file is not None else {})
    for option, value in wanted_by_file.items():
        if options.setdefault(option, value) != value and option not in FREE:
            raise ValueError(
                message(
                    f"The parameter '{option}' expected value {value} but got {options[option]} "
                    f"instead, in {name}(weights={version!r})",
                    fix="load the weights as they are, and put another layer in the place of one",
                )
            )
    model = make(**options | wanted_by_file)
    model.load_state_dict(load(path))
    return model


def builder(
    name: str, make: Callable[..., M], what: str, count: int,
    of_file: Callable[[str], dict[str, object]] | None = None,
) -> Builder[M]:  # fmt: skip
    """The function `name` of the module that calls, whose model is that of `build`.

    Its docstring says `what` it is, and that it has `count` parameters.
    """

    def made(weights: Weights = None, progress: bool = True, **options: object) -> M:
        return build(name, make, weights, options, of_file)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"{what}: {count:,} parameters for 1,000 classes."
    made.__module__ = sys._getframe(1).f_globals["__name__"]
    return made
