"""Pictures as data, as in torchvision: datasets, transforms, models, files."""

from __future__ import annotations

import importlib

from ..base.errors import message, missing
from ..version import vision as __version__
from . import datasets, transforms

__all__ = ["__version__", "datasets", "get_image_backend", "io", "models", "ops",
           "set_image_backend", "transforms", "tv_tensors", "utils"]  # fmt: skip
_LATER = ("io", "models", "ops", "tv_tensors", "utils")  # imported when first named


def get_image_backend() -> str:
    """Which library reads pictures: "PIL"."""
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Only "PIL" is here; ValueError for another."""
    if backend != "PIL":
        raise ValueError(message(f"Invalid backend '{backend}'. Options are 'PIL'"))


_missing = missing(__name__, __all__)


def __getattr__(name: str) -> object:
    if name in _LATER:
        return importlib.import_module(f"{__name__}.{name}")
    return _missing(name)
