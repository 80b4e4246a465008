"""Rprop: a step size for each element, from the sign of its gradient alone.

It grows while the sign stays the same and shrinks where it turns; there the element waits for one
step (Riedmiller and Braun 1993). For gradients of the whole data set, not of batches.
"""

from __future__ import annotations

from typing import Any

from ..base.errors import message
from ..create.filled import full_like, zeros_like
from ..handles.tensor import Tensor
from .optimizer import Group, ParamsT
from .stepping import Composed, check_not_negative, check_pair, counted, zero_count


class Rprop(Composed):
    """See the module. `lr`, the first step size, 0.01; `etas` (0.5, 1.2) shrink and grow it.

    `step_sizes` (1e-6, 50) are its limits. `maximize` climbs. `foreach` and `capturable` have no
    effect.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr)
        check_pair("etas", etas, "(0.5, 1.2)")
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(
                message(
                    f"Invalid eta values: {etas[0]}, {etas[1]}",
                    fix="0 < etas[0] < 1 < etas[1], such as etas=(0.5, 1.2)",
                )
            )
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if not state:
            state["step"] = zero_count()
            state["prev"] = zeros_like(p)
            state["step_size"] = full_like(g, float(group["lr"]))
        counted(state)
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        # copies, since the derivative of a recorded step reads what is written over below
        agree, size = g * state["prev"].clone(), state["step_size"]
        turned = agree < 0
        factor = agree.sign().masked_fill_(agree > 0, grow).masked_fill_(agree == 0, 1)
        grown = size.clone() * factor.masked_fill_(turned, shrink)
        size.copy_(grown.clamp(smallest, largest))
        g = g.masked_fill(turned, 0)
        p.addcmul_(g.sign(), size, value=-1)
        state["prev"].copy_(g)
