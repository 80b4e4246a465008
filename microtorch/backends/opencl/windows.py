"""Convolution and pooling on the device: the kernels of windows.cl, and products of matrices.

The three convolutions are those of ops/conv_ops.py, each as columns (im2col) and one batch of
matrix products. Columns are made for as many images at a time as fit into ``COLUMNS`` elements.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import int32
from .array import Array
from .matmul import matmul
from .memory import C_TYPES, concatenate, contiguous, empty, whole
from .reduce import limits
from .runtime import Kernel, Runtime, once, text_of

if TYPE_CHECKING:
    from .backend import OpenCL

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]
COLUMNS = 1 << 24  # elements of columns made at a time: 64 MiB of float32
I32 = int32.numpy


@once
def kernel_of(runtime: Runtime, name: str, dtype: np.dtype) -> Kernel:
    """Kernel ``name`` of windows.cl."""
    defines = {"T": C_TYPES[dtype.char], "BLOCK": runtime.block, "LOWEST": limits(dtype)[0]}
    text = "".join(f"#define {macro} {value}\n" for macro, value in defines.items())
    return runtime.kernel(text + text_of("windows"), name)


def launch(
    x: Array, name: str, count: int, *arguments: object, along: int | None = None
) -> None:
    """Enqueue kernel ``name`` for ``count`` elements of x's dtype; ``along``: its text says ALONG,
    for so many."""
    kernel = kernel_of(x.runtime, name, x.dtype)
    if count:
        lines = along is not None and x.runtime.on_cpu
        size = count // along if along is not None and lines else count
        kernel((size,), (1,) if lines else (64,), count, *arguments)


def out_size(
    size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Pair:
    """How many windows there are, downwards and across."""
    h, w = [
        (n + sum(p) - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    return h, w


def geometry(
    c: int, size: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> tuple[int, ...]:
    """The parameters GEOMETRY of windows.cl, but for the first."""
    return (c, *size, *out, *kernel, *stride, padding[0][0], padding[1][0], *dilation)


def image_size(x: Array) -> Pair:
    """Height and width of images (N, C, H, W)."""
    h, w = x.shape[2:]
    return h, w


# ---- columns -------------------------------------------------------------------------------------
def unfold(
    x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair,
    batch_inside: bool = False,
) -> Array:  # fmt: skip
    """The columns of images (N, C, H, W): (N, C * kh * kw, L); ``batch_inside``: (C * kh * kw,
    N * L)."""
    (n, c), size = x.shape[:2], image_size(x)
    x = whole(x)
    oh, ow = out = out_size(size, kernel, stride, padding, dilation)
    rows, places = c * kernel[0] * kernel[1], oh * ow
    shape = (rows, n * places) if batch_inside else (n, rows, places)
    columns = empty(x.runtime, shape, x.dtype)
    steps = (places, n * places) if batch_inside else (rows * places, places)
    numbers = geometry(c, size, out, kernel, stride, padding, dilation)
    launch(x, "unfold", columns.size, *numbers, *steps, x.buffer, columns.buffer, along=ow)
    return columns


def fold(
    x: Array, size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    """Columns (N, C * kh * kw, L) added up to images (N, C, *size)."""
    n, c = x.shape[0], x.shape[1] // (kernel[0] * kernel[1])
    x = contiguous(x)
    out = empty(x.runtime, (n, c, *size), x.dtype)
    windows = out_size(size, kernel, stride, padding, dilation)
    numbers = geometry(c, size, windows, kernel, stride, padding, dilation)
    launch(x, "fold", out.size, *numbers, x.buffer, x.at, out.buffer, along=size[1])
    return out


def batches(n: int, per_image: int) -> list[slice]:
    """n images, cut so that the columns of each part fit into COLUMNS."""
    step = max(1, COLUMNS // max(per_image, 1))
    return [slice(start, start + step) for start in range(0, n, step)]


# ---- convolution ---------------------------------------------------------------------------------
def conv2d(
    F: OpenCL, x: Array, w: Array, b: Array | None = None, *, stride: Pair, padding: Padding,
    dilation: Pair, groups: int,
) -> Array:  # fmt: skip
    (n, c), o, kernel = x.shape[:2], w.shape[0], image_size(w)
    oh, ow = out_size(image_size(x), kernel, stride, padding, dilation)
    rows = c * kernel[0] * kernel[1]
    weights = w.reshape(groups, o // groups, rows // groups)
    parts = []
    for part in batches(n, rows * oh * ow):
        columns = unfold(x[part], kernel, stride, padding, dilation)
        parts.append(matmul(weights, columns.reshape(-1, groups, rows // groups, oh * ow)))
    none = (0, groups, o // groups, oh * ow)
    out = joined(parts or [empty(x.runtime, none, x.dtype)]).reshape(n, o, oh, ow)
    return out if b is None else F.add(out, b.reshape(-1, 1, 1), out=out)


def conv_transpose2d(
    F: OpenCL, x: Array, w: Array, b: Array | None = None, *, size: Pair, stride: Pair,
    padding: Padding, dilation: Pair, groups: int,
) -> Array:  # fmt: skip
    n, o, oh, ow = x.shape
    c, kernel = w.shape[1] * groups, image_size(w)
    rows = c * kernel[0] * kernel[1]
    weights = w.reshape(groups, o // groups, rows // groups).swapaxes(1, 2)
    x = x.reshape(n, groups, o // groups, oh * ow)
    parts = []
    for part in batches(n, rows * oh * ow):
        columns = matmul(weights, x[part]).reshape(-1, rows, oh * ow)
        parts.append(fold(columns, size, kernel, stride, padding, dilation))
    out = joined(parts or [empty(x.runtime, (0, c, *size), x.dtype)])
    return out if b is None else F.add(out, b.reshape(-1, 1, 1), out=out)


def conv2d_weight(
    F: OpenCL, x: Array, g: Array, *, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    n, o, oh, ow = g.shape
    c = x.shape[1]
    rows = c * kernel[0] * kernel[1]
    total: Array | None = None
    for part in batches(n, rows * oh * ow):
        columns = unfold(x[part], kernel, stride, padding, dilation, batch_inside=True)
        columns = columns.reshape(groups, rows // groups, -1)
        upstream = g[part].transpose(1, 0, 2, 3).reshape(groups, o // groups, -1)
        # (groups, o / groups, rows / groups): summed over batch and places
        product = matmul(upstream, columns.swapaxes(1, 2))
        total = product if total is None else F.add(total, product, out=total)
    if total is None:
        total = F.full((groups, o // groups, rows // groups), 0, x.dtype)
    return total.reshape(o, c // groups, *kernel)


def joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else concatenate(parts)


# ---- pooling -------------------------------------------------------------------------------------
def _over_windows(
    name: str, x: Array, others: tuple[Array, ...], result: np.dtype, kernel: Pair, stride: Pair,
    padding: Padding, dilation: Pair,
) -> Array:  # fmt: skip
    """A kernel that computes one number for each window."""
    (n, c), size = x.shape[:2], image_size(x)
    windows = out_size(size, kernel, stride, padding, dilation)
    arrays = [whole(a) for a in (x, *others)]
    out = empty(x.runtime, (n, c, *windows), result)
    numbers = geometry(c, size, windows, kernel, stride, padding, dilation)
    launch(x, name, out.size, *numbers, *[a.buffer for a in arrays], out.buffer, along=windows[1])
    return out


def _over_elements(
    name: str, g: Array, others: tuple[Array, ...], size: Pair, kernel: Pair, stride: Pair,
    padding: Padding, dilation: Pair,
) -> Array:  # fmt: skip
    """A kernel that computes one number for each element of the images."""
    n, c = g.shape[:2]
    arrays = [whole(a) for a in (g, *others)]
    out = empty(g.runtime, (n, c, *size), g.dtype)
    numbers = geometry(c, size, image_size(g), kernel, stride, padding, dilation)
    launch(g, name, out.size, *numbers, *[a.buffer for a in arrays], out.buffer, along=size[1])
    return out


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Array:
    return _over_windows("max_pool2d", x, (), x.dtype, kernel, stride, padding, dilation)


def pool_place(
    x: Array, out: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    return _over_windows("pool_place", x, (out,), I32, kernel, stride, padding, dilation)


def pool_gather(
    x: Array, place: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    places = (place.astype(I32, copy=False),)
    return _over_windows("pool_gather", x, places, x.dtype, kernel, stride, padding, dilation)


def pool_scatter(
    g: Array, place: Array, size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    places = (place.astype(I32, copy=False),)
    return _over_elements("pool_scatter", g, places, size, kernel, stride, padding, dilation)


def avg_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Padding, divisor: int | np.ndarray
) -> Array:
    sums = _over_windows("window_sum", x, (), x.dtype, kernel, stride, padding, (1, 1))
    return sums / _divisor(divisor, x)


def avg_spread(
    g: Array, size: Pair, kernel: Pair, stride: Pair, padding: Padding, divisor: int | np.ndarray
) -> Array:
    shares = g / _divisor(divisor, g)
    return _over_elements("window_spread", shares, (), size, kernel, stride, padding, (1, 1))


def _divisor(divisor: int | np.ndarray, x: Array) -> int | Array:
    return divisor if isinstance(divisor, int) else x.dev.array(np.asarray(divisor, x.dtype))


def adaptive_avg_pool2d(x: Array, size: Pair) -> Array:
    x = whole(x)
    out = empty(x.runtime, (*x.shape[:2], *size), x.dtype)
    launch(x, "adaptive_mean", out.size, *image_size(x), *size, x.buffer, out.buffer)
    return out


def adaptive_spread(g: Array, size: Pair) -> Array:
    g = whole(g)
    out = empty(g.runtime, (*g.shape[:2], *size), g.dtype)
    launch(g, "adaptive_spread", out.size, *size, *image_size(g), g.buffer, out.buffer)
    return out
