"""A pass of a DataLoader over 60,000 pictures in memory, as MNIST's are, with ToTensor.

PyTorch's side needs torchvision; without it the case is ours alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, installed

COUNT = 60_000


def made() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    return pictures, rng.integers(0, 10, COUNT)


def loading(torch: Any, vision: Any) -> Step:
    """A shuffled pass in batches of 64; gives what any pass has in common."""
    pictures, labels = made()
    data = vision.datasets.MNIST.__new__(vision.datasets.MNIST)  # without its files
    vision.datasets.VisionDataset.__init__(data, ".", transform=vision.transforms.ToTensor())
    data.train, data.data, data.targets = True, torch.tensor(pictures), torch.tensor(labels)
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)

    def step() -> Any:
        for last in loader:
            images, _ = last
        return torch.tensor([len(loader), *images.shape[1:], float(images.max() > 0.9)])

    return step


def ours() -> Step:
    import microtorch
    from microtorch import vision

    return loading(microtorch, vision)


def with_torch() -> Step:
    import torch
    import torchvision

    return loading(torch, torchvision)


builders: dict[str, Callable[[], Step]] = {"microtorch": ours}
if installed("torch") and installed("torchvision"):
    builders["torch"] = with_torch

CASES = [
    Case(
        "loading-60000",
        "DataLoader over 60,000 pictures of 28x28 with ToTensor",
        builders,
        ("torch", 1 / 3),
        group="loading",
    )
]
