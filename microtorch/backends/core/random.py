"""Random numbers in C: the methods of arrays/fills.py, with the same last bit (ext/random.c)."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import F32, F64, I64, U8
from ...arrays.fills import WORDS, Fills
from .library import Kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...arrays.fills import Numbers, State


class Random(Fills):
    """What C declines (it never does, for arrays made here) goes to numpy."""

    def __init__(self) -> None:
        self._kernels = {np.float32: Kernels(F32), np.float64: Kernels(F64)}
        self._any = self._kernels[np.float64]  # for kernels without real numbers

    def seeded(self, seed: int) -> State:
        state = np.empty(WORDS + 1, np.uint32)
        return state if self._any.random_seed(seed, state) else super().seeded(seed)

    def draws(self, state: State, n: int) -> NDArray[np.uint32]:
        out = np.empty(n, np.uint32)
        return out if self._any.random_draws(n, state, out) else super().draws(state, n)

    def uniform(self, state: State, out: Numbers, low: float, high: float) -> None:
        kernels = self._kernels[out.dtype.type]
        if not kernels.random_uniform(out.size, low, high, state, out):
            super().uniform(state, out, low, high)

    def normal(self, state: State, out: Numbers, mean: float, std: float) -> None:
        kernels = self._kernels[out.dtype.type]
        if not kernels.random_normal(out.size, mean, std, state, out):
            super().normal(state, out, mean, std)

    def serial_normal(
        self, state: State, out: Numbers, mean: float, std: float, power: bool,
        spare: NDArray[np.float64],
    ) -> None:  # fmt: skip
        kernel = self._kernels[out.dtype.type].random_serial_normal
        if not kernel(out.size, mean, std, power, spare, state, out):
            super().serial_normal(state, out, mean, std, power, spare)

    def exponential(self, state: State, out: Numbers, scale: float) -> None:
        kernels = self._kernels[out.dtype.type]
        if not kernels.random_exponential(out.size, scale, state, out):
            super().exponential(state, out, scale)

    def cauchy(self, state: State, out: Numbers, median: float, sigma: float) -> None:
        kernels = self._kernels[out.dtype.type]
        if not kernels.random_cauchy(out.size, median, sigma, state, out):
            super().cauchy(state, out, median, sigma)

    def geometric(self, state: State, out: Numbers, log_failure: float) -> None:
        kernels = self._kernels[out.dtype.type]
        if not kernels.random_geometric(out.size, log_failure, state, out):
            super().geometric(state, out, log_failure)

    def bernoulli(self, state: State, out: Numbers, bound: int, value: float) -> None:
        kernels = self._kernels[out.dtype.type]
        if not kernels.random_bernoulli(out.size, bound, value, state, out):
            super().bernoulli(state, out, bound, value)

    def hits(self, state: State, out: Numbers, chances: Numbers) -> None:
        kernels, wrong = self._kernels[out.dtype.type], np.empty(1, U8)
        if not kernels.random_hits(out.size, chances, state, wrong, out) or wrong[0]:
            super().hits(state, out, chances)  # raises if one is wrong

    def integers(self, state: State, n: int, low: int, span: int) -> NDArray[np.int64]:
        out = np.empty(n, I64)
        if self._any.random_integers(n, low, span, state, out):
            return out
        return super().integers(state, n, low, span)

    def gammas(self, state: State, n: int, columns: Numbers, spare: Numbers) -> Numbers:
        out = np.empty(n)
        if self._any.random_gammas(n, columns, spare, state, out):
            return out
        return super().gammas(state, n, columns, spare)

    def poisson(self, state: State, n: int, rates: Numbers) -> Numbers:
        out = np.empty(n)
        if self._any.random_poisson(n, rates, state, out):
            return out
        return super().poisson(state, n, rates)

    def binomial(self, state: State, n: int, columns: Numbers) -> Numbers:
        out = np.empty(n)
        if self._any.random_binomial(n, columns, state, out):
            return out
        return super().binomial(state, n, columns)

    def permutation(self, state: State, n: int) -> NDArray[np.int64]:
        out = np.empty(n, I64)
        if self._any.random_permutation(n, state, out):
            return out
        return super().permutation(state, n)
