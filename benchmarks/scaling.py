"""Every function at 2,000,000 elements: its time with two threads, divided by that with one.

    python -m benchmarks scaling                what gains least, from 1 ms on
    python -m benchmarks scaling sort cumprod   all figures of some
    python -m benchmarks scaling --cpu          by the caller's time on the processor

On a busy machine the last tells what does not use a second thread at all.
The programs are those of the registry; the two take turns, and the fastest turn of each counts.
Two threads should take at most 1 / 1.8 of the time: ``GOAL``.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

from .registry import LEFT_OUT, programs, step

N = 2_000_000
LEAST = 1e-3  # seconds with one thread
GOAL = 1 / 1.8


def in_turns(
    run: Callable[[], Any], set_threads: Callable[[int], None], seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """The fastest turn with one thread and with two."""
    best, rounds, end = [float("inf")] * 2, 0, time.perf_counter() + seconds
    while rounds < 3 or (time.perf_counter() < end and rounds < 200):
        rounds += 1
        for i in (0, 1):
            set_threads(i + 1)
            for _ in range(2):  # the first wakes the thread
                start = clock()
                run()
                best[i] = min(best[i], clock() - start)
    return best


def main(arguments: list[str]) -> int:
    """Print the worst ratios, or those of the programs named."""
    torch = importlib.import_module("torch" if "--torch" in arguments else "microtorch")
    names = [name for name in arguments if not name.startswith("--")]
    clock = time.thread_time if "--cpu" in arguments else time.perf_counter
    rows = []
    for name, text in programs().items():
        known = name in names or name.partition(" ")[0] in names
        if (names and not known) or name in LEFT_OUT:
            continue
        for direction, gradient in (("forward", False), ("both ways", True)):
            try:
                run = step(text, torch, gradient, N)
                one, two = in_turns(run, torch.set_num_threads, 0.2 if names else 0.05, clock)
            except TypeError as error:
                if "no gradient" not in str(error):
                    print(f"not run: {name}: {error}", file=sys.stderr)
                continue
            except Exception as error:  # a program that cannot run stops no other
                print(f"not run: {name}: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            if names or one >= LEAST:
                rows.append((two / one, name, direction, one, two))
    rows.sort(reverse=True)
    missed = [row for row in rows if row[0] > GOAL]
    print(f"{'program':26} {'':10} {'one thread':>11} {'two':>11}  ratio")
    for ratio, name, direction, one, two in rows:
        print(f"{name:26} {direction:10} {one * 1e3:8.2f} ms {two * 1e3:8.2f} ms {ratio:6.2f}")
    print(f"{len(rows)} figures, {len(missed)} of them above {GOAL:.2f}")
    return 0
