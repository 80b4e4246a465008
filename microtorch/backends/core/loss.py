"""Softmax and the losses in C (ext/softmax.c, ext/loss.c).

Arrays that are not contiguous are copied first: one pass over memory, where numpy's way takes many.
"""
from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import I64
from ..reference import Reference
from ..table import definition
from .library import calls

if TYPE_CHECKING:
    from ...base.types import Array, Kernel

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
contiguous = np.ascontiguousarray


class Losses(Reference):
    """The ops of ops/loss.py, forward and backward."""

    def softmax(self, x: Array, dim: int) -> Array:
        out = self._blocks(self.kernels.softmax, dim, x)
        return definition("softmax")(self, x, dim) if out is None else out

    def softmax_vjp0(self, g: Array, out: Array, x: Array, dim: int) -> Array | None:
        return self._blocks(self.kernels.softmax_vjp0, dim, g, out)

    def log_softmax(self, x: Array, dim: int) -> Array:
        out = self._blocks(self.kernels.log_softmax, dim, x)
        return definition("log_softmax")(self, x, dim) if out is None else out

    def log_softmax_vjp0(self, g: Array, out: Array, x: Array, dim: int) -> Array | None:
        return self._blocks(self.kernels.log_softmax_vjp0, dim, g, out)

    def _blocks(self, kernel: Kernel, dim: int, *read: Array) -> Array | None:
        """The kernel's result; None where C declines."""
        out = np.empty(read[0].shape, self.dtype)
        sizes = blocks(out.shape, dim)
        if kernel(*sizes, *read, out):
            return out
        copies = [contiguous(a) for a in read]
        return out if kernel(*sizes, *copies, out) else None

    def nll_loss(
        self, x: Array, t: Array, w: Array | None = None, *, reduction: str, ignore_index: int
    ) -> Array:
        out = np.empty(t.shape if reduction == "none" else (), self.dtype)
        wrong = np.empty(1, I64)
        sizes = *blocks(x.shape, 1), REDUCTIONS[reduction], ignore_index
        done = self.kernels.nll_loss(*sizes, contiguous(x), contiguous(t), w, out, wrong)
        if done and not wrong[0]:
            return out
        return definition("nll_loss")(self, x, t, w, reduction=reduction, ignore_index=ignore_index)

    def nll_loss_vjp0(
        self, g: Array, out: Array, x: Array, t: Array, w: Array | None = None, *, reduction: str,
        ignore_index: int,
    ) -> Array | None:  # fmt: skip
        dx = np.empty(x.shape, self.dtype)
        sizes = *blocks(x.shape, 1), REDUCTIONS[reduction], ignore_index
        arrays = np.asarray(g, order="C"), contiguous(t), w, dx
        return dx if self.kernels.nll_loss_vjp0(*sizes, *arrays) else None

    def mse_loss(self, x: Array, y: Array, reduction: str) -> Array:
        if x.shape == y.shape:
            out = np.empty(x.shape if reduction == "none" else (), self.dtype)
            if self.kernels.mse_loss(x.size, REDUCTIONS[reduction], x, y, out):
                return out
        return definition("mse_loss")(self, x, y, reduction)

    @calls("mse_loss_vjp")
    def mse_loss_vjp0(
        self, g: Array, out: Array, x: Array, y: Array, reduction: str
    ) -> Array | None:
        return self._mse_vjp(g, x, y, reduction, 2.0)

    @calls("mse_loss_vjp")
    def mse_loss_vjp1(
        self, g: Array, out: Array, x: Array, y: Array, reduction: str
    ) -> Array | None:
        return self._mse_vjp(g, x, y, reduction, -2.0)

    def _mse_vjp(self, g: Array, x: Array, y: Array, reduction: str, factor: float) -> Array | None:
        if x.shape != y.shape:
            return None
        d = np.empty(x.shape, self.dtype)
        if reduction == "mean":
            factor /= x.size or 1
        sizes = x.size, REDUCTIONS[reduction], factor
        return d if self.kernels.mse_loss_vjp(*sizes, g, x, y, d) else None


@lru_cache(maxsize=1024)
def blocks(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    """outer, n, inner: how many elements lie before, in, and after dimension ``dim``."""
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])
