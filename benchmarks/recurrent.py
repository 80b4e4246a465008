"""Training steps of what reads sequences: recurrent layers (32 sequences of length 20, 64 features,
64 hidden units), and a block of a transformer (16 sequences of length 64, 64 features, 4 heads).
"""
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


def transformer(torch: Any) -> Step:
    """A training step with SGD of one block: attention to what came before, then two layers."""
    nn, functional = torch.nn, torch.nn.functional
    length, batch, heads = 64, 16, 4

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE)
            self.qkv, self.out = nn.Linear(SIZE, 3 * SIZE), nn.Linear(SIZE, SIZE)
            self.layers = nn.Sequential(
                nn.Linear(SIZE, 4 * SIZE), nn.GELU(), nn.Linear(4 * SIZE, SIZE)
            )

        def forward(self, x: Any) -> Any:
            b, t, d = x.shape
            parts = self.qkv(self.first(x)).split(d, dim=2)
            q, k, v = (p.view(b, t, heads, d // heads).transpose(1, 2) for p in parts)
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(b, t, d))
            return x + self.layers(self.second(x))

    torch.manual_seed(0)
    block = Block()
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    random = np.random.default_rng(0)
    x, y = (torch.tensor(random.standard_normal((batch, length, SIZE)).astype(np.float32))
            for _ in range(2))  # fmt: skip

    def step() -> Any:
        loss = functional.mse_loss(block(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


CASES = [
    Case(name.lower(), f"{name} {SIZE}, batch {BATCH}, {LENGTH} steps of time, a training step",
         in_torch_style(trainer(name)), ("torch", 0.9), steps_compared=5, group="recurrent")
    for name in ("LSTM", "GRU", "RNN")
] + [
    Case("transformer", f"block of a transformer {SIZE}, batch 16, length 64, a training step",
         in_torch_style(transformer), ("torch", 1.0), steps_compared=5, group="recurrent")
]  # fmt: skip
