"""The operations of ONNX that draw, transform signals, hold sequences, or count in small integers.

They enter themselves into the table of onnx_ops.py, as that file describes. Random numbers are
microtorch's, from its own generator; with a ``seed`` in the file they are the same at each call.
ONNX's complex numbers are a last dimension of 2; its sequences are lists here, and None an optional
value that is not there.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..create.counted import arange
from ..create.data import from_numpy
from ..create.filled import full, zeros
from ..create.random import Generator, multinomial
from ..fft import transforms
from ..ops.join import cat, stack
from ..ops.select import where
from ..ops.surface import FUNCTIONS
from .onnx_layers import conv
from .onnx_ops import cast, ints, op

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..handles.tensor import Tensor


# ---- random numbers ------------------------------------------------------------------------------
def _source(seed: Operand) -> Generator | None:
    """The generator of a node; None for the default one."""
    return None if seed is None else Generator().manual_seed(int(np.float32(seed).view(np.int32)))


def _like(x: Operand, dtype: Operand) -> Operand:
    """Zeros like x, or of the dtype that a node asks for."""
    made = zeros(x.shape, dtype=x.dtype)
    return made if dtype is None else cast(made, to=dtype)


@op("RandomNormalLike")
def _normal_like(
    x: Operand, *, mean: float, scale: float, dtype: Operand = None, seed: Operand = None
) -> Operand:
    return _like(x, dtype).normal_(mean, scale, generator=_source(seed))


@op("RandomUniformLike")
def _uniform_like(
    x: Operand, *, low: float, high: float, dtype: Operand = None, seed: Operand = None
) -> Operand:
    return _like(x, dtype).uniform_(low, high, generator=_source(seed))


@op("RandomNormal")
def _normal(
    *, shape: Operand, mean: float, scale: float, dtype: int, seed: Operand = None
) -> Operand:
    return _normal_like(zeros(ints(shape)), mean=mean, scale=scale, dtype=dtype, seed=seed)


@op("RandomUniform")
def _uniform(
    *, shape: Operand, low: float, high: float, dtype: int, seed: Operand = None
) -> Operand:
    return _uniform_like(zeros(ints(shape)), low=low, high=high, dtype=dtype, seed=seed)


@op("Bernoulli")
def _bernoulli(x: Operand, *, dtype: Operand = None, seed: Operand = None) -> Operand:
    drawn = x.detach().bernoulli(generator=_source(seed))
    return drawn if dtype is None else cast(drawn, to=dtype)


@op("Multinomial")
def _multinomial(
    x: Operand, *, sample_size: int, dtype: int, seed: Operand = None
) -> Operand:
    """x: the logarithms of what the probabilities are proportional to."""
    drawn = multinomial(x.softmax(-1), sample_size, True, generator=_source(seed))
    return cast(drawn, to=dtype)


# ---- signals -------------------------------------------------------------------------------------
def _complex(x: Operand) -> Operand:
    """ONNX's (..., 1) or (..., 2) as numbers."""
    if x.shape[-1] == 1:
        x = cat([x, x * 0], -1)
    return FUNCTIONS["view_as_complex"](x.contiguous())


def _numbers(x: Operand) -> Operand:
    return FUNCTIONS["view_as_real"](x.resolve_conj())


@op("DFT")
def _dft(
    x: Operand, length: Operand = None, at: Operand = None, *, axis: Operand = None,
    inverse: int = 0, onesided: int = 0, opset: int,
) -> Operand:  # fmt: skip
    if opset >= 20:  # before, an attribute with the default 1
        axis = -2 if at is None else int(at.item())
    d = int(axis) % x.ndim
    n = None if length is None else int(length.item())
    if inverse and onesided:  # half a spectrum, of real numbers
        return transforms.irfft(_complex(x), n, d).unsqueeze(-1)
    if onesided:
        return _numbers(transforms.rfft(x[..., 0], n, d))
    return _numbers((transforms.ifft if inverse else transforms.fft)(_complex(x), n, d))


@op("STFT")
def _stft(
    x: Operand, step: Operand, window: Operand = None, length: Operand = None, *, onesided: int
) -> Operand:
    """x (batch, samples, 1 or 2) → (batch, frames, frequencies, 2)."""
    n = int(length.item()) if length is not None else window.shape[0]
    frames = (x[..., 0] if x.shape[-1] == 1 else _complex(x)).unfold(1, n, int(step.item()))
    frames = frames if window is None else frames * window
    whole = frames.is_complex()
    if onesided and not whole:
        return _numbers(transforms.rfft(frames))
    return _numbers(transforms.fft(frames))


