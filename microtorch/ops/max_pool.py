"""Maxima over windows of any number of dimensions, found as places: 3-d, adaptive, fractional.

A window of a box is a window along each dimension. So the place of a box's maximum is found one
dimension after the other, the last one first: of each row the place of the maximum, then of those
rows, and so on. That keeps PyTorch's order: of equal elements the first one counts, of NaNs the
last. All windows along a dimension are one table of indices, ``taps`` (count, width).

With the places known, each of these poolings reads at places, and its derivative adds up there:

    out[n, c, i] = x[n, c, place[n, c, i]]           place: int64, in the flattened (D, H, W)

``max_unpool`` writes at places. 2-d windows on a grid have kernels of their own (pool_ops.py).
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import unwrap
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..backends import cpu
from ..backends.table import defines
from ..base.errors import ShapeError, describe, message
from ..base.naming import named
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.record import constant
from ..engine.whole import on_arrays
from .pool import check, geometry_of, max_pool1d, max_pool2d, target_size
from .pool_ops import bins
from .windows import from_images, numbers, to_images

if TYPE_CHECKING:
    from ..base.types import (
        Argument,
        Array,
        Attrs,
        Gradient,
        Namespace,
        Operand,
        Pair,
        Pooled,
        Shape,
    )
    from ..handles.tensor import Tensor
    from .pool import TargetSize

F = TypeVar("F", bound=Callable[..., Any])


# ---- the ops -------------------------------------------------------------------------------------
def _read(F: Namespace, x: Array, place: Array, **windows: Pair) -> Array:
    """``windows``: where the places were looked for, for whoever looks again."""
    n, c = x.shape[:2]
    flat = x.reshape(n, c, math.prod(x.shape[2:]))
    return F.gather(flat, _rows(place), dim=2).reshape(place.shape)


def _rows(x: Array) -> Array:
    """(N, C, *) as (N, C, places)."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _add_at(F: Namespace, g: Array, place: Array, size: Shape) -> Array:
    n, c = g.shape[:2]
    flat = (n, c, math.prod(size))
    out = F.scatter_sum(_rows(g), _rows(place), shape=flat, dim=2)
    return out.reshape(n, c, *size)


def _write_at(F: Namespace, x: Array, place: Array, size: Shape) -> Array:
    n, c = x.shape[:2]
    empty = F.zeros((n, c, math.prod(size)), x.dtype)
    out = F.scatter(empty, _rows(place), _rows(x), dim=2)
    return out.reshape(n, c, *size)


def _read_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, place: Operand, **windows: Pair
) -> Gradient:
    return F.add_at_places(g, place, size=tuple(x.shape[2:]))


def _maximum(name: str, torch_name: str) -> Op:
    return Op(
        name,
        _read,
        vjps=(_read_vjp, None),
        saves=("x y", ""),  # x for nothing but PyTorch's second derivative, which is 0, not absent
        formula="the largest of each window",
        rule=("g at the place of the largest, 0 elsewhere", None),
        torch_name=torch_name,
    )


def _unpool(name: str, torch_name: str) -> Op:
    return Op(
        name,
        _write_at,
        vjps=(
            lambda F, g, out, x, place, size: F.read_at_places(g, place),
            None,
        ),
        saves=("y", ""),
        formula="x at its places, 0 elsewhere",
        rule=("g, read at the place", None),
        torch_name=torch_name,
    )


max_pool3d_op = _maximum("max_pool3d", "MaxPool3DWithIndices")
adaptive_max_pool2d_op = _maximum("adaptive_max_pool2d", "AdaptiveMaxPool2D")
adaptive_max_pool3d_op = _maximum("adaptive_max_pool3d", "AdaptiveMaxPool3D")
fractional_max_pool2d_op = _maximum("fractional_max_pool2d", "FractionalMaxPool2D")
fractional_max_pool3d_op = _maximum("fractional_max_pool3d", "FractionalMaxPool3D")
read_at_places_op = _maximum("read_at_places", "")
add_at_places_op = Op(
    "add_at_places",
    _add_at,
    vjps=(lambda F, g, out, x, place, size: F.read_at_places(g, place), None),
    saves=("y", ""),
    rule=("g, read at the place", None),
)
max_unpool2d_op = _unpool("max_unpool2d", "MaxUnpool2D")
max_unpool3d_op = _unpool("max_unpool3d", "MaxUnpool3D")


