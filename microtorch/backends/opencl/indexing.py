"""``x[index]`` and ``x[index] = v`` on device arrays, with numpy's meaning.

Integers, slices, None and ... give a view. With index arrays (or masks, turned into index arrays)
the place of each element in memory is computed on the device (kernel ``offsets``, which also finds
indices out of range), and the elements are read or written there. Index arrays on the host, such as
the user's lists, are copied to the device.
"""
from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from ...arrays.dtypes import BOOL, I64
from .array import Array, Index, Operand
from .layout import Shape, collapsed, in_order
from .memory import C_TYPES, empty, upload, whole
from .reduce import argsort, scan
from .runtime import Kernel, Runtime, once, text_of

IndexArray: TypeAlias = "Array | np.ndarray"


# ---- the index -----------------------------------------------------------------------------------
def expanded(index: Index, ndim: int) -> list[Any]:
    """The index as a list, with ... spelt out and whole slices at the end."""
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(_uses(p) for p in parts)
    dots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if used > ndim:
        what = f"array is {ndim}-dimensional, but {used} were indexed"
        raise IndexError(f"too many indices for array: {what}")
    at = dots[0] if dots else len(parts)
    return parts[:at] + [slice(None)] * (ndim - used) + parts[at + len(dots) :]


def _uses(part: Any) -> int:
    """How many dimensions of the array a part of an index speaks of."""
    if part is None or part is Ellipsis:
        return 0
    d = getattr(part, "dtype", None)
    return int(part.ndim) if d is not None and d == BOOL else 1


def is_number(part: object) -> bool:
    return isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_))


def is_advanced(index: Index) -> bool:
    """Does the index hold an array, a mask or a list?"""
    parts = index if isinstance(index, tuple) else (index,)
    return not all(p is None or p is Ellipsis or isinstance(p, slice) or is_number(p)
                   for p in parts)  # fmt: skip


def basic(x: Array, parts: list[Any]) -> tuple[Array, list[tuple[int, IndexArray]]]:
    """The view that the basic parts make, and what is left: (dimension of it, index array)."""
    shape: list[int] = []
    steps: list[int] = []
    at, d = x.at, 0
    arrays: list[tuple[int, IndexArray]] = []
    for part in parts:
        if part is None:
            shape.append(1)
            steps.append(0)
            continue
        if isinstance(part, slice):
            start, stop, step = part.indices(x.shape[d])
            n = len(range(start, stop, step))
            at += start * x.steps[d] if n else 0
            shape.append(n)
            steps.append(x.steps[d] * step)
            d += 1
            continue
        if is_number(part):
            n = x.shape[d]
            if not -n <= part < n:
                raise IndexError(f"index {int(part)} is out of bounds for axis {d} with size {n}")
            at += (int(part) % n) * x.steps[d]
            d += 1
            continue
        array = part if isinstance(part, Array) else np.asarray(part)
        if array.dtype == BOOL:
            found = _where(x, array, d)
        elif array.dtype.kind in "iu":
            found = (array,)
        else:
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
        for indices in found:
            arrays.append((len(shape), indices))
            shape.append(x.shape[d])
            steps.append(x.steps[d])
            d += 1
    return x.view_of(shape, steps, at), arrays


def _where(x: Array, mask: IndexArray, d: int) -> tuple[IndexArray, ...]:
    """The index arrays that a mask of dimensions d, d + 1, ... stands for."""
    if mask.shape != x.shape[d : d + mask.ndim]:
        size = mask.shape[0] if mask.ndim else 0
        raise IndexError(
            f"boolean index did not match indexed array along axis {d}; size of axis is "
            f"{x.shape[d]} but size of corresponding boolean axis is {size}"
        )
    return nonzero(mask if isinstance(mask, Array) else upload(x.runtime, mask))


