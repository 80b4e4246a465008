"""Images: the training step of a LeNet-style network, and single operations, forward and backward.
Convolutions of many channels, each of the three ways apart, are in channels.py.

"numpy" is microtorch without its C core (MICROTORCH_BACKEND=reference).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtorch import backends

from .cases import Case, Step, in_torch_style
from .large import both_ways

RATE = 0.05


def lenet(torch: Any) -> Step:
    """A training step with SGD: a batch of 64 images of 28 x 28, ten classes."""
    torch.manual_seed(0)
    nn, random = torch.nn, np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    optimizer, cross_entropy = torch.optim.SGD(model.parameters(), lr=RATE), nn.CrossEntropyLoss()
    images = torch.tensor(random.standard_normal((64, 1, 28, 28)).astype(np.float32))
    labels = torch.tensor(random.integers(0, 10, 64))

    def step() -> Any:
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def contestants(build: Callable[[Any], Step]) -> dict[str, Callable[[], Step]]:
    """microtorch, PyTorch if it is installed, and microtorch on numpy's kernels."""
    builders = in_torch_style(build)

    def with_numpy() -> Step:
        step, usual = builders["microtorch"](), backends.current()

        def run() -> Any:
            backends.use("reference")
            try:
                return step()
            finally:
                backends.use(usual)

        return run

    return builders | ({"numpy": with_numpy} if backends.available()["core"] else {})


def case(name: str, what: str, operation: Callable[..., Any], *shapes: tuple[int, ...]) -> Case:
    builders, what = contestants(both_ways(operation, *shapes)), f"{what}, forward and backward"
    return Case(name, what, builders, tolerance=2e-3, group="convolution")


def convolution(
    name: str, images: tuple[int, ...], weight: tuple[int, ...], **settings: Any
) -> Case:
    def operation(torch: Any, x: Any, w: Any, b: Any) -> Any:
        return torch.nn.functional.conv2d(x, w, b, **settings)

    what = f"conv2d, images {'x'.join(map(str, images))}, weight {'x'.join(map(str, weight))}"
    return case(name, what, operation, images, weight, weight[:1])


CASES = [
    Case("lenet", "LeNet-style network, batch 64, a step", contestants(lenet), ("torch", 0.8),
         steps_compared=5, tolerance=1e-4, group="convolution"),
    convolution("conv2d-first", (64, 1, 28, 28), (6, 1, 5, 5), padding=2),
    convolution("conv2d-second", (64, 6, 14, 14), (16, 6, 5, 5)),
    convolution("conv2d-cifar", (32, 32, 16, 16), (64, 32, 3, 3), padding=1),
    convolution("conv2d-strided", (8, 32, 28, 28), (64, 32, 3, 3), padding=1, stride=2),
    convolution("conv2d-single", (1, 64, 28, 28), (64, 64, 3, 3), padding=1),
    case("max_pool2d", "max_pool2d 2x2, images 64x6x28x28",
         lambda torch, x: torch.nn.functional.max_pool2d(x, 2), (64, 6, 28, 28)),
    case("avg_pool2d", "avg_pool2d 2x2, images 64x6x28x28",
         lambda torch, x: torch.nn.functional.avg_pool2d(x, 2), (64, 6, 28, 28)),
]  # fmt: skip
