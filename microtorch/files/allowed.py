"""Which names a file may use, and what is done in their place.

A pickle names functions and has them called. Here a name is looked up in a table and in no module;
what it leads to is a function of `rebuild.py`, which makes data and nothing else. A user may add
names by `add_safe_globals`, as in PyTorch; those are called as they are.

`weights_only=True` knows PyTorch's list. `weights_only=False` knows some classes of Python and
numpy more that hold data, and no code either.
"""

from __future__ import annotations

import _compat_pickle
import argparse
import datetime
import functools
import pathlib
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..arrays.device import device
from ..base.errors import message
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..nn.parameter import Parameter
from ..nn.utils.rnn import PackedSequence
from . import modules, program, rebuild
from .errors import FileError, refused
from .layout import DTYPES, FOREIGN, dtype_named
from .memory import STORAGE_CLASSES
from .rebuild import Call

if TYPE_CHECKING:
    pass

Added: TypeAlias = "Callable[..., object] | tuple[Callable[..., object], str]"


class Name(NamedTuple):
    """What a name leads to: the value itself, and what calling it does.

    The call gets the file's account first, then the arguments.
    """

    value: object
    call: Call | None = None
    own: bool = False  # is it a class of the program's, which sets its state itself?


# ---- the tables ----------------------------------------------------------------------------------
def _safe() -> dict[str, Name]:
    found = {
        "collections.OrderedDict": Name(OrderedDict, rebuild.make_ordered),
        "collections.Counter": Name(Counter, rebuild.make_counter),
        "torch.nn.parameter.Parameter": Name(Parameter, rebuild.rebuild_parameter),
        "torch.Size": Name(Size, rebuild.make_size),
        "torch.Tensor": Name(Tensor),
        "torch.device": Name(device, rebuild.make_device),
        "_codecs.encode": Name(rebuild.make_encode, rebuild.make_encode),
        "builtins.bytearray": Name(bytearray, rebuild.make_bytearray),
        "builtins.bytes": Name(bytes, rebuild.make_bytes),
        "builtins.set": Name(set, lambda guard, x=(): guard.set(rebuild.sized(guard, x))),
        "builtins.complex": Name(complex, rebuild.make_complex),
    }
    functions: dict[str, Call] = {
        "_rebuild_tensor": rebuild.rebuild_tensor,
        "_rebuild_tensor_v2": rebuild.rebuild_tensor_v2,
        "_rebuild_tensor_v3": rebuild.rebuild_tensor_v3,
        "_rebuild_parameter": rebuild.rebuild_parameter,
        "_rebuild_parameter_with_state": rebuild.rebuild_parameter,
    }
    found |= {f"torch._utils.{name}": Name(f, f) for name, f in functions.items()}
    found["torch._tensor._rebuild_from_type_v2"] = Name(
        rebuild.rebuild_from_type, rebuild.rebuild_from_type
    )
    for name, what in {
        "_rebuild_qtensor": "a quantized tensor",
        "_rebuild_sparse_tensor": "a sparse tensor",
        "_rebuild_nested_tensor": "a nested tensor",
        "_rebuild_meta_tensor_no_storage": "a tensor on the meta device",
    }.items():
        found[f"torch._utils.{name}"] = Name(name, rebuild.refusal(what))
    for name in ("UninitializedParameter", "UninitializedBuffer"):
        found[f"torch.nn.parameter.{name}"] = Name(name, rebuild.refusal(
            "the state of a lazy module", "which has no weights before its first call",
            "call the module with a batch, then save it"))  # fmt: skip
    found["torch.serialization._get_layout"] = Name("layout", rebuild.make_layout)
    found |= {name: Name(kind) for name, kind in STORAGE_CLASSES.items()}
    found |= {f"torch.{name}": Name(d) for name, d in DTYPES.items()}
    return found


def _get(guard: object, x: object = None, name: object = "") -> object:
    """`getattr`, as a file may call it: for functions of PyTorch's, methods, members of Enums."""
    member = program.member_of(x, name)  # which may be false
    return program.method_of(x, name) or modules.function_of(x, name) if member is None else member


