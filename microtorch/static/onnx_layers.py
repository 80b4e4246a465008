"""The operations of ONNX that are layers: convolutions, pooling, norms, losses, recurrent layers.

They enter themselves into the table of onnx_ops.py, as that file describes.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..create.counted import arange
from ..create.filled import ones, zeros
from ..engine.registry import REGISTRY
from ..handles.tensor import Tensor
from ..nn import functional as F
from ..ops.join import stack
from ..ops.select import where
from .onnx_ops import ints, op, refused

if TYPE_CHECKING:
    from ..base.types import Operand

Pads = list[tuple[int, int]]  # before and after, for each dimension of an image


# ---- convolutions --------------------------------------------------------------------------------
def _windows(
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
def _conv(
    x: Operand, w: Operand, b: Operand = None, *, auto_pad: str, group: int,
    dilations: Operand = None, kernel_shape: Operand = None, pads: Operand = None,
    strides: Operand = None,
) -> Operand:  # fmt: skip
    by, gaps, around = _windows(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[w.ndim - 2]
    even = all(i == j for i, j in around)
    return conv(x if even else _padded(x, around, 0.0), w, b, by,
                [i for i, _ in around] if even else 0, gaps, group)  # fmt: skip


@op("ConvTranspose")
def _conv_transpose(
    x: Operand, w: Operand, b: Operand = None, *, auto_pad: str, group: int,
    dilations: Operand = None, kernel_shape: Operand = None, output_padding: Operand = None,
    output_shape: Operand = None, pads: Operand = None, strides: Operand = None,
) -> Operand:  # fmt: skip
    n, sizes = w.ndim - 2, x.shape[2:]
    by, gaps, around = _windows(sizes, w.shape[2:], strides, dilations, pads, "NOTSET")
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
    by, gaps, around = _windows(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
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
    by, gaps, around = _windows(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
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
    by, gaps, around = _windows(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
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


# ---- images --------------------------------------------------------------------------------------
@op("DepthToSpace")
def _depth_to_space(x: Operand, *, blocksize: int, mode: str = "DCR") -> Operand:
    n, c, h, w = x.shape
    b = blocksize
    if mode == "CRD":
        return x.reshape(n, c // b**2, b, b, h, w).permute(0, 1, 4, 2, 5, 3).reshape(
            n, c // b**2, h * b, w * b)  # fmt: skip
    return x.reshape(n, b, b, c // b**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(
        n, c // b**2, h * b, w * b)  # fmt: skip


@op("SpaceToDepth")
def _space_to_depth(x: Operand, *, blocksize: int, mode: str = "DCR") -> Operand:
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return x.reshape(n, c, h // b, b, w // b, b).permute(*order).reshape(
        n, c * b**2, h // b, w // b)  # fmt: skip


@op("GridSample")
def _grid_sample(
    x: Operand, grid: Operand, *, mode: str, padding_mode: str, align_corners: int
) -> Operand:
    name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    if x.ndim == 5 and name == "bicubic":
        raise refused("GridSample of volumes by cubic splines")
    return F.grid_sample(x, grid, name, padding_mode, bool(align_corners))


@op("Resize", "Upsample")
def _resize(
    x: Operand, roi: Operand = None, scales: Operand = None, sizes: Operand = None, *,
    mode: str, axes: Operand = None, coordinate_transformation_mode: str = "asymmetric",
    nearest_mode: str = "floor", cubic_coeff_a: float = -0.75, exclude_outside: int = 0,
    keep_aspect_ratio_policy: str = "stretch", opset: int,
) -> Operand:  # fmt: skip
    if opset < 11:  # then the scales came second
        roi, scales = None, roi if scales is None else scales
        coordinate_transformation_mode, nearest_mode = "asymmetric", "floor"
    way = coordinate_transformation_mode
    if way == "tf_crop_and_resize":
        raise refused("Resize with tf_crop_and_resize")
    dims = [*range(x.ndim)] if axes is None else [d % x.ndim for d in ints(axes)]
    given = scales.tolist() if isinstance(scales, Tensor) else scales
    by = [] if scales is None else np.atleast_1d(np.array(given, np.float64)).tolist()
    if sizes is not None:
        wanted = ints(sizes)
        if keep_aspect_ratio_policy != "stretch":
            pick = min if keep_aspect_ratio_policy == "not_larger" else max
            one = pick(m / x.shape[d] for m, d in zip(wanted, dims, strict=True))
            wanted = [math.floor(one * x.shape[d] + 0.5) for d in dims]
            by = [one] * len(dims)
        else:
            by = [m / x.shape[d] for m, d in zip(wanted, dims, strict=True)]
    else:
        wanted = [math.floor(x.shape[d] * scale) for d, scale in zip(dims, by, strict=True)]
    for d, m, scale in zip(dims, wanted, by, strict=True):
        n = x.shape[d]
        if m != n or scale != 1:
            at = _sources(n, m, scale, way)
            index, weight = _taps(at, n, mode, nearest_mode, cubic_coeff_a, exclude_outside)
            if mode == "nearest":
                x = x.index_select(d, arange(n)[index[0].tolist()])
            else:
                x = REGISTRY["taps"](x, index=index, weight=weight, dim=d)
    return x.clone()


def _sources(n: int, m: int, scale: float, way: str) -> Operand:
    """Where in a line of n numbers each of m new ones lies."""
    i = np.arange(m, dtype=np.float64)
    if way == "align_corners":
        return i * (n - 1) / (scale * n - 1) if scale * n != 1 else i * 0
    if way == "asymmetric":
        return i / scale
    if way == "pytorch_half_pixel":
        return (i + 0.5) / scale - 0.5 if m > 1 else i * 0
    shift = 0.0
    if way == "half_pixel_symmetric":
        shift = n / 2 * (1 - m / (scale * n))
    elif way != "half_pixel":
        raise refused(f"Resize with {way}")
    return shift + (i + 0.5) / scale - 0.5


def _taps(
    at: Operand, n: int, mode: str, nearest: str, a: float, exclude: int
) -> tuple[Operand, Operand]:
    """The places that each new number is made of, and their weights."""
    if mode == "nearest":
        shift = {"round_prefer_floor": -0.5, "round_prefer_ceil": 0.5}.get(nearest, 0.0)
        upwards = nearest in ("ceil", "round_prefer_floor")
        rounded = np.ceil(at + shift) if upwards else np.floor(at + shift)
        return rounded.astype(np.int64).clip(0, n - 1)[None], np.ones((1, len(at)))
    low = np.floor(at).astype(np.int64)
    t = at - low
    if mode in ("linear", "bilinear"):
        index, weight = np.stack([low, low + 1]), np.stack([1 - t, t])
    else:  # Keys 1981: a cubic through four
        index = np.stack([low - 1, low, low + 1, low + 2])
        far, near = np.stack([t + 1, 2 - t]), np.stack([t, 1 - t])
        outer = a * (far**3 - 5 * far**2 + 8 * far - 4)
        inner = (a + 2) * near**3 - (a + 3) * near**2 + 1
        weight = np.stack([outer[0], inner[0], inner[1], outer[1]])
    if exclude:
        weight = np.where((index >= 0) & (index < n), weight, 0)
        weight = weight / weight.sum(0)
    return index.clip(0, n - 1), weight


# ---- recurrent layers ----------------------------------------------------------------------------
def _lstm_step(x: Operand, h: Operand, c: Operand, r: Operand, b: Operand) -> tuple[Operand, ...]:
    i, o, f, g = (x + h @ r.t() + b).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_step(
    reset_after: int, x: Operand, h: Operand, c: Operand, r: Operand, b: Operand
) -> tuple[Operand, ...]:
    n = h.shape[-1]
    z, s = (x[..., : 2 * n] + h @ r[: 2 * n].t() + b[: 2 * n]).sigmoid().chunk(2, -1)
    last, bias = r[2 * n :].t(), b[2 * n :]
    inner = s * (h @ last + bias) if reset_after else (s * h) @ last + bias
    new = (x[..., 2 * n :] + inner).tanh()
    return (1 - z) * new + z * h, c


def _rnn_step(x: Operand, h: Operand, c: Operand, r: Operand, b: Operand) -> tuple[Operand, ...]:
    return (x + h @ r.t() + b).tanh(), c


def _recurrent(
    step: Callable[..., tuple[Operand, ...]], usual: list[str], x: Operand, w: Operand, r: Operand,
    b: Operand, lengths: Operand, first: Operand, cells: Operand, *, direction: str, layout: int,
    activations: Operand, outputs: int,
) -> Operand:  # fmt: skip
    wanted = usual * len(w)  # RNN's default speaks of two directions, of which there may be one
    if activations is not None and [a.lower() for a in activations[: len(wanted)]] != wanted:
        raise refused(f"a recurrent layer with the activations {activations}")
    if layout:
        x = x.transpose(0, 1)
        first, cells = (None if t is None else t.transpose(0, 1) for t in (first, cells))
    time, n = x.shape[:2]
    if lengths is not None and any(m != time for m in ints(lengths)):
        raise refused("a recurrent layer with sequences of different lengths")
    size, ways, ends, memories = r.shape[-1], [], [], []
    for k in range(len(w)):
        zero = zeros(n, size, dtype=x.dtype)
        h = zero if first is None else first[k]
        c = zero if cells is None else cells[k]
        half = r.shape[1]
        inner = zeros(half, dtype=x.dtype) if b is None else b[k, half:]
        steps = x @ w[k].t() + (0 if b is None else b[k, :half])
        backward = direction == "reverse" or k == 1
        seen = []
        for i in reversed(range(time)) if backward else range(time):
            h, c = step(steps[i], h, c, r[k], inner)
            seen.append(h)
        ways.append(stack(seen[::-1] if backward else seen))
        ends.append(h)
        memories.append(c)
    y, last, memory = stack(ways, 1), stack(ends), stack(memories)
    if layout:
        y, last, memory = y.permute(2, 0, 1, 3), last.transpose(0, 1), memory.transpose(0, 1)
    return (y, last, memory)[: max(outputs, 2)]


@op("LSTM")
def _lstm(
    x: Operand, w: Operand, r: Operand, b: Operand = None, lengths: Operand = None,
    first: Operand = None, cells: Operand = None, peepholes: Operand = None, *,
    hidden_size: Operand = None, direction: str, layout: int = 0, activations: Operand = None,
    outputs: int,
) -> Operand:  # fmt: skip
    if peepholes is not None and bool((peepholes != 0).any()):
        raise refused("LSTM with peepholes")
    return _recurrent(_lstm_step, ["sigmoid", "tanh", "tanh"], x, w, r, b, lengths, first, cells,
                      direction=direction, layout=layout, activations=activations,
                      outputs=max(outputs, 3))  # fmt: skip


@op("GRU")
def _gru(
    x: Operand, w: Operand, r: Operand, b: Operand = None, lengths: Operand = None,
    first: Operand = None, *, hidden_size: Operand = None, direction: str, layout: int = 0,
    activations: Operand = None, linear_before_reset: int = 0, outputs: int,
) -> Operand:  # fmt: skip
    step = partial(_gru_step, linear_before_reset)
    return _recurrent(step, ["sigmoid", "tanh"], x, w, r, b, lengths, first, None,
                      direction=direction, layout=layout, activations=activations,
                      outputs=outputs)[:2]  # fmt: skip


@op("RNN")
def _rnn(
    x: Operand, w: Operand, r: Operand, b: Operand = None, lengths: Operand = None,
    first: Operand = None, *, hidden_size: Operand = None, direction: str, layout: int = 0,
    activations: Operand = None, outputs: int,
) -> Operand:  # fmt: skip
    return _recurrent(_rnn_step, ["tanh"], x, w, r, b, lengths, first, None, direction=direction,
                      layout=layout, activations=activations, outputs=outputs)[:2]  # fmt: skip
