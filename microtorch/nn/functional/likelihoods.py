"""Losses that are negative log likelihoods of a target under a predicted distribution."""

from __future__ import annotations

import math

from ...autograd import no_grad
from ...base.errors import message
from ...create.filled import full_like
from ...handles.tensor import Tensor
from ...ops.arguments import tensors_only
from .reduction import legacy_reduction, reduce_loss


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target input: of counts, up to log(target!).

    With log_input=False, `input` is the rate itself: input - target log(input + eps). `full` adds
    Stirling's approximation of log(target!) where target > 1.
    """
    tensors_only("poisson_nll_loss", input=input, target=target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        few = target <= 1
        many = target.masked_fill(few, 1)  # no logarithm of 0, whose gradient would be NaN
        stirling = many * many.log() - many + 0.5 * (2 * math.pi * many).log()
        loss = loss + stirling.masked_fill(few, 0)
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float | Tensor = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log(var) + (input - target)² / var) / 2; `full` adds log(2π) / 2 (Nix and Weigend 1994).

    `var` has input's shape, or lacks its last dim, or has size 1 there, or is a number. It is
    raised to `eps` at least, which its gradient does not see.
    """
    if not isinstance(var, Tensor):
        var = full_like(input.detach(), var)
    if bool((var < 0).any()):
        raise ValueError(message("var has negative entry/entries", fix="torch.exp(log_var)"))
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.ndim != var.ndim or _unequal_sizes(input, var) != [1]:
            raise ValueError(
                message(
                    "var is of incorrect size",
                    f"input {tuple(input.shape)}, var {tuple(var.shape)}",
                    fix="var has input's shape, or its last dimension is 1 or absent",
                )
            )
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduce_loss(loss, reduction)


def _unequal_sizes(input: Tensor, var: Tensor) -> list[int]:
    return [v for n, v in zip(input.shape, var.shape, strict=True) if n != v]
