"""Arrays of discrete random numbers: coins, integers, permutations, categories.

Functions of a shape, a dtype, the distribution's numbers and a `Generator` (None: the default one).
They check their arguments before they draw. generator.py says what the numbers are.
"""
from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import empty

from ..base.errors import message
from . import generator as source
from .continuous import Shape, exponential, fresh, in_dtype, working
from .draw_checks import (
    check_bernoulli,
    check_dropout,
    check_geometric,
    check_multinomial,
    check_randint,
    check_randperm,
    floating,
    largest_integer,
    not_complex,
    sizes,
)  # fmt: skip
from .dtypes import F32, F64, I64, mantissa_bits
from .memory_order import in_memory_order

if TYPE_CHECKING:  # numpy.typing is slow to import
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from .generator import Generator

NEAR = 2**27  # of bounds nearer than this, the distance takes one draw
_SMALL_PERMUTATION = (2**32 - 1) // 20


def geometric(
    shape: Shape, dtype: DTypeLike = np.float32, p: float = 0.5, generator: Generator | None = None
) -> NDArray[Any]:
    """Trials up to and including the first success: Tensor.geometric_, of any dtype but bool."""
    dtype = np.dtype(dtype)
    out = fresh(shape, working(dtype) if dtype.kind in "fV" else F64)
    check_geometric(p, dtype)
    g = source.drawn_from(generator)
    return in_dtype(g.fill("geometric", out, math.log1p(-p)), dtype)


