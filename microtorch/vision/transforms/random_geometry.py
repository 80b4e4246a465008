"""Transforms by chance: crops, flips, turns. Random numbers are torchvision's for the same seed.

Each class draws from the default generator, in the order that its text shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import ClassVar

import microtorch as torch

from ...base.errors import message
from ...handles.tensor import Tensor
from ...nn.module import Module
from ..images import Picture
from . import functional as F
from .basic import TWO_DIMENSIONS, at_random, check_range, integer, uniform
from .modes import Fill, InterpolationMode, Mode, Size, as_mode
from .sizing import square


class RandomCrop(Module):
    """A part of `size` anywhere in the picture, after `padding` (and more `pad_if_needed`)."""

    _shown = ("size", "padding")

    def __init__(
        self,
        size: Size,
        padding: Size | None = None,
        pad_if_needed: bool = False,
        fill: Fill = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = square(size, TWO_DIMENSIONS)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Picture, output_size: Sequence[int]) -> tuple[int, int, int, int]:
        """(top, left, height, width). ValueError for a part larger than the picture."""
        _, height, width = F.get_dimensions(img)
        tall, wide = output_size
        if height < tall or width < wide:
            raise ValueError(
                message(
                    f"Required crop size {(tall, wide)} is larger than input image size "
                    f"{(height, width)}",
                    fix="pad_if_needed=True",
                )
            )
        if (height, width) == (tall, wide):
            return 0, 0, height, width
        top = integer(0, height - tall + 1)
        return top, integer(0, width - wide + 1), tall, wide

    def _padded(self, img: Picture) -> Picture:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return img

    def forward(self, img: Picture) -> Picture:
        img = self._padded(img)
        return F.crop(img, *self.get_params(img, self.size))


class RandomResizedCrop(Module):
    """A part of random area (`scale`, of the picture's) and shape (`ratio`), brought to `size`."""

    functions: ClassVar[ModuleType] = F  # those of this version of the transforms

    def __init__(
        self,
        size: Size,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Mode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = square(size, TWO_DIMENSIONS)
        check_range(scale, ratio)
        self.scale, self.ratio = scale, ratio
        self.interpolation = as_mode(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(
        img: Picture, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """(top, left, height, width): ten tries, then the largest part that fits in the middle."""
        _, height, width = F.get_dimensions(img)
        log_ratio = torch.log(torch.tensor([float(r) for r in ratio]))
        for _ in range(10):
            area = height * width * uniform(scale[0], scale[1])
            aspect = _aspect(log_ratio)
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                top = integer(0, height - h + 1)
                return top, integer(0, width - w + 1), h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Picture) -> Picture:
        part = self.get_params(img, self.scale, self.ratio)
        options = (self.size, self.interpolation, self.antialias)
        return self.functions.resized_crop(img, *part, *options)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, "
            f"scale={tuple(round(s, 4) for s in self.scale)}, "
            f"ratio={tuple(round(r, 4) for r in self.ratio)}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def _aspect(log_ratio: Tensor) -> float:
    """A shape, width over height: uniform in its logarithm."""
    low, high = log_ratio.tolist()
    return float(torch.exp(torch.empty(1).uniform_(low, high)).item())


class RandomHorizontalFlip(Module):
    """Left and right exchanged with probability `p`."""

    _shown = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Picture) -> Picture:
        return F.hflip(img) if at_random(self.p) else img


class RandomVerticalFlip(Module):
    """Top and bottom exchanged with probability `p`."""

    _shown = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Picture) -> Picture:
        return F.vflip(img) if at_random(self.p) else img


def _check_sequence(x: object, name: str, lengths: tuple[int, ...]) -> None:
    wanted = " or ".join(map(str, lengths))
    if not isinstance(x, Sequence):
        raise TypeError(message(f"{name} should be a sequence of length {wanted}.", f"got {x!r}"))
    if len(x) not in lengths:
        raise ValueError(message(f"{name} should be a sequence of length {wanted}.", f"got {x!r}"))


def _angles(x: float | Sequence[float], name: str, lengths: tuple[int, ...] = (2,)) -> list[float]:
    if isinstance(x, (int, float)):
        if x < 0:
            raise ValueError(
                message(f"If {name} is a single number, it must be positive.", f"got {x}")
            )
        return [-float(x), float(x)]
    _check_sequence(x, name, lengths)
    return [float(d) for d in x]


def _check_fill(fill: Fill) -> Fill:
    if fill is not None and not isinstance(fill, (int, float, Sequence)):
        raise TypeError(message("Fill should be either a sequence or a number.", f"got {fill!r}"))
    return 0 if fill is None else fill


class RandomRotation(Module):
    """Turned by an angle of (-degrees, degrees), or of the given (low, high)."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: Mode = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Fill = 0,
    ) -> None:
        super().__init__()
        self.degrees = _angles(degrees, "degrees")
        if center is not None:
            _check_sequence(center, "center", (2,))
        self.center = center
        self.interpolation = as_mode(interpolation)
        self.expand = expand
        self.fill = _check_fill(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """The angle."""
        return uniform(degrees[0], degrees[1])

    def forward(self, img: Picture) -> Picture:
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self) -> str:
        text = (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"interpolation={self.interpolation.value}, expand={self.expand}"
        )
        text += f", center={self.center}" if self.center is not None else ""
        return text + f", fill={self.fill})"


class RandomAffine(Module):
    """Turned, moved (`translate`, shares of width and height), scaled, sheared, each by chance."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Mode = InterpolationMode.NEAREST,
        fill: Fill = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = _angles(degrees, "degrees")
        if translate is not None:
            _check_sequence(translate, "translate", (2,))
            if not all(0.0 <= t <= 1.0 for t in translate):
                raise ValueError(message("translation values should be between 0 and 1"))
        if scale is not None:
            _check_sequence(scale, "scale", (2,))
            if min(scale) <= 0:
                raise ValueError(message("scale values should be positive"))
        if center is not None:
            _check_sequence(center, "center", (2,))
        self.translate, self.scale, self.center = translate, scale, center
        self.shear = None if shear is None else _angles(shear, "shear", (2, 4))
        self.interpolation = as_mode(interpolation)
        self.fill = _check_fill(fill)

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """(angle, translations, scale, shear); `img_size` is (width, height)."""
        angle = uniform(degrees[0], degrees[1])
        moved = (0, 0)
        if translate is not None:
            dx, dy = (float(t * size) for t, size in zip(translate, img_size, strict=True))
            moved = round(uniform(-dx, dx)), round(uniform(-dy, dy))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = uniform(shears[2], shears[3])
        return angle, moved, scale, (shear_x, shear_y)

    def forward(self, img: Picture) -> Picture:
        _, height, width = F.get_dimensions(img)
        angle, moved, scale, shear = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height]
        )
        return F.affine(img, angle, moved, scale, shear, self.interpolation, self.fill, self.center)

    def __repr__(self) -> str:
        text = f"{type(self).__name__}(degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            value = getattr(self, name)
            text += f", {name}={value}" if value is not None else ""
        if self.interpolation != InterpolationMode.NEAREST:
            text += f", interpolation={self.interpolation.value}"
        text += f", fill={self.fill}" if self.fill != 0 else ""
        text += f", center={self.center}" if self.center is not None else ""
        return text + ")"


