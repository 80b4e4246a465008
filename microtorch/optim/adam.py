"""Adam and AdamW: a step size for each parameter, from running means of its gradient and of its square.

    m = beta1 m + (1 - beta1) g                     v = beta2 v + (1 - beta2) g²
    p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

The divisions by 1 - beta^t undo that m and v start at 0 (Kingma and Ba 2015).  With
`weight_decay` Adam adds weight_decay * p to g; AdamW shrinks p by lr * weight_decay
instead, independent of v (Loshchilov and Hutter 2019).  `amsgrad` uses the largest v so far
(Reddi et al. 2018).  Order of operations and rounding are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autograd import enable_grad
from ..ops import constant
from .optimizer import Optimizer


def check(**limits: Any) -> None:
    """ValueError as PyTorch raises it for a setting that is negative."""
    words = {"lr": "learning rate", "eps": "epsilon value"}
    for name, value in limits.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {words.get(name, f'{name} value')}: {value}")


def not_differentiable(optimizer: str, differentiable: bool) -> None:
    if differentiable:
        raise NotImplementedError(
            f"{optimizer}(differentiable=True) is not available in microtorch: write the step with tensor operations"
        )


def state_of(optimizer: Optimizer, p: Any, *names: str, value: float = 0.0) -> dict[str, Any]:
    """What a step remembers of `p`, made on first use: arrays of its shape under `names`, and the count "step"."""
    state = optimizer.state[p]
    if not state:
        state["step"] = constant(np.zeros((), np.float32))
    for name in names:
        if name not in state:  # also where a setting such as amsgrad is switched on later
            state[name] = constant(np.full_like(p.array, value), p.node.dev)
    return state


def run(optimizer: Optimizer, closure: Callable[[], Any] | None, step: Callable[..., None]) -> Any:
    """Call `step(p, gradient, group)`, on raw arrays, for every parameter that has a gradient; returns closure()."""
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in optimizer.param_groups:
        decay = 0 if group.get("decoupled_weight_decay") else group["weight_decay"]
        for p in group["params"]:
            if p.grad is None:
                continue
            g = p.grad.array
            if group["maximize"]:
                g = -g
            if decay:
                g = g + decay * p.array
            step(p, g, group)
            p._written(type(optimizer).__name__)
    return loss


def lerp(m: Any, g: Any, weight: float) -> None:
    """m + weight * (g - m), in place, from the nearer end as in PyTorch."""
    d = g - m
    if weight < 0.5:
        d *= weight
        m += d
    else:
        d *= 1 - weight
        np.subtract(g, d, out=m)


def decay_square(v: Any, g: Any, beta: float) -> None:
    """beta * v + (1 - beta) * g², in place."""
    v *= beta
    square = (1 - beta) * g
    square *= g
    v += square


class Adam(Optimizer):
    """See the module. `lr` 0.001, `betas` (0.9, 0.999), `eps` 1e-8, `weight_decay` 0; `maximize` climbs.

    `foreach`, `fused` and `capturable` choose between equal implementations in PyTorch and have no effect.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check(lr=lr, eps=eps)
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        check(weight_decay=weight_decay)
        not_differentiable(type(self).__name__, differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        return run(self, closure, self._step)

    def _step(self, p: Any, g: Any, group: dict[str, Any]) -> None:
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]
        state = state_of(self, p, *names)
        state["step"].array += 1
        m, v = state["exp_avg"].array, state["exp_avg_sq"].array
        t, lr, (beta1, beta2) = float(state["step"].array), float(group["lr"]), group["betas"]
        if group["decoupled_weight_decay"] and group["weight_decay"]:
            p.array *= 1 - lr * group["weight_decay"]
        lerp(m, g, 1 - beta1)
        decay_square(v, g, beta2)
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"].array
            v = np.maximum(largest, v, out=largest)
        denominator = np.sqrt(v)
        denominator /= (1 - beta2**t) ** 0.5
        denominator += group["eps"]
        change = -(lr / (1 - beta1**t)) * m
        change /= denominator
        p.array[...] += change


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 unless given. See the module."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip
