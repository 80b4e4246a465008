"""Levels: which kinds of numbers are in use, and what all kinds share.

Every running transform has a level of its own, which tells its numbers from those of all others: a
batch of one vmap is no batch of the next, also where the graph keeps it. Where an op meets arrays
of several levels, each becomes one of all of them (``together``). The younger level is outside,
whichever way they met.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ReferenceType, WeakValueDictionary

import numpy as np

from ..arrays.device import device
from ..backends import cpu
from ..backends.reference import UFUNCS
from ..engine.apply import meeting
from ..handles.memory import check_locked, is_locked, unlocked

if TYPE_CHECKING:
    from ..base.types import AnyArray, Array, Attrs, Backend, DType, Shape
    from ..engine.op import Op
    from ..handles.tensor import Tensor

# numpy's ufunc -> the op's name
KERNELS: dict[Any, str] = {ufunc: name for name, ufunc in UFUNCS.items()} | {np.sign: "sign"}


# ---- which levels are in use ---------------------------------------------------------------------
_births = count(1)


class Level:
    """One kind of number; every running transform has one of its own.

    ``size``: how many samples a batch has. Where kinds are nested, the younger one is outside.
    """

    __slots__ = ("__weakref__", "backends", "birth", "carried", "devices", "direct", "ended",
                 "kind", "shown", "size", "whole")  # fmt: skip

    def __init__(self, kind: type[Kind], size: int = 0):
        self.kind, self.size, self.birth = kind, size, next(_births)
        # weakly: a backend knows its level, and no cycle may keep arrays
        self.backends: WeakValueDictionary[Backend, Any] = WeakValueDictionary()
        # by the id of the device below, which it keeps: devices of other levels are equal to it
        self.devices: dict[int, tuple[device, device]] = {}
        self.direct = self.whole = False  # does backward run from inside of it? (borders.py)
        self.ended = False  # have its tensors lost their tangents? (autograd/forward_ad.py)
        self.carried: list[ReferenceType[Tensor]] = []  # tensors that in-place writes made of it
        # by id: those of it that show the memory of tensors outside, to the user's function
        self.shown: WeakValueDictionary[int, Tensor] = WeakValueDictionary()

    def backend(self, inner: Backend) -> AnyArray:
        """The backend of this level's arrays whose values are those of ``inner``."""
        found = self.backends.get(inner)
        if found is None:
            found = self.backends[inner] = self.kind.backend(self, inner)
        return found


class Frame(NamedTuple):
    """One running transform; ``randomness`` is that of a vmap."""

    level: Level
    randomness: str = "error"


frames: ContextVar[tuple[Frame, ...]] = ContextVar("microtorch.frames", default=())


ends: list[Callable[[Level], None]] = []  # what is done at the end of a level (carry.py)


@contextmanager
def entered(kind: type[Kind], size: int = 0, randomness: str = "error") -> Iterator[Level]:
    """Run the block in a new level of ``kind``."""
    now = frames.get()
    level = Level(kind, size)
    frames.set((*now, Frame(level, randomness)))
    try:
        yield level
    finally:
        frames.set(now)
        for end in ends if level.carried else ():
            end(level)


def levels_in(array: AnyArray) -> list[Level]:
    """The levels of an array, from outside."""
    out = []
    while isinstance(array, Kind):
        out.append(array.level)
        array = array.value
    return out


def dev_of(array: AnyArray) -> AnyArray:
    """The backend that computes with an array."""
    return getattr(array, "dev", None) or cpu.of(array.dtype)


# ---- arrays --------------------------------------------------------------------------------------
class Flags(NamedTuple):
    """The part of numpy's ``ndarray.flags`` that is asked for."""

    c_contiguous: bool
    writeable: bool
    aligned: bool = True
    f_contiguous: bool = False  # nobody asks for that order here


def _operator(name: str) -> AnyArray:
    def forward(self: Kind, other: AnyArray) -> AnyArray:
        return getattr(self.dev, name)(self, other)

    return forward


def _reflected(name: str) -> AnyArray:
    def reflected(self: Kind, other: AnyArray) -> AnyArray:
        return getattr(self.dev, name)(other, self)

    return reflected


def _in_place(name: str) -> AnyArray:
    def in_place(self: AnyArray, other: AnyArray) -> AnyArray:
        self[...] = getattr(self.dev, name)(self, other)
        return self

    return in_place


def _extreme(name: str) -> AnyArray:
    def extreme(self: Kind, *args: AnyArray, **named: AnyArray) -> AnyArray:
        if args or named:
            return self.dev.by_numpy(getattr(np, name), (self, *args), named)
        return getattr(self.value, name)()

    return extreme


