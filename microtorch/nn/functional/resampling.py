"""Images made larger or smaller.

Every mode is separable: along each dimension an output element is a weighted sum of a few input
elements, its taps (nearest 1, linear 2, cubic 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np

from ...arrays.dtypes import FROM_NUMPY, uint8
from ...base.errors import message, warn
from ...base.types import Argument, Attrs, DType, Operand, Shape
from ...create.data import from_numpy
from ...engine.argument_types import check_type, is_int
from ...engine.record import constant_of
from ...engine.short import single, unrecorded_arrays
from ...handles.tensor import Tensor
from ...ops.arguments import tensors_only
from ...ops.pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from ...ops.taps import taps_op
from . import byte_images

_NEEDS = {"linear": 3, "bilinear": 4, "bicubic": 4, "lanczos": 4, "trilinear": 5}
_ANY = ("nearest", "nearest-exact", "area")
_PLAIN = {str, bool, int, float, NoneType}  # the types of most calls' arguments
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

    `mode`: nearest, nearest-exact, area, linear (3-d input), bilinear, bicubic and lanczos (4-d),
    trilinear (5-d). `antialias` (bilinear, bicubic, lanczos) averages where images shrink. With
    `align_corners` the outermost elements stand above each other; else the outer edges of the
    elements do.
    """
    if type(input) is not Tensor:
        tensors_only("interpolate", input=input)
    shape, dtype = input.array.shape, input.array.dtype
    given = mode, align_corners, antialias, size, scale_factor, recompute_scale_factor
    plan = _known_plan if {*map(type, given)} <= _PLAIN else _plan
    sizes, scales, steps = plan(shape, dtype, *given)
    if steps is not None:
        return _resampled(input, steps)
    if mode == "area":
        return _area(input, sizes)
    if input.dtype == uint8:
        return _of_bytes(input, mode, sizes, scales, align_corners, antialias)
    for i in (1, 0):
        table = _smooth_table(mode, shape[i + 2], sizes[i], scales[i], align_corners)
        weights = from_numpy(table).to(input.device, input.dtype)
        input = input @ weights.transpose(0, 1) if i else weights @ input
    return input


def _plan(
    shape: Shape, dtype: DType, mode: str, align_corners: bool | None, antialias: bool,
    size: int | Sequence[int] | None, scale_factor: Scale | None, recompute: bool | None,
) -> tuple[list[int], list[float | None], list[Attrs] | None]:  # fmt: skip
    """`_sizes`, and the steps of `_resampled`: None where other code does it. Raises for what does
    not fit together.
    """
    what = f"{dtype.name} {shape}"
    if align_corners is not None:
        _check_corners(mode, align_corners)
    sizes, scales = _sizes(shape, size, scale_factor, recompute)
    _check_mode(len(shape), what, mode, align_corners, antialias)
    if 0 in shape[1:] or min(sizes) <= 0:
        raise RuntimeError(
            message(
                f"Input and output sizes should be greater than 0, but got input "
                f"{list(shape)} and output {sizes}",
                f"interpolate: {what}",
            )
        )
    d = FROM_NUMPY[dtype]
    if mode == "area" or (mode in _NEEDS and d == uint8 and len(shape) == 4):
        return sizes, scales, None
    if mode in _NEEDS and not d.is_floating_point:
        raise NotImplementedError(
            message(
                f"interpolate: mode {mode!r} is not implemented for {d}",
                fix="input.float(), or mode='nearest'",
            )
        )
    wide = dtype.itemsize == 8
    steps = None if antialias else _steps(shape, wide, mode, sizes, scales, align_corners)
    return sizes, scales, steps


_known_plan = lru_cache(1024, typed=True)(_plan)  # which nobody changes


def _resampled(input: Tensor, steps: Sequence[Attrs]) -> Tensor:
    """``input`` after the steps of `taps_op`, one for each dimension."""
    if (found := unrecorded_arrays(input)) is not None:
        dev, out = found
        for attrs in steps:
            out = dev.taps(out, **attrs)
        return constant_of(out, dev)
    for attrs in steps:
        input = single(taps_op, input, attrs)
    return input


