"""Models, and their weights, by their names."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from ...base.errors import message
from ...nn.module import Module
from .weight_files import FILES
from .weights import Pretrained, Versions, versions


def list_models() -> list[str]:
    """The names that `get_model` takes."""
    return sorted([*FILES, "lenet"])


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