class Kind:
    """An array of numbers of some kind, as the rest of the package sees it: like numpy's.

    ``value`` is the array of a simpler kind that it is made of. Its shape and its operations are
    those of *one* sample, or of the primal number.
    """

    __slots__ = ("__weakref__", "level", "shape", "value")
    __array_priority__ = 200
    words = "numbers"
    backend: type[KindBackend]

    level: Level
    shape: Shape
    value: Array

    # ---- what it is ------------------------------------------------------------------------------
    @property
    def dtype(self) -> DType:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> Shape:
        return self.value.strides[len(self.value.shape) - len(self.shape) :]

    @property
    def flags(self) -> Flags:
        flags = self.value.flags
        return Flags(flags.c_contiguous, flags.writeable)

    @property
    def base(self) -> AnyArray:
        """Whose memory it shows: the same object for all that show the same memory."""
        base = self.value.base
        return self.value if base is None else base

    @property
    def dev(self) -> AnyArray:
        """The backend that computes with it."""
        return self.level.backend(dev_of(self.value))

    # (t, level) -> t as a tensor of the level, the same for all that the level tells apart; in
    # borders.py
    lift: Callable[[Tensor, Level], Tensor]

    def without_tangents(self) -> AnyArray:
        """The same numbers as constants of forward mode."""
        return self.around(lambda v, _: v.without_tangents() if isinstance(v, Kind) else v)

    def around(self, inner: Callable[[Any, int], Any]) -> AnyArray:
        """The same kind of number around ``inner(value, dims)``.

        ``dims``: how many dimensions a value has before those that are seen from outside.
        """
        raise NotImplementedError

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    # ---- numpy's methods -------------------------------------------------------------------------
    def reshape(self, *shape: AnyArray) -> AnyArray:
        one = len(shape) == 1 and not isinstance(shape[0], (int, np.integer))
        return self.dev.reshape(self, shape=tuple(shape[0] if one else shape))

    def transpose(self, *axes: AnyArray) -> AnyArray:
        one = len(axes) == 1 and not isinstance(axes[0], (int, np.integer))
        given = (axes[0] if one else axes) or range(self.ndim)[::-1]
        return self.dev.permute(self, dims=tuple(given))

    @property
    def T(self) -> AnyArray:
        return self.transpose()

    def swapaxes(self, a: int, b: int) -> AnyArray:
        return self.dev.transpose(self, dim0=a, dim1=b)

    def ravel(self) -> AnyArray:
        return self.reshape(-1)

    def copy(self, order: str = "K") -> AnyArray:
        return self.dev.clone(self, order=order)

    def astype(self, dtype: AnyArray, copy: bool = True) -> AnyArray:
        if np.dtype(dtype) == self.dtype and not copy:
            return self
        return self.dev.cast(self, dtype=np.dtype(dtype))

    def sum(self, axis: AnyArray = None, keepdims: bool = False) -> AnyArray:
        return self.dev.sum(self, dim=axis, keepdim=keepdims)

    def __getitem__(self, index: AnyArray) -> AnyArray:
        return self.dev.getitem(self, index=index if isinstance(index, tuple) else (index,))

    def squeeze(self, axis: int | Sequence[int] | None = None) -> AnyArray:
        return self.dev.by_numpy(np.squeeze, (self, axis), {})

    # without arguments, what checks ask: is there any number, in any sample, for which ...?
    min, max, any, all = map(_extreme, ("min", "max", "any", "all"))

    # ---- Python's own questions ------------------------------------------------------------------
    def item(self) -> AnyArray:
        raise NotImplementedError

    def tolist(self) -> AnyArray:
        return self.item()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        return int(self.item())

    # ---- operators: the backend's kernels --------------------------------------------------------
    __add__, __radd__, __iadd__ = _operator("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__, __isub__ = _operator("sub"), _reflected("sub"), _in_place("sub")
    __mul__, __rmul__, __imul__ = _operator("mul"), _reflected("mul"), _in_place("mul")
    __truediv__, __rtruediv__, __itruediv__ = _operator("div"), _reflected("div"), _in_place("div")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _operator("pow"), _reflected("pow")
    __and__ = __rand__ = _operator("bitwise_and")
    __or__ = __ror__ = _operator("bitwise_or")
    __xor__ = __rxor__ = _operator("bitwise_xor")
    __lt__, __le__, __gt__, __ge__ = map(_operator, ("lt", "le", "gt", "ge"))
    __eq__, __ne__ = map(_operator, ("eq", "ne"))
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __hash__ = object.__hash__

    def __neg__(self) -> AnyArray:
        return self.dev.neg(self)

    def __abs__(self) -> AnyArray:
        return self.dev.abs(self)

    def __invert__(self) -> AnyArray:
        return self.dev.bitwise_not(self)

    # ---- numpy's protocols -----------------------------------------------------------------------
    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: AnyArray, **named: AnyArray
    ) -> AnyArray:
        if method == "__call__" and not named and ufunc in KERNELS:
            return getattr(self.dev, KERNELS[ufunc])(*inputs)
        if method == "__call__" and set(named) <= {"out"} and ufunc in KERNELS:
            (out,) = named["out"]
            out[...] = getattr(self.dev, KERNELS[ufunc])(*inputs)
            return out
        return self.dev.by_numpy(getattr(ufunc, method), inputs, named)

    def __array_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: AnyArray, named: AnyArray
    ) -> AnyArray:
        outside = _outermost((args, named), self)  # the younger level knows what the older is
        return outside.dev.by_numpy(function, args, named)


