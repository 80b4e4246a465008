"""``python -m benchmarks.matmul_steps``: the steps of the matrix product in docs/c-core.md.

Square matrices, in GFLOP/s; a multiplication and an addition count as two operations. Each figure
is the best of several runs. The steps take turns, so that a busy neighbour meets all of them alike.
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .__main__ import restart_clean
from .cases import once


def steps(n: int, threads: int, dtype: Any) -> dict[str, Callable[[], Any]]:
    """The function of each step, by its heading in the document."""
    from microtorch.backends import core
    from microtorch.backends.core.products import matmul_step
    from microtorch.backends.reference import Reference

    random = np.random.default_rng(0)
    x, y = (random.standard_normal((n, n)).astype(dtype) for _ in range(2))

    def by_core(count: int) -> Callable[[], Any]:
        def run() -> Any:
            core.set_num_threads(count)
            return Reference.by_dtype[np.dtype(dtype)].matmul(x, y)

        return run

    found = {
        "1 i, j, p": lambda: matmul_step("ijp", x, y),
        "2 i, p, j": lambda: matmul_step("naive", x, y),
        "3 blocks": lambda: matmul_step("blocked", x, y),
        "4 a tile in registers": lambda: matmul_step("tiled", x, y),
        "5 packed": by_core(1),
    }
    if threads > 1:
        found[f"6 {threads} threads"] = by_core(threads)
    return found | {f"numpy, {threads} thread{'s' * (threads > 1)}": lambda: np.dot(x, y)}


def best(functions: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Seconds of each function's fastest run: a slow one runs once, a fast one as often as fits."""
    fastest = {name: once(f, 1) for name, f in functions.items()}
    for _ in range(100):
        turns = {name: f for name, f in functions.items() if fastest[name] < seconds / 20}
        for name, f in turns.items():
            fastest[name] = min(fastest[name], once(f, max(1, int(0.002 / fastest[name]))))
        seconds -= sum(fastest[name] for name in turns)
        if seconds < 0:
            break
    return fastest


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.matmul_steps", description=__doc__.splitlines()[0]
    )
    add, sizes, threads = parser.add_argument, [256, 512, 1000, 1024], min(2, os.cpu_count() or 1)
    add("sizes", nargs="*", type=int, default=sizes, help="(default: 256 512 1000 1024)")
    add("--threads", type=int, default=threads, help="of the last step (default 2)")
    add("--seconds", type=float, default=4.0, help="for each size (default 4)")
    add("--float64", action="store_true")
    options = parser.parse_args(arguments)
    restart_clean(arguments, options.threads, "benchmarks.matmul_steps")
    dtype = np.float64 if options.float64 else np.float32
    columns = {n: best(steps(n, options.threads, dtype), options.seconds) for n in options.sizes}
    print(f"GFLOP/s, {np.dtype(dtype).name}\n")
    print("| step | " + " | ".join(f"{n} x {n}" for n in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name in next(iter(columns.values())):
        figures = [f"{2 * n**3 / seconds[name] / 1e9:.1f}" for n, seconds in columns.items()]
        print(f"| {name} | " + " | ".join(figures) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
