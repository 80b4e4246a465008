"""``python -m benchmarks.opencl``: OpenCL beside the CPU.

Results are compared first; then both take turns, and the fastest turn of each counts.

The targets are for a driver that runs on the CPU (PoCL), where both have the same processor:
products of matrices at a quarter of the CPU backend's speed, elementwise ops and sums at 0.7 of it,
and an op on a few elements in 25 microseconds. On a GPU, compare each bandwidth (last column) with
that of the copy.
"""
from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import microtorch as torch
from microtorch.backends import current

ROUNDS, DEVICE = 7, "opencl"
N = 4_000_000


def fastest(functions: list[Callable[[], Any]], repeats: int, seconds: float) -> list[float]:
    """Seconds per call of each function; they take turns, so that a busy machine slows all."""
    best = [float("inf")] * len(functions)
    for f in functions:
        f()
    stop, rounds = time.perf_counter() + seconds, 0
    while rounds < ROUNDS or time.perf_counter() < stop:
        for i, f in enumerate(functions):
            torch.opencl.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                f()
            torch.opencl.synchronize()
            best[i] = min(best[i], (time.perf_counter() - start) / repeats)
        rounds += 1
    return best


def verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def row(
    name: str, operation: Callable[..., Any], *shapes: tuple[int, ...],
    target: float = 0.0, flops: float = 0.0, seconds: float = 1.0,
) -> bool:  # fmt: skip
    """Print one row; returns whether the target is reached."""
    random = np.random.default_rng(0)
    here = [torch.tensor(random.standard_normal(s).astype(np.float32)) for s in shapes]
    there = [x.to(DEVICE) for x in here]
    ours, expected = operation(*there), operation(*here)
    np.testing.assert_allclose(ours.cpu().numpy(), expected.numpy(), rtol=1e-3, atol=1e-3)
    cpu, device = fastest([lambda: operation(*here), lambda: operation(*there)], 3, seconds)
    moved = 4 * (sum(x.numel() for x in here) + expected.numel())
    rate, unit = (flops, "GFLOP/s") if flops else (moved, "GB/s   ")
    ratio = cpu / device
    print(
        f"{name:28} {cpu * 1e3:9.3f} ms {device * 1e3:9.3f} ms {ratio:8.2f} "
        f"{rate / device / 1e9:7.1f} {unit}"
        + (f"  target {target:.2f} {verdict(ratio >= target)}" if target else ""),
        flush=True,
    )
    return ratio >= target


def overhead(name: str, operation: Callable[[], Any]) -> bool:
    """Print the time of an op on a few elements: what it costs to start a kernel."""
    (seconds,) = fastest([operation], 200, 0.5)
    reached = seconds <= 25e-6
    time = f"{seconds * 1e6:9.1f} µs"
    print(f"{name:28} {'':12} {time} {'':8} {'':15}  target 25 µs {verdict(reached)}")
    return reached


def main() -> int:
    if not torch.opencl.is_available():
        sys.exit(torch.backends.opencl.reason())
    device = "{name}, {platform}, driver {driver}, {compute_units} compute units"
    print(device.format_map(torch.opencl.get_device_properties()), end="; ")
    print(f"CPU backend: {current()}, {torch.get_num_threads()} threads")
    print(f"{'':28} {'CPU':>12} {'OpenCL':>12} {'CPU/OpenCL':>9}")
    small = torch.ones(4, 4, device=DEVICE)
    bias = torch.ones(4, device=DEVICE)
    reached = [
        *(row(f"a @ b, {n}", lambda a, b: a @ b, (n, n), (n, n), target=0.25, flops=2 * n**3)
          for n in (512, 1024)),
        row("a @ b.T, 1024", lambda a, b: a @ b.T, (1024, 1024), (1024, 1024), flops=2 * 1024**3),
        row("clone, 4e6 (a copy)", lambda a: a.clone(), (N,)),
        row("a + b, 4e6", lambda a, b: a + b, (N,), (N,), target=0.7),
        row("a * 2, 4e6", lambda a: a * 2.0, (N,), target=0.7),
        row("relu, 4e6", lambda a: a.relu(), (N,), target=0.7),
        row("exp, 4e6", lambda a: a.exp(), (N,), target=0.7),
        row("sigmoid, 4e6", lambda a: a.sigmoid(), (N,), target=0.7),
        row("tanh, 4e6", lambda a: a.tanh(), (N,), target=0.7),
        row("sin, 4e6", lambda a: a.sin(), (N,), target=0.7),
        row("gelu, 4e6", lambda a: torch.nn.functional.gelu(a), (N,), target=0.7),
        row("sum, 4e6", lambda a: a.sum(), (N,), target=0.7),
        row("sum(0), 2000 x 2000", lambda a: a.sum(0), (2000, 2000)),
        row("softmax, 2000 x 2000", lambda a: a.softmax(1), (2000, 2000)),
        row("a + bias, 2000 x 2000", lambda a, b: a + b, (2000, 2000), (2000,)),
        overhead("a * a, 4 x 4", lambda: small * small),
        overhead("relu, 4 x 4", lambda: small.relu()),
        overhead("a + bias, 4 x 4", lambda: small + bias),
        overhead("sum, 4 x 4", lambda: small.sum()),
        overhead("a @ a, 4 x 4", lambda: small @ small),
    ]  # fmt: skip
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
