"""Pictures in another size: resized, padded, cropped; and parts of them erased."""

from __future__ import annotations

from ...base.errors import message, warn
from ...handles.tensor import Tensor
from ..images import Picture
from . import on_pillow, on_tensors, resampling
from .converting import get_dimensions, is_tensor
from .marks import of_marks
from .modes import PILLOW, Fill, InterpolationMode, Mode, Size, as_mode
from .turning import hflip, vflip


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
    if is_tensor(img):
        return resampling.resize(img, wanted, mode.value, bool(antialias))
    if antialias is False:
        warn(
            "Anti-alias option is always applied for PIL Image input. Argument antialias is "
            "ignored.",
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
    if not is_tensor(img):
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
    return (on_tensors if is_tensor(img) else on_pillow).crop(img, top, left, height, width)


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


@of_marks
def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """The rectangle of `h` and `w` from (`i`, `j`) replaced by `v`. On Tensors."""
    if not isinstance(img, Tensor):
        raise TypeError(message(f"img should be Tensor Image. Got {type(img)}", fix="ToTensor()"))
    made = img if inplace else img.clone()
    made[..., i : i + h, j : j + w] = v
    return made
