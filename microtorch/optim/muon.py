"""Muon: momentum whose matrix is made orthogonal before it is taken as the step.

    buf = momentum buf + (1 - momentum) g
    p   = p - lr weight_decay p - lr' orthogonal(buf)

All singular values of the step become about 1: rare directions are learnt as fast as common ones
(Jordan 2024). A few steps of Newton and Schulz, a polynomial in the matrix and its transpose, come
close enough. For the weights of hidden layers, which are matrices; other parameters need another
optimizer beside it.
"""

from __future__ import annotations

import math
from typing import Any

from ..arrays.dtypes import float32
from ..base.errors import message
from ..create.filled import zeros_like
from ..handles.tensor import Tensor
from .optimizer import Group, ParamsT
from .stepping import Composed, check_one_element, shrink

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # steepest at 0, and about 1 between 0.7 and 1.2


class Muon(Composed):
    """See the module. `lr` 0.001, `weight_decay` 0.1, `momentum` 0.95, `nesterov` True.

    `adjust_lr_fn` scales lr by the shape of the matrix: "original" (the default) or
    "match_rms_adamw", which suits learning rates found for AdamW.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = NEWTON_SCHULZ,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_one_element("lr", lr)
        limits = [
            (lr >= 0, f"Learning rate should be >= 0 but is: {lr}"),
            (momentum >= 0, f"momentum should be >= 0 but is: {momentum}"),
            (weight_decay >= 0, f"weight decay should be >= 0 but is: {weight_decay}"),
            (
                adjust_lr_fn in (None, "original", "match_rms_adamw"),
                f"Adjust learning rate function {adjust_lr_fn} is not supported",
            ),
        ]
        for holds, what in limits:
            if not holds:
                raise ValueError(message(what, fix="the defaults are a good beginning"))
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        for p in self._all_params():
            if p.ndim != 2:
                raise ValueError(
                    message(
                        "Muon only supports 2D parameters whereas we found a parameter with "
                        f"size: {p.size()}",
                        fix="Muon([p for p in params if p.ndim == 2]), and AdamW for the others",
                    )
                )

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = zeros_like(g)
        buffer, momentum = state["momentum_buffer"], group["momentum"]
        buffer.lerp_(g, 1 - momentum)
        step = g.lerp(buffer, momentum) if group["nesterov"] else buffer
        step = orthogonal(step, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        else:
            ratio = math.sqrt(max(1, rows / columns))
        shrink(p, group)
        p.add_(step.to(p.dtype), alpha=-float(group["lr"] * ratio))


def orthogonal(
    g: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """About U Vᵀ of g = U S Vᵀ, as float32 that holds bfloat16 numbers, as PyTorch computes it."""
    if steps >= 100:
        raise ValueError(
            message(
                "Number of steps must be less than 100 for computational efficiency",
                fix="ns_steps=5",
            )
        )
    if len(coefficients) != 3:
        raise ValueError(message("Coefficients must be a tuple of exactly 3 values"))
    a, b, c = coefficients
    x = _bfloat16(g.to(float32))
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = _bfloat16(x / _bfloat16(x.norm()).clamp(min=eps))
    for _ in range(steps):
        gram = _bfloat16(x @ x.T)
        update = _bfloat16(b * gram + c * (gram @ gram))
        x = _bfloat16(a * x + update @ x)
    return x.T if tall else x


def _bfloat16(x: Tensor) -> Tensor:
    """A float32 tensor rounded to the 8 significant bits of bfloat16 (Veltkamp's splitting)."""
    big = x * 65537.0
    return big - (big - x)
