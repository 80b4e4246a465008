"""An n-dimensional array in a device's memory: a buffer, an offset, a shape and steps.

It looks like a numpy array where the rest of the package looks: ``shape``, ``strides``, ``base``,
``T``, ``reshape``, operators, and numpy's own protocols (protocol.py), so that ``np.add.reduce(x)``
or ``np.where(c, x, y)`` in an op's declaration runs on the device. An array knows its memory; what
computes is asked of its backend (``dev``). It never turns into a numpy array by itself: ``get()``
is the one way back to the host. Answers that depend on the data (``item``, ``bool(x)``) wait for
the device.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ...base.errors import message, seen_as
from .layout import Shape, expanded_steps, is_row_major, reshaped_steps, row_major
from .runtime import Runtime

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from pyopencl.tools import PooledBuffer

    from .backend import OpenCL

Operand: TypeAlias = "Array | np.ndarray | np.generic | float"
Axis: TypeAlias = "int | Sequence[int] | None"
IndexPart: TypeAlias = "int | slice | EllipsisType | Array | np.ndarray | Sequence[Any] | None"
Index: TypeAlias = "IndexPart | tuple[IndexPart, ...]"


@seen_as(TypeError)
class OnDevice(TypeError):
    """A device array where only an array in host memory will do."""


class Flags(NamedTuple):
    """The part of numpy's ``ndarray.flags`` that is asked for."""

    c_contiguous: bool
    writeable: bool
    aligned: bool = True
    f_contiguous: bool = False  # nobody asks for that order here


Binary: TypeAlias = "Callable[[Array, Operand], Array]"


def _forward(name: str) -> Binary:
    def forward(self: Array, other: Operand) -> Array:
        out: Array = getattr(self.dev, name)(self, other)
        return out

    return forward


def _operator(name: str) -> tuple[Binary, Binary, Binary]:
    """``x + y``, ``y + x`` for a y that is no Array, and ``x += y``, by the backend's kernel."""

    def reflected(self: Array, other: Operand) -> Array:
        out: Array = getattr(self.dev, name)(other, self)
        return out

    def in_place(self: Array, other: Operand) -> Array:
        getattr(self.dev, name)(self, other, out=self)
        return self

    return _forward(name), reflected, in_place


