"""``torch.opencl``: what PyTorch's ``torch.cuda`` is for CUDA, for OpenCL devices.

``device = "opencl" if torch.opencl.is_available() else "cpu"``. Asking imports pyopencl; nothing
else does before a tensor is put on the device. Kernels run asynchronously: time them between two
``synchronize()``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arrays.device import device as device_of
from ..arrays.dtypes import F32
from ..backends import opencl as backend
from ..backends.opencl.backend import backend_for
from ..backends.opencl.random import Generator
from ..backends.opencl.runtime import Runtime, device_names, runtime_for, started
from ..base import errors
from ..engine.record import constant

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

__all__ = [
    "OutOfMemoryError", "current_device", "device_count", "empty_cache", "get_device_name",
    "get_device_properties", "get_rng_state", "initial_seed", "is_available", "is_initialized",
    "manual_seed", "manual_seed_all", "memory_allocated", "memory_reserved", "set_rng_state",
    "synchronize",
]  # fmt: skip

OutOfMemoryError = errors.OutOfMemoryError
is_available = backend.is_available
Where = device_of | str | int | None


def _index(where: Where) -> int:
    if where is None or isinstance(where, int):
        return where or 0
    return device_of(where).index or 0


def _runtime_of(where: Where) -> Runtime:
    return runtime_for(_index(where))


def is_initialized() -> bool:
    """Has a device been used?"""
    return bool(started())


def device_count() -> int:
    """The number of OpenCL devices; 0 where there is none."""
    return len(device_names()) if is_available() else 0


def current_device() -> int:
    """0: the device that "opencl" without a number means."""
    return 0


def get_device_name(device: Where = None) -> str:
    """The name that the driver gives the device."""
    return _runtime_of(device).name


def get_device_properties(device: Where = None) -> dict[str, Any]:
    """Name, driver, OpenCL version, compute units, memory and group sizes of a device."""
    runtime = _runtime_of(device)
    d = runtime.cl_device
    return {
        "name": runtime.name, "driver": d.driver_version, "version": d.version,
        "platform": d.platform.name, "compute_units": d.max_compute_units,
        "total_memory": d.global_mem_size, "local_memory": d.local_mem_size,
        "max_work_group_size": d.max_work_group_size, "float64": runtime.doubles,
    }  # fmt: skip


def synchronize(device: Where = None) -> None:
    """Wait until all kernels that were started on the device have finished."""
    _runtime_of(device).synchronize()


def memory_allocated(device: Where = None) -> int:
    """Bytes of device memory that arrays hold now."""
    return int(_runtime_of(device).pool.active_bytes)


def memory_reserved(device: Where = None) -> int:
    """Bytes of device memory that the pool holds, those that wait to be used again included."""
    return int(_runtime_of(device).pool.managed_bytes)


def empty_cache() -> None:
    """Give the pools' unused memory back to the drivers."""
    for runtime in started():
        runtime.pool.free_held()


# ---- random numbers ------------------------------------------------------------------------------
def _generator(device: Where) -> Generator:
    return backend_for(_index(device), F32).draws.default


def manual_seed(seed: int) -> None:
    """Seed device 0's generator. ``torch.manual_seed`` does it, too, for all devices."""
    _generator(0).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all devices."""
    for i in range(device_count()):
        _generator(i).manual_seed(seed)


def initial_seed() -> int:
    """The seed of device 0's generator."""
    return _generator(0).initial_seed()


def get_rng_state(device: Where = None) -> Tensor:
    """The state of the device's generator: a uint8 tensor on the CPU."""
    state: Tensor = constant(_generator(device).get_state())
    return state


def set_rng_state(new_state: Tensor, device: Where = None) -> None:
    """Continue from a state of ``get_rng_state``."""
    _generator(device).set_state(new_state)
