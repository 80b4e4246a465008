"""SparseAdam: Adam that touches only the rows of a table that a gradient has.

    m = m + (1 - beta1) * (g - m)         v = v + (1 - beta2) * (g ** 2 - v)       in those rows
    p = p - lr * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * m / (sqrt(v) + eps)     in those rows

t counts the steps of the parameter, not those of a row, as in PyTorch.
"""

from __future__ import annotations

import math

from ..autograd import enable_grad, no_grad
from ..base.errors import message
from ..create.filled import zeros_like
from ..handles.tensor import Tensor
from .optimizer import Closure, Group, Optimizer, ParamsT
from .stepping import check_betas, check_not_negative


class SparseAdam(Optimizer):
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

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """One step of the rows that have a gradient; returns closure(), if given."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._step_of(p, group)
        return loss

    def _step_of(self, p: Tensor, group: Group) -> None:
        if not p.grad.is_sparse:
            raise RuntimeError(
                message(
                    "SparseAdam does not support dense gradients, please consider Adam instead",
                    fix="torch.optim.Adam, or Embedding(sparse=True)",
                )
            )
        state = self.state[p]
        if not state:
            state["step"], state["exp_avg"], state["exp_avg_sq"] = 0, zeros_like(p), zeros_like(p)
        state["step"] += 1
        grad = p.grad.coalesce()
        if grad._nnz() == 0:
            return
        beta1, beta2 = group["betas"]
        rows = grad._indices()[0]
        g = -grad._values() if group["maximize"] else grad._values()
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m_rows, v_rows = m[rows], v[rows]
        m_rows += (g - m_rows) * (1 - beta1)
        v_rows += (g * g - v_rows) * (1 - beta2)
        m[rows], v[rows] = m_rows, v_rows
        t = state["step"]
        size = group["lr"] * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        p[rows] -= size * (m_rows / (v_rows.sqrt() + group["eps"]))