class Places:
    """Where the elements of an advanced index lie: ``places`` (of the index arrays' shape), and the
    dimensions that are not indexed. ``simple``: can the kernels walk through the latter?"""

    def __init__(self, x: Array, index: Index):
        parts = expanded(index, x.ndim)
        # an integer beside index arrays counts as one of them (it decides where the dimensions of
        # the result come)
        parts = [np.asarray(p) if is_number(p) else p for p in parts]
        view, arrays = basic(x, parts)
        self.shape: Shape = np.broadcast_shapes(*[a.shape for _, a in arrays])
        dims = [d for d, _ in arrays]
        self.rest = [d for d in range(view.ndim) if d not in dims]
        # numpy: index arrays that stand together are replaced where they stand, others in front
        together = dims == list(range(dims[0], dims[0] + len(dims)))
        self.front = sum(1 for d in self.rest if d < dims[0]) if together else 0
        self.rest_shape = tuple([view.shape[d] for d in self.rest])
        rest_steps = [view.steps[d] for d in self.rest]
        self.view, self.count = view, math.prod(self.shape)
        sizes, (steps,) = collapsed(self.rest_shape, rest_steps)
        self.simple = len(sizes) <= 2 and in_order(self.rest_shape, rest_steps)
        sizes, steps = [1] * (2 - len(sizes)) + sizes, [0] * (2 - len(steps)) + steps
        self.geometry = (sizes[0], sizes[1], steps[0], steps[1])
        if self.count and self.simple:
            self.places = empty(x.runtime, self.shape, I64)
            self._compute(x.runtime, arrays)

    def _compute(self, runtime: Runtime, arrays: list[tuple[int, IndexArray]]) -> None:
        first, doubtful = 1, any(isinstance(array, Array) for _, array in arrays)
        bad = upload(runtime, np.zeros(2, np.int32)) if doubtful else self.places
        for d, array in arrays:
            n, step = self.view.shape[d], self.view.steps[d]
            if isinstance(array, np.ndarray):
                if array.size and not (-n <= array.min() and array.max() < n):
                    wrong = int(array.max() if array.max() >= n else array.min())
                    raise IndexError(f"index {wrong} is out of bounds for axis {d} with size {n}")
                array = upload(runtime, array.astype(np.int64))
            array = whole(array.expand(self.shape))
            buffers = array.buffer, self.places.buffer, bad.buffer
            offsets = kernel(runtime, "offsets", array.dtype)
            offsets((self.count,), (64,), self.count, n, step, first, *buffers)
            first = 0
        if doubtful:
            found, value = bad.get()
            if found:
                sizes = [self.view.shape[d] for d, _ in arrays]
                what = f"out of bounds for an indexed dimension of sizes {sizes}"
                raise IndexError(f"index {value} is {what}")

    def move(self, inverse: bool = False) -> list[int]:
        """The permutation from (index dimensions, rest) to the result's order, or back."""
        k, end = len(self.shape), len(self.shape) + len(self.rest)
        order = [*range(k, k + self.front), *range(k), *range(k + self.front, end)]
        return sorted(range(len(order)), key=order.__getitem__) if inverse else order

    @property
    def result_shape(self) -> Shape:
        return self.rest_shape[: self.front] + self.shape + self.rest_shape[self.front :]


@once
def kernel(runtime: Runtime, name: str, dtype: np.dtype) -> Kernel:
    """Kernel ``name`` of indexing.cl for elements (``offsets``: for indices) of a dtype."""
    c = C_TYPES[dtype.char]
    stored = "short" if c == "half" else c  # elements are only moved: float16 is never added here
    t, index = ("float", c) if name == "offsets" else (stored, "long")
    text = f"#define T {t}\n#define ACC {t}\n#define INDEX {index}\n{text_of('indexing')}"
    return runtime.kernel(text, name, {"add_runs": "index_add"}.get(name, name))


# ---- reading and writing -------------------------------------------------------------------------
def read(x: Array, index: Index) -> Array:
    """x[index]: a view, or with index arrays a copy. Raises IndexError as numpy does."""
    if not is_advanced(index):
        return basic(x, expanded(index, x.ndim))[0]
    where = Places(x, index)
    if not where.simple:
        x = x.copy()
        where = Places(x, index)
        if not where.simple:
            return _by_copy(x, index)
    na, nb, sa, sb = where.geometry
    out = empty(x.runtime, where.shape + where.rest_shape, x.dtype)
    if out.size:
        buffers = x.buffer, where.view.at, where.places.buffer, out.buffer
        take = kernel(x.runtime, "take", x.dtype)
        take((na * nb, where.count), (64, 1), na, nb, sa, sb, *buffers)
    return out if not where.front else out.transpose(where.move()).copy()


