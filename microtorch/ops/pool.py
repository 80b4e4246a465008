"""Pooling of rows, images and volumes: the arguments of the ops of pool_ops.py, read and checked.

The windows of a call follow from its sizes and numbers alone, so they are looked up where the
numbers are Python's ints. Padding includes what ``ceil_mode`` adds.
"""
from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..base.errors import ShapeError, describe, message
from ..engine.out import into
from ..engine.record import constant, constant_of
from ..engine.registry import REGISTRY
from ..engine.short import single, unrecorded_arrays
from .arguments import not_floating
from .conv import layout
from .pool_ops import adaptive_avg_pool2d_op, avg_pool2d_op, max_pool2d_op, pool_place_op
from .surface import public
from .windows import Pads, from_images, image_attrs, numbers, sizes_text, to_images

if TYPE_CHECKING:
    from ..base.types import Attrs, Pair, Shape
    from ..handles.tensor import Tensor
    from .pool_ops import Divisor

Counts: TypeAlias = "int | list[Counts]"
TargetSize: TypeAlias = "int | tuple[int | None, ...] | None"  # None: as the input


# ---- reading arguments ---------------------------------------------------------------------------
def check(op: str, input: Tensor, n: int, least: int = 1) -> None:
    """ShapeError unless it is (N, C, ...), or (C, ...) with C of at ``least`` so many."""
    if not _fits(input.array.shape, n, least):
        raise ShapeError(
            message(
                f"{op}: Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim "
                f"batch size for input, but got: {list(input.array.shape)}",
                fix=f"the layout is (batch, channels, {layout(n)})",
            )
        )


def _fits(shape: Shape, n: int, least: int = 1) -> bool:
    """Is a shape (N, C, ...), or (C, ...) with C of at ``least`` so many?"""
    few = len(shape) == n + 1 and shape[0] < least
    return len(shape) in (n + 1, n + 2) and 0 not in shape[1:] and not few


def geometry_of(
    op: str, input: Tensor, n: int, kernel: Pair, stride: Pair | None, padding: Pair,
    dilation: Pair, ceil_mode: bool,
) -> Attrs:  # fmt: skip
    """The attrs of a pooling op, which may be those of other calls: nobody changes them.

    Bottom and right padding are as large as the last window of ``ceil_mode`` needs.
    """
    ints = type(kernel) is type(padding) is type(dilation) is int  # as mostly
    known = ints and (stride is None or type(stride) is int)
    read = _geometry_of_ints if known else _geometry
    sizes = input.array.shape[-n:]
    attrs = read(op, sizes, n, kernel, stride, padding, dilation, ceil_mode)
    if attrs is None:
        raise _too_small(op, input, n, kernel, padding)
    return attrs


def _geometry(
    op: str, sizes: Shape, n: int, kernel: Pair, stride: Pair | None, padding: Pair,
    dilation: Pair, ceil_mode: bool,
) -> Attrs | None:  # fmt: skip
    """``geometry_of`` images of these sizes, of one dimension that of images of height 1; None
    where no window fits.
    """
    kernels = numbers(kernel, n, "kernel_size", op, 1)
    unset = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    steps = kernels if unset else numbers(stride, n, "stride", op, 1)
    dilations, around = numbers(dilation, n, "dilation", op, 1), numbers(padding, n, "padding", op)
    padded = _padded(sizes, kernels, steps, around, dilations, ceil_mode)
    if padded is None:
        return None
    attrs: Attrs = {
        "kernel": kernels, "stride": steps, "padding": padded, "dilation": dilations
    }  # fmt: skip
    return image_attrs(attrs) if n == 1 else attrs


_geometry_of_ints = lru_cache(1024)(_geometry)


def _too_small(op: str, input: Tensor, n: int, kernel: Pair, padding: Pair) -> ShapeError:
    size = input.array.shape[-n - 1 :]
    return ShapeError(
        message(
            f"Given input size: {sizes_text(size, 'x')}. Calculated output size: "
            f"{sizes_text((size[0], *[0] * n), 'x')}. Output size is too small",
            f"{op}: input {describe(input)}, kernel_size={kernel}, padding={padding}: a window is "
            "larger than the image",
            fix="a larger input, a smaller kernel, or fewer poolings before",
        )
    )


@lru_cache(1024)
def _padded(
    sizes: Shape, kernels: Shape, steps: Shape, around: Shape, dilations: Shape, ceil_mode: bool
) -> tuple[Shape, ...] | None:
    """The padding before and after each dimension; None where no window fits."""
    padded = []
    for size, k, s, p, d in zip(sizes, kernels, steps, around, dilations, strict=True):
        reach = d * (k - 1) + 1
        if p > reach // 2:
            raise RuntimeError(
                message(
                    f"pad should be at most half of effective kernel size, but got pad={p}, "
                    f"kernel_size={k} and dilation={d}",
                )
            )
        count = (size + 2 * p - reach + (s - 1 if ceil_mode else 0)) // s + 1
        # a last window that would begin in the padding is left out
        if ceil_mode and (count - 1) * s >= size + p:
            count -= 1
        if count < 1:
            return None
        padded.append((p, max(p, (count - 1) * s + reach - size - p)))
    return tuple(padded)


