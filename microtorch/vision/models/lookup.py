"""Models, and their weights, by their names."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from types import ModuleType

from ...base.errors import message
from ...nn.module import Module
from .weight_files import FILES
from .weights import Pretrained, Versions, versions


def list_models(
    module: ModuleType | None = None, include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:  # fmt: skip
    """The names that `get_model` takes: all, or those of `module` (`models.segmentation`).

    `include` and `exclude`: patterns as of file names, "resnet*", of which one fits, or none.
    """

    def fits(name: str, patterns: Iterable[str] | str) -> bool:
        given = [patterns] if isinstance(patterns, str) else patterns
        return any(fnmatchcase(name, pattern) for pattern in given)

    return [
        name for name in sorted([*FILES, "lenet"])
        if (module is None or hasattr(module, name))
        and (include is None or fits(name, include)) and not fits(name, exclude or ())
    ]  # fmt: skip


def get_model_builder(name: str) -> Callable[..., Module]:
    """The function that makes the model of this name: `get_model_builder("resnet18")`."""
    if name.lower() not in list_models():
        raise ValueError(message(f"Unknown model {name}", f"there are {', '.join(list_models())}"))
    models = importlib.import_module(f"{__package__}")
    where = models if hasattr(models, name.lower()) else models.segmentation
    found: Callable[..., Module] = getattr(where, name.lower())
    return found


def get_model(name: str, **options: object) -> Module:
    """The model of this name: `get_model("resnet18", num_classes=10)`."""
    return get_model_builder(name)(**options)


def get_model_weights(name: Callable[..., Module] | str) -> Versions:
    """The versions of the weights of a model, which is given or named."""
    known = name if isinstance(name, str) else name.__name__
    if known not in FILES:
        raise ValueError(message(f"Unknown model {known}", f"there are {', '.join(FILES)}"))
    return Versions(known)


def get_weight(name: str) -> Pretrained:
    """The version of this name: `get_weight("ResNet50_Weights.IMAGENET1K_V2")`."""
    model, dot, version = name.partition(".")
    try:
        return versions(model)[version]
    except (AttributeError, KeyError):
        why = f"The weight enum '{model}' for the specific method couldn't be retrieved."
        if not dot:
            why = f"Invalid weight name provided: '{name}'."
        raise ValueError(message(why, fix="ResNet50_Weights.IMAGENET1K_V2")) from None
