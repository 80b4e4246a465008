"""Arrays that know which value of a program they are.

While a function is recorded, every tensor's memory is a ``Recorded``: the real array, and its
number. It answers numpy's protocols (NEP 13 and 18) and Python's operators by doing the same to the
real arrays and writing the call down. It refuses to become a number: a question such as ``item()``
or ``if x > 0`` is answered, so that the run goes on as it would, and the recording is given up.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from ..graph import Node
from ..handles.memory import offset, owner

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DType, Kernel, Operand, Shape
    from .recording import Recording

# questions about layout, whose answers a guard keeps: they are no steps
STATIC = frozenset({np.ndim, np.shape, np.size, np.may_share_memory, np.shares_memory,
                    np.result_type, np.iscomplexobj, np.isrealobj})  # fmt: skip
# the size of the result depends on data
BY_DATA = frozenset({"nonzero", "unique", "flatnonzero", "argwhere", "compress", "extract"})


def _calls(name: str, reflected: bool = False) -> Callable[..., Operand]:
    function: Kernel = getattr(operator, name)

    def method(self: Recorded, *others: Operand) -> Operand:
        if others and isinstance(others[0], Node):  # a Scalar, which has the reflected method
            return NotImplemented
        given = (*others, self) if reflected else (self, *others)
        return self.recording.call("operator", name, function, given, {})

    return method


def of_array(name: str) -> Kernel:
    """The method of an array, or of a number of numpy, as a function."""

    def function(x: Array, *arguments: Operand, **named: Operand) -> Operand:
        return getattr(x, name)(*arguments, **named)

    return function


def _in_place(name: str) -> Callable[..., Operand]:
    inside, plain = _calls(f"i{name.rstrip('_')}"), _calls(name)

    def method(self: Recorded, *others: Operand) -> Operand:
        """A number is not changed: another takes its place."""
        return (inside if self.raw is self.value else plain)(self, *others)

    return method


def _method(name: str) -> Callable[..., Operand]:
    function = of_array(name)

    def method(self: Recorded, *arguments: Operand, **named: Operand) -> Operand:
        return self.recording.call("method", name, function, (self, *arguments), named)

    return method


def _answer(what: str, ask: Kernel) -> Callable[..., Operand]:
    def method(self: Recorded, *arguments: Operand, **named: Operand) -> Operand:
        self.recording.give_up(f"{what} reads a number that each run would have to ask for again")
        return ask(self.value, *arguments, **named)

    return method


def _as_array(x: Array, dtype: DType | None = None, copy: bool | None = None) -> Array:
    return np.asarray(x, dtype)


_truth = _answer("a condition such as `if x > 0`", bool)
_item = _answer(".item(), or a condition such as `if x > 0`,", np.ndarray.item)
_copy, _transpose, _getitem = _method("copy"), _method("transpose"), _calls("getitem")


class Recorded:
    """A real array, ``value``, and its ``number`` in the program of ``recording``.

    ``raw``: what kernels are given for it. It is a number of numpy where the library has not made
    it an array: the kernels of the two may differ in the last bit.
    """

    __slots__ = ("__weakref__", "number", "raw", "recording", "value")
    __array_priority__ = 1000

    def __init__(self, value: Array, number: int, recording: Recording):
        self.value, self.number, self.recording = value, number, recording
        self.raw: Operand = value

    # ---- what it is: static, and kept by the guards ----------------------------------------------
    @property
    def shape(self) -> Shape:
        return self.value.shape

    @property
    def dtype(self) -> DType:
        return self.value.dtype

    @property
    def strides(self) -> Shape:
        return self.value.strides

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def nbytes(self) -> int:
        return self.value.nbytes

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    @property
    def flags(self) -> object:
        return self.value.flags

    @property
    def base(self) -> object:
        base = self.value.base
        return base if base is None else self.recording.known(base)

    @property
    def storage_offset(self) -> int:
        """The elements of its owner's memory before it. No guard knows it of what is given at each
        call, and shows memory of others."""
        home, leaves = owner(self.value), self.recording.leaves.values()
        if any(x.kind != "tensor" and home is owner(x.array) is not x.array for x in leaves):
            self.recording.give_up("it asks where an argument, a view, lies in memory: .clone() it")
        return offset(self.value) // self.itemsize

    @property
    def dev(self) -> Backend:
        return self.recording.lane(self.value.dtype)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Operand]:
        return map(partial(_getitem, self), range(len(self)))

    # ---- numbers that would leave the program ----------------------------------------------------
    def item(self, *place: int) -> Operand:
        """A number: legal where the function returns it at once, and reads it no more."""
        if not place and self.recording.returns_now():
            return self.recording.late_number(self)
        return _item(self, *place)

    tolist = _answer(".tolist()", np.ndarray.tolist)
    get = _answer("numpy(), printing, or a look at memory,", lambda x: x)
    __int__ = _answer("int(x)", int)
    __index__ = _answer("an index, or int(x),", operator.index)
    __format__ = _answer("printing", lambda x, spec: format(x[()], spec))
    __float__ = _answer("float(x)", float)
    __contains__ = _answer("`y in x`", operator.contains)
    __array__ = _answer("numpy()", _as_array)
    address = property(_answer("data_ptr()", lambda x: x.ctypes.data))

    def __getattr__(self, name: str) -> Operand:
        """What else an array of numpy has: answered, and not recorded."""
        if not hasattr(np.ndarray, name) or name == "__array_struct__":  # there is the interface
            raise AttributeError(message(f"a recorded array has no attribute {name!r}"))
        what = "numpy(), or where memory lies," if name == "__array_interface__" else f"x.{name}"
        return _answer(what, lambda x: getattr(x, name))(self)

    def __bool__(self) -> bool:
        answer = bool(self.value)
        return answer if self.recording.asked.suppose(self, answer) else _truth(self)

    def __repr__(self) -> str:
        return f"Recorded(%{self.number}, {self.value.dtype.name} {list(self.value.shape)})"

    def __deepcopy__(self, memo: object) -> Operand:
        return _copy(self, "K")

    # ---- steps -----------------------------------------------------------------------------------
    @property
    def T(self) -> Operand:
        return _transpose(self)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Operand, **named: Operand
    ) -> Operand:
        written = inputs[:1] if method == "at" else named.get("out", ())
        if any(type(x) is np.ndarray for x in written):
            self.recording.give_up("a write into memory that no tensor has cannot be repeated")
        function = getattr(ufunc, method)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return self.recording.call("numpy", name, function, inputs, named)

    def __array_function__(
        self, function: Kernel, types: Sequence[type], args: Sequence[Operand],
        named: Mapping[str, Operand],
    ) -> Operand:  # fmt: skip
        if function in STATIC:
            return self.recording.static(function, args, named)
        return self.recording.call("numpy", function.__name__, function, tuple(args), dict(named))


# operators and methods whose calls are steps
BOTH_SIDES = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_",
              "xor", "lshift", "rshift")  # fmt: skip
ONE_SIDE = ("lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "invert", "pos", "getitem", "setitem")
METHODS = (
    "reshape transpose swapaxes squeeze ravel copy astype sum min max all any mean prod argmax "
    "argmin view take fill cumsum cumprod round clip repeat nonzero argsort sort diagonal flatten "
    "dot conj"
).split()

for _name in BOTH_SIDES:
    _plain = _name.rstrip("_")
    setattr(Recorded, f"__{_plain}__", _calls(_name))
    setattr(Recorded, f"__r{_plain}__", _calls(_name, reflected=True))
    setattr(Recorded, f"__i{_plain}__", _in_place(_name))
for _name in ONE_SIDE:
    setattr(Recorded, f"__{_name}__", _calls(_name))
for _name in METHODS:
    setattr(Recorded, _name, _method(_name))
OPERATORS = frozenset({*BOTH_SIDES, *ONE_SIDE, *(f"i{n.rstrip('_')}" for n in BOTH_SIDES)})
