"""Transforms as functions, `torchvision.transforms.functional`: on Pillow images and on Tensors.

A Tensor is (..., C, H, W); where torchvision's numbers for the two kinds differ, ours do. Gradients
flow through the functions of Tensors.
"""

from __future__ import annotations

import sys
import warnings
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
from . import on_pillow, on_tensors, resampling
from .marks import of_marks
from .modes import PILLOW, InterpolationMode, as_mode

Fill = float | Sequence[float] | None
Mode = InterpolationMode | int
Size = int | Sequence[int]


def _tensor(img: Picture) -> bool:
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
    return (on_tensors if _tensor(img) else on_pillow).dimensions(img)


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


# sizes


def resized(height: int, width: int, size: Size, max_size: int | None = None) -> list[int]:
    """[height, width] for `size`: both, or the shorter edge; the longer at most `max_size`."""
    if isinstance(size, int):
        size = [size]
    if len(size) not in (1, 2):
        raise ValueError(
            message(
                f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element "
                "tuple/list"
            )
        )
    if len(size) == 2:
        if max_size is not None:
            raise ValueError(
                message(
                    "max_size should only be passed if size specifies the length of the smaller "
                    "edge, i.e. size should be an int or a sequence of length 1 in torchscript "
                    "mode."
                )
            )
        return [int(size[0]), int(size[1])]
    short, long = sorted((height, width))
    new_short, new_long = size[0], int(size[0] * long / short)
    if max_size is not None:
        if max_size <= new_short:
            raise ValueError(
                message(
                    f"max_size = {max_size} must be strictly greater than the requested size for "
                    f"the smaller edge size = {list(size)}"
                )
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if width <= height else [new_short, new_long]


@of_marks
def resize(
    img: Picture,
    size: Size,
    interpolation: Mode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Picture:
    """The picture in another size: (height, width), or an int for its shorter edge.

    `antialias`: where a Tensor gets smaller, average over what falls into a pixel (bilinear and
    bicubic; Pillow always does). Modes box, hamming and lanczos are Pillow's only.
    """
    mode = as_mode(interpolation)
    _, height, width = get_dimensions(img)
    wanted = resized(height, width, size, max_size)
    if wanted == [height, width]:
        return img
    if _tensor(img):
        return resampling.resize(img, wanted, mode.value, bool(antialias))
    if antialias is False:
        warnings.warn(
            "Anti-alias option is always applied for PIL Image input. Argument antialias is "
            "ignored.",
            stacklevel=2,
        )
    return on_pillow.resize(img, wanted, PILLOW[mode])


@of_marks
def pad(img: Picture, padding: Size, fill: Fill = 0, padding_mode: str = "constant") -> Picture:
    """More picture around: one width, (left and right, top and bottom), or all four from the left.

    `padding_mode`: constant (`fill`), edge, reflect, symmetric (the edge pixel twice).
    """
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError(message("Got inappropriate padding arg", f"{padding!r}"))
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        raise TypeError(message("Got inappropriate fill arg", f"{fill!r}"))
    if not isinstance(padding_mode, str):
        raise TypeError(message("Got inappropriate padding_mode arg", f"{padding_mode!r}"))
    sides = [padding] if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(
            message(
                "Padding must be an int or a 1, 2, or 4 element tuple, not a "
                f"{len(sides)} element tuple"
            )
        )
    sides = sides * (4 // len(sides))
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(
            message(
                "Padding mode should be either constant, edge, reflect or symmetric",
                f"got {padding_mode!r}",
            )
        )
    if not _tensor(img):
        return on_pillow.pad(img, sides, fill, padding_mode)
    if isinstance(fill, (tuple, list)):
        if len(fill) != 1:
            raise TypeError(
                message("Got inappropriate fill arg", f"{fill!r}; a Tensor takes one number")
            )
        fill = fill[0]
    assert fill is None or isinstance(fill, (int, float))
    return on_tensors.pad(img, sides, fill, padding_mode)


@of_marks
def crop(img: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """The part of `height` and `width` that begins at (`top`, `left`); outside is 0."""
    return (on_tensors if _tensor(img) else on_pillow).crop(img, top, left, height, width)


def center_crop(img: Picture, output_size: Size) -> Picture:
    """The middle of the picture, (height, width) or a square; with 0 around one that is smaller."""
    tall, wide = square(output_size, "output_size is an int or a sequence of one or two")
    _, height, width = get_dimensions(img)
    if wide > width or tall > height:
        more_w, more_h = max(wide - width, 0), max(tall - height, 0)
        img = pad(img, [more_w // 2, more_h // 2, (more_w + 1) // 2, (more_h + 1) // 2])
        _, height, width = get_dimensions(img)
        if (wide, tall) == (width, height):
            return img
    return crop(img, round((height - tall) / 2.0), round((width - wide) / 2.0), tall, wide)


def resized_crop(
    img: Picture,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Size,
    interpolation: Mode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Picture:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img: Picture, size: Size) -> tuple[Picture, ...]:
    """The four corners (top left, top right, bottom left, bottom right) and the middle."""
    tall, wide = square(size, "Please provide only two dimensions (h, w) for size.")
    _, height, width = get_dimensions(img)
    if wide > width or tall > height:
        raise ValueError(
            message(
                f"Requested crop size {(tall, wide)} is bigger than input size {(height, width)}"
            )
        )
    corners = [(0, 0), (0, width - wide), (height - tall, 0), (height - tall, width - wide)]
    parts = [crop(img, top, left, tall, wide) for top, left in corners]
    return (*parts, center_crop(img, [tall, wide]))


def ten_crop(img: Picture, size: Size, vertical_flip: bool = False) -> tuple[Picture, ...]:
    """`five_crop` of the picture and of its mirror image."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def square(size: Size, problem: str) -> tuple[int, int]:
    """(height, width) of an int, or of a sequence of one or two."""
    if isinstance(size, (int, float)):
        return int(size), int(size)
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(message(problem, f"got {size}"))
    return size[0], size[1]


# turned and bent


@of_marks
def hflip(img: Picture) -> Picture:
    """Left and right exchanged."""
    return img.flip(-1) if _tensor(img) else on_pillow.hflip(img)


@of_marks
def vflip(img: Picture) -> Picture:
    """Top and bottom exchanged."""
    return img.flip(-2) if _tensor(img) else on_pillow.vflip(img)


horizontal_flip, vertical_flip = hflip, vflip


def _from_middle(img: Picture, center: Sequence[float] | None) -> list[float]:
    _, height, width = get_dimensions(img)
    return [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]


@of_marks
def rotate(
    img: Picture,
    angle: float,
    interpolation: Mode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = None,
) -> Picture:
    """Turned by `angle` degrees, counter-clockwise, around `center` (x, y) or the middle.

    `expand`: the result is large enough to hold the whole turned picture. Outside is `fill`.
    """
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError(message("Argument angle should be int or float", f"got {angle!r}"))
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError(message("Argument center should be a sequence", f"got {center!r}"))
    if not _tensor(img):
        return on_pillow.rotate(img, angle, PILLOW[mode], expand, center, fill)
    matrix = resampling.inverse_affine_matrix(
        _from_middle(img, center), -angle, (0.0, 0.0), 1.0, (0.0, 0.0)
    )
    h, w = img.shape[-2:]
    ow, oh = resampling.rotated_size(matrix, w, h) if expand else (w, h)
    return resampling.warp(img, resampling.affine_grid(matrix, w, h, ow, oh), mode.value, fill)


@of_marks
def affine(
    img: Picture,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: float | Sequence[float],
    interpolation: Mode = InterpolationMode.NEAREST,
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> Picture:
    """Turned (degrees, clockwise), scaled, sheared (degrees) around `center`, then moved."""
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError(message("Argument angle should be int or float", f"got {angle!r}"))
    if not isinstance(translate, (list, tuple)):
        raise TypeError(message("Argument translate should be a sequence", f"got {translate!r}"))
    if len(translate) != 2:
        raise ValueError(message("Argument translate should be a sequence of length 2"))
    if scale <= 0.0:
        raise ValueError(message("Argument scale should be positive", f"{scale=}"))
    if not isinstance(shear, (int, float, list, tuple)):
        raise TypeError(
            message("Shear should be either a single value or a sequence of two values")
        )
    shears = [shear, 0.0] if isinstance(shear, (int, float)) else list(shear)
    shears = shears * 2 if len(shears) == 1 else shears
    if len(shears) != 2:
        raise ValueError(message(f"Shear should be a sequence containing two values. Got {shear}"))
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError(message("Argument center should be a sequence", f"got {center!r}"))
    _, height, width = get_dimensions(img)
    if not _tensor(img):
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = resampling.inverse_affine_matrix(middle, angle, translate, scale, shears)
        return on_pillow.affine(img, matrix, PILLOW[mode], fill)
    middle = _from_middle(img, center)
    matrix = resampling.inverse_affine_matrix(middle, angle, translate, scale, shears)
    grid = resampling.affine_grid(matrix, width, height, width, height)
    return resampling.warp(img, grid, mode.value, fill)


@of_marks
def perspective(
    img: Picture,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: Mode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> Picture:
    """Bent so that four corners (x, y), clockwise from the top left, come from start to end."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            message(
                f"Please provide exactly four corners, got {len(startpoints)} startpoints and "
                f"{len(endpoints)} endpoints."
            )
        )
    mode = as_mode(interpolation)
    coefficients = resampling.perspective_coefficients(startpoints, endpoints)
    if not _tensor(img):
        return on_pillow.perspective(img, coefficients, PILLOW[mode], fill)
    grid = resampling.perspective_grid(coefficients, img.shape[-1], img.shape[-2])
    return resampling.warp(img, grid, mode.value, fill)


@of_marks
def elastic_transform(
    img: Picture,
    displacement: Tensor,
    interpolation: Mode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> Picture:
    """Each pixel from where `displacement` (1, H, W, 2) points, in halves of the picture."""
    mode = as_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError(message("Argument displacement should be a Tensor"))
    if not _tensor(img):
        made = elastic_transform(pil_to_tensor(img), displacement, mode, fill)
        return to_pil_image(made, mode=img.mode)
    height, width = img.shape[-2:]
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(
            message(
                f"Argument displacement shape should be {(1, height, width, 2)}, but given "
                f"{tuple(displacement.shape)}"
            )
        )
    grid = resampling.even_grid(width, height) + displacement[0].numpy()
    return resampling.warp(img, grid, mode.value, fill)


# colours


def _not_negative(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(message(f"{name} ({factor}) is not non-negative."))


@of_marks
def adjust_brightness(img: Picture, brightness_factor: float) -> Picture:
    """0 is black, 1 the picture, 2 twice as bright."""
    if not _tensor(img):
        return on_pillow.enhanced(img, "Brightness", brightness_factor)
    _not_negative("brightness_factor", brightness_factor)
    return on_tensors.adjust_brightness(img, brightness_factor)


@of_marks
def adjust_contrast(img: Picture, contrast_factor: float) -> Picture:
    """0 is grey, 1 the picture, 2 twice the contrast."""
    if not _tensor(img):
        return on_pillow.enhanced(img, "Contrast", contrast_factor)
    _not_negative("contrast_factor", contrast_factor)
    return on_tensors.adjust_contrast(img, contrast_factor)


@of_marks
def adjust_saturation(img: Picture, saturation_factor: float) -> Picture:
    """0 is black and white, 1 the picture, 2 twice the colour."""
    if not _tensor(img):
        return on_pillow.enhanced(img, "Color", saturation_factor)
    _not_negative("saturation_factor", saturation_factor)
    return on_tensors.adjust_saturation(img, saturation_factor)


@of_marks
def adjust_sharpness(img: Picture, sharpness_factor: float) -> Picture:
    """0 is blurred, 1 the picture, 2 twice as sharp."""
    if not _tensor(img):
        return on_pillow.enhanced(img, "Sharpness", sharpness_factor)
    _not_negative("sharpness_factor", sharpness_factor)
    return on_tensors.adjust_sharpness(img, sharpness_factor)


@of_marks
def adjust_hue(img: Picture, hue_factor: float) -> Picture:
    """Colours turned by `hue_factor`, -0.5..0.5, of a full circle."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(message(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5]."))
    return (on_tensors if _tensor(img) else on_pillow).adjust_hue(img, hue_factor)


@of_marks
def adjust_gamma(img: Picture, gamma: float, gain: float = 1) -> Picture:
    """Each value x of 0..1 becomes gain * x ** gamma."""
    if gamma < 0:
        raise ValueError(message("Gamma should be a non-negative real number", f"{gamma=}"))
    return (on_tensors if _tensor(img) else on_pillow).adjust_gamma(img, gamma, gain)


def to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """A Pillow image in grey, with 1 or 3 channels."""
    if not is_pillow(img):
        raise TypeError(message("Input should be PIL Image", fix="rgb_to_grayscale takes a Tensor"))
    return on_pillow.to_grayscale(img, num_output_channels)


@of_marks
def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """The picture in grey, with 1 or 3 channels."""
    if _tensor(img):
        return on_tensors.rgb_to_grayscale(img, num_output_channels)
    return on_pillow.to_grayscale(img, num_output_channels)


@of_marks
def gaussian_blur(
    img: Picture, kernel_size: Size, sigma: float | Sequence[float] | None = None
) -> Picture:
    """Averaged with Gaussian weights. `kernel_size`: odd, of x and y; `sigma` in pixels.

    By default sigma is 0.3 ((size - 1) / 2 - 1) + 0.8.
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(
            message(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
        )
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueError(message(f"kernel_size should have odd and positive integers. Got {sizes}"))
    if sigma is None:
        sigmas = [size * 0.15 + 0.35 for size in sizes]
    else:
        sigmas = [float(sigma)] if isinstance(sigma, (int, float)) else list(sigma)
        sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    if len(sigmas) != 2:
        raise ValueError(
            message(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
        )
    if min(sigmas) <= 0.0:
        raise ValueError(message(f"sigma should have positive values. Got {sigmas}"))
    if _tensor(img):
        return on_tensors.gaussian_blur(img, sizes, sigmas)
    blurred = on_tensors.gaussian_blur(pil_to_tensor(img), sizes, sigmas)
    return to_pil_image(blurred, mode=img.mode)


@of_marks
def invert(img: Picture) -> Picture:
    """The negative."""
    return on_tensors.invert(img) if _tensor(img) else on_pillow.operated(img, "invert")


@of_marks
def posterize(img: Picture, bits: int) -> Picture:
    """Only the `bits` highest bits, 0..8, of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(message(f"The number if bits should be between 0 and 8. Got {bits}"))
    if _tensor(img):
        return on_tensors.posterize(img, bits)
    return on_pillow.operated(img, "posterize", bits)


@of_marks
def solarize(img: Picture, threshold: float) -> Picture:
    """The negative of what is at least as bright as `threshold`."""
    if _tensor(img):
        return on_tensors.solarize(img, threshold)
    return on_pillow.operated(img, "solarize", threshold)


@of_marks
def autocontrast(img: Picture) -> Picture:
    """Each channel stretched from its darkest value to its brightest."""
    return on_tensors.autocontrast(img) if _tensor(img) else on_pillow.operated(img, "autocontrast")


@of_marks
def equalize(img: Picture) -> Picture:
    """Each channel with its histogram made even."""
    return on_tensors.equalize(img) if _tensor(img) else on_pillow.operated(img, "equalize")


@of_marks
def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """The rectangle of `h` and `w` from (`i`, `j`) replaced by `v`. On Tensors."""
    if not isinstance(img, Tensor):
        raise TypeError(message(f"img should be Tensor Image. Got {type(img)}", fix="ToTensor()"))
    made = img if inplace else img.clone()
    made[..., i : i + h, j : j + w] = v
    return made
