"""Convolution and means of volumes (N, C, D, H, W), by the kernels for images.

A volume is a stack of images. What a kernel of depth kd sees at one place of the depth is kd
images, which lie side by side as channels:

    planes(x)[n d, c k] = x[n, c, d * stride + k * dilation - padding]          images (H, W)
    conv3d(x, w)[n, :, d] = conv2d(planes(x), w)[n d]          w as (O, C / groups * kd, kh, kw)

So three ops that are each other's derivatives follow from those of conv_ops.py, on every device. A
mean over a box is the mean over its depth of the means over its planes: ``avg_pool3d`` and
``adaptive_avg_pool3d`` are two steps of the ops of pool_ops.py. The functions are in conv.py and
pool.py.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from . import conv_ops, pool_ops
from .arguments import rows
from .windows import out_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..base.types import Array, Attrs, Namespace, Setting
    from .pool_ops import Divisor

Three: TypeAlias = tuple[int, int, int]  # for depth, height and width
Around: TypeAlias = tuple[tuple[int, int], ...]  # ((front, back), (top, bottom), (left, right))


# ---- a volume as planes --------------------------------------------------------------------------
def _of_depth(geometry: Attrs) -> tuple[int, int, int, int]:
    """(stride, front, back, dilation) of the depth."""
    return geometry["stride"][0], *geometry["padding"][0], geometry["dilation"][0]


def _of_planes(geometry: Attrs) -> Attrs:
    """The same convolution in the two dimensions of a plane."""
    return {k: v if k == "groups" else v[1:] for k, v in geometry.items()}


def _planes(F: Namespace, x: Array, kd: int, geometry: Attrs) -> tuple[Array, int]:
    """The planes (N * D', C * kd, H, W) of the module's docstring, and D'."""
    stride, front, back, dilation = _of_depth(geometry)
    n, c, d, *size = x.shape
    if front or back:
        edges = [F.zeros((n, c, width, *size), x.dtype) for width in (front, back)]
        x = np.concatenate([edges[0], x, edges[1]], axis=2)
    count = out_size(d + front + back, kd, stride, dilation)
    starts = [k * dilation for k in range(kd)]
    seen = [x[:, :, at : at + stride * (count - 1) + 1 : stride] for at in starts]
    columns = np.stack(seen, axis=2).transpose(0, 3, 1, 2, 4, 5)  # (N, D', C, kd, H, W)
    return columns.reshape(n * count, c * kd, *size), count


def _add_planes(F: Namespace, planes: Array, n: int, c: int, d: int, geometry: Attrs) -> Array:
    """Volumes of depth ``d``: the transpose of ``_planes``."""
    stride, front, back, dilation = _of_depth(geometry)
    kd, size = planes.shape[1] // c, planes.shape[2:]
    columns = planes.reshape(n, len(planes) // n if n else 0, c, kd, *size)
    count = columns.shape[1]
    out = F.zeros((n, c, d + front + back, *size), planes.dtype)
    for k in range(kd if n else 0):  # an empty batch has no planes to count
        at = k * dilation
        place = (slice(None), slice(None), slice(at, at + stride * (count - 1) + 1, stride))
        out[place] = out[place] + columns[:, :, :, k].swapaxes(1, 2)
    return rows(out[:, :, front : front + d]) if front or back else out


def _stacked(planes: Array, n: int) -> Array:
    """Images (N * D, C, H, W) as volumes (N, C, D, H, W)."""
    count = len(planes) // n if n else 1
    return planes.reshape(n, count, *planes.shape[1:]).swapaxes(1, 2)


def _unstacked(x: Array) -> Array:
    """Volumes (N, C, D, H, W) as images (N * D, C, H, W)."""
    return x.swapaxes(1, 2).reshape(-1, x.shape[1], *x.shape[3:])


def _filters(w: Array) -> Array:
    """Weights (O, C, kd, kh, kw) as (O, C * kd, kh, kw)."""
    return w.reshape(w.shape[0], w.shape[1] * w.shape[2], *w.shape[3:])


# ---- convolution ---------------------------------------------------------------------------------
def _conv3d(
    F: Namespace, x: Array, w: Array, b: Array | None = None, **geometry: Setting
) -> Array:
    planes, count = _planes(F, x, w.shape[2], geometry)
    operands = (_filters(w),) if b is None else (_filters(w), b)
    out = F.conv2d(planes, *operands, **_of_planes(geometry))
    out = out.reshape(len(x), count, *out.shape[1:]).swapaxes(1, 2)
    return rows(out)


def _conv_transpose3d(
    F: Namespace, x: Array, w: Array, b: Array | None = None, *, size: Three, **geometry: Setting
) -> Array:
    planes = F.conv_transpose2d(
        _unstacked(x), _filters(w), size=size[1:], **_of_planes(geometry)
    )
    channels = w.shape[1] * geometry["groups"]
    out = _add_planes(F, planes, len(x), channels, size[0], geometry)
    return out if b is None else out + b.reshape(-1, 1, 1, 1)


def _conv3d_weight(
    F: Namespace, x: Array, g: Array, *, kernel: Three, **geometry: Setting
) -> Array:
    planes, _ = _planes(F, x, kernel[0], geometry)
    out = F.conv2d_weight(planes, _unstacked(g), kernel=kernel[1:], **_of_planes(geometry))
    return out.reshape(g.shape[1], x.shape[1] // geometry["groups"], *kernel)


conv_ops.declare(3, _conv3d, _conv_transpose3d, _conv3d_weight)


# ---- means ---------------------------------------------------------------------------------------
def _in_two_steps(step: Callable[..., Array], x: Array, over: tuple[Attrs, Attrs]) -> Array:
    """``step``, an op on images, over planes (H, W), then over the depth, seen as (D, H' * W')."""
    n, c, d, *size = x.shape
    planes = step(x.reshape(n, c * d, *size), **over[0])
    size = list(planes.shape[2:])
    out = step(planes.reshape(n, c, d, math.prod(size)), **over[1])
    return out.reshape(n, c, out.shape[2], *size)


def _box(kernel: Three, stride: Three, padding: Around) -> tuple[Attrs, Attrs]:
    """The windows of both steps; sums, not means, for boxes at the edge count fewer elements."""
    planes = {"kernel": kernel[1:], "stride": stride[1:], "padding": padding[1:], "divisor": 1}
    depth = {"kernel": (kernel[0], 1), "stride": (stride[0], 1)}
    return planes, {**depth, "padding": (padding[0], (0, 0)), "divisor": 1}


def _counts(F: Namespace, divisor: Divisor, x: Array) -> Array | int:
    """The divisor, a number or nested tuples, as what an array can be divided by."""
    if isinstance(divisor, int):
        return divisor
    counts: Array = F.array(np.asarray(divisor, x.dtype))
    return counts


def _avg_pool3d(
    F: Namespace, x: Array, kernel: Three, stride: Three, padding: Around, divisor: Divisor
) -> Array:
    sums = _in_two_steps(F.avg_pool2d, x, _box(kernel, stride, padding))
    return sums / _counts(F, divisor, x)


def _avg_spread3d(
    F: Namespace, g: Array, size: Three, kernel: Three, stride: Three, padding: Around,
    divisor: Divisor,
) -> Array:  # fmt: skip
    """The transpose: the depth first, then the planes."""
    planes, depth = _box(kernel, stride, padding)
    each = g / _counts(F, divisor, g)
    n, c, d, *places = each.shape
    each = F.avg_spread(
        each.reshape(n, c, d, math.prod(places)), size=(size[0], math.prod(places)), **depth
    )
    out = F.avg_spread(each.reshape(n, c * size[0], *places), size=size[1:], **planes)
    return out.reshape(n, c, *size)


def _adaptive_avg_pool3d(F: Namespace, x: Array, size: Three) -> Array:
    places = size[1] * size[2]
    return _in_two_steps(
        F.adaptive_avg_pool2d, x, ({"size": size[1:]}, {"size": (size[0], places)})
    )


def _adaptive_spread3d(F: Namespace, g: Array, size: Three) -> Array:
    n, c, d, *places = g.shape
    each = F.adaptive_spread(
        g.reshape(n, c, d, math.prod(places)), size=(size[0], math.prod(places))
    )
    out = F.adaptive_spread(each.reshape(n, c * size[0], *places), size=size[1:])
    return out.reshape(n, c, *size)


pool_ops.declare(
    "avg_pool3d", "avg_spread3d", _avg_pool3d, _avg_spread3d, "window", "AvgPool3D"
)
pool_ops.declare(
    "adaptive_avg_pool3d", "adaptive_spread3d", _adaptive_avg_pool3d, _adaptive_spread3d, "bin",
    "AdaptiveAvgPool3D",
)  # fmt: skip
