"""Which names a file may use, and what is done in their place.

A pickle names functions and has them called. Here a name is looked up in a table and in no module;
what it leads to is a function below, which makes data and nothing else. A user may add names by
`add_safe_globals`, as in PyTorch; those are called as they are.

`weights_only=True` knows PyTorch's list. `weights_only=False` knows some classes of Python and
numpy more that hold data, and no code either.
"""

from __future__ import annotations

import _compat_pickle
import argparse
import datetime
import pathlib
import re
import types
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..base.errors import DeviceError, message
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..nn.parameter import Parameter
from ..ops.surface import METHODS
from .errors import FileError, brief, damaged, refused
from .guard import Guard
from .layout import DTYPES, FOREIGN, dtype_named
from .memory import STORAGE_CLASSES, Storage

if TYPE_CHECKING:
    from ..base.types import Array

Added: TypeAlias = "Callable[..., object] | tuple[Callable[..., object], str]"
Call: TypeAlias = Callable[..., object]


class Name(NamedTuple):
    """What a name leads to: the value itself, and what calling it does.

    The call gets the file's account first, then the arguments.
    """

    value: object
    call: Call | None = None


_TENSOR, _ORDERED = 32, 8  # what these take of a file at least, in bytes; in memory it is more


# ---- tensors -------------------------------------------------------------------------------------
def _storage(x: object) -> Storage:
    if not isinstance(x, Storage):
        raise damaged(f"a tensor lies on a {type(x).__name__}")
    return x


def rebuild_tensor(
    guard: Guard, storage: object, offset: object, size: object, stride: object
) -> Tensor:
    """torch._utils._rebuild_tensor"""
    memory = _storage(storage)
    guard.pay(_TENSOR)
    return memory.tensor(offset, size, stride, memory.dtype)


def rebuild_tensor_v2(
    guard: Guard, storage: object, offset: object, size: object, stride: object,
    requires_grad: object = False, hooks: object = None, metadata: object = None,
) -> Tensor:  # fmt: skip
    """torch._utils._rebuild_tensor_v2"""
    dtype = _storage(storage).dtype
    return rebuild_tensor_v3(
        guard, storage, offset, size, stride, requires_grad, hooks, dtype, metadata
    )


def rebuild_tensor_v3(
    guard: Guard, storage: object, offset: object, size: object, stride: object,
    requires_grad: object, hooks: object, dtype: object, metadata: object = None,
) -> Tensor:  # fmt: skip
    """torch._utils._rebuild_tensor_v3"""
    if not isinstance(dtype, dtypes.dtype):
        raise damaged(f"a tensor has the dtype {brief(dtype)}")
    guard.pay(_TENSOR)
    out = _storage(storage).tensor(offset, size, stride, dtype)
    if isinstance(metadata, dict):  # the bits that PyTorch sets instead of computing
        if metadata.get("conj"):
            out = METHODS["conj"](out).clone()
        if metadata.get("neg"):
            out = -out
    return out.requires_grad_(requires_grad is True)


def rebuild_parameter(
    guard: Guard, data: object, requires_grad: object, hooks: object = None, state: object = None
) -> Parameter:
    """torch._utils._rebuild_parameter, and _rebuild_parameter_with_state"""
    if not isinstance(data, Tensor):
        raise damaged(f"a parameter is made of a {type(data).__name__}")
    made = Parameter(data, requires_grad is True)
    if isinstance(state, tuple) and len(state) == 2 and not state[1]:
        state = state[0]
    if isinstance(state, dict):
        guard.pay(len(state))
        guard.insert((), ((_text(k), v) for k, v in state.items()), made.__dict__.__setitem__)
    elif state:
        raise damaged("the state of a parameter is no dict")
    return made


def rebuild_from_type(
    guard: Guard, make: object, kind: object, args: object, state: object
) -> object:
    """torch._tensor._rebuild_from_type_v2: a tensor that somebody gave attributes."""
    call = _REBUILD.get(id(make))
    if call is None or not isinstance(args, tuple) or kind not in (Tensor, Parameter):
        raise refused(f"the file holds a subclass of Tensor, {brief(kind)}: that is no data alone")
    made = call(guard, *args)
    if kind is Parameter and isinstance(made, Parameter):
        return rebuild_parameter(guard, made, made.requires_grad, None, state)
    if state and state != (None, None):
        warnings.warn("a tensor in the file has attributes, which are left out", stacklevel=2)
    return made


def _refuse(what: str) -> Call:
    def call(guard: Guard, *args: object) -> object:
        raise refused(
            f"the file holds {what}, which microtorch does not have",
            fix="convert it to an ordinary tensor where PyTorch is installed, and save again",
        )

    return call


