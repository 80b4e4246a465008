"""The OpenCL backend: arrays and kernels on a GPU, or on whatever device has an OpenCL driver.

    is_available(), reason()        can it be used here, and if not, why
    source("sigmoid")               the text of a kernel that ran
    fallback("host")                run ops without a kernel on the host, instead of an error

``device="opencl"`` (or "opencl:1") puts a tensor there; only then is pyopencl imported. Each file
imports only those before it: layout, runtime, tiles, array, memory, codegen, elementwise, reduce,
indexing, matmul, windows, layers, random, protocol, backend, tuning.
"""
from __future__ import annotations

import copyreg
from typing import Any

import numpy as np

from .array import Array
from .backend import backend_for
from .protocol import fallback
from .runtime import is_available, reason, source

__all__ = ["backend_for", "fallback", "is_available", "reason", "source", "upload"]


def upload(where: str, array: np.ndarray) -> Array:
    """A copy of a numpy array on device ``where`` ("opencl:0")."""
    return backend_for(int(where.partition(":")[2] or 0), array.dtype).array(array)


def _pickled(x: Array) -> tuple[Any, ...]:
    return upload, (str(x.runtime.device), x.get())


copyreg.pickle(Array, _pickled)
