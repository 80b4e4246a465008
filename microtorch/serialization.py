"""``torch.save`` and ``torch.load``: a file that holds data and nothing else.

PyTorch's files are pickles, and unpickling may run any code that the file names. A microtorch file is a zip archive that any
tool can open and nothing can execute:

    microtorch.json     {"format": "microtorch", "version": 1, "root": ..., "storages": [["float32", [784, 128]], ...]}
    data/0, data/1 ...  the elements of each storage, row by row, little-endian

In ``root`` a number, string, bool or null is itself; everything else is a list whose first element says what it is:
``["tensor", 3, true]`` is storage 3, requiring gradient, ``["dict", [[key, value], ...]]`` a dict. Tensors on the same elements
(tied weights) name the same storage, and share memory again when loaded.

Reading checks everything that it uses, so a damaged file gives an error and never a wrong tensor.
"""
from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import dtypes
from .arrays.device import device
from .backends import host
from .base.errors import message
from .engine.leaf import leaf
from .engine.record import constant
from .handles.size import Size
from .handles.tensor import Tensor

MANIFEST = "microtorch.json"
VERSION = 1
_SIGNATURE = b"PK\x03\x04"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time stamp: the same data give the same bytes


def save(obj: Any, f: Any) -> None:
    """Write ``obj`` to a path or a binary file: tensors, numbers, strings, None, and lists, tuples, dicts, sets of them.

    State dicts of modules and optimizers are such objects. Tensors on a device are stored as their elements, without the device.
    Raises TypeError for anything else, and then writes nothing.
    """
    writer = _Writer()
    root = writer.encode(obj, "")
    manifest = {"format": "microtorch", "version": VERSION, "root": root, "storages": writer.shapes}
    target = open(f, "wb") if isinstance(f, (str, os.PathLike)) else f
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), json.dumps(manifest))
            for i, array in enumerate(writer.arrays):
                data = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
                archive.writestr(zipfile.ZipInfo(f"data/{i}", _EPOCH), data.tobytes())
    finally:
        if target is not f:
            target.close()


class _Writer:
    """Turns objects into the manifest's notation and collects the arrays."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.shapes: list[Any] = []
        self._places: dict[Any, int] = {}
        self._open: set[int] = set()  # ids of the containers around the object at hand

    def encode(self, x: Any, path: str) -> Any:
        kind = type(x)
        if x is None or kind in (bool, int, float, str):
            return x
        if isinstance(x, Tensor):
            name = "parameter" if _is_parameter(x) else "tensor"
            return [name, self.place(x.array), x.requires_grad]
        if kind is np.ndarray:
            dtypes.of(x)
            return ["array", self.place(x)]
        if isinstance(x, np.generic) and isinstance(x, (np.bool_, np.number)):
            dtypes.of(x)
            return ["number", self.place(np.asarray(x))]
        if kind in _SEQUENCES or kind in (dict, OrderedDict):
            return self.container(x, kind, path)
        if kind is complex:
            return ["complex", x.real, x.imag]
        if kind is bytes:
            return ["bytes", x.hex()]
        if kind is dtypes.dtype:
            return ["dtype", x.name]
        if kind is device:
            return ["device", str(x)]
        raise TypeError(
            message(
                f"cannot save an object of type {kind.__name__}{' at ' + path if path else ''}",
                "saved are tensors, numbers, strings, None, and lists, tuples, dicts, sets of them: data, no code",
                fix="torch.save(model.state_dict(), f)" if hasattr(x, "state_dict") else "",
            )
        )

    def container(self, x: Any, kind: type, path: str) -> Any:
        if id(x) in self._open:
            raise ValueError(message(f"cannot save a {kind.__name__} that contains itself", f"at {path}"))
        self._open.add(id(x))
        try:
            if kind in (dict, OrderedDict):
                pairs = [[self.encode(k, path), self.encode(v, f"{path}[{k!r}]")] for k, v in x.items()]
                return ["dict" if kind is dict else "ordered", pairs]
            return [kind.__name__, [self.encode(v, f"{path}[{i}]") for i, v in enumerate(x)]]
        except RecursionError:
            raise ValueError(message("cannot save: the containers are nested too deeply")) from None
        finally:
            self._open.discard(id(x))

    def place(self, array: Any) -> int:
        """The number of this array's storage; the same elements are stored once."""
        address = array.__array_interface__["data"][0] if type(array) is np.ndarray else (str(array.runtime.device), array.address)
        key = (address, array.shape, array.strides, array.dtype.str)
        if not array.size:
            key = (len(self.arrays),)
        if key not in self._places:
            self._places[key] = len(self.arrays)
            self.arrays.append(host(array))
            self.shapes.append([array.dtype.name, list(array.shape)])
        return self._places[key]


_SEQUENCES: dict[type, Callable[[list[Any]], Any]] = {list: list, tuple: tuple, set: set, frozenset: frozenset, Size: Size}
_NAMED = {kind.__name__: make for kind, make in _SEQUENCES.items()}


def _is_parameter(x: Any) -> bool:
    from .nn.parameter import Parameter

    return isinstance(x, Parameter)