# ---- builtin values ------------------------------------------------------------------------------
def _text(x: object) -> str:
    if not isinstance(x, str):
        raise damaged(f"the name of an attribute is {brief(x)}")
    return x


def _sized(guard: Guard, x: object, *kinds: type) -> list[object]:
    """The elements of an argument of one of these types, paid for."""
    if type(x) not in (kinds or (list, tuple)):
        raise damaged(f"a {type(x).__name__} where elements are expected")
    assert isinstance(x, (list, tuple, set, frozenset, dict))
    guard.pay(len(x))
    return list(x)


def _pairs(guard: Guard, x: object) -> list[tuple[object, object]]:
    if isinstance(x, dict):
        guard.pay(len(x))
        return list(x.items())
    found = []
    for pair in _sized(guard, x):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise damaged("a dict is made of what are no pairs")
        found.append((pair[0], pair[1]))
    return found


def _ordered(guard: Guard, pairs: object = ()) -> object:
    made: OrderedDict[object, object] = OrderedDict()
    guard.pay(_ORDERED)
    guard.dict(made, _pairs(guard, pairs))
    return made


def _counter(guard: Guard, counts: object = ()) -> object:
    made: Counter[object] = Counter()
    guard.insert(made, _pairs(guard, counts), lambda k, v: dict.__setitem__(made, k, _int(v)))
    return made


def _int(x: object) -> int:
    if not isinstance(x, int):
        raise damaged(f"{brief(x)} where a whole number is expected")
    return x


def _encode(
    guard: Guard, text: object, coding: object = "latin1", errors: object = "strict"
) -> bytes:
    """bytes, as pickles of protocol 2 hold them: text in latin1."""
    if not isinstance(text, str) or coding not in ("latin1", "latin-1", "utf-8", "utf8", "ascii"):
        raise damaged("bytes are made of what is no text")
    guard.pay(len(text))
    return text.encode(str(coding))


def _bytes(guard: Guard, *data: object) -> bytes:
    return bytes(_bytearray(guard, *data))


def _bytearray(guard: Guard, data: object = b"", *coding: object) -> bytearray:
    if isinstance(data, str):
        data = _encode(guard, data, *coding)
    if not isinstance(data, (bytes, bytearray)):
        raise damaged("bytes are made of what are none")
    guard.pay(len(data))
    return bytearray(data)


def _complex(guard: Guard, real: object, imag: object) -> complex:
    if not isinstance(real, (int, float)) or not isinstance(imag, (int, float)):
        raise damaged("a complex number is made of what are no numbers")
    return complex(real, imag)


def _size(guard: Guard, values: object = ()) -> Size:
    return Size([_int(n) for n in _sized(guard, values, list, tuple, Size)])


def _device(guard: Guard, kind: object, index: object = None) -> device:
    try:
        return device(_text(kind), None if index is None else _int(index))
    except DeviceError:
        raise damaged(f"it names a device {brief(kind)}") from None


# ---- more of Python's and numpy's data, with weights_only=False ----------------------------------
def _plain(make: Callable[..., object], *kinds: type, least: int = 0) -> Call:
    """A call with arguments of these types alone."""

    def call(guard: Guard, *args: object) -> object:
        for x in args:
            if type(x) not in kinds:
                raise damaged(f"{make.__name__} of a {type(x).__name__}")
            if isinstance(x, (str, bytes)):
                guard.pay(len(x))
        return make(*args)

    return call


def _namespace(made: type[argparse.Namespace] | type[types.SimpleNamespace]) -> Call:
    return lambda guard: made()


_FACTORIES = (list, dict, set, int, float, str, tuple, bool, type(None))


def _defaultdict(guard: Guard, factory: object = None, pairs: object = ()) -> object:
    if factory is not None and factory not in _FACTORIES:
        raise refused(f"a defaultdict makes its values by {brief(factory)}, which is not data")
    made: defaultdict[object, object] = defaultdict(factory)
    guard.dict(made, _pairs(guard, pairs))
    return made


def _deque(guard: Guard, values: object = (), length: object = None) -> object:
    return deque(_sized(guard, values), None if length is None else _int(length))


