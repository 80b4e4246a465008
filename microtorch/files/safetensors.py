"""Files of the safetensors format, by its own library: dicts of tensors and nothing else.

    from microtorch.files.safetensors import load_file, save_file

The names and rules are those of `safetensors.torch`: tensors are contiguous, and no two share
memory. `torch.load("x.safetensors")` reads such a file as well, as in PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import IO, TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..base.errors import describe, message
from ..engine.record import constant
from ..handles.memory import owner
from ..handles.tensor import Tensor
from .errors import FileError, refused
from .layout import dtype_named
from .memory import Storage, available, on_host
from .replacing import replace

if TYPE_CHECKING:
    from ..arrays.device import device as Device
    from ..base.types import Array

_CODES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
}  # fmt: skip


def _library(part: str = "") -> ModuleType:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            message("safetensors files need the library safetensors", fix="pip install safetensors")
        ) from None
    found: ModuleType = safetensors.numpy if part == "numpy" else safetensors
    return found


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The tensors as the bytes of a file.

    ValueError for a tensor that is not contiguous, RuntimeError for two that share memory.
    """
    arrays = _checked(tensors)
    data: bytes = _library("numpy").save(arrays, None if metadata is None else dict(metadata))
    return data


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the tensors to a file; the old file stays whole until the new one is."""
    data = save(tensors, metadata)

    def write(file: IO[bytes]) -> None:
        file.write(data)

    replace(filename, write)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a file. Raises FileError if they are none."""
    return _read(data, "the bytes")


def _read(data: bytes, file: object) -> dict[str, Tensor]:
    library = _library()
    try:
        found = library.deserialize(bytes(data))
    except (library.SafetensorError, ValueError) as error:
        raise refused(f"no file of safetensors: {error}").about(file) from None
    try:
        return {name: constant(_array(part)) for name, part in found}
    except FileError as error:  # a dtype that is not here
        raise error.about(file) from None


def load_file(filename: str | os.PathLike[str], device: str | Device = "cpu") -> dict[str, Tensor]:
    """The tensors in a file, on a device."""
    where = available(device)
    with open(filename, "rb") as file:
        found = _read(file.read(), filename)
    return found if where.type == "cpu" else {name: t.to(where) for name, t in found.items()}


def placed(found: dict[str, Tensor], place: Callable[[Storage, str], Storage]) -> dict[str, Tensor]:
    """The tensors on the devices that `torch.load` was asked for."""
    out = {}
    for name, t in found.items():
        storage = place(Storage(t.array.reshape(-1), t.dtype), "cpu")
        out[name] = storage.tensor(0, tuple(t.shape), t.stride(), t.dtype)
    return out


def _array(part: Mapping[str, object]) -> Array:
    d = dtype_named(_CODES.get(str(part["dtype"]), str(part["dtype"]))).numpy
    data, shape = part["data"], part["shape"]
    assert isinstance(data, (bytes, bytearray)) and isinstance(shape, (list, tuple))
    stored = np.frombuffer(data, d)
    return (stored if stored.flags.writeable else stored.copy()).reshape(shape)


def _checked(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    owners: dict[int, str] = {}
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise ValueError(
                message(
                    f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}",
                    fix="safetensors files hold tensors alone; torch.save writes other values too",
                )
            )
        array = on_host(t)
        if not array.flags.c_contiguous:
            raise ValueError(
                message(
                    f"You are trying to save a non contiguous tensor: `{name}` which is not "
                    "allowed.",
                    f"{describe(t)} with strides {t.stride()}",
                    fix=f"{name}.contiguous()",
                )
            )
        other = owners.setdefault(id(owner(array)), name)
        if other != name and array.size and np.may_share_memory(array, arrays[other]):
            raise RuntimeError(
                message(
                    "Some tensors share memory, this will lead to duplicate memory on disk and "
                    f"potential differences when loading them again: [{{{other!r}, {name!r}}}].",
                    fix="clone() one of them, leave it out, or use torch.save, which keeps sharing",
                )
            )
        arrays[name] = array.astype(dtypes.of(array).numpy, copy=False)
    return arrays
