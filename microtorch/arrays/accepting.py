"""The loops of rejection.py, number by number: what is drawn, and when it is accepted.

Uniforms have 53 bits. These are the definition; ext/accepting.c has them in C, draw for draw.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .fills import Fills, State

    Columns = NDArray[np.float64]

_BLOCK = 256  # uniforms drawn ahead at a time
_SQUEEZE = float(np.float32(0.0331))  # a constant of float32 in PyTorch


class Ahead:
    """Uniforms and normals one by one; they are drawn in blocks, from a copy of the state.

    Leaving the `with` block moves the state itself on by as many draws as were used.
    """

    def __init__(
        self, fills: Fills, state: State, spare: NDArray[np.float64] | None = None
    ) -> None:
        self.fills, self.state, self.copy, self.spare = fills, state, state.copy(), spare
        self.waiting: list[float] = []  # the last one is next
        self.used = 0

    def __enter__(self) -> Ahead:
        return self

    def uniform(self) -> float:
        """The next uniform on [0, 1)."""
        if not self.waiting:
            bits = self.fills.draws64(self.copy, _BLOCK) & np.uint64(2**53 - 1)
            self.waiting = (bits.astype(np.float64) * 2.0**-53).tolist()[::-1]
        self.used += 1
        return self.waiting.pop()

    def normal(self) -> float:
        """The next standard normal; every second one waited, also for a later call."""
        spare = self.spare
        assert spare is not None
        if spare[1]:
            spare[1] = 0
            return float(spare[0])
        angle = 2.0 * math.pi * self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-self.uniform()))
        spare[:] = radius * math.sin(angle), 1
        return radius * math.cos(angle)

    def __exit__(self, *error: object) -> None:
        self.fills.draws64(self.state, self.used)


def gammas(columns: Columns, draws: Ahead) -> Columns:
    """Of (3, n) columns: a; a, or a + 1 where it is below 1, less 1/3; 1/a. Computed in float64."""
    out = np.empty(columns.shape[1])
    for i, (a, d, power) in enumerate(columns.T.tolist()):
        if a == 0 or a != a:  # a NaN would never be accepted
            out[i] = a
        else:
            scale = (1.0 - draws.uniform()) ** power if a < 1 else 1.0
            out[i] = scale * d * _marsaglia_tsang(d, draws)
    return out


def _marsaglia_tsang(d: float, draws: Ahead) -> float:
    """v, such that d · v is a gamma variable of concentration d + 1/3."""
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        y = 0.0
        while y <= 0:
            x = draws.normal()
            y = 1.0 + c * x
        v = y * y * y
        u = 1.0 - draws.uniform()
        square = x * x
        if u < 1.0 - _SQUEEZE * square * square:
            return v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return v


def poisson(rates: Columns, draws: Ahead) -> Columns:
    """Of (n,) rates."""
    out = np.empty(rates.size)
    for i, rate in enumerate(rates.tolist()):
        out[i] = _large_poisson(rate, draws) if rate >= 10 else _small_poisson(rate, draws)
    return out


def _small_poisson(rate: float, draws: Ahead) -> int:
    """How many uniforms can be multiplied before the product falls to exp(-rate)."""
    count, product, limit = 0, 1.0, math.exp(-rate)
    while rate:
        product *= draws.uniform()
        if product <= limit:
            break
        count += 1
    return count


def _large_poisson(rate: float, draws: Ahead) -> int:
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    tight = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = draws.uniform() - 0.5
        v = draws.uniform()
        us = 0.5 - abs(u)
        if us == 0:  # k would be -inf, which is rejected
            continue
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= tight:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        log_v = math.log(v) if v else -math.inf
        ratio = log_v + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if ratio <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return k


def binomial(columns: Columns, draws: Ahead) -> Columns:
    """Of (8, n) columns: trials; p; the smaller of p and 1 - p, and of it the mean, the standard
    deviation, the odds, the mode and log(1 - it).
    """
    out = np.empty(columns.shape[1])
    for i, (n, p, q, mu, deviation, odds, mode, log_q) in enumerate(columns.T.tolist()):
        if n <= 0 or p <= 0:
            out[i] = 0
        elif p >= 1 or n != n:
            out[i] = n
        elif p != p:
            out[i] = math.nan
        else:
            if mu >= 10:
                found = _btrs(n, q, mu, deviation, odds, mode, draws)
            else:
                found = _by_geometric(n, log_q, draws)
            out[i] = n - found if p > 0.5 else found
    return out


def _by_geometric(n: float, log_q: float, draws: Ahead) -> int:
    """Successes, by the numbers of trials from one to the next."""
    total, found = 0.0, 0
    while True:
        u = draws.uniform()
        total += math.ceil(math.log(u) / log_q) if u else math.inf
        if total > n:
            return found
        found += 1


def _btrs(
    n: float, p: float, mean: float, deviation: float, odds: float, mode: float, draws: Ahead
) -> int:
    center = mean + 0.5
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    tight = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    while True:
        u = draws.uniform() - 0.5
        v = draws.uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = math.floor((2 * a / us + b) * u + center)
        if k < 0 or k > n:
            continue
        if us >= 0.07 and v <= tight:
            return k
        log_v = math.log(v * alpha / (a / (us * us) + b)) if v else -math.inf
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1)))
            + (n + 1) * math.log((n - mode + 1) / (n - k + 1))
            + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
            + _stirling_tail(mode)
            + _stirling_tail(n - mode)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        if log_v <= bound:
            return k


_TAILS = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(k: float) -> float:
    """log k! minus Stirling's formula for it."""
    if k < len(_TAILS):
        return _TAILS[int(k)]
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
