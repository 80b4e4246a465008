"""How pixels between pixels are computed: `InterpolationMode`, and Pillow's numbers for it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ...base.errors import message


class InterpolationMode(Enum):
    """nearest, nearest-exact, bilinear, bicubic; box, hamming and lanczos on Pillow images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PILLOW = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
}
BY_NUMBER = {number: mode for mode, number in PILLOW.items()}
PILLOW[InterpolationMode.NEAREST_EXACT] = 0


# what functions of pictures take
Fill = float | Sequence[float] | None
Mode = InterpolationMode | int
Size = int | Sequence[int]


def as_mode(interpolation: InterpolationMode | int) -> InterpolationMode:
    """The mode of a Pillow constant, or a mode itself; TypeError for anything else."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int) and interpolation in BY_NUMBER:
        return BY_NUMBER[interpolation]
    raise TypeError(
        message(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow "
            "integer constant",
            f"got {interpolation!r}",
            fix="transforms.InterpolationMode.BILINEAR",
        )
    )