class HalfMade:
    """An array or dtype of numpy whose state comes with the next instruction."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind


_NUMBER = re.compile(r"[?bBhHiIlLqQefdgFD]|[biufc][0-9]{1,2}|bool|u?int\d\d?|float\d\d|complex\d+")


def _np_dtype(guard: Guard, kind: object, *flags: object) -> HalfMade:
    if not isinstance(kind, str) or not _NUMBER.fullmatch(kind):
        raise refused(f"the file holds an array of {brief(kind)}, which are not numbers")
    return HalfMade(kind)


def build_np(guard: Guard, x: HalfMade, state: object) -> object:
    """The dtype or array with that state."""
    if not isinstance(state, tuple):
        raise damaged("the state of an array is no tuple")
    if x.kind:
        order = state[1] if len(state) > 1 else "|"
        if order not in ("<", ">", "|", "="):
            raise damaged(f"a dtype has the byte order {brief(order)}")
        d = np.dtype(x.kind)
        return np.dtype(d.newbyteorder(">").str) if order == ">" else d
    if len(state) != 5:
        raise damaged("the state of an array has not five parts")
    _, shape, d, fortran, data = state
    return _array(guard, d, data).reshape(
        [_int(n) for n in _sized(guard, shape)], order="F" if fortran is True else "C"
    )


def _array(guard: Guard, d: object, data: object) -> Array:
    if isinstance(d, HalfMade):
        d = np.dtype(d.kind)
    if not isinstance(d, np.dtype) or d.hasobject or not isinstance(data, (bytes, str)):
        raise refused("the file holds an array of Python objects, which are not numbers")
    raw = data.encode("latin1") if isinstance(data, str) else data
    guard.pay(len(raw))
    stored = np.frombuffer(raw, d)
    return stored.astype(d.newbyteorder("="))


def _np_scalar(guard: Guard, d: object, data: object) -> object:
    (one,) = _array(guard, d, data)
    return one


def _np_reconstruct(guard: Guard, kind: object, shape: object = (), d: object = b"") -> HalfMade:
    if kind is not np.ndarray:
        raise damaged("an array of an unknown class")
    return HalfMade()


# ---- the tables ----------------------------------------------------------------------------------
def _safe() -> dict[str, Name]:
    found = {
        "collections.OrderedDict": Name(OrderedDict, _ordered),
        "collections.Counter": Name(Counter, _counter),
        "torch.nn.parameter.Parameter": Name(Parameter, rebuild_parameter),
        "torch.Size": Name(Size, _size),
        "torch.Tensor": Name(Tensor),
        "torch.device": Name(device, _device),
        "_codecs.encode": Name(_encode, _encode),
        "builtins.bytearray": Name(bytearray, _bytearray),
        "builtins.bytes": Name(bytes, _bytes),
        "builtins.set": Name(set, lambda guard, x=(): guard.set(_sized(guard, x))),
        "builtins.complex": Name(complex, _complex),
    }
    rebuild: dict[str, Call] = {
        "_rebuild_tensor": rebuild_tensor,
        "_rebuild_tensor_v2": rebuild_tensor_v2,
        "_rebuild_tensor_v3": rebuild_tensor_v3,
        "_rebuild_parameter": rebuild_parameter,
        "_rebuild_parameter_with_state": rebuild_parameter,
    }
    found |= {f"torch._utils.{name}": Name(f, f) for name, f in rebuild.items()}
    found["torch._tensor._rebuild_from_type_v2"] = Name(rebuild_from_type, rebuild_from_type)
    for name, what in {
        "_rebuild_qtensor": "a quantized tensor",
        "_rebuild_sparse_tensor": "a sparse tensor",
        "_rebuild_nested_tensor": "a nested tensor",
        "_rebuild_meta_tensor_no_storage": "a tensor on the meta device",
    }.items():
        found[f"torch._utils.{name}"] = Name(name, _refuse(what))
    found["torch.serialization._get_layout"] = Name("layout", _refuse("a sparse tensor"))
    found |= {name: Name(kind) for name, kind in STORAGE_CLASSES.items()}
    found |= {f"torch.{name}": Name(d) for name, d in DTYPES.items()}
    return found


def _data() -> dict[str, Name]:
    found = {
        "builtins.frozenset": Name(
            frozenset, lambda guard, x=(): frozenset(guard.set(_sized(guard, x)))
        ),
        "builtins.range": Name(range, _plain(range, int)),
        "builtins.slice": Name(slice, _plain(slice, int, type(None))),
        "argparse.Namespace": Name(argparse.Namespace, _namespace(argparse.Namespace)),
        "types.SimpleNamespace": Name(types.SimpleNamespace, _namespace(types.SimpleNamespace)),
        "collections.defaultdict": Name(defaultdict, _defaultdict),
        "collections.deque": Name(deque, _deque),
        "numpy.ndarray": Name(np.ndarray),
        "numpy.dtype": Name(np.dtype, _np_dtype),
    }
    for make in (datetime.date, datetime.time, datetime.datetime, datetime.timedelta):
        found[f"datetime.{make.__name__}"] = Name(make, _plain(make, int, bytes, str))
    for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"):
        pure = getattr(pathlib, name) if name.startswith("Pure") else pathlib.Path
        for module in ("pathlib", "pathlib._local"):
            found[f"{module}.{name}"] = Name(pure, _plain(pure, str))
    for kind in (list, tuple, dict, int, float, str, bool):
        found[f"builtins.{kind.__name__}"] = Name(kind)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        found[f"{module}._reconstruct"] = Name(_RECONSTRUCT, _np_reconstruct)
        found[f"{module}.scalar"] = Name(_SCALAR, _np_scalar)
    return found


_RECONSTRUCT, _SCALAR = np.array(0).__reduce__()[0], np.float32(0).__reduce__()[0]
SAFE, DATA = _safe(), _data()
# functions of ours for what a user has added, where numpy's own would read what they are given
_CAREFUL = {id(name.value): name for name in DATA.values() if name.call or name.value is np.ndarray}
_REBUILD = {id(name.value): name.call for name in SAFE.values() if callable(name.value)}
_BLOCKED = frozenset({"sys", "os", "posix", "nt"})
_added: list[Added] = []


def find(module: str, name: str, weights_only: bool) -> tuple[Name, bool]:
    """What the name leads to, and whether the user has added it.

    Raises FileError for a name that is not allowed.
    """
    path = f"{module}.{name}"
    if module in _BLOCKED:
        raise refused(f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked.")
    if path in SAFE:
        return SAFE[path], False
    users = _users()
    if path in users:
        value = users[path]
        careful = _CAREFUL.get(id(value))
        return (careful, False) if careful else (Name(value), True)
    if not weights_only and path in DATA:
        return DATA[path], False
    if module == "torch" and name in FOREIGN:
        dtype_named(name)
    raise _unknown(module, name, weights_only)


def is_safe(module: str, name: str) -> bool:
    """Is the name allowed with `weights_only=True`?"""
    return f"{module}.{name}" in SAFE or f"{module}.{name}" in _users()


def of_python3(module: str, name: str) -> tuple[str, str]:
    """Python 3's name for what pickles of protocol 2 call by Python 2's."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[module, name]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def _unknown(module: str, name: str, weights_only: bool) -> FileError:
    path = f"{module}.{name}".removeprefix("builtins.")
    more = ""
    if weights_only and f"{module}.{name}" in DATA:
        more = " Or torch.load(f, weights_only=False), which knows this class as plain data."
    return refused(
        f"Weights only load failed. Unsupported global: GLOBAL {path} was not an allowed global by "
        f"default. Please use `torch.serialization.add_safe_globals([{path}])` or the "
        f"`torch.serialization.safe_globals([{path}])` context manager to allowlist this global if "
        f"you trust this class/function.{more}\n"
        "  microtorch reads data and never runs code that a file names, with weights_only=False "
        "neither; whole modules are not read",
        fix="where the file was written, save the numbers: torch.save(model.state_dict(), f); "
        "here, model.load_state_dict(torch.load(f))",
    )


