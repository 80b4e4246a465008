"""Two threads where the system has to be minded: the training step of an MLP, with two threads and with one, beside one busy loop
on each CPU, and after pauses.

Whoever waits for a thread that has no processor loses a whole slice of the scheduler, some milliseconds. So here the mean
counts, not the fastest round, also after a pause, when a thread of the pool must be woken: over seconds, in turns of a quarter
of a second with one thread and with two.
"""
from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import microtorch
from microtorch.backends import core

from .cases import Result, Step
from .training import made_up, trainer

BUSY = "import os\nif hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {%d})\nwhile True: pass"
TURN = 0.25  # seconds


@contextmanager
def busy_loops(cpus: list[int]) -> Iterator[None]:
    """One process that computes without end on each of ``cpus``."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY % cpu]) for cpu in cpus]
    try:
        time.sleep(0.5)  # until they have started
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def means(step: Step, seconds: float, pause: float = 0.0) -> dict[int, float]:
    """Mean time of a step with one thread and with two, each after ``pause`` seconds of sleep."""
    spent, steps = {1: 0.0, 2: 0.0}, {1: 0, 2: 0}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for threads in spent:
            core.set_num_threads(threads)
            step()  # starts the pool
            turn = time.perf_counter() + TURN
            while time.perf_counter() < turn:
                if pause:
                    time.sleep(pause)
                begin = time.perf_counter()
                step()
                spent[threads] += time.perf_counter() - begin
                steps[threads] += 1
    return {threads: spent[threads] / steps[threads] for threads in spent}


def measured(seconds: float = 10.0) -> list[Result]:
    """The step beside two busy loops, alone, and after pauses. Empty where there are no two CPUs, or no C core."""
    cpus = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_getaffinity") else [0, 1]
    if len(cpus) < 2 or not core.is_available():
        return []
    before = core.get_num_threads()
    step = trainer((784, 500, 10), made_up(64, 784, 10))(microtorch)
    try:
        alone, paused = means(step, seconds), means(step, seconds, pause=0.003)
        with busy_loops(cpus):
            busy = means(step, seconds)
    finally:
        core.set_num_threads(before)
    return [
        Result("mlp784-busy", "784-500-10, a step, mean, beside two busy loops", named(busy), ("one thread", 1.0), threads=2),
        Result("mlp784-mean", "784-500-10, a step, mean", named(alone), ("one thread", 1.0), threads=2),
        Result("mlp784-paused", "784-500-10, a step after a pause of 3 ms, mean", named(paused), ("one thread", 1.0), threads=2),
    ]


def named(found: dict[int, float]) -> dict[str, float]:
    return {"microtorch": found[2], "one thread": found[1]}


if __name__ == "__main__":
    for result in measured():
        print(f"{result.what}: {result.figures['microtorch'] * 1e3:.2f} ms with two threads, "
              f"{result.figures['one thread'] * 1e3:.2f} with one, ratio {result.ratio('one thread'):.2f}")  # fmt: skip
