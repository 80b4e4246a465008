"""An n-dimensional array in a device's memory: a buffer, an offset, a shape and steps. Views share the buffer.

It looks like a numpy array where the rest of the package looks: ``shape``, ``strides``, ``base``, ``T``, ``reshape``,
operators, and numpy's own protocols (protocol.py), so that ``np.add.reduce(x)`` or ``np.where(c, x, y)`` in an op's
declaration runs on the device. It never turns into a numpy array by itself: ``get()`` is the one way back to the host.
Data-dependent answers (``item``, ``bool(x)``) wait for the device.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...base.errors import message
from .runtime import Runtime


class OnDevice(TypeError):
    """A device array where only an array in host memory will do."""


class Flags(NamedTuple):
    """The part of numpy's ``ndarray.flags`` that is asked for."""

    c_contiguous: bool
    writeable: bool
    aligned: bool = True


class Array:
    """Elements ``buffer[at + i * steps[0] + j * steps[1] + ...]``; steps and offset count elements, as the kernels do."""

    __slots__ = ("at", "base", "buffer", "dtype", "flat", "lane", "ndim", "runtime", "shape", "size", "steps")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(
        self, runtime: Runtime, buffer: Any, dtype: Any, shape: tuple[int, ...], steps: tuple[int, ...] | None = None,
        at: int = 0, base: Array | None = None,
    ):  # fmt: skip
        """``steps`` None: row by row (``flat``)."""
        self.runtime, self.buffer, self.dtype, self.shape, self.at, self.base = runtime, buffer, dtype, shape, at, base
        self.ndim, self.size = len(shape), math.prod(shape)
        if steps is None:
            self.flat, self.steps = True, row_major(shape)
        else:
            self.steps = steps
            self.flat = is_row_major(shape, steps)

    # ---- what it is -------------------------------------------------------------------------------------------------
    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Steps in bytes, as numpy gives them."""
        return tuple([s * self.dtype.itemsize for s in self.steps])

    @property
    def flags(self) -> Flags:
        return Flags(self.flat, not any(s == 0 and n > 1 for s, n in zip(self.steps, self.shape, strict=True)))

    @property
    def dev(self) -> Any:
        """The backend object for arrays of this dtype on this device."""
        return self.runtime.backend().of(self.dtype)

    @property
    def address(self) -> int:
        """A number that is the same for arrays that begin at the same element: the buffer's handle, and the offset."""
        return int(self.buffer.int_ptr) + self.at * self.itemsize

    # ---- views ------------------------------------------------------------------------------------------------------
    def view_of(self, shape: Sequence[int], steps: Sequence[int], at: int | None = None) -> Array:
        """Another look at the same memory."""
        base = self if self.base is None else self.base
        return Array(self.runtime, self.buffer, self.dtype, tuple(shape), tuple(steps), self.at if at is None else at, base)

    def reshape(self, *shape: Any) -> Array:
        """A view if the memory layout allows, else a copy. One size may be -1."""
        target = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape
        target = tuple([int(n) for n in target])
        if -1 in target:
            known = -math.prod(target)
            if known <= 0 or self.size % known:
                raise ValueError(f"cannot reshape array of size {self.size} into shape {target}")
            target = tuple([self.size // known if n == -1 else n for n in target])
        if math.prod(target) != self.size or min(target, default=0) < 0:
            raise ValueError(f"cannot reshape array of size {self.size} into shape {target}")
        if self.flat:
            return self.view_of(target, row_major(target))
        steps = reshaped_steps(self.shape, self.steps, target)
        return self.copy().reshape(target) if steps is None else self.view_of(target, steps)

    def transpose(self, *axes: Any) -> Array:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)) else axes
        order = tuple(range(self.ndim))[::-1] if not axes or order is None else tuple([int(a) % self.ndim for a in order])
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

    def squeeze(self, axis: Any = None) -> Array:
        drop = [a % self.ndim for a in ((axis,) if isinstance(axis, (int, np.integer)) else axis or ())]
        keep = [i for i, n in enumerate(self.shape) if (n != 1 if axis is None else i not in drop)]
        return self.view_of([self.shape[i] for i in keep], [self.steps[i] for i in keep])

    def ravel(self) -> Array:
        return self.reshape(-1)

    def expand(self, shape: tuple[int, ...]) -> Array:
        """Repeated along dimensions of size 1, with steps of 0. Raises ValueError where the shapes do not fit."""
        return self.view_of(shape, expanded_steps(self.shape, self.steps, shape))

    def __getitem__(self, index: Any) -> Array:
        from . import indexing

        return indexing.read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from . import indexing

        indexing.write(self, index, value)

    # ---- copies -----------------------------------------------------------------------------------------------------
    def copy(self, order: str = "C") -> Array:
        """A copy: row by row, or (order "K") with the dimensions as they lie in memory here."""
        return self.dev.copied(self, order)

    def astype(self, dtype: Any, copy: bool = True) -> Array:
        dtype = np.dtype(dtype)
        return self.dev.copied(self, "K", dtype) if copy or dtype != self.dtype else self

    def get(self) -> np.ndarray:
        """The elements as a numpy array: the way back to the host. Waits for the device."""
        x = self if self.flat else self.copy()
        out = np.empty(x.shape, x.dtype)
        if x.size:
            runtime = self.runtime
            try:
                runtime.cl.enqueue_copy(runtime.queue, out, x.buffer, src_offset=x.at * x.dtype.itemsize)
            except runtime.cl.Error as error:
                raise runtime.failed("reading an array", error) from None
        return out

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise OnDevice(
            message(
                f"can't convert {self.runtime.device} device type tensor to numpy.",
                f"{self.dtype.name} {self.shape} lies in the device's memory, and nothing moves between devices by itself",
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

    def __reduce__(self) -> Any:
        from . import upload

        return upload, (str(self.runtime.device), self.get())

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy("K")

    # ---- numpy's methods and protocols ------------------------------------------------------------------------------
    def sum(self, axis: Any = None, keepdims: bool = False) -> Array:
        return np.add.reduce(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Array:
        return np.minimum.reduce(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Array:
        return np.maximum.reduce(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Array:
        return np.all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Array:
        return np.any(self, axis=axis, keepdims=keepdims)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from . import protocol

        return protocol.ufunc(self, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from . import protocol

        return protocol.function(self, function, args, kwargs)


def _binary(name: str) -> Any:
    def forward(self: Array, other: Any) -> Any:
        return getattr(self.dev, name)(self, other)

    def reflected(self: Array, other: Any) -> Any:
        return getattr(self.dev, name)(other, self)

    def in_place(self: Array, other: Any) -> Any:
        getattr(self.dev, name)(self, other, out=self)
        return self

    return forward, reflected, in_place


OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "mod": "remainder",
             "floordiv": "floor_divide", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}  # fmt: skip
for _sign, _name in OPERATORS.items():
    for _prefix, _method in zip(("", "r", "i"), _binary(_name), strict=True):
        setattr(Array, f"__{_prefix}{_sign}__", _method)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Array, f"__{_name}__", _binary(_name)[0])
Array.__matmul__ = _binary("matmul")[0]  # type: ignore[attr-defined]
Array.__neg__ = lambda self: self.dev.neg(self)  # type: ignore[attr-defined]
Array.__abs__ = lambda self: self.dev.abs(self)  # type: ignore[attr-defined]
Array.__invert__ = lambda self: self.dev.bitwise_not(self)  # type: ignore[attr-defined]


# ---- shapes and steps ----------------------------------------------------------------------------------------------
def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Steps of an array that lies row by row."""
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(step)
        step *= n or 1
    return tuple(reversed(steps))


def is_row_major(shape: Sequence[int], steps: Sequence[int]) -> bool:
    step = 1
    for n, s in zip(reversed(shape), reversed(steps), strict=True):
        if n == 0:
            return True
        if n != 1 and s != step:
            return False
        step *= n
    return True


def expanded_steps(shape: Sequence[int], steps: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Steps that show an array as one of shape ``target``, repeating dimensions of size 1 by steps of 0."""
    extra = len(target) - len(shape)
    if extra < 0 or any(n not in (1, want) for n, want in zip(shape, target[extra:], strict=True)):
        raise ValueError(f"operands could not be broadcast together with shapes {tuple(shape)} {tuple(target)}")
    return (0,) * extra + tuple([s if n == want else 0 for n, s, want in zip(shape, steps, target[extra:], strict=True)])


def reshaped_steps(shape: Sequence[int], steps: Sequence[int], target: Sequence[int]) -> tuple[int, ...] | None:
    """Steps that show the same memory in another shape, or None where only a copy can.

    Both shapes are cut into the smallest groups of dimensions with equal products; a group is a view if its old
    dimensions are evenly spaced (numpy's ``attempt_nocopy_reshape``).
    """
    old = [(n, s) for n, s in zip(shape, steps, strict=True) if n != 1]
    out: list[int] = []
    i = j = 0
    while j < len(target):
        if i == len(old):  # only sizes of 1 are left
            out.append(1)
            j += 1
            continue
        first, end, have, want = j, i + 1, old[i][0], target[j]
        j += 1
        while have != want:
            if have < want:
                have *= old[end][0]
                end += 1
            else:
                want *= target[j]
                j += 1
        if any(old[k][1] != old[k + 1][0] * old[k + 1][1] for k in range(i, end - 1)):
            return None
        step = old[end - 1][1]
        part = []
        for n in reversed(target[first:j]):
            part.append(step)
            step *= n
        out += reversed(part)
        i = end
    return tuple(out)


def collapsed(shape: Sequence[int], *all_steps: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """The fewest dimensions that visit the same elements: sizes of 1 go, neighbours that lie evenly are made one.

    Also sorts: the largest steps of the first operand come first, so that the order follows the memory.
    """
    order = sorted((d for d, n in enumerate(shape) if n != 1), key=lambda d: -abs(all_steps[0][d]))
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in all_steps]
    for d in order:
        n = shape[d]
        if sizes and all(mine[-1] == n * given[d] for mine, given in zip(steps, all_steps, strict=True)):
            sizes[-1] *= n
            for mine, given in zip(steps, all_steps, strict=True):
                mine[-1] = given[d]
        else:
            sizes.append(n)
            for mine, given in zip(steps, all_steps, strict=True):
                mine.append(given[d])
    return sizes, steps
