"""What this processor can do at most, and what the compiled steps' products take at that rate.

    python -m benchmarks.peak

A loop of multiply-adds in registers measures the peak; the other rates are of the text that
programs are made of (microtorch/static/c), on arrays that lie in the cache.
"""
from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import microtorch
from microtorch.backends import core
from microtorch.static import build, functions

from . import static
from .report import heading, machine

TEXT = """
/* 12 rows of 16 sums, which stay in registers: 384 operations a round */
void peak(int rounds, const float *x, float *out)
{
    float sums[12][16] = {{0}};
    for (int k = 0; k < rounds; k++)
        _Pragma("GCC unroll 12") for (int r = 0; r < 12; r++)
            for (int l = 0; l < 16; l++)
                sums[r][l] = ADDf(x[r], x[l], sums[r][l]);
    for (int r = 0; r < 12; r++)
        for (int l = 0; l < 16; l++)
            out[16 * r + l] = sums[r][l];
}

void tanhs(int n, const float *restrict x, float *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = fast_tanh(x[i]);
}

void update(int n, const float *restrict g, float *restrict p)
{
    for (int i = 0; i < n; i++)
        p[i] -= 0.05f * g[i];
}
"""
# multiplications and additions of products in a step: of each layer forward, for its weight, and
# but for the first for what it was given
PRODUCTS = {
    "moons": 2 * 100 * (2 * 2 * 16 + 3 * 16 * 16 + 3 * 16),
    "mlp784": 2 * 64 * (2 * 784 * 500 + 3 * 500 * 10),
    "block": 2 * 1024 * 3 * 64 * (192 + 64 + 256 + 256) + 2 * 64 * 6 * 64 * 64 * 16,
}  # fmt: skip


def fastest(function: Callable[[], Any], times: int = 300) -> float:
    """Seconds of the fastest call, out of rounds of 20."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        for _ in range(20):
            function()
        best = min(best, (time.perf_counter() - start) / 20)
    return best


def rates() -> dict[str, float]:
    """Operations, values of tanh, and updated weights a second."""
    head = functions.used(functions.text_of("head"), f"{TEXT} INLINE")
    loaded = build.loaded("\n".join([head, functions.floats(["tanh"]), TEXT]))
    x, out = (np.full(392_000, 0.5, np.float32) for _ in range(2))

    def called(name: str, n: int) -> float:
        function = getattr(loaded, name)
        given = n, *(ctypes.c_void_p(a.ctypes.data) for a in (x, out))
        return fastest(lambda: function(*given))

    empty = called("tanhs", 0)
    return {
        "operations": 384 * 10_000 / (called("peak", 10_000) - empty),
        "tanh": 1600 / (called("tanhs", 1600) - empty),
        "updates": len(x) / (called("update", len(x)) - empty),
    }


def main() -> None:
    core.set_num_threads(1)
    print(heading(machine()))
    found = rates()
    billions = {name: rate / 1e9 for name, rate in found.items()}
    print(f"{billions['operations']:.0f} GFLOP/s in registers; a second, {billions['tanh']:.1f} G "
          f"values of tanh, and {billions['updates']:.1f} G updates of a weight")  # fmt: skip
    for name, operations in PRODUCTS.items():
        print(f"{name}: products {operations / found['operations'] * 1e6:.2f} us at that rate")
    print(f"moons: tanh {3200 / found['tanh'] * 1e6:.2f} us")
    print(f"mlp784: update {392_000 / found['updates'] * 1e6:.0f} us")
    static.POINTS, static.SIDES = static.POINTS[:1], static.SIDES[:1]
    step = static.moons(microtorch, microtorch.compile)
    for _ in range(20):
        step()
    print(f"moons with one point, so the call: {fastest(step) * 1e6:.2f} us")


if __name__ == "__main__":
    main()
