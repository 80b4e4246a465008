"""SparseAdam: Adam that touches only the rows of a table that a gradient has.

    m = m + (1 - beta1) * (g - m)         v = v + (1 - beta2) * (g ** 2 - v)       in those rows
    p = p - lr * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * m / (sqrt(v) + eps)     in those rows

t counts the steps of the parameter, not those of a row, as in PyTorch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from ..base.errors import message
from ..create.filled import zeros_like
from ..handles.tensor import Tensor
from .optimizer import Group, ParamsT
from .stepping import Composed, check_betas, check_not_negative

if TYPE_CHECKING:
    from ..sparse.coo import SparseTensor


class SparseAdam(Composed):
    """Adam for the sparse gradients of `Embedding(sparse=True)`: see the module for the formula.

    `maximize` climbs. RuntimeError in a step for a gradient that is not sparse.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        for name, value in (("learning rate", lr), ("epsilon value", eps)):
            if not value > 0:
                raise ValueError(message(f"Invalid {name}: {value}", fix="a number above 0"))
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        if not g.is_sparse:
            raise RuntimeError(
                message(
                    "SparseAdam does not support dense gradients, please consider Adam instead",
                    fix="torch.optim.Adam, or Embedding(sparse=True)",
                )
            )
        if not state:
            state["step"], state["exp_avg"], state["exp_avg_sq"] = 0, zeros_like(p), zeros_like(p)
        state["step"] += 1
        grad = cast("SparseTensor", g).coalesce()
        if grad._nnz() == 0:
            return
        beta1, beta2 = group["betas"]
        rows = grad._indices()[0]
        values = grad._values()
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m_rows, v_rows = m[rows], v[rows]
        m_rows += (values - m_rows) * (1 - beta1)
        v_rows += (values * values - v_rows) * (1 - beta2)
        m[rows], v[rows] = m_rows, v_rows
        t = state["step"]
        size = group["lr"] * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        p[rows] -= size * (m_rows / (v_rows.sqrt() + group["eps"]))
