"""Several processes: what an all-reduce costs, and what a second rank brings to a training step.

    python -m benchmarks several [RANKS]      a table of its own; starts itself under mpirun

alpha (s) and beta (s per byte) are fitted to the times of all-reduces of several sizes: a message
of n bytes takes about alpha + beta n (Hockney 1994, "The communication challenge for MPP"). From
them follows from which batch on a second rank pays, which the last lines compare with what was
measured.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

INSIDE = "MICROTORCH_BENCHMARK_RANK"
SIZES = (1 << 10, 1 << 14, 1 << 18, 1 << 22)  # bytes
BATCHES = (16, 64, 256)


def main(arguments: list[str]) -> int:
    """Start the measurement on 1 and on RANKS (2) processes, and print it."""
    if INSIDE in os.environ:
        measured()
        return 0
    ranks = int(arguments[0]) if arguments else 2
    one, many = _start(1), _start(ranks)
    if not one or not many:
        return 1
    print(f"\n{'all-reduce':>12}  {'microtorch':>10}  {'mpi4py':>10}  speed   ({ranks} ranks)")
    for size, ours, theirs in many["reduce"]:
        print(f"{size:>10} B  {1e6 * ours:>7.0f} µs  {1e6 * theirs:>7.0f} µs  {theirs / ours:.2f}")
    sizes, times = (np.array([row[k] for row in many["reduce"]]) for k in (0, 1))
    weights = 1 / times
    beta, alpha = np.polyfit(sizes, times, 1, w=weights)
    print(f"alpha {1e6 * alpha:.0f} µs, beta {1e9 * beta:.2f} ns a byte")
    size = many["parameters"]
    print(f"\na step of a CNN with {size / 2**20:.2f} MB of parameters, examples a second:")
    for (batch, alone), (_, together) in zip(one["steps"], many["steps"], strict=True):
        gain = ranks * alone / together
        told = ranks * alone / (alone + alpha + beta * size)
        print(
            f"batch {batch:>4} a rank: {batch / alone:>8.0f} on 1, "
            f"{ranks * batch / together:>8.0f} on {ranks}: {gain:.2f} times; "
            f"alpha + beta n without overlap: {told:.2f}"
        )
    return 0


def _start(ranks: int) -> dict:
    command = [sys.executable, "-m", "microtorch.distributed.run", "--nproc_per_node", str(ranks)]
    done = subprocess.run(
        [*command, "-m", "benchmarks", "several"],
        env=os.environ | {INSIDE: "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        print(done.stderr, file=sys.stderr)
        return {}
    found: dict = json.loads(lines[-1])
    return found


def measured() -> None:
    """What one rank does; rank 0 prints the figures as JSON."""
    import microtorch as torch
    import microtorch.distributed as dist
    from microtorch import nn
    from microtorch.nn.parallel import DistributedDataParallel

    dist.init_process_group("mpi")
    torch.manual_seed(0)
    reduce = []
    if dist.get_world_size() > 1:
        from mpi4py import MPI

        for size in SIZES:
            x, y = torch.ones(size // 4), np.ones(size // 4, np.float32)
            ours, theirs = _fastest(
                lambda x=x: dist.all_reduce(x),
                lambda y=y: MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, y),
            )
            reduce.append((size, ours, theirs))
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    model = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = []
    for batch in BATCHES:
        images, labels = torch.randn(batch, 1, 8, 8), torch.randint(10, (batch,))

        def step(images=images, labels=labels) -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

        steps.append((batch, *_fastest(step)))
    size = sum(p.numel() * 4 for p in model.parameters())
    if dist.get_rank() == 0:
        print(json.dumps({"reduce": reduce, "steps": steps, "parameters": size}))
    dist.destroy_process_group()


def _fastest(*steps: Callable[[], object], repeats: int = 100) -> list[float]:
    """Seconds of the fastest of some rounds, which all ranks begin together; the steps in turn."""
    import microtorch.distributed as dist

    times: list[list[float]] = [[] for _ in steps]
    for _ in range(repeats):
        for step, taken in zip(steps, times, strict=True):
            dist.barrier()
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]
