"""Objects as the pickles that PyTorch writes, and the blocks of memory that their tensors lie in.

Python's pickler names a function after importing it, and PyTorch's are not here to be imported. So
names are written as text, and the classes that are written at all are those of a table: what
`torch.load` reads back as data.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import pickle
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..base.errors import message
from ..handles.memory import owner
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..nn.parameter import Parameter
from . import allowed
from .archive import Bytes
from .layout import STORAGE_NAMES
from .memory import on_host

if TYPE_CHECKING:
    from ..base.types import Array


# ---- memory --------------------------------------------------------------------------------------
class Block(NamedTuple):
    """A stretch of memory that is stored once: its bytes, and the dtype of its elements."""

    memory: Bytes
    dtype: dtypes.dtype

    @property
    def numel(self) -> int:
        return len(self.memory) // self.dtype.itemsize


class Place(NamedTuple):
    """Where a tensor lies: the number of its block, offset and strides in elements."""

    block: int
    offset: int
    strides: tuple[int, ...]


class _Stretch:
    """Memory from `low` to `high` and the arrays in it."""

    def __init__(self, low: int, high: int, arrays: list[Array]) -> None:
        self.low, self.high, self.arrays = low, high, arrays


class Collected:
    """The blocks of memory in which the tensors of an object lie.

    Tensors that were views of one memory lie in one block. It reaches from the first to the last
    element that any of them shows, so a small view of a large tensor is stored without the rest.
    """

    def __init__(self, obj: object) -> None:
        self.arrays: dict[int, Array] = {}  # by the id of a tensor
        self.blocks: list[Block] = []
        self.places: dict[int, Place] = {}
        self._kept = list(tensors_in(obj))  # so that ids stay theirs
        self._fetched: dict[object, Array] = {}
        for t in self._kept:
            self.arrays[id(t)] = self._array(t)
        for stretch in _stretches(self.arrays.values()):
            self._store(stretch)
        for array in self.arrays.values():
            if id(array) not in self.places:  # without elements
                self._add(np.empty(0, np.uint8), array, 0)

    def place(self, x: Tensor) -> tuple[Place, Block]:
        """Where a tensor lies."""
        if id(x) not in self.arrays:  # made while it was pickled, by a class of the user's
            self._kept.append(x)
            array = self.arrays[id(x)] = _regular(on_host(x)).copy()
            low, high = np.lib.array_utils.byte_bounds(array)
            self._add(_memory(low, high, array), array, low)
        place = self.places[id(self.arrays[id(x)])]
        return place, self.blocks[place.block]

    def _array(self, x: Tensor) -> Array:
        """The elements: for handles on the same elements of a device, one array."""
        if x.device.type == "cpu":
            return _regular(x.array)
        key = (str(x.device), x.data_ptr(), x.shape, x.stride(), x.dtype)
        if key not in self._fetched:
            self._fetched[key] = _regular(on_host(x))
        return self._fetched[key]

    def _store(self, stretch: _Stretch) -> None:
        first = stretch.arrays[0]
        if all(a.dtype == first.dtype for a in stretch.arrays):
            memory = _memory(stretch.low, stretch.high, first)
            for array in stretch.arrays:
                self.places[id(array)] = self._place(array, len(self.blocks), stretch.low)
            self.blocks.append(Block(memory, dtypes.of(first)))
            return
        for array in stretch.arrays:  # one memory seen as two types: PyTorch cannot store it either
            low, high = np.lib.array_utils.byte_bounds(array)
            self._add(_memory(low, high, array), array, low)

    def _add(self, memory: Bytes, array: Array, low: int) -> None:
        place = self._place(array, len(self.blocks), low)
        self.places[id(array)] = place if array.size else place._replace(offset=0)
        self.blocks.append(Block(memory, dtypes.of(array)))

    @staticmethod
    def _place(array: Array, block: int, low: int) -> Place:
        n = array.itemsize
        offset = (array.__array_interface__["data"][0] - low) // n
        return Place(block, offset, tuple([s // n for s in array.strides]))


def _regular(array: Array) -> Array:
    """The array, or a copy if it runs backwards, or between elements, as no tensor of PyTorch."""
    if any(s < 0 or s % array.itemsize for s in array.strides):
        return array.copy()
    d = dtypes.of(array).numpy
    return array[...] if array.dtype.isnative else array.astype(d)


def _stretches(arrays: Iterable[Array]) -> list[_Stretch]:
    """The memory of arrays with elements: together what has one owner, or overlaps."""
    owned: dict[int, _Stretch] = {}
    for array in arrays:
        if array.size:
            low, high = np.lib.array_utils.byte_bounds(array)
            s = owned.setdefault(id(owner(array)), _Stretch(low, high, []))
            s.low, s.high = min(s.low, low), max(s.high, high)
            s.arrays.append(array)
    merged: list[_Stretch] = []
    for s in sorted(owned.values(), key=lambda s: s.low):
        apart = not merged or s.low >= merged[-1].high
        if not apart and not (s.low - merged[-1].low) % s.arrays[0].itemsize:
            merged[-1].high = max(merged[-1].high, s.high)
            merged[-1].arrays += s.arrays
        else:
            merged.append(s)
    return merged


class _Lent:
    """Memory from one address to another, as numpy's interface describes it."""

    def __init__(self, low: int, high: int, keeper: object) -> None:
        self.__array_interface__ = {
            "data": (low, True), "shape": (high - low,), "typestr": "|u1", "version": 3,
        }  # fmt: skip
        self.keeper = keeper


