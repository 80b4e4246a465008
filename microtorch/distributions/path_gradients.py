"""How a gamma or beta sample moves with its parameters: dx/da = -(∂P/∂a) / (∂P/∂x).

The approximations are PyTorch's (ATen/native/Distributions.h, F. Obermeyer 2017), so that gradients
equal PyTorch's: a Taylor series near the ends of the support, an asymptotic expansion for large
parameters (S. O. Rice, Uniform asymptotic expansions for saddle point integrals, 1968), and between
them a rational function fitted to the exact value. Their relative error is about 1e-3 at most.
Everything is computed in float64. Arrays in, arrays out; no derivative of these is offered.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..base.types import Array


def digamma(x: Array) -> Array:
    """ψ(x) for x > 0: by ψ(x) = ψ(x + 1) - 1/x to x >= 10, then the asymptotic series."""
    x, out = x.copy(), np.zeros_like(x)
    while (low := x < 10).any():
        out[low] -= 1 / x[low]
        x[low] += 1
    z = 1 / (x * x)
    series = np.polyval((1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12), z)
    return out + np.log(x) - 0.5 / x - z * series


Case = tuple["Array", "Callable[..., Array]"]


def _by_cases(dtype: np.dtype[np.floating], inputs: tuple[Array, ...], *cases: Case) -> Array:
    """Of each element the first case whose mask is true there."""
    out = np.full(inputs[0].shape, np.nan)
    open_ = np.ones(out.shape, bool)
    with np.errstate(all="ignore"):
        for mask, function in cases:
            here = open_ & mask
            if here.any():
                out[here] = function(*[x[here] for x in inputs])
            open_ &= ~mask
    return out.astype(dtype)


def _inputs(*arrays: Array) -> tuple[Array, ...]:
    return tuple(np.broadcast_arrays(*[a.astype(np.float64) for a in arrays]))


# ---- gamma ---------------------------------------------------------------------------------------
def gamma(alpha: Array, x: Array) -> Array:
    """dx/dalpha of x ~ Gamma(alpha, 1), in x's dtype."""
    alpha, at = _inputs(alpha, x)
    near_mode = (0.9 * alpha <= at) & (at <= 1.1 * alpha)
    large = alpha > 8
    return _by_cases(
        x.dtype,
        (alpha, at),
        (at < 0.8, _gamma_taylor),
        (large & near_mode, _gamma_mode),
        (large, _gamma_saddle_point),
        (alpha == alpha, _gamma_rational),
    )


