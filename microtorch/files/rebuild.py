"""What is done in place of the functions that a file names: data is made, and nothing else.

Each function gets the file's account (`guard.py`) first, then the arguments that the file gives,
which may be anything.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..arrays import dtypes, layout
from ..arrays.device import device
from ..base.errors import DeviceError
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..nn.parameter import Parameter
from ..ops.surface import METHODS
from .errors import brief, damaged, refused
from .guard import Guard
from .memory import Storage

if TYPE_CHECKING:
    from ..base.types import Array

Call: TypeAlias = Callable[..., object]

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
    if isinstance(metadata, dict) and (metadata.get("conj") or metadata.get("neg")):
        out = _computed(guard, out, bool(metadata.get("conj")), bool(metadata.get("neg")))
    return out.requires_grad_(requires_grad is True)


def _computed(guard: Guard, stored: Tensor, conj: bool, neg: bool) -> Tensor:
    """What PyTorch has not computed, but marked with a bit. It is computed when all is read."""
    out = stored.clone()

    def compute() -> None:
        x = METHODS["conj"](stored) if conj else stored
        out.detach().copy_(-x if neg else x)

    guard.later.append(compute)
    return out


def rebuild_parameter(
    guard: Guard, data: object, requires_grad: object, hooks: object = None, state: object = None
) -> Parameter:
    """torch._utils._rebuild_parameter, and _rebuild_parameter_with_state"""
    if not isinstance(data, Tensor):
        raise damaged(f"a parameter is made of a {type(data).__name__}")
    made = Parameter(data, requires_grad is True)
    _attributes(guard, made, state)
    return made


def _attributes(guard: Guard, made: Tensor, state: object) -> None:
    """Give a tensor the attributes that a program has given it."""
    if isinstance(state, tuple) and len(state) == 2 and not state[1]:
        state = state[0]
    if isinstance(state, dict):
        guard.pay(len(state))
        guard.insert((), ((_text(k), v) for k, v in state.items()), made.__dict__.__setitem__)
    elif state:
        raise damaged("the state of a tensor is no dict")


REBUILD: dict[int, Call] = {
    id(f): f for f in (rebuild_tensor, rebuild_tensor_v2, rebuild_tensor_v3, rebuild_parameter)
}


def rebuild_from_type(
    guard: Guard, make: object, kind: object, args: object, state: object
) -> object:
    """torch._tensor._rebuild_from_type_v2: a tensor that somebody gave attributes, or a class."""
    call = REBUILD.get(id(make))
    known = kind if isinstance(kind, type) and issubclass(kind, Tensor) else None
    if call is None or not isinstance(args, tuple) or known is None:
        raise refused(f"the file holds a subclass of Tensor, {brief(kind)}: that is no data alone")
    made = call(guard, *args)
    if kind is Parameter and isinstance(made, Parameter):
        return rebuild_parameter(guard, made, made.requires_grad, None, state)
    if isinstance(made, Tensor):
        if kind not in (Tensor, Parameter):
            made = made.detach().as_subclass(known).requires_grad_(made.requires_grad)
        _attributes(guard, made, state)
    return made


def refusal(
    what: str, why: str = "which microtorch does not have",
    fix: str = "convert it to an ordinary tensor where PyTorch is installed, and save again",
) -> Call:  # fmt: skip
    def call(guard: Guard, *args: object) -> object:
        raise refused(f"the file holds {what}, {why}", fix=fix)

    return call


# ---- builtin values ------------------------------------------------------------------------------
def _text(x: object) -> str:
    if not isinstance(x, str):
        raise damaged(f"the name of an attribute is {brief(x)}")
    return x


def sized(guard: Guard, x: object, *kinds: type) -> list[object]:
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
    for pair in sized(guard, x):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise damaged("a dict is made of what are no pairs")
        found.append((pair[0], pair[1]))
    return found


def make_ordered(guard: Guard, pairs: object = ()) -> object:
    made: OrderedDict[object, object] = OrderedDict()
    guard.pay(_ORDERED)
    guard.dict(made, _pairs(guard, pairs))
    return made


def make_counter(guard: Guard, counts: object = ()) -> object:
    made: Counter[object] = Counter()
    guard.insert(made, _pairs(guard, counts), lambda k, v: dict.__setitem__(made, k, _int(v)))
    return made


def _int(x: object) -> int:
    if not isinstance(x, int):
        raise damaged(f"{brief(x)} where a whole number is expected")
    return x


def make_encode(
    guard: Guard, text: object, coding: object = "latin1", errors: object = "strict"
) -> bytes:
    """bytes, as pickles of protocol 2 hold them: text in latin1."""
    if not isinstance(text, str) or coding not in ("latin1", "latin-1", "utf-8", "utf8", "ascii"):
        raise damaged("bytes are made of what is no text")
    guard.pay(len(text))
    return text.encode(str(coding))


def make_bytes(guard: Guard, *data: object) -> bytes:
    return bytes(make_bytearray(guard, *data))


def make_bytearray(guard: Guard, data: object = b"", *coding: object) -> bytearray:
    if isinstance(data, str):
        data = make_encode(guard, data, *coding)
    if not isinstance(data, (bytes, bytearray)):
        raise damaged("bytes are made of what are none")
    guard.pay(len(data))
    return bytearray(data)


def make_complex(guard: Guard, real: object, imag: object) -> complex:
    if not isinstance(real, (int, float)) or not isinstance(imag, (int, float)):
        raise damaged("a complex number is made of what are no numbers")
    return complex(real, imag)


def make_size(guard: Guard, values: object = ()) -> Size:
    return Size([_int(n) for n in sized(guard, values, list, tuple, Size)])


def make_device(guard: Guard, kind: object, index: object = None) -> device:
    try:
        return device(_text(kind), None if index is None else _int(index))
    except DeviceError:
        raise damaged(f"it names a device {brief(kind)}") from None


def make_layout(guard: Guard, name: object) -> object:
    own = _text(name).removeprefix("torch.")
    if own not in layout.NAMES[1:]:
        raise damaged(f"it names a layout {brief(name)}")
    return getattr(layout, own)


# ---- more of Python's and numpy's data, with weights_only=False ----------------------------------
def plain_call(make: Callable[..., object], *kinds: type) -> Call:
    """A call with arguments of these types alone."""

    def call(guard: Guard, *args: object) -> object:
        for x in args:
            if type(x) not in kinds:
                raise damaged(f"{make.__name__} of a {type(x).__name__}")
            if isinstance(x, (str, bytes)):
                guard.pay(len(x))
        return make(*args)

    return call


_FACTORIES = (list, dict, set, int, float, str, tuple, bool, type(None))


def make_defaultdict(guard: Guard, factory: object = None, pairs: object = ()) -> object:
    if factory is not None and factory not in _FACTORIES:
        raise refused(f"a defaultdict makes its values by {brief(factory)}, which is not data")
    made: defaultdict[object, object] = defaultdict(factory)
    guard.dict(made, _pairs(guard, pairs))
    return made


def make_deque(guard: Guard, values: object = (), length: object = None) -> object:
    return deque(sized(guard, values), None if length is None else _int(length))


class HalfMade:
    """An array or dtype of numpy whose state comes with the next instruction."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind


_NUMBER = re.compile(r"[?bBhHiIlLqQefdgFD]|[biufc][0-9]{1,2}|bool|u?int\d\d?|float\d\d|complex\d+")


def make_np_dtype(guard: Guard, kind: object, *flags: object) -> HalfMade:
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
        [_int(n) for n in sized(guard, shape)], order="F" if fortran is True else "C"
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


def make_np_scalar(guard: Guard, d: object, data: object) -> object:
    (one,) = _array(guard, d, data)
    return one


def make_np_reconstruct(
    guard: Guard, kind: object, shape: object = (), d: object = b""
) -> HalfMade:
    if kind is not np.ndarray:
        raise damaged("an array of an unknown class")
    return HalfMade()
