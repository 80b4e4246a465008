"""Draw the pictures of the README and the documentation:  python docs/pictures/make.py

Each function is an example a reader can run; its graph is saved under the function's name.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import microtorch as torch
from microtorch import nn, viz

HERE = Path(__file__).parent


def neuron() -> Any:
    """One neuron on two inputs, number by number."""
    x1, x2 = torch.Scalar(2.0, requires_grad=False), torch.Scalar(0.0, requires_grad=False)
    w1, w2, b = torch.Scalar(-3.0), torch.Scalar(1.0), torch.Scalar(6.8813735870195432)
    s = w1 * x1 + w2 * x2
    n = s + b
    o = n.tanh()
    o.backward()
    return o


def mlp() -> Any:
    """A small network and its loss."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    pred = net(x)
    loss = nn.functional.mse_loss(pred, y)
    loss.backward()
    return loss


def vanishing() -> Any:
    """Twelve sigmoid layers: the heat strip shows the gradient fade towards the input."""
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    net = nn.Sequential(*layers, nn.Linear(8, 1))
    loss = net(torch.randn(16, 8)).pow(2).mean()
    loss.backward()
    return loss


if __name__ == "__main__":
    for example in (neuron, mlp, vanishing):
        print(viz.draw(example()).save(str(HERE / f"{example.__name__}.svg")))