# ---- where the maxima are ------------------------------------------------------------------------
def places_of_maxima(x: Array, taps: Sequence[Array]) -> Array:
    """The flat places (int64) of the largest element of each window of ``x`` (N, C, *size).

    ``taps`` holds one table of indices for each dimension of ``size``: (count, width), or (N, C,
    count, width) where the windows differ between images. A shorter window repeats an index.
    """
    size = x.shape[2:]
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":
        x = x.astype(np.float32)
    place: Array = np.broadcast_to(np.arange(math.prod(size)).reshape(size), x.shape)
    for d in reversed(range(len(size))):
        x, place = cpu.of(x.dtype).largest_of(x, place, taps[d], d + 2)
    return place


@defines
def largest_of(F: Namespace, x: Array, place: Array, taps: Array, dim: int) -> tuple[Array, Array]:
    """The largest element of each window along ``dim``, and its place."""
    columns = [taps[..., j] for j in range(taps.shape[-1])]
    best, at = (np.array(_taken(a, columns[0], dim), order="C") for a in (x, place))
    nans = x.dtype.kind == "f" and bool(np.isnan(x).any())
    for column in columns[1:]:
        seen = _taken(x, column, dim)
        better = seen > best
        if nans:  # one beats all before it, and is beaten by none but a NaN
            better |= np.isnan(seen)
        np.copyto(best, seen, where=better)
        np.copyto(at, _taken(place, column, dim), where=better)
    return best, at


def _taken(x: Array, at: Array, axis: int) -> Array:
    """``x`` at the indices ``at`` (count,) along ``axis``, or (N, C, count), other for each plane.

    A view, if the indices are evenly spaced.
    """
    if at.ndim > 1:
        shape = [1] * x.ndim
        shape[:2], shape[axis] = at.shape[:2], at.shape[2]
        return np.take_along_axis(x, at.reshape(shape), axis)
    step = int(at[1] - at[0]) if len(at) > 1 else 1
    if len(at) and step > 0 and (np.diff(at) == step).all():
        return x[(slice(None),) * axis + (slice(int(at[0]), int(at[-1]) + 1, step),)]
    return np.take(x, at, axis)


def table(windows: Sequence[Sequence[int]]) -> Array:
    """Windows as one table of indices: shorter ones repeat their last index."""
    width = max(map(len, windows), default=1)
    rows = [[*w, *[w[-1]] * (width - len(w))] for w in windows]
    return np.array(rows, np.int64).reshape(len(rows), width)


def _on_host(x: Tensor) -> Array:
    """The elements as a numpy array: places are found on the CPU, whatever the device."""
    return x.detach().cpu().array


def _picked(
    op: Op, input: Tensor, n: int, taps: Sequence[Array], return_indices: bool,
    windows: Attrs | None = None,
) -> Pooled:  # fmt: skip
    """``op`` at the maxima of ``input``, images or volumes with or without a batch."""
    x = to_images(input, n)
    found = on_arrays("places_of_maxima", places_of_maxima, _on_host(x), taps=list(taps))
    place = constant(found, x.node.dev)
    return _at(op, input, n, place, return_indices, windows)


def _at(
    op: Op, input: Tensor, n: int, place: Tensor, return_indices: bool,
    windows: Attrs | None = None,
) -> Pooled:  # fmt: skip
    out = from_images(apply(op, (to_images(input, n), place), windows), input, n, n == 1)
    return (out, from_images(place, input, n, n == 1)) if return_indices else out


def with_indices(f: F) -> F:
    """``f`` with ``return_indices``, whatever is given for it."""
    place = unwrap(f).__code__.co_varnames.index("return_indices")

    def function(*args: Argument, **kwargs: Argument) -> Argument:
        if len(args) > place:
            args = (*args[:place], True, *args[place + 1 :])
        else:
            kwargs["return_indices"] = True
        return f(*args, **kwargs)

    doc = f"{f.__name__} with ``return_indices``, whatever is given for it."
    return cast("F", named(function, f"{f.__name__}_with_indices", doc, __wrapped__=f))


