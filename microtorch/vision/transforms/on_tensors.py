"""The functional transforms of Tensors (..., C, H, W), with torchvision's formulas.

Each function returns a Tensor of the dtype that it got. uint8 counts 0..255, floats 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import microtorch as torch

from ...arrays.dtypes import dtype as DTypeOf
from ...base.errors import message
from ...handles.tensor import Tensor
from .resampling import as_batch, back

LARGEST = {torch.uint8: 255, torch.int8: 127, torch.int16: 2**15 - 1, torch.int32: 2**31 - 1,
           torch.int64: 2**63 - 1}  # fmt: skip


def largest(dtype: DTypeOf) -> int:
    """What white is: the largest integer, or 1."""
    return LARGEST.get(dtype, 1)


def check(img: Tensor, channels: Sequence[int] = (), ndim: int = 2) -> None:
    """TypeError unless `img` has at least `ndim` dimensions and one of these counts of channels."""
    if img.ndim < 2:
        raise TypeError(
            message(
                "Tensor is not a torch image.",
                f"its shape is {tuple(img.shape)}",
                fix="a picture is (..., H, W)",
            )
        )
    if img.ndim < ndim:
        raise TypeError(
            message(
                f"Input image tensor should have at least {ndim} dimensions, but found {img.ndim}"
            )
        )
    found = dimensions(img)[0]
    if channels and found not in channels:
        raise TypeError(
            message(
                f"Input image tensor permitted channel values are {list(channels)}, but found "
                f"{found}",
                f"the picture has shape {tuple(img.shape)}; channels stand before height and width",
            )
        )


def dimensions(img: Tensor) -> list[int]:
    """[channels, height, width]."""
    if img.ndim < 2:
        check(img)
    return [1 if img.ndim == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]


def convert_image_dtype(image: Tensor, dtype: DTypeOf) -> Tensor:
    """Another dtype, with white still white: uint8 255 is float 1."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        unsafe = (torch.int64,) if image.dtype == torch.float64 else (torch.int32, torch.int64)
        if dtype in unsafe:
            raise RuntimeError(
                message(
                    f"The cast from {image.dtype} to {dtype} cannot be performed safely.",
                    f"{image.dtype} does not hold every {dtype}",
                    fix="torch.uint8, as files have it",
                )
            )
        # 256 levels of equal width, not 255 and a last one for exactly 1.0
        return (image * (largest(dtype) + 1.0 - 1e-3)).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / largest(image.dtype)
    before, after = largest(image.dtype), largest(dtype)
    if before > after:
        step = (before + 1) // (after + 1)
        return torch.div(image, step, rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((after + 1) // (before + 1))


def crop(img: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """What lies outside of the picture is 0."""
    h, w = img.shape[-2:]
    right, bottom = left + width, top + height
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return img[..., top:bottom, left:right]
    sides = (
        max(-left + min(0, right), 0),
        max(-top + min(0, bottom), 0),
        max(right - max(w, left), 0),
        max(bottom - max(h, top), 0),
    )
    inner = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    return pad(inner, sides, 0, "constant")


def pad(img: Tensor, sides: Sequence[int], fill: float | None, mode: str) -> Tensor:
    """`sides`: left, top, right, bottom."""
    left, top, right, bottom = sides
    if mode == "symmetric":
        rows = _mirrored(img.shape[-2], top, bottom)
        columns = _mirrored(img.shape[-1], left, right)
        return img[..., torch.tensor(rows)[:, None], torch.tensor(columns)[None, :]]
    functional = torch.nn.functional
    if mode == "constant":
        value = 0.0 if fill is None else float(fill)
        return functional.pad(img, [left, right, top, bottom], mode="constant", value=value)
    named = {"edge": "replicate", "reflect": "reflect"}[mode]
    batch = img if img.ndim >= 4 else img.reshape(1, -1, *img.shape[-2:])
    if img.dtype not in (torch.float32, torch.float64):
        batch = batch.to(torch.float32)
    made = functional.pad(batch, [left, right, top, bottom], mode=named)
    return made.reshape(*img.shape[:-2], *made.shape[-2:]).to(img.dtype)


def _mirrored(size: int, before: int, after: int) -> list[int]:
    """Indices of 0..size-1 with its ends mirrored, each end repeated; negative numbers cut."""
    inner = list(range(max(-before, 0), size - max(-after, 0)))
    head = [inner[i] for i in range(max(before, 0) - 1, -1, -1)]
    return head + inner + [inner[-1 - i] for i in range(max(after, 0))]


def rgb_to_grayscale(img: Tensor, channels: int = 1) -> Tensor:
    """0.2989 R + 0.587 G + 0.114 B (ITU-R 601)."""
    check(img, (1, 3), ndim=3)
    if channels not in (1, 3):
        raise ValueError(message("num_output_channels should be either 1 or 3"))
    if img.shape[-3] == 3:
        r, g, b = img.unbind(dim=-3)
        grey = (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(dim=-3)
    else:
        grey = img.clone()
    return grey.expand(img.shape) if channels == 3 else grey  # grey ones keep their one channel


def blend(img: Tensor, other: Tensor, ratio: float) -> Tensor:
    """`ratio` of `img` and the rest of `other`, cut to black and white."""
    ratio = float(ratio)  # an int would be computed in bytes
    mixed = ratio * img + (1.0 - ratio) * other
    return mixed.clamp(0, largest(img.dtype)).to(img.dtype)


def adjust_brightness(img: Tensor, factor: float) -> Tensor:
    check(img, (1, 3))
    return blend(img, torch.zeros_like(img), factor)


def adjust_contrast(img: Tensor, factor: float) -> Tensor:
    check(img, (3, 1))
    grey = rgb_to_grayscale(img) if dimensions(img)[0] == 3 else img
    kind = img.dtype if img.is_floating_point() else torch.float32
    dims = (-3, -2, -1) if img.ndim > 2 else (-2, -1)
    return blend(img, grey.to(kind).mean(dim=dims, keepdim=True), factor)


def adjust_saturation(img: Tensor, factor: float) -> Tensor:
    check(img, (1, 3))
    if dimensions(img)[0] == 1:
        return img
    return blend(img, rgb_to_grayscale(img), factor)


def adjust_gamma(img: Tensor, gamma: float, gain: float) -> Tensor:
    check(img, (1, 3))
    light = img if img.is_floating_point() else convert_image_dtype(img, torch.float32)
    return convert_image_dtype((gain * light.pow(gamma)).clamp(0, 1), img.dtype)


def adjust_hue(img: Tensor, factor: float) -> Tensor:
    """The hue, an angle, is turned by `factor` of a full circle."""
    check(img, (1, 3))
    if dimensions(img)[0] == 1:
        return img
    hue, saturation, value = _hsv(convert_image_dtype(img, torch.float32))
    return convert_image_dtype(_rgb((hue + factor) % 1.0, saturation, value), img.dtype)


def _hsv(img: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value (A. R. Smith 1978), each 0..1."""
    r, g, b = img.unbind(dim=-3)
    high, low = img.amax(dim=-3), img.amin(dim=-3)
    grey = high == low
    spread = high - low
    one = torch.ones_like(high)  # where a colour is grey: nothing is divided by 0
    saturation = spread / torch.where(grey, one, high)
    divisor = torch.where(grey, one, spread)
    rc, gc, bc = (high - r) / divisor, (high - g) / divisor, (high - b) / divisor
    red, green = high == r, (high == g) & (high != r)
    blue = (high != g) & (high != r)
    hue = red * (bc - gc) + green * (2.0 + rc - bc) + blue * (4.0 + gc - rc)
    return torch.fmod(hue / 6.0 + 1.0, 1.0), saturation, high


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """The colours again: each sixth of the circle takes its three from v, p, q, t."""
    sixth = torch.floor(hue * 6.0)
    rest = hue * 6.0 - sixth
    p = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    q = (value * (1.0 - saturation * rest)).clamp(0.0, 1.0)
    t = (value * (1.0 - saturation * (1.0 - rest))).clamp(0.0, 1.0)
    v, sixth = value, sixth.to(torch.int64) % 6
    table = ((v, q, p, p, t, v), (t, v, v, q, p, p), (p, p, t, v, v, q))
    index = sixth.unsqueeze(-3)
    return torch.cat([torch.stack(row, dim=-3).gather(-3, index) for row in table], dim=-3)


def gaussian_blur(img: Tensor, kernel_size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Each channel averaged with Gaussian weights, mirrored at the edges."""
    kind = img.dtype if img.is_floating_point() else torch.float32
    x, y = (_bell(size, width).to(kind) for size, width in zip(kernel_size, sigma, strict=True))
    half_x, half_y = kernel_size[0] // 2, kernel_size[1] // 2
    return back(_filtered(as_batch(img), y[:, None] * x[None, :], (half_x, half_y)), img)


def _bell(size: int, sigma: float) -> Tensor:
    half = (size - 1) * 0.5
    weights = torch.exp(-0.5 * (torch.linspace(-half, half, size) / sigma).pow(2))
    return weights / weights.sum()


def _filtered(batch: Tensor, kernel: Tensor, margin: tuple[int, int] | None) -> Tensor:
    """Every channel of (N, C, H, W) convolved with one kernel; `margin`: mirrored before."""
    functional = torch.nn.functional
    if margin is not None:
        x, y = margin
        batch = functional.pad(batch, [x, x, y, y], mode="reflect")
    flat = batch.reshape(-1, 1, *batch.shape[-2:])
    made = functional.conv2d(flat, kernel.to(batch.device)[None, None])
    return made.reshape(*batch.shape[:2], *made.shape[-2:])


def adjust_sharpness(img: Tensor, factor: float) -> Tensor:
    check(img, (1, 3))
    if img.shape[-1] <= 2 or img.shape[-2] <= 2:
        return img
    kind = img.dtype if img.is_floating_point() else torch.float32
    kernel = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]], dtype=kind) / 13
    inner = back(_filtered(as_batch(img), kernel, None), img[..., 1:-1, 1:-1])
    smooth = img.clone()
    smooth[..., 1:-1, 1:-1] = inner
    return blend(img, smooth, factor)


def invert(img: Tensor) -> Tensor:
    check(img, (1, 3), ndim=3)
    return largest(img.dtype) - img


def posterize(img: Tensor, bits: int) -> Tensor:
    """The `bits` highest bits of uint8."""
    check(img, (1, 3), ndim=3)
    if img.dtype != torch.uint8:
        raise TypeError(
            message(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
        )
    step = 2 ** (8 - bits)
    return img - img % step


def solarize(img: Tensor, threshold: float) -> Tensor:
    check(img, (1, 3), ndim=3)
    if threshold > largest(img.dtype):
        raise TypeError(message("Threshold should be less than bound of img.", f"{threshold=}"))
    return torch.where(img >= threshold, invert(img), img)


def autocontrast(img: Tensor) -> Tensor:
    """Each channel stretched from its smallest value to its largest."""
    check(img, (1, 3), ndim=3)
    bound = largest(img.dtype)
    kind = img.dtype if img.is_floating_point() else torch.float32
    low = img.amin(dim=(-2, -1), keepdim=True).to(kind)
    high = img.amax(dim=(-2, -1), keepdim=True).to(kind)
    flat = high == low
    scale = bound / torch.where(flat, torch.ones_like(high), high - low)
    scale = torch.where(flat, torch.ones_like(scale), scale)
    low = torch.where(flat, torch.zeros_like(low), low)
    return ((img - low) * scale).clamp(0, bound).to(img.dtype)


def equalize(img: Tensor) -> Tensor:
    """Each channel of uint8 with its histogram made even."""
    check(img, (1, 3), ndim=3)
    if img.dtype != torch.uint8:
        raise TypeError(
            message(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
        )
    flat = img.reshape(-1, *img.shape[-2:])
    return torch.stack([_equalized(channel) for channel in flat.unbind(0)]).reshape(img.shape)


def _equalized(channel: Tensor) -> Tensor:
    counts = torch.bincount(channel.reshape(-1).to(torch.int64), minlength=256)
    present = counts[counts != 0]
    step = int(present[:-1].sum()) // 255
    if step == 0:
        return channel
    table = torch.div(torch.cumsum(counts, 0) + step // 2, step, rounding_mode="floor")
    table = torch.cat([torch.zeros(1, dtype=table.dtype), table[:-1]]).clamp(0, 255)
    return table[channel.to(torch.int64)].to(torch.uint8)


def normalize(
    tensor: Tensor, mean: Sequence[float] | float, std: Sequence[float] | float, inplace: bool
) -> Tensor:
    """`(x - mean) / std` per channel of a float Tensor."""
    if not tensor.is_floating_point():
        raise TypeError(
            message(
                f"Input tensor should be a float tensor. Got {tensor.dtype}.",
                fix="ToTensor() before makes one",
            )
        )
    if tensor.ndim < 3:
        raise ValueError(
            message(
                "Expected tensor to be a tensor image of size (..., C, H, W). "
                f"Got tensor.size() = {tensor.size()}",
                fix="tensor.unsqueeze(0) adds a channel",
            )
        )
    centre, width = (_per_channel(value, tensor) for value in (mean, std))
    if not width.array.all():
        raise ValueError(
            message(
                f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by "
                "zero.",
                f"Normalize: std={std}",
            )
        )
    # in place on a copy: three means are too many for a picture of one channel, and it says so
    return (tensor if inplace else tensor.clone()).sub_(centre).div_(width)


def _per_channel(value: Sequence[float] | float, like: Tensor) -> Tensor:
    """One number, or (C, 1, 1) of a sequence, in the dtype and on the device of `like`."""
    if isinstance(value, Tensor):
        made = value.to(device=like.device, dtype=like.dtype)
    else:
        made = torch.from_numpy(np.array(value, like.dtype.numpy))
        made = made if like.device.type == "cpu" else made.to(like.device)
    return made.view(-1, 1, 1) if made.ndim == 1 else made
