"""Tensors as pictures, resampled: made smaller or larger without jagged edges, and bent.

Both are compositions of ops, so that gradients flow through them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

import microtorch as torch

from ...base.errors import message
from ...base.types import Array
from ...handles.tensor import Tensor

FLOATS = (torch.float32, torch.float64)


def as_batch(img: Tensor) -> Tensor:
    """(N, C, H, W) in float32 or float64, from (..., H, W) of any dtype."""
    shape = img.shape
    flat = img.reshape(-1, *shape[-3:]) if img.ndim > 3 else img.reshape(1, -1, *shape[-2:])
    return flat if img.dtype in FLOATS else flat.to(torch.float32)


def back(made: Tensor, like: Tensor) -> Tensor:
    """A batch made by `as_batch` in the shape and dtype of `like`; rounded for integers."""
    made = made.reshape(*like.shape[:-2], *made.shape[-2:])
    if made.dtype == like.dtype:
        return made
    return (made if like.dtype.is_floating_point else made.round()).to(like.dtype)


def _triangle(x: Array) -> Array:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: Array) -> Array:
    """R. Keys's cubic with a = -0.5, as Pillow has it (PyTorch without antialias: -0.75)."""
    x, a = np.abs(x), -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


FILTERS = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)}


@lru_cache(maxsize=64)
def antialias_taps(
    size: int, made: int, mode: str, kind: np.dtype[np.floating]
) -> list[tuple[Array, Array]]:
    """Which pixels are averaged into each of `made`, and their weights: one (indices, weights) for
    the first pixel of every average, one for the second, and so on.

    The filter is as wide as a pixel of the result, where that is wider than one of the picture. The
    arithmetic is PyTorch's, in the dtype of the picture. Kept: a program resizes to few sizes.
    """
    filter, reach = FILTERS[mode]
    number = kind.type
    scale = number(size) / number(made)
    wide = max(scale, number(1))
    center = scale * (np.arange(made, dtype=kind) + number(0.5))
    support = number(reach) * wide
    first = np.maximum((center - support + number(0.5)).astype(np.int64), 0)
    last = np.minimum((center + support + number(0.5)).astype(np.int64), size)
    places = first[:, None] + np.arange(int((last - first).max()))
    x = ((places - center[:, None]).astype(kind) + number(0.5)) / wide
    weights = np.where(places < last[:, None], filter(x).astype(kind), 0)
    total = np.zeros(made, kind)
    for column in weights.T:
        total += column
    weights = (weights / total[:, None]).astype(kind)
    places = np.minimum(places, size - 1)
    return [(places[:, j], weights[:, j]) for j in range(places.shape[1])]


def resize(img: Tensor, size: Sequence[int], mode: str, antialias: bool) -> Tensor:
    """(..., H, W) to (..., *size). `antialias` counts for bilinear and bicubic."""
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError(
            message(
                f"Interpolation mode '{mode}' is unsupported with Tensor input",
                fix="InterpolationMode.BILINEAR",
            )
        )
    batch = as_batch(img)
    if antialias and mode in FILTERS:
        height, width = size
        for dim, made in ((3, width), (2, height)):
            if batch.shape[dim] != made:
                kind = np.dtype(batch.dtype.numpy)
                batch = _along(batch, dim, antialias_taps(batch.shape[dim], made, mode, kind))
    else:
        corners = False if mode in FILTERS else None
        batch = torch.nn.functional.interpolate(
            batch, size=list(size), mode=mode, align_corners=corners
        )
    if mode == "bicubic" and img.dtype == torch.uint8:
        batch = batch.clamp(min=0, max=255)
    return back(batch, img)


def _along(batch: Tensor, dim: int, taps: list[tuple[Array, Array]]) -> Tensor:
    """The weighted sums along `dim`, their terms added one after the other."""
    total: Tensor | None = None
    for places, weights in taps:
        weight = torch.from_numpy(weights).to(batch.device)
        term = batch.index_select(dim, torch.from_numpy(places).to(batch.device))
        term = term * (weight if dim == 3 else weight[:, None])
        total = term if total is None else total + term
    assert total is not None
    return total


def affine_grid(matrix: Sequence[float], w: int, h: int, ow: int, oh: int) -> Array:
    """(oh, ow, 2): where each pixel of the result comes from, -1..1 across a picture of (h, w).

    `matrix` maps (x, y, 1), counted in pixels from the middle.
    """
    theta = np.array(matrix, np.float32).reshape(2, 3)
    x = np.arange(ow, dtype=np.float32) + np.float32(0.5 - ow * 0.5)
    y = np.arange(oh, dtype=np.float32) + np.float32(0.5 - oh * 0.5)
    return _mapped(theta.T / np.array([0.5 * w, 0.5 * h], np.float32), x, y)


def even_grid(w: int, h: int) -> Array:
    """(h, w, 2), as `affine_grid`: each pixel from its own place."""
    x, y = (np.linspace((1 - n) / n, (n - 1) / n, n, dtype=np.float32) for n in (w, h))
    return np.stack(np.meshgrid(x, y), -1)


def _mapped(matrix: Array, x: Array, y: Array) -> Array:
    """(len(y), len(x), 2): (x, y, 1) @ `matrix`, added in PyTorch's order, on which ties depend."""
    return (x[None, :, None] * matrix[0] + y[:, None, None] * matrix[1]) + matrix[2]


