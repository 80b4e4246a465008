"""Convolution as one product of matrices per image (im2col, Chellapilla et al. 2006).

    columns = (C * kh * kw, oh * ow)      one column per window (windows.py)
    out[n]  = weight (O, C * kh * kw) @ columns (C * kh * kw, oh * ow)

and out[n] already lies as the result does. A convolution is linear in its input and in its weight,
so three ops are each other's derivatives, of any order; h is a gradient of the weight's shape:

    conv2d(x, w)              x̄ = conv_transpose2d(g, w)    w̄ = conv2d_weight(x, g)
    conv_transpose2d(x, w)    x̄ = conv2d(g, w)              w̄ = conv2d_weight(g, x)
    conv2d_weight(x, g)       x̄ = conv_transpose2d(g, h)    ḡ = conv2d(x, h)

``declare`` says so for any number of dimensions (volumes.py); the functions are in conv.py.

The columns are never kept. They are made for a few images at a time (``BLOCK``), so that they stay
in the processor's cache: a third faster than all at once, and the memory needed does not grow with
the batch.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..engine.op import Op
from .windows import HW, Pads, add_windows, cropped, windows, zero_images

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Setting, Shape

    Kernel: TypeAlias = Callable[..., Array]

BLOCK = 1 << 19  # elements of columns made at a time: 2 MiB of float32


def blocks(n: int, per_image: int) -> Iterator[slice]:
    """Slices of a batch whose columns are not much larger than BLOCK."""
    step = max(1, BLOCK // max(per_image, 1))
    for start in range(0, n, step):
        yield slice(start, start + step)


# ---- the three ops -------------------------------------------------------------------------------
def _conv2d(
    F: Namespace, x: Array, w: Array, b: Array | None = None, *, stride: HW, padding: Pads,
    dilation: HW, groups: int,
) -> Array:  # fmt: skip
    view = windows(x, w.shape[2:], stride, padding, dilation)
    n, o = len(x), len(w)
    oh, ow = view.shape[4:]
    w = w.reshape(groups, o // groups, -1)
    out = np.empty((n, groups, o // groups, oh * ow), x.dtype)
    for part in blocks(n, math.prod(view.shape[1:])):
        columns = view[part]
        out[part] = F.matmul(w, columns.reshape(len(columns), groups, -1, oh * ow))
    out = out.reshape(n, o, oh, ow)
    if b is not None:
        out += b[:, None, None]
    return out


def _conv_transpose2d(
    F: Namespace, x: Array, w: Array, b: Array | None = None, *, size: HW, stride: HW,
    padding: Pads, dilation: HW, groups: int,
) -> Array:  # fmt: skip
    n, o, oh, ow = x.shape
    c, (kh, kw) = w.shape[1] * groups, w.shape[2:]
    x = x.reshape(n, groups, o // groups, oh * ow)
    w = w.reshape(groups, o // groups, -1).swapaxes(1, 2)
    out = zero_images(n, c, size, padding, x.dtype)
    for part in blocks(n, c * kh * kw * oh * ow):
        columns = F.matmul(w, x[part])
        add_windows(out[part], columns.reshape(len(columns), c, kh, kw, oh, ow), stride, dilation)
    out = cropped(out, padding)
    if b is not None:
        out += b[:, None, None]
    return out


def _conv2d_weight(
    F: Namespace, x: Array, g: Array, *, kernel: HW, stride: HW, padding: Pads, dilation: HW,
    groups: int,
) -> Array:  # fmt: skip
    view = windows(x, kernel, stride, padding, dilation)
    n, o, oh, ow = g.shape
    g = g.reshape(n, groups, o // groups, oh * ow)
    out = np.zeros((groups, o // groups, x.shape[1] // groups * kernel[0] * kernel[1]), x.dtype)
    for part in blocks(n, math.prod(view.shape[1:])):
        columns = view[part]
        out += np.matmul(
            g[part], columns.reshape(len(columns), groups, -1, oh * ow).swapaxes(2, 3)
        ).sum(0)
    return out.reshape(o, -1, *kernel)

# ---- the derivatives, for images and for volumes -------------------------------------------------
def terms(x: Shape, w: Shape, *_: Shape) -> int:
    """How many products one element of the result adds up, at most."""
    return math.prod(w[1:])


def declare(n: int, forward: Kernel, transposed: Kernel, weight: Kernel) -> tuple[Op, Op, Op]:
    """The three ops of ``n`` dimensions, which are each other's derivatives."""
    conv, back, filters = f"conv{n}d", f"conv_transpose{n}d", f"conv{n}d_weight"

    def spread(F: Namespace, g: Gradient, w: Operand, x: Operand, geometry: Setting) -> Gradient:
        return getattr(F, back)(g, w, size=tuple(x.shape[2:]), **geometry)

    def correlate(F: Namespace, x: Operand, g: Gradient, w: Operand, geometry: Setting) -> Gradient:
        return getattr(F, filters)(x, g, kernel=tuple(w.shape[2:]), **geometry)

    def of_bias(
        F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand = None,
        **geometry: Setting,
    ) -> Gradient:  # fmt: skip
        return F.sum(g, dim=(0, *range(2, n + 2)), keepdim=False)

    saves = ("y", "x", "x")  # the bias: as in PyTorch its second derivative is 0, not absent
    return (
        Op(
            conv,
            forward,
            vjps=(
                lambda F, g, out, x, w, b=None, **geometry: spread(F, g, w, x, geometry),
                lambda F, g, out, x, w, b=None, **geometry: correlate(F, x, g, w, geometry),
                of_bias,
            ),
            saves=saves,
            keeps="x y",
            formula="x ∗ w + b",
            rule=("g ∗ᵀ w", "x ∗ g", "Σ g over batch and places"),
            complex="holomorphic",
            terms=terms,
            torch_name="Convolution",
        ),
        Op(
            back,
            transposed,
            vjps=(
                lambda F, g, out, x, w, b=None, size=None, **geometry: getattr(F, conv)(
                    g, w, **geometry
                ),
                lambda F, g, out, x, w, b=None, size=None, **geometry: correlate(
                    F, g, x, w, geometry
                ),
                of_bias,
            ),
            saves=saves,
            keeps="x y",
            formula="x ∗ᵀ w + b",
            rule=("g ∗ w", "g ∗ x", "Σ g over batch and places"),
            complex="holomorphic",
            terms=terms,
            torch_name="Convolution",
        ),
        Op(
            filters,
            weight,
            vjps=(
                lambda F, h, out, x, g, kernel, **geometry: spread(F, g, h, x, geometry),
                lambda F, h, out, x, g, kernel, **geometry: getattr(F, conv)(x, h, **geometry),
            ),
            saves=("y", "x"),
            formula="Σ windows(x) · g",
            rule=("y ∗ᵀ g", "x ∗ g"),
            complex="holomorphic",
            terms=terms,
            torch_name="ConvolutionWeight",
        ),
    )


conv2d_op, conv_transpose2d_op, _ = declare(2, _conv2d, _conv_transpose2d, _conv2d_weight)
