"""What passes for a picture here, and Pillow, which is imported only when a picture needs it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

from ..base.errors import message
from ..base.types import Array

Picture: TypeAlias = Any  # a Pillow image, a Tensor (..., C, H, W), or an array (H, W[, C])
Transform: TypeAlias = Callable[[Any], Any]


def pillow(who: str) -> ModuleType:
    """The module PIL.Image. ImportError, with the command that installs it, where it is absent."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            message(
                f"{who} needs Pillow, which is not installed",
                fix="pip install Pillow, or work on tensors: transforms.ToTensor() first",
            )
        ) from None
    module: ModuleType = Image
    return module


def is_pillow(picture: Picture) -> bool:
    """Is this a Pillow image? Asked without importing Pillow."""
    return any(kind.__module__ == "PIL.Image" for kind in type(picture).__mro__)


def from_array(array: Array, who: str = "this picture") -> Picture:
    """A Pillow image of an (H, W) or (H, W, C) array of bytes."""
    return pillow(who).fromarray(array)
