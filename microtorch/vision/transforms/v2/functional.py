"""Functions of pictures under their names of `torchvision.transforms.v2.functional`."""

from __future__ import annotations

import microtorch as torch

from ....base.errors import message
from ....handles.tensor import Tensor
from ...images import Picture, is_pillow
from .. import functional as v1
from ..functional import *  # noqa: F403
from .of_floats import equalize as equalize
from .of_floats import posterize as posterize
from .of_floats import to_dtype as to_dtype


def to_image(inpt: Picture) -> Tensor:
    """A Pillow image or an array (H, W[, C]) as a Tensor (C, H, W), its numbers as they are."""
    if isinstance(inpt, Tensor):
        return inpt
    if is_pillow(inpt):
        return v1.pil_to_tensor(inpt)
    array = torch.as_tensor(inpt)
    if array.ndim not in (2, 3):
        raise TypeError(message(f"to_image takes (H, W) or (H, W, C), but got {inpt.shape}"))
    return array.unsqueeze(0) if array.ndim == 2 else array.permute(2, 0, 1)


def grayscale_to_rgb(inpt: Picture) -> Picture:
    """Three equal channels of a grey picture; a coloured one as it is."""
    if not isinstance(inpt, Tensor):
        return inpt.convert("RGB")
    return inpt if inpt.shape[-3] >= 3 else v1.rgb_to_grayscale(torch.cat([inpt] * 3, -3), 3)


def get_size(inpt: Picture) -> list[int]:
    """[height, width]."""
    return v1.get_dimensions(inpt)[1:]


get_num_channels = v1.get_image_num_channels
crop_image, resize_image, pad_image = v1.crop, v1.resize, v1.pad
