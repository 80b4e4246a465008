"""The windows that convolution, unfold and pooling slide over images, and their arguments.

    windows(x)[n, c, i, j, y, x]     what the window at place (y, x) sees at its element (i, j)

is a view: no data moves. In the ops an image is (N, C, H, W), padding is ((top, bottom), (left,
right)), and a 1-d input is an image of height 1.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..base.errors import message
from ..engine.argument_types import is_int
from ..engine.record import constant_of
from ..graph import storage_of
from .arguments import owned
from .node_names import rename

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, DType, Shape
    from ..handles.tensor import Tensor

HW: TypeAlias = tuple[int, int]  # for height and width: kernel, stride, dilation
Pads: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))
UNPADDED: Pads = ((0, 0), (0, 0))


# ---- windows of an image -------------------------------------------------------------------------
def windows(
    x: Array, kernel: HW, stride: HW, padding: Pads, dilation: HW, fill: float = 0
) -> Array:
    """A read-only view (N, C, kh, kw, oh, ow) of the windows of ``x``.

    If there is padding, it is a view of a copy of ``x`` surrounded by ``fill``.
    """
    if padding != UNPADDED:
        x = surrounded(x, padding, fill)
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = out_size(h, kh, sh, dh), out_size(w, kw, sw, dw)
    per_n, per_c, per_h, per_w = x.strides
    strides = (per_n, per_c, dh * per_h, dw * per_w, sh * per_h, sw * per_w)
    return as_strided(x, (n, c, kh, kw, oh, ow), strides, writeable=False)


def add_windows(out: Array, d: Array, stride: HW, dilation: HW) -> None:
    """Add d (N, C, kh, kw, oh, ow) to the image ``out``, where ``windows`` reads each element."""
    for i, j, place in places(d.shape[2:4], d.shape[4:], stride, dilation):
        out[place] += d[:, :, i, j]


def places(
    kernel: HW, size: HW, stride: HW, dilation: HW
) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
    """For each element (i, j) of the kernel: where ``size`` windows find it in the padded image."""
    (sh, sw), (dh, dw), (oh, ow) = stride, dilation, size
    every = slice(None)
    for i in range(kernel[0]):
        rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
        for j in range(kernel[1]):
            yield i, j, (every, every, rows, slice(j * dw, j * dw + sw * (ow - 1) + 1, sw))


def out_size(n: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows fit in n (padded) places."""
    return (n - dilation * (kernel - 1) - 1) // stride + 1


# ---- padding -------------------------------------------------------------------------------------
def surrounded(x: Array, padding: Pads, fill: float) -> Array:
    """A copy of ``x`` with ``fill`` around each image."""
    (top, bottom), (left, right) = padding
    n, c, h, w = x.shape
    out = np.full((n, c, h + top + bottom, w + left + right), fill, x.dtype)
    out[:, :, top : top + h, left : left + w] = x
    return out


def cropped(x: Array, padding: Pads) -> Array:
    """``x`` without its padding."""
    if padding == UNPADDED:
        return x
    (top, bottom), (left, right) = padding
    return np.ascontiguousarray(x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right])


def zero_images(n: int, c: int, size: HW, padding: Pads, dtype: DType) -> Array:
    """Zeros for n padded images of c channels."""
    (top, bottom), (left, right) = padding
    return np.zeros((n, c, size[0] + top + bottom, size[1] + left + right), dtype)


# ---- one dimension as two ------------------------------------------------------------------------
_OF_HEIGHT_1: Attrs = {"size": 1, "kernel": 1, "stride": 1, "dilation": 1, "padding": (0, 0)}


def image_attrs(attrs: Attrs) -> Attrs:
    """The attrs of a 1-d op as those of images of height 1."""
    return {k: (_OF_HEIGHT_1[k], *v) if k in _OF_HEIGHT_1 else v for k, v in attrs.items()}


def to_images(input: Tensor, n: int) -> Tensor:
    """A tensor of n spatial dimensions, with or without a batch, as images (N, C, H, W)."""
    x, node = input.array, input.node
    if n == 1 and x.ndim == 3 and not node.needs and _in_rows(x):
        # nobody sees these images: no view of the input needs to be known
        images = constant_of(x.reshape(x.shape[0], x.shape[1], 1, x.shape[2]), node.dev)
        images.node.storage = storage_of(node)  # a write to it is seen by backward of the op
        return images
    if input.array.ndim == n + 1:
        input = input.unsqueeze(0)
    return input.unsqueeze(-2) if n == 1 else input


def _in_rows(x: Array) -> bool:
    return type(x) is np.ndarray and x.flags.c_contiguous


def from_images(out: Tensor, like: Tensor, n: int, view: bool) -> Tensor:
    """Images as a tensor of n spatial dimensions, with a batch if ``like`` has one.

    ``view``: it counts as a view of the images.
    """
    x, node = out.array, out.node
    if n == 1 and like.array.ndim == 3 and not view and not node.needs and _in_rows(x):
        return constant_of(x.reshape(x.shape[0], x.shape[1], x.shape[3]), node.dev)
    lines = out.squeeze(-2) if n == 1 else out
    if like.array.ndim == n + 1:
        lines = lines.squeeze(0)
    if view or lines is out:
        return lines
    return owned(lines) if out.node.op is None else rename(owned(lines), out.node.name())


# ---- reading arguments ---------------------------------------------------------------------------
def numbers(value: Any, n: int, name: str, op: str, least: int = 0) -> Shape:
    """``value`` (an int, or n of them) as n ints of at least ``least``."""
    if type(value) is int and value >= least:  # the common case
        return (value,) * n
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(is_int(v) for v in values):
        raise TypeError(
            message(f"{op}(): argument '{name}' must be tuple of ints, but got {value!r}")
        )
    if len(values) not in (1, n):
        raise RuntimeError(
            message(
                f"expected {name} to be a single integer value or a list of {n} values to match "
                f"the convolution dimensions, but got {name}={list(values)}",
                f"{op}()",
            )
        )
    values = tuple(int(v) for v in (values * n if len(values) == 1 else values))
    if min(values) < least:
        wrong = "negative" if least == 0 else "non-positive"
        raise RuntimeError(
            message(f"{op}(): {wrong} {name} is not supported, but got {name}={value}")
        )
    return values


def sizes_text(shape: Sequence[int], times: str = " x ") -> str:
    """Sizes as PyTorch's messages write them: "(3 x 4)"."""
    return f"({times.join(map(str, shape))})"
