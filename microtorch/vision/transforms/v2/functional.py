"""Functions of pictures under their names of `torchvision.transforms.v2.functional`."""

from __future__ import annotations

import microtorch as torch

from ....base.errors import message
from ....handles.tensor import Tensor
from ...images import Picture, is_pillow
from ...tv_tensors import BoundingBoxes, BoundingBoxFormat, Image, wrap
from .. import functional as v1
from .. import marks
from ..functional import *  # noqa: F403
from ..marks import of_marks
from .of_floats import equalize as equalize
from .of_floats import posterize as posterize
from .of_floats import to_dtype as to_dtype


def to_image(inpt: Picture) -> Image:
    """A Pillow image, an array (H, W[, C]) or a Tensor as a `tv_tensors.Image` (C, H, W), its
    numbers as they are.
    """
    return inpt if isinstance(inpt, Image) else Image(_planes(inpt))


def _planes(inpt: Picture) -> Tensor:
    if isinstance(inpt, Tensor):
        return inpt
    if is_pillow(inpt):
        return v1.pil_to_tensor(inpt)
    array = torch.as_tensor(inpt)
    if array.ndim not in (2, 3):
        raise TypeError(message(f"to_image takes (H, W) or (H, W, C), but got {inpt.shape}"))
    return array.unsqueeze(0) if array.ndim == 2 else array.permute(2, 0, 1)


@of_marks
def grayscale_to_rgb(inpt: Picture) -> Picture:
    """Three equal channels of a grey picture; a coloured one as it is."""
    if not isinstance(inpt, Tensor):
        return inpt.convert("RGB")
    return inpt if inpt.shape[-3] >= 3 else v1.rgb_to_grayscale(torch.cat([inpt] * 3, -3), 3)


def convert_bounding_box_format(
    inpt: Tensor, old_format: BoundingBoxFormat | None = None,
    new_format: BoundingBoxFormat | str | None = None, inplace: bool = False,
) -> Tensor:  # fmt: skip
    """The boxes written in `new_format`; of a plain Tensor tell the `old_format`."""
    if new_format is None:
        raise TypeError(message("missing 1 required argument: 'new_format'"))
    new = new_format if isinstance(new_format, BoundingBoxFormat) else BoundingBoxFormat[new_format]
    if isinstance(inpt, BoundingBoxes):
        made = marks.written(marks.corners(inpt, inpt.format), new, inpt)
        return wrap(made, like=inpt, format=new)
    if old_format is None:
        raise ValueError(message("For pure tensor inputs, `old_format` has to be passed."))
    return marks.written(marks.corners(inpt, old_format), new, inpt)


def clamp_bounding_boxes(
    inpt: Tensor, format: BoundingBoxFormat | None = None,
    canvas_size: tuple[int, int] | None = None,
) -> Tensor:  # fmt: skip
    """The boxes cut off where the picture ends; of a plain Tensor tell format and canvas."""
    if isinstance(inpt, BoundingBoxes):
        format, canvas_size = inpt.format, inpt.canvas_size
    if format is None or canvas_size is None:
        raise ValueError(
            message("For pure tensor inputs, `format` and `canvas_size` have to be passed.")
        )
    made = marks.clamped(marks.corners(inpt, format), canvas_size)
    plain = marks.written(made, format, inpt)
    return wrap(plain, like=inpt) if isinstance(inpt, BoundingBoxes) else plain


def get_size(inpt: Picture) -> list[int]:
    """[height, width]."""
    return v1.get_dimensions(inpt)[1:]


get_num_channels = v1.get_image_num_channels
crop_image, resize_image, pad_image = v1.crop, v1.resize, v1.pad
