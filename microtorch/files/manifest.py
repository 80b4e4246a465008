"""Reading files in microtorch's own format, which it wrote before it wrote PyTorch's.

A zip archive of a text and the storages:

    microtorch.json     {"format": "microtorch", "version": 1, "root": ...,
                         "storages": [["float32", [784, 128]], ...]}
    data/0, data/1 ...  the elements of each storage, row by row, little-endian

In `root` a number, string, bool or null is itself; everything else is a list whose first element
says what it is: `["tensor", 3, true]` is storage 3, requiring gradient, `["dict", [[key, value],
...]]` a dict. A storage that is a view names another, an offset and strides: `["float32", [2],
[0, 1, [1]]]`.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..handles.size import Size
from ..nn.parameter import Parameter
from .archive import Reader
from .errors import brief, damaged, refused
from .guard import Guard
from .layout import DTYPES
from .memory import Storage, bytes_of

NAME = "microtorch.json"
VERSION = 1
_DIMS = 64


def read(archive: Reader, place: Callable[[Storage, str], Storage]) -> object:
    """The object that was saved."""
    archive.folder = ""
    text = archive.bytes(NAME)
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(f"{NAME}: {type(error).__name__} {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != "microtorch":
        raise damaged(f"{NAME} does not describe a microtorch file")
    if manifest.get("version") != VERSION:
        raise refused(
            f"it has format version {brief(manifest.get('version'))}, this microtorch reads "
            f"{VERSION}"
        )
    reader = _Manifest(archive, place, manifest.get("storages"), len(text))
    try:
        return reader.decode(manifest.get("root"))
    except (LookupError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise damaged(f"{NAME}: {type(error).__name__} {error}") from None


class _Manifest:
    """Makes objects of the notation."""

    def __init__(
        self, archive: Reader, place: Callable[[Storage, str], Storage], storages: object, size: int
    ) -> None:
        self.archive, self.place, self.guard = archive, place, Guard(size)
        self.storages = storages if isinstance(storages, list) else []
        self.found: dict[int, Storage] = {}

    def decode(self, x: object) -> object:
        """The object that `x`, a piece of the manifest, stands for."""
        if not isinstance(x, list):
            if isinstance(x, dict):
                raise damaged(f"{NAME}: a bare object")
            return x
        kind, *rest = x
        if kind in ("tensor", "parameter"):
            number, needs = rest
            storage, shape, start, steps = self.view(number)
            t = storage.tensor(start, shape, steps, storage.dtype)
            if kind == "parameter":
                return Parameter(t, needs is True)
            return t.requires_grad_(needs is True)
        if kind in ("array", "number"):
            (number,) = rest
            storage, shape, start, steps = self.view(number)
            array = storage.view(start, shape, steps, storage.dtype)
            return array if kind == "array" else array[()]
        if kind in ("dict", "ordered"):
            (pairs,) = rest
            made: dict[object, object] = {} if kind == "dict" else OrderedDict()
            self.guard.dict(made, [(self.decode(k), self.decode(v)) for k, v in pairs])
            return made
        if kind in ("list", "tuple", "set", "frozenset", "Size"):
            (parts,) = rest
            return self.sequence(kind, [self.decode(v) for v in parts])
        (first, *more) = rest
        if kind == "complex":
            return complex(float(first), float(*more))
        if kind == "bytes":
            return bytes.fromhex(first)
        if kind == "dtype":
            return DTYPES[first]
        if kind == "device":
            return device(first)
        raise damaged(f"{NAME}: unknown kind {brief(kind)}")

    def sequence(self, kind: str, values: list[object]) -> object:
        if kind == "list":
            return values
        if kind == "tuple":
            return tuple(values)
        if kind == "Size":
            return Size([n for n in values if isinstance(n, int)])
        made = self.guard.set(values)
        return made if kind == "set" else frozenset(made)

    def view(self, number: object) -> tuple[Storage, list[int], int, list[int]]:
        """A storage's memory, and its shape, offset and strides in it."""
        if not isinstance(number, int) or number < 0:
            raise damaged(f"{NAME}: storage {brief(number)}")
        name, shape, *view = self.storages[number]
        d = DTYPES[name]
        if len(shape) > _DIMS or not all(type(n) is int and n >= 0 for n in shape):
            raise damaged(f"storage {number} has the shape {brief(shape)}")
        if not view:
            steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
            return self.memory(number, d, math.prod(shape)), shape, 0, steps
        base, start, steps = view[0]
        if base == number or len(self.storages[base]) != 2:
            raise damaged(f"storage {number} is a view of {brief(base)}")
        other, _, _, _ = self.view(base)
        return other, shape, start, steps

    def memory(self, number: int, d: dtypes.dtype, n: int) -> Storage:
        """The memory of a storage: the same each time, so that what shared it does again."""
        if number not in self.found:
            record = f"data/{number}"
            size = self.archive.place(record).size
            if size != n * d.itemsize:
                raise damaged(f"{record} has {size} bytes, but {n} of {d} take {n * d.itemsize}")
            array = np.empty(n, d.numpy.newbyteorder("<"))
            self.archive.read_into(record, bytes_of(array))
            self.found[number] = self.place(Storage(array.astype(d.numpy), d), "cpu")
        return self.found[number]
