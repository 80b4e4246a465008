"""Memory of other libraries: DLPack both ways, and buffers.

DLPack is Python's protocol by which array libraries hand memory to one another
(https://dmlc.github.io/dlpack/latest/python_spec.html). numpy implements it; here it is asked.
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arrays import dtypes
from ..base.errors import describe, message, warn
from ..engine.record import constant
from ..handles.memory import on_cpu
from ..handles.tensor import Tensor
from ..ops.surface import METHODS
from .data import READ_ONLY
from .finish import export, finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from ..base.types import DeviceLike, DTypeLike

__all__ = ["from_dlpack", "frombuffer", "to_dlpack"]


def _check_exported(t: Tensor) -> None:
    if t.node.needs:
        raise BufferError(
            message("Can't export tensors that require gradient, use tensor.detach()")
        )


def _dlpack(self: Tensor, **options: object) -> object:
    """The memory of a tensor on the CPU as a DLPack capsule, for ``np.from_dlpack`` and others.

    Raises BufferError for a tensor that requires gradient, and for one on a device.
    """
    _check_exported(self)
    array = on_cpu(self.array)
    if array is None:
        raise BufferError(message("only tensors on the CPU are exported", fix="x.cpu()"))
    options.pop("stream", None)
    export: Callable[..., object] = array.__dlpack__
    return export(**options)


def _dlpack_device(self: Tensor) -> tuple[int, int]:
    """(1, 0): the CPU."""
    return self.numpy(force=True).__dlpack_device__()


METHODS.update(__dlpack__=_dlpack, __dlpack_device__=_dlpack_device)


class _Capsule:
    """A DLPack capsule as an object that hands it out."""

    def __init__(self, capsule: object):
        self.capsule = capsule

    def __dlpack__(self, **_: object) -> object:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@export
def from_dlpack(
    ext_tensor: Any, *, device: DeviceLike | None = None, copy: bool | None = None
) -> Tensor:
    """A tensor on the memory of an object with ``__dlpack__``, or of a DLPack capsule.

    ``copy=True`` copies. Raises AttributeError for anything else.
    """
    if isinstance(ext_tensor, Tensor):
        _check_exported(ext_tensor)
        return ext_tensor.clone() if copy else ext_tensor.detach()
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Capsule(ext_tensor)
    if isinstance(ext_tensor, np.ndarray):
        array = ext_tensor
    elif hasattr(ext_tensor, "__dlpack__"):
        array = np.from_dlpack(ext_tensor)
    else:
        raise AttributeError(
            message(
                f"'{type(ext_tensor).__name__}' object has no attribute '__dlpack_device__'",
                "from_dlpack() takes an array of a library that speaks DLPack",
                fix="torch.as_tensor(data)",
            )
        )
    dtypes.of(array)
    return constant(array.copy() if copy else array)


@export
def to_dlpack(tensor: Tensor) -> object:
    """A DLPack capsule of a tensor's memory, which can be taken once."""
    return _dlpack(tensor)


@export
def frombuffer(
    buffer: Buffer,
    *,
    dtype: DTypeLike,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A 1-d tensor on the memory of a bytes-like object, from ``offset`` bytes on.

    ``count`` elements, or all (-1). Raises ValueError for a buffer that is empty, too short, or no
    whole number of elements.
    """
    d = dtypes.as_numpy(dtype)
    try:
        memory = memoryview(buffer)
    except TypeError:
        raise ValueError(
            message(f"object does not implement Python buffer protocol: {describe(buffer)}")
        ) from None
    size = memory.nbytes
    if not size or not count:
        raise ValueError(
            message(f"both buffer length ({size}) and count ({count}) must not be 0")
        )
    if not 0 <= offset < size:
        raise ValueError(
            message(
                f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
                f"({size} bytes) minus 1"
            )
        )
    if memory.readonly:
        warn(READ_ONLY.format("buffer", "buffer"))
    left = size - offset
    if count < 0 and left % d.itemsize:
        raise ValueError(
            message(
                f"buffer length ({left} bytes) after offset ({offset} bytes) must be a multiple of "
                f"element size ({d.itemsize})"
            )
        )
    if count > 0 and count * d.itemsize > left:
        raise ValueError(
            message(
                f"requested buffer length ({count} * {d.itemsize} bytes) after offset ({offset} "
                f"bytes) must not be greater than actual buffer length ({size} bytes)"
            )
        )
    return finish(np.frombuffer(memory, d, count, offset), None, requires_grad)


@export
def from_file(
    filename: str | os.PathLike[str], shared: bool | None = None, size: int | None = 0, *,
    dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A 1-d tensor of ``size`` elements on the memory of a file, which need not be read at once.

    ``shared``: what is written to the tensor is written to the file, which is made, or made longer,
    if need be. RuntimeError for a file that cannot be opened or is too short.
    """
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    count = size or 0
    try:
        if shared:
            with open(filename, "ab") as file:
                file.truncate(max(file.tell(), count * d.itemsize))
        mode: Literal["r+", "c"] = "r+" if shared else "c"
        array = np.memmap(filename, d, mode, shape=(count,)) if count else np.empty(0, d)
    except (OSError, ValueError) as e:
        raise RuntimeError(
            message(f"unable to open file <{filename}> for {count} elements of {d}: {e}")
        ) from None
    return finish(array.view(np.ndarray), device, requires_grad)
