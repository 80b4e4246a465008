"""Functions whose numbers in version 2 are other ones, or which take floats 0..1, too."""

from __future__ import annotations

import microtorch as torch
from microtorch.nn import functional as F

from ....arrays.dtypes import dtype as DTypeOf
from ....handles.tensor import Tensor
from ...images import Picture
from .. import functional as v1
from .. import on_tensors
from ..marks import of_marks
from ..modes import InterpolationMode, Mode, Size, as_mode
from ..sizing import resized


@of_marks
def to_dtype(inpt: Tensor, dtype: DTypeOf = torch.float32, scale: bool = False) -> Tensor:
    """Another dtype; with `scale` white stays white: uint8 255 is float 1."""
    if inpt.dtype == dtype or not scale:
        return inpt.to(dtype)
    if dtype.is_floating_point and not inpt.is_floating_point():
        return inpt.to(dtype) * (1.0 / on_tensors.largest(inpt.dtype))
    return on_tensors.convert_image_dtype(inpt, dtype)


@of_marks
def posterize(img: Picture, bits: int) -> Picture:
    """Only the `bits` highest bits of each byte; floats 0..1 rounded down to as many levels."""
    if not isinstance(img, Tensor) or not img.is_floating_point():
        return v1.posterize(img, bits)
    levels = 1 << bits
    return (img * levels).floor().clamp(0, levels - 1) * (1.0 / levels)


@of_marks
def equalize(img: Picture) -> Picture:
    """Each channel with its histogram made even; floats are taken as bytes for it."""
    if not isinstance(img, Tensor) or not img.is_floating_point():
        return v1.equalize(img)
    return to_dtype(v1.equalize(to_dtype(img, torch.uint8, True)), img.dtype, True)


@of_marks
def resize(
    img: Picture,
    size: Size,
    interpolation: Mode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Picture:
    """The picture in another size: (height, width), or an int for its shorter edge.

    Unlike in version 1, Tensors of bytes are resampled in whole numbers, as Pillow does it.
    """
    mode = as_mode(interpolation).value
    if (
        not isinstance(img, Tensor)
        or img.dtype != torch.uint8
        or mode not in ("bilinear", "bicubic", "lanczos")
    ):
        return v1.resize(img, size, interpolation, max_size, antialias)
    height, width = img.shape[-2:]
    wanted = resized(height, width, size, max_size)
    flat = img.reshape(-1, *img.shape[-3:]) if img.ndim > 2 else img[None, None]
    made = F.interpolate(flat, wanted, mode=mode, antialias=bool(antialias))
    return made.reshape(*img.shape[:-2], *wanted)


def resized_crop(
    img: Picture, top: int, left: int, height: int, width: int, size: Size,
    interpolation: Mode = InterpolationMode.BILINEAR, antialias: bool | None = True,
) -> Picture:  # fmt: skip
    """`crop`, then `resize`."""
    part = v1.crop(img, top, left, height, width)
    return resize(part, size, interpolation, antialias=antialias)
