"""Arithmetic that rounds as PyTorch's x86 kernels do, where numpy differs in the last bit.

There are three differences. A fused multiply-add rounds once, where ``a * b + c`` rounds twice:
``fma`` works out the single rounding in float64. PyTorch's blocks of float32 normals use Cephes'
polynomials for log, sin and cos: ``log32`` and ``sincos32`` repeat them, operation by operation.
numpy's vector log, sin and tan vary between machines: ``each`` asks the C library instead, through
``math``, value by value.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # numpy.typing is slow to import
    from numpy.typing import NDArray

    Float32s = NDArray[np.float32]
    Float64s = NDArray[np.float64]


def fma(a: NDArray[Any], b: float, c: float) -> NDArray[Any]:
    """a * b + c rounded once, in a's dtype (float32 or float64); b and c are values of that dtype.

    The exact result is high + low. Where low is not 0, the last bit of high is set to 1 ("round to
    odd"), which keeps what the final rounding has to know. Source: Boldo and Melquiond, Emulation
    of FMA and correctly rounded sums, 2008.
    """
    if c == 0 or b == 1 or not math.isfinite(b + c):
        return a * a.dtype.type(b) + a.dtype.type(c)
    wide = a.astype(np.float64)
    high = wide * b  # exact for float32, which has 24 bits
    if a.dtype == np.float32:
        return _to_odd(*_two_sum(high, np.float64(c))).astype(np.float32)
    split = 134217729.0 * wide
    wide_hi = split - (split - wide)
    b_hi = 134217729.0 * b - (134217729.0 * b - b)
    wide_lo, b_lo = wide - wide_hi, b - b_hi
    low = wide_lo * b_lo - (((high - wide_hi * b_hi) - wide_lo * b_hi) - wide_hi * b_lo)
    tail, tail_error = _two_sum(low, np.float64(c))
    total, error = _two_sum(high, tail)
    return total + _to_odd(*_two_sum(tail_error, error))


def spaced(first: float, last: float, steps: int, d: np.dtype[Any]) -> NDArray[Any]:
    """At least two numbers from ``first`` to ``last``, of dtype ``d`` (float32 or float64).

    They go from both ends to the middle, each rounded once: PyTorch's linspace, to the last bit.
    """
    first, last, half = d.type(first), d.type(last), steps // 2
    step = (last - first) / d.type(steps - 1)
    up = fma(np.arange(half).astype(d), step, first)
    down = fma(np.arange(steps - half - 1, -1, -1).astype(d), -step, last)
    return np.concatenate([up, down])


def stepped(first: float, by: float, n: int, d: np.dtype[Any]) -> NDArray[Any]:
    """first + i * by for i < n, of the floating dtype ``d``: PyTorch's arange.

    It takes two vectors of 32 bytes at a time. The first element of a vector is rounded, the others
    add a multiple of ``by`` to it. What does not fill two vectors is computed one by one. All that
    in float64; for 16-bit numbers in float32.
    """
    wide: Any = np.float64 if d.itemsize > 2 else np.float32
    first, by = float(wide(first)), float(wide(by))
    i, lanes = np.arange(n), 32 // d.itemsize
    lane = np.where(i < n - n % (2 * lanes), i % lanes, 0)
    base = fma((i - lane).astype(wide), by, first).astype(d)
    high: Float64s = by * np.arange(lanes, dtype=np.float64)  # rounded; low is what that leaves
    low = (np.longdouble(by) * np.arange(lanes) - high).astype(np.float64)
    total, error = _two_sum(base.astype(np.float64), high[lane])
    return np.where(lane, (total + (error + low[lane])).astype(wide).astype(d), base)


def _two_sum(a: Float64s, b: Float64s | np.float64) -> tuple[Float64s, Float64s]:
    """(a + b rounded, what the rounding lost): their sum is exact (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def _to_odd(total: Float64s, error: Float64s) -> Float64s:
    """``total`` with its last bit 1 where ``error`` says that it is not exact."""
    bits = total.view(np.int64)
    step = np.where((error > 0) == (total > 0), 1, -1)
    return np.where((error != 0) & (bits & 1 == 0), bits + step, bits).view(np.float64)


def each(function: Callable[[float], float], values: Float64s) -> Float64s:
    """``function`` of every value, as a 1-d array."""
    return np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size)


def log_or_inf(u: float) -> float:
    """log(u), -inf at 0."""
    return math.log(u) if u else -math.inf


def exp_or_inf(x: float) -> float:
    """exp(x), inf where it would overflow."""
    return math.exp(x) if x < 709.782712893384 else math.inf


# Cephes' logf and sincosf, as avx_mathfun.h has them. A float32 fused multiply-add is computed in
# float64 and rounded to float32: the product is exact, and for none of the 2**24 inputs that can
# occur did the second rounding change a bit.
_SQRT_HALF = np.float32(0.707106781186547524)
_LOG = [float(np.float32(c)) for c in (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)]  # fmt: skip
_LOG2_LOW, _LOG2_HIGH = np.float32(-2.12194440e-4), 0.693359375
_SIN = [float(np.float32(c)) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)]
_COS = [
    float(np.float32(c))
    for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
]
_QUARTER_PI = [
    float(np.float32(c)) for c in (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
]
_FOUR_OVER_PI = np.float32(1.27323954473516)


def _horner32(coefficients: Iterable[float], x: Float64s) -> Float32s:
    """The polynomial in x with float32 roundings (Horner's rule)."""
    first, *rest = coefficients
    y, wide = np.full(x.shape, first, np.float32), np.empty_like(x)
    for c in rest:
        np.multiply(y, x, out=wide)
        wide += c
        y = wide.astype(np.float32)
    return y


def log32(u: Float32s) -> Float32s:
    """log(u) for u in (0, 1]."""
    fraction, exponent = np.frexp(u)
    below = fraction < _SQRT_HALF
    e = (exponent - below).astype(np.float32)
    x = np.where(below, fraction + fraction, fraction) - np.float32(1)
    z = x * x
    y = _horner32(_LOG, x.astype(np.float64)) * x
    y = (y.astype(np.float64) * z + e * _LOG2_LOW).astype(np.float32)
    y = (z * np.float64(-0.5) + y).astype(np.float32)
    return (e * np.float64(_LOG2_HIGH) + (x + y)).astype(np.float32)


def sincos32(x: Float32s) -> tuple[Float32s, Float32s]:
    """(sin x, cos x) for x in [0, 2 pi)."""
    octant = ((x * _FOUR_OVER_PI).astype(np.int32) + 1) & ~1
    wide_octant = octant.astype(np.float64)
    for part in _QUARTER_PI:
        x = (wide_octant * part + x).astype(np.float32)
    z = x * x
    wide_z = z.astype(np.float64)
    c = _horner32(_COS, wide_z) * z
    c = (c * wide_z - z * np.float32(0.5)).astype(np.float32) + np.float32(1)
    s = _horner32(_SIN, wide_z) * z
    s = (s.astype(np.float64) * x + x).astype(np.float32)
    swap = octant & 2 != 0
    sin, cos = np.where(swap, c, s), np.where(swap, s, c)
    np.negative(sin, out=sin, where=octant & 4 != 0)
    np.negative(cos, out=cos, where=(octant + 2) & 4 != 0)
    return sin, cos
