"""Distances of all pairs of rows, in C (ext/distance.c)."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..reference import Reference
from ..table import definition
from .library import calls

if TYPE_CHECKING:
    from ...base.types import Array


class Distances(Reference):
    """The ops of ops/distances.py; the matrices of a batch one after the other."""

    @calls("distances")
    def cdist(self, a: Array, b: Array) -> Array:
        (n, k), m, batch = a.shape[-2:], b.shape[-2], a.shape[:-2]
        a = np.ascontiguousarray(a).reshape(math.prod(batch), n, k)
        columns = np.ascontiguousarray(b.swapaxes(-1, -2)).reshape(-1, k, m)
        out = np.empty((len(a), n, m), self.dtype)
        for x, y, d in zip(a, columns, out, strict=True):
            if not self.kernels.distances(n, m, k, x, y, d):
                return definition("cdist")(self, a, b)
        return out.reshape(*batch, n, m)

    @calls("distances_vjp0")
    def cdist_vjp0(self, g: Array, out: Array, a: Array, b: Array) -> Array | None:
        return self._pulled(self._shares(g, out), a, b)

    @calls("distances_vjp0")
    def cdist_vjp1(self, g: Array, out: Array, a: Array, b: Array) -> Array | None:
        return self.cdist_vjp0(np.swapaxes(g, -1, -2), np.swapaxes(out, -1, -2), b, a)

    @calls("pair_distances")
    def pdist(self, x: Array) -> Array:
        n, k = x.shape
        columns, out = np.ascontiguousarray(x.T), np.empty(n * (n - 1) // 2, self.dtype)
        if self.kernels.pair_distances(n, k, columns, out):
            return out
        return definition("pdist")(self, x)

    @calls("pair_distances_vjp0")
    def pdist_vjp0(self, g: Array, out: Array, x: Array) -> Array | None:
        share, x = np.ascontiguousarray(self._shares(g, out)), np.ascontiguousarray(x)
        grad = np.empty(x.shape, self.dtype)
        done = self.kernels.pair_distances_vjp0(*x.shape, share, x, grad)
        return grad if done else None

    def _shares(self, g: Array, out: Array) -> Array:
        """``shares`` of ops/distances.py."""
        zero = out == 0
        if not zero.any():
            return g / out
        return np.where(zero, 0, g / np.where(zero, 1, out)).astype(self.dtype, copy=False)

    def _pulled(self, share: Array, a: Array, b: Array) -> Array | None:
        (n, k), m = a.shape[-2:], b.shape[-2]
        share = np.ascontiguousarray(share).reshape(-1, n, m)
        a, shape = np.ascontiguousarray(a), a.shape
        b = np.ascontiguousarray(b).reshape(-1, m, k)
        out = np.empty(a.shape, self.dtype).reshape(-1, n, k)
        for s, x, y, d in zip(share, a.reshape(-1, n, k), b, out, strict=True):
            if not self.kernels.distances_vjp0(n, m, k, s, x, y, d):
                return None
        return out.reshape(shape)
