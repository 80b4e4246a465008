"""The operations of ONNX that move elements, pick some by index, or make tensors of numbers.

They enter themselves into the table of onnx_ops.py, as that file describes.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..create.counted import arange
from ..create.data import from_numpy
from ..create.filled import full, ones, zeros
from ..handles.tensor import Tensor
from ..ops.join import cat
from ..ops.select import where
from .onnx_ops import cast, ints, op

if TYPE_CHECKING:
    from ..base.types import Operand


# ---- shapes --------------------------------------------------------------------------------------
@op("Shape")
def _shape(x: Operand, *, start: int = 0, end: Operand = None) -> Operand:
    return from_numpy(np.array(x.shape[slice(start, end)], np.int64))


@op("Reshape")
def _reshape(x: Operand, shape: Operand, *, allowzero: int = 0) -> Operand:
    sizes = ints(shape)
    if not allowzero:
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return x.reshape(sizes)


@op("Flatten")
def _flatten(x: Operand, *, axis: int) -> Operand:
    rows = math.prod(x.shape[: axis if axis >= 0 else x.ndim + axis])
    return x.reshape(rows, math.prod(x.shape) // rows if rows else -1)


@op("Transpose")
def _transpose(x: Operand, *, perm: Operand = None) -> Operand:
    return x.permute(*(reversed(range(x.ndim)) if perm is None else ints(perm)))


@op("Unsqueeze")
def _unsqueeze(x: Operand, axes: Operand) -> Operand:
    n = x.ndim + len(ints(axes))
    for d in sorted(d % n for d in ints(axes)):
        x = x.unsqueeze(d)
    return x


@op("Squeeze")
def _squeeze(x: Operand, axes: Operand = None) -> Operand:
    if axes is None:
        return x.squeeze()
    for d in sorted((d % x.ndim for d in ints(axes)), reverse=True):
        x = x.squeeze(d)
    return x


@op("Concat")
def _concat(*xs: Operand, axis: int = 1) -> Operand:
    d = axis % xs[0].ndim
    return cat([x for x in xs if x.numel() or x.ndim > 1] or [*xs], d)


@op("Expand")
def _expand(x: Operand, shape: Operand) -> Operand:
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(ints(shape))))


@op("Tile")
def _tile(x: Operand, repeats: Operand, *more: Operand) -> Operand:
    if more:  # the first version: how often, and along which dimension
        times = [1] * x.ndim
        times[int(more[0].item())] = int(repeats.item())
        return x.repeat(*times)
    return x.repeat(*ints(repeats)) if x.ndim else x.clone()


@op("Split")
def _split(
    x: Operand, split: Operand = None, *, axis: int = 0, num_outputs: Operand = None,
    outputs: int = 1,
) -> Operand:  # fmt: skip
    if split is not None:
        return x.split(ints(split), axis)
    n, total = num_outputs or outputs, x.shape[axis]
    size = -(-total // n)
    return x.split([min(size, total - i * size) for i in range(n)], axis)


@op("Slice")
def _slice(
    x: Operand, starts: Operand, ends: Operand, axes: Operand = None, steps: Operand = None
) -> Operand:
    first, last = ints(starts), ints(ends)
    dims = [*range(len(first))] if axes is None else ints(axes)
    by = [1] * len(first) if steps is None else ints(steps)
    for start, end, axis, step in zip(first, last, dims, by, strict=True):
        n = x.shape[axis]
        taken = range(n)[slice(start, end if end >= -n or step > 0 else None, step)]
        if step == 1:
            x = x.narrow(axis, taken.start if len(taken) else 0, len(taken))
        else:
            x = x.index_select(axis, from_numpy(np.array(taken, np.int64)))
    return x


@op("Trilu")
def _trilu(x: Operand, k: Operand = None, *, upper: int) -> Operand:
    n = 0 if k is None else int(k.item())
    return x.triu(n) if upper else x.tril(n)


@op("Pad")
def _pad(
    x: Operand, pads: Operand = None, value: Operand = None, axes: Operand = None, *,
    mode: str = "constant", paddings: Operand = None,
) -> Operand:  # fmt: skip
    borders = ints(pads if pads is not None else paddings)
    dims = [*range(x.ndim)] if axes is None else [d % x.ndim for d in ints(axes)]
    n = len(dims)
    fill = value if not isinstance(value, Tensor) else value.item()
    for i, d in enumerate(dims):
        before, after, size = borders[i], borders[n + i], x.shape[d]
        low, high = max(-before, 0), max(-after, 0)  # less than nothing is cut off
        x = x.narrow(d, low, size - low - high)
        before, after, size = max(before, 0), max(after, 0), x.shape[d]
        if mode == "constant" and (before or after):
            sides = [
                full([m if j == d else k for j, k in enumerate(x.shape)], fill or 0, dtype=x.dtype)
                for m in (before, after)
            ]
            x = cat([sides[0], x, sides[1]], d)
        elif before or after:
            places = np.arange(-before, size + after)
            if mode == "reflect":
                places = np.abs((places - (size - 1)) % max(2 * (size - 1), 1) - (size - 1))
            elif mode == "wrap":
                places %= size
            else:
                places = places.clip(0, size - 1)
            x = x.index_select(d, from_numpy(places))
    return x.clone()


# ---- by index ------------------------------------------------------------------------------------
def _wrapped(index: Operand, n: int) -> Operand:
    """Indices that may count from the end, as those from the start."""
    index = index.long()
    return where(index < 0, index + n, index)


@op("Gather")
def _gather(x: Operand, index: Operand, *, axis: int) -> Operand:
    axis %= x.ndim
    flat = _wrapped(index, x.shape[axis]).reshape(-1)
    return x.index_select(axis, flat).reshape(
        (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    )


@op("GatherElements")
def _gather_elements(x: Operand, index: Operand, *, axis: int) -> Operand:
    return x.gather(axis, _wrapped(index, x.shape[axis]))


def _places(x: Operand, index: Operand, batch: int = 0) -> tuple[Operand, ...]:
    """Tuples of indices along the last dimension, as indices of x."""
    last = index.shape[-1]
    lead = [
        arange(n).reshape([-1 if i == d else 1 for i in range(index.ndim - 1)])
        for d, n in enumerate(x.shape[:batch])
    ]
    return (*lead, *[_wrapped(index[..., i], x.shape[batch + i]) for i in range(last)])


@op("GatherND")
def _gather_nd(x: Operand, index: Operand, *, batch_dims: int = 0) -> Operand:
    return x[_places(x, index, batch_dims)]


@op("ScatterND")
def _scatter_nd(x: Operand, index: Operand, updates: Operand, *, reduction: str) -> Operand:
    at, out = _places(x, index), x.clone()
    if reduction in ("none", "add"):
        return out.index_put(at, updates, accumulate=reduction == "add")
    n = int(np.prod(index.shape[:-1], dtype=int))
    flat, changes = [i.reshape(-1) for i in at], updates.reshape(n, *x.shape[index.shape[-1] :])
    pair = {"mul": Tensor.mul, "max": Tensor.maximum, "min": Tensor.minimum}[reduction]
    for i in range(n):
        one = tuple([f[i : i + 1] for f in flat])
        out = out.index_put(one, pair(out[one], changes[i : i + 1]))
    return out


@op("ScatterElements", "Scatter")
def _scatter(
    x: Operand, index: Operand, updates: Operand, *, axis: int, reduction: str = "none"
) -> Operand:
    at = _wrapped(index, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, at, updates)
    name = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}[reduction]
    return x.scatter_reduce(axis, at, updates, reduce=name)


@op("Compress")
def _compress(x: Operand, condition: Operand, *, axis: Operand = None) -> Operand:
    x, d = (x.reshape(-1), 0) if axis is None else (x, axis)
    return x.index_select(d, condition.nonzero().reshape(-1))


@op("OneHot")
def _one_hot(index: Operand, depth: Operand, values: Operand, *, axis: int) -> Operand:
    n = int(depth.reshape(-1)[0].item())
    d = axis % (index.ndim + 1)
    places = arange(n).reshape([-1 if i == d else 1 for i in range(index.ndim + 1)])
    hit = _wrapped(index, n).unsqueeze(d) == places
    return where(hit, values[1], values[0])


# ---- made of numbers -----------------------------------------------------------------------------
@op("ConstantOfShape")
def _constant_of_shape(shape: Operand, *, value: Operand = None) -> Operand:
    sizes = ints(shape)
    if value is None:
        return zeros(sizes)
    import onnx

    one = from_numpy(onnx.numpy_helper.to_array(value).copy())
    return full(sizes, one.item(), dtype=one.dtype)


@op("Range")
def _range(start: Operand, limit: Operand, delta: Operand, *, stash_type: int = 1) -> Operand:
    a, b, step = start.item(), limit.item(), delta.item()
    return (arange(max(math.ceil((b - a) / step), 0)) * delta + start).to(start.dtype)


@op("EyeLike")
def _eye_like(x: Operand, *, dtype: Operand = None, k: int = 0) -> Operand:
    found = ones(x.shape).triu(k).tril(k)
    return found.to(x.dtype) if dtype is None else cast(found, to=dtype)
