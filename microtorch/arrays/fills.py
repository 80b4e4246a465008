"""A Mersenne Twister, and the arrays of numbers made of its draws: their definition, in numpy.

The state of a twister is one array, (625,) uint32: its 624 words, and how many of them have been
used (0: seeded, and none drawn yet). Each method of `Fills` takes the next draws from a state. It
returns a new 1-d array of ``n`` numbers, or fills ``out``, an array in rows, in its dtype. The C
core has the same methods (ext/random.c), whose numbers agree to the last bit; ``in_use`` is what
`Generator` calls.

Source: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import accepting
from .draw_checks import check_chances
from .rounding import each, exp_or_inf, fma, log32, log_or_inf, sincos32

if TYPE_CHECKING:  # numpy.typing is slow to import
    from numpy.typing import NDArray

    State = NDArray[np.uint32]
    Numbers = NDArray[Any]  # of float32 or float64
    Real = type[np.float32 | np.float64]

WORDS, APART = 624, 397
BLOCK = 16  # of so many uniforms, PyTorch makes so many normals at once
_CHUNK = 8192 // 8  # blocks per step of the float32 transform: the work arrays stay in the cache
_ONE, _TOP, _MATRIX = np.uint32(1), np.uint32(1 << 31), np.uint32(0x9908B0DF)
_TWO_PI = 2.0 * math.pi


def _twisted(words: State, following: State) -> State:
    """A bit of each word and 31 of the next one, times the twister's matrix."""
    mixed = (words & _TOP) | (following & ~_TOP)
    return (mixed >> _ONE) ^ ((mixed & _ONE) * _MATRIX)


def _renew(key: State) -> None:
    """The next 624 words. Each needs one that lies 397 further, so they come in three parts."""
    first, last = WORDS - APART, WORDS - 1
    for begin, end in ((0, first), (first, 2 * first), (2 * first, last)):
        source = key[APART:WORDS] if begin == 0 else key[begin - first : end - first]
        key[begin:end] = source ^ _twisted(key[begin:end], key[begin + 1 : end + 1])
    key[last:] = key[APART - 1 : APART] ^ _twisted(key[last:], key[:1])


def _tempered(y: State) -> State:
    y = y ^ (y >> np.uint32(11))
    y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
    y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
    return y ^ (y >> np.uint32(18))


def _box_muller(u: Numbers, mean: float, std: float) -> Numbers:
    """Normals from u, (16 k,) uniforms.

    Of each 16, eight radii and eight angles give eight cosines and eight sines.
    """
    pairs = u.reshape(-1, 2, 8)
    out = np.empty_like(pairs)
    if u.dtype == np.float64:
        radius = np.sqrt(-2.0 * each(math.log, 1.0 - pairs[:, 0])).reshape(-1, 8)
        angle = _TWO_PI * pairs[:, 1]
        out[:, 0] = radius * each(math.cos, angle).reshape(-1, 8)
        out[:, 1] = radius * each(math.sin, angle).reshape(-1, 8)
    else:
        for i in range(0, len(pairs), _CHUNK):
            part = pairs[i : i + _CHUNK]
            radius = np.sqrt(np.float32(-2) * log32(np.float32(1) - part[:, 0]))
            sin, cos = sincos32(np.float32(_TWO_PI) * part[:, 1])
            np.multiply(radius, cos, out=out[i : i + _CHUNK, 0])
            np.multiply(radius, sin, out=out[i : i + _CHUNK, 1])
    return fma(out.reshape(-1), float(u.dtype.type(std)), float(u.dtype.type(mean)))


def _put(values: Numbers, out: Numbers) -> None:
    """Write 1-d values into an array in rows."""
    out[...] = values.reshape(out.shape)


