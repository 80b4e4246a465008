"""Where an array lies: from a device and a dtype to the backend that computes there."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..arrays.device import default, device
from ..base.errors import DeviceError, NoCuda, message
from .cpu import cpu

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DeviceLike, DType


def _opencl(index: int | None, dtype: DType) -> Backend:
    # pyopencl is imported by whoever names the device, and by nobody else
    from .opencl.backend import backend_for

    found: Any = backend_for(index, dtype)  # it offers what a Reference does, and derives from none
    return found


# device type -> (index, dtype) -> the backend
PLACES: dict[str, Callable[[int | None, DType], Backend]] = {
    "cpu": lambda index, dtype: cpu.of(dtype),
    "opencl": _opencl,
}


def backend_for(where: DeviceLike, dtype: DType) -> Backend:
    """The backend of arrays of ``dtype`` on device ``where``; DeviceError if there is none."""
    where = where if isinstance(where, device) else device(where)
    if where.type not in PLACES:
        raise unavailable(where)
    return PLACES[where.type](where.index, dtype)


def home(where: DeviceLike | None, dtype: DType) -> Backend:
    """The backend of a new tensor: on ``where``, or on the default device if that is None."""
    where = default.device if where is None else where
    return cpu.of(dtype) if where is None else backend_for(where, dtype)


def host(array: Any) -> Array:
    """The array itself if it lies in host memory, else a copy of it there."""
    return array.get() if hasattr(array, "get") else array


def unavailable(where: device) -> Exception:
    """The error for a device that microtorch knows by name, and does not have."""
    known = {
        "cuda": "Torch not compiled with CUDA enabled: microtorch has no CUDA backend "
        "(torch.cuda.is_available() is False here)",
        "mps": "microtorch has no Metal backend",
        "xpu": "Torch not compiled with XPU enabled: microtorch has no XPU backend",
        "meta": "microtorch has no meta tensors",
    }
    return (NoCuda if where.type in ("cuda", "xpu") else DeviceError)(
        message(
            f"device '{where}' is not available: {known[where.type]}",
            fix="'cpu' always works: device = 'cuda' if torch.cuda.is_available() else 'cpu'",
        )
    )
