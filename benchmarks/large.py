"""Larger tensors (float32), forward and backward: the time is in the kernels and in memory.

Backward starts from a given gradient, so that only the operation itself is measured.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style


def both_ways(operation: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[[Any], Step]:
    """The operation on tensors of the given shapes, and its backward with a gradient of ones."""

    def build(torch: Any) -> Step:
        random = np.random.default_rng(0)
        arrays = [random.standard_normal(s).astype(np.float32) for s in shapes]
        inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
        ones = torch.ones(operation(torch, *inputs).shape)

        def step() -> Any:
            for x in inputs:
                x.grad = None
            out = operation(torch, *inputs)
            out.backward(ones)
            return out, *(x.grad for x in inputs)

        return step

    return build


def case(
    name: str, what: str, operation: Callable[..., Any], *shapes: tuple[int, ...],
    target: tuple[str, float] | None = None,
) -> Case:  # fmt: skip
    # tolerance: the last digits of a sum of many float32 depend on the order of the additions
    builders, what = in_torch_style(both_ways(operation, *shapes)), f"{what}, forward and backward"
    return Case(name, what, builders, target, tolerance=1e-3, group="large")


N = 100_000
CASES = [
    case("large-mul", "a * b, 100,000 elements", lambda torch, a, b: a * b, (N,), (N,)),
    case("large-mul-1e6", "a * b, 1,000,000 elements",
         lambda torch, a, b: a * b, (10 * N,), (10 * N,)),
    case("large-relu", "relu, 100,000 elements", lambda torch, x: torch.relu(x), (N,)),
    case("large-exp", "exp, 100,000 elements", lambda torch, x: torch.exp(x), (N,)),
    case("large-tanh", "tanh, 100,000 elements", lambda torch, x: torch.tanh(x), (N,),
         target=("torch", 0.33)),
    case("large-sigmoid", "sigmoid, 100,000 elements", lambda torch, x: torch.sigmoid(x), (N,)),
    case("large-sum", "sum, 1,000,000 elements", lambda torch, x: x.sum(), (10 * N,)),
    case("large-softmax", "softmax, 512x512", lambda torch, x: torch.softmax(x, 1), (512, 512)),
    case("large-matmul", "a @ b, 256x256", lambda torch, a, b: a @ b, (256, 256), (256, 256)),
]  # fmt: skip
