"""What only version 2 has of random transforms: of sizes, of colours, of compression."""

from __future__ import annotations

from collections.abc import Sequence

import microtorch as torch

from ....base.errors import message
from ...images import Picture
from ..modes import InterpolationMode, Mode
from . import functional
from .structured import Transform

Bilinear = InterpolationMode.BILINEAR


class _Resizing(Transform):
    """Base class of transforms to a size that is drawn."""

    interpolation: Mode
    antialias: bool | None

    def size(self, height: int, width: int) -> list[int]:
        """The size for a picture of this one; random numbers are drawn here."""
        raise NotImplementedError

    def one(self, picture: Picture) -> Picture:
        _, height, width = functional.get_dimensions(picture)
        size = self.size(height, width)
        return functional.resize(picture, size, self.interpolation, antialias=self.antialias)


class RandomResize(_Resizing):
    """The shorter edge resized to a length from `min_size` up to, but not, `max_size`."""

    def __init__(
        self, min_size: int, max_size: int, interpolation: Mode = Bilinear,
        antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.min_size, self.max_size = min_size, max_size
        self.interpolation, self.antialias = interpolation, antialias

    def size(self, height: int, width: int) -> list[int]:
        return [int(torch.randint(self.min_size, self.max_size, ()))]


class RandomShortestSize(_Resizing):
    """The shorter edge resized to one of `min_size`, the longer one to at most `max_size`."""

    def __init__(
        self, min_size: int | Sequence[int], max_size: int | None = None,
        interpolation: Mode = Bilinear, antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation, self.antialias = interpolation, antialias

    def size(self, height: int, width: int) -> list[int]:
        short = self.min_size[int(torch.randint(len(self.min_size), ()))]
        ratio = short / min(height, width)
        if self.max_size is not None:
            ratio = min(ratio, self.max_size / max(height, width))
        return [int(height * ratio), int(width * ratio)]


class ScaleJitter(_Resizing):
    """Resized to fit into `target_size`, times a factor drawn from `scale_range`."""

    def __init__(
        self, target_size: tuple[int, int], scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Mode = Bilinear, antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.target_size, self.scale_range = target_size, scale_range
        self.interpolation, self.antialias = interpolation, antialias

    def size(self, height: int, width: int) -> list[int]:
        low, high = self.scale_range
        scale = low + torch.rand(1) * (high - low)
        ratio = min(self.target_size[1] / height, self.target_size[0] / width) * scale
        return [int(height * ratio), int(width * ratio)]


class RandomZoomOut(Transform):
    """With probability `p`, set somewhere on a larger picture of `fill`.

    It is larger by a factor drawn from `side_range`.
    """

    def __init__(
        self, fill: float | Sequence[float] = 0, side_range: Sequence[float] = (1.0, 4.0),
        p: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(message(f"Invalid side range provided {side_range}."))
        self.p, self.fill, self.side_range = p, fill, side_range

    def one(self, picture: Picture) -> Picture:
        if torch.rand(1) >= self.p:
            return picture
        _, height, width = functional.get_dimensions(picture)
        low, high = self.side_range
        ratio = low + torch.rand(1) * (high - low)
        wide, tall = int(width * ratio), int(height * ratio)
        where = torch.rand(2)
        left, top = int((wide - width) * where[0]), int((tall - height) * where[1])
        sides = [left, top, wide - (left + width), tall - (top + height)]
        return functional.pad(picture, sides, self.fill)


class RandomPhotometricDistort(Transform):
    """Brightness, contrast, saturation, hue and the order of channels changed.

    Each with probability `p`, by a factor drawn from its range (Liu et al. 2016, SSD).
    """

    def __init__(
        self, brightness: tuple[float, float] = (0.875, 1.125),
        contrast: tuple[float, float] = (0.5, 1.5), saturation: tuple[float, float] = (0.5, 1.5),
        hue: tuple[float, float] = (-0.05, 0.05), p: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.brightness, self.contrast, self.hue = brightness, contrast, hue
        self.saturation, self.p = saturation, p

    def one(self, picture: Picture) -> Picture:
        def factor(bounds: tuple[float, float]) -> float | None:
            return torch.empty(1).uniform_(*bounds).item() if torch.rand(1) < self.p else None

        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        brightness, contrast, saturation, hue = map(factor, ranges)
        first = bool(torch.rand(()) < 0.5)  # contrast, before the colours
        channels = functional.get_dimensions(picture)[0]
        order = torch.randperm(channels) if torch.rand(1) < self.p else None
        steps = [
            (functional.adjust_brightness, brightness),
            (functional.adjust_contrast, contrast if first else None),
            (functional.adjust_saturation, saturation),
            (functional.adjust_hue, hue),
            (functional.adjust_contrast, None if first else contrast),
        ]
        for step, by in steps:
            if by is not None:
                picture = step(picture, by)
        return picture if order is None else functional.permute_channels(picture, order.tolist())


class RandomChannelPermutation(Transform):
    """The channels in a random order."""

    def one(self, picture: Picture) -> Picture:
        order = torch.randperm(functional.get_dimensions(picture)[0])
        return functional.permute_channels(picture, order.tolist())


class JPEG(Transform):
    """Compressed as a JPEG file of a `quality` 1..100, or one drawn from two, and read again."""

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        self.quality = [quality, quality] if isinstance(quality, int) else list(quality)
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise ValueError(message(f"quality must be in [1, 100], and rise, got {quality}"))

    def one(self, picture: Picture) -> Picture:
        low, high = self.quality
        return functional.jpeg(picture, int(torch.randint(low, high + 1, ())))
