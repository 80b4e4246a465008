"""Averaged stochastic gradient descent (Polyak and Juditsky 1992).

    p   = p (1 - lambd eta) - eta g              eta = lr / (1 + lambd lr t)^alpha
    ax  = ax + mu (p - ax)                       mu = 1 / max(1, t - t0)

ax, in the state, is the average of the parameter from step t0 on: until then it is p itself.
"""

from __future__ import annotations

from typing import Any

from ..create.data import tensor
from ..create.filled import zeros_like
from ..handles.tensor import Tensor
from .optimizer import Group, ParamsT
from .stepping import Composed, check_not_negative, counted, zero_count


class ASGD(Composed):
    """See the module. `lr` 0.01, `lambd` 1e-4, `alpha` 0.75, `t0` 1e6, `weight_decay` 0.

    `maximize` climbs. `foreach` and `capturable` have no effect.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        lr, lambd = float(group["lr"]), group["lambd"]
        if not state:
            state["step"] = zero_count()
            state["eta"] = tensor(lr, dtype=state["step"].dtype)
            state["mu"] = tensor(1.0, dtype=state["step"].dtype)
            state["ax"] = zeros_like(p)
        t = counted(state)
        if group["weight_decay"]:
            g = g.add(p, alpha=group["weight_decay"])
        eta, mu, ax = float(state["eta"]), float(state["mu"]), state["ax"]
        p.mul_(1 - lambd * eta)
        p.add_(g, alpha=-eta)
        if mu == 1:
            ax.copy_(p)
        else:
            ax.add_((p - ax) * mu)
        state["eta"].fill_(lr / (1 + lambd * lr * t) ** group["alpha"])
        state["mu"].fill_(1 / max(1, t - group["t0"]))