# ---- the functions -------------------------------------------------------------------------------
def _max_pool(
    op: str, n: int, input: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair,
    dilation: Pair, ceil_mode: bool, return_indices: bool,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    given = kernel_size, stride, padding, dilation, ceil_mode
    if n == 1 and not return_indices and len(shape := input.array.shape) == 3:
        if (found := unrecorded_arrays(input)) is not None:  # nobody sees the images
            (dev, x), attrs = found, geometry_of(op, input, n, *given)
            images = dev.max_pool2d(x.reshape(shape[0], shape[1], 1, shape[2]), **attrs)
            return constant_of(images.reshape(shape[0], shape[1], -1), dev)
    check(op, input, n)
    attrs = geometry_of(op, input, n, *given)
    x = to_images(input, n)
    out = single(max_pool2d_op, x, attrs)
    if not return_indices:
        return from_images(out, input, n, n == 1 and out.node.needs)
    place = pool_place_op.kernels[x.node.dev](x.array, out.array, **attrs).astype(np.int64)
    kw, (sh, sw), (dh, dw) = attrs["kernel"][1], attrs["stride"], attrs["dilation"]
    h, w = out.array.shape[2:]
    top, left = attrs["padding"][0][0], attrs["padding"][1][0]
    rows = x.node.dev.array(np.arange(h)[:, None] * sh - top) + place // kw * dh
    columns = x.node.dev.array(np.arange(w) * sw - left) + place % kw * dw
    indices = constant(rows * x.array.shape[3] + columns, x.node.dev)
    return from_images(out, input, n, n == 1), from_images(indices, input, n, n == 1)


@public(method=False)
def max_pool2d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    dilation: Pair = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """The largest element of each window of ``input`` (N, C, H, W) or (C, H, W).

    ``stride`` is kernel_size unless given; if it is smaller, windows overlap. Padding counts as
    -inf. H' = (H + 2 padding - dilation (kh - 1) - 1) / stride + 1, rounded down, or up with
    ``ceil_mode``. ``return_indices``: also where, as int64 indices into each flattened image.
    """
    return _max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


@public(method=False)
def max_pool1d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    dilation: Pair = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """max_pool2d with one dimension: input (N, C, L) or (C, L)."""
    return _max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


@lru_cache(maxsize=64)
def _divisor(
    size: Shape, kernel: Shape, stride: Shape, padding: Shape, padded: Pads, include: bool
) -> Divisor:
    """How many elements each mean counts: a number if all windows agree, else a tuple of rows."""
    counts = []
    for n, k, s, p, around in zip(size, kernel, stride, padding, padded, strict=True):
        start = np.arange((n + sum(around) - k) // s + 1) * s - p
        stop = np.minimum(start + k, n + p)
        counts.append(stop - start if include else np.minimum(stop, n) - np.maximum(start, 0))
    table = reduce(np.multiply.outer, counts)
    first = int(table.flat[0])
    return first if (table == first).all() else nested(table.tolist())


def nested(values: Counts) -> Divisor:
    """Nested lists as nested tuples, which are hashable and cannot change."""
    return tuple([nested(v) for v in values]) if isinstance(values, list) else values


def averages(
    op: str, n: int, input: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair,
    ceil_mode: bool, count_include_pad: bool, divisor_override: int | None,
) -> Attrs:  # fmt: skip
    """The attrs of a mean over the windows of n spatial dimensions, of one as of images of height
    1. Raises for what has none.
    """
    given = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    x = input.array
    ints = type(kernel_size) is type(padding) is int and (stride is None or type(stride) is int)
    if ints and (divisor_override is None or type(divisor_override) is int):
        attrs = _known_means(op, x.shape, x.dtype.kind, n, *given)
        if attrs is not None:
            return attrs
    check(op, input, n)
    if x.dtype.kind not in "fiuV":
        raise not_floating(op, input)
    if divisor_override == 0:
        raise RuntimeError(message("divisor must be not zero", f"{op}(divisor_override=0)"))
    attrs = _means(op, x.shape[-n:], n, *given)
    if attrs is None:
        raise _too_small(op, input, n, kernel_size, padding)
    return attrs


def _means(
    op: str, sizes: Shape, n: int, kernel_size: Pair, stride: Pair | None, padding: Pair,
    ceil_mode: bool, count_include_pad: bool, divisor_override: int | None,
) -> Attrs | None:  # fmt: skip
    """``averages`` of images of these sizes; None where no window fits."""
    attrs = _geometry(op, sizes, n, kernel_size, stride, padding, 1, ceil_mode)
    if attrs is None:
        return None
    del attrs["dilation"]
    around = numbers(padding, n, "padding", op)
    if n == 1:
        sizes, around = (1, *sizes), (0, *around)
    attrs["divisor"] = divisor_override or _divisor(
        sizes, attrs["kernel"], attrs["stride"], around, attrs["padding"], count_include_pad
    )
    return attrs


@lru_cache(1024)
def _known_means(op: str, shape: Shape, kind: str, n: int, *given: Any) -> Attrs | None:
    """``averages`` of images of a shape and kind of dtype; None where it raises, and says why."""
    fine = _fits(shape, n) and kind in "fiuV" and given[-1] != 0
    return _means(op, shape[-n:], n, *given) if fine else None


def _avg_pool(
    op: str, n: int, input: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair,
    ceil_mode: bool, count_include_pad: bool, divisor_override: int | None,
) -> Tensor:  # fmt: skip
    attrs = averages(
        op, n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    pool, d = avg_pool2d_op if n < 3 else REGISTRY[op], input.array.dtype
    if d.kind == "f" and n > 1 and input.array.ndim == n + 2:  # as mostly
        return single(pool, input, attrs)
    if d.kind in "bu" or (d.kind == "i" and d.itemsize < 8):  # PyTorch has it for int64 only
        raise not_floating(op, input)
    if d.kind == "i":  # the quotient of integers, cut off towards 0
        return _avg_pool(
            op, n, input.double(), kernel_size, stride, padding, ceil_mode, count_include_pad,
            divisor_override,
        ).trunc().to(input.dtype)  # fmt: skip
    return from_images(single(pool, to_images(input, n), attrs), input, n, n == 1)


def avg_pool2d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window of ``input`` (N, C, H, W) or (C, H, W); sizes as for max_pool2d.

    Padding is 0 and is counted unless ``count_include_pad=False``; ``divisor_override`` divides the
    sum instead of the count.
    """
    if out is not None:
        given = (input, kernel_size, stride, padding, ceil_mode, count_include_pad)
        return into(out, avg_pool2d, (*given, divisor_override), {})
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


def avg_pool3d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """avg_pool2d with one dimension more: ``input`` (N, C, D, H, W) or (C, D, H, W)."""
    if out is not None:
        given = (input, kernel_size, stride, padding, ceil_mode, count_include_pad)
        return into(out, avg_pool3d, (*given, divisor_override), {})
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


@public(method=False)
def avg_pool1d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """avg_pool2d with one dimension: input (N, C, L) or (C, L)."""
    return _avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


def target_size(op: str, input: Tensor, output_size: TargetSize, n: int) -> Shape:
    if isinstance(output_size, (tuple, list)) and input.array.ndim <= len(output_size) > 1:
        raise ValueError(
            message(
                f"Input dimension should be at least {len(output_size) + 1}",
                f"{op}: input {describe(input)}, output_size={tuple(output_size)}",
            )
        )
    check(op, input, n, 0)
    if input.array.dtype.kind not in "fV":
        raise not_floating(op, input)
    if output_size is None:
        what = f"{op}(): argument 'output_size' (position 2) must be tuple of ints, not NoneType"
        raise TypeError(message(what, fix="None keeps one of several sizes: (None, 7)"))
    sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(sizes) != n:
        raise RuntimeError(message(f"{op}: output_size must be {n} numbers, not {len(sizes)}"))
    given = zip(input.array.shape[-n:], sizes, strict=False)
    return numbers(tuple(m if s is None else s for m, s in given), n, "output_size", op)


def _adaptive_avg(n: int, input: Tensor, output_size: TargetSize) -> Tensor:
    op = f"adaptive_avg_pool{n}d"
    size = target_size(op, input, output_size, n)
    pool = adaptive_avg_pool2d_op if n < 3 else REGISTRY[op]
    out = single(pool, to_images(input, n), {"size": size if n > 1 else (1, *size)})
    return from_images(out, input, n, n == 1)


def adaptive_avg_pool2d(input: Tensor, output_size: TargetSize) -> Tensor:
    """Means over ``output_size`` (H', W') windows, whatever the size of ``input``.

    None keeps a size.
    """
    return _adaptive_avg(2, input, output_size)


@public(method=False)
def adaptive_avg_pool1d(input: Tensor, output_size: TargetSize) -> Tensor:
    """adaptive_avg_pool2d with one dimension: input (N, C, L) or (C, L)."""
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: TargetSize) -> Tensor:
    """adaptive_avg_pool2d with one dimension more: ``input`` (N, C, D, H, W) or (C, D, H, W)."""
    return _adaptive_avg(3, input, output_size)
