"""Pooling: one number for each window of an image, its maximum or its mean.

The windows are those of windows.py. Each op runs over the *elements of the kernel* (kh * kw steps),
never over the windows: for one element, what all windows see there is a strided slice of the image,
and numpy runs through it at full speed.

    max_pool2d     out = maximum(slice 0, slice 1, ...)
    pool_place     place = how many leading slices differ from out
    pool_scatter   x̄[slice k] += g where place == k

``place`` is where each window's maximum comes first, as in PyTorch; ``pool_gather`` is the
derivative of ``pool_scatter``. Means are linear: ``avg_pool2d`` and ``avg_spread``,
``adaptive_avg_pool2d`` and ``adaptive_spread`` are each other's derivative, and ``declare`` says so
for volumes (volumes.py), too. In the ops, padding includes what ``ceil_mode`` adds; the functions
are in pool.py.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..engine.op import Op
from .windows import HW, UNPADDED, Pads, add_windows, cropped, places, windows, zero_images

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand

    Kernel: TypeAlias = Callable[..., Array]

# how many elements each mean counts: one number, or one per window, nested as the windows are
Divisor: TypeAlias = "int | tuple[Divisor, ...]"


# ---- the maximum ---------------------------------------------------------------------------------
def _max_pool2d(
    F: Namespace, x: Array, kernel: HW, stride: HW, padding: Pads, dilation: HW
) -> Array:
    lowest = -math.inf if x.dtype.kind in "fO" else np.iinfo(x.dtype).min
    first, *rest = _slices(windows(x, kernel, stride, padding, dilation, lowest))
    out = np.array(first, order="C")
    for part in rest:
        np.maximum(out, part, out=out)
    return out


def _slices(view: Array) -> list[Array]:
    """What all windows see at each element of the kernel, row by row."""
    kh, kw = view.shape[2:4]
    return [view[:, :, i, j] for i in range(kh) for j in range(kw)]


def _pool_place(
    F: Namespace, x: Array, out: Array, kernel: HW, stride: HW, padding: Pads, dilation: HW
) -> Array:
    """Which element of the kernel, counted row by row, holds each window's maximum ``out``."""
    last = kernel[0] * kernel[1] - 1
    differ = np.ones(out.shape, bool)
    place: Array = np.zeros(out.shape, np.uint8 if last < 256 else np.int64)
    if padding != UNPADDED and x.dtype.kind != "f":
        x = x.astype(np.float64)
    # what is nan differs from all: padding is never chosen
    for part in _slices(windows(x, kernel, stride, padding, dilation, math.nan))[:last]:
        differ &= part != out
        place += differ.view(np.uint8)
    if out.dtype.kind == "f" and np.isnan(out).any():  # the last nan, as in PyTorch
        for k, part in enumerate(_slices(windows(x, kernel, stride, padding, dilation, 0))):
            np.copyto(place, place.dtype.type(k), where=np.isnan(part))
    return place


def _pool_scatter(
    F: Namespace, g: Array, place: Array, size: HW, kernel: HW, stride: HW, padding: Pads,
    dilation: HW,
) -> Array:  # fmt: skip
    out = zero_images(g.shape[0], g.shape[1], size, padding, g.dtype)
    apart = all(s >= d * (k - 1) + 1 for s, d, k in zip(stride, dilation, kernel, strict=True))
    for i, j, at in places(kernel, g.shape[2:], stride, dilation):
        chosen = place == i * kernel[1] + j
        if apart:  # no two windows meet, so nothing has to be added
            np.multiply(g, chosen, out=out[at])
        else:
            out[at] += g * chosen
    return cropped(out, padding)


def _pool_gather(
    F: Namespace, x: Array, place: Array, kernel: HW, stride: HW, padding: Pads, dilation: HW
) -> Array:
    out = np.zeros(place.shape, x.dtype)
    for k, part in enumerate(_slices(windows(x, kernel, stride, padding, dilation))):
        np.copyto(out, part, where=place == k)
    return out


def _max_pool2d_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, **geometry: Any
) -> Gradient:
    return F.pool_scatter(g, F.pool_place(x, out, **geometry), size=tuple(x.shape[2:]), **geometry)


