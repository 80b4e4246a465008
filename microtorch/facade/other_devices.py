"""``torch.mps`` and ``torch.xpu``: devices that are not here. The questions are answered."""
from __future__ import annotations

from ..base.errors import DeviceError, message

__all__ = [
    "device_count", "empty_cache", "is_available", "is_initialized", "manual_seed",
    "manual_seed_all", "max_memory_allocated", "memory_allocated", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def empty_cache() -> None:
    """There is none."""


def manual_seed(seed: int) -> None:
    """There is no generator to seed."""


def manual_seed_all(seed: int) -> None:
    """There is no generator to seed."""


def memory_allocated(device: object = None) -> int:
    """0."""
    return 0


def max_memory_allocated(device: object = None) -> int:
    """0."""
    return 0


def synchronize(device: object = None) -> None:
    """DeviceError: there is nothing to wait for."""
    raise DeviceError(
        message("synchronize(): there is no such device", fix="ask is_available() first")
    )
