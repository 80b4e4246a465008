"""What a case is, and how it is checked and timed.

A case has one builder per contestant. A builder prepares its data and returns ``step``, a function
without arguments that does one step of the work and returns what it computed. microtorch has
PyTorch's names, so one builder that takes the library as its argument serves both
(``in_torch_style``). This is also the proof that both run the same program.

Timing is in rounds. In each round every contestant takes a turn, in changing order; the fastest
turn of each counts. A busy neighbour can only make a turn slower, and meets all contestants alike.
With several threads a turn is longer. It begins with a pause and some untimed steps: the threads of
OpenBLAS and OpenMP stay awake for a while to wait for more work, and would take a CPU from whoever
comes next. No process is pinned to a CPU: on a shared machine, pinning doubled the figures of
whichever contestant met the neighbour.

Python's garbage collector stays on, as it does for users. But objects that exist before the timing
(all of PyTorch) are frozen, so that no contestant pays for another.
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
    """A workload. ``target`` is (rival, the largest ratio of times that the project accepts)."""

    name: str
    what: str
    builders: dict[str, Callable[[], Step]]
    target: tuple[str, float] | None = None
    operations: int = 1  # in one step; the figures are per operation
    steps_compared: int = 1
    tolerance: float = 1e-5
    group: str = "tiny"


@dataclass
class Result:
    """The figures of a case, by contestant: seconds per operation, or megabytes."""

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
        """Whether the target is reached; None without a target, or without the rival."""
        if self.target is None or self.target[0] not in self.figures:
            return None
        return self.ratio(self.target[0]) <= self.target[1]


class Disagreement(AssertionError):
    """Contestants computed different results, so their times cannot be compared."""


def installed(library: str) -> bool:
    """Whether it can be imported. A mere folder of that name, without code, does not count."""
    spec = importlib.util.find_spec(library)
    return spec is not None and spec.origin is not None


def in_torch_style(build: Callable[[Any], Step]) -> dict[str, Callable[[], Step]]:
    """Builders for microtorch and PyTorch (if installed) from one that takes the library."""
    builders = {"microtorch": lambda: build(microtorch)}
    if installed("torch"):

        def with_torch() -> Step:
            import torch

            return build(torch)

        builders["torch"] = with_torch
    return builders


def as_arrays(result: Any) -> list[np.ndarray]:
    """The result of a step (a number, an array, a tensor, or several) as numpy arrays."""
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in as_arrays(part)]
    if hasattr(result, "detach") and hasattr(result, "numpy"):
        result = result.detach().numpy()
    elif hasattr(result, "data") and isinstance(result.data, float):
        result = result.data
    return [np.asarray(result)]


def compare(case: Case) -> None:
    """Raise Disagreement unless all contestants agree with microtorch.

    The results compared are those of step number ``steps_compared``.
    """
    results = {}
    for who, build in case.builders.items():
        step = build()
        for _ in range(case.steps_compared):
            result = step()
        results[who] = as_arrays(result)
    expected = results.pop("microtorch")
    tolerance = case.tolerance

    def close(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and np.allclose(a, b, tolerance, tolerance)

    for who, arrays in results.items():
        if len(arrays) != len(expected) or not all(map(close, arrays, expected)):
            raise Disagreement(f"{case.name}: {who} computes {arrays}\nmicrotorch {expected}")


@dataclass
class Turn:
    """The length of a turn, in seconds: the pause, the untimed steps, the timed steps."""

    pause: float
    warm_up: float
    timed: float


# timed: long beside the clock's resolution, short beside the scheduler's slices
ONE_THREAD = Turn(0, 0, 0.001)
# pause: OpenBLAS's threads sleep after 2**26 cycles. warm_up: a thread that was woken on the wrong
# CPU is moved at the next tick of the scheduler (4 ms).
THREADS = Turn(0.03, 0.008, 0.008)


def once(step: Step, times: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds per call over ``times`` calls."""
    start = clock()
    for _ in repeat(None, times):
        step()
    return (clock() - start) / times


def a_call(step: Step) -> float:
    """About how many seconds a call takes; of a step that is compiled, the first four take longer.
    """
    best, end = once(step, 1), time.perf_counter() + 0.5
    for k in range(7):
        if k < 2 or time.perf_counter() < end:
            best = min(best, once(step, 1))
    return best


def measure(
    case: Case, seconds: float = 1.5, threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:  # fmt: skip
    """Compare results, then time: at least three rounds, and ``seconds`` for the whole case."""
    compare(case)
    steps = {who: build() for who, build in case.builders.items()}
    turn = ONE_THREAD if threads == 1 else THREADS
    rough = {who: max(a_call(step), 1e-9) for who, step in steps.items()}
    gc.collect()
    gc.freeze()
    best = dict.fromkeys(steps, float("inf"))
    order = list(steps)
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < 3 or time.perf_counter() < end:
        for who in order:
            time.sleep(turn.pause)
            once(steps[who], math.ceil(turn.warm_up / rough[who]) + 1)
            times = max(1, int(turn.timed / rough[who]))
            best[who] = min(best[who], once(steps[who], times, clock))
        order.append(order.pop(0))
        rounds += 1
    gc.unfreeze()
    figures = {who: t / case.operations for who, t in best.items()}
    return Result(case.name, case.what, figures, case.target, threads=threads)
