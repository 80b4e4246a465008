"""Device memory: new arrays, copies of numpy arrays, and arrays that lie as a kernel wants them."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...base.errors import message
from .array import Array
from .layout import Shape, axes_of
from .runtime import Runtime


class CTypes(dict[str, str]):
    """How OpenCL C stores an element, by numpy's dtype.char."""

    def __missing__(self, char: str) -> str:
        what = "bfloat16" if char == "E" else f"arrays of numpy's type '{char}'"
        fix = "stay on the CPU, or convert first: x.float(), x.half()"
        raise TypeError(message(f"the OpenCL backend has no {what}", fix=fix))


C_TYPES = CTypes({"f": "float", "d": "double", "e": "half", "b": "char", "h": "short", "i": "int",
                  "l": "long", "q": "long", "B": "uchar", "?": "uchar"})  # fmt: skip


def empty(runtime: Runtime, shape: Shape, dtype: np.dtype, steps: Shape | None = None) -> Array:
    """An array of whatever the memory held: row by row, or with ``steps`` that leave no gaps."""
    return Array(runtime, None, dtype, shape, steps)


def upload(runtime: Runtime, array: np.ndarray) -> Array:
    """A copy of a numpy array, its dimensions in the same order in memory."""
    C_TYPES[array.dtype.char]  # raises for a type that it does not hold
    order = None
    if array.ndim > 1 and not array.flags.c_contiguous:
        order = sorted(range(array.ndim), key=lambda d: -abs(array.strides[d]))
        array = array.transpose(order)
    array = np.ascontiguousarray(array).reshape(array.shape)
    out = empty(runtime, array.shape, array.dtype.newbyteorder("="))
    if array.size:
        try:
            runtime.cl.enqueue_copy(runtime.queue, out.buffer, array)
        except runtime.cl.Error as error:
            raise runtime.failed("writing an array", error) from None
    if order is None:
        return out
    back = sorted(range(len(order)), key=order.__getitem__)
    shape, steps = (tuple([v[d] for d in back]) for v in (out.shape, out.steps))
    return Array(runtime, out.buffer, out.dtype, shape, steps)


def contiguous(x: Array) -> Array:
    """x row by row, beginning anywhere in its buffer: itself, or a copy."""
    return x if x.flat else x.copy()


def whole(x: Array) -> Array:
    """x row by row from the beginning of its buffer: itself, or a copy."""
    return x if x.flat and not x.at else x.copy()


def concatenate(arrays: Iterable[Array], axis: int = 0) -> Array:
    """numpy's concatenate."""
    arrays = list(arrays)
    first = arrays[0]
    d = np.result_type(*[a.dtype for a in arrays])
    (axis,) = axes_of(axis, first.ndim)
    before, after = first.shape[:axis], first.shape[axis + 1 :]
    for a in arrays:
        if a.ndim != first.ndim or a.shape[:axis] != before or a.shape[axis + 1 :] != after:
            what = "all the input array dimensions except for the concatenation axis"
            raise ValueError(f"{what} must match exactly")
    out = empty(first.runtime, (*before, sum(a.shape[axis] for a in arrays), *after), d)
    start = out.at
    for a in arrays:
        region = out.view_of((*before, a.shape[axis], *after), out.steps, start)
        first.dev.copied(a, out=region)
        start += a.shape[axis] * out.steps[axis]
    return out