class RandomPerspective(Module):
    """Bent, with probability `p`: each corner moves inwards, by at most `distortion_scale` / 2."""

    _shown = ("p",)

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: Mode = InterpolationMode.BILINEAR,
        fill: Fill = 0,
    ) -> None:
        super().__init__()
        self.p = p
        self.interpolation = as_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = _check_fill(fill)

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """The corners (x, y) before and after, clockwise from the top left."""
        dx = int(distortion_scale * (width // 2))
        dy = int(distortion_scale * (height // 2))
        after = [
            [integer(0, dx + 1), integer(0, dy + 1)],
            [integer(width - dx - 1, width), integer(0, dy + 1)],
            [integer(width - dx - 1, width), integer(height - dy - 1, height)],
            [integer(0, dx + 1), integer(height - dy - 1, height)],
        ]
        right, bottom = width - 1, height - 1
        return [[0, 0], [right, 0], [right, bottom], [0, bottom]], after

    def forward(self, img: Picture) -> Picture:
        if not at_random(self.p):
            return img
        _, height, width = F.get_dimensions(img)
        start, end = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, start, end, self.interpolation, self.fill)


class ElasticTransform(Module):
    """Each pixel moved a little, neighbours alike: as seen through water.

    The displacement is noise, blurred with a width of `sigma` pixels and scaled by `alpha`, each a
    number or one for x and one for y.
    """

    _shown = ("alpha", "sigma", "interpolation", "fill")

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: Mode = InterpolationMode.BILINEAR,
        fill: Fill = 0,
    ) -> None:
        super().__init__()
        self.alpha = _two(alpha, "alpha")
        self.sigma = _two(sigma, "sigma")
        self.interpolation = as_mode(interpolation)
        self.fill = [float(fill)] if isinstance(fill, (int, float)) else fill

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """(1, height, width, 2): how far each pixel of a picture (height, width) moves."""
        moved = []
        for i in (0, 1):
            noise = torch.rand([1, 1, *size]) * 2 - 1
            if sigma[i] > 0.0:
                wide = int(8 * sigma[i] + 1)
                wide += 1 - wide % 2
                noise = F.gaussian_blur(noise, [wide, wide], sigma)
            moved.append(noise * alpha[i] / size[1 - i])
        return torch.cat(moved, 1).permute(0, 2, 3, 1)

    def forward(self, tensor: Picture) -> Picture:
        _, height, width = F.get_dimensions(tensor)
        moved = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, moved, self.interpolation, self.fill)


def _two(value: float | Sequence[float], name: str) -> list[float]:
    if isinstance(value, float):
        return [value, value]
    if not isinstance(value, Sequence):
        raise TypeError(
            message(f"{name} should be float or a sequence of floats. Got {type(value)}")
        )
    both = list(value) * (2 if len(value) == 1 else 1)
    if len(both) != 2:
        raise ValueError(
            message(f"If {name} is a sequence its length should be one or two. Got {len(both)}")
        )
    for element in both:
        if not isinstance(element, float):
            raise TypeError(
                message(f"{name} should be a sequence of floats. Got {type(element)}")
            )
    return both
