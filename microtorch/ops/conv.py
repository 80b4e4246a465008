"""Convolution as one product of matrices per image (im2col, Chellapilla et al. 2006).

    windows(x)[n, c, i, j, y, x]     what the window at place (y, x) sees at its element (i, j): a view, no data moves
    columns = (C * kh * kw, oh * ow) one column per window
    out[n]  = weight (O, C * kh * kw) @ columns (C * kh * kw, oh * ow)       already in the layout of the result

A convolution is linear in its input and in its weight, so three ops are each other's derivatives, of any order:

    conv2d(x, w)              x̄ = conv_transpose2d(g, w)    w̄ = conv2d_weight(x, g)
    conv_transpose2d(x, w)    x̄ = conv2d(g, w)              w̄ = conv2d_weight(g, x)
    conv2d_weight(x, g)       x̄ = conv_transpose2d(g, h)    ḡ = conv2d(x, h)        for a gradient h of the weight's shape

The columns are never kept, and made for a few images at a time (``BLOCK``), so that they stay in the processor's cache: a third
faster than all at once, and the memory needed does not grow with the batch. In the ops, padding is ((top, bottom), (left, right)).
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import ShapeError, describe, message
from . import Op, apply, public
from .reduce import TORCH_TYPES

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]
BLOCK = 1 << 19  # elements of columns made at a time: 2 MiB of float32


# ---- windows -------------------------------------------------------------------------------------------------------
def windows(x: Any, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, fill: float = 0) -> Any:
    """A read-only view (N, C, kh, kw, oh, ow) of x (N, C, H, W), which is first surrounded by ``fill`` (a copy) if padded."""
    if padding != ((0, 0), (0, 0)):
        x = surrounded(x, padding, fill)
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    per_n, per_c, per_h, per_w = x.strides
    strides = (per_n, per_c, dh * per_h, dw * per_w, sh * per_h, sw * per_w)
    return as_strided(x, (n, c, kh, kw, oh, ow), strides, writeable=False)


def surrounded(x: Any, padding: Padding, fill: float) -> Any:
    (top, bottom), (left, right) = padding
    n, c, h, w = x.shape
    out = np.full((n, c, h + top + bottom, w + left + right), fill, x.dtype)
    out[:, :, top : top + h, left : left + w] = x
    return out


def add_windows(out: Any, d: Any, stride: Pair, dilation: Pair) -> None:
    """Add d (N, C, kh, kw, oh, ow) to ``out`` (N, C, H, W), each element at the place that ``windows`` reads it from."""
    for i, j, place in places(d.shape[2:4], d.shape[4:], stride, dilation):
        out[place] += d[:, :, i, j]


def places(kernel: Pair, size: Pair, stride: Pair, dilation: Pair) -> Iterator[tuple[int, int, Any]]:
    """For each element (i, j) of the kernel, the index of all its places in the (padded) image, for ``size`` windows."""
    (sh, sw), (dh, dw), (oh, ow) = stride, dilation, size
    for i in range(kernel[0]):
        rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
        for j in range(kernel[1]):
            yield i, j, (slice(None), slice(None), rows, slice(j * dw, j * dw + sw * (ow - 1) + 1, sw))


def cropped(x: Any, padding: Padding) -> Any:
    """x without its padding."""
    if padding == ((0, 0), (0, 0)):
        return x
    (top, bottom), (left, right) = padding
    return np.ascontiguousarray(x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right])


def empty_image(n: int, c: int, size: Pair, padding: Padding, dtype: Any) -> Any:
    (top, bottom), (left, right) = padding
    return np.zeros((n, c, size[0] + top + bottom, size[1] + left + right), dtype)


def blocks(n: int, per_image: int) -> Iterator[slice]:
    """Slices of a batch whose columns are not much larger than BLOCK."""
    step = max(1, BLOCK // max(per_image, 1))
    for start in range(0, n, step):
        yield slice(start, start + step)


# ---- the three ops -------------------------------------------------------------------------------------------------
def _conv2d(F: Any, x: Any, w: Any, b: Any = None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Any:
    view = windows(x, w.shape[2:], stride, padding, dilation)
    n, o, oh, ow = len(x), len(w), *view.shape[4:]
    w = w.reshape(groups, o // groups, -1)
    out = np.empty((n, groups, o // groups, oh * ow), x.dtype)
    for part in blocks(n, math.prod(view.shape[1:])):
        columns = view[part]
        np.matmul(w, columns.reshape(len(columns), groups, -1, oh * ow), out=out[part])
    out = out.reshape(n, o, oh, ow)
    if b is not None:
        out += b[:, None, None]
    return out


def _conv_transpose2d(
    F: Any, x: Any, w: Any, b: Any = None, *, size: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Any:
    n, o, oh, ow = x.shape
    c, kh, kw = w.shape[1] * groups, *w.shape[2:]
    x = x.reshape(n, groups, o // groups, oh * ow)
    w = w.reshape(groups, o // groups, -1).swapaxes(1, 2)
    out = empty_image(n, c, size, padding, x.dtype)
    for part in blocks(n, c * kh * kw * oh * ow):
        columns = np.matmul(w, x[part])
        add_windows(out[part], columns.reshape(len(columns), c, kh, kw, oh, ow), stride, dilation)
    out = cropped(out, padding)
    if b is not None:
        out += b[:, None, None]
    return out


def _conv2d_weight(
    F: Any, x: Any, g: Any, *, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Any:
    view = windows(x, kernel, stride, padding, dilation)
    n, o, oh, ow = g.shape
    g = g.reshape(n, groups, o // groups, oh * ow)
    out = np.zeros((groups, o // groups, x.shape[1] // groups * kernel[0] * kernel[1]), x.dtype)
    for part in blocks(n, math.prod(view.shape[1:])):
        columns = view[part]
        out += np.matmul(g[part], columns.reshape(len(columns), groups, -1, oh * ow).swapaxes(2, 3)).sum(0)
    return out.reshape(o, -1, *kernel)


def _over_batch_and_places(F: Any, g: Any, out: Any, x: Any, w: Any, b: Any = None, **geometry: Any) -> Any:
    return F.sum(g, dim=(0, 2, 3), keepdim=False)


def _transposed(F: Any, g: Any, out: Any, x: Any, w: Any, b: Any = None, **geometry: Any) -> Any:
    return F.conv_transpose2d(g, w, size=tuple(x.shape[2:]), **geometry)


def _to_weight(F: Any, g: Any, out: Any, x: Any, w: Any, b: Any = None, **geometry: Any) -> Any:
    return F.conv2d_weight(x, g, kernel=tuple(w.shape[2:]), **geometry)


def _transposed_to_weight(F: Any, g: Any, out: Any, x: Any, w: Any, b: Any = None, *, size: Pair, **geometry: Any) -> Any:
    return F.conv2d_weight(g, x, kernel=tuple(w.shape[2:]), **geometry)


def _terms(x: Any, w: Any, *_: Any) -> int:
    """How many products one element of the result adds up, at most."""
    return math.prod(w[1:])


conv2d_op = Op(
    "conv2d",
    _conv2d,
    vjps=(_transposed, _to_weight, _over_batch_and_places),
    saves=("y", "x", ""),
    formula="x ∗ w + b",
    rule=("g ∗ᵀ w", "x ∗ g", "Σ g over batch and places"),
    terms=_terms,
    torch_name="Convolution",
)
conv_transpose2d_op = Op(
    "conv_transpose2d",
    _conv_transpose2d,
    vjps=(
        lambda F, g, out, x, w, b=None, size=None, **geometry: F.conv2d(g, w, **geometry),
        _transposed_to_weight,
        _over_batch_and_places,
    ),
    saves=("y", "x", ""),
    formula="x ∗ᵀ w + b",
    rule=("g ∗ w", "g ∗ x", "Σ g over batch and places"),
    terms=_terms,
    torch_name="Convolution",
)
conv2d_weight_op = Op(
    "conv2d_weight",
    _conv2d_weight,
    vjps=(
        lambda F, h, out, x, g, kernel, **geometry: F.conv_transpose2d(g, h, size=tuple(x.shape[2:]), **geometry),
        lambda F, h, out, x, g, kernel, **geometry: F.conv2d(x, h, **geometry),
    ),
    saves=("y", "x"),
    formula="Σ windows(x) · g",
    rule=("y ∗ᵀ g", "x ∗ g"),
    terms=_terms,
    torch_name="ConvolutionWeight",
)


# ---- unfold and fold: the columns themselves -----------------------------------------------------------------------
def _unfold(F: Any, x: Any, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Any:
    view = windows(x, kernel, stride, padding, dilation)
    return np.array(view, order="C").reshape(len(x), math.prod(view.shape[1:4]), math.prod(view.shape[4:]))


def _fold(F: Any, x: Any, size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Any:
    oh, ow = (out_size(n + sum(p), k, s, d) for n, p, k, s, d in zip(size, padding, kernel, stride, dilation, strict=True))
    c = x.shape[1] // (kernel[0] * kernel[1])
    out = empty_image(len(x), c, size, padding, x.dtype)
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


# ---- reading arguments ---------------------------------------------------------------------------------------------
def numbers(value: Any, n: int, name: str, op: str, least: int = 0) -> tuple[int, ...]:
    """``value`` (an int, or n of them) as n ints of at least ``least``."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if any(isinstance(v, bool) or not hasattr(v, "__index__") for v in values):
        raise TypeError(message(f"{op}(): argument '{name}' must be tuple of ints, but got {value!r}"))
    if len(values) not in (1, n):
        raise RuntimeError(message(f"expected {name} to be a single integer value or a list of {n} values to match the "
                                   f"convolution dimensions, but got {name}={list(values)}", f"{op}()"))
    values = tuple(int(v) for v in (values * n if len(values) == 1 else values))
    if min(values) < least:
        wrong = "negative" if least == 0 else "non-positive"
        raise RuntimeError(message(f"{op}(): {wrong} {name} is not supported, but got {name}={value}"))
    return values