def _users() -> dict[str, Callable[..., object]]:
    return dict(_named(x) for x in _added)


def _named(x: Added) -> tuple[str, Callable[..., object]]:
    if not isinstance(x, tuple):
        return f"{x.__module__}.{x.__qualname__}", x
    if len(x) != 2:
        raise ValueError(
            message(
                "Expected tuple of length 2 (global, str of callable full path), but got tuple of "
                f"length: {len(x)}"
            )
        )
    if type(x[1]) is not str:
        raise TypeError(
            message(
                "Expected second item in tuple to be str of callable full path, but got: "
                f"{type(x[1])}"
            )
        )
    return x[1], x[0]


def user_name(value: object) -> str:
    """The path under which a user has allowed this class or function; empty if none has."""
    return next((path for path, known in _users().items() if known is value), "")


# ---- torch.serialization -------------------------------------------------------------------------
def add_safe_globals(safe_globals: Iterable[Added]) -> None:
    """Allow files to name these classes and functions, and so to have them called.

    Each is named by its module and name, or given as a pair of it and the path to be found in the
    file. `torch.save` then writes objects of these classes too.
    """
    for x in safe_globals:
        _named(x)
        if x not in _added:
            _added.append(x)


def get_safe_globals() -> list[Added]:
    """What was added by `add_safe_globals`."""
    return list(_added)


def clear_safe_globals() -> None:
    """Take back all that was added."""
    _added.clear()


class safe_globals:
    """`with safe_globals([MyClass]): ...` allows them in the block."""

    def __init__(self, safe_globals: Iterable[Added]) -> None:
        self.safe_globals = list(safe_globals)

    def __enter__(self) -> None:
        add_safe_globals(self.safe_globals)

    def __exit__(self, *error: object) -> None:
        for x in self.safe_globals:
            if x in _added:
                _added.remove(x)