def _data() -> dict[str, Name]:
    found = {
        "builtins.frozenset": Name(
            frozenset, lambda guard, x=(): frozenset(guard.set(rebuild.sized(guard, x)))
        ),
        "builtins.range": Name(range, rebuild.plain_call(range, int)),
        "builtins.slice": Name(slice, rebuild.plain_call(slice, int, type(None))),
        "argparse.Namespace": Name(argparse.Namespace, rebuild.plain_call(argparse.Namespace)),
        "types.SimpleNamespace": Name(
            types.SimpleNamespace, rebuild.plain_call(types.SimpleNamespace)
        ),
        "collections.defaultdict": Name(defaultdict, rebuild.make_defaultdict),
        "collections.deque": Name(deque, rebuild.make_deque),
        "builtins.getattr": Name(getattr, _get),
        "functools.partial": Name(functools.partial, program.make_partial),
        modules.VARIABLE_FUNCTIONS: Name(modules.VARIABLE_FUNCTIONS),
        "torch.nn.utils.rnn.PackedSequence": Name(
            PackedSequence, rebuild.plain_call(PackedSequence, Tensor, type(None))
        ),
        "numpy.ndarray": Name(np.ndarray),
        "numpy.dtype": Name(np.dtype, rebuild.make_np_dtype),
    }
    for make in (datetime.date, datetime.time, datetime.datetime, datetime.timedelta):
        found[f"datetime.{make.__name__}"] = Name(make, rebuild.plain_call(make, int, bytes, str))
    for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"):
        pure = getattr(pathlib, name) if name.startswith("Pure") else pathlib.Path
        for module in ("pathlib", "pathlib._local"):
            found[f"{module}.{name}"] = Name(pure, rebuild.plain_call(pure, str))
    for kind in (list, tuple, dict, int, float, str, bool):
        found[f"builtins.{kind.__name__}"] = Name(kind)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        found[f"{module}._reconstruct"] = Name(_RECONSTRUCT, rebuild.make_np_reconstruct)
        found[f"{module}.scalar"] = Name(_SCALAR, rebuild.make_np_scalar)
    return found


_RECONSTRUCT, _SCALAR = np.array(0).__reduce__()[0], np.float32(0).__reduce__()[0]
SAFE, DATA = _safe(), _data()
# functions of ours for what a user has added, where numpy's own would read what they are given
_CAREFUL = {id(name.value): name for name in DATA.values() if name.call or name.value is np.ndarray}
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
    if not weights_only and (found := modules.read(module, name)) is not None:
        return Name(found), False
    if not weights_only and (own := program.read(module, name)) is not None:
        if isinstance(own, type):
            return Name(own, program.maker(own), True), False
        return Name(own), False
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
    elif weights_only and (modules.read(module, name) or program.read(module, name)):
        more = (
            " Or torch.load(f, weights_only=False), which reads whole modules and other objects "
            "whose classes the program has."
        )
    return refused(
        f"Weights only load failed. Unsupported global: GLOBAL {path} was not an allowed global by "
        f"default. Please use `torch.serialization.add_safe_globals([{path}])` or the "
        f"`torch.serialization.safe_globals([{path}])` context manager to allowlist this global if "
        f"you trust this class/function.{more}\n"
        "  microtorch reads data and never runs code that a file names, with weights_only=False "
        "neither; of whole modules, and of other objects, it reads those whose classes the program "
        "has defined or imported, with weights_only=False",
        fix="where the file was written, save the numbers: torch.save(model.state_dict(), f); "
        "here, model.load_state_dict(torch.load(f))",
    )


def _users() -> dict[str, Callable[..., object]]:
    return dict(_named(x) for x in _added)


def _named(x: Added) -> tuple[str, Callable[..., object]]:
    if not isinstance(x, tuple):
        return modules.written(x) or f"{x.__module__}.{x.__qualname__}", x
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
