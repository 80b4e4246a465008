"""``torch.cuda``, for scripts that ask: there is none. Questions are answered, the rest raises.

``torch.cuda.is_available()`` is False, so ``device = "cuda" if torch.cuda.is_available() else
"cpu"`` works unchanged. As in a PyTorch without CUDA, what counts memory answers 0, what seeds or
frees does nothing, and what needs a device raises. Its error is an AssertionError there and a
RuntimeError in other versions; here it is both.
"""
from __future__ import annotations

import importlib
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..arrays.device import device as Device
from ..base.errors import NoCuda, OutOfMemoryError, message, missing

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = [
    "OutOfMemoryError", "default_generators", "device", "device_count", "device_of",
    "empty_cache", "get_arch_list", "get_rng_state_all", "is_available", "is_bf16_supported",
    "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated",
    "max_memory_cached", "max_memory_reserved",
    "memory_allocated", "memory_cached", "memory_reserved", "memory_stats",
    "reset_max_memory_allocated", "reset_max_memory_cached", "reset_peak_memory_stats", "seed",
    "seed_all", "set_rng_state_all", "stream",
]  # fmt: skip
__path__: list[str] = []  # a package to Python, below which torch.cuda.amp is found
_RAISING = (
    "CUDAGraph", "Event", "ExternalStream", "Stream", "current_blas_handle", "current_device",
    "current_stream", "default_stream", "get_device_capability", "get_device_name",
    "get_device_properties", "get_rng_state", "graph", "init", "initial_seed",
    "ipc_collect", "mem_get_info", "memory_summary", "set_device", "set_rng_state",
    "set_per_process_memory_fraction", "synchronize", "utilization",
)  # fmt: skip
default_generators: tuple[()] = ()


class _NoTensor:
    """torch.cuda.FloatTensor and the like: no tensor is one, and none can be made."""

    def __init__(self, *args: Argument) -> None:
        raise TypeError(
            message(
                f"type torch.cuda.{type(self).__name__} not available. Torch not compiled with "
                "CUDA enabled.",
                fix=f"torch.{type(self).__name__}, or torch.tensor(values, dtype=...)",
            )
        )


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def get_arch_list() -> list[str]:
    """Empty."""
    return []


def manual_seed(seed: int) -> None:
    """Nothing to seed; PyTorch without a GPU says nothing either."""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed."""


def seed() -> None:
    """Nothing to seed."""


def seed_all() -> None:
    """Nothing to seed."""


def get_rng_state_all() -> list[Argument]:
    """Empty."""
    return []


def set_rng_state_all(new_states: Argument) -> None:
    """Nothing to set."""


def empty_cache() -> None:
    """Nothing to free."""


def memory_allocated(device: Argument = None) -> int:
    """0 bytes."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
memory_cached = max_memory_cached = memory_allocated  # the old names


def memory_stats(device: Argument = None) -> dict[str, Argument]:
    """Empty."""
    return {}


def reset_peak_memory_stats(device: Argument = None) -> None:
    """Nothing to reset."""


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def stream(stream: Argument) -> nullcontext[None]:
    """A block in which nothing is different; ``stream`` can only be None."""
    return nullcontext()


class device:
    """A block on one GPU, which can be named, and entered only with a negative number: no GPU."""

    def __init__(self, device: Argument) -> None:
        where = Device(device) if isinstance(device, str) else device
        self.idx = int((where.index if isinstance(where, Device) else where) or 0)

    def __enter__(self) -> None:
        if self.idx >= 0:
            raise _no_cuda("device")

    def __exit__(self, *error: object) -> None:
        pass


class device_of(device):
    """A block on the GPU of a tensor: without effect, for no tensor is on one."""

    def __init__(self, obj: Argument) -> None:
        super().__init__(-1)


def _no_cuda(name: str) -> NoCuda:
    return NoCuda(
        message(
            f"torch.cuda.{name}(): Torch not compiled with CUDA enabled: microtorch has no CUDA "
            "backend",
            fix="ask torch.cuda.is_available() first: it is False here",
        )
    )


_initialized = False  # reversible networks read it
_missing = missing("torch.cuda", (*__all__, *_RAISING))


def __getattr__(name: str) -> Argument:
    if name == "amp":
        return importlib.import_module("..cuda_amp", __name__)
    if name in _RAISING:

        def absent(*args: Argument, **kwargs: Argument) -> Argument:
            raise _no_cuda(name)

        return absent
    if name.endswith("Tensor") and name[0].isupper():
        return type(name, (_NoTensor,), {"__module__": __name__})
    return _missing(name)