# ---- on a grid -----------------------------------------------------------------------------------
def max_pool3d(
    input: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    dilation: Pair = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Pooled:  # fmt: skip
    """max_pool2d with one dimension more: ``input`` (N, C, D, H, W) or (C, D, H, W).

    Indices are places in the flattened (D, H, W).
    """
    check("max_pool3d", input, 3)
    g = geometry_of("max_pool3d", input, 3, kernel_size, stride, padding, dilation, ceil_mode)
    taps = []
    each = zip(input.array.shape[-3:], *[g[k] for k in ("kernel", "stride", "padding", "dilation")],
               strict=True)  # fmt: skip
    for size, k, s, (before, after), d in each:
        count = (size + before + after - d * (k - 1) - 1) // s + 1
        starts = [i * s - before for i in range(count)]
        windows = [[j for j in range(a, a + d * (k - 1) + 1, d) if 0 <= j < size] for a in starts]
        if not all(windows):
            raise RuntimeError(
                message(
                    "max_pool3d: a window lies in the padding as a whole",
                    f"input {describe(input)}, kernel_size={kernel_size}, padding={padding}, "
                    f"dilation={dilation}",
                    fix="less padding or dilation",
                )
            )
        taps.append(table(windows))
    return _picked(max_pool3d_op, input, 3, taps, return_indices, g)


max_pool1d_with_indices = with_indices(max_pool1d)
max_pool2d_with_indices = with_indices(max_pool2d)
max_pool3d_with_indices = with_indices(max_pool3d)


# ---- adaptive ------------------------------------------------------------------------------------
def _adaptive(
    n: int, input: Tensor, output_size: TargetSize, return_indices: bool
) -> Pooled:
    sizes = target_size(f"adaptive_max_pool{n}d", input, output_size, n)
    given = input.array.shape[-n:]
    taps = [
        table([range(b.start, b.stop) for b in bins(m, count)])
        for m, count in zip(given, sizes, strict=True)
    ]
    if n == 1:
        taps.insert(0, np.zeros((1, 1), np.int64))
    op = adaptive_max_pool3d_op if n == 3 else adaptive_max_pool2d_op
    return _picked(op, input, n, taps, return_indices)


def adaptive_max_pool1d(
    input: Tensor, output_size: TargetSize, return_indices: bool = False
) -> Pooled:
    """The largest element of each of ``output_size`` windows of (N, C, L) or (C, L).

    ``return_indices``: also where, int64.
    """
    return _adaptive(1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: TargetSize, return_indices: bool = False
) -> Pooled:
    """The largest element of each of ``output_size`` (H', W') windows; None keeps a size.

    ``input`` is (N, C, H, W) or (C, H, W). ``return_indices``: also where, as int64 places in the
    flattened image.
    """
    return _adaptive(2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Tensor, output_size: TargetSize, return_indices: bool = False
) -> Pooled:
    """adaptive_max_pool2d with one dimension more: (N, C, D, H, W) or (C, D, H, W)."""
    return _adaptive(3, input, output_size, return_indices)


adaptive_max_pool1d_with_indices = with_indices(adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = with_indices(adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = with_indices(adaptive_max_pool3d)


# ---- fractional ----------------------------------------------------------------------------------
def fractional(
    n: int, input: Tensor, kernel_size: Pair, sizes: Sequence[int], samples: Tensor,
    return_indices: bool,
) -> Pooled:  # fmt: skip
    """Maxima over windows whose starts are spread at random (Graham 2014).

    ``samples`` (N, C, n) in [0, 1): one number for each dimension of each image, in PyTorch's order
    (width first for images, depth first for volumes). ``sizes``: the output's.
    """
    op = f"fractional_max_pool{n}d"
    check(op, input, n)
    kernel = numbers(kernel_size, n, "kernel_size", op, 1)
    u, x = samples.array, to_images(input, n)
    if u.ndim != 3 or u.shape[0] < x.array.shape[0] or u.shape[1] != x.array.shape[1] or (
        u.shape[2] != n
    ):
        raise RuntimeError(
            message(
                f"Expect _random_samples.size(0) no less then input batch size, "
                f"_random_samples.size(1) equal to input channel size and {n} numbers for each",
                f"{op}: input {describe(input)}, samples {describe(samples)}",
            )
        )
    for d, (m, k, count) in enumerate(zip(x.array.shape[2:], kernel, sizes, strict=True)):
        if count + k - 1 > m:
            name = ("time", "height", "width")[d + 3 - n]
            raise RuntimeError(
                message(
                    f"{op}_out_frame(): pool {name} {k} too large relative to input {name} {m}",
                    f"output_size={tuple(sizes)}",
                    fix="count + kernel_size - 1 may not exceed the input's size",
                )
            )
    found = on_arrays("fractional_places", _fractional_places, _on_host(x), _on_host(samples),
                      kernel=tuple(kernel), sizes=tuple(sizes))  # fmt: skip
    place = constant(found, x.node.dev)
    return _at(REGISTERED[n], input, n, place, return_indices)


def _fractional_places(x: Array, u: Array, kernel: Shape, sizes: Shape) -> Array:
    n, taps = len(kernel), []
    if u.dtype == np.float16:
        u = u.astype(np.float32)
    for d, (m, k, count) in enumerate(zip(x.shape[2:], kernel, sizes, strict=True)):
        own = u[: x.shape[0], :, n - 1 - d if n == 2 else d]
        taps.append(_starts(own, m, count, k)[..., None] + np.arange(k))
    return places_of_maxima(x, taps)


def _starts(u: Array, m: int, count: int, k: int) -> Array:
    """Where ``count`` windows of k elements start among m, (N, C, count), for samples u (N, C)."""
    starts = np.empty((*u.shape, count), np.int64)
    if count > 1:
        alpha = u.dtype.type((m - k) / (count - 1))
        steps = np.arange(count - 1).astype(u.dtype)
        starts[..., :-1] = ((steps + u[..., None]) * alpha).astype(np.int64)
        starts[..., :-1] -= (u * alpha).astype(np.int64)[..., None]
    starts[..., -1:] = m - k
    return starts


REGISTERED = {2: fractional_max_pool2d_op, 3: fractional_max_pool3d_op}


# ---- back to where the maxima were ---------------------------------------------------------------
def max_unpool(n: int, input: Tensor, indices: Tensor, size: Shape) -> Tensor:
    """Zeros of ``size`` but for the elements of ``input``, which stand at ``indices`` (int64)."""
    op = f"max_unpool{n}d"
    if not hasattr(indices, "node") or indices.array.dtype != np.int64:
        raise RuntimeError(
            message(
                f"elements in indices should be type int64 but got: {describe(indices)}",
                f"{op}()",
            )
        )
    x, at = input.array, indices.array
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            message(
                f"Input to {op} should be a {n + 1}d or {n + 2}d Tensor, but got a tensor with dim "
                f"{x.ndim}.",
                describe(input),
            )
        )
    if x.shape != at.shape:
        raise ShapeError(
            message(
                f"Expected shape of indices to be same as that of the input tensor "
                f"({list(x.shape)}) but got indices tensor with shape: {list(at.shape)}",
                f"{op}()",
            )
        )
    total = math.prod(size)
    if at.size and ((at < 0) | (at >= total)).any():
        wrong = int(at.max()) if int(at.max()) >= total else int(at.min())
        raise RuntimeError(
            message(
                f"Found an invalid max index: {wrong} (output volumes are of size {total})",
                f"{op}: output_size={tuple(size)}",
                fix="output_size=x.shape, the shape of the tensor that was pooled",
            )
        )
    if n == 1:
        size = (1, *size)
    x_images, places = to_images(input, n), to_images(indices, n)
    op_of = max_unpool3d_op if n == 3 else max_unpool2d_op
    return from_images(apply(op_of, (x_images, places), {"size": tuple(size)}), input, n, n == 1)
