"""Draw the pictures of the README and the documentation:  python docs/pictures/make.py [folder]

Each function is an example to run. Its result is saved under the function's name.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import microtorch as torch
from microtorch import nn, viz
from microtorch.vision import models

HERE = Path(__file__).parent


def neuron() -> viz.Graph:
    """One neuron on two inputs, number by number."""
    x1, x2 = torch.Scalar(2.0, requires_grad=False), torch.Scalar(0.0, requires_grad=False)
    w1, w2, b = torch.Scalar(-3.0), torch.Scalar(1.0), torch.Scalar(6.8813735870195432)
    s = w1 * x1 + w2 * x2
    n = s + b
    o = n.tanh()
    o.backward()
    return viz.draw(o)


def neuron_steps() -> viz.Stepper:
    """The same neuron, forward and backward, as a moving picture."""
    x1 = torch.Scalar(2.0, requires_grad=False)
    x2 = torch.Scalar(0.0, requires_grad=False)
    w1 = torch.Scalar(-3.0)
    w2 = torch.Scalar(1.0)
    b = torch.Scalar(6.8813735870195432)
    s = w1 * x1 + w2 * x2
    n = s + b
    o = n.tanh()
    return viz.step(o)


def mlp() -> viz.Graph:
    """A small network and its loss."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    pred = net(x)
    loss = nn.functional.mse_loss(pred, y)
    loss.backward()
    return viz.draw(loss)


def vanishing() -> viz.Graph:
    """Twelve sigmoid layers: the heat strip shows the gradient fade towards the input."""
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    net = nn.Sequential(*layers, nn.Linear(8, 1))
    x = torch.randn(16, 8)
    loss = net(x).pow(2).mean()
    loss.backward()
    return viz.draw(loss)


def architecture() -> viz.Poster:
    """A residual network: its blocks, shapes, parameters and products, and what skips a block."""
    return viz.summary(models.resnet18(), (1, 3, 64, 64))


def zoom() -> viz.Zoom:
    """One element of a matrix product: the row and the column that meet, forward and backward."""
    w = torch.tensor([[0.3, -0.8], [0.7, 0.2]], requires_grad=True)
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    m = inputs @ w
    out = m.tanh().sum()
    return viz.expand(m, (1, 0), loss=out)


def step() -> Any:
    """A compiled step of training: micrograd's two moons, as tensors."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @torch.compile
    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = torch.relu(1 - y * model(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = torch.randn(100, 2)
    for _ in range(4):
        step(x, x.sum(1, keepdim=True).sign())
    return step


def program() -> viz.ProgramPicture:
    """What that step runs: its loops in C, and what flows between them."""
    return viz.draw(step())


def memory() -> viz.MemoryPlan:
    """Where the values of that step lie, and how long."""
    return viz.memory(step())


def kept() -> viz.Graph:
    """The small network before backward: what each op keeps for it."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    pred = net(x)
    loss = nn.functional.mse_loss(pred, y)
    return viz.draw(loss, show_saved=True, show_attrs=True)


EXAMPLES = (neuron, neuron_steps, mlp, vanishing, architecture, zoom, program, memory, kept)


def main(folder: Path = HERE) -> list[str]:
    """Save every example in ``folder``, which is made; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        example().save(str(folder / f"{example.__name__.replace('_', '-')}.svg"))
        for example in EXAMPLES
    ]


if __name__ == "__main__":
    print("\n".join(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)))