def _by_copy(x: Array, index: Index) -> Array:
    """Index arrays on a dimension between others: the indexed dimensions first, in memory, too."""
    parts = expanded(index, x.ndim)
    dims: list[int] = []
    d = 0
    for p in parts:
        n = 0 if p is None else _uses(p)
        if n and not isinstance(p, slice):
            dims += range(d, d + n)
        d += n
    order = [*dims, *(i for i in range(x.ndim) if i not in dims)]
    back = sorted(range(x.ndim), key=order.__getitem__)
    return read(x.transpose(order).copy().transpose(back), index)


def write(x: Array, index: Index, value: Operand) -> None:
    """x[index] = value."""
    if is_advanced(index):
        scatter(x, index, value, add=False)
        return
    if not isinstance(value, (Array, bool, int, float)):
        value = upload(x.runtime, np.asarray(value, x.dtype))
    x.dev.copied(value, out=basic(x, expanded(index, x.ndim))[0])


def scatter(x: Array, index: Index, value: Operand, add: bool) -> None:
    """x[index] = value or, with every element named twice counted twice, x[index] += value, in x's
    memory."""
    if not is_advanced(index):
        target = basic(x, expanded(index, x.ndim))[0]
        (x.dev.add(target, value, out=target) if add else x.dev.copied(value, out=target))
        return
    where = Places(x, index)
    if not isinstance(value, Array):
        value = upload(x.runtime, np.asarray(value, x.dtype))
    if not where.simple:  # too many separate dimensions: by way of a copy with fewer
        if x.flat:
            what = f"an index of {x.ndim} dimensions that are not neighbours"
            raise RuntimeError(f"opencl: writing at {what} is not supported")
        copy = x.copy()
        scatter(copy, index, value, add)
        x.dev.copied(copy, out=x)
        return
    shape = where.result_shape
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value.reshape(value.shape[1:])
    try:
        value = value.expand(shape)
    except ValueError:
        raise ValueError(
            f"shape mismatch: value array of shape {value.shape} could not be broadcast to "
            f"indexing result of shape {shape}"
        ) from None
    if not value.size:
        return
    if where.front:
        value = value.transpose(where.move(inverse=True))
    value = whole(value.astype(x.dtype, copy=False))
    na, nb, sa, sb = where.geometry
    size, local = (na * nb, where.count), (64, 1)
    target_at = x.buffer, where.view.at, where.places.buffer
    if not add:
        put = kernel(x.runtime, "put", x.dtype)
        put(size, local, na, nb, sa, sb, *target_at, value.buffer, na * nb, 1)
        return
    if x.dtype.char == "e":
        what = "adding at an index in float16 is not supported"
        raise RuntimeError(f"opencl: {what}; use x.float()")
    order = argsort(where.places.reshape(-1), 0)
    buffers = *target_at, order.buffer, value.buffer
    add_runs = kernel(x.runtime, "add_runs", x.dtype)
    add_runs(size, local, na, nb, sa, sb, where.count, *buffers, na * nb, 1)


def gather_index(index: Array, dim: int) -> tuple[IndexArray, ...]:
    """The index of the elements that ``gather(dim, index)`` reads: ``index`` along ``dim``, an
    element's own place elsewhere."""
    if not index.ndim:
        return (index,)
    places: list[IndexArray] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def nonzero(x: Array) -> tuple[Array, ...]:
    """The indices of the elements that are not 0, one int64 array per dimension. Waits for the
    device: it must count."""
    flags = (x if x.dtype == BOOL else x.dev.ne(x, 0)).reshape(-1)
    runtime = x.runtime
    if not x.size:
        return tuple(empty(runtime, (0,), I64) for _ in range(max(x.ndim, 1)))
    counts = scan(flags, "sum", 0)
    n = counts[-1].item()
    flat = empty(runtime, (n,), I64)
    if n:
        compact = kernel(runtime, "compact", BOOL)
        compact((x.size,), (64,), x.size, counts.buffer, flat.buffer)
    if x.ndim < 2:
        return (flat,)
    inner = [math.prod(x.shape[d + 1 :]) for d in range(x.ndim)]
    return tuple(flat // step % size for step, size in zip(inner, x.shape, strict=True))
