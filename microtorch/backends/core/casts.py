"""Conversions between types and copies from one layout to another, in C (ext/cast.c, copies.h).

``bytes.c`` has the conversions from bytes and masks, and to masks.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import BOOL, F32, F64, I64, U8
from ..reference import Reference
from ..table import definition
from . import library
from .library import SUFFIXES, calls

if TYPE_CHECKING:
    from ...base.types import Array, DType, Operand

MANY = 1 << 12  # bytes that numpy converts sooner than C is called
LARGE = 1 << 17  # bytes that are worth two threads

ANY = SUFFIXES | {I64: "i64"}
# (from, to) -> the kernel
KERNELS: dict[tuple[DType, DType], str] = {
    (I64, F32): "of_whole_f32", (I64, F64): "of_whole_f64",
    (F32, F64): "of_float_f64", (F64, F32): "of_double_f32",
    (F32, I64): "to_whole_f32", (F64, I64): "to_whole_f64",
    **{(d, to): f"of_bytes_{end}" for d in (BOOL, U8) for to, end in ANY.items()},
    **{(d, BOOL): f"to_mask_{end}" for d, end in ANY.items()},
}  # fmt: skip


class Casts(Reference):
    """The op ``cast``."""

    @calls("of_bytes", "of_whole", "of_float", "of_double", "to_whole", "to_mask")
    def cast(self, x: Array, dtype: Operand) -> Array:
        dtype = dtype if isinstance(dtype, np.dtype) else dtype.numpy
        if type(x) is np.ndarray and x.nbytes < MANY and dtype.itemsize != 2:
            if x.dtype.kind != "c" and 0 not in x.strides:
                return x.astype(dtype)  # what the definition does, at a third of the time
        elif type(x) is np.ndarray and x.flags.c_contiguous:
            kernel = KERNELS.get((x.dtype, dtype))
            if kernel is not None:
                out = np.empty(x.shape, dtype)
                if library.called(kernel)(x.size, x, out):
                    return out
            if dtype.itemsize == 2 and dtype.kind in "fV" and x.dtype.kind in "biu":
                return Reference.by_dtype[F32].narrow(self.cast(x, F32), dtype)  # as PyTorch
        return definition("cast")(self, x, dtype)


def fill(out: Array, x: Array) -> None:
    """``out[...] = x``, of one shape; where they are large, with several threads."""
    if x.nbytes >= LARGE and x.dtype == out.dtype and x.dtype.kind != "O":
        if library.lib.copy_array(id(out), id(x), x.itemsize):
            return
    out[...] = x
