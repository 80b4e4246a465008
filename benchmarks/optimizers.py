"""Steps of optimizers and clipping alone, with given gradients.

Many small parameters, where the calls take the time, and a million numbers, where memory does.
PyTorch runs its default on the CPU: one call per operation for all parameters (foreach) or, in SGD,
one for each parameter.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style

SMALL: list[tuple[int, ...]] = [(4,)] * 10
MLP = [(500, 784), (500,), (10, 500), (10,)]
MILLION = [(1000, 1000)]


def stepper(name: str, shapes: Sequence[tuple[int, ...]], **settings: Any) -> Callable[[Any], Step]:
    def build(torch: Any) -> Step:
        random = np.random.default_rng(0)
        arrays = [random.standard_normal(s).astype(np.float32) for s in shapes]
        parameters = [torch.tensor(a, requires_grad=True) for a in arrays]
        for p in parameters:
            p.grad = torch.tensor(random.standard_normal(p.shape).astype(np.float32))
        optimizer = getattr(torch.optim, name)(parameters, lr=1e-6, **settings)

        def step() -> Any:
            optimizer.step()
            return parameters

        return step

    return build


def clipper(shapes: Sequence[tuple[int, ...]]) -> Callable[[Any], Step]:
    """clip_grad_norm_ that always clips."""

    def build(torch: Any) -> Step:
        random = np.random.default_rng(0)
        parameters = [torch.zeros(s, requires_grad=True) for s in shapes]
        for p in parameters:
            p.grad = torch.tensor(random.standard_normal(p.shape).astype(np.float32))

        def step() -> Any:
            torch.nn.utils.clip_grad_norm_(parameters, 0.5)
            return [p.grad for p in parameters]

        return step

    return build


def case(name: str, what: str, build: Callable[[Any], Step], target: float | None = None) -> Case:
    wanted = None if target is None else ("torch", target)
    builders = in_torch_style(build)
    return Case(name, what, builders, wanted, steps_compared=3, group="optimizers")


CASES = [
    case("sgd-momentum", "SGD with momentum, 10 parameters of 4",
         stepper("SGD", SMALL, momentum=0.9)),
    case("adam", "Adam, 10 parameters of 4", stepper("Adam", SMALL)),
    case("adam-mlp", "Adam, the parameters of 784-500-10", stepper("Adam", MLP)),
    case("sgd-1e6", "SGD, 1,000,000 numbers", stepper("SGD", MILLION)),
    case("sgd-momentum-1e6", "SGD with momentum, 1,000,000 numbers",
         stepper("SGD", MILLION, momentum=0.9)),
    case("adam-1e6", "Adam, 1,000,000 numbers", stepper("Adam", MILLION), 0.25),
    case("adamw-1e6", "AdamW, 1,000,000 numbers", stepper("AdamW", MILLION), 0.25),
    case("amsgrad-1e6", "Adam with amsgrad, 1,000,000 numbers",
         stepper("Adam", MILLION, amsgrad=True)),
    case("clip", "clip_grad_norm_, 10 gradients of 4", clipper(SMALL)),
    case("clip-mlp", "clip_grad_norm_, the gradients of 784-500-10", clipper(MLP)),
]  # fmt: skip
