"""Stochastic gradient descent, with momentum.

    g = grad + weight_decay * p            (-grad with maximize)
    v = momentum * v + (1 - dampening) * g          v starts as g
    p = p - lr * v                         (lr * (g + momentum * v) with nesterov)

Sutskever et al. 2013 put lr into v; this is PyTorch's form, in its order of operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autograd import enable_grad
from ..ops import constant
from .optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent; see the module for the formula.

    `lr` 0.001, `momentum` 0, `dampening` 0, `weight_decay` 0 (all >= 0); `nesterov` needs
    momentum and no dampening; `maximize` climbs.  `foreach` and `fused` choose between
    equal implementations in PyTorch and are accepted without effect.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        if differentiable:
            raise NotImplementedError(
                "SGD(differentiable=True) is not available in microtorch yet: write the step with tensor operations"
            )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["momentum"] or group["weight_decay"] or group["maximize"]:
                self._step_group(group)
            else:
                _descend(group["params"], float(group["lr"]))
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        """The whole formula, on raw arrays."""
        lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
        fresh = 1 - group["dampening"]
        nesterov, maximize = group["nesterov"], group["maximize"]
        for p in group["params"]:
            if p.grad is None:
                continue
            array, g = p.array, p.grad.array
            if maximize:
                g = -g
            if decay:
                g = g + decay * array
            if momentum:
                state = self.state[p]
                buffer = state.get("momentum_buffer")
                if buffer is None:
                    # A copy: g may be the gradient itself, which the next backward adds to.
                    v = g.copy()
                    state["momentum_buffer"] = constant(v, p.node.dev)
                else:
                    v = buffer.array
                    v *= momentum
                    v += g if fresh == 1 else fresh * g
                    buffer._written("sgd")
                g = g + momentum * v if nesterov else v
            array -= lr * g
            p._written("sgd")


def _descend(params: list[Any], lr: float) -> None:
    """p -= lr * grad for each parameter. Hot path: the cost of a training step on small models is here.

    numpy multiplies an array by a Python float in 470 ns and by a 0-d array of its own dtype
    in 240, so lr becomes one such array per dtype; the product's array is then reused for the
    difference that `out=` writes into the parameter.
    """
    rates: dict[Any, Any] = {}
    multiply, subtract = np.multiply, np.subtract
    for p in params:
        grad = p.node.grad  # what the property p.grad returns
        if grad is None:
            continue
        array = p.array
        dtype = array.dtype
        rate = rates.get(dtype)
        if rate is None:
            rate = rates[dtype] = np.array(lr, dtype)
        subtract(array, multiply(grad.array, rate), array)
        p._written("sgd")
