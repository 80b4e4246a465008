"""The functional transforms of Pillow images: Pillow does the work.

Each function takes and returns a Pillow image. The numbers are Pillow's, as in torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ...base.errors import message
from ..images import Picture, pillow

Fill = float | Sequence[float] | None
NUMPY: dict[str, Literal["edge", "reflect", "symmetric"]] = {
    "edge": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
}


def dimensions(img: Picture) -> list[int]:
    """[channels, height, width]."""
    width, height = img.size
    return [len(img.getbands()), height, width]


def hflip(img: Picture) -> Picture:
    return img.transpose(0)  # Image.Transpose.FLIP_LEFT_RIGHT


def vflip(img: Picture) -> Picture:
    return img.transpose(1)  # Image.Transpose.FLIP_TOP_BOTTOM


def crop(img: Picture, top: int, left: int, height: int, width: int) -> Picture:
    return img.crop((left, top, left + width, top + height))


def resize(img: Picture, size: Sequence[int], number: int) -> Picture:
    """`size` is (height, width); `number` Pillow's for the interpolation."""
    return img.resize((size[1], size[0]), number)


def colour_of(fill: Fill, img: Picture) -> float | tuple[float, ...]:
    """`fill` as a colour of the image: whole numbers but for mode F, one for each channel."""
    channels = len(img.getbands())
    values = [0] if fill is None else [fill] if isinstance(fill, (int, float)) else list(fill)
    if len(values) == 1:
        values = values * channels
    elif len(values) != channels:
        raise ValueError(
            message(
                "The number of elements in 'fill' does not match the number of channels of the "
                f"image ({len(values)} != {channels})"
            )
        )
    colour = tuple(values if img.mode == "F" else map(int, values))
    single = channels == 1 and (fill is None or isinstance(fill, (int, float)))
    return colour[0] if single else colour


def pad(img: Picture, sides: Sequence[int], fill: Fill, mode: str) -> Picture:
    """`sides`: left, top, right, bottom."""
    left, top, right, bottom = sides
    if mode == "constant":
        from PIL import ImageOps

        padded = ImageOps.expand(img, (left, top, right, bottom), fill=colour_of(fill, img))
        if img.mode == "P":
            padded.putpalette(img.getpalette())
        return padded
    if min(sides) < 0:
        cut = [-min(side, 0) for side in sides]
        img = img.crop((cut[0], cut[1], img.width - cut[2], img.height - cut[3]))
        left, top, right, bottom = (max(side, 0) for side in sides)
    array = np.asarray(img)
    widths = [(top, bottom), (left, right)] + [(0, 0)] * (array.ndim - 2)
    made = pillow("pad").fromarray(np.pad(array, widths, mode=NUMPY[mode]))
    if img.mode == "P":
        made.putpalette(img.getpalette())
    return made


def affine(img: Picture, matrix: Sequence[float], number: int, fill: Fill) -> Picture:
    """`matrix`: from a pixel of the result to one of `img`."""
    return img.transform(img.size, 0, matrix, number, fillcolor=colour_of(fill, img))


def perspective(img: Picture, coefficients: Sequence[float], number: int, fill: Fill) -> Picture:
    return img.transform(img.size, 2, coefficients, number, fillcolor=colour_of(fill, img))


def rotate(
    img: Picture,
    angle: float,
    number: int,
    expand: bool,
    center: Sequence[float] | None,
    fill: Fill,
) -> Picture:
    return img.rotate(angle, number, expand, center, fillcolor=colour_of(fill, img))


def to_grayscale(img: Picture, channels: int) -> Picture:
    if channels not in (1, 3):
        raise ValueError(message("num_output_channels should be either 1 or 3"))
    grey = img.convert("L")
    if channels == 1:
        return grey
    return pillow("to_grayscale").merge("RGB", (grey, grey, grey))


def enhanced(img: Picture, what: str, factor: float) -> Picture:
    """Pillow's enhancer `what`: Brightness, Contrast, Color or Sharpness."""
    from PIL import ImageEnhance

    return getattr(ImageEnhance, what)(img).enhance(factor)


def adjust_hue(img: Picture, factor: float) -> Picture:
    if img.mode in {"L", "1", "I", "F"}:
        return img
    h, s, v = img.convert("HSV").split()
    turned = np.array(h, np.uint8) + np.int32(factor * 255).astype(np.uint8)  # wraps at 256
    image = pillow("adjust_hue")
    return image.merge("HSV", (image.fromarray(turned), s, v)).convert(img.mode)


def adjust_gamma(img: Picture, gamma: float, gain: float) -> Picture:
    table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
    return img.convert("RGB").point(table).convert(img.mode)


def operated(img: Picture, what: str, *arguments: float) -> Picture:
    """Pillow's ImageOps function `what`: invert, posterize, solarize, autocontrast, equalize."""
    from PIL import ImageOps

    return getattr(ImageOps, what)(img, *arguments)
