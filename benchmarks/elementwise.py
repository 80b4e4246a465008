"""Elementwise functions on 100,000 and 4,000,000 float32, without gradient.

100,000 elements fit into the caches: arithmetic takes the time, except in add, mul and relu, where
memory does. At 4,000,000 (16 MB an array) and two threads, sigmoid and gelu take as long as relu:
memory takes the time in them, too. The target is against the faster of numpy (one thread) and
PyTorch (two threads).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style

SIZES = {"1e5": 100_000, "4e6": 4_000_000}
ARITHMETIC, MEMORY = 0.67, 1.0  # targets: ratios of times, by what takes the time

# name: (as in PyTorch, as in numpy or None, target)
FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any] | None, tuple[str, float]]] = {
    "exp": (lambda t, x, y: t.exp(x), lambda x, y: np.exp(x), ("numpy", ARITHMETIC)),
    "log": (lambda t, x, y: t.log(y), lambda x, y: np.log(y), ("numpy", ARITHMETIC)),
    "tanh": (lambda t, x, y: t.tanh(x), lambda x, y: np.tanh(x), ("numpy", ARITHMETIC)),
    "sin": (lambda t, x, y: t.sin(x), lambda x, y: np.sin(x), ("numpy", ARITHMETIC)),
    "sigmoid": (
        lambda t, x, y: t.sigmoid(x), lambda x, y: 1 / (1 + np.exp(-x)), ("torch", ARITHMETIC)),
    "gelu": (lambda t, x, y: t.nn.functional.gelu(x), None, ("torch", ARITHMETIC)),
    "relu": (lambda t, x, y: t.relu(x), lambda x, y: np.maximum(x, 0), ("torch", MEMORY)),
    "add": (lambda t, x, y: x + y, lambda x, y: x + y, ("torch", MEMORY)),
    "mul": (lambda t, x, y: x * y, lambda x, y: x * y, ("torch", MEMORY)),
}  # fmt: skip


def operands(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers around 0, and positive ones."""
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    return x, np.abs(x) + np.float32(0.1)


def case(name: str, size: str) -> Case:
    ours, numpys, target = FUNCTIONS[name]
    n = SIZES[size]

    def with_library(torch: Any) -> Step:
        x, y = (torch.tensor(a) for a in operands(n))
        return lambda: ours(torch, x, y)

    if target[0] == "torch" and size == "4e6":
        target = ("torch", MEMORY)
    builders = in_torch_style(with_library)
    if numpys is not None:

        def with_numpy() -> Step:
            x, y = operands(n)
            return lambda: numpys(x, y)

        builders["numpy"] = with_numpy
    return Case(f"{name}-{size}", f"{name}, {n:,} elements", builders, target, group="elementwise")


CASES = [case(name, size) for size in SIZES for name in FUNCTIONS]
