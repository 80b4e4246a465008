"""Running sums, products and extremes, recurrences (ext/scan.c), order (ext/order.c), and places
among others (ext/search.c), in C.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import BOOL, F64, I64, U8
from ..reference import Reference
from ..table import definition
from .library import calls, get_num_threads
from .reductions import blocks

if TYPE_CHECKING:
    from ...base.types import Array, DType, Kernel, Operand, Shape


MOST_BEST = MOST_RANKED = 64  # as ext/order.c has it
MOST_AMONG = 16  # with which C compares each number
LONG = 1 << 10  # numbers of a row that are worth segments
ENOUGH = 1 << 13  # keys to order that are worth a thread
FEW = 1 << 14  # bytes that numpy fills sooner


class Scans(Reference):
    """The ops of ops/scan.py, and kernels of ops/order, ops/row_order, ops/search and
    create/counted.
    """

    def cumsum(self, x: Array, dim: int) -> Array:
        return self._scan(self.kernels.cumsum, x, dim, "cumsum")

    def cumprod(self, x: Array, dim: int) -> Array:
        return self._scan(self.kernels.cumprod, x, dim, "cumprod")

    def logcumsumexp(self, x: Array, dim: int) -> Array:
        if x.ndim == 1 and x.size >= LONG:  # in double, as C's loop adds up
            wide = Reference.by_dtype[F64]
            out: Array = definition("logcumsumexp_in_segments")(wide, wide.cast(x, F64))
            return out.astype(self.dtype, copy=False)
        return self._scan(self.kernels.logcumsumexp, x, dim, "logcumsumexp")

    def _scan(self, kernel: Kernel, x: Array, dim: int, name: str) -> Array:
        x = np.ascontiguousarray(x)
        out = np.empty(x.shape, self.dtype)
        if kernel(*blocks(x.shape, dim), x, out):
            return out
        return definition(name)(self, x, dim)

    def cumprod_vjp0(self, g: Array, out: Array, x: Array, dim: int) -> Array | None:
        if not x.size:
            return None
        g, out, x = (np.ascontiguousarray(a) for a in (g, out, x))
        grad, zero = np.empty(x.shape, self.dtype), np.empty(1, U8)
        arrays = g, out, x, zero, grad
        if not self.kernels.cumprod_vjp0(*blocks(x.shape, dim), *arrays):
            return definition("cumprod_vjp0")(self, g, out, x, dim)
        return None if zero[0] else grad

    def running_extreme(self, x: Array, dim: int, smallest: bool) -> Array:
        x, index = np.ascontiguousarray(x), np.empty(x.shape, I64)
        if self.kernels.running_extreme(*blocks(x.shape, dim), smallest, x, index):
            return index
        return definition("running_extreme")(self, x, dim, smallest)

    @calls("searchsorted")
    def searched(self, x: Array, values: Array, right: bool) -> Array:
        n, count = x.shape[-1], values.size
        rows = 1 if x.ndim == 1 else x.size // n if n else 0
        out = np.empty(values.shape, I64)
        if rows and self.kernels.searchsorted(rows, n, count // rows, right, x, values, out):
            return out
        return definition("searched")(self, x, values, right)

    @calls("isin")
    def member(self, x: Array, among: Array, invert: bool) -> Array:
        if among.size <= MOST_AMONG:
            out = np.empty(x.shape, BOOL)
            if self.kernels.isin(x.size, among.size, invert, x, among, out):
                return out
        return definition("member")(self, x, among, invert)

    def recurrence(self, a: Array, b: Array, dim: int) -> Array:
        if a.shape == b.shape and b.size:
            a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
            out = np.empty(b.shape, self.dtype)
            if self.kernels.recurrence(*blocks(b.shape, dim), a, b, out):
                return out
        return definition("recurrence")(self, a, b, dim)

    def key_order(self, keys: Array) -> Array:
        n = keys.shape[-1]
        rows = keys.size // n if n else 0
        threads = get_num_threads()  # more parts than threads: one of them may begin late
        parts = min(rows, 4 * threads if threads > 1 else 1, 1 + keys.size // ENOUGH)
        keys, work = np.ascontiguousarray(keys), np.empty(3 * n * parts, I64)
        out = np.empty(keys.shape, I64)
        if self.kernels.key_order(rows, n, parts, keys, work, out):
            return out
        return definition("key_order")(self, keys)

    @calls("ranked")
    def row_order(self, x: Array, descending: bool) -> Array:
        x, index = np.ascontiguousarray(x), np.empty(x.shape, I64)
        n = x.shape[-1]
        if n <= MOST_RANKED and x.size:
            if self.kernels.ranked(x.size // n, n, descending, x, index):
                return index
        return definition("row_order")(self, x, descending)

    def best(self, x: Array, k: int, largest: bool) -> Array:
        if 0 < k <= MOST_BEST and x.size:
            n, x = x.shape[-1], np.ascontiguousarray(x)
            index = np.empty((*x.shape[:-1], k), I64)
            if self.kernels.best(x.size // n, n, k, largest, x, index):
                return index
        return definition("best")(self, x, k, largest)

    @calls("fill")
    def full(self, shape: Shape, value: Operand, dtype: DType) -> Array:
        out = np.empty(shape, dtype)
        if out.nbytes < FEW or dtype is not self.dtype or type(value) is complex:
            out.fill(value)
        elif not self.kernels.fill(out.size, float(value), out):
            out.fill(value)
        return out

    def nth(self, x: Array, k: int) -> Array:
        x, index = np.ascontiguousarray(x), np.empty(x.shape[:-1], I64)
        n = x.shape[-1]
        if x.size and self.kernels.nth(x.size // n, n, k, x, index):
            return index
        return definition("nth")(self, x, k)

    def stepped(self, first: float, by: float, n: int) -> Array:
        out = np.empty(n, self.dtype)
        if self.kernels.stepped(n, float(first), float(by), out):
            return out
        return definition("stepped")(self, first, by, n)

    def spaced(self, first: float, last: float, steps: int) -> Array:
        out = np.empty(steps, self.dtype)
        first, last = self.dtype.type(first), self.dtype.type(last)
        step = (last - first) / self.dtype.type(steps - 1)
        if self.kernels.spaced(steps, float(first), float(step), float(last), out):
            return out
        return definition("spaced")(self, first, last, steps)