def out_size(n: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows fit in n (padded) places."""
    return (n - dilation * (kernel - 1) - 1) // stride + 1


def same(kernel: Sequence[int], dilation: Sequence[int]) -> tuple[Pair, ...]:
    """The padding that keeps the size at stride 1: the odd element goes to the end, as in PyTorch."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((t // 2, t - t // 2) for t in total)


def _sizes(shape: Sequence[int]) -> str:
    return f"({' x '.join(map(str, shape))})"


C_TYPES = {"float32": "float", "float64": "double", "float16": "c10::Half"}


def check(op: str, input: Any, weight: Any, bias: Any, n: int, groups: int, transposed: bool = False) -> None:
    """Raise unless input, weight and bias of an n-d convolution have the ranks, dtypes and channels that fit."""
    x, w = input.array, weight.array
    got = (f"input {describe(x)}, weight {describe(w)}" + (f", bias {describe(bias)}" if bias is not None else ""),)
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(
            message(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {op}, but got input of size: {list(x.shape)}",
                *got,
                fix=f"the layout is (batch, channels, {'height, width' if n == 2 else 'length'}): see unsqueeze, reshape, permute",
            )
        )
    if w.ndim != n + 2:
        raise ShapeError(message(f"{op}: expected a weight of {n + 2} dimensions, but got {w.ndim}", *got))
    if x.dtype.kind != "f":
        raise RuntimeError(message(f'"{op}" not implemented for \'{TORCH_TYPES[x.dtype.name]}\'', *got, fix="x.float()"))
    for name, y in (("weight", w), ("bias", None if bias is None else bias.array)):
        if y is not None and y.dtype != x.dtype:
            theirs, ours = (C_TYPES.get(d.name, d.name) for d in (x.dtype, y.dtype))
            raise RuntimeError(message(f"Input type ({theirs}) and {name} type ({ours}) should be the same", *got,
                                       fix="x.to(layer.weight.dtype)"))
    if groups <= 0:
        raise RuntimeError(message("non-positive groups is not supported", f"{op}: groups={groups}"))
    channels, first = x.shape[-n - 1], w.shape[0]
    expected = first if transposed else w.shape[1] * groups
    if channels != expected:
        raise ShapeError(
            message(
                f"Given {f'transposed={int(transposed)}' if transposed else f'groups={groups}'}, weight of size {list(w.shape)}, "
                f"expected input{list(x.shape)} to have {expected} channels, but got {channels} channels instead",
                *got,
                fix=f"channels are dimension {x.ndim - n - 1} of the input"
                + (f"; permute({', '.join(map(str, _channels_last(x.ndim, n)))}) moves them there" if x.shape[-1] == expected else
                   f", so make the layer with in_channels={channels}"),
            )
        )
    if first % groups:
        raise ShapeError(message(f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got "
                                 f"weight of size {list(w.shape)} instead", *got))
    outputs = w.shape[1] * groups if transposed else first
    if bias is not None and bias.array.shape != (outputs,):
        raise ShapeError(message(f"Given weight of size {list(w.shape)}, expected bias to be 1-dimensional with {outputs} "
                                 f"elements, but got bias of size {list(bias.array.shape)} instead", *got))


def _channels_last(ndim: int, n: int) -> list[int]:
    order = list(range(ndim))
    order.insert(ndim - n - 1, order.pop())
    return order


def _geometry(op: str, input: Any, weight: Any, n: int, stride: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    kernel = weight.array.shape[2:]
    steps, dilations = numbers(stride, n, "stride", op, 1), numbers(dilation, n, "dilation", op, 1)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(message(f"Invalid padding string: '{padding}'", f"{op}()", fix="'same', 'valid', or numbers"))
        if padding == "same" and any(s != 1 for s in steps):
            raise RuntimeError(message("padding='same' is not supported for strided convolutions", f"{op}: stride={stride}",
                                       fix=f"give the padding in numbers, such as {tuple((k - 1) // 2 for k in kernel)}"))
        around = same(kernel, dilations) if padding == "same" else ((0, 0),) * n
    else:
        around = tuple((p, p) for p in numbers(padding, n, "padding", op))
    padded = [s + sum(p) for s, p in zip(input.array.shape[-n:], around, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    if any(r > s for r, s in zip(reach, padded, strict=True)):
        raise ShapeError(
            message(
                f"Calculated padded input size per channel: {_sizes(padded)}. Kernel size: {_sizes(reach)}. Kernel size can't be "
                "greater than actual input size",
                f"{op}: input {describe(input)}, weight {describe(weight)}, padding={padding}, dilation={dilation}",
                fix="a larger input, a smaller kernel, fewer poolings before, or padding",
            )
        )
    return {"stride": steps, "padding": around, "dilation": dilations, "groups": groups}


def _as_2d(geometry: dict[str, Any]) -> dict[str, Any]:
    """The geometry of a 1-d convolution as that of images of height 1."""
    return geometry | {"stride": (1, *geometry["stride"]), "padding": ((0, 0), *geometry["padding"]),
                       "dilation": (1, *geometry["dilation"])}  # fmt: skip


# ---- the functions -------------------------------------------------------------------------------------------------
@public(method=False)
def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Slide ``weight`` (O, C / groups, kh, kw) over ``input`` (N, C, H, W) or (C, H, W); out (N, O, H', W').

    out[n, o, y, x] = bias[o] + Σ input[n, c, y * stride + i * dilation - padding, ...] * weight[o, c, i, j], and
    H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1. ``stride``, ``padding``, ``dilation``: an int or a pair;
    ``padding`` also "valid" (0) or "same". Output channels in ``groups`` groups see one group of input channels each.
    """
    check("conv2d", input, weight, bias, 2, groups)
    attrs = _geometry("conv2d", input, weight, 2, stride, padding, dilation, groups)
    operands = (weight,) if bias is None else (weight, bias)
    if input.array.ndim == 3:
        return apply(conv2d_op, (input.unsqueeze(0), *operands), attrs).squeeze(0)
    return apply(conv2d_op, (input, *operands), attrs)


@public(method=False)
def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """conv2d with one dimension: input (N, C, L) or (C, L), weight (O, C / groups, k). Computed as images of height 1."""
    check("conv1d", input, weight, bias, 1, groups)
    attrs = _as_2d(_geometry("conv1d", input, weight, 1, stride, padding, dilation, groups))
    image = input.unsqueeze(-2) if input.array.ndim == 3 else input.unsqueeze(0).unsqueeze(-2)
    operands = (weight.unsqueeze(-2),) if bias is None else (weight.unsqueeze(-2), bias)
    out = apply(conv2d_op, (image, *operands), attrs).squeeze(-2)
    return out if input.array.ndim == 3 else out.squeeze(0)


def _transpose(
    op: str, n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any
) -> Any:
    check(op, input, weight, bias, n, groups, transposed=True)
    x, kernel = input.array, weight.array.shape[2:]
    steps, dilations = numbers(stride, n, "stride", op, 1), numbers(dilation, n, "dilation", op, 1)
    around, extra = numbers(padding, n, "padding", op), numbers(output_padding, n, "output_padding", op)
    if any(e >= s for e, s in zip(extra, steps, strict=True)):
        raise RuntimeError(message("output padding must be smaller than either stride or dilation",
                                   f"{op}: output_padding={output_padding}, stride={stride}",
                                   fix="output_padding chooses among the sizes that the stride rounds to one; here it must be "
                                   "smaller than the stride"))
    size = tuple((m - 1) * s - 2 * p + d * (k - 1) + e + 1
                 for m, s, p, d, k, e in zip(x.shape[-n:], steps, around, dilations, kernel, extra, strict=True))
    if min(size) <= 0:
        raise ShapeError(message(f"Given input size per channel: {_sizes(x.shape[-n:])}. Calculated output size per channel: "
                                 f"{_sizes(size)}. Output size is too small", f"{op}: padding={padding}", fix="less padding"))
    attrs = {"stride": steps, "padding": tuple((p, p) for p in around), "dilation": dilations, "groups": groups}
    batched = x.ndim == n + 2
    if not batched:
        input = input.unsqueeze(0)
    if n == 1:
        input, weight, attrs, size = input.unsqueeze(-2), weight.unsqueeze(-2), _as_2d(attrs), (1, *size)
    out = apply(conv_transpose2d_op, (input, weight) if bias is None else (input, weight, bias), {"size": size, **attrs})
    if n == 1:
        out = out.squeeze(-2)
    return out if batched else out.squeeze(0)


@public(method=False)
def conv_transpose2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Any:  # fmt: skip
    """The transpose (as of a matrix) of conv2d: input (N, C, H, W) or (C, H, W), weight (C, O / groups, kh, kw).

    H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1. With a stride it enlarges images.
    """
    return _transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public(method=False)
def conv_transpose1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Any:  # fmt: skip
    """conv_transpose2d with one dimension: input (N, C, L) or (C, L), weight (C, O / groups, k)."""
    return _transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of images (N, C, H, W) as columns: (N, C * kh * kw, L) for L windows; (C, H, W) gives (C * kh * kw, L)."""
    if input.array.ndim not in (3, 4):
        raise ShapeError(message(f"Expected 3D or 4D (batch mode) tensor for input with possibly 0 batch size and other non-zero "
                                 f"dimensions for input, but got: {list(input.array.shape)}"))
    if input.array.ndim == 3:
        return unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)
    attrs = _columns("unfold", kernel_size, dilation, padding, stride)
    _windows_of("unfold", tuple(input.array.shape[2:]), attrs)
    return apply(unfold_op, (input,), attrs)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns (N, C * kh * kw, L) added up to images (N, C, *output_size): the transpose of unfold."""
    x = input.array
    if x.ndim not in (2, 3):
        raise ShapeError(message(f"Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
                                 f"dimensions for input, but got: {list(x.shape)}"))
    if x.ndim == 2:
        return fold(input.unsqueeze(0), output_size, kernel_size, dilation, padding, stride).squeeze(0)
    attrs = _columns("fold", kernel_size, dilation, padding, stride)
    size = numbers(output_size, 2, "output_size", "fold", 1)
    count = _windows_of("fold", size, attrs)
    if x.shape[1] % math.prod(attrs["kernel"]):
        raise ShapeError(message("Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
                                 f"input.size(1)={x.shape[1]} and kernel_size={attrs['kernel']}."))
    if x.shape[2] != math.prod(count):
        raise ShapeError(message(f"Given output_size={size}, kernel_size={attrs['kernel']}, dilation={attrs['dilation']}, "
                                 f"padding={padding}, stride={attrs['stride']}, expected size of input's dimension 2 to match the "
                                 f"calculated number of sliding blocks {count[0]} * {count[1]} = {math.prod(count)}, but got "
                                 f"input.size(2)={x.shape[2]}."))
    return apply(fold_op, (input,), {"size": size, **attrs})


def _columns(op: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, Any]:
    return {
        "kernel": numbers(kernel, 2, "kernel_size", op, 1),
        "stride": numbers(stride, 2, "stride", op, 1),
        "padding": tuple((p, p) for p in numbers(padding, 2, "padding", op)),
        "dilation": numbers(dilation, 2, "dilation", op, 1),
    }


def _windows_of(op: str, size: Pair, attrs: dict[str, Any]) -> list[int]:
    count = [out_size(n + sum(p), k, s, d) for n, p, k, s, d in
             zip(size, attrs["padding"], attrs["kernel"], attrs["stride"], attrs["dilation"], strict=True)]  # fmt: skip
    if min(count) <= 0:
        raise ShapeError(message(f"Given an image of size {size}, kernel_size={attrs['kernel']}, dilation={attrs['dilation']}, "
                                 f"padding={attrs['padding']}, calculated shape of the array of sliding blocks as {tuple(count)}, "
                                 "but its components must be at least one.", f"{op}()"))
    return count
