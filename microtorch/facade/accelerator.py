"""``torch.accelerator``: the same questions for every kind of accelerator; here, for OpenCL.

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
"""
from __future__ import annotations

from ..arrays.device import device
from ..base.errors import missing
from .opencl import (
    current_device,
    device_count,
    empty_cache,
    is_available,
    memory_allocated,
    memory_reserved,
    synchronize,
)

__all__ = [
    "current_accelerator", "current_device_index", "device_count", "empty_cache", "is_available",
    "memory_allocated", "memory_reserved", "synchronize",
]  # fmt: skip


def current_accelerator(check_available: bool = False) -> device | None:
    """device("opencl") where there is an OpenCL device, else None."""
    return device("opencl") if is_available() else None


def current_device_index() -> int:
    """0."""
    return current_device()


__getattr__ = missing("torch.accelerator", __all__)
