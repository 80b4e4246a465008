"""Normalisation in C (ext/norm.c).

Arrays that are not contiguous are copied first: one pass over memory, where numpy's way takes many.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..reference import Reference
from ..table import definition
from .library import calls, ran

if TYPE_CHECKING:
    from ...base.types import Array, DType

contiguous = np.ascontiguousarray


class Normalisation(Reference):
    """``layer_norm``, ``group_norm``, ``batch_norm`` (forward and backward) and ``fixed_norm``."""

    def layer_norm(
        self, x: Array, w: Array | None = None, b: Array | None = None, *, ndim: int, eps: float
    ) -> Array:
        a, weight, bias = contiguous(x), optional(w), optional(b)
        out = np.empty(x.shape, self.dtype)
        arrays = a, weight, bias, out
        if self.kernels.layer_norm(*examples(x, ndim), eps, *arrays):
            return out
        return definition("layer_norm")(self, x, w, b, ndim=ndim, eps=eps)

    def layer_norm_vjps(
        self, g: Array, out: Array, x: Array, w: Array | None = None, b: Array | None = None, *,
        ndim: int, eps: float,
    ) -> tuple[Array, Array, Array] | None:  # fmt: skip
        """The contributions to x, w and b.

        That to w is Σ g · x̂ over blocks of 32 rows, and that to b is g; the engine sums them.
        """
        rows, n = examples(x, ndim)
        g, x, weight = contiguous(g), contiguous(x), optional(w)
        dx = np.empty(x.shape, self.dtype)
        sums = np.empty(((rows + 31) // 32, *x.shape[-ndim:]), self.dtype)
        arrays = g, x, weight, dx, sums
        done = self.kernels.layer_norm_vjps(rows, n, eps, *arrays)
        return (dx, sums, g) if done else None

    # ---- groups of channels ----------------------------------------------------------------------
    def group_norm(
        self, x: Array, w: Array | None = None, b: Array | None = None, *, group: int, eps: float
    ) -> Array:
        out = np.empty(x.shape, self.dtype)
        if ran(self.kernels.group_norm, *groups(x, group), eps, x, w, b, out):
            return out
        return definition("group_norm")(self, x, w, b, group=group, eps=eps)

    def group_norm_vjps(
        self, g: Array, out: Array, x: Array, w: Array | None = None, b: Array | None = None, *,
        group: int, eps: float,
    ) -> tuple[Array, Array, Array] | None:  # fmt: skip
        """The contributions to x, w and b: to the last two for each example; the engine sums them.
        """
        g, x, weight, dx = contiguous(g), contiguous(x), optional(w), np.empty(x.shape, self.dtype)
        dw, db = np.empty(x.shape[:2], self.dtype), np.empty(x.shape[:2], self.dtype)
        arrays = g, x, weight, dx, dw, db
        done = self.kernels.group_norm_vjps(*groups(x, group), eps, *arrays)
        return (dx, dw, db) if done else None

    # ---- per channel -----------------------------------------------------------------------------
    def moments(self, x: Array) -> tuple[Array, Array]:
        mean, var = np.empty(x.shape[1], self.dtype), np.empty(x.shape[1], self.dtype)
        done = self.kernels.moments(*channels(x), contiguous(x), mean, var)
        return (mean, var) if done else definition("moments")(self, x)

    @calls("channel_affine")
    def fixed_norm(
        self, x: Array, mean: Array, var: Array, w: Array | None = None, b: Array | None = None, *,
        eps: float,
    ) -> Array:  # fmt: skip
        out = np.empty(x.shape, self.dtype)
        scale = 1 / np.sqrt(var + eps)
        scale, shift = scale if w is None else scale * w, np.zeros_like(scale) if b is None else b
        a = contiguous(x)
        arrays = a, mean, scale, shift, out
        if self.kernels.channel_affine(*channels(x), *arrays):
            return out
        return definition("fixed_norm")(self, x, mean, var, w, b, eps=eps)

    def batch_norm_vjps(
        self, g: Array, out: Array, x: Array, w: Array | None = None, b: Array | None = None, *,
        eps: float, kept: DType | None = None,
    ) -> tuple[Array, Array, Array] | None:  # fmt: skip
        """The contributions to x, w and b."""
        if kept is not None:
            return None
        g, x, weight, count = contiguous(g), contiguous(x), optional(w), x.shape[1]
        constants, dx = np.empty((4, count), self.dtype), np.empty(x.shape, self.dtype)
        dw, db = np.empty(count, self.dtype), np.empty(count, self.dtype)
        arrays = g, x, weight, constants, dx, dw, db
        return (dx, dw, db) if self.kernels.batch_norm_vjps(*channels(x), eps, *arrays) else None


def optional(a: Array | None) -> Array | None:
    """A contiguous array, or None."""
    return None if a is None else contiguous(a)


def examples(x: Array, ndim: int) -> tuple[int, int]:
    """(rows, elements of a row) of x, whose last ``ndim`` dimensions are a row."""
    return math.prod(x.shape[:-ndim]), math.prod(x.shape[-ndim:])


def channels(x: Array) -> tuple[int, int, int]:
    """(batch, channels, places) of x (N, C, ...)."""
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def groups(x: Array, group: int) -> tuple[int, int, int, int]:
    """(batch, groups, channels of a group, places) of x (N, C, ...)."""
    batch, channels, *places = x.shape
    return batch, group, channels // group, math.prod(places)
