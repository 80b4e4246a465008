"""Whole numbers and masks: the C kernels of int64 (ext/whole.c, and others that ext/kernels.c
compiles for it, too).

Other widths go by way of int64, which holds all of their numbers: what is then cut off is what
overflows in their own width. uint64 has numbers that it does not hold, and is left to numpy.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays.dtypes import BOOL, F64, I64
from ...base.naming import named
from ..reference import Reference
from ..table import definition
from .along import Along, flipped
from .library import Kernels, calls
from .reductions import blocks
from .scans import Scans
from .ufuncs import CLIP, threaded

if TYPE_CHECKING:
    from ...base.types import Array, Operand

HELD = frozenset(map(np.dtype, "?bBhHiIl"))  # dtypes whose numbers int64 holds
SOME = 1 << 10  # elements from which C's calls and a cast pay
MULTIPLICATIONS = 1 << 12
EXACT = 1 << 53  # float64 holds all whole numbers up to it


class Int64(Along):
    """The kernels of arrays of int64."""

    def __init__(self) -> None:
        super().__init__(I64)
        self.kernels = Kernels(I64)

    running_extreme = Scans.running_extreme


INT64 = Int64()


def _by_int64(name: str, places: bool = False) -> Callable[..., Any]:
    """The kernel ``name`` of int64. ``places``: its result is an index, whatever it is given."""

    def kernel(self: Reference, x: Array, *others: Operand, **options: Operand) -> Operand:
        dtype = x.dtype
        if type(x) is not np.ndarray or x.size < SOME or dtype not in HELD:
            return definition(name)(self, x, *others, **options)
        given = [
            o.astype(I64) if type(o) is np.ndarray and o.dtype == dtype else o for o in others
        ] if dtype != I64 else others  # fmt: skip
        out = getattr(INT64, name)(x.astype(I64, copy=False), *given, **options)
        return out if places or dtype == I64 else out.astype(dtype)

    return named(kernel, name)


def _by_float64(name: str) -> Callable[..., Any]:
    """The order of whole numbers is that of the same ones in float64, as long as it has them."""

    def kernel(self: Reference, x: Array, *others: Operand) -> Operand:
        if type(x) is np.ndarray and x.size >= SOME and x.dtype in HELD:
            if x.itemsize < 8 or max(int(x.max()), -int(x.min())) <= EXACT:
                return getattr(Reference.by_dtype[F64], name)(x.astype(F64), *others)
        return definition(name)(self, x, *others)

    return named(kernel, name)


class Whole(Reference):
    """The ops of whole numbers and masks that C computes."""

    gather, scatter = _by_int64("gather"), _by_int64("scatter")
    scatter_sum, scatter_reduce = _by_int64("scatter_sum"), _by_int64("scatter_reduce")
    place, _added_to = _by_int64("place"), _by_int64("index_put")
    running_extreme = _by_int64("running_extreme", places=True)
    best = _by_float64("best")

    def index_put(
        self, x: Array, v: Array, index: tuple[Any, ...], accumulate: bool = False
    ) -> Array:
        put = self._added_to if accumulate else partial(definition("index_put"), self)
        return put(x, v, index, accumulate)

    def clamp(self, x: Array, *, min: Operand, max: Operand) -> Array:
        if type(x) is np.ndarray and x.dtype.kind in "iu":
            return threaded(CLIP)(x, min, max)
        return definition("clamp")(self, x, min=min, max=max)

    def cumsum(self, x: Array, dim: int) -> Array:
        if type(x) is np.ndarray and x.dtype == I64 and x.size >= SOME:
            rows, out = np.ascontiguousarray(x), np.empty(x.shape, I64)
            if INT64.kernels.running_sum(*blocks(x.shape, dim), rows, out):
                return out
        return definition("cumsum")(self, x, dim)

    def round(self, x: Array) -> Array:
        """Whole numbers as they are: np.rint takes them through float64, which ends at 2^53."""
        return x.copy() if x.dtype.kind in "biu" else threaded(np.rint)(x)

    @calls("copy")
    def flip(self, x: Array, dims: tuple[int, ...]) -> Array:
        out = flipped(x, dims)
        return definition("flip")(self, x, dims) if out is None else out

    @calls("product")
    def matmul(self, x: Array, y: Array) -> Array:
        if type(x) is np.ndarray is type(y) and x.size >= SOME and x.dtype.kind in "iu":
            if y.ndim == 1 <= x.ndim and x.shape[-1:] == y.shape and x.dtype == y.dtype:
                return np.add.reduce(x * y, -1, x.dtype)  # np.dot takes one number at a time
        if type(x) is np.ndarray is type(y) and x.ndim > 1 < y.ndim and x.dtype in HELD - {BOOL}:
            (*batch_x, m, k), (*batch_y, k_too, n) = x.shape, y.shape
            batch = np.broadcast_shapes(batch_x, batch_y)
            work = m * k * n * prod(batch)
            if k == k_too and x.dtype == y.dtype and len(batch) <= 2 and work >= MULTIPLICATIONS:
                outer, inner = (1, 1, *batch)[-2:]
                given = x.astype(I64, copy=False), y.astype(I64, copy=False)
                out = np.empty((*batch, m, n), I64)
                if INT64.kernels.product(outer, inner, m, k, n, *given, out):
                    return out.astype(x.dtype, copy=False)
        return definition("matmul")(self, x, y)

    def einsum(self, *xs: Array, equation: str) -> Array:
        """In float64, by BLAS, where no sum can be a number that it does not hold."""
        inputs, _, result = equation.partition("->")
        if len(xs) > 1 and "." not in inputs and all(_are_numbers(x) for x in xs):
            sizes = {
                c: n for names, x in zip(inputs.split(","), xs, strict=True)
                for c, n in zip(names, x.shape, strict=True)
            }  # fmt: skip
            terms = prod([n for c, n in sizes.items() if c not in result])
            if terms * prod([max(int(x.max()), -int(x.min())) for x in xs]) <= EXACT:
                given = [x.astype(F64) for x in xs]
                wide = Reference.by_dtype[F64].einsum(*given, equation=equation)
                return wide.astype(I64).astype(xs[0].dtype)
        return definition("einsum")(self, *xs, equation=equation)


def _are_numbers(x: Array) -> bool:
    return type(x) is np.ndarray and x.dtype in HELD and x.dtype != BOOL and x.size > 0
