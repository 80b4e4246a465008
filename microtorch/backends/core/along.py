"""Reading, writing and adding up along one dimension, in C (ext/along.c)."""
from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays.dtypes import I64, U8
from ...arrays.pairs import pairs
from ..reference import Reference
from ..table import definition
from .library import calls, kernel_of, lib
from .reductions import blocks

if TYPE_CHECKING:
    from ...base.types import Array, Kernel, Shape

    Place = tuple[Any, ...]


@lru_cache(1024)
def sizes_of(shape: Shape, index: Shape, dim: int) -> tuple[int, int, int, int] | None:
    """What C reads or writes ``shape`` by, at indices along ``dim``: outer, n, indices, inner.

    None unless it and the shape of ``index`` differ along ``dim`` alone.
    """
    if not shape or len(shape) != len(index):
        return None
    if shape[:dim] != index[:dim] or shape[dim + 1 :] != index[dim + 1 :]:
        return None
    outer, n, inner = blocks(shape, dim)
    return outer, n, index[dim], inner


@lru_cache(1024)
def resized(shape: Shape, dim: int, sizes: Shape) -> tuple[int, int, int, Shape]:
    """``blocks`` of a shape, and the shape with other sizes in the place of ``dim``'s."""
    return *blocks(shape, dim), (*shape[:dim], *sizes, *shape[dim + 1 :])


def rows_of(index: Array, dim: int) -> Array | None:
    """An index that was expanded from one along ``dim``, as index_reduce's is, as a vector."""
    if index.ndim < 2 or not index.size or any(index.strides[:dim] + index.strides[dim + 1 :]):
        return None
    return index[(0,) * dim + (slice(None),) + (0,) * (index.ndim - dim - 1)].copy()


WHOLE, BACK = slice(None), slice(None, None, -1)
FEW = 1 << 12  # bytes that numpy copies sooner than C is called
KINDS = {"prod": 1, "amax": 2, "amin": 3}  # as ext/along.c counts them


@lru_cache(1024)
def turns(dims: Shape, ndim: int) -> Place:
    """The index that reverses some of ``ndim`` dimensions."""
    return tuple([BACK if d in dims else WHOLE for d in range(ndim)])


def flipped(x: Array, dims: Shape) -> Array | None:
    """A copy with the order reversed along ``dims``, which lies as ``x`` does; None where ``x`` is
    small or has gaps.
    """
    turned = x[turns(dims, x.ndim)]
    if x.nbytes < FEW:
        return turned.copy() if x.flags.c_contiguous else None
    out = np.empty_like(x)
    if out.strides != x.strides or not lib.copy_array(id(out), id(turned), x.itemsize):
        return None
    return out