def _memory(low: int, high: int, array: Array) -> Bytes:
    return np.asarray(_Lent(low, high, array))


def tensors_in(obj: object) -> Iterator[Tensor]:
    """The tensors in containers and attributes, each once, in the order in which they are saved."""
    seen: set[int] = set()
    stack = [obj]
    while stack:
        x = stack.pop()
        if type(x) in _ATOMS or id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, Tensor):
            yield x
        if isinstance(x, dict):
            stack += reversed([part for pair in x.items() for part in pair])
        elif isinstance(x, (list, tuple, set, frozenset, deque)):
            stack += reversed(list(x))
        if hasattr(x, "__dict__") and not isinstance(x, type):
            stack += vars(x).values()


_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray})


# ---- names ---------------------------------------------------------------------------------------
class Named:
    """A class or function as a file names it."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        """Never called; the pickler asks whether it could be."""


_NAMES: dict[str, Named] = {}


def named(path: str) -> Named:
    """The one object for a name, so that a pickle writes it once."""
    if path not in _NAMES:
        _NAMES[path] = Named(*path.rsplit(".", 1))
    return _NAMES[path]


class NotData(TypeError):
    """An object that is not saved. The message is completed where its place is known."""

    def __init__(self, x: object) -> None:
        super().__init__(type(x).__name__)
        self.what = x


_PLAIN: dict[type, str] = {  # written as numpy and Python reduce them
    argparse.Namespace: "argparse.Namespace",
    types.SimpleNamespace: "types.SimpleNamespace",
    defaultdict: "collections.defaultdict",
    deque: "collections.deque",
    range: "builtins.range",
    slice: "builtins.slice",
    frozenset: "builtins.frozenset",
    datetime.date: "datetime.date",
    datetime.time: "datetime.time",
    datetime.datetime: "datetime.datetime",
    datetime.timedelta: "datetime.timedelta",
    pathlib.PosixPath: "pathlib.PosixPath",
    pathlib.WindowsPath: "pathlib.WindowsPath",
    pathlib.PurePosixPath: "pathlib.PurePosixPath",
    pathlib.PureWindowsPath: "pathlib.PureWindowsPath",
    np.dtype: "numpy.dtype",
    np.ndarray: "numpy.ndarray",
}
_FUNCTIONS = {id(name.value): path for path, name in allowed.DATA.items()}
_FUNCTIONS |= {id(kind): path for kind, path in _PLAIN.items()}

class _Id:
    """A storage, in a pickle."""

    def __init__(self, pid: tuple[object, ...]) -> None:
        self.pid = pid


class _Data:
    """The tensor that a parameter is made of."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter


# pickle._Pickler is Python's pickler in Python: the one in C looks a name up before writing it
Save = Callable[["Pickler", object], None]
_BASE: dict[type, Save] = pickle._Pickler.dispatch  # type: ignore[assignment]


class Pickler(pickle._Pickler):
    """Writes an object whose tensors lie in `found`.

    Raises NotData for what is no data. `sequence`: ids of storages are those of the older format.
    """

    dispatch: ClassVar = {
        kind: _BASE[kind]
        for kind in (type(None), bool, int, float, str, bytes, bytearray, tuple, list, dict, set)
    }

    def __init__(
        self, file: IO[bytes], protocol: int, found: Collected, sequence: bool = False
    ) -> None:
        self.level = max(protocol, 2)  # before, an object's class was named in another way
        super().__init__(file, self.level)
        self.found, self.sequence = found, sequence

    def persistent_id(self, obj: object) -> object:
        """The id of a storage; None for other objects."""
        if not isinstance(obj, _Id):
            return None
        return obj.pid

    # ---- tensors
    def _call(self, path: str, *args: object, of: object = None) -> None:
        """Write a call of the function of that name, as the way to make `of`."""
        self.save_reduce(named(path), args, obj=of)

    def _tensor(self, x: object) -> None:
        assert isinstance(x, Tensor)
        self._view(x, x.requires_grad, x)

    def _view(self, x: Tensor, requires_grad: bool, of: object) -> None:
        place, block = self.found.place(x)
        args = (place.offset, tuple(x.shape), place.strides, requires_grad, OrderedDict())
        name = STORAGE_NAMES.get(block.dtype.name)
        if name is None:
            pid = self._id(place.block, "torch.storage.UntypedStorage", len(block.memory))
            self._call("torch._utils._rebuild_tensor_v3", pid, *args, block.dtype, of=of)
        else:
            pid = self._id(place.block, f"torch.{name}", block.numel)
            self._call("torch._utils._rebuild_tensor_v2", pid, *args, of=of)

    def _id(self, block: int, kind: str, numel: int) -> _Id:
        pid = ("storage", named(kind), str(block), "cpu", numel)
        return _Id((*pid, None) if self.sequence else pid)

    def _parameter(self, x: object) -> None:
        assert isinstance(x, Parameter)
        data = _Data(x)
        path, state = "torch._utils._rebuild_parameter", vars(x)
        if state:
            self._call(f"{path}_with_state", data, x.requires_grad, OrderedDict(), state, of=x)
        else:
            self._call(path, data, x.requires_grad, OrderedDict(), of=x)

    def _parameter_data(self, x: object) -> None:
        assert isinstance(x, _Data)
        self._view(x.parameter, False, x)

    # ---- values
    def _name(self, x: object) -> None:
        assert isinstance(x, Named)
        self._write_name(x, x.module, x.name)

    def _write_name(self, x: object, module: str, name: str) -> None:
        if self.level >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            module = "__builtin__" if module == "builtins" else module
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(x)

    def _bytes(self, x: object) -> None:
        assert isinstance(x, bytes)
        if self.level >= 3:
            _BASE[bytes](self, x)
        else:  # as PyTorch reads them; also b"", for which Python writes bytes()
            self._call("_codecs.encode", x.decode("latin1"), "latin1", of=x)

    def _bytearray(self, x: object) -> None:
        assert isinstance(x, bytearray)
        if self.level >= 5:
            _BASE[bytearray](self, x)
        else:
            self._call("builtins.bytearray", bytes(x), of=x)

    def _set(self, x: object) -> None:
        assert isinstance(x, set)
        if self.level >= 4:
            _BASE[set](self, x)
        else:
            self._call("builtins.set", list(x), of=x)

    def _ordered(self, x: object) -> None:
        assert isinstance(x, OrderedDict)
        state = vars(x) or None  # a state dict's _metadata
        self.save_reduce(named("collections.OrderedDict"), (), state, None, iter(x.items()), obj=x)

    def _complex(self, x: object) -> None:
        assert isinstance(x, complex)
        self._call("builtins.complex", x.real, x.imag, of=x)

    def _counter(self, x: object) -> None:
        assert isinstance(x, Counter)
        self._call("collections.Counter", dict(x), of=x)

    def _size(self, x: object) -> None:
        assert isinstance(x, Size)
        self._call("torch.Size", tuple(x), of=x)

    def _dtype(self, x: object) -> None:
        assert isinstance(x, dtypes.dtype)
        self.save(named(f"torch.{x.name}"))

    def _device(self, x: object) -> None:
        assert isinstance(x, device)
        self._call("torch.device", x.type, *(() if x.index is None else (x.index,)), of=x)

    def reducer_override(self, x: object) -> object:
        """How an object is made that has no method above. A str: the name of a function."""
        kind = type(x)
        if kind in self.dispatch:
            return NotImplemented
        if isinstance(x, (np.ndarray, np.dtype, np.bool_, np.number)):
            d = x if isinstance(x, np.dtype) else x.dtype
            if d.kind not in "biufc" or (isinstance(x, np.ndarray) and kind is not np.ndarray):
                raise NotData(x)
            return x.__reduce_ex__(min(self.level, 4))
        path = _FUNCTIONS.get(id(x)) or allowed.user_name(x)
        if path:
            return path
        if kind in _PLAIN or allowed.user_name(kind):
            return x.__reduce_ex__(self.level)
        raise NotData(x)

    def save_global(self, obj: object, name: str | None = None) -> None:
        """Write the name of a function or class, by which the file's reader finds its own."""
        if name is None:
            raise NotData(obj)
        self._write_name(obj, *name.rsplit(".", 1))


