"""``torch.accelerator``: the same questions for whatever accelerator there is. Here that is an
OpenCL device.

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
"""
from __future__ import annotations

from typing import Any

from ..arrays.device import device
from . import opencl
from .opencl import (
    device_count,
    empty_cache,
    is_available,
    memory_allocated,
    memory_reserved,
    synchronize,
)

__all__ = ["current_accelerator", "current_device_index", "device_count", "empty_cache", "is_available", "memory_allocated",
           "memory_reserved", "synchronize"]  # fmt: skip


def current_accelerator(check_available: bool = False) -> device | None:
    """device("opencl") where there is an OpenCL device, else None."""
    return device("opencl") if is_available() else None


def current_device_index() -> int:
    """0."""
    return opencl.current_device()


def __getattr__(name: str) -> Any:
    raise opencl.errors.unknown("module 'torch.accelerator'", name, __all__)