def _steps(
    shape: Shape, wide: bool, mode: str, sizes: list[int], scales: list[float | None],
    align_corners: bool | None,
) -> list[Attrs]:  # fmt: skip
    """The attrs of `taps_op` for each dimension, the last one first: PyTorch sums in this order."""
    kind, steps = np.dtype(np.float64 if wide else np.float32), []
    for i in reversed(range(len(sizes))):
        n, scale = shape[i + 2], scales[i]
        if mode == "nearest" and len(shape) == 4 and sizes[i] in (n, 2 * n):
            scale = None  # PyTorch takes 1 and 2 for the scales of images here, whatever is given
        index, weight = _table(mode, n, sizes[i], scale, align_corners, kind)
        steps.append({"index": index, "weight": weight, "dim": i + 2})
    return steps


def _check_corners(mode: str, align_corners: bool) -> None:
    if mode in _ANY:
        raise ValueError(
            message(
                "align_corners option can only be set with the interpolating modes: linear | "
                "bilinear | bicubic | trilinear",
                f"interpolate: {mode=}",
            )
        )
    check_type("interpolate", "align_corners", "bool", align_corners)


def _check_mode(
    ndim: int, what: str, mode: str, align_corners: bool | None, antialias: bool
) -> None:
    """Raise for a mode that there is not, or not for inputs of this rank (``what``: the input)."""
    if antialias and (mode not in _SMOOTH or ndim != 4):
        raise ValueError(
            message(
                "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and "
                "requires a 4-D tensor as input",
                f"interpolate: {mode=}, input {what}",
            )
        )
    if mode == "lanczos" and ndim == 4 and (align_corners or not antialias):
        raise ValueError(
            message(
                "Lanczos mode does not support align_corners=True"
                if align_corners
                else "Lanczos mode requires antialias=True"
            )
        )
    if (mode not in _ANY and _NEEDS.get(mode) != ndim) or not 3 <= ndim <= 5:
        raise NotImplementedError(
            message(
                f"Got {ndim}D input, but {mode} mode needs {_NEEDS[mode]}D input"
                if mode in _NEEDS
                else "Input Error: Only 3D, 4D and 5D input Tensors supported "
                f"(got {ndim}D) for the modes: nearest | linear | bilinear | bicubic | "
                f"trilinear | area | nearest-exact (got {mode})",
                f"interpolate: {what}",
            )
        )


def _of_bytes(
    input: Tensor,
    mode: str,
    sizes: list[int],
    scales: list[float | None],
    align_corners: bool | None,
    antialias: bool,
) -> Tensor:
    """Images of bytes, which are resampled in whole numbers."""
    made, double = np.ascontiguousarray(input.cpu().array), np.dtype(np.float64)
    for i in (1, 0):
        n, size, scale = made.shape[i + 2], sizes[i], scales[i]
        if n == size:
            continue
        if antialias:
            table = byte_images.of_table(_smooth_table(mode, n, size, scale, align_corners))
        else:
            table = byte_images.of_taps(_taps(mode, n, size, scale, align_corners, double), n)
        made = byte_images.resampled(made, i + 2, *table)
    return from_numpy(made.copy() if made is input.array else made).to(input.device)


def _sizes(
    shape: Shape,
    size: int | Sequence[int] | None,
    scale_factor: Scale | None,
    recompute: bool | None,
) -> tuple[list[int], list[float | None]]:
    """The output's sizes, and the scale factors that count in the sampling (None: in / out), of an
    input of this shape.
    """
    count = max(len(shape) - 2, 0)
    if size is not None and scale_factor is not None:
        raise ValueError(message("only one of size or scale_factor should be defined"))
    if size is not None and recompute:
        raise ValueError(message("recompute_scale_factor is not meaningful with an explicit size."))
    if size is not None:
        sizes = list(size) if isinstance(size, Sequence) else [size] * count
        _check_count(shape, "output size", sizes)
        if not all(is_int(n) for n in sizes):
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
    _check_count(shape, "scale_factor", factors)
    for f in factors:
        if type(f) is not float and type(f) is not int:
            check_type("interpolate", "scale_factor", "float", f)
    ends = [n * float(f) for n, f in zip(shape[2:], factors, strict=True)]
    if not all(abs(end) < 2**63 for end in ends):  # nor of NaN
        raise RuntimeError(
            message(
                "value cannot be converted to type int64_t without overflow",
                f"interpolate: sizes {list(shape[2:])} times {factors}",
            )
        )
    sizes = [int(end) for end in ends]
    return sizes, [None if recompute else float(f) for f in factors]


