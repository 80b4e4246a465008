"""Normalisation in C (ext/norm.c). Other than contiguous arrays are copied first: one pass over memory for many."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..reference import Reference, definition

contiguous = np.ascontiguousarray


class Normalisation(Reference):
    """``layer_norm`` and ``batch_norm`` of ops/norm.py, forward and backward, and ``fixed_norm``, forward."""

    def layer_norm(self, x: Any, w: Any = None, b: Any = None, *, ndim: int, eps: float) -> Any:
        out = self._rows(self.kernels.layer_norm, ndim, eps, [x], [w, b])
        return definition("layer_norm")(self, x, w, b, ndim=ndim, eps=eps) if out is None else out

    def layer_norm_vjp0(self, g: Any, out: Any, x: Any, w: Any = None, b: Any = None, *, ndim: int, eps: float) -> Any:
        return self._rows(self.kernels.layer_norm_vjp0, ndim, eps, [g, x], [w])

    def layer_norm_vjp1(self, g: Any, out: Any, x: Any, w: Any, b: Any = None, *, ndim: int, eps: float) -> Any:
        """Σ g · x̂ over blocks of 64 rows, as C adds it up: (blocks, *shape of w). The engine adds up the rest."""
        rows, shape = math.prod(x.shape[:-ndim]), x.shape[-ndim:]
        g, x, sums = contiguous(g), contiguous(x), np.empty(((rows + 63) // 64, *shape), self.dtype)
        return sums if self.kernels.layer_norm_vjp1(rows, math.prod(shape), eps, id(g), id(x), id(sums)) else None

    def _rows(self, kernel: Any, ndim: int, eps: float, read: list[Any], affine: list[Any]) -> Any:
        """The kernel's result; None where C declines."""
        shape = read[0].shape
        arrays = [*map(contiguous, read), *(a if a is None else contiguous(a) for a in affine)]
        out = np.empty(shape, self.dtype)
        rows, n = math.prod(shape[:-ndim]), math.prod(shape[-ndim:])
        return out if kernel(rows, n, eps, *(0 if a is None else id(a) for a in arrays), id(out)) else None

    # ---- per channel ------------------------------------------------------------------------------------------------
    def moments(self, x: Any) -> Any:
        mean, var = np.empty(x.shape[1], self.dtype), np.empty(x.shape[1], self.dtype)
        ran = self.kernels.moments(*channels(x), id(x := contiguous(x)), id(mean), id(var))
        return (mean, var) if ran else definition("moments")(self, x)

    def fixed_norm(self, x: Any, mean: Any, var: Any, w: Any = None, b: Any = None, *, eps: float) -> Any:
        out = np.empty(x.shape, self.dtype)
        scale = 1 / np.sqrt(var + eps)
        scale, shift = scale if w is None else scale * w, np.zeros_like(scale) if b is None else b
        a = contiguous(x)
        if self.kernels.channel_affine(*channels(x), id(a), id(mean), id(scale), id(shift), id(out)):
            return out
        return definition("fixed_norm")(self, x, mean, var, w, b, eps=eps)

    def batch_norm_vjp0(self, g: Any, out: Any, x: Any, w: Any = None, b: Any = None, *, eps: float) -> Any:
        g, x, dx = contiguous(g), contiguous(x), np.empty(x.shape, self.dtype)
        found = self._products(g, x, eps)
        if found is None:
            return None
        mean, rstd, plain, product = found
        n = x.size // max(x.shape[1], 1) or math.nan
        scale, a, k = rstd if w is None else rstd * w, plain / n, product * rstd / n
        return dx if self.kernels.batch_norm_vjp(*channels(x), *map(id, (g, x, mean, scale, a, k, dx))) else None

    def batch_norm_vjp1(self, g: Any, out: Any, x: Any, w: Any, b: Any = None, *, eps: float) -> Any:
        found = self._products(contiguous(g), contiguous(x), eps)
        return None if found is None else found[3]

    def _products(self, g: Any, x: Any, eps: float) -> Any:
        """Per channel: mean and 1 / sqrt(var + eps) of x, the sum of g and that of g * x̂; None where C declines."""
        mean, var = self.moments(x)
        plain, product, rstd = np.empty_like(mean), np.empty_like(mean), 1 / np.sqrt(var + eps)
        ran = self.kernels.channel_sums(*channels(x), *map(id, (g, x, mean, plain, product)))
        return (mean, rstd, plain, product * rstd) if ran else None


def channels(x: Any) -> tuple[int, int, int]:
    """(batch, channels, places) of x (N, C, ...)."""
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])
