"""float16 and bfloat16 to float32 or float64 and back, in C (ext/half.c)."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import F32
from ..table import definition
from . import library
from .casts import Casts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Array, DType

MANY = 512  # elements of which numpy's loop takes longer than the calls here
PRODUCTS = 1 << 15  # multiplications from which a tile's empty places do not matter


def through_rows(convert: Callable[[Array], Array], x: Array) -> Array:
    """``convert`` of an array that is not contiguous, in the order in which it lies, as numpy's
    casts do it.
    """
    if 0 in x.strides:
        return convert(np.ascontiguousarray(x))
    order = sorted(range(x.ndim), key=lambda d: -abs(x.strides[d]))
    out = convert(np.ascontiguousarray(x.transpose(order)))
    return out.transpose(np.argsort(order))


class Halves(Casts):
    """The conversions that backends/half.py defines."""

    def widen(self, x: Array) -> Array:
        if x.size >= MANY and not x.flags.c_contiguous:
            return through_rows(self.widen, x)
        if x.size >= MANY:
            bits, out = x.view(np.uint16), np.empty(x.shape, self.dtype)
            if self.kernels.widen(x.size, x.dtype.kind == "V", bits, out):
                return out
        return definition("widen")(self, x)

    def bfloat_products(self, x: Array, y: Array) -> Array | None:
        if x.dtype.kind != "V" or y.dtype.kind != "V" or not library.lib.has_pairs():
            return None
        if not 2 <= x.ndim <= 4 >= y.ndim >= 2:
            return None
        (*batch_x, m, k), (*batch_y, rows, n) = x.shape, y.shape
        if m * k * n < PRODUCTS or rows != k:
            return None
        batch = np.broadcast_shapes(tuple(batch_x), tuple(batch_y))
        outer, inner = (1, 1, *batch)[-2:]
        x, y, out = x.view(np.uint16), y.view(np.uint16), np.empty((*batch, m, n), F32)
        multiplied = self.kernels.bfloat_products(outer, inner, m, k, n, x, y, out)
        return out if multiplied else None

    def cast(self, x: Array, dtype: DType) -> Array:
        dtype = dtype if isinstance(dtype, np.dtype) else dtype.numpy
        if dtype.itemsize == 2 and dtype.kind in "fV":
            return self.narrow(x, dtype)
        return super().cast(x, dtype)

    def narrow(self, x: Array, dtype: DType) -> Array:
        if x.size >= MANY and not x.flags.c_contiguous:
            return through_rows(lambda rows: self.narrow(rows, dtype), x)
        if x.size >= MANY:
            out = np.empty(x.shape, np.uint16)
            if self.kernels.narrow(x.size, dtype.kind == "V", x, out):
                return out.view(dtype)
        return definition("narrow")(self, x, dtype)
