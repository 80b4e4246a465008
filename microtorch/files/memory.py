"""Storages as a file holds them, the tensors on them, and where they are to lie.

Each record of the archive becomes one block of memory. A tensor is a view of a block, checked to
lie within it, so what shared memory when it was saved shares it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import dtypes
from ..arrays.device import CPU, device
from ..backends import host
from ..base.errors import DeviceError, message
from ..engine.record import constant
from ..handles.memory import repeats_itself
from ..handles.tensor import Tensor
from .errors import brief, damaged, refused
from .layout import STORAGE_NAMES, dtype_named

if TYPE_CHECKING:
    from ..base.types import Array, DType

MOST_REPEATED = 2**31  # elements of a tensor that shows elements of its storage several times
_DIMS = 64


class StorageClass:
    """What a file names as `torch.FloatStorage`: the dtype of a storage's elements."""

    def __init__(self, name: str, dtype: str) -> None:
        self.__name__, self._dtype = name, dtype

    @property
    def dtype(self) -> dtypes.dtype:
        """Raises FileError for a dtype that only PyTorch has."""
        return dtype_named(self._dtype)


UNTYPED = StorageClass("UntypedStorage", "uint8")  # bytes, for the tensor to say what they are
STORAGE_CLASSES = {
    f"torch.{name}": StorageClass(name, dtype) for dtype, name in STORAGE_NAMES.items()
} | {"torch.UntypedStorage": UNTYPED, "torch.storage.UntypedStorage": UNTYPED}


class Storage:
    """One block of memory: what a callable `map_location` is given.

    `array` has one dimension. `cpu()`, `to(device)` and `cuda()` return the same storage, to lie on
    another device.
    """

    def __init__(
        self, array: Array, dtype: dtypes.dtype, *, typed: bool = True, on: device = CPU
    ) -> None:
        self.array, self.dtype, self.typed, self.device = array, dtype, typed, on
        self._moved: dict[object, Array] = {}

    def __len__(self) -> int:
        return len(self.array)

    def size(self) -> int:
        """The number of elements."""
        return len(self.array)

    def nbytes(self) -> int:
        """The number of bytes."""
        return int(self.array.nbytes)

    def element_size(self) -> int:
        """The bytes of one element."""
        return int(self.array.itemsize)

    def tolist(self) -> list[object]:
        """The elements."""
        elements: list[object] = self.array.tolist()
        return elements

    def to(self, device: str | device) -> Storage:
        """This storage on a device. Raises DeviceError if there is none of that name."""
        return Storage(self.array, self.dtype, typed=self.typed, on=available(device))

    def cpu(self) -> Storage:
        """This storage in the memory of the processor."""
        return self.to(CPU)

    def cuda(self, index: int | None = None) -> Storage:
        """Raises DeviceError: microtorch has no CUDA."""
        return self.to(device("cuda", index))

    def view(self, offset: object, size: object, stride: object, dtype: dtypes.dtype) -> Array:
        """The elements at `offset + i * s0 + j * s1 + ...`. FileError if they are not all here."""
        shape, steps = _numbers(size, "size"), _numbers(stride, "stride")
        (start,) = _numbers((offset,), "offset")
        if len(shape) != len(steps):
            raise damaged(f"a tensor has the size {shape} and the strides {steps}")
        if self.typed and dtype is not self.dtype:
            raise damaged(f"a tensor of {dtype} lies on a storage of {self.dtype}")
        d = dtype.numpy
        n = math.prod(shape)
        if not n:
            return np.empty(shape, d)
        memory = self.array if self.array.dtype == d else self._as(d)
        last = start + sum([(n - 1) * s for n, s in zip(shape, steps, strict=True)])
        if last >= len(memory):
            raise refused(
                f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {start}, "
                f"and itemsize {d.itemsize} requiring a storage size of {(last + 1) * d.itemsize} "
                f"are out of bounds for storage of size {memory.nbytes}"
            )
        if n > max(len(memory), MOST_REPEATED):
            raise damaged(f"a tensor of the size {shape} repeats {len(memory)} elements")
        strides = [s * d.itemsize for s in steps]
        view: Array = np.ndarray(shape, d, memory, start * d.itemsize, strides)
        if repeats_itself(view):
            view.flags.writeable = False  # as an expanded tensor is locked
        return view

    def _as(self, d: DType) -> Array:
        whole = len(self.array) // d.itemsize * d.itemsize
        return self.array[:whole].view(d)

    def tensor(self, offset: object, size: object, stride: object, dtype: dtypes.dtype) -> Tensor:
        """The tensor on those elements, on this storage's device."""
        view = self.view(offset, size, stride, dtype)
        if self.device.type == "cpu":
            return constant(view)
        key = (offset, size, stride, dtype)
        if key not in self._moved:
            self._moved[key] = constant(view).to(self.device).array
        return constant(self._moved[key])


