"""Adagrad, RMSprop and Adadelta: step sizes from the squares of past gradients.

    Adagrad    s = s + g²
               p = p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)
    RMSprop    s = alpha s + (1 - alpha) g²      p = p - lr * g / (sqrt(s) + eps)
    Adadelta   s = rho s + (1 - rho) g²          d = sqrt(a + eps) / sqrt(s + eps) * g
               a = rho a + (1 - rho) d²          p = p - lr * d

Duchi et al. 2011; Hinton 2012 (lecture 6); Zeiler 2012. They are the
ancestors of Adam. The order of operations is PyTorch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import defines
from ..base.errors import message
from ..handles.tensor import Tensor
from .adam import decay_square, lerp
from .differentiable import arrays, cycled, gradients, rate, root, scale, setting
from .halves import in_16_bits
from .optimizer import Group, ParamsT
from .stepping import (
    Arrays,
    ByKernel,
    ascent,
    check_implementation,
    check_not_negative,
    states,
)

if TYPE_CHECKING:
    from ..base.types import Backend


@defines
@in_16_bits
def adagrad_step(
    F: Backend,
    params: Arrays,
    grads: Arrays,
    sums: Arrays,
    steps: Arrays,
    *,
    lr: float,
    lr_decay: float,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """One step of all `params`, in place; `steps` count them."""
    for p, g, s, step in zip(params, grads, sums, steps, strict=True):
        step[...] += 1
        g = ascent(p, g, weight_decay, maximize)
        s += g * g
        decayed = lr / (1 + (float(step) - 1) * lr_decay)
        p += -decayed * g / (root(s) + eps)


@defines
@in_16_bits
def rmsprop_step(
    F: Backend,
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    grad_avgs: Arrays,
    momentum_buffers: Arrays,
    steps: Arrays,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
    maximize: bool,
) -> None:
    """One step of all `params`, in place.

    `grad_avgs` are empty unless `centered`, `momentum_buffers` without momentum.
    """
    for i, (p, g, s) in enumerate(zip(params, grads, square_avgs, strict=True)):
        steps[i][...] += 1
        g = ascent(p, g, weight_decay, maximize)
        decay_square(s, g, alpha)
        if centered:
            mean = grad_avgs[i]
            lerp(mean, g, 1 - alpha)
            s = s - mean * mean
        denominator = root(s) + eps
        if momentum > 0:
            buffer = momentum_buffers[i]
            scale(buffer, momentum)
            buffer += g / denominator
            p -= lr * buffer
        else:
            p += -lr * g / denominator


@defines
@in_16_bits
def adadelta_step(
    F: Backend,
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    acc_deltas: Arrays,
    steps: Arrays,
    *,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of all `params`, in place; `steps` count them."""
    for p, g, s, a, step in zip(params, grads, square_avgs, acc_deltas, steps, strict=True):
        step[...] += 1
        g = ascent(p, g, weight_decay, maximize)
        decay_square(s, g, rho)
        d = root(a + eps) / root(s + eps) * g
        decay_square(a, d, rho)
        p -= lr * d


class Adagrad(ByKernel):
    """See the module.

    `lr` 0.01, `lr_decay` 0, `initial_accumulator_value` (of s) 0, `eps` 1e-10.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
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
        check_not_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        check_not_negative(initial_accumulator_value=initial_accumulator_value, eps=eps)
        check_implementation(foreach, fused, differentiable)
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:  # as in PyTorch, there from the start
            for p in group["params"]:
                states(p.node.dev, self, [p], "sum", value=group["initial_accumulator_value"])

    def _call(self, dev: Backend, params: list[Tensor], group: Group) -> None:
        sums, steps = states(dev, self, params, "sum", value=group["initial_accumulator_value"])
        dev.adagrad_step(
            arrays(dev, params),
            gradients(dev, params),
            sums,
            steps,
            lr=rate(dev, group),
            lr_decay=setting(dev, group, "lr_decay"),
            weight_decay=setting(dev, group, "weight_decay"),
            eps=setting(dev, group, "eps"),
            maximize=group["maximize"],
        )


class RMSprop(ByKernel):
    """See the module. `lr` 0.01, `alpha` 0.99, `eps` 1e-8, `momentum` 0.

    `centered` subtracts the square of the mean gradient from s, which leaves its variance.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
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
        check_not_negative(
            lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha
        )
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _call(self, dev: Backend, params: list[Tensor], group: Group) -> None:
        momentum, centered = group["momentum"], group["centered"]
        squares, steps = states(dev, self, params, "square_avg")
        buffers = states(dev, self, params, "momentum_buffer")[0] if momentum > 0 else ()
        means = states(dev, self, params, "grad_avg")[0] if centered else ()
        dev.rmsprop_step(
            arrays(dev, params),
            gradients(dev, params),
            squares,
            means,
            buffers,
            steps,
            lr=rate(dev, group),
            alpha=setting(dev, group, "alpha"),
            eps=setting(dev, group, "eps"),
            weight_decay=setting(dev, group, "weight_decay"),
            momentum=cycled(dev, group, "momentum"),
            centered=centered,
            maximize=group["maximize"],
        )


class Adadelta(ByKernel):
    """See the module. `lr` 1, `rho` 0.9, `eps` 1e-6."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(message(f"Invalid rho value: {rho}", fix="0 <= rho <= 1"))
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _call(self, dev: Backend, params: list[Tensor], group: Group) -> None:
        squares, deltas, steps = states(dev, self, params, "square_avg", "acc_delta")
        dev.adadelta_step(
            arrays(dev, params),
            gradients(dev, params),
            squares,
            deltas,
            steps,
            lr=rate(dev, group),
            rho=setting(dev, group, "rho"),
            eps=setting(dev, group, "eps"),
            weight_decay=setting(dev, group, "weight_decay"),
            maximize=group["maximize"],
        )