def _outermost(value: AnyArray, found: AnyArray) -> AnyArray:
    """The array of the youngest level in nested arguments, or ``found`` if that is younger."""
    if isinstance(value, Kind):
        return value if value.level.birth > found.level.birth else found
    for v in value.values() if isinstance(value, dict) else value:
        if isinstance(v, (Kind, dict, tuple, list)):
            found = _outermost(v, found)
    return found


def writable(array: AnyArray) -> AnyArray:
    """``array``, which may be a part of one that was expanded, which numpy locks."""
    if not is_locked(array):
        return array
    check_locked(array, "copy")
    return unlocked(array)


# ---- the backend ---------------------------------------------------------------------------------
class KindBackend:
    """Kernels by op name on the arrays of one level, whose values are those of ``inner``."""

    name = "kind"
    memory: type[Kind]
    passing = True  # no table keeps its kernels: they would outlive the transform
    ordered = False

    def __init__(self, level: Level, inner: Backend):
        self.level, self.inner, self.dtype = level, inner, inner.dtype
        # equal to the device below and another object: so `apply` sees that kinds of numbers meet
        below = inner.device
        self.device = level.devices.setdefault(id(below), (below, device(below)))[1]

    @property
    def draws(self) -> AnyArray:
        return self.inner.draws

    @property
    def conjugates(self) -> bool:
        return self.inner.conjugates

    @property
    def halves(self) -> bool:
        return self.inner.halves

    @property
    def changing(self) -> frozenset[str]:
        return self.inner.changing

    def of(self, dtype: DType) -> AnyArray:
        return self.level.backend(self.inner.of(dtype))

    @property
    def rest(self) -> AnyArray:
        return self.level.backend(self.inner.rest)

    def large(self, name: str) -> AnyArray:
        return getattr(self, name)

    small = large

    def mine(self, x: AnyArray) -> bool:
        """Is ``x`` an array of this level?"""
        return isinstance(x, Kind) and x.level is self.level

    def array(self, x: AnyArray) -> AnyArray:
        """``x`` as an array of this level."""
        raise NotImplementedError

    def full(self, shape: Shape, value: AnyArray, dtype: AnyArray) -> AnyArray:
        return self.array(self.inner.full(shape, value, dtype))

    def zeros(self, shape: AnyArray, dtype: AnyArray = float) -> AnyArray:
        return self.full((shape,) if isinstance(shape, int) else shape, 0, np.dtype(dtype))

    def empty(self, shape: AnyArray, dtype: AnyArray = float) -> AnyArray:
        return self.zeros(shape, dtype)


# ---- operands of several levels ------------------------------------------------------------------
def together(op: Op, tensors: Sequence[Tensor], attrs: Attrs | None) -> Sequence[Tensor] | None:
    """The operands of an op as tensors of all the levels that they have; None if all are plain.

    Levels of arrays in ``attrs`` count.
    """
    union = {level for x in tensors for level in levels_in(x.array)} | levels_of_all(attrs)
    if not union:
        return None
    return [lift(x, union) for x in tensors]


def levels_of_all(value: AnyArray) -> set[Level]:
    """The levels of all arrays in nested arguments."""
    if isinstance(value, Kind):
        return set(levels_in(value))
    if isinstance(value, dict):
        value = tuple(value.values())
    if not isinstance(value, (tuple, list)):
        return set()
    return {level for v in value for level in levels_of_all(v)}


def lift(t: Tensor, levels: Iterable[Level]) -> Tensor:
    """``t`` as a tensor of these levels, and of its own; its gradient goes back to ``t``."""
    missing = set(levels).difference(levels_in(t.array))
    for level in sorted(missing, key=lambda level: level.birth):
        t = level.kind.lift(t, level)
    return t


def lifted_to_all(t: Tensor) -> Tensor:
    """``t`` as a tensor of all levels in use."""
    running = frames.get()
    return lift(t, [frame.level for frame in running]) if running else t


meeting.append(together)
