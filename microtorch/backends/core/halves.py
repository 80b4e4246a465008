"""float16 and bfloat16 to float32 or float64 and back, in C (ext/half.c)."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..table import definition
from .casts import Casts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Array, DType

MANY = 512  # elements of which numpy's loop takes longer than the calls here


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
            if self.kernels.widen(x.size, x.dtype.kind == "V", id(bits), id(out)):
                return out
        return definition("widen")(self, x)

    def cast(self, x: Array, dtype: DType) -> Array:
        dtype = getattr(dtype, "numpy", dtype)
        if dtype.itemsize == 2 and dtype.kind in "fV":
            return self.narrow(x, dtype)
        return super().cast(x, dtype)

    def narrow(self, x: Array, dtype: DType) -> Array:
        if x.size >= MANY and not x.flags.c_contiguous:
            return through_rows(lambda rows: self.narrow(rows, dtype), x)
        if x.size >= MANY:
            out = np.empty(x.shape, np.uint16)
            if self.kernels.narrow(x.size, dtype.kind == "V", id(x), id(out)):
                return out.view(dtype)
        return definition("narrow")(self, x, dtype)
