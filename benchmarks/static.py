"""Compiled training steps beside the same steps as they are written, here and in PyTorch.

"microtorch" is the compiled step; "eager" is the step as it is written, "interpreter" its program
without C (docs/static-graph.md), "jax" is JAX's jit, where it is installed. What recording and
compiling costs is not in the figures.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import microtorch

from . import in_jax
from .cases import Case, Step, in_torch_style, installed
from .scalars import flavours, network

_random = np.random.default_rng(0)
POINTS = _random.standard_normal((100, 2)).astype(np.float32)
SIDES = np.sign(POINTS.sum(1, keepdims=True))
IMAGES = _random.standard_normal((64, 784)).astype(np.float32)
CLASSES = _random.integers(0, 10, 64)
SCALAR_POINTS = 100


def moons(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """2-16-16-1 on 100 points, hinge loss, SGD."""
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(),
                          nn.Linear(16, 1))  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any, y: Any) -> Any:
        loss = torch.relu(1 - y * model(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _given(compiled(step), torch.tensor(POINTS), torch.tensor(SIDES))


def chain(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """100 tiny ops, forward and backward."""
    w = torch.tensor(POINTS[:4], requires_grad=True)

    def step(x: Any) -> Any:
        y = x * w
        for _ in range(33):
            y = (y * 0.5 + w).tanh()
        w.grad = None
        loss = y.sum()
        loss.backward()
        return loss

    return _given(compiled(step), torch.tensor(POINTS[4:8]))


def mlp784(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """784-500-10, batch 64, cross-entropy, SGD."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
    return _trained(torch, compiled, model, IMAGES, 0.0)


def lenet(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """LeNet, batch 64, cross-entropy, SGD with momentum."""
    nn = torch.nn
    return _trained(torch, compiled, nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10)), IMAGES.reshape(64, 1, 28, 28), 0.9)  # fmt: skip


def lstm(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """LSTM (batch 64, 20 steps, 32 units), cross-entropy, SGD."""
    nn = torch.nn

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.LSTM(32, 32, batch_first=True), nn.Linear(32, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.rnn(x)[0][:, -1])

    return _trained(torch, compiled, Last(), IMAGES[:, :640].reshape(64, 20, 32), 0.0)


def block(torch: Any, compiled: Callable[[Any], Any]) -> Step:
    """Transformer block (width 64, 64 places, batch 16), 4 heads, cross-entropy, SGD."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.LayerNorm(64), nn.LayerNorm(64)
            self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)
            self.mlp = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64))
            self.head = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            parts = self.qkv(self.before(x)).split(64, dim=2)
            q, k, v = [p.view(16, 64, 4, 16).transpose(1, 2) for p in parts]
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(16, 64, 64))
            x = x + self.mlp(self.after(x))
            return self.head(x[:, -4:].reshape(64, 64))

    data = np.resize(IMAGES, (16, 64, 64)).astype(np.float32)
    return _trained(torch, compiled, Block(), data, 0.0)


def _trained(
    torch: Any, compiled: Callable[[Any], Any], model: Any, data: Any, momentum: float
) -> Step:
    """A step of a classifier of 10 classes, whose weights are the same in all libraries."""
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for p in model.parameters():
            n = p.shape[-1] if p.ndim > 1 else 16
            p.copy_(torch.tensor((rng.standard_normal(p.shape) / n**0.5).astype(np.float32)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=momentum)
    criterion = torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return _given(compiled(step), torch.tensor(data), torch.tensor(CLASSES))


def _given(step: Callable[..., Any], *data: Any) -> Step:
    return lambda: step(*data)


def of_scalars() -> dict[str, Callable[[], Step]]:
    """The same contestants with a step of Scalars, or of PyTorch's 0-d tensors."""

    def build(compiled: Callable[[Any], Any]) -> Callable[[Any], Step]:
        def made(flavour: Any) -> Step:
            sides = zip(POINTS[:SCALAR_POINTS].tolist(), SIDES[:, 0].tolist(), strict=False)
            step: Step = compiled(network(flavour, [((x, y), side) for (x, y), side in sides]))
            return step

        return made

    interpreted = lambda f: microtorch.compile(f, backend="eager")  # noqa: E731
    found = {
        "microtorch": flavours(build(microtorch.compile))["microtorch"],
        "eager": flavours(build(lambda f: f))["microtorch"],
        "interpreter": flavours(build(interpreted))["microtorch"],
    }
    other = flavours(build(lambda f: f))
    return found | {k: v for k, v in other.items() if k == "torch"}


def builders(make: Callable[..., Step]) -> dict[str, Callable[[], Step]]:
    """The contestants: compiled, as it is written, the interpreter, PyTorch eager, JAX."""
    found = {
        "microtorch": lambda: make(microtorch, microtorch.compile),
        "eager": lambda: make(microtorch, lambda f: f),
        "interpreter": lambda: make(
            microtorch, lambda f: microtorch.compile(f, backend="eager")
        ),
    }
    other = in_torch_style(lambda torch: make(torch, lambda f: f))
    if installed("jax"):
        given = {moons: (POINTS, SIDES), chain: (POINTS,)}.get(make, (IMAGES, CLASSES))
        found["jax"] = lambda: getattr(in_jax, make.__name__)(*given)
    return found | {k: v for k, v in other.items() if k == "torch"}


# the ratios to PyTorch that are aimed at
TARGETS = {
    "moons": 0.012, "chain": 0.004, "mlp784": 0.52, "lenet": 0.35, "lstm": 0.5, "block": 0.7,
}  # fmt: skip
CASES = [
    Case(f"static-{make.__name__}", (make.__doc__ or "").rstrip("."), builders(make),
         target=("torch", TARGETS[make.__name__]), steps_compared=5, tolerance=1e-4,
         group="static")
    for make in (moons, chain, mlp784, lenet, lstm, block)
]  # fmt: skip
CASES.append(
    Case("static-scalars", "moons' step, 65,000 Scalars", of_scalars(), ("torch", 0.0001),
         steps_compared=5, group="static")
)  # fmt: skip
