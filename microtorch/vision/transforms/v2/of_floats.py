"""Functions of version 2 that take floats 0..1 where those of version 1 take bytes only."""

from __future__ import annotations

import microtorch as torch

from ....arrays.dtypes import dtype as DTypeOf
from ....handles.tensor import Tensor
from ...images import Picture
from .. import functional as v1
from .. import on_tensors
from ..marks import of_marks


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