def bernoulli(
    p: NDArray[Any] | float,
    shape: Shape | None = None,
    dtype: DTypeLike = np.float32,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """1 with probability p, else 0: Tensor.bernoulli_(p), torch.bernoulli(p).

    p: a Python number, which costs one float64 uniform per element; or an array that broadcasts to
    shape (default: its own), which costs uniforms of its precision. A 0-d array is an array here,
    as a 0-d tensor is a tensor.
    """
    dtype = not_complex("bernoulli_scalar_cpu_", dtype)
    g = source.drawn_from(generator)
    if not isinstance(p, np.ndarray):
        p = float(p)
        check_bernoulli(p)
        return _coins(g, () if shape is None else shape, np.dtype(dtype), p)
    if p.dtype is dtype and p.shape == shape and (dtype is F32 or dtype is F64):  # the common case
        return g.fill("hits", empty(shape, dtype), p if p.flags.c_contiguous else p.copy("C"))
    floating("bernoulli_tensor_cpu_p_", p.dtype)
    out = fresh(p.shape if shape is None else shape, working(p.dtype))
    chances = p if p.shape == out.shape else np.broadcast_to(p, out.shape)
    return g.fill("hits", out, np.asarray(chances, out.dtype, order="C")).astype(dtype, copy=False)


def _coins(
    g: Generator, shape: Shape, dtype: np.dtype[Any], p: float, value: float = 1.0
) -> NDArray[Any]:
    """``value`` with probability p, else 0."""
    out = g.fill("bernoulli", fresh(shape, working(dtype)), math.ceil(p * 2.0**53), value)
    return out.astype(dtype, copy=False)


def dropout_noise(
    shape: Shape, dtype: DTypeLike = np.float32, p: float = 0.5, generator: Generator | None = None
) -> NDArray[Any]:
    """The factors of dropout: bernoulli(1 - p) / (1 - p). p = 0 and p = 1 consume no draws."""
    dtype = floating("dropout", dtype)
    check_dropout(p)
    if p == 0 or p == 1:
        return np.full(shape, 1 - p, dtype)
    exact = dtype if dtype.itemsize > 2 else np.dtype(np.float32)  # halves are rounded once
    kept = float(exact.type(1) / exact.type(1 - p))
    return _coins(source.drawn_from(generator), shape, dtype, 1 - p, kept)


def random(
    shape: Shape,
    dtype: DTypeLike = np.int64,
    low: int | None = None,
    high: int | None = None,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Tensor.random_: integers on [low, high).

    On [low, largest] without high, and without both on [0, largest]. The largest is the greatest
    integer of dtype; 2**24 for float32, 2**53 for float64, 2**11 for float16.
    """
    shape, n = sizes(shape)
    dtype = not_complex("random_kernel_cpu", dtype)
    g = source.drawn_from(generator)
    largest = largest_integer(dtype)
    if low is None and high is None:
        wide = dtype in (np.int64, np.float64)
        draws = g.draw64(n) if wide else g.draw32(n)
        return (draws % draws.dtype.type(largest + 1)).astype(dtype).reshape(shape)
    low = 0 if low is None else operator.index(low)
    if high is None and low == -(2**63) and (dtype == np.int64 or dtype.kind in "fV"):
        return g.draw64(n).view(np.int64).astype(dtype).reshape(shape)
    high = largest + 1 if high is None else operator.index(high)
    return randint(shape, low, high, dtype, g)


def randint(
    shape: Shape,
    low: int,
    high: int,
    dtype: DTypeLike = np.int64,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Integers on [low, high): torch.randint, Tensor.random_, of any dtype that can hold them."""
    shape, n = sizes(shape)
    if dtype is I64 and type(low) is int is type(high) and NEAR > high > low > -NEAR:  # commonly
        values = source.drawn_from(generator).draw("integers", n, low, high - low)
        return values if len(shape) == 1 else values.reshape(shape)
    dtype = np.dtype(dtype)
    low, high = operator.index(low), operator.index(high)
    check_randint(low, high, dtype)
    if dtype.kind in "fV":
        low, high = _representable(low, high, dtype)
    span = high - low
    g = source.drawn_from(generator)
    if span < 2**28:
        values = g.draw("integers", n, low, span)
    else:
        values = (g.draw64(n) % np.uint64(span) + np.uint64(low % 2**64)).view(np.int64)
    values = values if values.dtype is dtype else values.astype(dtype, copy=False)
    return values if len(shape) == 1 else values.reshape(shape)


def _representable(low: int, high: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The bounds moved inwards until no integer between them rounds out of [low, high)."""
    bits = mantissa_bits(dtype)
    above, below = int(dtype.type(low + 1)), int(dtype.type(high - 1))
    if above < low:
        low = above + (1 << (abs(low + 1).bit_length() - 1 - bits))
    if below >= high:
        high = below - (1 << (abs(high - 1).bit_length() - 1 - bits))
    if low >= high:
        raise RuntimeError(
            message(
                f"random_: no value of {dtype} lies in the range",
                f"from={low} >= to={high} after rounding",
                fix="a wider dtype, such as torch.float64",
            )
        )
    return low, high


def randperm(
    n: int, dtype: DTypeLike = np.int64, generator: Generator | None = None
) -> NDArray[Any]:
    """A permutation of 0 ... n - 1, (n,): torch.randperm."""
    dtype = np.dtype(dtype)
    check_randperm(n, dtype)
    g = source.drawn_from(generator)
    if n >= _SMALL_PERMUTATION:
        return _large_randperm(n, g).astype(dtype)
    return g.draw("permutation", n).astype(dtype, copy=False)


def _large_randperm(n: int, g: Generator) -> NDArray[np.int64]:
    """Fisher-Yates inside out with 64-bit draws, for which `draw % n` is not visibly uneven."""
    order = np.empty(n, np.int64)
    view = order.data
    for start in range(0, n, 2**20):
        places = np.arange(start, min(start + 2**20, n), dtype=np.uint64)
        targets = (g.draw64(len(places)) % (places + np.uint64(1))).tolist()
        for i, j in enumerate(targets, start):
            view[i] = i
            view[i], view[j] = view[j], i
    return order


def multinomial(
    weights: ArrayLike,
    num_samples: int,
    replacement: bool = False,
    generator: Generator | None = None,
) -> NDArray[np.int64]:
    """Category numbers drawn in proportion to weights: torch.multinomial.

    weights (k,) or (rows, k); the result is (..., num_samples) int64. Without replacement: the
    num_samples largest of weights / exponential samples (the order of ties, which zero weights
    produce once all others are used up, is not PyTorch's). So for one sample with replacement, too;
    for several, inversion of the cumulative sum.
    """
    w = np.asarray(weights)
    check_multinomial(w, num_samples, replacement)
    if w.size == 0:
        return np.empty((*w.shape[:-1], num_samples), np.int64)
    g = source.drawn_from(generator)
    if not replacement or num_samples == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = in_memory_order(w, lambda shape: exponential(shape, w.dtype, 1.0, g))
            score = w / noise
        if num_samples == 1:
            return score.argmax(-1, keepdims=True)
        if num_samples < w.shape[-1] // 8:  # to choose first pays where few are sorted afterwards
            chosen = np.argpartition(-score, num_samples, -1)[..., :num_samples]
            rank = np.argsort(-np.take_along_axis(score, chosen, -1), -1, kind="stable")
            return np.take_along_axis(chosen, rank, -1)
        return np.argsort(-score, axis=-1, kind="stable")[..., :num_samples].copy()
    rows = w.reshape(-1, w.shape[-1])
    rows = rows.astype(np.float32) if w.dtype.itemsize == 2 else rows
    out = np.empty((len(rows), num_samples), np.int64)
    for row, samples in zip(rows, out, strict=True):
        cumulative = np.cumsum(row, dtype=row.dtype)
        cumulative /= cumulative[-1]
        cumulative[-1] = 1
        places = g.fill("uniform", np.empty(num_samples), 0.0, 1.0)
        samples[:] = np.searchsorted(cumulative.astype(np.float64), places)
    return out.reshape(*w.shape[:-1], num_samples)