Pickler.dispatch |= {
    _Data: Pickler._parameter_data,
    Tensor: Pickler._tensor,
    Parameter: Pickler._parameter,
    Named: Pickler._name,
    bytes: Pickler._bytes,
    bytearray: Pickler._bytearray,
    set: Pickler._set,
    complex: Pickler._complex,
    OrderedDict: Pickler._ordered,
    Counter: Pickler._counter,
    Size: Pickler._size,
    dtypes.dtype: Pickler._dtype,
    device: Pickler._device,
}


def locate(obj: object, what: object) -> str:
    """The way from `obj` to the object `what` in it: `['a'][0]`."""
    stack: list[tuple[object, str]] = [(obj, "")]
    seen: set[int] = set()
    while stack:
        x, path = stack.pop()
        if x is what:
            return path
        if id(x) in seen or type(x) in _ATOMS:
            continue
        seen.add(id(x))
        if isinstance(x, dict):
            stack += [(v, f"{path}[{k!r}]") for k, v in x.items()]
        elif isinstance(x, (list, tuple)):
            stack += [(v, f"{path}[{i}]") for i, v in enumerate(x)]
        elif hasattr(x, "__dict__") and not isinstance(x, type):
            stack += [(v, f"{path}.{k}") for k, v in vars(x).items()]
    return ""


def not_data(obj: object, error: NotData) -> TypeError:
    """The error for an object that is not saved, with its place."""
    path, what = locate(obj, error.what), error.what
    whole = hasattr(what, "state_dict")
    return TypeError(
        message(
            f"cannot save an object of type {type(what).__name__}{' at ' + path if path else ''}",
            "saved are tensors, numbers, strings, None, and lists, tuples, dicts, sets of them: "
            "data, no code",
            fix="torch.save(model.state_dict(), f)" if whole
            else "torch.serialization.add_safe_globals([...]) allows classes of your own",
        )
    )
