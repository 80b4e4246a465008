"""The steps of benchmarks/static.py for JAX's jit, where JAX is installed.

Each is a loss as a function of a list of weights; what trains them is the same for all. A step ends
when its result is there: JAX returns before.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import microtorch

from .cases import Step

Arrays = Sequence[Any]


def libraries() -> tuple[Any, Any]:
    """jax and jax.numpy, with one thread for a process that has one."""
    if os.environ.get("OMP_NUM_THREADS") == "1":
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
        os.environ.setdefault("NPROC", "1")
    import jax

    return jax, jax.numpy


def trained(
    weights: Arrays, loss: Callable[..., Any], data: Arrays, rate: float, momentum: float = 0.0
) -> Step:
    """A step of SGD."""
    jax, np_ = libraries()

    def step(p: Arrays, v: Arrays, *given: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(p, *given)
        v = [momentum * a + g for a, g in zip(v, grads, strict=True)] if momentum else v
        up = v if momentum else grads
        return value, [a - rate * g for a, g in zip(p, up, strict=True)], v

    compiled = jax.jit(step, donate_argnums=(0, 1))
    given = [np_.asarray(x) for x in data]
    state = [[np_.asarray(w) for w in weights], [np_.zeros(w.shape, "float32") for w in weights]]

    def once() -> Any:
        value, *state[:] = compiled(*state, *given)
        return value.block_until_ready()

    return once


def moons(points: Any, sides: Any) -> Step:
    """The weights are those of microtorch's seed 0."""
    _, np_ = libraries()
    nn = microtorch.nn
    microtorch.manual_seed(0)
    layers = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 1)
    weights = [p.detach().numpy().copy() for layer in layers for p in layer.parameters()]

    def loss(p: Arrays, x: Any, y: Any) -> Any:
        h = np_.tanh(x @ p[0].T + p[1])
        h = np_.tanh(h @ p[2].T + p[3])
        return np_.maximum(1 - y * (h @ p[4].T + p[5]), 0).mean()

    return trained(weights, loss, (points, sides), 0.1)


def chain(points: Any) -> Step:
    """Forward and backward; the gradient is a result, too."""
    jax, np_ = libraries()

    def loss(w: Any, x: Any) -> Any:
        y = x * w
        for _ in range(33):
            y = np_.tanh(y * 0.5 + w)
        return y.sum()

    compiled = jax.jit(jax.value_and_grad(loss))
    w, x = np_.asarray(points[:4]), np_.asarray(points[4:8])

    def once() -> Any:
        value, grad = compiled(w, x)
        grad.block_until_ready()
        return value

    return once


def drawn(*shapes: tuple[int, ...]) -> list[Any]:
    """The weights that static.py gives to a classifier."""
    rng = np.random.default_rng(1)
    widths = [s[-1] if len(s) > 1 else 16 for s in shapes]
    return [
        (rng.standard_normal(s) / n**0.5).astype(np.float32)
        for s, n in zip(shapes, widths, strict=True)
    ]


def classifier(weights: Arrays, logits: Callable[..., Any], data: Arrays, momentum: float) -> Step:
    """Cross-entropy of 10 classes."""
    jax, np_ = libraries()

    def loss(p: Arrays, x: Any, y: Any) -> Any:
        rows = jax.nn.log_softmax(logits(p, x))
        return -np_.take_along_axis(rows, y[:, None], 1).mean()

    return trained(weights, loss, data, 0.05, momentum)


def mlp784(images: Any, classes: Any) -> Step:
    _, np_ = libraries()
    weights = drawn((500, 784), (500,), (10, 500), (10,))
    return classifier(weights, lambda p, x: np_.maximum(x @ p[0].T + p[1], 0) @ p[2].T + p[3],
                      (images, classes), 0.0)  # fmt: skip


def lenet(images: Any, classes: Any) -> Step:
    jax, np_ = libraries()
    weights = drawn((6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,),
                    (10, 84), (10,))  # fmt: skip

    def convolved(x: Any, k: Any, b: Any, pad: int) -> Any:
        x = jax.lax.conv_general_dilated(x, k, (1, 1), [(pad, pad)] * 2)
        x = np_.maximum(x + b[:, None, None], 0)
        window = (1, 1, 2, 2)
        return jax.lax.reduce_window(x, -np_.inf, jax.lax.max, window, window, "VALID")

    def logits(p: Arrays, x: Any) -> Any:
        x = convolved(convolved(x, p[0], p[1], 2), p[2], p[3], 0).reshape(64, 400)
        for i in (4, 6):
            x = np_.maximum(x @ p[i].T + p[i + 1], 0)
        return x @ p[8].T + p[9]

    return classifier(weights, logits, (images.reshape(64, 1, 28, 28), classes), 0.9)


def lstm(images: Any, classes: Any) -> Step:
    jax, np_ = libraries()
    weights = drawn((128, 32), (128, 32), (128,), (128,), (10, 32), (10,))

    def logits(p: Arrays, x: Any) -> Any:
        def cell(state: Any, x: Any) -> Any:
            h, c = state
            i, f, g, o = np_.split(x + h @ p[1].T + p[3], 4, 1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * np_.tanh(g)
            return (jax.nn.sigmoid(o) * np_.tanh(c), c), None

        start = np_.zeros((64, 32))
        xs = (x @ p[0].T + p[2]).transpose(1, 0, 2)
        (h, _), _ = jax.lax.scan(cell, (start, start), xs)
        return h @ p[4].T + p[5]

    return classifier(weights, logits, (images[:, :640].reshape(64, 20, 32), classes), 0.0)


def block(images: Any, classes: Any) -> Step:
    jax, np_ = libraries()
    weights = drawn((64,), (64,), (64,), (64,), (192, 64), (192,), (64, 64), (64,), (256, 64),
                    (256,), (64, 256), (64,), (10, 64), (10,))  # fmt: skip
    mask = np.tri(64, dtype=bool)

    def normed(x: Any, w: Any, b: Any) -> Any:
        d = x - x.mean(-1, keepdims=True)
        return d / np_.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * w + b

    def logits(p: Arrays, x: Any) -> Any:
        parts = np_.split(normed(x, p[0], p[1]) @ p[4].T + p[5], 3, 2)
        q, k, v = (y.reshape(16, 64, 4, 16).transpose(0, 2, 1, 3) for y in parts)
        scores = np_.where(mask, q @ k.swapaxes(2, 3) / 4, -np_.inf)
        y = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(16, 64, 64)
        x = x + y @ p[6].T + p[7]
        h = jax.nn.gelu(normed(x, p[2], p[3]) @ p[8].T + p[9], approximate=False)
        x = x + h @ p[10].T + p[11]
        return x[:, -4:].reshape(64, 64) @ p[12].T + p[13]

    data = np.resize(images, (16, 64, 64)).astype(np.float32)
    return classifier(weights, logits, (data, classes), 0.0)
