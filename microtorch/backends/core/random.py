"""Random numbers in C: the methods of arrays/fills.py, with the same last bit (ext/random.c)."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import F32, F64
from ...arrays.fills import WORDS, Fills
from .library import Kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...arrays.fills import Numbers, Real, State


class Random(Fills):
    """What C declines (it never does, for arrays made here) goes to numpy."""

    def __init__(self) -> None:
        self._kernels = {np.float32: Kernels(F32), np.float64: Kernels(F64)}
        self._any = self._kernels[np.float64]  # for kernels without real numbers

    def seeded(self, seed: int) -> State:
        state = np.empty(WORDS + 1, np.uint32)
        return state if self._any.random_seed(seed, id(state)) else super().seeded(seed)

    def draws(self, state: State, n: int) -> NDArray[np.uint32]:
        out = np.empty(n, np.uint32)
        return out if self._any.random_draws(n, id(state), id(out)) else super().draws(state, n)

    def uniform(self, state: State, n: int, dtype: Real, low: float, high: float) -> Numbers:
        out = np.empty(n, dtype)
        if self._kernels[dtype].random_uniform(n, low, high, id(state), id(out)):
            return out
        return super().uniform(state, n, dtype, low, high)

    def normal(self, state: State, n: int, dtype: Real, mean: float, std: float) -> Numbers:
        out = np.empty(n, dtype)
        if self._kernels[dtype].random_normal(n, mean, std, id(state), id(out)):
            return out
        return super().normal(state, n, dtype, mean, std)

    def serial_normal(
        self, state: State, n: int, dtype: Real, mean: float, std: float, power: bool,
        spare: NDArray[np.float64],
    ) -> Numbers:  # fmt: skip
        out = np.empty(n, dtype)
        arrays = id(spare), id(state), id(out)
        if self._kernels[dtype].random_serial_normal(n, mean, std, power, *arrays):
            return out
        return super().serial_normal(state, n, dtype, mean, std, power, spare)

    def exponential(self, state: State, n: int, dtype: Real, scale: float) -> Numbers:
        out = np.empty(n, dtype)
        if self._kernels[dtype].random_exponential(n, scale, id(state), id(out)):
            return out
        return super().exponential(state, n, dtype, scale)

    def cauchy(self, state: State, n: int, dtype: Real, median: float, sigma: float) -> Numbers:
        out = np.empty(n, dtype)
        if self._kernels[dtype].random_cauchy(n, median, sigma, id(state), id(out)):
            return out
        return super().cauchy(state, n, dtype, median, sigma)

    def geometric(self, state: State, n: int, dtype: Real, log_failure: float) -> Numbers:
        out = np.empty(n, dtype)
        if self._kernels[dtype].random_geometric(n, log_failure, id(state), id(out)):
            return out
        return super().geometric(state, n, dtype, log_failure)

    def bernoulli(self, state: State, n: int, dtype: Real, bound: int, value: float) -> Numbers:
        out = np.empty(n, dtype)
        if self._kernels[dtype].random_bernoulli(n, bound, value, id(state), id(out)):
            return out
        return super().bernoulli(state, n, dtype, bound, value)

    def gammas(self, state: State, n: int, columns: Numbers, spare: Numbers) -> Numbers:
        out = np.empty(n)
        if self._any.random_gammas(n, id(columns), id(spare), id(state), id(out)):
            return out
        return super().gammas(state, n, columns, spare)

    def poisson(self, state: State, n: int, rates: Numbers) -> Numbers:
        out = np.empty(n)
        if self._any.random_poisson(n, id(rates), id(state), id(out)):
            return out
        return super().poisson(state, n, rates)

    def binomial(self, state: State, n: int, columns: Numbers) -> Numbers:
        out = np.empty(n)
        if self._any.random_binomial(n, id(columns), id(state), id(out)):
            return out
        return super().binomial(state, n, columns)

    def permutation(self, state: State, n: int) -> NDArray[np.int64]:
        out = np.empty(n, np.int64)
        if self._any.random_permutation(n, id(state), id(out)):
            return out
        return super().permutation(state, n)
