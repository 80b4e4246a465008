"""Two threads on busy CPUs and after pauses: the training step of an MLP, beside one thread.

To wait for a thread that has no processor costs a whole slice of the scheduler, some milliseconds.
After a pause, a thread of the pool must be woken first. The fastest round would show neither, so
here the mean counts: over seconds, in turns of a quarter of a second with one thread and with two.
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

BUSY = """
import os
if hasattr(os, "sched_setaffinity"): os.sched_setaffinity(0, {%d})
while True: pass
"""
TURN = 0.25  # seconds


@contextmanager
def busy_loops(cpus: list[int]) -> Iterator[None]:
    """A process on each of ``cpus`` that computes without end."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY % cpu]) for cpu in cpus]
    try:
        time.sleep(0.5)  # until they have started
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def means(step: Step, seconds: float, pause: float = 0.0) -> dict[int, float]:
    """Mean time of a step, by number of threads; before each step, ``pause`` seconds of sleep."""
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
    """The step beside two busy loops, alone, and after pauses.

    Nothing where there is only one CPU, or no C core.
    """
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
        result("mlp784-busy", "784-500-10, a step, mean, beside two busy loops", busy),
        result("mlp784-mean", "784-500-10, a step, mean", alone),
        result("mlp784-paused", "784-500-10, a step after a pause of 3 ms, mean", paused),
    ]


def result(name: str, what: str, by_threads: dict[int, float]) -> Result:
    figures = {"microtorch": by_threads[2], "one thread": by_threads[1]}
    return Result(name, what, figures, ("one thread", 1.0), threads=2)


if __name__ == "__main__":
    for r in measured():
        two, one = (1e3 * r.figures[who] for who in ("microtorch", "one thread"))
        print(f"{r.what}: {two:.2f} ms with two threads, {one:.2f} with one, ratio {two / one:.2f}")
