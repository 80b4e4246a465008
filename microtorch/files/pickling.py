"""Objects as the pickles that PyTorch writes.

Python's pickler imports what it names, and PyTorch's functions are not here to be imported. This
one writes names as text. The classes that it writes are those of a table: what `torch.load` reads
back as data. The instructions are those of protocol 2, which `pickletools` documents.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import pickle
import struct
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..arrays.layout import layout
from ..base.errors import message
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..nn.buffer import Buffer
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..nn.utils.rnn import PackedSequence
from . import allowed, modules, program
from .blocks import ATOMS, Collected
from .layout import STORAGE_NAMES


class NotData(TypeError):
    """An object that is not saved. `not_data` makes the message, with its place."""

    def __init__(self, x: object) -> None:
        super().__init__(type(x).__name__)
        self.what = x


class Name(NamedTuple):
    """A function or class as a file names it."""

    path: str


class StorageId(NamedTuple):
    """A storage, of which a pickle holds no more than this."""

    pid: tuple[object, ...]


_REDUCED: tuple[type, ...] = (  # written as Python says how they are made
    argparse.Namespace, types.SimpleNamespace, defaultdict, deque, range, slice, frozenset, partial,
    datetime.date, datetime.time, datetime.datetime, datetime.timedelta, pathlib.PosixPath,
    pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath,
)  # fmt: skip
# the functions and classes that such reductions call
_PATHS = {id(name.value): path for path, name in allowed.DATA.items()} | {
    id(kind): f"{kind.__module__}.{kind.__name__}" for kind in _REDUCED
}

T = TypeVar("T")
_WRITERS: dict[type, Callable[[Pickler, object], None]] = {}


def writes(kind: type[T]) -> Callable[[Callable[[Pickler, T], None]], None]:
    """Enter a function as the one that writes objects of this class."""

    def enter(f: Callable[[Pickler, T], None]) -> None:
        def write(pickler: Pickler, x: object) -> None:
            assert isinstance(x, kind)
            f(pickler, x)

        _WRITERS[kind] = write

    return enter


class Pickler:
    """Pickles an object whose tensors lie in `found`.

    Raises NotData for what is no data. `sequence`: storages are named as in the older format.
    """

    def __init__(self, found: Collected, sequence: bool = False) -> None:
        self.found, self.sequence = found, sequence
        self.out: list[bytes] = []
        self.memo: dict[
            int, tuple[int, object]
        ] = {}  # the object too, so that its id stays its own

    def pickled(self, obj: object) -> bytes:
        """The pickle of an object."""
        self.out = [pickle.PROTO + b"\2"]
        self.save(obj)
        return b"".join([*self.out, pickle.STOP])

    def save(self, x: object) -> None:
        """Write the instructions that make `x`."""
        if id(x) in self.memo:
            self.get(x)
        elif type(x) in _WRITERS:
            _WRITERS[type(x)](self, x)
        else:
            self.reduced(x)

    def write(self, code: bytes, form: str = "", *values: float) -> None:
        """Write an instruction and its arguments, as `struct` packs them."""
        self.out.append(code + struct.pack(form, *values) if form else code)

    def get(self, x: object) -> None:
        i, _ = self.memo[id(x)]
        self.write(*((pickle.BINGET, "<B", i) if i < 256 else (pickle.LONG_BINGET, "<I", i)))

    def put(self, x: object) -> None:
        """Remember what was just made as `x`."""
        i = len(self.memo)
        self.memo[id(x)] = i, x
        self.write(*((pickle.BINPUT, "<B", i) if i < 256 else (pickle.LONG_BINPUT, "<I", i)))

    def call(self, path: str, *args: object, of: object) -> None:
        """Write the call of a function, which makes `of`."""
        self.name(path)
        self.save(args)
        self.write(pickle.REDUCE)
        self.put(of)

    def name(self, path: str) -> None:
        """Write the name of a function or class."""
        module, _, name = path.rpartition(".")
        module = "__builtin__" if module == "builtins" else module  # as Python 2 called it
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())

    def extend(self, values: Iterable[object]) -> None:
        """Write the elements of the list that was just made."""
        self.write(pickle.MARK)
        for value in values:
            self.save(value)
        self.write(pickle.APPENDS)

    def update(self, pairs: Iterable[tuple[object, object]]) -> None:
        """Write the pairs of the dict that was just made."""
        self.write(pickle.MARK)
        for key, value in pairs:
            self.save(key)
            self.save(value)
        self.write(pickle.SETITEMS)

    def state(self, attributes: object) -> None:
        """Write the state of the object that was just made."""
        self.save(attributes)
        self.write(pickle.BUILD)

    def view(self, x: Tensor, requires_grad: bool, of: object) -> None:
        """Write a tensor as a view of its storage."""
        place, block = self.found.place(x)
        hooks: OrderedDict[object, object] = OrderedDict()  # PyTorch writes none either
        args = (place.offset, tuple(x.shape), place.strides, requires_grad, hooks)
        name, key, cpu = STORAGE_NAMES.get(block.dtype.name), str(place.block), "cpu"
        kind, n = Name(f"torch.{name}"), block.numel
        if name is None:
            kind, n = Name("torch.storage.UntypedStorage"), len(block.memory)
        pid = ("storage", kind, key, cpu, n)
        storage = StorageId((*pid, None) if self.sequence else pid)
        path = f"torch._utils._rebuild_tensor_{'v3' if name is None else 'v2'}"
        made: tuple[object, ...] = (storage, *args) if name else (storage, *args, block.dtype)
        if isinstance(x, (Parameter, Buffer)):  # whose attributes stand elsewhere, and whose class
            pass
        elif vars(x) or type(x) is not Tensor:  # attributes of the user's, or a class
            tensor = Name("torch.Tensor") if type(x) is Tensor else type(x)
            path, made = "torch._tensor._rebuild_from_type_v2", (Name(path), tensor, made, vars(x))
        self.call(path, *made, of=of)

    def reduced(self, x: object) -> None:
        """Write an object in the way in which it says itself that it is made."""
        path = _PATHS.get(id(x)) or allowed.user_name(x) or modules.written(x) or program.written(x)
        if path:  # a function or class
            self.name(path)
            self.put(x)
            return
        if isinstance(x, Parameter):  # of a class of the user's: read as a Parameter, as in PyTorch
            _WRITERS[Parameter](self, x)
            return
        if isinstance(x, types.MethodType) and program.is_named(x):
            self.call("builtins.getattr", x.__self__, x.__name__, of=x)
            return
        kind = type(x)
        whole = allowed.user_name(kind) or modules.written(kind)
        plain = not _made_otherwise(kind)
        if isinstance(x, Tensor) and plain and (whole or program.written(kind)):
            self.view(x, x.requires_grad, x)
            return
        if isinstance(x, Module) and whole and plain:
            self.name(whole)
            self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
            self.put(x)
            known = self.found.states
            self.state(known[id(x)] if id(x) in known else modules.state_of(x))
            return
        if isinstance(x, (np.ndarray, np.dtype, np.bool_, np.number)):
            d = x if isinstance(x, np.dtype) else x.dtype
            if d.kind not in "biufc" or (isinstance(x, np.ndarray) and kind is not np.ndarray):
                raise NotData(x)
        elif kind not in _REDUCED and not allowed.user_name(kind) and not program.is_plain(x):
            raise NotData(x)
        found = x.__reduce_ex__(2)
        if isinstance(found, str):
            raise NotData(x)
        function, args, state, values, pairs = [*found, None, None, None][:5]
        if getattr(function, "__name__", "") == "__newobj__":  # copyreg's: an object of a class
            self.save(args[0])
            self.save(args[1:])
            self.write(pickle.NEWOBJ)
        else:
            self.save(function)
            self.save(args)
            self.write(pickle.REDUCE)
        self.put(x)
        if values is not None:
            self.extend(values)
        if pairs is not None:
            self.update(pairs)
        if state is not None:
            self.state(state)


def _made_otherwise(kind: type) -> bool:
    """Does the class say itself how its objects are made?"""
    own = [vars(k) for k in kind.__mro__[:-1] if k is not Tensor]
    return any("__reduce__" in names or "__reduce_ex__" in names for names in own)


# ---- a function for each class -------------------------------------------------------------------
@writes(type(None))
def _none(to: Pickler, x: None) -> None:
    to.write(pickle.NONE)


@writes(bool)
def _bool(to: Pickler, x: bool) -> None:
    to.write(pickle.NEWTRUE if x else pickle.NEWFALSE)


@writes(int)
def _int(to: Pickler, x: int) -> None:
    if 0 <= x < 1 << 8:
        to.write(pickle.BININT1, "<B", x)
    elif 0 <= x < 1 << 16:
        to.write(pickle.BININT2, "<H", x)
    elif -(1 << 31) <= x < 1 << 31:
        to.write(pickle.BININT, "<i", x)
    else:
        n = (x.bit_length() >> 3) + 1
        to.write(*((pickle.LONG1, "<B", n) if n < 256 else (pickle.LONG4, "<i", n)))
        to.write(x.to_bytes(n, "little", signed=True))


@writes(float)
def _float(to: Pickler, x: float) -> None:
    to.write(pickle.BINFLOAT, ">d", x)


@writes(str)
def _str(to: Pickler, x: str) -> None:
    data = x.encode("utf-8", "surrogatepass")
    to.write(pickle.BINUNICODE, "<I", len(data))
    to.write(data)
    to.put(x)


@writes(bytes)
def _bytes(to: Pickler, x: bytes) -> None:
    to.call("_codecs.encode", x.decode("latin1"), "latin1", of=x)


@writes(bytearray)
def _bytearray(to: Pickler, x: bytearray) -> None:
    to.call("builtins.bytearray", bytes(x), of=x)


@writes(complex)
def _complex(to: Pickler, x: complex) -> None:
    to.call("builtins.complex", x.real, x.imag, of=x)


@writes(tuple)
def _tuple(to: Pickler, x: tuple[object, ...]) -> None:
    if not x:
        to.write(pickle.EMPTY_TUPLE)
        return
    to.write(pickle.MARK)
    for value in x:
        to.save(value)
    if id(x) in to.memo:  # a list in it holds the tuple itself, and has made it
        to.write(pickle.POP_MARK)
        to.get(x)
        return
    to.write(pickle.TUPLE)
    to.put(x)


@writes(list)
def _list(to: Pickler, x: list[object]) -> None:
    to.write(pickle.EMPTY_LIST)
    to.put(x)
    to.extend(x)


@writes(dict)
def _dict(to: Pickler, x: dict[object, object]) -> None:
    to.write(pickle.EMPTY_DICT)
    to.put(x)
    to.update(x.items())


@writes(OrderedDict)
def _ordered(to: Pickler, x: OrderedDict[object, object]) -> None:
    to.call("collections.OrderedDict", of=x)
    if x:
        to.update(x.items())
    if vars(x):  # the _metadata of a state dict
        to.state(vars(x))


@writes(Counter)
def _counter(to: Pickler, x: Counter[object]) -> None:
    to.call("collections.Counter", dict(x), of=x)


@writes(set)
def _set(to: Pickler, x: set[object]) -> None:
    to.call("builtins.set", list(x), of=x)


@writes(Size)
def _size(to: Pickler, x: Size) -> None:
    to.call("torch.Size", tuple(x), of=x)


@writes(dtypes.dtype)
def _dtype(to: Pickler, x: dtypes.dtype) -> None:
    to.name(f"torch.{x.name}")


# bfloat16 is of a class of its own
_WRITERS.update(dict.fromkeys({type(d) for d in dtypes.ALL}, _WRITERS[dtypes.dtype]))


@writes(device)
def _device(to: Pickler, x: device) -> None:
    to.call("torch.device", x.type, *(() if x.index is None else (x.index,)), of=x)


@writes(layout)
def _layout(to: Pickler, x: layout) -> None:
    to.call("torch.serialization._get_layout", repr(x), of=x)


@writes(PackedSequence)
def _packed(to: Pickler, x: PackedSequence) -> None:
    to.call("torch.nn.utils.rnn.PackedSequence", *x, of=x)


@writes(Name)
def _name(to: Pickler, x: Name) -> None:
    to.name(x.path)


@writes(StorageId)
def _storage(to: Pickler, x: StorageId) -> None:
    to.save(x.pid)
    to.write(pickle.BINPERSID)


@writes(Tensor)
def _tensor(to: Pickler, x: Tensor) -> None:
    to.view(x, x.requires_grad, x)


_WRITERS[Buffer] = _WRITERS[Tensor]  # read as a Tensor: what it is to a module, the module says


@writes(Parameter)
def _parameter(to: Pickler, x: Parameter) -> None:
    path, attributes = "torch._utils._rebuild_parameter", vars(x)
    to.name(f"{path}_with_state" if attributes else path)
    to.write(pickle.MARK)
    to.view(x, False, object())
    to.save(x.requires_grad)
    to.save(OrderedDict())
    if attributes:
        to.save(attributes)
    to.write(pickle.TUPLE)
    to.write(pickle.REDUCE)
    to.put(x)


# ---- refusals ------------------------------------------------------------------------------------
def locate(obj: object, what: object) -> str:
    """The way from `obj` to the object `what` in it: `['a'][0]`."""
    stack: list[tuple[object, str]] = [(obj, "")]
    seen: set[int] = set()
    while stack:
        x, path = stack.pop()
        if x is what:
            return path
        if id(x) in seen or type(x) in ATOMS:
            continue
        seen.add(id(x))
        if isinstance(x, dict):
            stack += [(v, f"{path}[{k!r}]") for k, v in x.items()]
        elif isinstance(x, (list, tuple)):
            stack += [(v, f"{path}[{i}]") for i, v in enumerate(x)]
        elif hasattr(x, "__dict__") and not isinstance(x, type):
            stack += [(v, f"{path}.{k}") for k, v in vars(x).items()]
    return ""


def not_data(obj: object, error: NotData) -> Exception:
    """The error for an object that is not saved, with its place: Python's class of it.

    That is PicklingError of a function or a class that cannot be found by its name, else TypeError.
    """
    path, what = locate(obj, error.what), error.what
    nameless = "<" in getattr(what, "__qualname__", "")  # <locals> or <lambda>
    if hasattr(what, "state_dict"):
        fix = "torch.save(model.state_dict(), f)"
    elif nameless:
        fix = "give it a name in a module, not in a function, or save what it computes from"
    elif type(what).__module__ in ("builtins", "_io", "_thread"):
        fix = "leave it out, and make it anew after loading"
    else:
        fix = "torch.serialization.add_safe_globals([...]) allows classes of your own"
    return (pickle.PicklingError if nameless else TypeError)(
        message(
            f"cannot save an object of type {type(what).__name__}{' at ' + path if path else ''}",
            "saved are tensors, numbers, strings, None, and lists, tuples, dicts, sets of them: "
            "data, no code",
            fix=fix,
        )
    )
