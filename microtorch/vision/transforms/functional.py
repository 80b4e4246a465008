"""Transforms as functions, `torchvision.transforms.functional`: on Pillow images and on Tensors.

A Tensor is (..., C, H, W); where torchvision's numbers for the two kinds differ, ours do. Gradients
flow through the functions of Tensors. They are defined by what they do, in four files.
"""

from __future__ import annotations

from ...base.errors import missing
from ..images import is_pillow as _is_pil_image  # torchvision's name, which old scripts use
from .colouring import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    gaussian_blur,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from .converting import (
    convert_image_dtype,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from .modes import InterpolationMode
from .sizing import center_crop, crop, erase, five_crop, pad, resize, resized_crop, ten_crop
from .turning import (
    affine,
    elastic_transform,
    hflip,
    horizontal_flip,
    perspective,
    rotate,
    vertical_flip,
    vflip,
)

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue",
    "adjust_saturation", "adjust_sharpness", "affine", "autocontrast", "center_crop",
    "convert_image_dtype", "crop", "elastic_transform", "equalize", "erase", "five_crop",
    "gaussian_blur", "get_dimensions", "get_image_num_channels", "get_image_size", "hflip",
    "horizontal_flip", "invert", "normalize", "pad", "perspective", "pil_to_tensor", "posterize",
    "resize", "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop",
    "to_grayscale", "to_pil_image", "to_tensor", "vertical_flip", "vflip",
]  # fmt: skip
_REEXPORTED = (_is_pil_image,)

__getattr__ = missing("torchvision.transforms.functional", __all__)
