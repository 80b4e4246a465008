"""Images made larger or smaller.

Every mode is separable: along each dimension an output element is a weighted sum of a few input
elements, its taps (nearest 1, linear 2, cubic 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.errors import describe, message
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from ...ops.pool import adaptive_avg_pool1d, adaptive_avg_pool2d

_NEEDS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_ANY = ("nearest", "nearest-exact", "area")
Scale = float | Sequence[float]


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, *) with its last 1 to 3 dims resampled to `size`, or by `scale_factor`.

    `mode`: nearest, nearest-exact, area, linear (3-d input), bilinear and bicubic (4-d), trilinear
    (5-d). With `align_corners` the outermost elements stand above each other; else the outer
    edges of the elements do.
    """
    if mode in _ANY and align_corners is not None:
        raise ValueError(
            message(
                "align_corners option can only be set with the interpolating modes: linear | "
                "bilinear | bicubic | trilinear",
                f"interpolate: {mode=}",
            )
        )
    sizes, scales = _sizes(input, size, scale_factor, recompute_scale_factor)
    if antialias:
        raise NotImplementedError(
            message(
                "interpolate: antialias=True is not in microtorch",
                fix="mode='area' averages what falls into an output element",
            )
        )
    if (mode not in _ANY and _NEEDS.get(mode) != input.ndim) or not 3 <= input.ndim <= 5:
        raise NotImplementedError(
            message(
                f"Got {input.ndim}D input, but {mode} mode needs {_NEEDS[mode]}D input"
                if mode in _NEEDS
                else "Input Error: Only 3D, 4D and 5D input Tensors supported "
                f"(got {input.ndim}D) for the modes: nearest | linear | bilinear | bicubic | "
                f"trilinear | area | nearest-exact (got {mode})",
                f"interpolate: {describe(input)}",
            )
        )
    if 0 in input.shape[1:] or min(sizes) <= 0:
        raise RuntimeError(
            message(
                f"Input and output sizes should be greater than 0, but got input "
                f"{list(input.shape)} and output {sizes}",
                f"interpolate: {describe(input)}",
            )
        )
    if mode == "area":
        return _area(input, sizes)
    if mode in _NEEDS and not input.dtype.is_floating_point:
        raise NotImplementedError(
            message(
                f"interpolate: mode {mode!r} is not implemented for {input.dtype}",
                fix="input.float(), or mode='nearest'",
            )
        )
    kind = np.dtype(np.float64 if input.dtype.itemsize == 8 else np.float32)
    # The last dimension first: PyTorch sums in this order.
    for i in reversed(range(len(sizes))):
        dim, n, scale = i + 2, input.shape[i + 2], scales[i]
        if mode == "nearest" and input.ndim == 4 and sizes[i] in (n, 2 * n):
            scale = None  # PyTorch takes 1 and 2 for the scales of images here, whatever is given
        input = _resampled(input, dim, _taps(mode, n, sizes[i], scale, align_corners, kind))
    return input


def _sizes(
    input: Tensor,
    size: int | Sequence[int] | None,
    scale_factor: Scale | None,
    recompute: bool | None,
) -> tuple[list[int], list[float | None]]:
    """The output's sizes, and the scale factors that count in the sampling (None: in / out)."""
    count = max(input.ndim - 2, 0)
    if size is not None and scale_factor is not None:
        raise ValueError(message("only one of size or scale_factor should be defined"))
    if size is not None and recompute:
        raise ValueError(message("recompute_scale_factor is not meaningful with an explicit size."))
    if size is not None:
        sizes = list(size) if isinstance(size, Sequence) else [size] * count
        _check_count(input, "output size", sizes)
        if not all(isinstance(n, (int, np.integer)) for n in sizes):
            raise TypeError(
                message(
                    "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
                    f"Tuple[int, int, int], but got size with types {[type(n) for n in sizes]}",
                )
            )
        return [int(n) for n in sizes], [None] * len(sizes)
    if scale_factor is None:
        raise ValueError(
            message("either size or scale_factor should be defined", fix="scale_factor=2")
        )
    factors = list(scale_factor) if isinstance(scale_factor, Sequence) else [scale_factor] * count
    _check_count(input, "scale_factor", factors)
    sizes = [int(n * float(f)) for n, f in zip(input.shape[2:], factors, strict=True)]
    return sizes, [None if recompute else float(f) for f in factors]


def _check_count(input: Tensor, what: str, given: list[Any]) -> None:
    if len(given) != input.ndim - 2 and input.ndim > 2:
        raise ValueError(
            message(
                f"Input and {what} must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {list(input.shape[2:])} and {what} of {given}.",
                fix="the input is (N, C, d1, d2, ...), and one number is given for each d",
            )
        )


def _area(input: Tensor, sizes: list[int]) -> Tensor:
    if input.ndim == 5:
        raise NotImplementedError(
            message(
                "interpolate: mode='area' of a 5-d input is not in microtorch",
                fix="mode='trilinear'",
            )
        )
    if input.ndim == 3:
        return adaptive_avg_pool1d(input, sizes[0])
    return adaptive_avg_pool2d(input, tuple(sizes))


Taps = list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]]  # index, weight (None: 1)


def _taps(
    mode: str,
    n: int,
    size: int,
    scale: float | None,
    align_corners: bool | None,
    kind: np.dtype[Any],
) -> Taps:
    """Where each of `size` outputs reads its n inputs; positions are reckoned in `kind`."""
    at = np.arange(size).astype(kind)
    if align_corners:
        step = (n - 1) / (size - 1) if size > 1 else 0.0
        x = at * kind.type(step)
    else:
        step = 1 / scale if scale else n / size
        x = at * kind.type(step)
        if mode != "nearest":
            half = kind.type(0.5)
            x = (at + half) * kind.type(step) - half
    if mode in ("nearest", "nearest-exact"):
        nearest = np.floor((x if mode == "nearest" else x + kind.type(0.5)).astype(np.float32))
        return [(nearest.astype(np.int64).clip(0, n - 1), None)]
    if mode == "bicubic":
        first = np.floor(x)
        weights = _cubic((x - first).clip(0, 1))
        start = first.astype(np.int64)
        return [((start + k - 1).clip(0, n - 1), w) for k, w in enumerate(weights)]
    if n == size:  # as in PyTorch, whatever the scale
        return [(np.arange(n), None)]
    x = x.clip(0, None)
    first = x.astype(np.int64).clip(0, n - 1)
    ahead = (x - first).astype(kind).clip(0, 1)
    return [(first, 1 - ahead), ((first + 1).clip(0, n - 1), ahead)]


def _cubic(t: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Keys' weights of the four elements around a point, t after the second, with a = -0.75."""
    a = -0.75

    def near(d: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _resampled(input: Tensor, dim: int, taps: Taps) -> Tensor:
    """The weighted sum of the taps along `dim`."""
    along = [1] * input.ndim
    along[dim] = -1
    parts = []
    for index, weight in taps:
        part = input.index_select(dim, from_numpy(index).to(input.device))
        if weight is not None:
            part = part * from_numpy(weight.reshape(along)).to(input.device, input.dtype)
        parts.append(part)
    total: Tensor = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """interpolate under its old name."""
    return interpolate(input, size, scale_factor, mode, align_corners)
