"""Compiled training steps beside the same steps as they are written, here and in PyTorch.

"microtorch" is the compiled step; "eager" is the step as it is written, "interpreter" its program
without C (docs/static-graph.md). What recording and compiling costs is not in the figures.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import microtorch

from .cases import Case, Step, in_torch_style

_random = np.random.default_rng(0)
POINTS = _random.standard_normal((100, 2)).astype(np.float32)
SIDES = np.sign(POINTS.sum(1, keepdims=True))
IMAGES = _random.standard_normal((64, 784)).astype(np.float32)
CLASSES = _random.integers(0, 10, 64)


def moons(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """2-16-16-1 on 100 points, hinge loss, SGD."""
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(),
                          nn.Linear(16, 1))  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any, y: Any) -> Any:
        loss = torch.relu(1 - y * model(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _given(compiled(step), torch.tensor(POINTS), torch.tensor(SIDES))


def chain(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """100 tiny ops, forward and backward."""
    w = torch.tensor(POINTS[:4], requires_grad=True)

    def step(x: Any) -> Any:
        y = x * w
        for _ in range(33):
            y = (y * 0.5 + w).tanh()
        w.grad = None
        loss = y.sum()
        loss.backward()
        return loss

    return _given(compiled(step), torch.tensor(POINTS[4:8]))


def mlp784(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """784-500-10, batch 64, cross-entropy, SGD."""
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return _given(compiled(step), torch.tensor(IMAGES), torch.tensor(CLASSES))


def _given(step: Callable[..., Any], *data: Any) -> Step:
    return lambda: step(*data)


def builders(make: Callable[..., Step]) -> dict[str, Callable[[], Step]]:
    """The contestants: compiled, as it is written, the interpreter, and PyTorch eager."""
    found = {
        "microtorch": lambda: make(microtorch, microtorch.compile),
        "eager": lambda: make(microtorch, lambda f: f),
        "interpreter": lambda: make(
            microtorch, lambda f: microtorch.compile(f, backend="eager")
        ),
    }
    other = in_torch_style(lambda torch: make(torch, lambda f: f))
    return found | {k: v for k, v in other.items() if k == "torch"}


CASES = [
    Case(f"static-{make.__name__}", (make.__doc__ or "").rstrip("."), builders(make),
         target=("eager", 1.0), steps_compared=5, tolerance=1e-4,
         group="static")
    for make in (moons, chain, mlp784)
]  # fmt: skip
