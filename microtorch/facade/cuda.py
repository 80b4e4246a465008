"""``torch.cuda``, for scripts that ask: there is none. Questions are answered, the rest raises.

``torch.cuda.is_available()`` is False, so ``device = "cuda" if torch.cuda.is_available() else
"cpu"`` works unchanged.
"""
from __future__ import annotations

import importlib
from typing import Any

from ..base.errors import DeviceError, message, unknown

__all__ = [
    "device_count", "empty_cache", "is_available", "is_initialized", "manual_seed",
    "manual_seed_all",
]  # fmt: skip
__path__: list[str] = []  # a package to Python, below which torch.cuda.amp is found
_RAISING = (
    "current_device", "get_device_name", "get_device_properties", "memory_allocated",
    "set_device", "synchronize",
)  # fmt: skip


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing to seed; PyTorch without a GPU says nothing either."""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed."""


def empty_cache() -> None:
    """Nothing to free."""


def __getattr__(name: str) -> Any:
    if name == "amp":
        return importlib.import_module("..cuda_amp", __name__)
    if name in _RAISING:

        def absent(*args: Any, **kwargs: Any) -> Any:
            raise DeviceError(
                message(
                    f"torch.cuda.{name}(): microtorch has no CUDA backend",
                    fix="ask torch.cuda.is_available() first: it is False here",
                )
            )

        return absent
    raise unknown("module 'torch.cuda'", name, (*__all__, *_RAISING))
