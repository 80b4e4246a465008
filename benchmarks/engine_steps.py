"""``python -m benchmarks engine_steps``: every step of docs/engine.md, microtorch and PyTorch.

Two chains, forward and backward, in µs per operation. The first is of numbers: floats in steps 1 to
3 and in microtorch (``Scalar``), arrays without dimensions in the others. The second is of 4x4
arrays. All compute the same values and gradients, or nothing is printed.
"""
from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import microtorch

from .__main__ import restart_clean
from .cases import Case, Step, installed, measure

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "engine"
STEPS = {  # row of the table -> program
    "1 closures": "step1_closures",
    "2 nodes": "step2_nodes",
    "3 seq": "step3_seq",
    "4 arrays": "step4_arrays",
    "5 broadcasting": "step5_broadcast",
    "6 create_graph": "step6_higher",
    "7 views, in place": "step7_inplace",
    "8 hot paths": "step8_hot",
}
ROUNDS = 250  # of four operations on numbers
PAIRS = 50  # of two operations on arrays
_random = np.random.default_rng(0)
A, B, C = (_random.uniform(0.5, 1.0, (4, 4)) for _ in range(3))


def load(name: str) -> ModuleType:
    """A step's program as a fresh module, with fresh copies of the steps that it imports.

    Step 8 puts its methods on step 7's class, and must not do so on everybody's.
    """
    for step in STEPS.values():
        sys.modules.pop(step, None)
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


def numbers_by_step(name: str) -> Step:
    """The chain of numbers by one of our programs; returns y, dy/dx and dy/dw."""
    engine = load(name)
    arrays = hasattr(engine, "Tensor")
    leaf = getattr(engine, "Value", None) or getattr(engine, "Node", None)
    if arrays:

        def leaf(value: float) -> Any:
            return engine.Tensor(value, needs=True)

    def step() -> Any:
        x, w = leaf(0.5), leaf(0.9)
        y = chain_of_numbers(x, w)
        if name == "step1_closures":
            y.backward()
            return y.data, x.grad, w.grad
        grads = engine.backward(y)
        return (y.value, grads[x.node], grads[w.node]) if arrays else (y.value, grads[x], grads[w])

    return deeper(step) if name in ("step1_closures", "step2_nodes") else step


def deeper(step: Step) -> Step:
    """For steps that recurse: the chain is longer than Python's limit allows."""

    def with_limit() -> Any:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + 8 * ROUNDS)
        try:
            return step()
        finally:
            sys.setrecursionlimit(limit)

    return with_limit


def chain_of_numbers(x: Any, w: Any) -> Any:
    y = x
    for _ in range(ROUNDS):
        y = (y * w + x).tanh() + w
    return y


def numbers_by_library(number: Callable[[float], Any]) -> Step:
    def step() -> Any:
        x, w = number(0.5), number(0.9)
        y = chain_of_numbers(x, w)
        y.backward()
        return y, x.grad, w.grad

    return step


def arrays_by_step(name: str) -> Step:
    """The chain of arrays by one of our programs; returns y and the gradient of its sum."""
    engine = load(name)
    a, b, c = engine.Tensor(A, needs=True), engine.Tensor(B), engine.Tensor(C)
    one = np.ones((4, 4))

    def step() -> Any:
        y = chain_of_arrays(a, b, c)
        return y.value, engine.backward(y, one)[a.node]

    return step


def chain_of_arrays(y: Any, b: Any, c: Any) -> Any:
    for _ in range(PAIRS):
        y = y * b
        y = y + c
    return y


def arrays_by_library(torch: Any) -> Step:
    a, b, c = torch.tensor(A, requires_grad=True), torch.tensor(B), torch.tensor(C)
    one = torch.ones(4, 4, dtype=torch.float64)

    def step() -> Any:
        a.grad = None
        y = chain_of_arrays(a, b, c)
        y.backward(one)
        return y, a.grad

    return step


def _torch() -> Any:
    return importlib.import_module("torch")


def cases() -> list[Case]:
    """The two chains, each with every program that can compute it."""
    numbers = {row: lambda n=name: numbers_by_step(n) for row, name in STEPS.items()}
    arrays = {row: lambda n=name: arrays_by_step(n) for row, name in STEPS.items() if row > "4"}
    numbers["microtorch"] = lambda: numbers_by_library(microtorch.Scalar)
    arrays["microtorch"] = lambda: arrays_by_library(microtorch)
    if installed("torch"):

        def number(value: float) -> Any:
            torch = _torch()
            return torch.tensor(value, dtype=torch.float64, requires_grad=True)

        numbers["torch"] = lambda: numbers_by_library(number)
        arrays["torch"] = lambda: arrays_by_library(_torch())
    return [
        Case("numbers", f"{4 * ROUNDS:,} operations on numbers", numbers, operations=4 * ROUNDS),
        Case("4x4", f"{2 * PAIRS} operations on 4x4 arrays", arrays, operations=2 * PAIRS),
    ]


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown: one row a program, one column a case, µs."""
    rows = list(dict.fromkeys(row for figures in columns.values() for row in figures))
    lines = ["| step | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for row in rows:
        cells = [f"{f[row] * 1e6:.2f}" if row in f else "" for f in columns.values()]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks engine_steps", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="for each chain (default 10)")
    options = parser.parse_args(arguments)
    restart_clean(["engine_steps", *arguments], 1)
    if installed("torch"):
        _torch().set_num_threads(1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # µ, where the terminal has it
    measured = {case.what: measure(case, options.seconds).figures for case in cases()}
    print("µs per operation, forward and backward\n")
    print(table(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
