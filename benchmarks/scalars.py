"""Single numbers: microtorch's Scalar, PyTorch's 0-d tensors and closures run the same lines.

They differ in how a number is made and a gradient is reset: see ``Flavour``.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import microtorch

from .cases import Case, Step, installed
from .closures import Value


class Flavour(NamedTuple):
    number: Callable[[float], Any]  # a number with gradient
    no_gradient: Any  # the value to which .grad is reset before a backward


def flavours(build: Callable[[Flavour], Step]) -> dict[str, Callable[[], Step]]:
    builders = {
        "microtorch": lambda: build(Flavour(microtorch.Scalar, None)),
        "closures": lambda: build(Flavour(Value, 0.0)),
    }
    if installed("torch"):

        def with_torch() -> Step:
            import torch

            def number(x: float) -> Any:
                return torch.tensor(x, dtype=torch.float64, requires_grad=True)

            return build(Flavour(number, None))

        builders["torch"] = with_torch
    return builders


ROUNDS = 75


def chain(flavour: Flavour) -> Step:
    """y = tanh(y * w + x) + w, again and again: four operations a round, forward and backward."""

    def step() -> Any:
        x, w = flavour.number(0.5), flavour.number(0.9)
        y = x
        for _ in range(ROUNDS):
            y = (y * w + x).tanh() + w
        y.backward()
        return y, x.grad, w.grad

    return step


def _layers(flavour: Flavour, sizes: Sequence[int]) -> list[list[list[Any]]]:
    """Per layer, per neuron: its bias, then its weights."""
    random = np.random.default_rng(0)
    return [
        [[flavour.number(float(v)) for v in random.uniform(-0.5, 0.5, 1 + n)] for _ in range(m)]
        for n, m in pairwise(sizes)
    ]


FOUR = [((0.2, 0.9), 1.0), ((1.1, -0.4), -1.0), ((-0.8, 0.5), 1.0), ((0.5, 0.1), -1.0)]


def network(
    flavour: Flavour, points: Sequence[tuple[tuple[float, float], float]] = FOUR
) -> Step:
    """A training step of micrograd's moons network: 2-16-16-1, relu, hinge loss, four points."""
    layers = _layers(flavour, (2, 16, 16, 1))
    parameters = [p for layer in layers for neuron in layer for p in neuron]

    def neuron(weights: list[Any], inputs: Sequence[Any]) -> Any:
        total = weights[0]
        for w, x in zip(weights[1:], inputs, strict=True):
            total = total + w * x
        return total

    def step() -> Any:
        loss: Any = 0.0
        for inputs, sign in points:
            values: Sequence[Any] = inputs
            for layer in layers[:-1]:
                values = [neuron(weights, values).relu() for weights in layer]
            loss = loss + (1.0 - neuron(layers[-1][0], values) * sign).relu()
        for p in parameters:
            p.grad = flavour.no_gradient
        loss.backward()
        for p in parameters:
            p.data -= 0.01 * p.grad
        return loss

    return step


CASES = [
    Case("scalar", "a scalar operation, forward and backward",
         flavours(chain), ("torch", 0.2), 4 * ROUNDS),
    Case("scalar-network", "scalar 2-16-16-1, 4 points, a step",
         flavours(network), ("torch", 0.2), steps_compared=3),
]  # fmt: skip
