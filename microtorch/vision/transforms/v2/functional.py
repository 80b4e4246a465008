"""Functions of pictures under their names of `torchvision.transforms.v2.functional`."""

from __future__ import annotations

import microtorch as torch

from ....arrays.dtypes import dtype as DTypeOf
from ....base.errors import message
from ....handles.tensor import Tensor
from ...images import Picture, is_pillow
from .. import functional as v1
from .. import on_tensors
from ..functional import *  # noqa: F403


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


def to_dtype(inpt: Tensor, dtype: DTypeOf = torch.float32, scale: bool = False) -> Tensor:
    """Another dtype; with `scale` white stays white: uint8 255 is float 1."""
    if inpt.dtype == dtype or not scale:
        return inpt.to(dtype)
    if dtype.is_floating_point and not inpt.is_floating_point():
        return inpt.to(dtype) * (1.0 / on_tensors.largest(inpt.dtype))
    return on_tensors.convert_image_dtype(inpt, dtype)


def grayscale_to_rgb(inpt: Picture) -> Picture:
    """Three equal channels of a grey picture; a coloured one as it is."""
    if not isinstance(inpt, Tensor):
        return inpt.convert("RGB")
    return inpt if inpt.shape[-3] >= 3 else v1.rgb_to_grayscale(torch.cat([inpt] * 3, -3), 3)


def posterize(inpt: Picture, bits: int) -> Picture:  # type: ignore[no-redef]
    """Only the `bits` highest bits of each byte; floats 0..1 rounded down to as many levels."""
    if not isinstance(inpt, Tensor) or not inpt.is_floating_point():
        return v1.posterize(inpt, bits)
    levels = 1 << bits
    return (inpt * levels).floor().clamp(0, levels - 1) * (1.0 / levels)


def equalize(inpt: Picture) -> Picture:  # type: ignore[no-redef]
    """Each channel with its histogram made even; floats are taken as bytes for it."""
    if not isinstance(inpt, Tensor) or not inpt.is_floating_point():
        return v1.equalize(inpt)
    return to_dtype(v1.equalize(to_dtype(inpt, torch.uint8, True)), inpt.dtype, True)


def get_size(inpt: Picture) -> list[int]:
    """[height, width]."""
    return v1.get_dimensions(inpt)[1:]


get_num_channels = v1.get_image_num_channels
crop_image, resize_image, pad_image = v1.crop, v1.resize, v1.pad
