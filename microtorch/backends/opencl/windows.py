"""Convolution and pooling on the device: the kernels of windows.cl, and products of matrices.

The three convolutions are the three of ops/conv.py, each as columns (im2col) and one batch of matrix products. Columns are
made for as many images at a time as fit into ``BLOCK`` elements.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from .array import Array
from .elementwise import C_TYPES, empty
from .matmul import matmul
from .reduce import limits
from .runtime import text_of

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]
BLOCK = 1 << 24  # elements of columns made at a time: 64 MiB of float32
GEOMETRY = "i" * 14
I32 = np.dtype(np.int32)


def run(x: Array, name: str, signature: str, count: int, *arguments: Any, along: int | None = None) -> None:
    """Launch kernel ``name`` of windows.cl for ``count`` elements of x's dtype; ``along``: its text says ALONG, for so many."""
    key = (name, x.dtype.char)
    kernel = x.runtime.built.get(key)
    if kernel is None:
        defines = {"T": C_TYPES[x.dtype.char], "BLOCK": x.runtime.block, "LOWEST": limits(x.dtype)[0]}
        text = "".join(f"#define {name} {value}\n" for name, value in defines.items()) + text_of("windows")
        kernel = x.runtime.built[key] = x.runtime.kernel(text, name, signature, name)
    if count:
        lines = along is not None and x.runtime.on_cpu
        kernel((count // along if lines else count,), (1,) if lines else (64,), count, *arguments)


def whole(x: Array) -> Array:
    """x row by row from the beginning of its buffer."""
    return x if x.flat and not x.at else x.copy()


def out_size(size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Pair:
    h, w = [(n + sum(p) - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)]  # fmt: skip
    return h, w


def geometry(c: int, size: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> tuple[int, ...]:
    return (c, *size, *out, *kernel, *stride, padding[0][0], padding[1][0], *dilation)


# ---- columns -------------------------------------------------------------------------------------------------------
def unfold(x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, batch_inside: bool = False) -> Array:
    """The columns of images (N, C, H, W): (N, C * kh * kw, L); ``batch_inside``: (C * kh * kw, N * L)."""
    n, c, *size = x.shape
    x = whole(x)
    oh, ow = out = out_size(tuple(size), kernel, stride, padding, dilation)
    rows, places = c * kernel[0] * kernel[1], oh * ow
    columns = empty(x.runtime, (rows, n * places) if batch_inside else (n, rows, places), x.dtype)
    steps = (places, n * places) if batch_inside else (rows * places, places)
    run(x, "unfold", GEOMETRY + "iibb", columns.size, *geometry(c, tuple(size), out, kernel, stride, padding, dilation), *steps,
        x.buffer, columns.buffer, along=ow)  # fmt: skip
    return columns


def fold(x: Array, size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Array:
    """Columns (N, C * kh * kw, L) added up to images (N, C, *size)."""
    n, c = x.shape[0], x.shape[1] // (kernel[0] * kernel[1])
    x = x if x.flat else x.copy()
    out = empty(x.runtime, (n, c, *size), x.dtype)
    windows = out_size(size, kernel, stride, padding, dilation)
    run(x, "fold", GEOMETRY + "bib", out.size, *geometry(c, size, windows, kernel, stride, padding, dilation), x.buffer, x.at,
        out.buffer, along=size[1])  # fmt: skip
    return out


def blocks(n: int, per_image: int) -> list[slice]:
    step = max(1, BLOCK // max(per_image, 1))
    return [slice(start, start + step) for start in range(0, n, step)]


# ---- convolution ---------------------------------------------------------------------------------------------------
def conv2d(F: Any, x: Array, w: Array, b: Any = None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    n, c, *size = x.shape
    o, kernel = w.shape[0], w.shape[2:]
    oh, ow = out_size(tuple(size), kernel, stride, padding, dilation)
    rows = c * kernel[0] * kernel[1]
    weights = w.reshape(groups, o // groups, rows // groups)
    parts = [
        matmul(weights, unfold(x[part], kernel, stride, padding, dilation).reshape(-1, groups, rows // groups, oh * ow))
        for part in blocks(n, rows * oh * ow)
    ] or [empty(x.runtime, (0, groups, o // groups, oh * ow), x.dtype)]
    out = joined(F, parts).reshape(n, o, oh, ow)
    return out if b is None else F.add(out, b.reshape(-1, 1, 1), out=out)


def conv_transpose2d(
    F: Any, x: Array, w: Array, b: Any = None, *, size: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    n, o, oh, ow = x.shape
    c, kernel = w.shape[1] * groups, w.shape[2:]
    rows = c * kernel[0] * kernel[1]
    weights = w.reshape(groups, o // groups, rows // groups).swapaxes(1, 2)
    x = x.reshape(n, groups, o // groups, oh * ow)
    parts = [
        fold(matmul(weights, x[part]).reshape(-1, rows, oh * ow), size, kernel, stride, padding, dilation)
        for part in blocks(n, rows * oh * ow)
    ] or [empty(x.runtime, (0, c, *size), x.dtype)]
    out = joined(F, parts)
    return out if b is None else F.add(out, b.reshape(-1, 1, 1), out=out)


def conv2d_weight(
    F: Any, x: Array, g: Array, *, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    n, o, oh, ow = g.shape
    c = x.shape[1]
    rows = c * kernel[0] * kernel[1]
    total = None
    for part in blocks(n, rows * oh * ow):
        columns = unfold(x[part], kernel, stride, padding, dilation, batch_inside=True).reshape(groups, rows // groups, -1)
        upstream = g[part].transpose(1, 0, 2, 3).reshape(groups, o // groups, -1)
        product = matmul(upstream, columns.swapaxes(1, 2))  # (groups, o / groups, rows / groups): summed over batch and places
        total = product if total is None else F.add(total, product, out=total)
    if total is None:
        total = F.full((groups, o // groups, rows // groups), 0, x.dtype)
    return total.reshape(o, c // groups, *kernel)


def joined(F: Any, parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, 0)


# ---- pooling -------------------------------------------------------------------------------------------------------
def _over_windows(
    name: str, x: Array, others: tuple[Array, ...], result: Any, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    n, c, *size = x.shape
    x, others = whole(x), tuple([whole(o) for o in others])
    windows = out_size(tuple(size), kernel, stride, padding, dilation)
    out = empty(x.runtime, (n, c, *windows), result)
    numbers = geometry(c, tuple(size), windows, kernel, stride, padding, dilation)
    run(x, name, GEOMETRY + "b" * (2 + len(others)), out.size, *numbers, x.buffer, *[o.buffer for o in others], out.buffer,
        along=windows[1])  # fmt: skip
    return out


def _over_elements(
    name: str, g: Array, others: tuple[Array, ...], size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    n, c, *windows = g.shape
    g, others = whole(g), tuple([whole(o) for o in others])
    out = empty(g.runtime, (n, c, *size), g.dtype)
    numbers = geometry(c, size, tuple(windows), kernel, stride, padding, dilation)
    run(g, name, GEOMETRY + "b" * (2 + len(others)), out.size, *numbers, g.buffer, *[o.buffer for o in others], out.buffer,
        along=size[1])  # fmt: skip
    return out


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Array:
    return _over_windows("max_pool2d", x, (), x.dtype, kernel, stride, padding, dilation)


def pool_place(x: Array, out: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Array:
    return _over_windows("pool_place", x, (out,), I32, kernel, stride, padding, dilation)


def pool_gather(x: Array, place: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Array:
    return _over_windows("pool_gather", x, (place.astype(I32, copy=False),), x.dtype, kernel, stride, padding, dilation)


def pool_scatter(g: Array, place: Array, size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Array:
    return _over_elements("pool_scatter", g, (place.astype(I32, copy=False),), size, kernel, stride, padding, dilation)


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding, divisor: Any) -> Array:
    return _over_windows("window_sum", x, (), x.dtype, kernel, stride, padding, (1, 1)) / _divisor(divisor, x)


def avg_spread(g: Array, size: Pair, kernel: Pair, stride: Pair, padding: Padding, divisor: Any) -> Array:
    return _over_elements("window_spread", g / _divisor(divisor, g), (), size, kernel, stride, padding, (1, 1))


def _divisor(divisor: Any, x: Array) -> Any:
    return divisor if isinstance(divisor, int) else x.dev.array(np.asarray(divisor, x.dtype))


def adaptive_avg_pool2d(x: Array, size: Pair) -> Array:
    x = whole(x)
    out = empty(x.runtime, (*x.shape[:2], *size), x.dtype)
    run(x, "adaptive_mean", "iiiiibb", out.size, *x.shape[2:], *size, x.buffer, out.buffer)
    return out


def adaptive_spread(g: Array, size: Pair) -> Array:
    g = whole(g)
    out = empty(g.runtime, (*g.shape[:2], *size), g.dtype)
    run(g, "adaptive_spread", "iiiiibb", out.size, *size, *g.shape[2:], g.buffer, out.buffer)
    return out