def perspective_grid(c: Sequence[float], w: int, h: int) -> Array:
    """(h, w, 2), as `affine_grid`: ((c0 x + c1 y + c2) / z, (c3 x + c4 y + c5) / z) with
    z = c6 x + c7 y + 1."""
    above = np.array([c[0:3], c[3:6]], np.float32)
    below = np.array([[c[6], c[7], 1.0]] * 2, np.float32)
    x = np.arange(w, dtype=np.float32) + np.float32(0.5)
    y = np.arange(h, dtype=np.float32) + np.float32(0.5)
    scaled = above.T / np.array([0.5 * w, 0.5 * h], np.float32)
    return _mapped(scaled, x, y) / _mapped(below.T, x, y) - 1


def warp(img: Tensor, grid: Array, mode: str, fill: Sequence[float] | float | None) -> Tensor:
    """The picture seen through `grid` (oh, ow, 2); outside of it 0, or `fill`."""
    if mode not in ("nearest", "bilinear"):
        raise ValueError(
            message(
                f"Interpolation mode '{mode}' is unsupported with Tensor input",
                fix="InterpolationMode.BILINEAR",
            )
        )
    values = [0.0] if fill is None else [fill] if isinstance(fill, (int, float)) else list(fill)
    channels = img.shape[-3] if img.ndim > 2 else 1
    if len(values) not in (1, channels):
        raise ValueError(
            message(
                "The number of elements in 'fill' cannot broadcast to match the number of "
                f"channels of the image ({len(values)} != {channels})"
            )
        )
    batch = as_batch(img)
    height, width = batch.shape[-2:]
    x = (grid[..., 0] + np.float32(1)) * np.float32(width / 2) - np.float32(0.5)
    y = (grid[..., 1] + np.float32(1)) * np.float32(height / 2) - np.float32(0.5)
    flat = batch.flatten(-2)
    if mode == "nearest":
        made, inside = _taken(flat, np.rint(x), np.rint(y), height, width, None)
    else:
        left, above = np.floor(x), np.floor(y)
        right, below = x - left, y - above
        made, inside = _taken(flat, left, above, height, width, (1 - right) * (1 - below))
        corners = (
            (left + 1, above, right * (1 - below)),
            (left, above + 1, (1 - right) * below),
            (left + 1, above + 1, right * below),
        )
        for cx, cy, weight in corners:
            part, share = _taken(flat, cx, cy, height, width, weight)
            made, inside = made + part, inside + share
    if fill is not None:
        colour = torch.tensor(values, dtype=batch.dtype, device=img.device).view(-1, 1, 1)
        # torchvision weighs the edge by `inside` once more when there is a colour behind it
        made = (made if mode == "nearest" else made * inside) + colour * (1 - inside)
    return back(made, img)


def _taken(
    flat: Tensor, x: Array, y: Array, height: int, width: int, weight: Array | None
) -> tuple[Tensor, Tensor]:
    """The pixels at (x, y), times `weight`, 0 outside; and what the weights were."""
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = np.where(within, y * width + x, 0).astype(np.int64)
    shares = within.astype(flat.array.dtype) if weight is None else np.where(within, weight, 0)
    share = torch.from_numpy(shares.astype(flat.array.dtype)).to(flat.device)
    taken = flat[..., torch.from_numpy(index.reshape(-1)).to(flat.device)]
    return taken.reshape(*flat.shape[:-1], *x.shape) * share, share


def rotated_size(matrix: Sequence[float], w: int, h: int) -> tuple[int, int]:
    """(width, height) of the smallest picture that holds all of a turned one."""
    theta = np.array(matrix, np.float32).reshape(2, 3)
    corners = np.array([[-w, -h, 2], [-w, h, 2], [w, h, 2], [w, -h, 2]], np.float32) / 2
    turned = corners @ theta.T + np.array([w / 2, h / 2], np.float32)
    # cut to 1e-4, so that a rounding error does not make one more pixel
    low, high = (np.trunc(edge / np.float32(1e-4)) * np.float32(1e-4)
                 for edge in (turned.min(0), turned.max(0)))  # fmt: skip
    size = np.ceil(high) - np.floor(low)
    return int(size[0]), int(size[1])


def inverse_affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
) -> list[float]:
    """The six numbers that lead from a pixel of the result back to the picture.

    The picture is moved by `translate` after it was turned (degrees, clockwise), scaled and sheared
    around `center`: M = T C R S C⁻¹, of which this is the inverse.
    """
    turn, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    (cx, cy), (tx, ty) = center, translate
    # R has determinant 1, so its inverse is [d, -b; -c, a]
    m = [d / scale, -b / scale, 0.0, -c / scale, a / scale, 0.0]
    m[2] = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx
    m[5] = m[3] * (-cx - tx) + m[4] * (-cy - ty) + cy
    return m


def perspective_coefficients(
    start: Sequence[Sequence[int]], end: Sequence[Sequence[int]]
) -> list[float]:
    """The eight numbers that map the corners `end` back to the corners `start`."""
    rows = []
    for (x, y), (u, v) in zip(end, start, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solution = np.linalg.lstsq(np.array(rows, float), np.array(start, float).reshape(8), None)[0]
    return [float(value) for value in solution.astype(np.float32)]