# ---- places --------------------------------------------------------------------------------------
@op("ReverseSequence")
def _reverse_sequence(
    x: Operand, lengths: Operand, *, batch_axis: int, time_axis: int
) -> Operand:
    """Of each sequence of a batch the first ``lengths`` elements, from behind."""
    moved = x.movedim((time_axis, batch_axis), (0, 1))
    t = arange(moved.shape[0]).unsqueeze(1)
    n = lengths.unsqueeze(0)
    at = where(t < n, n - 1 - t, t)
    found = moved[at, arange(moved.shape[1])]
    return found.movedim((0, 1), (time_axis, batch_axis))


@op("TensorScatter")
def _tensor_scatter(
    x: Operand, update: Operand, start: Operand = None, *, axis: int, mode: str
) -> Operand:
    """A cache with new rows, from a place of its own for each of a batch."""
    rows, n = update.movedim(axis, 1), x.movedim(axis, 1).shape[1]
    begin = zeros(x.shape[:1], dtype=arange(1).dtype) if start is None else start
    at = begin.unsqueeze(1) + arange(rows.shape[1])
    at = at % n if mode == "circular" else at
    batch = arange(x.shape[0]).unsqueeze(1)
    return x.movedim(axis, 1).index_put((batch, at), rows).movedim(1, axis)


@op("MaxUnpool")
def _max_unpool(
    x: Operand, places: Operand, size: Operand = None, *, kernel_shape: Operand,
    pads: Operand = None, strides: Operand = None,
) -> Operand:  # fmt: skip
    """Values where they lay: the places count through all of the image that was pooled."""
    kernel = ints(kernel_shape)
    by = [1] * len(kernel) if strides is None else ints(strides)
    flat = [0] * 2 * len(kernel) if pads is None else ints(pads)
    around = zip(flat[: len(kernel)], flat[len(kernel) :], strict=True)
    sizes = [(m - 1) * s + k - a - b for m, s, k, (a, b) in
             zip(x.shape[2:], by, kernel, around, strict=True)]  # fmt: skip
    small = [*x.shape[:2], *sizes]
    whole = small if size is None else ints(size)
    axes = np.unravel_index(places.numpy(), small)  # which are those of the smaller image
    at = from_numpy(np.asarray(np.ravel_multi_index(axes, whole)))
    out = zeros([int(np.prod(whole))], dtype=x.dtype)
    return out.scatter(0, at.reshape(-1), x.reshape(-1)).reshape(whole)


@op("Unique")
def _unique(x: Operand, *, axis: Operand = None, sorted: int, outputs: int) -> Operand:
    """Values, where each is first, which of them each element is, and how often each is there."""
    found, inverse, counts = FUNCTIONS["unique"](
        x if axis is not None else x.reshape(-1), return_inverse=True, return_counts=True, dim=axis)
    n = inverse.shape[0]
    first = full(counts.shape, n, dtype=inverse.dtype).scatter_reduce(
        0, inverse, arange(n), "amin")  # fmt: skip
    if not sorted:  # in the order in which they come
        order = first.argsort()
        found = found.index_select(0 if axis is None else axis, order)
        first, counts, inverse = first[order], counts[order], order.argsort()[inverse]
    return (found, first, inverse, counts)[:outputs]


@op("BitCast")
def _bit_cast(x: Operand, *, to: int) -> Operand:
    """The same bits, read as numbers of another dtype."""
    return x.view(cast(zeros(()), to=to).dtype)


# ---- sequences, and values that may be absent ----------------------------------------------------
op("SequenceConstruct")(lambda *xs: ([*xs],))
op("SequenceEmpty")(lambda *, dtype=None: ([],))
op("SequenceAt")(lambda xs, i: xs[int(i.item())])
op("SequenceLength")(lambda xs: from_numpy(np.array(len(xs), np.int64)))
op("Optional")(lambda x=None, *, type=None: (x,))
op("OptionalGetElement")(lambda x: (x,))
op("OptionalHasElement")(lambda x=None: from_numpy(np.array(x is not None)))


@op("SequenceInsert")
def _insert(xs: list[Tensor], x: Tensor, at: Operand = None) -> tuple[list[Tensor]]:
    i = len(xs) if at is None else int(at.item()) % (len(xs) + 1 if at.item() >= 0 else len(xs))
    return ([*xs[:i], x, *xs[i:]],)


@op("SequenceErase")
def _erase(xs: list[Tensor], at: Operand = None) -> tuple[list[Tensor]]:
    i = (-1 if at is None else int(at.item())) % len(xs)
    return (xs[:i] + xs[i + 1 :],)