def _check_count(shape: Shape, what: str, given: list[Any]) -> None:
    if len(given) != max(len(shape) - 2, 0):
        raise ValueError(
            message(
                f"Input and {what} must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {list(shape[2:])} and {what} of {given}.",
                fix="the input is (N, C, d1, d2, ...), and one number is given for each d",
            )
        )


def _area(input: Tensor, sizes: list[int]) -> Tensor:
    if input.ndim == 3:
        return adaptive_avg_pool1d(input, sizes[0])
    if input.ndim == 4:
        return adaptive_avg_pool2d(input, tuple(sizes))
    return adaptive_avg_pool3d(input, tuple(sizes))


# per tap, the index and the weight of each output
Taps = list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]


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
        return [(nearest.astype(np.int64).clip(0, n - 1), np.ones(size))]
    if mode == "bicubic":
        first = np.floor(x)
        weights = cubic((x - first).clip(0, 1), -0.75)
        start = first.astype(np.int64)
        return [((start + k - 1).clip(0, n - 1), w) for k, w in enumerate(weights)]
    if n == size:  # as in PyTorch, whatever the scale
        return [(np.arange(n), np.ones(n))]
    x = x.clip(0, None)
    first = x.astype(np.int64).clip(0, n - 1)
    ahead = (x - first).astype(kind).clip(0, 1)
    return [(first, 1 - ahead), ((first + 1).clip(0, n - 1), ahead)]


def cubic(t: Operand, a: float) -> list[Operand]:
    """Keys' weights (1981) of the four elements around a point, t after the second of them."""

    def near(d: Operand) -> Operand:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Operand) -> Operand:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


# what antialias widens: half the width of each filter, and the filter
_SMOOTH: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "bilinear": (1.0, lambda d: 1 - d),
    "bicubic": (2.0, lambda d: np.where(d < 1, cubic(d, -0.5)[1], cubic(d - 1, -0.5)[0])),
    "lanczos": (3.0, lambda d: np.sinc(d) * np.sinc(d / 3)),
}


def _smooth_table(
    mode: str, n: int, size: int, scale: float | None, align_corners: bool | None
) -> np.ndarray[Any, Any]:
    """The weights (size, n) of a filter that is as wide as an output element, at least.

    So what falls into one output element is averaged, as Pillow does it.
    """
    half, weigh = _SMOOTH[mode]
    if align_corners:
        step = (n - 1) / (size - 1) if size > 1 else 0.0
    else:
        step = 1 / scale if scale else n / size
    wide = max(step, 1.0)
    centres = step * (np.arange(size) + 0.5)
    reach = half * wide
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach + 0.5).astype(np.int64), n)
    at = np.arange(n)
    distance = np.abs((at - centres[:, None] + 0.5) / wide)
    seen = (at >= first[:, None]) & (at < last[:, None]) & (distance < half)
    weights = np.where(seen, weigh(np.minimum(distance, half)), 0.0)
    total = weights.sum(1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


@lru_cache(256)
def _table(*sizes: Argument) -> tuple[np.ndarray[Any, Any], ...]:
    """The taps as an index and a weight, (taps, size), for all calls of these arguments of `_taps`.

    Most calls of a script have the sizes of one before.
    """
    index, weight = [np.stack(part) for part in zip(*_taps(*sizes), strict=True)]
    tables = index, weight.astype(sizes[-1])
    for table in tables:
        table.flags.writeable = False
    return tables


def _old_name(name: str) -> None:
    warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.")


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """interpolate under its old name."""
    _old_name("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: Scale | None = None
) -> Tensor:
    """interpolate with mode="nearest" under its old name."""
    _old_name("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: Scale | None = None
) -> Tensor:
    """interpolate with mode="bilinear" and aligned corners under its old name."""
    _old_name("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
