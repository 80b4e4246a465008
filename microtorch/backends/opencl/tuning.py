"""Timing matrix products on a device, to choose their tile sizes: ``python -m
microtorch.backends.opencl tune``."""
from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ...arrays.dtypes import F32
from .matmul import launch, product
from .memory import upload
from .runtime import Runtime, forget, runtime_for
from .tiles import CPU, GPU, Tiles, fits, tiles_for, write_record


def seconds(work: Callable[[], object], runtime: Runtime) -> float:
    """How long ``work`` takes, from its call until the device has finished."""
    start = time.perf_counter()
    work()
    runtime.synchronize()
    return time.perf_counter() - start


def speed(runtime: Runtime, size: int, tiles: Tiles | None, rounds: int = 5) -> float:
    """Floating-point operations per second (1e9) of a float32 product of two ``size`` x ``size``
    matrices; ``tiles`` None: by the naive kernel."""
    random = [np.random.default_rng(i).standard_normal((size, size), np.float32) for i in (0, 1)]
    x, y = (upload(runtime, matrix) for matrix in random)
    how = product(x.shape, x.steps, y.shape, y.steps)
    launch(x, y, how, tiles)
    runtime.synchronize()
    best = min(seconds(lambda: launch(x, y, how, tiles), runtime) for _ in range(rounds))
    return 2 * size**3 / best / 1e9


def tune(index: int = 0, size: int = 1024) -> list[tuple[Tiles, float]]:
    """Time all tile sizes that fit device ``index`` and record the fastest for later processes.
    Returns all with their speeds, fastest first."""
    runtime = runtime_for(index)
    candidates = [tiles for tiles in dict.fromkeys(CPU + GPU) if fits(runtime, tiles, F32)]
    speeds = [(tiles, speed(runtime, size, tiles)) for tiles in candidates]
    speeds.sort(key=lambda pair: -pair[1])
    fastest, gflops = speeds[0]
    write_record(runtime, {"variant": list(fastest), "gflops": round(gflops, 1), "size": size})
    forget(runtime, tiles_for)
    return speeds
