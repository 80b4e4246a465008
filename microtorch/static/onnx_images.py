"""The operations of ONNX on images: other sizes, other arrangements of their elements.

They enter themselves into the table of onnx_ops.py, as that file describes. ``as_resize`` is the
way back, for the writer.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..create.counted import arange
from ..engine.registry import REGISTRY
from ..handles.tensor import Tensor
from ..nn import functional as F
from .onnx_layers import windows
from .onnx_ops import ints, op, refused

if TYPE_CHECKING:
    from ..base.types import Array, Operand


@op("DepthToSpace")
def _depth_to_space(x: Operand, *, blocksize: int, mode: str = "DCR") -> Operand:
    n, c, h, w = x.shape
    b = blocksize
    if mode == "CRD":
        return x.reshape(n, c // b**2, b, b, h, w).permute(0, 1, 4, 2, 5, 3).reshape(
            n, c // b**2, h * b, w * b)  # fmt: skip
    return x.reshape(n, b, b, c // b**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(
        n, c // b**2, h * b, w * b)  # fmt: skip


@op("SpaceToDepth")
def _space_to_depth(x: Operand, *, blocksize: int, mode: str = "DCR") -> Operand:
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return x.reshape(n, c, h // b, b, w // b, b).permute(*order).reshape(
        n, c * b**2, h // b, w // b)  # fmt: skip


@op("Col2Im")
def _col2im(
    x: Operand, image: Operand, block: Operand, *, dilations: Operand = None,
    pads: Operand = None, strides: Operand = None,
) -> Operand:  # fmt: skip
    kernel = ints(block)
    by, gaps, around = windows(ints(image), kernel, strides, dilations, pads, "NOTSET")
    if len(kernel) != 2 or any(i != j for i, j in around):
        raise refused("Col2Im of other than images, or with uneven pads")
    return F.fold(x, ints(image), kernel, gaps, [i for i, _ in around], by)


@op("GridSample")
def _grid_sample(
    x: Operand, grid: Operand, *, mode: str, padding_mode: str, align_corners: int
) -> Operand:
    name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    if x.ndim == 5 and name == "bicubic":
        raise refused("GridSample of volumes by cubic splines")
    return F.grid_sample(x, grid, name, padding_mode, bool(align_corners))


@op("Resize", "Upsample")
def _resize(
    x: Operand, roi: Operand = None, scales: Operand = None, sizes: Operand = None, *,
    mode: str, axes: Operand = None, coordinate_transformation_mode: str = "asymmetric",
    nearest_mode: str = "floor", cubic_coeff_a: float = -0.75, exclude_outside: int = 0,
    keep_aspect_ratio_policy: str = "stretch", opset: int,
) -> Operand:  # fmt: skip
    if opset < 11:  # then the scales came second
        roi, scales = None, roi if scales is None else scales
        coordinate_transformation_mode, nearest_mode = "asymmetric", "floor"
    way = coordinate_transformation_mode
    if way == "tf_crop_and_resize":
        raise refused("Resize with tf_crop_and_resize")
    dims = [*range(x.ndim)] if axes is None else [d % x.ndim for d in ints(axes)]
    given = scales.tolist() if isinstance(scales, Tensor) else scales
    by = [] if scales is None else np.atleast_1d(np.array(given, np.float64)).tolist()
    if sizes is not None:
        wanted = ints(sizes)
        if keep_aspect_ratio_policy != "stretch":
            pick = min if keep_aspect_ratio_policy == "not_larger" else max
            one = pick(m / x.shape[d] for m, d in zip(wanted, dims, strict=True))
            wanted = [math.floor(one * x.shape[d] + 0.5) for d in dims]
            by = [one] * len(dims)
        else:
            by = [m / x.shape[d] for m, d in zip(wanted, dims, strict=True)]
    else:
        wanted = [math.floor(x.shape[d] * scale) for d, scale in zip(dims, by, strict=True)]
    for d, m, scale in zip(dims, wanted, by, strict=True):
        n = x.shape[d]
        if m != n or scale != 1:
            at = _sources(n, m, scale, way)
            index, weight = _taps(at, n, mode, nearest_mode, cubic_coeff_a, exclude_outside)
            if mode == "nearest":
                x = x.index_select(d, arange(n)[index[0].tolist()])
            else:
                x = REGISTRY["taps"](x, index=index, weight=weight, dim=d)
    return x.clone()


def _sources(n: int, m: int, scale: float, way: str) -> Operand:
    """Where in a line of n numbers each of m new ones lies."""
    i = np.arange(m, dtype=np.float64)
    if way == "align_corners":
        return i * (n - 1) / (scale * n - 1) if scale * n != 1 else i * 0
    if way == "asymmetric":
        return i / scale
    if way == "pytorch_half_pixel":
        return (i + 0.5) / scale - 0.5 if m > 1 else i * 0
    shift = 0.0
    if way == "half_pixel_symmetric":
        shift = n / 2 * (1 - m / (scale * n))
    elif way != "half_pixel":
        raise refused(f"Resize with {way}")
    return shift + (i + 0.5) / scale - 0.5


def _taps(
    at: Operand, n: int, mode: str, nearest: str, a: float, exclude: int
) -> tuple[Operand, Operand]:
    """The places that each new number is made of, and their weights."""
    if mode == "nearest":
        shift = {"round_prefer_floor": -0.5, "round_prefer_ceil": 0.5}.get(nearest, 0.0)
        upwards = nearest in ("ceil", "round_prefer_floor")
        rounded = np.ceil(at + shift) if upwards else np.floor(at + shift)
        return rounded.astype(np.int64).clip(0, n - 1)[None], np.ones((1, len(at)))
    low = np.floor(at).astype(np.int64)
    t = at - low
    if mode in ("linear", "bilinear"):
        index, weight = np.stack([low, low + 1]), np.stack([1 - t, t])
    else:  # Keys 1981: a cubic through four
        index = np.stack([low - 1, low, low + 1, low + 2])
        far, near = np.stack([t + 1, 2 - t]), np.stack([t, 1 - t])
        outer = a * (far**3 - 5 * far**2 + 8 * far - 4)
        inner = (a + 2) * near**3 - (a + 3) * near**2 + 1
        weight = np.stack([outer[0], inner[0], inner[1], outer[1]])
    if exclude:
        weight = np.where((index >= 0) & (index < n), weight, 0)
        weight = weight / weight.sum(0)
    return index.clip(0, n - 1), weight


# ---- the way out ---------------------------------------------------------------------------------
_RESIZES: list[dict[str, Operand]] = [
    {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"mode": "nearest", "coordinate_transformation_mode": "half_pixel",
     "nearest_mode": "round_prefer_ceil"},
    *({"mode": mode, "coordinate_transformation_mode": way, "cubic_coeff_a": -0.75}
      for mode in ("linear", "cubic") for way in ("half_pixel", "align_corners")),
]  # fmt: skip


def as_resize(index: Array, weight: Array, n: int) -> tuple[float, dict[str, Operand]] | None:
    """The scale, and the settings, by which Resize makes the same of a line of n numbers.

    It is then right for other lines, too, where taps are those of one length. None: there is none,
    or n times the scale, as a float32, would not be the number of results.
    """
    m = index.shape[1]
    scale = m / n
    if float(np.float32(scale)) != scale:
        return None
    for settings in _RESIZES:
        at = _sources(n, m, scale, settings["coordinate_transformation_mode"])
        found = _taps(at, n, settings["mode"], settings.get("nearest_mode", ""), -0.75, 0)
        if np.allclose(_matrix(*found, n), _matrix(index, weight, n), atol=1e-6):
            return scale, settings
    return None


def _matrix(index: Array, weight: Array, n: int) -> Array:
    """Taps of n numbers as the matrix by which they are multiplied."""
    made = np.zeros((index.shape[1], n))
    np.add.at(made, (np.arange(len(made))[None], index), weight)
    return made