def _numbers(values: object, what: str) -> tuple[int, ...]:
    found: list[int] = []
    given = values if isinstance(values, (tuple, list)) else (values,)
    if len(given) > _DIMS:
        raise damaged(f"a tensor has the {what} {brief(values)}")
    for n in given:
        if type(n) is not int or not 0 <= n < 2**62:
            raise damaged(f"a tensor has the {what} {brief(values)}")
        found.append(n)
    return tuple(found)


# ---- where storages are to lie -------------------------------------------------------------------
Location: TypeAlias = (
    "str | bytes | device | Mapping[str, str | device] | Callable[[Storage, str], Storage | None]"
    " | None"
)


def available(where: str | device) -> device:
    """The device of that name. Raises DeviceError, in PyTorch's words, if it is not there."""
    found = device(where)
    if found.type in ("cuda", "xpu", "mps"):
        name = found.type.upper()
        raise DeviceError(
            message(
                f"Attempting to deserialize object on a {name} device but "
                f"torch.{found.type}.is_available() is False. If you are running on a CPU-only "
                "machine, please use torch.load with map_location=torch.device('cpu') to map your "
                "storages to the CPU.",
                fix="torch.load(f, map_location='cpu')",
            )
        )
    if found.type == "meta":
        raise DeviceError(message("microtorch has no meta device", fix="map_location='cpu'"))
    return found


def _back(storage: Storage, saved: str) -> Storage:
    """The storage on the device that it lay on."""
    try:
        where = device(saved)
    except (DeviceError, ValueError):
        raise refused(
            f"don't know how to restore data location of torch.{storage.dtype} (tagged with "
            f"{brief(saved)})",
            fix="torch.load(f, map_location='cpu')",
        ) from None
    return storage.to(where)


def placement(map_location: Location) -> Callable[[Storage, str], Storage]:
    """The function that puts a storage, saved on the device named second, where it is wanted."""
    if map_location is None:
        return _back
    if isinstance(map_location, bytes):
        map_location = map_location.decode("ascii", "replace")
    if isinstance(map_location, (str, device)):
        where = available(map_location)
        return lambda storage, saved: storage.to(where)
    if isinstance(map_location, Mapping):
        names = map_location
        return lambda storage, saved: (
            storage.to(names[saved]) if saved in names else _back(storage, saved)
        )
    if not callable(map_location):
        raise TypeError(
            message(
                "map_location must be a device, a string, a dict or a function, not "
                f"{type(map_location).__name__}",
                fix="map_location='cpu'",
            )
        )
    choose = map_location

    def chosen(storage: Storage, saved: str) -> Storage:
        found = choose(storage, saved)
        if found is not None and not isinstance(found, Storage):
            raise TypeError(
                message(
                    f"map_location returned a {type(found).__name__}, not a storage or None",
                    fix="map_location=lambda storage, location: storage",
                )
            )
        return _back(storage, saved) if found is None else found

    return chosen


def bytes_of(array: Array) -> NDArray[np.uint8]:
    """The memory of an array of one dimension, as bytes."""
    return array.view(np.uint8)


def on_host(x: Tensor) -> Array:
    """The elements in the memory of the processor."""
    return host(x.array)
