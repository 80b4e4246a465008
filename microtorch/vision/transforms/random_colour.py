"""Transforms by chance: colours, blur, erased parts. The numbers are torchvision's for a seed."""

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
from .basic import at_random, check_range, uniform
from .modes import Size
from .random_geometry import _aspect
from .sizing import square

Range = float | Sequence[float]
Bounds = tuple[float, float] | None  # None: nothing is changed


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed by chance, in a random order.

    A number b means a factor of (max(0, 1 - b), 1 + b), for hue an angle of (-b, b) of a circle; or
    give (low, high).
    """

    _shown = ("brightness", "contrast", "saturation", "hue")

    def __init__(
        self, brightness: Range = 0, contrast: Range = 0, saturation: Range = 0, hue: Range = 0
    ) -> None:
        super().__init__()
        self.brightness = _bounds(brightness, "brightness")
        self.contrast = _bounds(contrast, "contrast")
        self.saturation = _bounds(saturation, "saturation")
        self.hue = _bounds(hue, "hue", 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(
        brightness: Bounds, contrast: Bounds, saturation: Bounds, hue: Bounds
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """The order, and the four factors (None: this is not changed)."""
        order = torch.randperm(4)
        b, c, s, h = (
            None if bounds is None else uniform(*bounds)
            for bounds in (brightness, contrast, saturation, hue)
        )
        return order, b, c, s, h

    def forward(self, img: Picture) -> Picture:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            factor = factors[i]
            if factor is not None:
                img = steps[i](img, factor)
        return img


def _bounds(
    value: Range,
    name: str,
    center: float = 1.0,
    within: tuple[float, float] = (0, float("inf")),
) -> Bounds:
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(message(f"If {name} is a single number, it must be non negative."))
        low, high = center - float(value), center + float(value)
        low = max(low, 0.0) if center else low
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(message(f"{name} should be a single number or a list/tuple with length 2."))
    if not within[0] <= low <= high <= within[1]:
        raise ValueError(
            message(f"{name} values should be between {within}, but got {[low, high]}.")
        )
    return None if low == high == center else (low, high)


class RandomGrayscale(Module):
    """Grey, with as many channels as before, with probability `p`."""

    _shown = ("p",)

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Picture) -> Picture:
        channels = F.get_dimensions(img)[0]
        if at_random(self.p):
            return F.rgb_to_grayscale(img, num_output_channels=channels)
        return img


class GaussianBlur(Module):
    """Blurred with a random width `sigma` (low, high), in pixels, or a fixed one."""

    _shown = ("kernel_size", "sigma")

    def __init__(self, kernel_size: Size, sigma: Range = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = square(
            kernel_size, "Kernel size should be a tuple/list of two integers"
        )
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError(message("Kernel size value should be an odd and positive number."))
        if isinstance(sigma, (int, float)):
            if sigma <= 0:
                raise ValueError(message("If sigma is a single number, it must be positive."))
            sigma = (sigma, sigma)
        elif not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ValueError(
                message("sigma should be a single number or a list/tuple with length 2.")
            )
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError(message("sigma values should be positive and of the form (min, max)."))
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """The width."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Picture) -> Picture:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])


class RandomErasing(Module):
    """A rectangle of a Tensor erased with probability `p` (Z. Zhong et al. 2017).

    `scale`: its share of the area; `ratio`: its shape; `value`: a number, one for each channel, or
    "random".
    """

    _shown = ("p", "scale", "ratio", "value", "inplace")

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (int, float, str, tuple, list)):
            raise TypeError(
                message("Argument value should be either a number or str or a sequence")
            )
        if isinstance(value, str) and value != "random":
            raise ValueError(message("If value is str, it should be 'random'"))
        check_range(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError(message("Scale should be between 0 and 1"))
        if p < 0 or p > 1:
            raise ValueError(message("Random erasing probability should be between 0 and 1"))
        self.p, self.scale, self.ratio = p, scale, ratio
        self.value, self.inplace = value, inplace

    @staticmethod
    def get_params(
        img: Tensor,
        scale: Sequence[float],
        ratio: Sequence[float],
        value: Sequence[float] | None = None,
    ) -> tuple[int, int, int, int, Tensor]:
        """(top, left, height, width, what is put there); all of `img` after ten bad tries."""
        channels, height, width = img.shape[-3:]
        log_ratio = torch.log(torch.tensor([float(r) for r in ratio]))
        for _ in range(10):
            area = height * width * uniform(scale[0], scale[1])
            aspect = _aspect(log_ratio)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (h < height and w < width):
                continue
            if value is None:
                filled = torch.empty([channels, h, w], dtype=torch.float32).normal_()
            else:
                filled = torch.tensor(list(value))[:, None, None]
            top = int(torch.randint(0, height - h + 1, (1,)).item())
            return top, int(torch.randint(0, width - w + 1, (1,)).item()), h, w, filled
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if not at_random(self.p):
            return img
        if isinstance(self.value, str):
            value = None
        elif isinstance(self.value, (int, float)):
            value = [float(self.value)]
        else:
            value = [float(v) for v in self.value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                message(
                    "If value is a sequence, it should have either a single value or "
                    f"{img.shape[-3]} (number of input channels)"
                )
            )
        return F.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)


class _Maybe(Module):
    """One function of the picture, with probability `p`."""

    functions: ClassVar[ModuleType] = F  # those of this version of the transforms
    _shown = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def changed(self, img: Picture) -> Picture:
        raise NotImplementedError

    def forward(self, img: Picture) -> Picture:
        return self.changed(img) if bool(torch.rand(1).item() < self.p) else img


class RandomInvert(_Maybe):
    """The negative, with probability `p`."""

    def changed(self, img: Picture) -> Picture:
        return F.invert(img)


class RandomAutocontrast(_Maybe):
    """Each channel stretched to the whole range, with probability `p`."""

    def changed(self, img: Picture) -> Picture:
        return F.autocontrast(img)


class RandomEqualize(_Maybe):
    """The histogram made even, with probability `p`."""

    def changed(self, img: Picture) -> Picture:
        return self.functions.equalize(img)


class RandomPosterize(_Maybe):
    """Only the highest `bits` of each byte, with probability `p`."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def changed(self, img: Picture) -> Picture:
        return self.functions.posterize(img, self.bits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bits={self.bits},p={self.p})"


class RandomSolarize(_Maybe):
    """The negative of what is at least `threshold`, with probability `p`."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def changed(self, img: Picture) -> Picture:
        return F.solarize(img, self.threshold)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self.threshold},p={self.p})"


class RandomAdjustSharpness(_Maybe):
    """Sharper or softer by `sharpness_factor`, with probability `p`."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def changed(self, img: Picture) -> Picture:
        return F.adjust_sharpness(img, self.sharpness_factor)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sharpness_factor={self.sharpness_factor},p={self.p})"
