"""Models by their names."""

from __future__ import annotations

import importlib

from ...base.errors import message
from ...nn.module import Module
from .weight_files import FILES


def list_models() -> list[str]:
    """The names that `get_model` takes."""
    return sorted([*FILES, "lenet"])


def get_model(name: str, **options: object) -> Module:
    """The model of this name: `get_model("resnet18", num_classes=10)`."""
    if name.lower() not in list_models():
        raise ValueError(message(f"Unknown model {name}", f"there are {', '.join(list_models())}"))
    models = importlib.import_module(f"{__package__}")
    where = models if hasattr(models, name.lower()) else models.segmentation
    return getattr(where, name.lower())(**options)
