"""Pictures in other colours, blurred, and with other histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...base.errors import message
from ...handles.tensor import Tensor
from ..images import Picture, is_pillow
from . import on_pillow, on_tensors
from .converting import is_tensor, pil_to_tensor, to_pil_image
from .marks import of_marks
from .modes import Size


def _enhanced(
    img: Picture, what: str, name: str, factor: float, of_tensor: Callable[[Tensor, float], Tensor]
) -> Picture:
    """`what` of a picture times `factor`: by Pillow, or by a function of Tensors."""
    if not is_tensor(img):
        return on_pillow.enhanced(img, what, factor)
    if factor < 0:
        raise ValueError(message(f"{name} ({factor}) is not non-negative."))
    return of_tensor(img, factor)


@of_marks
def adjust_brightness(img: Picture, brightness_factor: float) -> Picture:
    """0 is black, 1 the picture, 2 twice as bright."""
    change = on_tensors.adjust_brightness
    return _enhanced(img, "Brightness", "brightness_factor", brightness_factor, change)


@of_marks
def adjust_contrast(img: Picture, contrast_factor: float) -> Picture:
    """0 is grey, 1 the picture, 2 twice the contrast."""
    change = on_tensors.adjust_contrast
    return _enhanced(img, "Contrast", "contrast_factor", contrast_factor, change)


@of_marks
def adjust_saturation(img: Picture, saturation_factor: float) -> Picture:
    """0 is black and white, 1 the picture, 2 twice the colour."""
    change = on_tensors.adjust_saturation
    return _enhanced(img, "Color", "saturation_factor", saturation_factor, change)


@of_marks
def adjust_sharpness(img: Picture, sharpness_factor: float) -> Picture:
    """0 is blurred, 1 the picture, 2 twice as sharp."""
    change = on_tensors.adjust_sharpness
    return _enhanced(img, "Sharpness", "sharpness_factor", sharpness_factor, change)


@of_marks
def adjust_hue(img: Picture, hue_factor: float) -> Picture:
    """Colours turned by `hue_factor`, -0.5..0.5, of a full circle."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(message(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5]."))
    return (on_tensors if is_tensor(img) else on_pillow).adjust_hue(img, hue_factor)


@of_marks
def adjust_gamma(img: Picture, gamma: float, gain: float = 1) -> Picture:
    """Each value x of 0..1 becomes gain * x ** gamma."""
    if gamma < 0:
        raise ValueError(message("Gamma should be a non-negative real number", f"{gamma=}"))
    return (on_tensors if is_tensor(img) else on_pillow).adjust_gamma(img, gamma, gain)


def to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """A Pillow image in grey, with 1 or 3 channels."""
    if not is_pillow(img):
        raise TypeError(message("Input should be PIL Image", fix="rgb_to_grayscale takes a Tensor"))
    return on_pillow.to_grayscale(img, num_output_channels)


@of_marks
def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """The picture in grey, with 1 or 3 channels."""
    if is_tensor(img):
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
    if is_tensor(img):
        return on_tensors.gaussian_blur(img, sizes, sigmas)
    blurred = on_tensors.gaussian_blur(pil_to_tensor(img), sizes, sigmas)
    return to_pil_image(blurred, mode=img.mode)


@of_marks
def invert(img: Picture) -> Picture:
    """The negative."""
    return on_tensors.invert(img) if is_tensor(img) else on_pillow.operated(img, "invert")


@of_marks
def posterize(img: Picture, bits: int) -> Picture:
    """Only the `bits` highest bits, 0..8, of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(message(f"The number if bits should be between 0 and 8. Got {bits}"))
    if is_tensor(img):
        return on_tensors.posterize(img, bits)
    return on_pillow.operated(img, "posterize", bits)


@of_marks
def solarize(img: Picture, threshold: float) -> Picture:
    """The negative of what is at least as bright as `threshold`."""
    if is_tensor(img):
        return on_tensors.solarize(img, threshold)
    return on_pillow.operated(img, "solarize", threshold)


@of_marks
def autocontrast(img: Picture) -> Picture:
    """Each channel stretched from its darkest value to its brightest."""
    if is_tensor(img):
        return on_tensors.autocontrast(img)
    return on_pillow.operated(img, "autocontrast")


@of_marks
def equalize(img: Picture) -> Picture:
    """Each channel with its histogram made even."""
    return on_tensors.equalize(img) if is_tensor(img) else on_pillow.operated(img, "equalize")
