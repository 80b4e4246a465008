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

from ...base.errors import DeviceError
from .array import Array
from .backend import backend_for
from .protocol import fallback
from .runtime import devices, runtime_for

__all__ = ["backend_for", "fallback", "is_available", "reason", "source", "upload"]


def is_available() -> bool:
    """Is there a device with an OpenCL driver? If not, ``reason()`` says what is missing."""
    return not reason()


def reason() -> str:
    """Why OpenCL cannot be used here; an empty string if it can."""
    try:
        devices()
    except DeviceError as error:
        return str(error)
    return ""


def upload(where: str, array: np.ndarray) -> Array:
    """A copy of a numpy array on device ``where`` ("opencl:0")."""
    return backend_for(int(where.partition(":")[2] or 0), array.dtype).array(array)


def _pickled(x: Array) -> tuple[Any, ...]:
    return upload, (str(x.runtime.device), x.get())


copyreg.pickle(Array, _pickled)


def source(name: str, index: int = 0) -> str:
    """The OpenCL C text of the kernels built last for op "mul", "mul_vjp0", ..., on a device."""
    sources = runtime_for(index).sources
    if name not in sources:
        so_far = ", ".join(sorted(sources)) or "none"
        raise KeyError(f"no kernel of '{name}' has run on opencl:{index} yet; so far: {so_far}")
    return sources[name]
