"""What a case is, and how it is checked and timed.

A case has one builder per contestant. A builder prepares its data and returns ``step``, a function without arguments:
one step of the work, which returns what it computed. Since microtorch has PyTorch's names, one builder that takes the
library as its argument serves both (``in_torch_style``), which is also the proof that both run the same program.

The clock: rounds in which every contestant takes its turn, in changing order; of each the fastest round counts. A busy
neighbour slows rounds down, never up, and hits all contestants alike. With several threads a turn is longer, and begins with
a pause and some untimed steps: threads of OpenBLAS and of OpenMP wait awake for a while for more work, and would take a CPU from
whoever comes next. (No process is pinned to a CPU: on a shared
machine that doubled the figures of whichever contestant met the neighbour.) Python's garbage collector stays on, as it
is for users, but what was loaded before (all of PyTorch) is frozen out of its sight: no contestant pays for another.
"""
from __future__ import annotations

import gc
import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

import microtorch

Step = Callable[[], Any]


@dataclass
class Case:
    """A workload. ``target``: (rival, the largest ratio of times that the project wants)."""

    name: str
    what: str
    builders: dict[str, Callable[[], Step]]
    target: tuple[str, float] | None = None
    operations: int = 1  # in a step: the figures are per operation
    steps_compared: int = 1
    tolerance: float = 1e-5
    group: str = "tiny"


@dataclass
class Result:
    """Figures of a case, by contestant: seconds (or megabytes) per operation."""

    name: str
    what: str
    figures: dict[str, float]
    target: tuple[str, float] | None = None
    unit: str = "s"
    threads: int = 1

    def ratio(self, rival: str) -> float:
        return self.figures["microtorch"] / self.figures[rival]

    @property
    def reached(self) -> bool | None:
        """Is the target reached? None without a target or without the rival."""
        if self.target is None or self.target[0] not in self.figures:
            return None
        return self.ratio(self.target[0]) <= self.target[1]


class Disagreement(AssertionError):
    """Contestants computed different results: their times say nothing."""


def installed(library: str) -> bool:
    spec = importlib.util.find_spec(library)
    return spec is not None and spec.origin is not None  # not a mere folder of that name


def in_torch_style(build: Callable[[Any], Step]) -> dict[str, Callable[[], Step]]:
    """Builders for microtorch and, if it is installed, PyTorch from one that takes the library as its argument."""
    builders = {"microtorch": lambda: build(microtorch)}
    if installed("torch"):

        def with_torch() -> Step:
            import torch

            return build(torch)

        builders["torch"] = with_torch
    return builders


def as_arrays(result: Any) -> list[np.ndarray]:
    """What a step returned (a number, an array, a tensor, or several) as numpy arrays."""
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in as_arrays(part)]
    if hasattr(result, "detach") and hasattr(result, "numpy"):
        result = result.detach().numpy()
    elif hasattr(result, "data") and isinstance(result.data, float):
        result = result.data
    return [np.asarray(result)]


def compare(case: Case) -> None:
    """Raise Disagreement unless all contestants compute what microtorch computes, after ``steps_compared`` steps."""
    results = {}
    for who, build in case.builders.items():
        step = build()
        for _ in range(case.steps_compared):
            result = step()
        results[who] = as_arrays(result)
    expected = results.pop("microtorch")
    for who, arrays in results.items():
        same = len(arrays) == len(expected) and all(
            a.shape == b.shape and np.allclose(a, b, case.tolerance, case.tolerance, equal_nan=False)
            for a, b in zip(arrays, expected, strict=True)
        )
        if not same:
            raise Disagreement(f"{case.name}: {who} computes {arrays}\nmicrotorch {expected}")


@dataclass
class Turn:
    """How long a contestant's turn takes: seconds of sleep, of untimed and of timed steps."""

    pause: float
    warm_up: float
    timed: float


# timed: long against the clock, short against the slices in which the system shares a CPU
ONE_THREAD = Turn(0, 0, 0.001)
# pause: OpenBLAS's threads sleep after 2**26 cycles; warm_up: a thread that was woken on the wrong CPU is moved at a tick (4 ms)
THREADS = Turn(0.03, 0.008, 0.008)


def once(step: Step, times: int) -> float:
    """Seconds per call over ``times`` calls."""
    start = time.perf_counter()
    for _ in repeat(None, times):
        step()
    return (time.perf_counter() - start) / times


def measure(case: Case, seconds: float = 1.5, threads: int = 1) -> Result:
    """Compare results, then time. ``seconds`` is for the whole case; at least three rounds are run."""
    compare(case)
    steps = {who: build() for who, build in case.builders.items()}
    turn = ONE_THREAD if threads == 1 else THREADS
    durations = {who: max(min(once(step, 1) for _ in range(3)), 1e-9) for who, step in steps.items()}
    gc.collect()
    gc.freeze()
    best = dict.fromkeys(steps, float("inf"))
    order = list(steps)
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < 3 or time.perf_counter() < end:
        for who in order:
            time.sleep(turn.pause)
            once(steps[who], math.ceil(turn.warm_up / durations[who]) + 1)
            best[who] = min(best[who], once(steps[who], max(1, int(turn.timed / durations[who]))))
        order.append(order.pop(0))
        rounds += 1
    gc.unfreeze()
    figures = {who: t / case.operations for who, t in best.items()}
    return Result(case.name, case.what, figures, case.target, threads=threads)
