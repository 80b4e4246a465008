"""The OpenCL backend: arrays and kernels on a GPU, or on whatever device has an OpenCL driver.

    is_available(), reason()        can it be used here, and if not, why
    source("sigmoid")               the text of a kernel that ran
    fallback("host")                run ops without a kernel on the host, instead of an error

``device="opencl"`` (or "opencl:1") puts a tensor there. Nothing is imported and no driver is touched before that.
"""
from __future__ import annotations

from typing import Any

from ...base.errors import DeviceError
from . import runtime as _runtime

__all__ = ["fallback", "is_available", "reason", "source", "upload"]


def is_available() -> bool:
    """Is there a device with an OpenCL driver? If not, ``reason()`` says what is missing."""
    return not reason()


def reason() -> str:
    """Why OpenCL cannot be used here; an empty string if it can."""
    try:
        _runtime.devices()
    except DeviceError as error:
        return str(error)
    return ""


def backend_for(index: int | None, dtype: Any) -> Any:
    """The backend object for arrays of ``dtype`` on device ``index``. Raises DeviceError where there is none."""
    from .backend import backend_for

    return backend_for(index, dtype)


def upload(where: str, array: Any) -> Any:
    """A copy of a numpy array on device ``where`` ("opencl:0")."""
    return backend_for(int(where.partition(":")[2] or 0), array.dtype).array(array)


def fallback(where: str) -> None:
    """What an op without a kernel does: ``"error"``, or ``"host"``: copy to the host and back, with a warning once per op."""
    from .protocol import fallback

    fallback(where)


def source(name: str, index: int = 0) -> str:
    """The OpenCL C text of the kernels built last for op ``name`` ("mul", "mul_vjp0", "matmul", ...) on a device.

    Raises KeyError if none has run yet.
    """
    sources = _runtime.runtime(index).sources
    if name not in sources:
        raise KeyError(f"no kernel of '{name}' has run on opencl:{index} yet; so far: {', '.join(sorted(sources)) or 'none'}")
    return sources[name]
