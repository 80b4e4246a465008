"""``torch.accelerator``: the same questions for every kind of accelerator; here, for OpenCL.

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"

A driver that runs on the CPU, as PoCL does, accelerates nothing: a script that asks in this way
stays on "cpu". To try the OpenCL backend there, say "opencl".
"""
from __future__ import annotations

from ..arrays.device import device
from ..backends.opencl.runtime import devices, pyopencl
from ..base.errors import missing
from . import opencl
from .opencl import (
    current_device,
    empty_cache,
    memory_allocated,
    memory_reserved,
    synchronize,
)

__all__ = [
    "current_accelerator", "current_device_index", "device_count", "empty_cache", "is_available",
    "memory_allocated", "memory_reserved", "synchronize",
]  # fmt: skip


def device_count() -> int:
    """The number of OpenCL devices that are not the CPU; 0 where there is none."""
    if not opencl.is_available():
        return 0
    cpu = pyopencl().device_type.CPU
    return sum(d.type & cpu == 0 for d in devices())


def is_available() -> bool:
    """Is there an OpenCL device that is not the CPU?"""
    return device_count() > 0


def current_accelerator(check_available: bool = False) -> device | None:
    """device("opencl") where there is an OpenCL device that is not the CPU, else None."""
    return device("opencl") if is_available() else None


def current_device_index() -> int:
    """0."""
    return current_device()


__getattr__ = missing("torch.accelerator", __all__)
