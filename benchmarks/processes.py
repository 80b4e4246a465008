"""What only a fresh process shows: an import, and a graph of 100,000 operations.

Each figure, of time or of memory, is taken inside a process of its own. Peak memory is the kernel's
high-water mark of that process (VmHWM of /proc/self/status): getrusage would also count the parent
from which it was forked.
"""
from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .cases import Disagreement, Result, installed

ROOT = Path(__file__).resolve().parent.parent
LENGTH = 100_000

PEAK = """
import json, time
def peak():
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    except OSError:
        return float("nan")
"""
IMPORT = PEAK + """
start = time.perf_counter()
import {library}
print(json.dumps([time.perf_counter() - start, peak()]))
"""
DEEP = PEAK + """
n = {length}
{setup}
before, start = peak(), time.perf_counter()
{work}
print(json.dumps([time.perf_counter() - start, peak() - before, float(gradient)]))
"""
# a chain y = y * w, on tensors of four elements and on numbers; the gradient of x is w ** n
TENSOR = """
y = x = torch.full((4,), 2.0, requires_grad=True)
w = torch.full((4,), 0.99999)
for _ in range(n):
    y = y * w
y.sum().backward()
gradient = x.grad[0]
"""
SCALAR = """
y = x = number(2.0)
w = number(0.99999)
for _ in range(n):
    y = y * w
y.backward()
gradient = x.grad
"""
AUTOGRAD = """
w = np.full(4, 0.99999)
def f(y):
    for _ in range(n):
        y = y * w
    return y
gradient = make_vjp(f, np.full(4, 2.0))[0](np.ones(4))[0]
"""
DEEP_TENSOR = {  # contestant: (setup, work)
    "microtorch": ("import microtorch as torch", TENSOR),
    "torch": ("import torch; torch.set_num_threads(1)", TENSOR),
    "autograd": ("import numpy as np; from autograd.core import make_vjp", AUTOGRAD),
}
DEEP_SCALAR = {
    "microtorch": ("from microtorch import Scalar as number", SCALAR),
    "torch": (
        "import torch\n"
        "number = lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True)", SCALAR),
    "closures": ("from benchmarks.closures import Value as number", SCALAR),
}  # fmt: skip


def ask(program: str) -> list[Any]:
    """Run ``program`` in a fresh Python and return the list that it prints."""
    # Byte code is cached, as for any user. A longer PYTHONPATH would only make imports slower.
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP"):
        env.pop(name, None)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"this program failed:\n{program}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def imports(rounds: int = 7) -> list[Result]:
    """Time and peak memory of ``import x``: minima over rounds, after one that fills the caches."""
    libraries = [name for name in ("microtorch", "numpy", "torch", "autograd") if installed(name)]
    best = {name: [math.inf, math.inf] for name in libraries}
    for i in range(rounds + 1):
        for name in libraries:
            measured = ask(IMPORT.format(library=name))
            if i > 0:
                best[name] = [min(a, b) for a, b in zip(best[name], measured, strict=True)]
    seconds, megabytes = ({name: best[name][i] for name in libraries} for i in (0, 1))
    return [
        Result("import", "import, in a fresh process", seconds, ("numpy", 1.5)),
        Result("import-memory", "peak memory of a process that imports it", megabytes, unit="MB"),
    ]


def deep(
    name: str, what: str, contestants: dict[str, tuple[str, str]], rounds: int, length: int
) -> list[Result]:
    """Time and added peak memory of a chain of ``length`` multiplications, forward and backward."""
    best = {who: [math.inf, math.inf] for who in contestants if who == "closures" or installed(who)}
    for _ in range(rounds):
        for who in best:
            setup, work = contestants[who]
            seconds, megabytes, gradient = ask(DEEP.format(length=length, setup=setup, work=work))
            expected = 0.99999**length
            if not math.isclose(gradient, expected, rel_tol=1e-2):  # float32 rounds at every step
                raise Disagreement(f"{name}: {who}'s gradient is {gradient}, not {expected}")
            best[who] = [min(best[who][0], seconds), min(best[who][1], megabytes)]
    return [
        Result(name, what, {who: best[who][0] for who in best}),
        Result(f"{name}-memory", f"{what}: memory", {who: best[who][1] for who in best}, unit="MB"),
    ]


def deep_chains(rounds: int = 2, length: int = LENGTH) -> list[Result]:
    n = f"{length:,}"
    return [
        *deep("deep-tensor", f"chain of {n} operations on (4,)", DEEP_TENSOR, rounds, length),
        *deep("deep-scalar", f"chain of {n} scalar operations", DEEP_SCALAR, rounds, length),
    ]


GROUPS = {"import": imports, "deep": deep_chains}
