"""Random numbers that cost an unknown number of draws: gamma, Dirichlet, Poisson, binomial.

For a seed they are PyTorch's on the CPU: the same algorithms take the same draws in the same order,
element by element, and round where PyTorch rounds. Arrays in, arrays out.

* gamma: G. Marsaglia and W. W. Tsang, A simple method for generating gamma variables (2000), of
  concentration + 1 where that is below 1;
* Poisson: W. Hörmann, The transformed rejection method for generating Poisson random variables
  (1993), and below a rate of 10 products of uniforms;
* binomial: W. Hörmann, The generation of binomial random variates (1993), algorithm BTRS, and below
  a mean of 10 sums of geometric numbers.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from . import generator as source
from .draw_checks import floating

if TYPE_CHECKING:
    from types import TracebackType

    from ..base.types import Array
    from .generator import Generator

_BLOCK = 256  # uniforms drawn ahead at a time
_FEW = 32  # numbers for which making a twin takes longer
_SQUEEZE = float(np.float32(0.0331))  # a constant of float32 in PyTorch, as 1 / 3 is
_THIRD = np.float32(1) / np.float32(3)


class Draws:
    """Uniforms of float64, one by one, from the generator itself: for few numbers."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def __enter__(self) -> Draws:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def uniform(self) -> float:
        """The next uniform on [0, 1), of 53 bits."""
        return (int(self.generator.draw64(1)[0]) & 2**53 - 1) * 2.0**-53


_twins: list[Generator] = []  # not in use; making one takes longer than a hundred draws


class Ahead(Draws):
    """For many numbers, and with normals: a twin of the generator draws in blocks.

    Leaving the `with` block moves the generator itself on by as many draws as were used.
    """

    def __enter__(self) -> Ahead:
        self.twin = _twins.pop() if _twins else source.Generator()
        state = source.Generator.get_state(self.generator)
        self.twin.set_state(state)
        fields = np.frombuffer(state.tobytes(), source._STATE)[0]
        self.spare = float(fields["normal_y"]) if fields["normal_is_valid"] else None
        self.first_spare = self.spare
        self.waiting: list[float] = []  # the last one is next
        self.used = 0
        return self

    def uniform(self) -> float:
        if not self.waiting:
            bits = self.twin.draw64(_BLOCK) & np.uint64(2**53 - 1)
            self.waiting = (bits.astype(np.float64) * 2.0**-53).tolist()[::-1]
        self.used += 1
        return self.waiting.pop()

    def normal(self) -> float:
        """The next standard normal; every second one waited, also for a later call."""
        if self.spare is not None:
            out, self.spare = self.spare, None
            return out
        angle = 2.0 * math.pi * self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-self.uniform()))
        self.spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        _twins.append(self.twin)
        g = self.generator
        if self.used:
            g.draw64(self.used)
        if self.spare != self.first_spare:
            state = source.Generator.get_state(g).copy()
            fields = state.view(source._STATE)
            fields["normal_is_valid"] = self.spare is not None
            fields["normal_y"] = self.spare or 0.0
            source.Generator.set_state(g, state)


def _uniforms(generator: Generator | None, n: int) -> Draws:
    """For n numbers."""
    return (Draws if n < _FEW else Ahead)(generator or source.default_generator)


# ---- gamma, Dirichlet ----------------------------------------------------------------------------
def standard_gamma(concentration: Array, generator: Generator | None = None) -> Array:
    """Gamma of rate 1: torch._standard_gamma, in concentration's shape and dtype."""
    dtype = floating("gamma_cpu", concentration.dtype)
    return np.maximum(_gamma(concentration, generator).astype(dtype), np.finfo(dtype).tiny)


def _gamma(concentration: Array, generator: Generator | None) -> Array:
    """In float64, of parameters that are rounded in concentration's dtype."""
    a = np.asarray(concentration)
    small = a < 1
    if (a < 0).any():
        raise RuntimeError(
            message(
                f"gamma: expected concentrations >= 0, but found {a.min():g}",
                fix="torch.nn.functional.softplus(x) makes them of any numbers",
            )
        )
    with np.errstate(divide="ignore", over="ignore"):
        powers = (a.dtype.type(1) / a).ravel().tolist()
    shifted = np.where(small, a + a.dtype.type(1), a)
    d = (shifted - a.dtype.type(_THIRD)).ravel().tolist()
    out = np.empty(a.size)
    with Ahead(generator or source.default_generator) as draws:
        for i, (value, boosted, power) in enumerate(
            zip(a.ravel().tolist(), small.ravel().tolist(), powers, strict=True)
        ):
            if value == 0:
                out[i] = 0.0
            elif value != value:  # a NaN would never be accepted
                out[i] = math.nan
            else:
                scale = (1.0 - draws.uniform()) ** power if boosted else 1.0
                out[i] = scale * d[i] * _marsaglia_tsang(d[i], draws)
    return out.reshape(a.shape)


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


