"""Training steps of recurrent layers: 32 sequences of length 20, 64 features, 64 hidden units."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style

LENGTH, BATCH, SIZE, CLASSES = 20, 32, 64, 10


def trainer(name: str) -> Callable[[Any], Step]:
    """A training step with SGD: sequences are classified from the layer's last output."""

    def build(torch: Any) -> Step:
        torch.manual_seed(0)
        layer, head = getattr(torch.nn, name)(SIZE, SIZE), torch.nn.Linear(SIZE, CLASSES)
        optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], lr=0.01)
        cross_entropy = torch.nn.CrossEntropyLoss()
        random = np.random.default_rng(0)
        x = torch.tensor(random.standard_normal((LENGTH, BATCH, SIZE)).astype(np.float32))
        y = torch.tensor(random.integers(0, CLASSES, BATCH))

        def step() -> Any:
            out, _ = layer(x)
            loss = cross_entropy(head(out[-1]), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    return build


CASES = [
    Case(name.lower(), f"{name} {SIZE}, batch {BATCH}, {LENGTH} steps of time, a training step",
         in_torch_style(trainer(name)), ("torch", 1.0), steps_compared=5, group="recurrent")
    for name in ("LSTM", "GRU", "RNN")
]  # fmt: skip
