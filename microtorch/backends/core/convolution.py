"""Convolution and pooling in C (ext/conv.c, pool.c): the ops of conv_ops.py and pool_ops.py.

Arrays that are not contiguous are copied first, which costs less than numpy's way through them.
What C declines beyond that (a misaligned array, a kernel of more than 256 elements for the place of
a maximum) goes to the op's definition.
"""
from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import Reference
from ..table import definition
from .library import calls, kernel_of, ran

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ...base.types import Array, Kernel

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


@lru_cache(maxsize=512)
def windows(
    size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> tuple[Array, Pair]:
    """`struct windows` (ext/windows.h) as an array, and how many windows there are."""
    axes = zip(size, kernel, stride, padding, dilation, strict=True)
    rows, columns = ((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)
    count = rows, columns
    (top, _), (left, _) = padding
    return np.array([*size, *kernel, *stride, top, left, *dilation, *count], np.int64), count


@lru_cache(maxsize=512)
def planned(
    size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> tuple[Array, Pair, tuple[int, ...]]:
    """What `windows` returns, and how many elements the image, the windows and the kernel have.

    An image of height 1, as in a 1-d convolution, becomes one of width 1. The memory is the same,
    and C can cut small batches between rows.
    """
    if size[0] == kernel[0] == 1 and padding[0] == (0, 0):
        turned = size[::-1], kernel[::-1], stride[::-1], padding[::-1], dilation[::-1]
        g, count = windows(*turned)
        count = count[::-1]
    else:
        g, count = windows(size, kernel, stride, padding, dilation)
    return g, count, (math.prod(size), math.prod(count), math.prod(kernel))


@lru_cache(maxsize=512)
def pooled(
    shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Padding,
    dilation: Pair = (1, 1),
) -> tuple[int, int, int, Array, tuple[int, ...]]:  # fmt: skip
    """Of images (N, C, H, W): how many planes, their elements and windows, what `windows` returns,
    and the shape of the windows' array.
    """
    n, c, *size = shape
    g, count = windows((size[0], size[1]), kernel, stride, padding, dilation)
    return n * c, math.prod(size), math.prod(count), g, (n, c, *count)


class Convolution(Reference):
    """The ops of conv_ops.py and pool_ops.py."""

    def conv2d(
        self, x: Array, w: Array, b: Array | None = None, *, groups: int, **geometry: Any
    ) -> Array:
        g, count, elements = planned(x.shape[2:], w.shape[2:], **geometry)
        (n, c), o = x.shape[:2], len(w)
        out = np.empty((n, o, *count), self.dtype)
        if ran(self.kernels.conv2d, n, c, o, groups, *elements, g, x, w, b, out):
            return out
        return definition("conv2d")(self, x, w, b, groups=groups, **geometry)

    def conv_transpose2d(
        self, x: Array, w: Array, b: Array | None = None, *, size: Pair, groups: int,
        **geometry: Any,
    ) -> Array:  # fmt: skip
        g, _, elements = planned(size, w.shape[2:], **geometry)
        (n, o), c = x.shape[:2], w.shape[1] * groups
        out = np.empty((n, c, *size), self.dtype)
        if ran(self.kernels.conv_transpose2d, n, c, o, groups, *elements, g, x, w, b, out):
            return out
        return definition("conv_transpose2d")(self, x, w, b, size=size, groups=groups, **geometry)

    def conv2d_weight(
        self, x: Array, g: Array, *, kernel: Pair, groups: int, **geometry: Any
    ) -> Array:
        form, _, elements = planned(x.shape[2:], kernel, **geometry)
        (n, c), o = x.shape[:2], g.shape[1]
        out = np.empty((o, c // groups, *kernel), self.dtype)
        if ran(self.kernels.conv2d_weight, n, c, o, groups, *elements, form, x, g, out):
            return out
        return definition("conv2d_weight")(self, x, g, kernel=kernel, groups=groups, **geometry)

    # ---- pooling ---------------------------------------------------------------------------------
    def _pool(
        self, loop: Kernel, size: Pair, back: bool, *read: Array, kernel: Pair, stride: Pair,
        padding: Padding, dilation: Pair = (1, 1), dtype: DTypeLike | None = None,
    ) -> Array | None:  # fmt: skip
        """Run a loop of ext/pool.c on the arrays ``read``; None if it declines.

        ``back``: from windows to images.
        """
        shape = read[0].shape[:2] + size
        planes, pixels, count, g, to = pooled(shape, kernel, stride, padding, dilation)
        out = np.empty(shape if back else to, dtype or self.dtype)
        return out if ran(loop, planes, pixels, count, g, *read, out) else None

    def max_pool2d(self, x: Array, **geometry: Any) -> Array:
        out = self._pool(self.kernels.max_pool2d, x.shape[2:], False, x, **geometry)
        return definition("max_pool2d")(self, x, **geometry) if out is None else out

    def max_pool2d_vjp0(
        self, g: Array, out: Array, x: Array, *, kernel: Pair, **geometry: Any
    ) -> Array:
        geometry["kernel"] = kernel
        if kernel[0] * kernel[1] <= 256:
            loop = self.kernels.max_pool2d_vjp0
            found = self._pool(loop, x.shape[2:], True, g, out, x, **geometry)
            if found is not None:
                return found
        place = self.pool_place(x, out, **geometry)
        return self.pool_scatter(g, place, size=x.shape[2:], **geometry)

    def pool_place(self, x: Array, out: Array, *, kernel: Pair, **geometry: Any) -> Array:
        geometry["kernel"] = kernel
        if kernel[0] * kernel[1] <= 256:
            loop = self.kernels.pool_place
            place = self._pool(loop, x.shape[2:], False, x, out, dtype=np.uint8, **geometry)
            if place is not None:
                return place
        return definition("pool_place")(self, x, out, **geometry)

    def pool_scatter(self, g: Array, place: Array, *, size: Pair, **geometry: Any) -> Array:
        out = self._pool(self.kernels.pool_scatter, size, True, g, place, **geometry)
        if out is None:
            return definition("pool_scatter")(self, g, place, size=size, **geometry)
        return out

    def pool_gather(self, x: Array, place: Array, **geometry: Any) -> Array:
        out = self._pool(self.kernels.pool_gather, x.shape[2:], False, x, place, **geometry)
        return definition("pool_gather")(self, x, place, **geometry) if out is None else out

    # ---- means -----------------------------------------------------------------------------------
    @kernel_of
    def avg_pool2d(self) -> Kernel:
        loop, dtype, empty = self.kernels.avg_pool2d, self.dtype, np.empty

        def avg_pool2d(
            x: Array, kernel: Pair, stride: Pair, padding: Padding, divisor: Array | int
        ) -> Array:
            planes, pixels, count, g, shape = pooled(x.shape, kernel, stride, padding)
            out, by = empty(shape, dtype), divisor if type(divisor) is int else 1
            if ran(loop, planes, pixels, count, g, by, x, out):
                return out if by is divisor else np.divide(out, divisor, out)
            geometry = {"kernel": kernel, "stride": stride, "padding": padding}
            return definition("avg_pool2d")(self, x, divisor=divisor, **geometry)

        return avg_pool2d

    @calls("pool_spread")
    def avg_spread(self, g: Array, *, size: Pair, divisor: Array | int, **geometry: Any) -> Array:
        each = np.divide(g, divisor, dtype=g.dtype)
        out = self._pool(self.kernels.pool_spread, size, True, each, **geometry)
        if out is None:
            return definition("avg_spread")(self, g, size=size, divisor=divisor, **geometry)
        return out

    def adaptive_avg_pool2d(self, x: Array, *, size: Pair) -> Array:
        out = np.empty((*x.shape[:2], *size), self.dtype)
        if ran(self.kernels.adaptive_avg_pool2d, len(x) * x.shape[1], *x.shape[2:], *size, x, out):
            return out
        return definition("adaptive_avg_pool2d")(self, x, size)

    def adaptive_spread(self, g: Array, *, size: Pair) -> Array:
        out = np.empty((*g.shape[:2], *size), self.dtype)
        if ran(self.kernels.adaptive_spread, len(g) * g.shape[1], *size, *g.shape[2:], g, out):
            return out
        return definition("adaptive_spread")(self, g, size)