@op("ConcatFromSequence")
def _joined(xs: Sequence[Tensor], *, axis: int, new_axis: int) -> Operand:
    return stack(list(xs), axis) if new_axis else cat(list(xs), axis)


@op("SplitToSequence")
def _split(x: Operand, sizes: Operand = None, *, axis: int, keepdims: int) -> tuple[list[Tensor]]:
    if sizes is None:
        parts = x.split(1, axis)
        return ([*parts] if keepdims else [p.squeeze(axis) for p in parts],)
    return ([*x.split(ints(sizes) if sizes.ndim else int(sizes.item()), axis)],)


# ---- quantized numbers ---------------------------------------------------------------------------
def _along(x: Operand, v: Operand, axis: int, block: int) -> Operand:
    """A scale, or a zero, for each element: one in all, one for each slice, or one for a block."""
    if block:
        return v.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if v.ndim != 1 or v.numel() == 1:
        return v.reshape(()) if v.numel() == 1 else v
    return v.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


@op("DequantizeLinear")
def _dequantize(
    x: Operand, scale: Operand, zero: Operand = None, *, axis: int = 1, block_size: int = 0,
    output_dtype: int = 0,
) -> Operand:  # fmt: skip
    gap = x.to(scale.dtype)
    if zero is not None:
        gap = gap - _along(x, zero, axis, block_size).to(scale.dtype)
    found = gap * _along(x, scale, axis, block_size)
    return cast(found, to=output_dtype) if output_dtype else found


@op("QuantizeLinear")
def _quantize(
    x: Operand, scale: Operand, zero: Operand = None, *, axis: int = 1, block_size: int = 0,
    output_dtype: int = 0, saturate: int = 1,
) -> Operand:  # fmt: skip
    if zero is not None:
        kind = zero.dtype
    else:
        kind = cast(zeros(()), to=output_dtype or 2).dtype  # uint8
    found = (x / _along(x, scale, axis, block_size)).round()
    if zero is not None:
        found = found + _along(x, zero, axis, block_size)
    bounds = np.iinfo(np.dtype(kind.name))
    return found.clamp(int(bounds.min), int(bounds.max)).to(kind)


def _centred(x: Operand, zero: Operand, axis: int) -> Operand:
    whole = x.int()
    return whole if zero is None else whole - _along(x, zero.int(), axis, 0)


@op("MatMulInteger")
def _matmul_integer(
    a: Operand, b: Operand, a_zero: Operand = None, b_zero: Operand = None
) -> Operand:
    return _centred(a, a_zero, -2) @ _centred(b, b_zero, -1)


@op("QLinearMatMul")
def _quantized_matmul(
    a: Operand, a_scale: Operand, a_zero: Operand, b: Operand, b_scale: Operand, b_zero: Operand,
    scale: Operand, zero: Operand,
) -> Operand:  # fmt: skip
    x, y = (_dequantize(v, s, z, axis=d) for v, s, z, d in
            ((a, a_scale, a_zero, -2), (b, b_scale, b_zero, -1)))  # fmt: skip
    return _quantize(x @ y, scale, zero, axis=-2)


@op("ConvInteger")
def _conv_integer(
    x: Operand, w: Operand, x_zero: Operand = None, w_zero: Operand = None, *, auto_pad: str,
    group: int, dilations: Operand = None, kernel_shape: Operand = None, pads: Operand = None,
    strides: Operand = None,
) -> Operand:  # fmt: skip
    found = conv(
        _centred(x, x_zero, 1).double(), _centred(w, w_zero, 0).double(), auto_pad=auto_pad,
        group=group, dilations=dilations, pads=pads, strides=strides)  # fmt: skip
    return found.int()  # float64 holds int32 exactly


@op("QLinearConv")
def _quantized_conv(
    x: Operand, x_scale: Operand, x_zero: Operand, w: Operand, w_scale: Operand, w_zero: Operand,
    scale: Operand, zero: Operand, b: Operand = None, *, auto_pad: str, group: int,
    dilations: Operand = None, kernel_shape: Operand = None, pads: Operand = None,
    strides: Operand = None,
) -> Operand:  # fmt: skip
    found = _conv_integer(x, w, x_zero, w_zero, auto_pad=auto_pad, group=group,
                          dilations=dilations, pads=pads, strides=strides)  # fmt: skip
    if b is not None:
        found = found + b.reshape(-1, *[1] * (x.ndim - 2))
    found = found * (x_scale * _along(found, w_scale, 1, 0))
    return _quantize(found, scale, zero, axis=1)
