"""``x[index]`` and ``x[index] = v`` on device arrays, with numpy's meaning.

Integers, slices, None and ... give a view. With index arrays (or masks, turned into index arrays) the place of each element
in memory is computed on the device (kernel ``offsets``, which also finds indices out of range), and the elements are read or
written there. Index arrays on the host, such as the user's lists, are copied to the device.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from .array import Array, collapsed
from .elementwise import BOOL, C_TYPES, empty, upload
from .reduce import argsort, in_order, scan
from .runtime import Kernel, Runtime, text_of

I64 = np.dtype(np.int64)


# ---- the index -----------------------------------------------------------------------------------------------------
def expanded(index: Any, ndim: int) -> list[Any]:
    """The index as a list with ... spelt out and whole slices at the end; masks and lists as index arrays."""
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(_uses(p) for p in parts)
    dots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if used > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-dimensional, but {used} were indexed")
    at = dots[0] if dots else len(parts)
    return parts[:at] + [slice(None)] * (ndim - used) + parts[at + len(dots) :]


def _uses(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    d = getattr(part, "dtype", None)
    return part.ndim if d is not None and d == BOOL else 1


def basic(x: Array, parts: list[Any]) -> tuple[Array, list[tuple[int, Any]]]:
    """The view that the basic parts make, and the (dimension of it, index array) pairs that are left."""
    shape: list[int] = []
    steps: list[int] = []
    at, d = x.at, 0
    arrays: list[tuple[int, Any]] = []
    for part in parts:
        if part is None:
            shape.append(1)
            steps.append(0)
        elif isinstance(part, slice):
            start, stop, step = part.indices(x.shape[d])
            n = len(range(start, stop, step))
            at += start * x.steps[d] if n else 0
            shape.append(n)
            steps.append(x.steps[d] * step)
            d += 1
        elif isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_)):
            n = x.shape[d]
            if not -n <= part < n:
                raise IndexError(f"index {int(part)} is out of bounds for axis {d} with size {n}")
            at += (int(part) % n) * x.steps[d]
            d += 1
        else:
            array = part if isinstance(part, Array) else np.asarray(part)
            if array.dtype == BOOL:
                if array.shape != x.shape[d : d + array.ndim]:
                    raise IndexError(
                        f"boolean index did not match indexed array along axis {d}; size of axis is {x.shape[d]} but size of "
                        f"corresponding boolean axis is {array.shape[0] if array.ndim else 0}"
                    )
                for found in nonzero(array if isinstance(array, Array) else upload(x.runtime, array)):
                    arrays.append((len(shape), found))
                    shape.append(x.shape[d])
                    steps.append(x.steps[d])
                    d += 1
                continue
            if array.dtype.kind not in "iu":
                raise IndexError("arrays used as indices must be of integer (or boolean) type")
            arrays.append((len(shape), array))
            shape.append(x.shape[d])
            steps.append(x.steps[d])
            d += 1
    return x.view_of(shape, steps, at), arrays


class Places:
    """Where the elements of an advanced index lie: ``places`` (index shape), and the dimensions that are not indexed."""

    def __init__(self, x: Array, index: Any):
        parts = expanded(index, x.ndim)
        # an integer beside index arrays counts as one of them (it decides where the dimensions of the result come)
        parts = [np.asarray(p) if isinstance(p, (int, np.integer)) and not isinstance(p, bool) else p for p in parts]
        view, arrays = basic(x, parts)
        runtime = x.runtime
        self.shape = np.broadcast_shapes(*[a.shape for _, a in arrays])
        dims = [d for d, _ in arrays]
        self.rest = [d for d in range(view.ndim) if d not in dims]
        # numpy: where the index arrays stand together the new dimensions stand in their place, else in front
        together = dims == list(range(dims[0], dims[0] + len(dims)))
        self.front = sum(1 for d in self.rest if d < dims[0]) if together else 0
        self.rest_shape = tuple([view.shape[d] for d in self.rest])
        rest_steps = [view.steps[d] for d in self.rest]
        self.view, self.count = view, int(np.prod(self.shape))
        sizes, (steps,) = collapsed(self.rest_shape, rest_steps)
        self.simple = len(sizes) <= 2 and in_order(self.rest_shape, rest_steps)
        sizes, steps = [1] * (2 - len(sizes)) + sizes, [0] * (2 - len(steps)) + steps
        self.geometry = (sizes[0], sizes[1], steps[0], steps[1])
        if self.count and self.simple:
            self.places = empty(runtime, self.shape, I64)
            self._compute(runtime, arrays)

    def _compute(self, runtime: Runtime, arrays: list[tuple[int, Any]]) -> None:
        first, doubtful = 1, any(isinstance(array, Array) for _, array in arrays)
        bad = upload(runtime, np.zeros(2, np.int32)) if doubtful else self.places
        for d, array in arrays:
            n = self.view.shape[d]
            if isinstance(array, np.ndarray):
                if array.size and not (-n <= array.min() and array.max() < n):
                    wrong = array.max() if array.max() >= n else array.min()
                    raise IndexError(f"index {int(wrong)} is out of bounds for axis {d} with size {n}")
                array = upload(runtime, array.astype(np.int64))
            array = array.expand(self.shape)
            array = array if array.flat and not array.at else array.copy()
            kernel = built(runtime, "offsets", "iiiibbb", array.dtype)
            kernel((self.count,), (64,), self.count, n, self.view.steps[d], first, array.buffer, self.places.buffer, bad.buffer)
            first = 0
        if doubtful:
            found, value = bad.get()
            if found:
                sizes = [self.view.shape[d] for d, _ in arrays]
                raise IndexError(f"index {value} is out of bounds for an indexed dimension of sizes {sizes}")

    def move(self, shape: tuple[int, ...], inverse: bool = False) -> list[int]:
        """The permutation from (index dims, rest) to the result's order, or back."""
        k = len(self.shape)
        order = [*range(k, k + self.front), *range(k), *range(k + self.front, k + len(self.rest))]
        return sorted(range(len(order)), key=order.__getitem__) if inverse else order

    @property
    def result_shape(self) -> tuple[int, ...]:
        return self.rest_shape[: self.front] + self.shape + self.rest_shape[self.front :]


