"""Writing a file: objects become the manifest's notation, arrays are collected beside it."""

from __future__ import annotations

import json
import os
import zipfile
from collections import OrderedDict
from itertools import pairwise
from typing import IO, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..base.errors import message
from ..handles.memory import is_dense, offset, owner
from ..handles.tensor import Tensor
from ..nn.parameter import Parameter
from .layout import MANIFEST, SEQUENCES, VERSION

_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time stamp: the same data give the same bytes


def save(obj: Any, f: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write `obj` to a path or a binary file.

    Tensors, numbers, strings, None, and lists, tuples, dicts, sets of them: state dicts of
    modules and optimizers are such objects. Tensors on a device are stored as their elements,
    without the device. Raises TypeError for anything else, and then writes nothing.
    """
    writer = _Writer()
    root = writer.encode(obj, "")
    writer.share()
    manifest = {
        "format": "microtorch",
        "version": VERSION,
        "root": root,
        "storages": writer.shapes,
    }
    target = open(f, "wb") if isinstance(f, (str, os.PathLike)) else f
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), json.dumps(manifest))
            for i, array in enumerate(writer.arrays):
                if array is None:  # a view of another
                    continue
                data = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
                archive.writestr(zipfile.ZipInfo(f"data/{i}", _EPOCH), data.tobytes())
    finally:
        if target is not f:
            target.close()


class _Writer:
    """Turns objects into the manifest's notation and collects the arrays."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray | None] = []
        self.shapes: list[list[Any]] = []
        self._places: dict[Any, int] = {}
        self._open: set[int] = set()  # ids of the containers around the object at hand

    def encode(self, x: Any, path: str) -> Any:
        """`x` in the manifest's notation; `path` leads to it from the object to save."""
        kind = type(x)
        if x is None or kind in (bool, int, float, str):
            return x
        if isinstance(x, Tensor):
            name = "parameter" if isinstance(x, Parameter) else "tensor"
            return [name, self.place_tensor(x), x.requires_grad]
        if kind is np.ndarray:
            return ["array", self.place_array(x)]
        if isinstance(x, np.generic) and isinstance(x, (np.bool_, np.number)):
            return ["number", self.place_array(np.asarray(x))]
        if kind in SEQUENCES or kind in (dict, OrderedDict):
            return self.container(x, kind, path)
        if kind is complex:
            return ["complex", x.real, x.imag]
        if kind is bytes:
            return ["bytes", x.hex()]
        if isinstance(x, dtypes.dtype):
            return ["dtype", x.name]
        if kind is device:
            return ["device", str(x)]
        raise TypeError(
            message(
                f"cannot save an object of type {kind.__name__}{' at ' + path if path else ''}",
                "saved are tensors, numbers, strings, None, and lists, tuples, dicts, sets of "
                "them: data, no code",
                fix="torch.save(model.state_dict(), f)" if hasattr(x, "state_dict") else "",
            )
        )

    def container(self, x: Any, kind: type, path: str) -> list[Any]:
        if id(x) in self._open:
            raise ValueError(
                message(f"cannot save a {kind.__name__} that contains itself", f"at {path}")
            )
        self._open.add(id(x))
        try:
            if kind in (dict, OrderedDict):
                pairs = [
                    [self.encode(k, path), self.encode(v, f"{path}[{k!r}]")] for k, v in x.items()
                ]
                return ["dict" if kind is dict else "ordered", pairs]
            return [kind.__name__, [self.encode(v, f"{path}[{i}]") for i, v in enumerate(x)]]
        except RecursionError:
            raise ValueError(message("cannot save: the containers are nested too deeply")) from None
        finally:
            self._open.discard(id(x))

    def place_tensor(self, x: Tensor) -> int:
        """The number of the storage of a tensor's elements."""
        array = x.detach().cpu().array
        if x.device.type == "cpu":
            return self.place_array(array)
        return self.place((str(x.device), x.data_ptr(), x.shape, x.stride(), x.dtype), array)

    def place_array(self, x: np.ndarray) -> int:
        """The number of the storage of a numpy array. TypeError for a dtype without tensors."""
        address = x.__array_interface__["data"][0]
        return self.place(("cpu", address, x.shape, x.strides, dtypes.of(x)), x)

    def place(self, memory: tuple[Any, ...], array: np.ndarray) -> int:
        """The number of the storage that holds `array`: what lies at one `memory` is stored once.

        An array without elements has no memory, and a storage of its own.
        """
        if not array.size:
            memory = (len(self.arrays),)
        if memory not in self._places:
            self._places[memory] = len(self.arrays)
            self.arrays.append(array)
            self.shapes.append([array.dtype.name, list(array.shape)])
        return self._places[memory]

    def share(self) -> None:
        """Store memory once of which several arrays show the same elements, and them as its views.

        A view's storage says where: [dtype, shape, [number, offset, strides]], in elements.
        """
        groups: dict[int, list[int]] = {}
        for i, array in enumerate(self.arrays):
            if type(array) is np.ndarray and array.size:
                groups.setdefault(id(owner(array)), []).append(i)
        for numbers in groups.values():
            members = [array for i in numbers if (array := self.arrays[i]) is not None]
            memory, d = owner(members[0]), members[0].dtype
            alike = all(array.dtype == d for array in members)
            if not (alike and is_dense(memory) and memory.dtype == d and _overlap(members)):
                continue
            for i, array in zip(numbers, members, strict=True):
                strides = [s // d.itemsize for s in array.strides]
                self.shapes[i].append([len(self.arrays), offset(array) // d.itemsize, strides])
                self.arrays[i] = None
            self.arrays.append(memory.ravel("K"))
            self.shapes.append([d.name, [memory.size]])


def _overlap(arrays: list[np.ndarray]) -> bool:
    """Do two of them span the same memory?"""
    spans = sorted(np.lib.array_utils.byte_bounds(array) for array in arrays)
    return any(a[1] > b[0] for a, b in pairwise(spans))
