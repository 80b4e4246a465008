"""The operations of ONNX that are layers: convolutions, pooling, norms, losses.

They enter themselves into the table of onnx_ops.py, as that file describes.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..create.counted import arange
from ..create.filled import ones
from ..nn import functional as F
from ..ops.select import where
from .onnx_ops import ints, op, refused

if TYPE_CHECKING:
    from ..base.types import Operand

Pads = list[tuple[int, int]]  # before and after, for each dimension of an image


# ---- convolutions --------------------------------------------------------------------------------
def windows(
    sizes: Sequence[int], kernel: Sequence[int], strides: Operand, dilations: Operand,
    pads: Operand, auto_pad: str,
) -> tuple[list[int], list[int], Pads]:  # fmt: skip
    """Strides, dilations and pads, for each dimension."""
    n = len(kernel)
    by = [1] * n if strides is None else ints(strides)
    gaps = [1] * n if dilations is None else ints(dilations)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        around: Pads = []
        for size, k, s, d in zip(sizes, kernel, by, gaps, strict=True):
            total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
            less, more = total // 2, total - total // 2
            around.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
        return by, gaps, around
    flat = [0] * 2 * n if pads is None or auto_pad == "VALID" else ints(pads)
    return by, gaps, list(zip(flat[:n], flat[n:], strict=True))


def _padded(x: Operand, pads: Pads, value: float) -> Operand:
    around = [p for pair in reversed(pads) for p in pair]
    return F.pad(x, around, value=value) if any(around) else x


@op("Conv")
def conv(
    x: Operand, w: Operand, b: Operand = None, *, auto_pad: str, group: int,
    dilations: Operand = None, kernel_shape: Operand = None, pads: Operand = None,
    strides: Operand = None,
) -> Operand:  # fmt: skip
    by, gaps, around = windows(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[w.ndim - 2]
    even = all(i == j for i, j in around)
    return function(x if even else _padded(x, around, 0.0), w, b, by,
                    [i for i, _ in around] if even else 0, gaps, group)  # fmt: skip


@op("ConvTranspose")
def _conv_transpose(
    x: Operand, w: Operand, b: Operand = None, *, auto_pad: str, group: int,
    dilations: Operand = None, kernel_shape: Operand = None, output_padding: Operand = None,
    output_shape: Operand = None, pads: Operand = None, strides: Operand = None,
) -> Operand:  # fmt: skip
    n, sizes = w.ndim - 2, x.shape[2:]
    by, gaps, around = windows(sizes, w.shape[2:], strides, dilations, pads, "NOTSET")
    more = [0] * n if output_padding is None else ints(output_padding)
    reach = [
        s * (m - 1) + d * (k - 1) + 1
        for m, k, s, d in zip(sizes, w.shape[2:], by, gaps, strict=True)
    ]
    wanted = None if output_shape is None else ints(output_shape)[-n:]
    if wanted is None and auto_pad.startswith("SAME"):
        wanted = [m * s for m, s in zip(sizes, by, strict=True)]
    if wanted is not None:
        around = []
        for full_size, extra, size in zip(reach, more, wanted, strict=True):
            total = max(full_size + extra - size, 0)
            less, rest = total // 2, total - total // 2
            around.append((less, rest) if auto_pad == "SAME_UPPER" else (rest, less)
                          if auto_pad == "SAME_LOWER" else (less, rest))  # fmt: skip
    conv = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[n]
    out = conv(x, w, None, by, 0, 0, group, gaps)
    for d, (before, after) in enumerate(around):
        size = wanted[d] if wanted is not None else reach[d] + more[d] - before - after
        missing = before + size - out.shape[2 + d]
        if missing > 0:  # the extra rows at the end, which only the bias reaches
            out = F.pad(out, [0, 0] * (n - 1 - d) + [0, missing])
        out = out.narrow(2 + d, before, size)
    return out if b is None else out + b.reshape(-1, *[1] * n)


# ---- pooling -------------------------------------------------------------------------------------
def _excess(x: Operand, kernel: list[int], by: list[int], gaps: list[int], ceil: int) -> Pads:
    """What the last windows lack at the end of x, which is padded already, with ceil_mode."""
    lacks = []
    for m, k, s, d in zip(x.shape[2:], kernel, by, gaps, strict=True):
        reach = d * (k - 1) + 1
        over = (m - reach) % s
        lacks.append((0, s - over if ceil and over and m - over + s - 1 < m + reach else 0))
    return lacks


def _starts_outside(size: int, pads: tuple[int, int], out: int, stride: int) -> bool:
    """Does the last window of ceil_mode begin in the padding behind? It is left out then."""
    return (out - 1) * stride >= size + pads[0]


def _trimmed(out: Operand, x: Operand, around: Pads, by: list[int], ceil: int) -> Operand:
    for d, (pads, s) in enumerate(zip(around, by, strict=True)):
        n = out.shape[2 + d]
        if ceil and n > 1 and _starts_outside(x.shape[2 + d], pads, n, s):
            out = out.narrow(2 + d, 0, n - 1)
    return out


@op("MaxPool")
def _max_pool(
    x: Operand, *, kernel_shape: list[int], auto_pad: str, ceil_mode: int = 0,
    dilations: Operand = None, pads: Operand = None, storage_order: int = 0,
    strides: Operand = None, outputs: int,
) -> Operand:  # fmt: skip
    kernel = ints(kernel_shape)
    by, gaps, around = windows(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
    kind = np.dtype(x.dtype.name)
    low = -math.inf if kind.kind == "f" else float(np.iinfo(kind).min)
    wide = _padded(x, around, low)
    wide = _padded(wide, _excess(wide, kernel, by, gaps, ceil_mode), low)
    pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(kernel)]
    if outputs == 1:
        return _trimmed(pool(wide, kernel, by, 0, gaps), x, around, by, ceil_mode)
    out, at = pool(wide, kernel, by, 0, gaps, return_indices=True)
    out, at = (_trimmed(t, x, around, by, ceil_mode) for t in (out, at))
    flat = None
    places = []  # positions in the padded image, as positions in the whole tensor x
    for size, (before, _) in zip(reversed(wide.shape[2:]), reversed(around), strict=True):
        places.append(at % size - before)
        at = at.div(size, rounding_mode="floor")
    order = places if storage_order else places[::-1]
    for position, size in zip(order, x.shape[:1:-1] if storage_order else x.shape[2:], strict=True):
        flat = position if flat is None else flat * size + position
    image = arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * len(kernel))
    return out, flat + image * math.prod(x.shape[2:])


def _added(x: Operand, kernel: list[int], by: list[int], gaps: list[int]) -> Operand:
    """The sum of each window."""
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel)]
    flat = x.reshape(-1, 1, *x.shape[2:])
    out = conv(flat, ones(1, 1, *kernel, dtype=x.dtype), None, by, 0, gaps)
    return out.reshape(*x.shape[:2], *out.shape[2:])


@op("AveragePool")
def _average_pool(
    x: Operand, *, kernel_shape: list[int], auto_pad: str, ceil_mode: int = 0,
    count_include_pad: int = 0, dilations: Operand = None, pads: Operand = None,
    strides: Operand = None,
) -> Operand:  # fmt: skip
    kernel = ints(kernel_shape)
    by, gaps, around = windows(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
    if not any(map(any, around)) and not ceil_mode and all(d == 1 for d in gaps):
        return {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[len(kernel)](x, kernel, by)
    wide = _padded(x, around, 0.0)
    counted = ones(wide.shape if count_include_pad else x.shape, dtype=x.dtype)
    counted = counted if count_include_pad else _padded(counted, around, 0.0)
    lack = _excess(wide, kernel, by, gaps, ceil_mode)
    total, n = (_added(_padded(t, lack, 0.0), kernel, by, gaps) for t in (wide, counted))
    total, n = (_trimmed(t, x, around, by, ceil_mode) for t in (total, n))
    return total / n


@op("LpPool")
def _lp_pool(
    x: Operand, *, kernel_shape: list[int], auto_pad: str, ceil_mode: int = 0,
    dilations: Operand = None, p: float, pads: Operand = None, strides: Operand = None,
) -> Operand:  # fmt: skip
    kernel = ints(kernel_shape)
    by, gaps, around = windows(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
    wide = _padded(x.abs() ** p, around, 0.0)
    wide = _padded(wide, _excess(wide, kernel, by, gaps, ceil_mode), 0.0)
    return _trimmed(_added(wide, kernel, by, gaps), x, around, by, ceil_mode) ** (1 / p)


op("GlobalAveragePool")(lambda x: x.mean([*range(2, x.ndim)], keepdim=True))
op("GlobalMaxPool")(lambda x: x.amax([*range(2, x.ndim)], keepdim=True))
op("GlobalLpPool")(
    lambda x, *, p: (x.abs() ** p).sum([*range(2, x.ndim)], keepdim=True) ** (1 / p)
)


# ---- norms ---------------------------------------------------------------------------------------
def _channels(v: Operand, x: Operand) -> Operand:
    """A vector with one number for each channel, in line with x."""
    return v.reshape(1, -1, *[1] * (x.ndim - 2))


@op("BatchNormalization")
def _batch_norm(
    x: Operand, weight: Operand, bias: Operand, mean: Operand, variance: Operand, *,
    epsilon: float, momentum: float, training_mode: int = 0, spatial: int = 1, is_test: int = 0,
    outputs: int,
) -> Operand:  # fmt: skip
    if not spatial:
        raise refused("BatchNormalization with spatial=0")
    if not training_mode:
        if outputs > 1:
            raise refused("BatchNormalization with the statistics as outputs")
        return F.batch_norm(x, mean.detach(), variance.detach(), weight, bias, False, 0.0, epsilon)
    dims = [d for d in range(x.ndim) if d != 1]
    own, spread = x.mean(dims), x.var(dims, correction=0)
    scaled = (x - _channels(own, x)) / (_channels(spread, x) + epsilon).sqrt()
    out = scaled * _channels(weight, x) + _channels(bias, x)
    if outputs == 1:
        return out
    return (out, mean * momentum + own * (1 - momentum),
            variance * momentum + spread * (1 - momentum))  # fmt: skip


@op("LayerNormalization")
def _layer_norm(
    x: Operand, weight: Operand, bias: Operand = None, *, axis: int, epsilon: float,
    stash_type: int = 1, outputs: int,
) -> Operand:  # fmt: skip
    first = axis % x.ndim
    out = F.layer_norm(x, x.shape[first:], weight, bias, epsilon)
    if outputs == 1:
        return out
    dims = [*range(first, x.ndim)]
    spread = x.var(dims, correction=0, keepdim=True)
    return out, x.mean(dims, keepdim=True), (spread + epsilon).rsqrt()


@op("RMSNormalization")
def _rms_norm(
    x: Operand, weight: Operand, *, axis: int, epsilon: float, stash_type: int = 1
) -> Operand:
    return F.rms_norm(x, x.shape[axis % x.ndim :], None, epsilon) * weight


@op("InstanceNormalization")
def _instance_norm(x: Operand, weight: Operand, bias: Operand, *, epsilon: float) -> Operand:
    return F.instance_norm(x, None, None, weight, bias, True, 0.0, epsilon)


@op("GroupNormalization")
def _group_norm(
    x: Operand, weight: Operand, bias: Operand, *, num_groups: int, epsilon: float,
    stash_type: int = 1, opset: int,
) -> Operand:  # fmt: skip
    if opset < 21:  # one number for each group
        weight, bias = (t.repeat_interleave(x.shape[1] // num_groups) for t in (weight, bias))
    return F.group_norm(x, num_groups, weight, bias, epsilon)


@op("LRN")
def _lrn(x: Operand, *, size: int, alpha: float, beta: float, bias: float) -> Operand:
    before = (size - 1) // 2
    squares = F.pad(x * x, [0, 0] * (x.ndim - 2) + [before, size - 1 - before])
    n = x.shape[1]
    total = sum(squares.narrow(1, i, n) for i in range(size))
    return x / (bias + alpha / size * total) ** beta


@op("LpNormalization")
def _lp_normalization(x: Operand, *, axis: int, p: int) -> Operand:
    n = x.abs().sum(axis, keepdim=True) if p == 1 else (x * x).sum(axis, keepdim=True).sqrt()
    return where(n == 0, x * 0, x / n)


@op("MeanVarianceNormalization")
def _mvn(x: Operand, *, axes: list[int]) -> Operand:
    centred = x - x.mean(axes, keepdim=True)
    return centred / ((centred * centred).mean(axes, keepdim=True).sqrt() + 1e-9)


def _soft(function: Callable[..., Operand], x: Operand, *, axis: int, opset: int) -> Operand:
    if opset >= 13:
        return function(x, dim=axis)
    axis %= x.ndim  # before 13: over all dimensions from there on
    return function(x.flatten(axis), dim=-1).reshape(x.shape)


op("Softmax")(partial(_soft, F.softmax))
op("LogSoftmax")(partial(_soft, F.log_softmax))


@op("Dropout")
def _dropout(
    x: Operand, ratio: Operand = None, training: Operand = None, *, seed: Operand = None,
    is_test: int = 1, outputs: int,
) -> Operand:  # fmt: skip
    """Random where the file says that it trains: with numbers of our generator."""
    kept = ones(x.shape, dtype=x.dtype)
    if training is not None and bool(training.item()):
        p = 0.5 if ratio is None else ratio.item()
        kept = F.dropout(kept, p, True)
    return (x * kept, kept != 0) if outputs > 1 else x * kept


# ---- losses --------------------------------------------------------------------------------------
@op("NegativeLogLikelihoodLoss")
def _nll(
    x: Operand, target: Operand, weight: Operand = None, *, ignore_index: Operand = None,
    reduction: str,
) -> Operand:  # fmt: skip
    ignored = -100 if ignore_index is None else ignore_index
    return F.nll_loss(x, target.long(), weight, ignore_index=ignored, reduction=reduction)


@op("SoftmaxCrossEntropyLoss")
def _cross_entropy(
    x: Operand, target: Operand, weight: Operand = None, *, ignore_index: Operand = None,
    reduction: str, outputs: int,
) -> Operand:  # fmt: skip
    logs = F.log_softmax(x, dim=1)
    loss = _nll(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    return (loss, logs) if outputs > 1 else loss
