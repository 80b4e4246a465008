"""``torch.cpu``: the CPU as a device like the others, for programs that ask for any by its name."""
from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..base.errors import missing
from . import cpu_amp as amp

if TYPE_CHECKING:
    from ..base.types import DeviceLike

__all__ = [
    "Stream", "amp", "current_device", "current_stream", "device_count", "is_available",
    "set_device", "stream", "synchronize",
]  # fmt: skip
__path__: list[str] = []  # a package to Python, below which PyTorch's modules are found


class Stream:
    """The order in which the CPU computes: that of the program."""

    def wait_stream(self, stream: Stream) -> None:
        """Nothing is waited for."""


_stream = Stream()


def is_available() -> bool:
    """Always."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """"cpu"."""
    return "cpu"


def set_device(device: DeviceLike) -> None:
    """Nothing: there is one CPU."""


def synchronize(device: DeviceLike | None = None) -> None:
    """Nothing: what was called is done."""


def current_stream(device: DeviceLike | None = None) -> Stream:
    """The only one."""
    return _stream


def stream(stream: Stream) -> AbstractContextManager[None]:
    """A region in which this stream is used."""
    return nullcontext()


__getattr__ = missing("torch.cpu", __all__)
