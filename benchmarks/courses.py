"""Statements of course scripts on small tensors, beside PyTorch: what is left is overhead.

    python -m benchmarks courses            all, the worst ratio first
    python -m benchmarks courses cat max    some

Each row has a preparation and an expression, which run unchanged with either library. Contestants
take turns and the fastest turn counts. A ratio should be at most 2.
"""
from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from .registry import fastest

LOOPS, TURN = 200, 5e-4  # a turn: so many times, and no longer than these seconds
# name: what is prepared, and the expression that is timed
ROWS = {
    "a[i] = v": ("a, v = t.zeros(10, 5), t.ones(5)", "a.__setitem__(3, v)"),
    "a[i] = number": ("a = t.zeros(10)", "a.__setitem__(3, 1.5)"),
    "a > number": ("a = t.rand(4, 4)", "a > 0.5"),
    "a == whole number": ("a = t.arange(10)", "a == 1"),
    "where": ("a, b = t.rand(4, 4), t.rand(4, 4); k = a > b", "t.where(k, a, 0.0)"),
    "zero_": ("a = t.rand(4, 4)", "a.zero_()"),
    "gather": ("a, i = t.rand(8, 5), t.zeros(8, 1).long()", "a.gather(1, i)"),
    "cat": ("a = t.rand(3, 4)", "t.cat([a, a])"),
    "stack": ("a = t.rand(4)", "t.stack([a, a])"),
    "stack last": ("a = t.rand(4)", "t.stack([a, a], 1)"),
    "a[:, i]": ("a = t.rand(6, 5, requires_grad=True)", "a[:, 2]"),
    "a[:, i:j]": ("a = t.rand(6, 5, requires_grad=True)", "a[:, 1:3]"),
    "RNN": ("r, x, h = t.nn.RNN(10, 20), t.rand(1, 1, 10), t.zeros(1, 1, 20)", "r(x, h)"),
    "attention": (
        "q = t.rand(2, 4, 8, 16)", "t.nn.functional.scaled_dot_product_attention(q, q, q)",
    ),
    "squeeze().view()": ("a = t.rand(1, 6, 1)", "a.squeeze().view(2, 3)"),
    "max(1)[0]": ("a = t.rand(8, 10)", "a.max(1)[0]"),
    "smooth_l1": (
        "a, b = t.rand(32, 1, requires_grad=True), t.rand(32, 1)",
        "t.nn.functional.smooth_l1_loss(a, b).backward()",
    ),
    "a[i] = v, gradient": ("v = t.ones(5, requires_grad=True)", "t.zeros(10, 5).__setitem__(3, v)"),
    "expand": ("a = t.rand(1, 5)", "a.expand(4, 5)"),
    "view": ("a = t.rand(4, 4)", "a.view(2, 8)"),
    "flip": ("a = t.rand(8, 8)", "a.flip(0)"),
    "embedding": (
        "w, i = t.rand(50, 8, requires_grad=True), t.arange(12)", "t.nn.functional.embedding(i, w)",
    ),
    "one_hot": ("i = t.arange(5)", "t.nn.functional.one_hot(i, 5)"),
    "cumsum": ("a = t.arange(10)", "a.cumsum(0)"),
    "from_numpy": ("a = t.rand(5).numpy()", "t.from_numpy(a)"),
    "triu": ("a = t.rand(8, 8)", "a.triu()"),
    "cat of 8,000": (
        "a = [t.rand(1, requires_grad=True) for _ in range(8000)]", "t.cat(a).sum().backward()",
    ),
}  # fmt: skip


def step(prepare: str, text: str, torch: Any, loops: int) -> Callable[[], None]:
    """``loops`` times the expression."""
    names: dict[str, Any] = {"t": torch}
    exec(prepare, names)
    lines = "\n".join(["def run():", f"    for _ in range({loops}):", f"        {text}"])
    exec(compile(lines, "<benchmark>", "exec"), names)
    run: Callable[[], None] = names["run"]
    return run


def main(arguments: list[str]) -> int:
    from microtorch.backends import core

    core.set_num_threads(1)
    libraries = [importlib.import_module("microtorch")]
    try:
        libraries.append(importlib.import_module("torch"))
        libraries[1].set_num_threads(1)
    except ImportError:
        print("PyTorch is not installed: the times are shown without ratios.", file=sys.stderr)
    rows = []
    for name, row in ROWS.items():
        if arguments and name not in arguments:
            continue
        [one] = fastest([step(*row, libraries[0], 1)], 0.01)
        loops = max(1, min(LOOPS, int(TURN / one)))
        times = fastest([step(*row, library, loops) for library in libraries], 0.4)
        rows.append((times[0] / times[-1], name, [t / loops for t in times]))
    print(f"{'statement':20} {'microtorch':>11} {'PyTorch':>11} {'ratio':>7}")
    for ratio, name, times in sorted(rows, reverse=True):
        figures = " ".join(f"{t * 1e6:8.2f} us" for t in times)
        print(f"{name:20} {figures} {f'{ratio:7.2f}' if len(times) > 1 else ''}")
    return 0
