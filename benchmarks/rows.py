"""Reductions, softmax, losses, normalisation and embedding (float32); reductions also beside numpy.

Backward starts from a given gradient, so that only the operation itself is measured.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style
from .large import both_ways


def data(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def reduction(name: str, op: str, shape: tuple[int, ...], dim: Any = None) -> Case:
    """sum, mean or amax of ``shape`` over ``dim``, without gradient."""

    def build(torch: Any) -> Step:
        x = torch.tensor(data(*shape))
        run = getattr(torch, op)
        return lambda: run(x) if dim is None else run(x, dim)

    def with_numpy() -> Step:
        x = data(*shape)
        run = {"sum": np.sum, "mean": np.mean, "amax": np.max}[op]
        return lambda: run(x, axis=dim)

    size = "x".join(map(str, shape))
    what = f"{op} of {size}" + ("" if dim is None else f" over dimension {dim}")
    builders = in_torch_style(build) | {"numpy": with_numpy}
    return Case(f"rows-{name}", what, builders, ("torch", 1.0), tolerance=1e-3, group="rows")


def forward(
    name: str, what: str, operation: Callable[..., Any], *shape: int, target: float
) -> Case:
    def build(torch: Any) -> Step:
        x = torch.tensor(data(*shape))
        return lambda: operation(torch, x)

    return Case(f"rows-{name}", what, in_torch_style(build), ("torch", target), group="rows")


def both(
    name: str, what: str, operation: Callable[..., Any], *shapes: tuple[int, ...], target: float
) -> Case:
    builders, what = in_torch_style(both_ways(operation, *shapes)), f"{what}, forward and backward"
    return Case(f"rows-{name}", what, builders, ("torch", target), tolerance=1e-2, group="rows")


def cross_entropy(n: int, classes: int) -> Case:
    def build(torch: Any) -> Step:
        x = torch.tensor(data(n, classes), requires_grad=True)
        target = torch.tensor(np.random.default_rng(1).integers(0, classes, n))

        def step() -> Any:
            x.grad = None
            loss = torch.nn.functional.cross_entropy(x, target)
            loss.backward()
            return loss, x.grad

        return step

    name = f"rows-cross-entropy-{classes}"
    what = f"cross-entropy, {n} x {classes} classes, forward and backward"
    return Case(name, what, in_torch_style(build), ("torch", 1 / 1.5), group="rows")


def embedding(torch: Any) -> Step:
    table = torch.tensor(data(5000, 64), requires_grad=True)
    tokens = torch.tensor(np.random.default_rng(1).integers(0, 5000, (32, 64)))
    ones = torch.ones(32, 64, 64)

    def step() -> Any:
        table.grad = None
        torch.nn.functional.embedding(tokens, table).backward(ones)
        return table.grad

    return step


def layer_norm(torch: Any, x: Any, w: Any, b: Any) -> Any:
    return torch.nn.functional.layer_norm(x, w.shape, w, b)


def batch_norm(torch: Any, x: Any, w: Any, b: Any) -> Any:
    return torch.nn.functional.batch_norm(x, torch.zeros(w.shape), torch.ones(w.shape), w, b, True)


CASES = [
    reduction("sum-1e6", "sum", (1_000_000,)),
    reduction("sum-4e6", "sum", (4_000_000,)),
    reduction("sum-0", "sum", (2000, 2000), 0),
    reduction("sum-1", "sum", (2000, 2000), 1),
    reduction("mean-4e6", "mean", (4_000_000,)),
    reduction("mean-0", "mean", (2000, 2000), 0),
    reduction("mean-1", "mean", (2000, 2000), 1),
    reduction("sum-channels", "sum", (64, 32, 28, 28), (0, 2, 3)),
    reduction("sum-bias", "sum", (64, 500), 0),
    reduction("amax-1", "amax", (2000, 2000), 1),
    forward("softmax", "softmax, 1024x1024",
            lambda torch, x: torch.softmax(x, 1), 1024, 1024, target=1 / 1.5),
    forward("log-softmax", "log_softmax, 1024x1024",
            lambda torch, x: torch.log_softmax(x, 1), 1024, 1024, target=1 / 1.5),
    cross_entropy(64, 10),
    cross_entropy(1024, 1000),
    both("mse", "mse_loss, 64",
         lambda torch, x, y: torch.nn.functional.mse_loss(x, y), (64, 1), (64, 1), target=1.0),
    both("layer-norm", "layer_norm, 1024x1024",
         layer_norm, (1024, 1024), (1024,), (1024,), target=1.0),
    both("batch-norm-2d", "batch_norm, 64x32x28x28",
         batch_norm, (64, 32, 28, 28), (32,), (32,), target=1.0),
    both("batch-norm-1d", "batch_norm, 256x128",
         batch_norm, (256, 128), (128,), (128,), target=1.0),
    Case("rows-embedding", "embedding, 32x64 rows of 5000x64, forward and backward",
         in_torch_style(embedding), ("torch", 1.0), group="rows"),
]  # fmt: skip
