"""Adagrad, RMSprop and Adadelta: step sizes from the squares of past gradients, the ancestors of Adam.

    Adagrad    s = s + g²                        p = p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)
    RMSprop    s = alpha s + (1 - alpha) g²      p = p - lr * g / (sqrt(s) + eps)
    Adadelta   s = rho s + (1 - rho) g²          d = sqrt(a + eps) / sqrt(s + eps) * g
               a = rho a + (1 - rho) d²          p = p - lr * d

Duchi et al. 2011; Hinton 2012 (lecture 6); Zeiler 2012.  Order of operations is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .adam import check, decay_square, lerp, not_differentiable, run, state_of
from .optimizer import Optimizer


class Adagrad(Optimizer):
    """See the module. `lr` 0.01, `lr_decay` 0, `initial_accumulator_value` (of s) 0, `eps` 1e-10."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        check(initial_accumulator_value=initial_accumulator_value, eps=eps)
        not_differentiable("Adagrad", differentiable)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # as in PyTorch, there from the start
            for p in group["params"]:
                state_of(self, p, "sum", value=group["initial_accumulator_value"])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        return run(self, closure, self._step)

    def _step(self, p: Any, g: Any, group: dict[str, Any]) -> None:
        state = state_of(self, p, "sum", value=group["initial_accumulator_value"])
        state["step"].array += 1
        s = state["sum"].array
        s += g * g
        rate = float(group["lr"]) / (1 + (float(state["step"].array) - 1) * group["lr_decay"])
        p.array[...] += -rate * g / (np.sqrt(s) + group["eps"])


class RMSprop(Optimizer):
    """See the module. `lr` 0.01, `alpha` 0.99, `eps` 1e-8, `momentum` 0.

    `centered` subtracts the square of the mean gradient from s, which leaves its variance.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        not_differentiable("RMSprop", differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        return run(self, closure, self._step)

    def _step(self, p: Any, g: Any, group: dict[str, Any]) -> None:
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        state = state_of(self, p, *names)
        state["step"].array += 1
        s, lr = state["square_avg"].array, float(group["lr"])
        decay_square(s, g, group["alpha"])
        if group["centered"]:
            mean = state["grad_avg"].array
            lerp(mean, g, 1 - group["alpha"])
            s = s - mean * mean
        root = np.sqrt(s) + group["eps"]
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].array
            buffer *= group["momentum"]
            buffer += g / root
            p.array[...] -= lr * buffer
        else:
            p.array[...] += -lr * g / root


class Adadelta(Optimizer):
    """See the module. `lr` 1, `rho` 0.9, `eps` 1e-6."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        not_differentiable("Adadelta", differentiable)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        return run(self, closure, self._step)

    def _step(self, p: Any, g: Any, group: dict[str, Any]) -> None:
        state = state_of(self, p, "square_avg", "acc_delta")
        state["step"].array += 1
        s, a, eps = state["square_avg"].array, state["acc_delta"].array, group["eps"]
        decay_square(s, g, group["rho"])
        d = np.sqrt(a + eps) / np.sqrt(s + eps) * g
        decay_square(a, d, group["rho"])
        p.array[...] -= float(group["lr"]) * d