class Array:
    """Elements ``buffer[at + i * steps[0] + j * steps[1] + ...]``. Steps and offset count elements,
    as the kernels do. Views share the buffer."""

    __slots__ = ("at", "base", "buffer", "dtype", "flat", "ndim", "runtime", "shape", "size",
                 "steps")  # fmt: skip
    __array_priority__ = 100

    def __init__(
        self, runtime: Runtime, buffer: PooledBuffer | None, dtype: np.dtype, shape: Shape,
        steps: Shape | None = None, at: int = 0, base: Array | None = None,
    ):  # fmt: skip
        """``buffer`` None: new memory, of whatever it held; ``steps`` None: row by row (``flat``).
        """
        self.runtime, self.dtype = runtime, dtype
        self.shape, self.at, self.base = shape, at, base
        self.ndim, self.size = len(shape), math.prod(shape)
        if buffer is None:
            buffer = runtime.allocate(self.size * dtype.itemsize)
        self.buffer = buffer
        if steps is None:
            self.flat, self.steps = True, row_major(shape)
        else:
            self.flat, self.steps = is_row_major(shape, steps), steps

    # ---- what it is ------------------------------------------------------------------------------
    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def strides(self) -> Shape:
        """Steps in bytes, as numpy gives them."""
        return tuple([s * self.dtype.itemsize for s in self.steps])

    @property
    def flags(self) -> Flags:
        repeated = any(s == 0 and n > 1 for s, n in zip(self.steps, self.shape, strict=True))
        return Flags(self.flat, not repeated)

    @property
    def dev(self) -> OpenCL:
        """The backend for arrays of this dtype on this device."""
        return self.runtime.backends[self.dtype]

    @property
    def address(self) -> int:
        """The same number for arrays that begin at the same element: the buffer's handle, and the
        offset."""
        return int(self.buffer.int_ptr) + self.at * self.itemsize

    # ---- views -----------------------------------------------------------------------------------
    def view_of(self, shape: Sequence[int], steps: Sequence[int], at: int | None = None) -> Array:
        """Another look at the same memory."""
        base = self if self.base is None else self.base
        at = self.at if at is None else at
        return Array(self.runtime, self.buffer, self.dtype, tuple(shape), tuple(steps), at, base)

    def reshape(self, *shape: Any) -> Array:
        """A view if the memory layout allows, else a copy. One size may be -1."""
        one = len(shape) == 1 and not isinstance(shape[0], (int, np.integer))
        target = tuple([int(n) for n in (shape[0] if one else shape)])
        if -1 in target:
            known = -math.prod(target)
            if known <= 0 or self.size % known:
                raise ValueError(f"cannot reshape array of size {self.size} into shape {target}")
            target = tuple([self.size // known if n == -1 else n for n in target])
        if math.prod(target) != self.size or min(target, default=0) < 0:
            raise ValueError(f"cannot reshape array of size {self.size} into shape {target}")
        if self.flat or not self.size:
            return self.view_of(target, row_major(target))
        steps = reshaped_steps(self.shape, self.steps, target)
        return self.copy().reshape(target) if steps is None else self.view_of(target, steps)

    def transpose(self, *axes: Any) -> Array:
        one = len(axes) == 1 and not isinstance(axes[0], (int, np.integer))
        given = axes[0] if one else axes or None
        order = range(self.ndim)[::-1] if given is None else [int(a) % self.ndim for a in given]
        if len(order) != self.ndim:
            raise ValueError("axes don't match array")
        return self.view_of([self.shape[a] for a in order], [self.steps[a] for a in order])

    @property
    def T(self) -> Array:
        return self.transpose()

    def swapaxes(self, a: int, b: int) -> Array:
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.transpose(order)

    def squeeze(self, axis: Axis = None) -> Array:
        axes = (axis,) if isinstance(axis, (int, np.integer)) else axis or ()
        drop = [a % self.ndim for a in axes]
        keep = [i for i, n in enumerate(self.shape) if (n != 1 if axis is None else i not in drop)]
        return self.view_of([self.shape[i] for i in keep], [self.steps[i] for i in keep])

    def ravel(self) -> Array:
        return self.reshape(-1)

    def expand(self, shape: Shape) -> Array:
        """Repeated along dimensions of size 1, with steps of 0. Raises ValueError where the shapes
        do not fit."""
        return self.view_of(shape, expanded_steps(self.shape, self.steps, shape))

    def __getitem__(self, index: Index) -> Array:
        return self.dev.read(self, index)

    def __setitem__(self, index: Index, value: Operand) -> None:
        self.dev.write(self, index, value)

    # ---- copies ----------------------------------------------------------------------------------
    def copy(self, order: str = "C") -> Array:
        """A copy: row by row, or (order "K") with the dimensions as they lie in memory here."""
        return self.dev.copied(self, order)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> Array:
        dtype = np.dtype(dtype)
        return self.dev.copied(self, "K", dtype) if copy or dtype != self.dtype else self

    def __deepcopy__(self, memo: object) -> Array:
        return self.copy("K")

    def get(self) -> np.ndarray:
        """The elements as a numpy array: the way back to the host. Waits for the device."""
        x = self if self.flat else self.copy()
        out = np.empty(x.shape, x.dtype)
        if x.size:
            runtime, start = self.runtime, x.at * x.dtype.itemsize
            try:
                runtime.cl.enqueue_copy(runtime.queue, out, x.buffer, src_offset=start)
            except runtime.cl.Error as error:
                raise runtime.failed("reading an array", error) from None
        return out

    # ---- Python's own questions ------------------------------------------------------------------
    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        what = f"{self.dtype.name} {self.shape} lies in the device's memory"
        raise OnDevice(
            message(
                f"can't convert {self.runtime.device} device type tensor to numpy.",
                f"{what}, and nothing moves between devices by itself",
                fix="Use Tensor.cpu() to copy the tensor to host memory first.",
            )
        )

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.size != 1:
            raise TypeError("only integer arrays of one element can be converted to an index")
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __repr__(self) -> str:
        return f"Array({self.dtype.name} {self.shape} on {self.runtime.device})"

    # ---- operators: the backend's kernels --------------------------------------------------------
    __add__, __radd__, __iadd__ = _operator("add")
    __sub__, __rsub__, __isub__ = _operator("sub")
    __mul__, __rmul__, __imul__ = _operator("mul")
    __truediv__, __rtruediv__, __itruediv__ = _operator("div")
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operator("floor_divide")
    __mod__, __rmod__, __imod__ = _operator("remainder")
    __pow__, __rpow__, __ipow__ = _operator("pow")
    __and__, __rand__, __iand__ = _operator("bitwise_and")
    __or__, __ror__, __ior__ = _operator("bitwise_or")
    __xor__, __rxor__, __ixor__ = _operator("bitwise_xor")
    __lt__, __le__, __gt__, __ge__ = map(_forward, ("lt", "le", "gt", "ge"))

    def __eq__(self, other: object) -> Any:  # elementwise, where object's gives a bool
        return self.dev.eq(self, other)

    def __ne__(self, other: object) -> Any:
        return self.dev.ne(self, other)

    __matmul__ = _forward("matmul")

    def __neg__(self) -> Array:
        out: Array = self.dev.neg(self)
        return out

    def __abs__(self) -> Array:
        out: Array = self.dev.abs(self)
        return out

    def __invert__(self) -> Array:
        out: Array = self.dev.bitwise_not(self)
        return out

    # ---- numpy's methods and protocols -----------------------------------------------------------
    def sum(self, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.dev.reduce(self, "sum", axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.dev.reduce(self, "min", axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.dev.reduce(self, "max", axis, keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.dev.reduce(self, "all", axis, keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.dev.reduce(self, "any", axis, keepdims)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        return self.dev.ufunc(self, ufunc, method, inputs, named)

    def __array_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any, named: Any
    ) -> Any:
        return self.dev.function(self, function, args, named)
