"""SparseAdam: Adam for gradients that hold a few rows of an embedding only.

There are no sparse tensors here, so every gradient is dense, and PyTorch's SparseAdam refuses
dense gradients. The class is here so that a program meets that sentence and not a missing name.
"""

from __future__ import annotations

from ..base.errors import message
from ..handles.tensor import Tensor
from .optimizer import Closure, Optimizer, ParamsT
from .stepping import check_betas, check_not_negative


class SparseAdam(Optimizer):
    """Refuses each step, as PyTorch's does for a dense gradient. Adam is the one to take."""

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
        """RuntimeError if a parameter has a gradient: it is dense."""
        loss = None if closure is None else closure()
        if any(p.grad is not None for p in self._all_params()):
            raise RuntimeError(
                message(
                    "SparseAdam does not support dense gradients, please consider Adam instead",
                    "microtorch has no sparse tensors: all gradients are dense",
                    fix="torch.optim.Adam",
                )
            )
        return loss
