"""Reading, writing and adding up along one dimension, in C (ext/along.c)."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import Reference
from ..table import definition

if TYPE_CHECKING:
    from ...base.types import Array, Shape

    Place = tuple[Any, ...]


def blocks(shape: Shape, dim: int) -> tuple[int, int, int]:
    """How many elements lie before, along and after a dimension."""
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def _beside(a: Shape, b: Shape, dim: int) -> bool:
    """Have two shapes the same sizes but along ``dim``?"""
    return len(a) == len(b) and a[:dim] == b[:dim] and a[dim + 1 :] == b[dim + 1 :]


KINDS = {"prod": 1, "amax": 2, "amin": 3}  # as ext/along.c counts them


class Along(Reference):
    """Ops of ops/gather.py, scatter_reduce.py and index.py, where the index is as C takes it."""

    def gather(self, x: Array, index: Array, dim: int) -> Array:
        if x.ndim and _beside(x.shape, index.shape, dim):
            outer, n, inner = blocks(x.shape, dim)
            x, index = np.ascontiguousarray(x), np.ascontiguousarray(index)
            out, wrong = np.empty(index.shape, self.dtype), np.empty(1, np.uint8)
            sizes = outer, n, index.shape[dim], inner
            if self.kernels.gather(*sizes, id(x), id(index), id(wrong), id(out)) and not wrong[0]:
                return out
        return definition("gather")(self, x, index, dim)

    def scatter_sum(self, src: Array, index: Array, shape: Shape, dim: int) -> Array:
        if shape and src.shape == index.shape and _beside(shape, index.shape, dim):
            outer, n, inner = blocks(shape, dim)
            src, index = np.ascontiguousarray(src), np.ascontiguousarray(index)
            out, wrong = np.empty(shape, self.dtype), np.empty(1, np.uint8)
            arrays = id(src), id(index), id(wrong), id(out)
            done = self.kernels.scatter_sum(outer, n, index.shape[dim], inner, *arrays)
            if done and not wrong[0]:
                return out
        return definition("scatter_sum")(self, src, index, shape, dim)

    def place(self, g: Array, index: Place, shape: Shape, unique: bool = False) -> Array:
        if not unique and type(index[-1]) is np.ndarray:
            out = self._added(np.zeros(shape, self.dtype), g, index)
            if out is not None:
                return out
        return definition("place")(self, g, index, shape, unique)

    def index_put(self, x: Array, v: Array, index: Place, accumulate: bool = False) -> Array:
        if accumulate and type(index[-1]) is np.ndarray and x.ndim:
            out = self._added(np.array(x, order="C"), v, index)
            if out is not None:
                return out
        return definition("index_put")(self, x, v, index, accumulate)

    def _added(self, out: Array, g: Array, index: Place) -> Array | None:
        """``out`` with ``g`` added at the index, if that is ``[:, ..., integers]``."""
        *lead, places = index
        d = len(lead)
        if places.dtype != np.int64 or d >= out.ndim:
            return None
        if any(type(p) is not slice or p != slice(None) for p in lead):
            return None
        outer, n, inner = blocks(out.shape, d)
        shape = (*out.shape[:d], *places.shape, *out.shape[d + 1 :])
        g, places = np.ascontiguousarray(np.broadcast_to(g, shape)), np.ascontiguousarray(places)
        wrong = np.empty(1, np.uint8)
        arrays = id(g), id(places), id(wrong), id(out)
        done = self.kernels.add_rows(outer, n, places.size, inner, *arrays)
        if not done or wrong[0]:
            return None
        return out

    def scatter(self, x: Array, index: Array, src: Array, dim: int) -> Array:
        out = self._scattered(x, index, src, dim, 0)
        return definition("scatter")(self, x, index, src, dim) if out is None else out

    def scatter_reduce(self, x: Array, index: Array, src: Array, dim: int, reduce: str) -> Array:
        out = self._scattered(x, index, src, dim, KINDS[reduce])
        if out is not None:
            return out
        return definition("scatter_reduce")(self, x, index, src, dim, reduce)

    def _scattered(
        self, x: Array, index: Array, src: Array, dim: int, kind: int
    ) -> Array | None:
        if not x.ndim or src.shape != index.shape or not _beside(x.shape, index.shape, dim):
            return None
        outer, n, inner = blocks(x.shape, dim)
        src, index = np.ascontiguousarray(src), np.ascontiguousarray(index)
        out, wrong = np.array(x, order="C"), np.empty(1, np.uint8)
        sizes = outer, n, index.shape[dim], inner, kind
        done = self.kernels.scatter(*sizes, id(index), id(src), id(wrong), id(out))
        return out if done and not wrong[0] else None