def _gamma_taylor(alpha: Array, x: Array) -> Array:
    factor, total, squares = np.ones_like(x), 1 / alpha, 1 / (alpha * alpha)
    for i in range(1, 6):
        factor = factor * -x / i
        total = total + factor / (alpha + i)
        squares = squares + factor / (alpha + i) ** 2
    power, density = x**alpha, x ** (alpha - 1) * np.exp(-x)
    slope = (np.log(x) - digamma(alpha)) * power * total - power * squares
    return np.nan_to_num(-slope / density, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _gamma_mode(a: Array, x: Array) -> Array:
    """The saddle point expansion about x = a, where its terms cancel."""
    first = 1 + 24 * a * (1 + 12 * a)
    second = 1440 * a * a + 6 * x * (53 - 120 * x) - 65 * x * x / a + a * (107 + 3600 * x)
    return first * second / (1244160 * a**4)


def _gamma_saddle_point(a: Array, x: Array) -> Array:
    root = np.sqrt(8 * a)
    third = (x - a - a * np.log(x / a)) ** -1.5
    both = root / (a - x) + np.where(x < a, -third, third)
    term = np.log(x / a) * both - np.sqrt(2 / a) * (a + x) / (a - x) ** 2
    stirling = 1 + 1 / (12 * a) * (1 + 1 / (24 * a))
    return -stirling * x * term / root


_GAMMA = np.array([
    [0.16009398, -0.094634809, 0.025146376, -0.0030648343,
     1, 0.32668115, 0.10406089, 0.0014179084],
    [0.53487893, 0.1298071, 0.065735949, -0.0015649758,
     0.16639465, 0.020070113, -0.0035938915, -0.00058392623],
    [0.040121004, -0.0065914022, -0.0026286047, -0.0013441777,
     0.017050642, -0.0021309326, 0.00085092367, -1.5247877e-07],
])  # fmt: skip


def _gamma_rational(a: Array, x: Array) -> Array:
    """exp of a quotient of polynomials of log(x / a), to the power 2, and log(a), to 3."""
    in_a = np.polynomial.polynomial.polyval(np.log(x / a), _GAMMA)  # (8, elements)
    v = np.log(a)
    p, q = (np.polynomial.polynomial.polyval(v, c, tensor=False) for c in (in_a[:4], in_a[4:]))
    return np.exp(p / q)


# ---- beta ----------------------------------------------------------------------------------------
def beta(x: Array, alpha: Array, total: Array) -> Array:
    """dx/dalpha of x ~ Beta(alpha, total - alpha), over 1 - x, in x's dtype."""
    at, alpha, total = _inputs(x, alpha, total)
    other = total - alpha
    boundary = total * at * (1 - at)
    return _by_cases(
        x.dtype,
        (at, alpha, other),
        ((at <= 0.5) & (boundary < 2.5), _alpha_small),
        ((at >= 0.5) & (boundary < 0.75), lambda x, a, b: -_beta_small(1 - x, b, a)),
        ((alpha > 6) & (other > 6), _alpha_mid),
        (at == at, _beta_rational),
    )


def _alpha_small(x: Array, a: Array, b: Array) -> Array:
    """By alpha, for x near 0."""
    factor = digamma(a) - digamma(a + b) - np.log(x)
    numerator, series = np.ones_like(x), (factor + 1 / a) / a
    for i in range(1, 11):
        numerator = numerator * (i - b) * x / i
        series = series + numerator / (a + i) * (factor + 1 / (a + i))
    return np.nan_to_num(x * (1 - x) ** -b * series, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _beta_small(x: Array, a: Array, b: Array) -> Array:
    """By the other parameter, for x near 0."""
    factor = digamma(a + b) - digamma(b)
    numerator, product = np.ones_like(x), np.ones_like(x)
    slope, series = np.zeros_like(x), factor / a
    for i in range(1, 9):
        numerator = numerator * -x / i
        slope = slope * (b - i) + product
        product = product * (b - i)
        series = series + numerator / (a + i) * (slope + factor * product)
    return np.nan_to_num(-((1 - x) ** (1 - b)) * series, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _alpha_mid(x: Array, a: Array, b: Array) -> Array:
    """The saddle point expansion for large parameters; at the mean, a polynomial in its place."""
    total = a + b
    mean = a / total
    deviation = np.sqrt(a * b / (total + 1)) / total
    return np.where(
        np.abs(x - mean) <= 0.1 * deviation, _beta_mean(x, a, b), _beta_saddle_point(x, a, b)
    )


def _beta_mean(x: Array, a: Array, b: Array) -> Array:
    total = a + b
    poly = 47 * x * b**4 + a * (
        (43 + 20 * (16 + 27 * b) * x) * b**3
        + a
        * (
            3 * (59 + 180 * b - 90 * x) * b**2
            + a * ((453 + 1620 * b * (1 - x) - 455 * x) * b + a * (8 * (1 - x) * (135 * b - 11)))
        )
    )
    above = (1 + 12 * a) * (1 + 12 * b) / (total * total)
    return above / (1 - x) * poly / (12960 * a**3 * b**2 * (1 + 12 * total))


def _beta_saddle_point(x: Array, a: Array, b: Array) -> Array:
    total = a + b

    def stirling(n: Array) -> Array:
        return 1 + 1 / (12 * n) + 1 / (288 * n * n)

    offset = a * (x - 1) + b * x
    term1 = (2 * a * a * (x - 1) + a * b * (x - 1) - x * b * b) / (
        np.sqrt(2 * a / b) * total**1.5 * offset * offset
    )
    term2 = 0.5 * np.log(a / (total * x))
    term3 = np.sqrt(8 * a * b / total) / offset
    term4 = (b * np.log(b / (total * (1 - x))) + a * np.log(a / (total * x))) ** -1.5
    both = term3 + np.where(x < a / total, term4, -term4)
    factor = -x / np.sqrt(2 * a * b / total) * stirling(a) * stirling(b) / stirling(total)
    return factor * (term1 + term2 * both)


_BETA = np.array([
    [[[1.003668233, -0.01061107488, -0.0657888334, 0.01201642863],
      [0.6336835991, -0.3557432599, 0.05486251648, -0.001465281033],
      [-0.03276231906, 0.004474107445, 0.002429354597, -0.0001557569013]],
     [[0.221950385, -0.3187676331, 0.01799915743, 0.01074823814],
      [-0.2951249643, 0.06219954479, 0.01535556598, 0.001550077057],
      [0.02155310298, 0.004170831599, 0.001292462449, 6.976601077e-05]],
     [[-0.05980841433, 0.008441916499, 0.01085618172, 0.002319392565],
      [0.02911413504, 0.01400243777, -0.002721828457, 0.000751041181],
      [0.005900514878, -0.001936558688, -9.495446725e-06, 5.385558597e-05]]],
    [[[1, -0.02924021934, -0.04438342661, 0.007285809825],
      [0.6357567472, -0.3473456711, 0.05454656494, -0.002407477521],
      [-0.03301322327, 0.004845219414, 0.00231480583, -0.0002307248149]],
     [[0.5925320577, -0.1757678135, 0.01505928619, 0.000564515273],
      [0.1014815858, -0.06589186703, 0.01272886114, -0.0007316646956],
      [-0.007258481865, 0.001096195486, 0.0003934994223, -4.12701925e-05]],
     [[0.06469649321, -0.0236701437, 0.002902096474, -5.896963079e-05],
      [0.001925008108, -0.002869809258, 0.0008000589141, -6.063713228e-05],
      [-0.0003477407336, 6.959756487e-05, 1.097287507e-05, -1.650964693e-06]]],
])  # fmt: skip


def _beta_rational(x: Array, a: Array, b: Array) -> Array:
    """An analytic approximation, times a quotient of polynomials of three logarithms."""
    total = a + b
    u = np.log(x)
    v = np.log(a) - u
    w = np.log(total) - v
    p, q = (np.polynomial.polynomial.polyval3d(u, v, w, c) for c in _BETA)
    return p / q * x * (digamma(total) - digamma(a)) / b
