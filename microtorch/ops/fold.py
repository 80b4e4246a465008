"""Unfold and fold: the windows of images as columns, and columns added up to images.

They are each other's derivative, and each other's transpose.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import ShapeError, message
from ..engine.op import Op
from ..engine.short import single
from .arguments import owned
from .windows import HW, Pads, add_windows, cropped, numbers, out_size, windows, zero_images

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Namespace, Pair, Shape
    from ..handles.tensor import Tensor


# ---- the ops -------------------------------------------------------------------------------------
def _unfold(F: Namespace, x: Array, kernel: HW, stride: HW, padding: Pads, dilation: HW) -> Array:
    view = windows(x, kernel, stride, padding, dilation)
    return np.array(view, order="C").reshape(
        len(x), math.prod(view.shape[1:4]), math.prod(view.shape[4:])
    )


def _fold(
    F: Namespace, x: Array, size: HW, kernel: HW, stride: HW, padding: Pads, dilation: HW
) -> Array:
    oh, ow = (
        out_size(n + sum(p), k, s, d)
        for n, p, k, s, d in zip(size, padding, kernel, stride, dilation, strict=True)
    )
    c = x.shape[1] // (kernel[0] * kernel[1])
    out = zero_images(len(x), c, size, padding, x.dtype)
    add_windows(out, x.reshape(len(x), c, *kernel, oh, ow), stride, dilation)
    return cropped(out, padding)


unfold_op = Op(
    "unfold",
    _unfold,
    vjps=(lambda F, g, out, x, **geometry: F.fold(g, size=tuple(x.shape[2:]), **geometry),),
    formula="the columns of x",
    rule=("g, added where it was read",),
    torch_name="Im2Col",
)
fold_op = Op(
    "fold",
    _fold,
    vjps=(lambda F, g, out, x, size, **geometry: F.unfold(g, **geometry),),
    formula="the columns, added where unfold reads them",
    rule=("the columns of g",),
    torch_name="Col2Im",
)


# ---- the functions -------------------------------------------------------------------------------
def unfold(
    input: Tensor, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1
) -> Tensor:
    """The windows of images (N, C, H, W) as columns (N, C * kh * kw, L), one for each of L windows.

    An unbatched image (C, H, W) gives (C * kh * kw, L).
    """
    if input.array.ndim not in (3, 4) or 0 in input.array.shape[input.array.ndim - 3 :]:
        raise ShapeError(
            message(
                "Expected 3D or 4D (batch mode) tensor for input with possibly 0 batch size and "
                f"other non-zero dimensions for input, but got: {list(input.array.shape)}"
            )
        )
    if input.array.ndim == 3:
        x = input.unsqueeze(0)
        return owned(unfold(x, kernel_size, dilation, padding, stride).squeeze(0))
    attrs = _columns("unfold", kernel_size, dilation, padding, stride)
    _windows_of("unfold", tuple(input.array.shape[2:]), attrs)
    return single(unfold_op, input, attrs)


def fold(
    input: Tensor, output_size: Pair, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0,
    stride: Pair = 1,
) -> Tensor:  # fmt: skip
    """Columns (N, C * kh * kw, L) added up to images (N, C, *output_size): unfold's transpose."""
    x = input.array
    if x.ndim not in (2, 3):
        raise ShapeError(
            message(
                "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
                f"non-zero dimensions for input, but got: {list(x.shape)}"
            )
        )
    if x.ndim == 2:
        return fold(
            input.unsqueeze(0), output_size, kernel_size, dilation, padding, stride
        ).squeeze(0)
    attrs = _columns("fold", kernel_size, dilation, padding, stride)
    size = numbers(output_size, 2, "output_size", "fold", 1)
    count = _windows_of("fold", size, attrs)
    if x.shape[1] % math.prod(attrs["kernel"]):
        raise ShapeError(
            message(
                "Expected size of input's dimension 1 to be divisible by the product of "
                f"kernel_size, but got input.size(1)={x.shape[1]} and "
                f"kernel_size={attrs['kernel']}."
            )
        )
    if x.shape[2] != math.prod(count):
        raise ShapeError(
            message(
                f"Given output_size={size}, kernel_size={attrs['kernel']}, "
                f"dilation={attrs['dilation']}, padding={padding}, stride={attrs['stride']}, "
                "expected size of input's dimension 2 to match the calculated number of sliding "
                f"blocks {count[0]} * {count[1]} = {math.prod(count)}, but got "
                f"input.size(2)={x.shape[2]}."
            )
        )
    return single(fold_op, input, {"size": size, **attrs})


def _columns(op: str, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Attrs:
    named = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
    for name, value in named.items():
        if isinstance(value, (tuple, list)) and len(value) == 1:
            what = f"It is expected {name} equals to 2, but got size 1"
            raise RuntimeError(message(what, f"{op}()", fix=f"{name}={value[0]}"))
    return {
        "kernel": numbers(kernel, 2, "kernel_size", op, 1),
        "stride": numbers(stride, 2, "stride", op, 1),
        "padding": tuple((p, p) for p in numbers(padding, 2, "padding", op)),
        "dilation": numbers(dilation, 2, "dilation", op, 1),
    }


def _windows_of(op: str, size: Shape, attrs: Attrs) -> list[int]:
    geometry = [attrs[name] for name in ("padding", "kernel", "stride", "dilation")]
    count = [out_size(n + sum(p), k, s, d) for n, p, k, s, d in zip(size, *geometry, strict=True)]
    if min(count) <= 0:
        raise ShapeError(
            message(
                f"Given an image of size {size}, kernel_size={attrs['kernel']}, "
                f"dilation={attrs['dilation']}, padding={attrs['padding']}, calculated shape of "
                f"the array of sliding blocks as {tuple(count)}, but its components must be at "
                "least one.",
                f"{op}()",
            )
        )
    return count
