"""Pictures mirrored, turned and bent."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.errors import message
from ...handles.tensor import Tensor
from ..images import Picture
from . import on_pillow, resampling
from .converting import get_dimensions, is_tensor, pil_to_tensor, to_pil_image
from .marks import of_marks
from .modes import PILLOW, Fill, InterpolationMode, Mode, as_mode


@of_marks
def hflip(img: Picture) -> Picture:
    """Left and right exchanged."""
    return img.flip(-1) if is_tensor(img) else on_pillow.hflip(img)


@of_marks
def vflip(img: Picture) -> Picture:
    """Top and bottom exchanged."""
    return img.flip(-2) if is_tensor(img) else on_pillow.vflip(img)


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
    if not is_tensor(img):
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
    if not is_tensor(img):
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
    if not is_tensor(img):
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
    if not is_tensor(img):
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
