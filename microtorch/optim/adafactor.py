"""Adafactor: Adam's mean of squares, kept as one row and one column of each matrix.

    R, C = running means of g² along the rows and the columns; their product estimates g²
    U    = g / sqrt(R C / mean(R)), shrunk where its root mean square exceeds d
    p    = p - max(eps2, RMS(p)) min(lr, 1/sqrt(t)) U

A parameter of n rows and m columns is remembered by n + m numbers in place of n m (Shazeer and
Stern 2018). Vectors keep their own mean of squares. The weight of a new square is t^beta2_decay.
As PyTorch's: `lr` is the largest relative step and the rate of weight decay.
"""

from __future__ import annotations

from typing import Any

from ..arrays.dtypes import finfo
from ..base.errors import message
from ..create.filled import zeros_like
from ..handles.tensor import Tensor
from .optimizer import Group, ParamsT
from .stepping import Composed, check_one_element, counted, shrink, zero_count


class Adafactor(Composed):
    """See the module. `lr` 0.01, `beta2_decay` -0.8, `eps` (None, 0.001), `d` 1.

    eps[0] None is the dtype's epsilon. `maximize` climbs; `foreach` has no effect.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_one_element("lr", lr)
        limits = [
            (lr >= 0, f"Learning rate should be >= 0 but is: {lr}"),
            (beta2_decay <= 0, f"beta2_decay should be <= 0 but is: {beta2_decay}"),
            (eps[0] is None or eps[0] >= 0, f"epsilon1 should be >= 0 but is: {eps[0]}"),
            (eps[1] >= 0, f"epsilon2 should be >= 0 but is: {eps[1]}"),
            (d >= 1, f"Clipping threshold d should be >= 1 but is: {d}"),
            (weight_decay >= 0, f"weight_decay should be >= 0 but is: {weight_decay}"),
        ]
        for holds, what in limits:
            if not holds:
                raise ValueError(message(what, fix="the defaults are a good beginning"))
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if p.is_complex():
            raise RuntimeError(message("Adafactor does not support complex parameters"))
        matrix = g.dim() > 1
        if not state:
            state["step"] = zero_count()
            if matrix:
                *batch, rows, columns = g.shape
                state["row_var"] = g.new_zeros((*batch, rows, 1))
                state["col_var"] = g.new_zeros((*batch, 1, columns))
            else:
                state["variance"] = zeros_like(g)
        t, lr = counted(state), float(group["lr"])
        eps1, eps2 = group["eps"]
        if eps1 is None:
            eps1 = finfo(p.dtype).eps
        new = t ** group["beta2_decay"]
        rate = max(eps2, _rms(p)) * min(lr, 1 / t**0.5)
        if group["weight_decay"]:
            shrink(p, group)
        if matrix:
            row, column = state["row_var"], state["col_var"]
            row.lerp_((g * g).mean(-1, keepdim=True), new)
            column.lerp_((g * g).mean(-2, keepdim=True), new)
            variance = (row @ column) / row.mean(-2, keepdim=True).clamp_(min=eps1)
        else:
            variance = state["variance"].lerp_(g * g, new)
        update = variance.clamp(min=eps1 * eps1).rsqrt_().mul_(g)
        p.add_(update, alpha=-rate / max(1.0, _rms(update) / group["d"]))


def _rms(x: Tensor) -> float:
    """The root of the mean of all squares."""
    return float(x.norm(2).item() / x.numel() ** 0.5)
