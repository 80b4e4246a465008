"""Adam and AdamW: a step size for each element, from running means of its gradient and square.

    m = beta1 m + (1 - beta1) g                     v = beta2 v + (1 - beta2) g²
    p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

The divisions by 1 - beta^t undo that m and v start at 0 (Kingma and Ba 2015). With `weight_decay`
Adam adds weight_decay * p to g; AdamW shrinks p by lr * weight_decay instead, independent of v
(Loshchilov and Hutter 2019). `amsgrad` uses the largest v so far (Reddi et al. 2018). The order of
operations and the rounding are PyTorch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import defines
from ..base.errors import message
from ..handles.tensor import Tensor
from .differentiable import arrays, cycled, gradients, largest, rate, root, scale, setting
from .halves import Rounded, in_16_bits
from .optimizer import Group, ParamsT
from .stepping import (
    Arrays,
    ByKernel,
    ascent,
    check_betas,
    check_implementation,
    check_not_negative,
    check_pair,
    states,
)

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Backend


@defines
@in_16_bits
def adam_step(
    F: Backend,
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays,
    steps: Arrays,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
) -> None:
    """One step of all `params`, in place.

    `steps` count them, each a 0-d float32 array of numpy's; `max_exp_avg_sqs` are empty without
    `amsgrad`; `decoupled` is AdamW.
    """
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        steps[i][...] += 1
        t = float(steps[i])
        g = ascent(p, g, 0 if decoupled else weight_decay, maximize)
        if decoupled and weight_decay:
            scale(p, 1 - lr * weight_decay)
        m, v = exp_avgs[i], exp_avg_sqs[i]
        lerp(m, g, 1 - beta1)
        decay_square(v, g, beta2)
        if amsgrad:
            v = largest(max_exp_avg_sqs[i], v)
        denominator = root(v) / (1 - beta2**t) ** 0.5 + eps
        p += -(lr / (1 - beta1**t)) * m / denominator


def lerp(m: Argument, g: Argument, weight: float) -> None:
    """m + weight * (g - m), in place, from the nearer end as in PyTorch."""
    if isinstance(m, Rounded):
        m.lerp(g, weight)
    elif weight < 0.5:
        m += weight * (g - m)
    else:
        m[...] = g - (1 - weight) * (g - m)


def decay_square(v: Array, g: Array, beta: float) -> None:
    """beta * v + (1 - beta) * g², in place."""
    scale(v, beta)
    v += (1 - beta) * g * g


class Adam(ByKernel):
    """See the module. `maximize` climbs.

    `lr` 0.001, `betas` (0.9, 0.999), `eps` 1e-8, `weight_decay` 0. `foreach`, `fused` and
    `capturable` choose between equal implementations in PyTorch and have no effect.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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
        check_pair("betas", betas, "(0.9, 0.999)")
        for name, value in {"lr": lr, "betas[0]": betas[0], "betas[1]": betas[1]}.items():
            if isinstance(value, Tensor) and foreach and not capturable:
                raise ValueError(
                    message(
                        f"{name} as a Tensor is not supported for capturable=False and "
                        "foreach=True",
                        fix="a number, or leave foreach out",
                    )
                )
        check_not_negative(lr=lr, eps=eps)
        if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
            raise ValueError(
                message(
                    "betas must be either both floats or both Tensors",
                    f"betas[0] is a {type(betas[0]).__name__}, betas[1] a "
                    f"{type(betas[1]).__name__}",
                    fix="betas=(0.9, 0.999)",
                )
            )
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        check_implementation(foreach, fused, differentiable)
        defaults = {
            "lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _call(self, dev: Backend, params: list[Tensor], group: Group) -> None:
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]
        m, v, *largest, steps = states(dev, self, params, *names)
        dev.adam_step(
            arrays(dev, params),
            gradients(dev, params),
            m,
            v,
            largest[0] if largest else (),
            steps,
            lr=rate(dev, group),
            beta1=cycled(dev, group, "betas", 0),
            beta2=cycled(dev, group, "betas", 1),
            eps=setting(dev, group, "eps"),
            weight_decay=setting(dev, group, "weight_decay"),
            decoupled=group["decoupled_weight_decay"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 unless given. See the module."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
