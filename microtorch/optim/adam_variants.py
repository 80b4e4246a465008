"""Adamax, NAdam and RAdam: relatives of Adam, composed of tensor operations.

    Adamax   u = max(beta2 u, |g| + eps)                 p = p - lr / (1 - beta1^t) * m / u
    NAdam    the step looks ahead, as Nesterov's momentum does:
             mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
             p = p - lr ((1 - mu_t) g / (1 - mu_1..mu_t) + mu_t+1 m / (1 - mu_1..mu_t+1)) / root
    RAdam    the root counts only when enough steps have been seen to trust it, and then as much
             as its variance allows (rho_t > 5); before, the step is that of momentum alone

m and v are Adam's running means. Kingma and Ba 2015; Dozat 2016; Liu et al. 2020. The order of
operations is PyTorch's.
"""

from __future__ import annotations

from typing import Any

from ..create.data import tensor
from ..create.filled import zeros_like
from ..handles.tensor import Tensor
from .optimizer import Group, ParamsT
from .stepping import (
    Composed,
    check_betas,
    check_not_negative,
    counted,
    shrink,
    zero_count,
)


def _averages(state: dict[str, Any], g: Tensor, beta1: float, beta2: float) -> tuple[Tensor, ...]:
    """Adam's m and v, brought up to date."""
    m, v = state["exp_avg"], state["exp_avg_sq"]
    m.lerp_(g, 1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    return m, v


def _decayed(p: Tensor, g: Tensor, group: Group) -> Tensor:
    """The gradient after weight decay, which is the parameter's own where it is decoupled."""
    decay = group["weight_decay"]
    if not decay:
        return g
    if group.get("decoupled_weight_decay"):
        shrink(p, group)
        return g
    return g.add(p, alpha=decay)


class Adamax(Composed):
    """Adam with the largest gradient so far in place of the root of its mean square.

    `lr` 0.002, `betas` (0.9, 0.999), `eps` 1e-8, `weight_decay` 0. `maximize` climbs. `foreach`
    and `capturable` choose between equal implementations in PyTorch and have no effect.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if not state:
            state["step"] = zero_count()
            state["exp_avg"], state["exp_inf"] = zeros_like(p), zeros_like(p)
        t = counted(state)
        beta1, beta2 = group["betas"]
        g = _decayed(p, g, group)
        m, u = state["exp_avg"], state["exp_inf"]
        m.lerp_(g, 1 - beta1)
        u.copy_((u * beta2).maximum(g.abs() + group["eps"]))
        p.addcdiv_(m, u, value=-float(group["lr"]) / (1 - beta1**t))


class NAdam(Composed):
    """Adam with Nesterov momentum.

    `lr` 0.002, `betas` (0.9, 0.999), `eps` 1e-8, `weight_decay` 0 (of the parameter itself with
    `decoupled_weight_decay`), `momentum_decay` 0.004. `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if not state:
            state["step"] = zero_count()
            state["mu_product"] = tensor(1.0, dtype=state["step"].dtype)
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(p), zeros_like(p)
        t = counted(state)
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        g = _decayed(p, g, group)
        decay = group["momentum_decay"]
        mu = beta1 * (1.0 - 0.5 * (0.96 ** (t * decay)))
        mu_next = beta1 * (1.0 - 0.5 * (0.96 ** ((t + 1) * decay)))
        state["mu_product"] *= mu
        product = float(state["mu_product"])
        m, v = _averages(state, g, beta1, beta2)
        root = (v / (1 - beta2**t)).sqrt().add(group["eps"])
        p.addcdiv_(g, root, value=-lr * (1.0 - mu) / (1.0 - product))
        p.addcdiv_(m, root, value=-lr * mu_next / (1.0 - product * mu_next))


class RAdam(Composed):
    """Adam that is rectified while the mean of squares is young.

    `lr` 0.001, `betas` (0.9, 0.999), `eps` 1e-8, `weight_decay` 0 (of the parameter itself with
    `decoupled_weight_decay`). `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if not state:
            state["step"] = zero_count()
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(p), zeros_like(p)
        t = counted(state)
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        g = _decayed(p, g, group)
        m, v = _averages(state, g, beta1, beta2)
        correction2 = 1 - beta2**t
        # rho: how many steps the mean of squares amounts to, in the end and now
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * (beta2**t) / correction2
        change = m / (1 - beta1**t) * lr
        if rho > 5.0:
            trust = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
            change = change * (correction2**0.5 / v.sqrt().add(group["eps"])) * trust**0.5
        p.sub_(change)
