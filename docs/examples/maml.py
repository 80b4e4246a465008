"""MAML: initial weights from which one step of gradient descent learns a new sine wave.

Finn, Abbeel and Levine 2017. The step is part of the graph (create_graph=True), so that the loss
after the step has a gradient by the weights before it: a second derivative.
"""
import math
from itertools import pairwise

import drawing

import microtorch as torch
import microtorch.nn.functional as F


def initial(sizes):
    weights = []
    for inputs, outputs in pairwise(sizes):
        weights.append((torch.randn(outputs, inputs) / math.sqrt(inputs)).requires_grad_())
        weights.append(torch.zeros(outputs, requires_grad=True))
    return weights


def network(weights, x):
    for i in range(0, len(weights), 2):
        x = F.linear(x, weights[i], weights[i + 1])
        x = torch.tanh(x) if i + 2 < len(weights) else x
    return x


def adapted(weights, x, y, rate=0.05, steps=1, recorded=True):
    """The weights after some steps on (x, y)."""
    for _ in range(steps):
        loss = F.mse_loss(network(weights, x), y)
        grads = torch.autograd.grad(loss, weights, create_graph=recorded)
        weights = [w - rate * g for w, g in zip(weights, grads)]
    return weights


def task():
    """A sine wave of random height and shift: ten points to learn from and ten to be asked for."""
    height, shift = 1 + 2 * torch.rand(1), math.pi * torch.rand(1)
    x = 10 * torch.rand(20, 1) - 5
    y = height * torch.sin(x + shift)
    return (x[:10], y[:10]), (x[10:], y[10:]), (height, shift)


def main(rounds=700):
    torch.manual_seed(0)
    weights = initial([1, 40, 40, 1])
    optimizer = torch.optim.Adam(weights, lr=3e-3)
    for step in range(rounds):
        loss = 0.0
        for _ in range(4):
            learn, ask, _ = task()
            loss = loss + F.mse_loss(network(adapted(weights, *learn), ask[0]), ask[1]) / 4
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"round {step + 1}  loss after one step {loss.item():.3f}")
    before = after = 0.0
    for _ in range(50):
        learn, ask, wave = task()
        new = adapted(weights, *learn, steps=5, recorded=False)
        before += F.mse_loss(network(weights, ask[0]), ask[1]).item() / 50
        after += F.mse_loss(network(new, ask[0]), ask[1]).item() / 50
    print(f"new waves: loss {before:.3f} before learning, {after:.3f} after five steps")
    if drawing.draws():
        x = torch.linspace(-5, 5, 80).unsqueeze(1)
        lines = {"wave": wave[0] * torch.sin(x + wave[1]), "before": network(weights, x),
                 "after five steps": network(new, x)}  # fmt: skip
        place = x.flatten().tolist()
        drawing.curves(
            "maml", {k: (place, v.flatten().tolist()) for k, v in lines.items()}, "A new wave"
        )
    return before, after


if __name__ == "__main__":
    main()
