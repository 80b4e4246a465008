"""Devices: PyTorch's ``torch.device``, which names where an array lives.

``cpu`` is always there. Names of devices that this build knows but this machine lacks raise an
error that says so; a name that does not exist raises PyTorch's error with the list of names.
"""
from __future__ import annotations

from _thread import _local
from typing import TYPE_CHECKING, Any

from ..base.errors import DeviceError, message, nearest
from . import dtypes

if TYPE_CHECKING:
    from ..base.types import DeviceLike

KNOWN = ("cpu", "opencl", "cuda", "mps", "xpu", "meta")


class device:
    """``device("cpu")``, ``device("opencl", 1)``, ``device("opencl:1")``: a type and an index.

    ``with device("cpu"):`` makes it the default device in the block.
    """

    __module__ = "microtorch"
    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: DeviceLike, index: int | None = None):
        if isinstance(type, device):
            index = type.index if index is None else index
            type = type.type
        if isinstance(type, int) and not isinstance(type, bool):  # PyTorch: of the accelerator's
            raise DeviceError(
                message(
                    "Cannot access accelerator device when none is available."
                    if type >= 0
                    else "Device index must not be negative",
                    f"device: {type}",
                    fix=f"its type and its number: device('opencl', {abs(type)})",
                )
            )
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        if isinstance(index, bool) or not (index is None or hasattr(index, "__index__")):
            what = index.__class__.__name__
            raise TypeError(f"device(): argument 'index' must be int, not {what}")
        kind, colon, number = type.partition(":")
        if kind not in KNOWN:
            raise DeviceError(
                message(
                    f"Expected one of {', '.join(KNOWN)} device type at start of device string: "
                    f"{kind}",
                    fix=f"torch.{kind} is a dtype: give it without quotes"
                    if kind in dtypes.NAMES
                    else "device('cpu') always works."
                    + (" Did you mean 'cuda'?" if kind == "gpu" else nearest(kind, KNOWN)),
                )
            )
        if colon:
            plain = number.isdigit() and (number == "0" or number[0] != "0")
            if not plain or index is not None:
                raise DeviceError(
                    message(
                        f"Invalid device string: '{type}'", fix="write it as 'cpu' or 'opencl:0'"
                    )
                )
            index = int(number)
        self.type, self.index = kind, index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (
            f", index={self.index})" if self.index is not None else ")"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        default.outer.append(default.device)
        default.put(self)
        return self

    def __exit__(self, *error: object) -> None:
        default.put(default.outer.pop())

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)


CPU = device("cpu")


class Default(_local):
    """Where a thread makes new tensors, as set_default_device and ``with device(...)`` say."""

    def __init__(self) -> None:
        self.device: device | None = None  # the CPU
        self.outer: list[device | None] = []

    def put(self, where: device | None) -> None:
        """Make new tensors there from now on; None: on the CPU."""
        if self.elsewhere():
            away.pop()
        self.device = where
        if self.elsewhere():
            away.append(1)

    def elsewhere(self) -> bool:
        """Is it another device than the CPU?"""
        return self.device is not None and self.device.type != "cpu"


default = Default()
away: list[int] = []  # an element for each thread whose default device is not the CPU
