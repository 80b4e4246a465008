"""What a picture is: a Pillow image, a Tensor (..., C, H, W) or an array; and one from another."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

import microtorch as torch

from ...arrays.dtypes import dtype as DTypeOf
from ...base.errors import message
from ...base.types import Array
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from ..images import Picture, is_pillow, pillow
from ..tv_tensors import BoundingBoxes
from . import on_pillow, on_tensors
from .marks import of_marks


def is_tensor(img: Picture) -> bool:
    """Is it a Tensor (True) or a Pillow image (False)? TypeError for anything else."""
    if isinstance(img, Tensor):
        return True
    if is_pillow(img):
        return False
    raise TypeError(
        message(
            f"img should be a Tensor or a PIL Image. Got {type(img)}",
            fix="transforms.ToPILImage() or ToTensor() makes one of an array",
        )
    )


def get_dimensions(img: Picture) -> list[int]:
    """[channels, height, width]; of boxes, those of their picture."""
    if isinstance(img, BoundingBoxes):
        return [1, *img.canvas_size]
    return (on_tensors if is_tensor(img) else on_pillow).dimensions(img)


def get_image_size(img: Picture) -> list[int]:
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Picture) -> int:
    """The number of channels."""
    return get_dimensions(img)[0]


# from one kind of picture to another


def to_tensor(pic: Picture) -> Tensor:
    """(C, H, W) of a Pillow image or an array (H, W[, C]); bytes become 0..1 in the default dtype.

    Other dtypes keep their values. TypeError for another kind of picture, ValueError for an array
    of another number of dimensions.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(
                message(
                    f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.",
                    "ToTensor takes a picture of shape (H, W) or (H, W, C), but got "
                    f"{type(pic).__name__} of shape {pic.shape}, dtype {pic.dtype}",
                    fix="one picture at a time",
                )
            )
        array = pic
    elif is_pillow(pic):
        array = _pixels(pic)
    else:
        raise TypeError(
            message(
                f"pic should be PIL Image or ndarray. Got {type(pic)}",
                fix="a Tensor needs no ToTensor()" if isinstance(pic, Tensor) else "",
            )
        )
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return from_numpy(scaled(planes) if array.dtype == np.uint8 else np.array(planes, order="C"))


def scaled(planes: Array) -> Array:
    """Bytes as numbers 0..1 in the default dtype."""
    kind = np.dtype(torch.get_default_dtype().numpy)
    return np.divide(planes, kind.type(255), dtype=kind, order="C")


def _pixels(pic: Picture) -> Array:
    """A Pillow image's numbers, (H, W) or (H, W, C)."""
    kinds = {"I": np.int32, "I;16": np.int16, "I;16B": np.int16, "F": np.float32}
    array = np.asarray(pic, kinds.get(pic.mode, np.uint8))
    return 255 * array if pic.mode == "1" else array


def pil_to_tensor(pic: Picture) -> Tensor:
    """(C, H, W) of a Pillow image, its numbers as they are (uint8 mostly)."""
    if not is_pillow(pic):
        raise TypeError(message(f"pic should be PIL Image. Got {type(pic)}"))
    array = np.array(pic)
    return from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


def to_pil_image(pic: Picture, mode: str | None = None) -> Picture:
    """A Pillow image of a Tensor (C, H, W) or (H, W), or an array (H, W[, C]).

    Floats are taken as 0..1, so times 255. `mode`: Pillow's name of the colour space; by default L,
    LA, RGB or RGBA by the number of channels, I or F by the dtype.
    """
    if isinstance(pic, Tensor):
        array = pic.detach().cpu().numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(message(f"pic should be Tensor or ndarray. Got {type(pic)}."))
    if array.ndim not in (2, 3):
        raise ValueError(
            message(
                f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.",
                fix="one picture at a time",
            )
        )
    array = array[:, :, None] if array.ndim == 2 else array
    channels = array.shape[-1]
    if channels > 4:
        raise ValueError(
            message(
                f"pic should not have > 4 channels. Got {channels} channels.",
                "channels come first in a Tensor, last in an array",
            )
        )
    if array.dtype.kind == "f" and mode != "F":
        array = (array * 255).astype(np.int64).astype(np.uint8)
    if channels == 1:
        array = array[:, :, 0]
        sixteen = "I;16" if sys.byteorder == "little" else "I;16B"
        kinds = {"uint8": "L", "int16": sixteen, "int32": "I", "float32": "F"}
        made = kinds.get(array.dtype.name)
        allowed = [made] if made else []
    else:
        allowed = {2: ["LA"], 4: ["RGBA", "CMYK", "RGBX"], 3: ["RGB", "YCbCr", "HSV"]}[channels]
        made = allowed[0] if array.dtype == np.uint8 else None
    if mode is not None and mode not in allowed:
        raise ValueError(
            message(
                f"Incorrect mode ({mode}) supplied for input type {array.dtype}.",
                f"a picture of {channels} channels can be {', '.join(map(str, allowed)) or 'none'}",
            )
        )
    mode = mode or made
    if mode is None:
        raise TypeError(message(f"Input type {array.dtype} is not supported", fix="uint8"))
    array = np.ascontiguousarray(array)
    height, width = array.shape[:2]
    return pillow("to_pil_image").frombuffer(
        mode, (width, height), array.tobytes(), "raw", mode, 0, 1
    )


@of_marks
def convert_image_dtype(image: Tensor, dtype: DTypeOf = torch.float32) -> Tensor:
    """Another dtype, with white still white: uint8 255 is float 1."""
    if not isinstance(image, Tensor):
        raise TypeError(message("Input img should be Tensor Image"))
    return on_tensors.convert_image_dtype(image, dtype)


@of_marks
def normalize(
    tensor: Tensor,
    mean: Sequence[float] | float,
    std: Sequence[float] | float,
    inplace: bool = False,
) -> Tensor:
    """`(x - mean) / std` per channel of a float Tensor (..., C, H, W).

    TypeError for integers, ValueError for fewer than three dimensions or a std of 0.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(
            message(f"img should be Tensor Image. Got {type(tensor)}", fix="ToTensor() before")
        )
    return on_tensors.normalize(tensor, mean, std, inplace)
