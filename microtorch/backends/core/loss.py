"""Negative log-likelihood and squared error in C (ext/loss.c)."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..reference import Reference, definition

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
contiguous = np.ascontiguousarray


class Losses(Reference):
    """``nll_loss`` and ``mse_loss`` of ops/loss.py, forward and backward."""

    def nll_loss(self, x: Any, t: Any, w: Any = None, *, reduction: str, ignore_index: int) -> Any:
        out = np.empty(t.shape if reduction == "none" else (), self.dtype)
        wrong = np.empty(1, np.int64)
        sizes = *x.shape[:2], math.prod(x.shape[2:]), REDUCTIONS[reduction], ignore_index
        copies = contiguous(x), contiguous(t)
        if self.kernels.nll_loss(*sizes, *map(id, copies), 0 if w is None else id(w), id(out), id(wrong)) and not wrong[0]:
            return out
        return definition("nll_loss")(self, x, t, w, reduction=reduction, ignore_index=ignore_index)

    def nll_loss_vjp0(self, g: Any, out: Any, x: Any, t: Any, w: Any = None, *, reduction: str, ignore_index: int) -> Any:
        dx = np.empty(x.shape, self.dtype)
        sizes = *x.shape[:2], math.prod(x.shape[2:]), REDUCTIONS[reduction], ignore_index
        copies = np.asarray(g, order="C"), contiguous(t)
        return dx if self.kernels.nll_loss_vjp0(*sizes, *map(id, copies), 0 if w is None else id(w), id(dx)) else None

    def mse_loss(self, x: Any, y: Any, reduction: str) -> Any:
        if x.shape == y.shape:
            out = np.empty(x.shape if reduction == "none" else (), self.dtype)
            if self.kernels.mse_loss(x.size, REDUCTIONS[reduction], id(x), id(y), id(out)):
                return out
        return definition("mse_loss")(self, x, y, reduction)

    def mse_loss_vjp0(self, g: Any, out: Any, x: Any, y: Any, reduction: str) -> Any:
        return self._mse_vjp(g, x, y, reduction, 2.0)

    def mse_loss_vjp1(self, g: Any, out: Any, x: Any, y: Any, reduction: str) -> Any:
        return self._mse_vjp(g, x, y, reduction, -2.0)

    def _mse_vjp(self, g: Any, x: Any, y: Any, reduction: str, factor: float) -> Any:
        if x.shape != y.shape:
            return None
        d = np.empty(x.shape, self.dtype)
        if reduction == "mean":
            factor /= x.size or 1
        return d if self.kernels.mse_loss_vjp(x.size, REDUCTIONS[reduction], factor, id(g), id(x), id(y), id(d)) else None
