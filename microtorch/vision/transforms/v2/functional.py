"""Functions of pictures under their names of `torchvision.transforms.v2.functional`."""

from __future__ import annotations

import io
from collections.abc import Sequence

import microtorch as torch

from ....base.errors import message
from ....handles.tensor import Tensor
from ...images import Picture, is_pillow, pillow
from ...tv_tensors import BoundingBoxes, BoundingBoxFormat, Image, TVTensor, wrap
from .. import functional as v1
from .. import marks
from ..functional import *  # noqa: F403
from ..marks import of_marks
from .renewed import equalize as equalize
from .renewed import posterize as posterize
from .renewed import resize as resize
from .renewed import resized_crop as resized_crop
from .renewed import to_dtype as to_dtype


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


@of_marks
def jpeg(image: Picture, quality: int) -> Picture:
    """The picture as a JPEG file of this quality, 1..100, has it; a Tensor must be uint8."""
    if is_pillow(image):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return pillow("jpeg").open(file).convert(image.mode)
    if image.dtype != torch.uint8:
        raise TypeError(message(f"Input must be a uint8 tensor, but got {image.dtype}"))
    flat = [v1.to_pil_image(x) for x in image.reshape(-1, *image.shape[-3:])]
    made = [v1.pil_to_tensor(jpeg(picture, quality)) for picture in flat]
    return torch.stack(made).reshape(image.shape)


@of_marks
def permute_channels(inpt: Picture, permutation: Sequence[int]) -> Picture:
    """The channels in another order: the first is that of number `permutation[0]`."""
    if is_pillow(inpt):
        return v1.to_pil_image(permute_channels(v1.pil_to_tensor(inpt), permutation), inpt.mode)
    if inpt.shape[-3] != len(permutation):
        raise ValueError(
            message(
                "Length of permutation does not match number of channels: "
                f"{len(permutation)} != {inpt.shape[-3]}"
            )
        )
    return inpt[..., list(permutation), :, :]


@of_marks
def gaussian_noise(
    inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True
) -> Tensor:
    """Normal noise added to a float Tensor, cut to 0..1 unless `clip` is False."""
    if not isinstance(inpt, Tensor) or not inpt.is_floating_point():
        raise ValueError(
            message(
                "Input tensor is expected to be in float dtype",
                fix="ToDtype(torch.float32, scale=True) before",
            )
        )
    if sigma < 0:
        raise ValueError(message(f"sigma shouldn't be negative. Got {sigma}"))
    noisy = inpt + (mean + torch.randn_like(inpt) * sigma)
    return noisy.clamp(0, 1) if clip else noisy


def uniform_temporal_subsample(inpt: Tensor, num_samples: int) -> Tensor:
    """`num_samples` pictures of a film (..., T, C, H, W), at even distances, both ends included."""
    at = torch.linspace(0, inpt.shape[-4] - 1, num_samples).long()
    made = inpt.index_select(-4, at)
    return wrap(made, like=inpt) if isinstance(inpt, TVTensor) else made


get_num_channels = v1.get_image_num_channels
elastic, get_size_image = elastic_transform, get_size  # noqa: F405
get_dimensions_image, get_num_channels_image = v1.get_dimensions, get_num_channels
grayscale_to_rgb_image, to_dtype_image = grayscale_to_rgb, to_dtype
# of Tensors alone torchvision has them under further names; these here take Tensors, too
for _name in (
    "adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness "
    "affine autocontrast center_crop crop elastic equalize erase five_crop gaussian_blur "
    "gaussian_noise horizontal_flip invert jpeg normalize pad permute_channels perspective "
    "posterize resize resized_crop rgb_to_grayscale rotate solarize ten_crop vertical_flip".split()
):
    globals()[f"{_name}_image"] = globals()[_name]