class Fills:
    """The numpy form. What is filled is of float32 or float64; arithmetic is in it unless said."""

    # ---- the twister -----------------------------------------------------------------------------
    def seeded(self, seed: int) -> State:
        """The state for a seed of 32 bits."""
        words = [seed]
        for i in range(1, WORDS):
            words.append((1812433253 * (words[-1] ^ (words[-1] >> 30)) + i) & 0xFFFFFFFF)
        return np.array([*words, 0], np.uint32)

    def draws(self, state: State, n: int) -> NDArray[np.uint32]:
        """The next n draws of 32 bits."""
        out, done, key = np.empty(n, np.uint32), 0, state[:WORDS]
        while done < n:
            used = int(state[WORDS])
            if used in (0, WORDS):
                _renew(key)
                used = 0
            count = min(n - done, WORDS - used)
            out[done : done + count] = key[used : used + count]
            state[WORDS] = used + count
            done += count
        return _tempered(out)

    def draws64(self, state: State, n: int) -> NDArray[np.uint64]:
        """n numbers of two draws each, the first draw in the high word."""
        pairs = self.draws(state, 2 * n).astype("<u4", copy=False).view("<u8")
        return (pairs << np.uint64(32)) | (pairs >> np.uint64(32))

    # ---- uniform and normal ----------------------------------------------------------------------
    def units(self, state: State, n: int, dtype: Real) -> Numbers:
        """Uniforms in [0, 1): 24 bits of a draw for float32, 53 bits of two for float64."""
        if dtype == np.float64:
            bits = self.draws64(state, n) & np.uint64(2**53 - 1)
            return bits.astype(np.float64) * 2.0**-53
        bits32 = self.draws(state, n) & np.uint32(2**24 - 1)
        return bits32.astype(np.float32) * np.float32(2.0**-24)

    def uniform(self, state: State, out: Numbers, low: float, high: float) -> None:
        """Uniforms in [low, high), rounded once."""
        number = out.dtype.type
        first, last = number(low), number(high)
        units = self.units(state, out.size, number)
        made = fma(units, float(last - first), float(first))
        made[made == last] = first  # rounding may reach the open end
        _put(made, out)

    def normal(self, state: State, out: Numbers, mean: float, std: float) -> None:
        """16 normals or more in blocks of 16; if they are no multiple, the last 16 are drawn anew.
        """
        n, dtype = out.size, out.dtype.type
        made = _box_muller(self.units(state, n, dtype)[: n - n % BLOCK], mean, std)
        if n % BLOCK:
            last = _box_muller(self.units(state, BLOCK, dtype), mean, std)
            made = np.concatenate([made[: n - BLOCK], last])
        _put(made, out)

    def serial_normal(
        self, state: State, out: Numbers, mean: float, std: float, power: bool,
        spare: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Normals in pairs, one after the other, in float64; with ``power``, e to them.

        The second of a pair that is not asked for waits in ``spare``: its value, and 1.
        """
        made: list[float] = []
        if out.size and spare[1]:
            made.append(float(spare[0]))
            spare[1] = 0
        missing = out.size - len(made)
        u = self.units(state, missing + missing % 2, np.float64).tolist()
        for i in range(0, missing, 2):
            radius, angle = math.sqrt(-2.0 * math.log1p(-u[i + 1])), _TWO_PI * u[i]
            made += radius * math.cos(angle), radius * math.sin(angle)
        if missing % 2:
            spare[:] = made.pop(), 1
        values = fma(np.array(made, np.float64), float(std), float(mean))
        _put(each(exp_or_inf, values) if power else values, out)

    # ---- others, computed in float64 -------------------------------------------------------------
    def exponential(self, state: State, out: Numbers, scale: float) -> None:
        """scale * log(1 - u)."""
        u = self.units(state, out.size, np.float64)
        _put(scale * each(math.log1p, -u), out)

    def cauchy(self, state: State, out: Numbers, median: float, sigma: float) -> None:
        """tan(pi (u - 1/2)) * sigma + median."""
        u = self.units(state, out.size, np.float64)
        _put(fma(each(math.tan, math.pi * (u - 0.5)), sigma, median), out)

    def geometric(self, state: State, out: Numbers, log_failure: float) -> None:
        """log(u) / log_failure, rounded up."""
        u = self.units(state, out.size, np.float64)
        _put(np.ceil(each(log_or_inf, u) / log_failure), out)

    def bernoulli(self, state: State, out: Numbers, bound: int, value: float) -> None:
        """``value`` where 53 bits are below ``bound``, else 0."""
        hits = (self.draws64(state, out.size) & np.uint64(2**53 - 1)) < np.uint64(bound)
        _put(hits.astype(out.dtype) * out.dtype.type(value), out)

    def hits(self, state: State, out: Numbers, chances: Numbers) -> None:
        """1 where a uniform is below the chance of it, an array as ``out``, else 0.

        RuntimeError, before a number is drawn, for what is no chance.
        """
        check_chances(chances)
        _put((self.units(state, out.size, out.dtype.type) < chances.reshape(-1)), out)

    def integers(self, state: State, n: int, low: int, span: int) -> NDArray[np.int64]:
        """``low`` + draw % ``span``, which is at most 2**28."""
        return (self.draws(state, n) % np.uint32(span)).astype(np.int64) + low

    # ---- permutations ----------------------------------------------------------------------------
    # ---- by rejection: float64 for columns of parameters (rejection.py) --------------------------
    def gammas(self, state: State, n: int, columns: Numbers, spare: Numbers) -> Numbers:
        """Gammas of rate 1; the odd normal waits in ``spare``."""
        with accepting.Ahead(self, state, spare) as draws:
            return accepting.gammas(columns, draws)

    def poisson(self, state: State, n: int, rates: Numbers) -> Numbers:
        """Counts of the given rates."""
        with accepting.Ahead(self, state) as draws:
            return accepting.poisson(rates, draws)

    def binomial(self, state: State, n: int, columns: Numbers) -> Numbers:
        """Successes."""
        with accepting.Ahead(self, state) as draws:
            return accepting.binomial(columns, draws)

    def permutation(self, state: State, n: int) -> NDArray[np.int64]:
        """0 ... n - 1, where place i was exchanged with one of those from i on (Fisher-Yates)."""
        places = np.arange(n - 1)
        targets = self.draws(state, max(n - 1, 0)) % (n - places).astype(np.uint32) + places
        if n > 1000:
            return _swapped(targets, n)
        order = list(range(n))
        for i, j in enumerate(targets.tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)


def _swapped(targets: NDArray[Any], n: int) -> NDArray[np.int64]:
    """0 ... n - 1 after a swap of place i with place targets[i] >= i, for each i in turn.

    Step i takes to its place what lies at targets[i]. The last step that wrote there left what it
    had at its own place; that had been written by an earlier step, and so on, down to a place that
    no step had written. All steps follow these chains at once.
    """
    steps = np.arange(len(targets))
    moved = targets > steps
    origin = np.arange(n)
    origin[targets[moved]] = steps[moved]  # of several steps that wrote a place, the last one stays
    while not np.array_equal(further := origin[origin], origin):
        origin = further
    ranked = np.sort(targets.astype(np.int64) << 32 | steps)  # by place, and then by step
    place, step = ranked >> 32, ranked & 0xFFFFFFFF
    again = np.flatnonzero(place[1:] == place[:-1])
    order = np.append(targets, origin[n - 1])
    order[step[again + 1]] = origin[step[again]]
    return order


in_use = Fills()  # backends/cpu.py puts the C core's form here