def dirichlet(concentration: Array, generator: Generator | None = None) -> Array:
    """Points of the simplex, along the last dimension: torch._sample_dirichlet.

    Gammas, computed in float64 against underflow, over their sum.
    """
    dtype = floating("dirichlet", concentration.dtype)
    gammas = np.maximum(
        _gamma(concentration.astype(np.float64), generator), np.finfo(np.float64).tiny
    )
    ratio = (gammas / gammas.sum(-1, keepdims=True)).astype(dtype)
    below_one = np.nextafter(dtype.type(1), dtype.type(0))
    return np.minimum(below_one, np.maximum(np.finfo(dtype).tiny, ratio))


# ---- Poisson -------------------------------------------------------------------------------------
def poisson(rate: Array, generator: Generator | None = None) -> Array:
    """Counts of the given rates, in their shape and dtype: torch.poisson."""
    dtype = floating("poisson_cpu", rate.dtype)
    if not (rate >= 0).all():
        raise RuntimeError(
            message(
                "invalid Poisson rate, expected rate to be non-negative",
                fix="torch.nn.functional.softplus(x) makes rates of any numbers",
            )
        )
    out = np.empty(rate.size)
    with _uniforms(generator, out.size) as draws:
        for i, value in enumerate(rate.ravel().tolist()):
            out[i] = _large_poisson(value, draws) if value >= 10 else _small_poisson(value, draws)
    return out.astype(dtype).reshape(rate.shape)


def _small_poisson(rate: float, draws: Draws) -> int:
    """How many uniforms can be multiplied before the product falls to exp(-rate)."""
    count, product, limit = 0, 1.0, math.exp(-rate)
    while rate:
        product *= draws.uniform()
        if product <= limit:
            break
        count += 1
    return count


def _large_poisson(rate: float, draws: Draws) -> int:
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


# ---- binomial ------------------------------------------------------------------------------------
def binomial(count: Array, prob: Array, generator: Generator | None = None) -> Array:
    """Successes among `count` trials of probability `prob`: torch.binomial.

    The arrays broadcast and have one floating dtype.
    """
    dtype = floating("binomial_cpu", prob.dtype)
    count, prob = np.broadcast_arrays(count, prob)
    if count.dtype != dtype:
        raise RuntimeError(
            message(
                f"Found dtype {count.dtype} but expected {dtype}",
                "binomial: count and prob have one floating dtype",
                fix="count.type_as(prob)",
            )
        )
    most = prob > 0.5  # then failures are counted
    rare = np.where(most, (1.0 - prob.astype(np.float64)).astype(dtype), prob)
    # what the two algorithms read, rounded in dtype, as PyTorch's is
    with np.errstate(all="ignore"):
        mean, one = count * rare, dtype.type(1)
        parameters = (
            np.sqrt(mean * (one - rare)),  # the standard deviation
            rare / (one - rare),  # the odds
            np.floor((count + one) * rare),  # the mode
            np.log1p(-rare),
        )
    columns = [x.ravel().tolist() for x in (count, prob, rare, mean, *parameters)]
    out = np.empty(count.size)
    with _uniforms(generator, out.size) as draws:
        for i, (n, p, q, mu, deviation, odds, mode, log_q) in enumerate(zip(*columns, strict=True)):
            if n <= 0 or p <= 0:
                out[i] = 0
            elif p >= 1:
                out[i] = n
            elif p != p:
                out[i] = math.nan
            else:
                if mu >= 10:
                    found = _btrs(n, q, mu, deviation, odds, mode, draws)
                else:
                    found = _by_geometric(n, log_q, draws)
                out[i] = n - found if p > 0.5 else found
    return out.astype(dtype).reshape(count.shape)


def _by_geometric(n: float, log_q: float, draws: Draws) -> int:
    """Successes, by the numbers of trials from one to the next."""
    total, found = 0.0, 0
    while True:
        u = draws.uniform()
        total += math.ceil(math.log(u) / log_q) if u else math.inf
        if total > n:
            return found
        found += 1


def _btrs(
    n: float, p: float, mean: float, deviation: float, odds: float, mode: float, draws: Draws
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