max_pool2d_op = Op(
    "max_pool2d",
    _max_pool2d,
    vjps=(_max_pool2d_vjp,),
    saves=("x out",),
    renews=True,
    looks=True,
    formula="the largest of each window",
    rule=("g at the place of the largest, 0 elsewhere",),
    torch_name="MaxPool2DWithIndices",
)
pool_place_op = Op("pool_place", _pool_place)
pool_scatter_op = Op(
    "pool_scatter",
    _pool_scatter,
    vjps=(lambda F, g, out, x, place, size, **geometry: F.pool_gather(g, place, **geometry), None),
    saves=("y", ""),
    rule=("g, read at the place", None),
)
pool_gather_op = Op(
    "pool_gather",
    _pool_gather,
    vjps=(
        lambda F, g, out, x, place, **geometry: F.pool_scatter(
            g, place, size=tuple(x.shape[2:]), **geometry
        ),
        None,
    ),
    saves=("y", ""),
    rule=("g at the place, 0 elsewhere", None),
)


# ---- the mean ------------------------------------------------------------------------------------
def _avg_pool2d(
    F: Namespace, x: Array, kernel: HW, stride: HW, padding: Pads, divisor: Divisor
) -> Array:
    first, *rest = _slices(windows(x, kernel, stride, padding, (1, 1)))
    out = np.array(first, order="C")
    for part in rest:
        out += part
    return out / _as(divisor, x)


def _avg_spread(
    F: Namespace, g: Array, size: HW, kernel: HW, stride: HW, padding: Pads, divisor: Divisor
) -> Array:
    out = zero_images(g.shape[0], g.shape[1], size, padding, g.dtype)
    each = g / _as(divisor, g)
    everywhere = np.broadcast_to(each[:, :, None, None], (*g.shape[:2], *kernel, *g.shape[2:]))
    add_windows(out, everywhere, stride, (1, 1))
    return cropped(out, padding)


def _as(divisor: Divisor, x: Array) -> Array | int:
    return divisor if isinstance(divisor, int) else np.asarray(divisor, x.dtype)


def declare(
    mean: str, spread: str, forward: Kernel, transposed: Kernel, of: str, torch_name: str
) -> tuple[Op, Op]:
    """The means over each ``of``, and what spreads a gradient: each other's derivative.

    The second takes the ``size`` of its result besides the arguments of the first.
    """

    def spreading(
        F: Namespace, g: Gradient, out: Operand, x: Operand, **geometry: Any
    ) -> Gradient:
        return getattr(F, spread)(g, **{**geometry, "size": tuple(x.shape[2:])})

    def averaging(
        F: Namespace, g: Gradient, out: Operand, x: Operand, size: Any, **geometry: Any
    ) -> Gradient:
        return getattr(F, mean)(g, **(geometry or {"size": tuple(x.shape[2:])}))

    return (
        Op(
            mean,
            forward,
            vjps=(spreading,),
            saves=("x",),  # only for PyTorch's second derivative, which is 0 here, not absent
            formula=f"the mean of each {of}",
            rule=(f"g / n, spread over the {of}",),
            torch_name=torch_name,
        ),
        Op(spread, transposed, vjps=(averaging,), rule=(f"the mean of g over each {of}",)),
    )


avg_pool2d_op, _ = declare(
    "avg_pool2d", "avg_spread", _avg_pool2d, _avg_spread, "window", "AvgPool2D"
)


def bins(n: int, count: int) -> list[slice]:
    """``count`` windows of nearly equal sizes that cover n places.

    Neighbours overlap by one where ``count`` does not divide n.
    """
    return [slice(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def _adaptive_avg_pool2d(F: Namespace, x: Array, size: HW) -> Array:
    out = np.empty((*x.shape[:2], *size), x.dtype)
    for i, rows in enumerate(bins(x.shape[2], size[0])):
        for j, columns in enumerate(bins(x.shape[3], size[1])):
            part = x[:, :, rows, columns]
            out[:, :, i, j] = np.add.reduce(part, axis=(2, 3)) / (part.shape[2] * part.shape[3])
    return out


def _adaptive_spread(F: Namespace, g: Array, size: HW) -> Array:
    out = np.zeros((*g.shape[:2], *size), g.dtype)
    for i, rows in enumerate(bins(size[0], g.shape[2])):
        for j, columns in enumerate(bins(size[1], g.shape[3])):
            part = out[:, :, rows, columns]
            part += (g[:, :, i, j] / (part.shape[2] * part.shape[3]))[:, :, None, None]
    return out


adaptive_avg_pool2d_op, _ = declare(
    "adaptive_avg_pool2d", "adaptive_spread", _adaptive_avg_pool2d, _adaptive_spread, "bin",
    "AdaptiveAvgPool2D",
)  # fmt: skip