class Along(Reference):
    """Ops of ops/gather.py, scatter_reduce.py, index.py and taps.py, where the index is as C takes
    it; flips and triangles.
    """

    def gather(self, x: Array, index: Array, dim: int) -> Array:
        out = self.gathered(x, index, dim)
        return definition("gather")(self, x, index, dim) if out is None else out

    @calls("gather")
    def gathered(self, x: Array, index: Array, dim: int) -> Array | None:
        sizes = sizes_of(x.shape, index.shape, dim)
        if sizes is None:
            return None
        out, wrong = np.empty(index.shape, self.dtype), np.empty(1, U8)
        x, index = np.ascontiguousarray(x), np.ascontiguousarray(index)
        done = self.kernels.gather(*sizes, x, index, wrong, out)
        return out if done and not wrong[0] else None

    @calls("take")
    def index(self, x: Array, index: Place) -> Array:
        out = self.taken(x, index) if type(index[-1]) is np.ndarray else None
        return definition("index")(self, x, index) if out is None else out

    @calls("copy")
    def flip(self, x: Array, dims: Shape) -> Array:
        out = flipped(x, dims)
        return definition("flip")(self, x, dims) if out is None else out

    @calls("take")
    def taken(self, x: Array, index: Place) -> Array | None:
        """``x[:, ..., integers]``; None for another index, or where C declines."""
        *lead, places = index
        d, shape = len(lead), x.shape
        if places.dtype is not I64 or d >= len(shape) or not x.flags.c_contiguous:
            return None
        for p in lead:
            if type(p) is not slice or p != WHOLE:
                return None
        outer, n, inner, to = resized(shape, d, places.shape)
        out = np.empty(to, self.dtype)
        if not places.ndim or not places.flags.c_contiguous:
            places = np.ascontiguousarray(places)  # of at least one dimension
        wrong = np.empty(1, U8)
        arrays = x, places, wrong, out
        done = self.kernels.take(outer, n, places.size, inner, *arrays)
        return out if done and not wrong[0] else None

    def scatter_sum(self, src: Array, index: Array, shape: Shape, dim: int) -> Array:
        out = self.scatter_summed(src, index, shape, dim)
        return definition("scatter_sum")(self, src, index, shape, dim) if out is None else out

    @calls("scatter_sum")
    def scatter_summed(self, src: Array, index: Array, shape: Shape, dim: int) -> Array | None:
        sizes = sizes_of(shape, index.shape, dim) if src.shape == index.shape else None
        if sizes is None:
            return None
        out, wrong = np.empty(shape, self.dtype), np.empty(1, U8)
        src, index = np.ascontiguousarray(src), np.ascontiguousarray(index)
        done = self.kernels.scatter_sum(*sizes, src, index, wrong, out)
        return out if done and not wrong[0] else None

    @calls("scatter_sum_pairs")
    def summed_pairs(self, src: Array, index: Array, out: Array) -> bool:
        sizes = sizes_of(out.shape, index.shape, out.ndim - 1) if src.shape == index.shape else None
        if sizes is None:
            return False
        wrong = np.empty(1, U8)
        arrays = pairs(np.ascontiguousarray(src)), np.ascontiguousarray(index), wrong, pairs(out)
        return bool(self.kernels.scatter_sum_pairs(*sizes[:3], *arrays)) and not wrong[0]

    def place(self, g: Array, index: Place, shape: Shape, unique: bool = False) -> Array:
        if not unique and type(index[-1]) is np.ndarray:
            out = self.added_rows(np.zeros(shape, self.dtype), g, index)
            if out is not None:
                return out
        return definition("place")(self, g, index, shape, unique)

    def index_put(self, x: Array, v: Array, index: Place, accumulate: bool = False) -> Array:
        if accumulate and type(index[-1]) is np.ndarray and x.ndim:
            out = self.added_rows(np.array(x, order="C"), v, index)
            if out is not None:
                return out
        return definition("index_put")(self, x, v, index, accumulate)

    @calls("combine_rows")
    def added_rows(self, out: Array, g: Array, index: Place) -> Array | None:
        places = index[d := len(index) - 1]
        if places.dtype is not I64 or d >= out.ndim:
            return None
        for p in index[:d]:
            if type(p) is not slice or p != WHOLE:
                return None
        outer, n, inner, shape = resized(out.shape, d, places.shape)
        g = g if g.shape == shape else np.broadcast_to(g, shape)
        g, places = np.ascontiguousarray(g), np.ascontiguousarray(places)
        wrong = np.empty(1, U8)
        done = self.kernels.combine_rows(outer, n, places.size, inner, 0, g, places, wrong, out)
        return out if done and not wrong[0] else None

    def scatter(self, x: Array, index: Array, src: Array, dim: int) -> Array:
        out = self.scattered(x, index, src, dim)
        return definition("scatter")(self, x, index, src, dim) if out is None else out

    def scatter_reduce(self, x: Array, index: Array, src: Array, dim: int, reduce: str) -> Array:
        out = self.scattered(x, index, src, dim, KINDS[reduce])
        if out is not None:
            return out
        return definition("scatter_reduce")(self, x, index, src, dim, reduce)

    @calls("scatter", "combine_rows")
    def scattered(
        self, x: Array, index: Array, src: Array, dim: int, kind: int = 0, *, over: bool = False
    ) -> Array | None:
        if not src.ndim and index.ndim:
            src = self.full(index.shape, src, self.dtype)
        sizes = sizes_of(x.shape, index.shape, dim) if src.shape == index.shape else None
        if sizes is None:
            return None
        before, wrong = x.copy(), np.empty(1, U8)
        out = x if over else before
        src, rows = np.ascontiguousarray(src), rows_of(index, dim) if kind else None
        if rows is not None:
            done = self.kernels.combine_rows(*sizes, kind, src, rows, wrong, out)
        else:
            index = np.ascontiguousarray(index)
            done = self.kernels.scatter(*sizes, kind, index, src, wrong, out)
        if done and not wrong[0]:
            return out
        if done and over:
            x[...] = before  # what raises has written nothing
        return None

    @kernel_of
    @calls("triangle")
    def tril(self) -> Kernel:
        return self._triangle("tril", True)

    @kernel_of
    @calls("triangle")
    def triu(self) -> Kernel:
        return self._triangle("triu", False)

    def _triangle(self, name: str, lower: bool) -> Kernel:
        loop, dtype, empty = self.kernels.triangle, self.dtype, np.empty

        def triangle(x: Array, diagonal: int) -> Array:
            shape = x.shape
            if not x.flags.c_contiguous:
                x = np.ascontiguousarray(x)
            out = empty(shape, dtype)
            n, m = shape[-2:]
            if not -n <= diagonal <= m:
                diagonal = -n if diagonal < 0 else m
            batch = 1 if len(shape) == 2 else math.prod(shape[:-2])
            done = loop(batch, n, m, lower, diagonal, x, out)
            return out if done else definition(name)(self, x, diagonal)

        return triangle

    @kernel_of
    def taps(self) -> Kernel:
        return self._tapping("taps", self.kernels.taps)

    @kernel_of
    @calls("taps_vjp0")
    def tapped(self) -> Kernel:
        return self._tapping("tapped", self.kernels.taps_vjp0)

    def _tapping(self, name: str, loop: Kernel) -> Kernel:
        """``taps``, and with ``n``, the size to add up in, its derivative."""
        dtype, empty, rows = self.dtype, np.empty, np.ascontiguousarray

        def tapping(
            x: Array, index: Array, weight: Array, dim: int, n: int | None = None
        ) -> Array:
            count, k = index.shape
            outer, have, inner, shape = resized(x.shape, dim, (k if n is None else n,))
            w = weight if weight.dtype is dtype else weight.astype(dtype)
            out, wrong = empty(shape, dtype), empty(1, U8)
            arrays = rows(x), index, w, wrong, out
            if loop(outer, have if n is None else n, k, inner, count, *arrays) and not wrong[0]:
                return out
            sizes = () if n is None else (n,)
            return definition(name)(self, x, index, weight, dim, *sizes)

        return tapping

    @calls("choose_largest")
    def largest_of(self, x: Array, place: Array, taps: Array, dim: int) -> tuple[Array, Array]:
        if taps.ndim == 2:
            outer, n, inner = blocks(x.shape, dim)
            same = not any(place.strides[:2])  # in all planes
            own = place[:1, :1] if same else place
            (k, count), shape = taps.shape, (*x.shape[:dim], len(taps), *x.shape[dim + 1 :])
            best, at, wrong = np.empty(shape, self.dtype), np.empty(shape, I64), np.empty(1, U8)
            period = blocks(own.shape, dim)[0]
            given = [np.ascontiguousarray(a) for a in (x, taps, own)]
            arrays = *given, wrong, best, at
            done = self.kernels.choose_largest(outer, n, k, inner, count, period, *arrays)
            if done and not wrong[0]:
                return best, at
        found: tuple[Array, Array] = definition("largest_of")(self, x, place, taps, dim)
        return found