# ---- reading -------------------------------------------------------------------------------------------------------
def load(f: Any, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what ``save`` wrote, from a path or a binary file. No code from the file is ever run.

    ``weights_only`` is accepted because scripts pass it; both values read the same data in the same safe way.
    ``map_location``: None, or the device (or a dict from saved to wanted devices) for the tensors: "cpu" if not given.
    Raises RuntimeError for a file that is damaged or that PyTorch wrote; the message says how to convert it.
    """
    if isinstance(f, (str, os.PathLike)):
        name = os.fspath(f)
        with open(f, "rb") as source:
            data = source.read()
    else:
        name = getattr(f, "name", "the file")
        if not hasattr(f, "read"):
            raise TypeError(message(f"load() takes a path or a binary file, not {type(f).__name__}"))
        data = f.read()
        if not isinstance(data, bytes):
            raise TypeError(message(f"load() needs a file opened in binary mode, but read() gave {type(data).__name__}",
                                    fix='open(path, "rb")'))
    where = _target(map_location)
    root = _Reader(str(name), data).root()
    return _moved(root, where) if where is not None and where.type != "cpu" else root


def _target(map_location: Any) -> device | None:
    if isinstance(map_location, dict):
        map_location = map_location.get("cpu")
    if map_location is None or isinstance(map_location, device):
        return map_location
    if isinstance(map_location, str):
        return device(map_location)
    raise TypeError(message(f"map_location must be a device, a string or a dict, not {type(map_location).__name__}",
                            fix="map_location='cpu'"))


def _moved(x: Any, where: device) -> Any:
    if isinstance(x, Tensor):
        return x.detach().to(where).requires_grad_(x.requires_grad)
    if isinstance(x, dict):
        return type(x)((k, _moved(v, where)) for k, v in x.items())
    return type(x)(_moved(v, where) for v in x) if type(x) in _SEQUENCES else x


_CONVERT = (
    "convert it where PyTorch is installed: "
    "np.savez('model.npz', **{k: v.numpy() for k, v in torch.load('model.pth').items()}), "
    "then here {k: torch.from_numpy(v) for k, v in np.load('model.npz').items()}"
)


class _Reader:
    """Reads one file; every check that fails ends in ``damaged``."""

    def __init__(self, name: str, data: bytes):
        self.name = name
        if not data.startswith(_SIGNATURE):
            if data[:1] == b"\x80" or b"torch" in data[:200]:
                raise self.foreign("a pickle")
            raise self.damaged("it is empty" if not data else "it does not begin as a zip archive does")
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
            raise RuntimeError(message(f"{name} has format version {manifest.get('version')!r}, this microtorch reads {VERSION}",
                                       fix="a newer microtorch may read it"))
        self.manifest = manifest
        self.arrays: dict[int, Any] = {}

    def damaged(self, why: str) -> RuntimeError:
        return RuntimeError(message(f"cannot load {self.name}: {why}", "a file written by microtorch's torch.save is expected"))

    def foreign(self, what: str) -> RuntimeError:
        return RuntimeError(
            message(
                f"cannot load {self.name}: it was written by PyTorch ({what})",
                "reading a pickle can run code that is in the file, so microtorch does not",
                fix=_CONVERT,
            )
        )

    def bytes(self, entry: str) -> bytes:
        try:
            info = self.archive.getinfo(entry)
            if info.compress_type != zipfile.ZIP_STORED:
                raise self.damaged(f"{entry} is compressed")
            return self.archive.read(info)
        except (KeyError, zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
            raise self.damaged(f"{entry}: {error}") from None

    def root(self) -> Any:
        try:
            return self.decode(self.manifest.get("root"))
        except (LookupError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise self.damaged(f"{MANIFEST}: {type(error).__name__} {error}") from None

    def decode(self, x: Any) -> Any:
        if type(x) is not list:
            if type(x) is dict:
                raise ValueError("a bare object")
            return x
        kind, *rest = x
        if kind in ("tensor", "parameter"):
            number, needs = rest
            return _tensor(kind, self.storage(number), needs is True)
        if kind in ("array", "number"):
            array = self.storage(*rest)
            return array if kind == "array" else array[()]
        if kind in ("dict", "ordered"):
            (pairs,) = rest
            return (dict if kind == "dict" else OrderedDict)((self.decode(k), self.decode(v)) for k, v in pairs)
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
        raise ValueError(f"unknown kind {kind!r}")

    def storage(self, number: Any) -> Any:
        """The array of a storage; the same object each time, so that what shared memory shares it again."""
        if number not in self.arrays:
            if type(number) is not int or number < 0:
                raise ValueError(f"storage {number!r}")
            name, shape = self.manifest["storages"][number]
            d = _DTYPES[name].numpy
            if not all(type(n) is int and n >= 0 for n in shape):
                raise ValueError(f"storage {number} has the shape {shape}")
            data = self.bytes(f"data/{number}")
            if len(data) != math.prod(shape) * d.itemsize:
                raise self.damaged(f"data/{number} has {len(data)} bytes, but {name} {tuple(shape)} takes "
                                   f"{math.prod(shape) * d.itemsize}")
            self.arrays[number] = np.frombuffer(data, d.newbyteorder("<")).astype(d).reshape(shape)
        return self.arrays[number]


_DTYPES = {d.name: d for d in dtypes.ALL}


def _tensor(kind: str, array: Any, needs: bool) -> Tensor:
    t = constant(array)
    if kind == "parameter":
        from .nn.parameter import Parameter

        return Parameter(t, needs)
    if needs:
        leaf(t)
    return t