def built(runtime: Runtime, name: str, signature: str, dtype: Any) -> Kernel:
    key = (name, dtype.char)
    kernel = runtime.built.get(key)
    if kernel is None:
        c = C_TYPES[dtype.char]
        stored = "short" if c == "half" else c  # elements are only moved; float16 is added in add_runs' caller, as float32
        t, index = ("float", c) if name == "offsets" else (stored, "long")
        text = f"#define T {t}\n#define ACC {t}\n#define INDEX {index}\n{text_of('indexing')}"
        kernel = runtime.built[key] = runtime.kernel(text, name, signature, {"add_runs": "index_add"}.get(name, name))
    return kernel


def is_advanced(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(not (p is None or p is Ellipsis or isinstance(p, slice)
                    or (isinstance(p, (int, np.integer)) and not isinstance(p, (bool, np.bool_)))) for p in parts)  # fmt: skip


# ---- reading and writing -------------------------------------------------------------------------------------------
def read(x: Array, index: Any) -> Array:
    """x[index]: a view, or with index arrays a copy. Raises IndexError as numpy does."""
    if not is_advanced(index):
        return basic(x, expanded(index, x.ndim))[0]
    where = Places(x, index)
    if not where.simple:
        x = x.copy()
        where = Places(x, index)
        if not where.simple:
            return _by_copy(x, index)
    runtime, (na, nb, sa, sb) = x.runtime, where.geometry
    out = empty(runtime, where.shape + where.rest_shape, x.dtype)
    if out.size:
        kernel = built(runtime, "take", "iiiibibb", x.dtype)
        kernel((na * nb, where.count), (64, 1), na, nb, sa, sb, x.buffer, where.view.at, where.places.buffer, out.buffer)
    return out if not where.front else out.transpose(where.move(out.shape)).copy()


def _by_copy(x: Array, index: Any) -> Array:
    """Index arrays on a dimension between others: the indexed dimensions first, in memory, too."""
    parts = expanded(index, x.ndim)
    dims = []
    d = 0
    for p in parts:
        n = 0 if p is None else _uses(p)
        if n and not isinstance(p, slice):
            dims += range(d, d + n)
        d += n
    order = [*dims, *(i for i in range(x.ndim) if i not in dims)]
    back = sorted(range(x.ndim), key=order.__getitem__)
    return read(x.transpose(order).copy().transpose(back), index)


def write(x: Array, index: Any, value: Any) -> None:
    """x[index] = value."""
    if not is_advanced(index):
        target = basic(x, expanded(index, x.ndim))[0]
        x.dev.copied(value if isinstance(value, Array) else _number(x, value), out=target)
        return
    scatter(x, index, value, add=False)


def _number(x: Array, value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    return upload(x.runtime, np.asarray(value, x.dtype))


def scatter(x: Array, index: Any, value: Any, add: bool) -> None:
    """x[index] = value or, with every element named twice counted twice, x[index] += value, in x's memory."""
    if not is_advanced(index):
        target = basic(x, expanded(index, x.ndim))[0]
        (x.dev.add(target, value, out=target) if add else x.dev.copied(value, out=target))
        return
    runtime = x.runtime
    where = Places(x, index)
    if not isinstance(value, Array):
        value = upload(runtime, np.asarray(value, x.dtype))
    if not where.simple:  # too many separate dimensions: by way of a copy with fewer
        if x.flat:
            raise RuntimeError(f"opencl: writing at an index of {x.ndim} dimensions that are not neighbours is not supported")
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
            f"shape mismatch: value array of shape {value.shape} could not be broadcast to indexing result of shape {shape}"
        ) from None
    if not value.size:
        return
    if where.front:
        value = value.transpose(where.move(shape, inverse=True))
    value = value.astype(x.dtype, copy=False)
    value = value if value.flat else value.copy()
    if value.at:
        value = value.copy()
    na, nb, sa, sb = where.geometry
    size = ((na * nb, where.count), (64, 1))
    if not add:
        kernel = built(runtime, "put", "iiiibibbii", x.dtype)
        kernel(*size, na, nb, sa, sb, x.buffer, where.view.at, where.places.buffer, value.buffer, na * nb, 1)
        return
    if x.dtype.char == "e":
        raise RuntimeError("opencl: adding at an index in float16 is not supported; use x.float()")
    order = argsort(where.places.reshape(-1), 0)
    kernel = built(runtime, "add_runs", "iiiiibibbbii", x.dtype)
    kernel(*size, na, nb, sa, sb, where.count, x.buffer, where.view.at, where.places.buffer, order.buffer, value.buffer, na * nb, 1)


def along(index: Array, dim: int) -> tuple[Any, ...]:
    """The index of the elements that ``gather(dim, index)`` reads: ``index`` along ``dim``, an element's own place elsewhere."""
    if not index.ndim:
        return (index,)
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def nonzero(x: Array) -> tuple[Array, ...]:
    """The indices of the elements that are not 0, one int64 array per dimension. Waits for the device: it must count."""
    flags = (x if x.dtype == BOOL else x.dev.ne(x, 0)).reshape(-1)
    runtime = x.runtime
    if not x.size:
        return tuple(empty(runtime, (0,), I64) for _ in range(max(x.ndim, 1)))
    counts = scan(flags, "sum", 0)
    n = counts[-1].item()
    flat = empty(runtime, (n,), I64)
    if n:
        built(runtime, "compact", "ibb", BOOL)((x.size,), (64,), x.size, counts.buffer, flat.buffer)
    if x.ndim < 2:
        return (flat,)
    out, dev = [], x.dev
    for d in range(x.ndim):
        inner = int(np.prod(x.shape[d + 1 :]))
        out.append(dev.remainder(dev.floor_divide(flat, inner), x.shape[d]))
    return tuple(out)

