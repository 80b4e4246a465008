"""Reading a file. No code from the file is ever run.

Everything that is used is checked first, so a damaged file gives an error and never a wrong tensor.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..base.errors import message
from ..create.data import from_numpy
from ..handles.tensor import Tensor
from ..nn.parameter import Parameter
from .layout import MANIFEST, SEQUENCES, SIGNATURE, VERSION

_DTYPES = {d.name: d for d in dtypes.ALL}
_NAMED = {kind.__name__: make for kind, make in SEQUENCES.items()}


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: str | device | Mapping[str, str | device] | None = None,
    *,
    weights_only: bool = True,
) -> Any:
    """Read what `save` wrote, from a path or a binary file. No code from the file is ever run.

    `weights_only` is accepted because scripts pass it; both values read the same data in the same
    safe way. `map_location`: None, or the device (or a dict from saved to wanted devices) for the
    tensors: "cpu" if not given. Raises RuntimeError for a file that is damaged or that PyTorch
    wrote; the message says how to convert it.
    """
    if isinstance(f, (str, os.PathLike)):
        name = os.fspath(f)
        with open(f, "rb") as source:
            data = source.read()
    else:
        name = getattr(f, "name", "the file")
        if not hasattr(f, "read"):
            raise TypeError(
                message(f"load() takes a path or a binary file, not {type(f).__name__}")
            )
        data = f.read()
        if not isinstance(data, bytes):
            raise TypeError(
                message(
                    "load() needs a file opened in binary mode, "
                    f"but read() gave {type(data).__name__}",
                    fix='open(path, "rb")',
                )
            )
    where = _target(map_location)
    root = _Reader(str(name), data).root()
    return _moved(root, where) if where is not None and where.type != "cpu" else root


def _target(map_location: Any) -> device | None:
    if isinstance(map_location, Mapping):
        map_location = map_location.get("cpu")
    if map_location is None or isinstance(map_location, device):
        return map_location
    if isinstance(map_location, str):
        return device(map_location)
    raise TypeError(
        message(
            f"map_location must be a device, a string or a dict, not {type(map_location).__name__}",
            fix="map_location='cpu'",
        )
    )


def _moved(x: Any, where: device) -> Any:
    """`x` with its tensors on the device `where`."""
    if isinstance(x, Tensor):
        return x.detach().to(where).requires_grad_(x.requires_grad)
    if isinstance(x, dict):
        return type(x)((k, _moved(v, where)) for k, v in x.items())
    return type(x)(_moved(v, where) for v in x) if type(x) in SEQUENCES else x


_CONVERT = (
    "convert it where PyTorch is installed: "
    "np.savez('model.npz', **{k: v.numpy() for k, v in torch.load('model.pth').items()}), "
    "then here {k: torch.from_numpy(v) for k, v in np.load('model.npz').items()}"
)


class _Reader:
    """Reads one file; every check that fails ends in `damaged`."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        if not data.startswith(SIGNATURE):
            if data[:1] == b"\x80" or b"torch" in data[:200]:
                raise self.foreign("a pickle")
            raise self.damaged(
                "it is empty" if not data else "it does not begin as a zip archive does"
            )
        try:
            self.archive = zipfile.ZipFile(io.BytesIO(data))
            names = self.archive.namelist()
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise self.damaged(f"{error}; it may be incomplete") from None
        if MANIFEST not in names:
            if any(n.endswith("data.pkl") for n in names):
                raise self.foreign("a zip archive with a pickle in it")
            raise self.damaged(f"it holds no {MANIFEST}")
        try:
            manifest = json.loads(self.bytes(MANIFEST))
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"{MANIFEST}: {type(error).__name__} {error}") from None
        if not isinstance(manifest, dict) or manifest.get("format") != "microtorch":
            raise self.damaged(f"{MANIFEST} does not describe a microtorch file")
        if manifest.get("version") != VERSION:
            raise RuntimeError(
                message(
                    f"{name} has format version {manifest.get('version')!r}, "
                    f"this microtorch reads {VERSION}",
                    fix="a newer microtorch may read it",
                )
            )
        self.manifest = manifest
        self.arrays: dict[int, np.ndarray] = {}

    def damaged(self, why: str) -> RuntimeError:
        return RuntimeError(
            message(
                f"cannot load {self.name}: {why}",
                "a file written by microtorch's torch.save is expected",
            )
        )

    def foreign(self, what: str) -> RuntimeError:
        return RuntimeError(
            message(
                f"cannot load {self.name}: it was written by PyTorch ({what})",
                "reading a pickle can run code that is in the file, so microtorch does not",
                fix=_CONVERT,
            )
        )

    def bytes(self, entry: str) -> bytes:
        """The content of an entry of the archive."""
        try:
            info = self.archive.getinfo(entry)
            if info.compress_type != zipfile.ZIP_STORED:
                raise self.damaged(f"{entry} is compressed")
            return self.archive.read(info)
        except (
            KeyError, zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError,
        ) as error:  # fmt: skip
            raise self.damaged(f"{entry}: {error}") from None

    def root(self) -> Any:
        """The object that was saved."""
        try:
            return self.decode(self.manifest.get("root"))
        except (LookupError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise self.damaged(f"{MANIFEST}: {type(error).__name__} {error}") from None

    def decode(self, x: Any) -> Any:
        """The object that `x`, a piece of the manifest, stands for."""
        if type(x) is not list:
            if type(x) is dict:
                raise self.damaged(f"{MANIFEST}: a bare object")
            return x
        kind, *rest = x
        if kind in ("tensor", "parameter"):
            number, needs = rest
            t = from_numpy(self.storage(number))
            if kind == "parameter":
                return Parameter(t, needs is True)
            return t.requires_grad_(needs is True)
        if kind in ("array", "number"):
            array = self.storage(*rest)
            return array if kind == "array" else array[()]
        if kind in ("dict", "ordered"):
            (pairs,) = rest
            made = dict if kind == "dict" else OrderedDict
            return made((self.decode(k), self.decode(v)) for k, v in pairs)
        if kind in _NAMED:
            (values,) = rest
            return _NAMED[kind]([self.decode(v) for v in values])
        (first, *more) = rest
        if kind == "complex":
            return complex(float(first), float(*more))
        if kind == "bytes":
            return bytes.fromhex(first)
        if kind == "dtype":
            return _DTYPES[first]
        if kind == "device":
            return device(first)
        raise self.damaged(f"{MANIFEST}: unknown kind {kind!r}")

    def storage(self, number: Any) -> np.ndarray:
        """The array of a storage: the same object each time, so that shared memory is again."""
        if number not in self.arrays:
            if type(number) is not int or number < 0:
                raise self.damaged(f"{MANIFEST}: storage {number!r}")
            name, shape, *view = self.manifest["storages"][number]
            d = _DTYPES[name].numpy
            if not all(type(n) is int and n >= 0 for n in shape):
                raise self.damaged(f"storage {number} has the shape {shape}")
            if view:
                self.arrays[number] = self.view(number, d, shape, *view[0])
                return self.arrays[number]
            data = self.bytes(f"data/{number}")
            wanted = math.prod(shape) * d.itemsize
            if len(data) != wanted:
                raise self.damaged(
                    f"data/{number} has {len(data)} bytes, but {name} {tuple(shape)} takes {wanted}"
                )
            stored = np.frombuffer(data, d.newbyteorder("<"))
            self.arrays[number] = stored.astype(d).reshape(shape)
        return self.arrays[number]

    def view(self, number: int, d: Any, shape: list[int], base: Any, start: Any, steps: Any) -> Any:
        """An array on another storage's memory; numpy checks that it lies within."""
        if base == number or len(self.manifest["storages"][base]) != 2:
            raise self.damaged(f"storage {number} is a view of {base}")
        memory, size = self.storage(base), d.itemsize
        if memory.dtype != d or start < 0:
            raise self.damaged(f"storage {number} is a view of {base} from {start}")
        return np.ndarray(shape, d, memory, start * size, tuple(s * size for s in steps))
