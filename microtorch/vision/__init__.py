"""Pictures as data, as in torchvision: datasets, transforms, models, files."""

from __future__ import annotations

from ..base.errors import message, missing
from ..base.promises import on_demand
from ..version import vision as __version__
from . import datasets, transforms

__all__ = ["__version__", "datasets", "get_image_backend", "io", "models", "ops",
           "set_image_backend", "transforms", "tv_tensors", "utils"]  # fmt: skip


def get_image_backend() -> str:
    """Which library reads pictures: "PIL"."""
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Only "PIL" is here; ValueError for another."""
    if backend != "PIL":
        raise ValueError(message(f"Invalid backend '{backend}'. Options are 'PIL'"))


_FILES = dict.fromkeys(("io", "models", "ops", "tv_tensors", "utils"), "")
__getattr__ = on_demand(globals(), _FILES, missing(__name__, __all__))
