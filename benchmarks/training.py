"""Whole training steps: linear layers with relu, cross-entropy, SGD.

One seed gives both libraries the same weights. "numpy" is backpropagation written by hand for this
one network: the cost of a step without automatic differentiation.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import microtorch
from microtorch.vision.datasets import Digits

from .cases import Case, Step, in_torch_style, installed

RATE = 0.1
Batches = Sequence[tuple[np.ndarray, np.ndarray]]


def make_model(torch: Any, sizes: Sequence[int]) -> Any:
    torch.manual_seed(0)
    nn = torch.nn
    layers = [layer for n, m in pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def trainer(sizes: Sequence[int], batches: Batches) -> Callable[[Any], Step]:
    """A step is a pass over ``batches``."""

    def build(torch: Any) -> Step:
        model = make_model(torch, sizes)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        cross_entropy = torch.nn.CrossEntropyLoss()
        data = [(torch.tensor(x), torch.tensor(y)) for x, y in batches]

        def step() -> Any:
            for x, y in data:
                loss = cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return loss

        return step

    return build


def weights_and_biases(sizes: Sequence[int]) -> list[np.ndarray]:
    """W (out, in) and b (out,) of each layer, drawn from the seed."""
    return [p.detach().numpy().copy() for p in make_model(microtorch, sizes).parameters()]


def by_hand(sizes: Sequence[int], batches: Batches) -> Callable[[], Step]:
    def build() -> Step:
        parameters = weights_and_biases(sizes)
        layers = list(zip(parameters[::2], parameters[1::2], strict=True))

        def train(x: np.ndarray, y: np.ndarray) -> Any:
            inputs = [x]
            for w, b in layers[:-1]:
                x = np.maximum(x @ w.T + b, 0)
                inputs.append(x)
            w, b = layers[-1]
            z = x @ w.T + b
            z -= z.max(1, keepdims=True)
            e = np.exp(z)
            total = e.sum(1, keepdims=True)
            n = np.arange(len(y))
            loss = (np.log(total[:, 0]) - z[n, y]).mean()
            g = e / total
            g[n, y] -= 1
            g /= len(y)
            for (w, b), x in zip(reversed(layers), reversed(inputs), strict=True):
                back = (g @ w) * (x > 0) if x is not inputs[0] else None
                w -= RATE * (g.T @ x)
                b -= RATE * g.sum(0)
                g = back
            return loss

        def step() -> Any:
            for x, y in batches:
                loss = train(x, y)
            return loss

        return step

    return build


def with_autograd(sizes: Sequence[int], batches: Batches) -> dict[str, Callable[[], Step]]:
    def build() -> Step:
        import autograd.numpy as anp
        from autograd import value_and_grad

        parameters = weights_and_biases(sizes)

        def loss_of(parameters: Any, x: np.ndarray, y: np.ndarray) -> Any:
            for i in range(0, len(parameters), 2):
                x = anp.dot(x, parameters[i].T) + parameters[i + 1]
                if i + 2 < len(parameters):
                    x = anp.maximum(x, 0)
            centred = x - anp.max(x, axis=1, keepdims=True)
            log_total = anp.log(anp.sum(anp.exp(centred), axis=1))
            return anp.mean(log_total - centred[anp.arange(len(y)), y])

        derivative = value_and_grad(loss_of)

        def step() -> Any:
            for x, y in batches:
                loss, gradients = derivative(parameters, x, y)
                for p, g in zip(parameters, gradients, strict=True):
                    p -= RATE * g
            return loss

        return step

    return {"autograd": build} if installed("autograd") else {}


def made_up(n: int, features: int, classes: int) -> Batches:
    random = np.random.default_rng(0)
    x = random.standard_normal((n, features)).astype(np.float32)
    return [(x, random.integers(0, classes, n))]


def digits() -> Batches:
    part = Digits(train=True)
    x, y = (part.images.reshape(-1, 64) / 16).astype(np.float32), part.labels
    return [(x[i : i + 32], y[i : i + 32]) for i in range(0, len(x), 32)]


def network(
    name: str, what: str, sizes: Sequence[int], batches: Batches, steps_compared: int = 5
) -> Case:
    builders = in_torch_style(trainer(sizes, batches)) | {"numpy": by_hand(sizes, batches)}
    builders |= with_autograd(sizes, batches)
    return Case(name, what, builders, steps_compared=steps_compared, group="training")


CASES = [
    network("mlp784", "784-500-10, batch 64, a step", (784, 500, 10), made_up(64, 784, 10)),
    network("moons", "2-16-16-2, batch 100, a step", (2, 16, 16, 2), made_up(100, 2, 2)),
    network("digits", "64-128-10 on the digits, an epoch of 43 steps", (64, 128, 10), digits(),
            steps_compared=1),
]  # fmt: skip
