"""Reductions, scans and sorting: how an array is cut up for reduce.cl, scan.cl and sort.cl."""
from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...arrays.dtypes import BOOL, F32, I64
from .array import Array, Axis
from .layout import Shape, axes_of, collapsed, in_order
from .memory import C_TYPES, contiguous, empty, whole
from .runtime import Kernel, Runtime, once, text_of

INT64_RESULTS = {"sum", "prod"}  # of integers


class Operation(NamedTuple):
    """A reduction: where it starts, and how two partial results become one, in OpenCL C.

    A ``start`` that is a number is the result for no elements. LOWEST and HIGHEST are the limits of
    the dtype, and there is no such result.
    """

    start: int | str
    combine: str


OPERATIONS = {
    "sum": Operation(0, "((a) + (b))"),
    "prod": Operation(1, "((a) * (b))"),
    "max": Operation("LOWEST", "((a) >= (b) | (a) != (a) ? (a) : (b))"),
    "min": Operation("HIGHEST", "((a) <= (b) | (a) != (a) ? (a) : (b))"),
    "any": Operation(0, "((a) | (b))"),
    "all": Operation(1, "((a) & (b))"),
}
BY_UFUNC: dict[np.ufunc, str] = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min",
    np.logical_or: "any", np.logical_and: "all",
}  # fmt: skip


def limits(d: np.dtype) -> tuple[str, str]:
    """The smallest and the largest value of a dtype, as OpenCL C."""
    if d.kind == "f":
        return "-INFINITY", "INFINITY"
    if d == BOOL:
        return "0", "1"
    info = np.iinfo(d)
    return f"({int(info.min) + 1} - 1)" if info.min else "0", f"{int(info.max)}"


def widths(runtime: Runtime) -> tuple[int, int]:
    """(work-items of a group that shares a row, elements that each takes at a time). On a CPU a
    work-group is one thread, and a vector register does what many work-items do on a GPU."""
    return (1, 16) if runtime.on_cpu else (64, 1)


# ---- reductions ----------------------------------------------------------------------------------
class Reduction(NamedTuple):
    """How a reduction runs: the result's shape without and with the reduced dimensions, and the
    numbers of reduce.cl."""

    shape: Shape
    shown: Shape
    per_result: int  # elements
    results: int
    ni: int = 0
    nb: int = 0
    steps: tuple[int, int, int, int] | None = None  # so, si, sa, sb; None: must be copied first
    order: Shape = ()  # ... with its dimensions in this order


@lru_cache(maxsize=4096)
def reduction(shape: Shape, steps: Shape, axis: Axis, keepdims: bool) -> Reduction:
    """Raises AxisError for a dimension that is not there."""
    axes = axes_of(axis, len(shape))
    kept = [d for d in range(len(shape)) if d not in axes]
    result = tuple([shape[d] for d in kept])
    shown = tuple([1 if d in axes else n for d, n in enumerate(shape)]) if keepdims else result
    per_result, results = math.prod([shape[d] for d in axes]), math.prod(result)
    if not per_result or not results:
        return Reduction(result, shown, per_result, results)
    kept_steps = [steps[d] for d in kept]
    sizes, (outer,) = collapsed(result, kept_steps)
    inner, (elements,) = collapsed([shape[d] for d in axes], [steps[d] for d in axes])
    # the results must come out row by row, so their dimensions must lie in their own order
    if len(sizes) > 2 or len(inner) > 2 or not in_order(result, kept_steps):
        return Reduction(result, shown, per_result, results, order=(*kept, *axes))
    so, si = [0] * (2 - len(outer)) + outer
    sa, sb = [0] * (2 - len(elements)) + elements
    ni, nb = (sizes[-1] if sizes else 1), (inner[-1] if inner else 1)
    return Reduction(result, shown, per_result, results, ni, nb, (so, si, sa, sb))


def reduce(
    x: Array, name: str, axis: Axis = None, keepdims: bool = False, dtype: np.dtype | None = None,
    initial: float | None = None,
) -> Array:  # fmt: skip
    """``name`` ("sum", "max", ...) of the elements over ``axis`` (None: all). Raises ValueError for
    an extreme of nothing."""
    if name in ("any", "all"):
        result = BOOL
        if x.dtype != BOOL:
            x = x.dev.ne(x, 0)
    elif dtype is not None:
        result = np.dtype(dtype)
    else:
        result = I64 if name in INT64_RESULTS and x.dtype.kind in "biu" else x.dtype
    if x.dtype.char == "e":
        return reduce(x.astype(F32), name, axis, keepdims, None, initial).astype(result)
    axis = tuple(axis) if isinstance(axis, list) else axis
    how = reduction(x.shape, x.steps, axis, keepdims)
    if not how.results:
        return empty(x.runtime, how.shown, result)
    if not how.per_result:
        start = OPERATIONS[name].start
        identity = initial if isinstance(start, str) else start
        if identity is None:
            what = f"zero-size array to reduction operation {name}imum which has no identity"
            raise ValueError(what)
        return x.dev.full(how.shown, identity, result)
    if how.steps is None:
        rows = x.transpose(how.order).copy().reshape((*how.shape, -1))
        return reduce(rows, name, -1, False, result if result != BOOL else None).reshape(how.shown)
    out = launch(x, name, result, how.results, how.ni, how.per_result, how.nb, how.steps)
    return Array(x.runtime, out.buffer, result, how.shown)


def launch(
    x: Array, name: str, result: np.dtype, results: int, ni: int, n: int, nb: int,
    steps: tuple[int, int, int, int],
) -> Array:  # fmt: skip
    """Enqueue the kernel that suits the steps; a second time, for the partial results, if the
    elements of each result were cut up."""
    runtime = x.runtime
    rows, columns, width, wide = kernels(runtime, name, x.dtype, result)
    so, si, sa, sb = steps
    by_rows = abs(sb) <= abs(si) or (si == 0 and results < 4096) or results < 8
    if by_rows:
        chunk = max(8192, -(-n // max(1, (64 if runtime.on_cpu else 256) // results)))
    else:
        chunk = max(64, -(-n // max(1, 8192 // results)))
    parts = -(-n // chunk)
    out = empty(runtime, (parts, results), result)
    arguments = (ni, n, nb, chunk, results, x.buffer, x.at, so, si, sa, sb, out.buffer)
    if by_rows:
        rows((results * width, parts), (width, 1), *arguments)
    else:
        columns((-(-results // wide), parts), (1, 1) if wide > 1 else (64, 1), *arguments)
    if parts == 1:
        return out
    return launch(out, name, result, results, results, parts, parts, (0, 1, 0, results))


@once
def kernels(
    runtime: Runtime, name: str, source: np.dtype, result: np.dtype
) -> tuple[Kernel, Kernel, int, int]:
    """(the kernel by rows, the one by columns, work-items of a group, results of a work-item)."""
    operation = OPERATIONS[name]
    low, high = limits(source)
    acc = C_TYPES[result.char]
    width, v = widths(runtime)
    text = (
        f"// {name}\n{runtime.opening(acc)}\n"
        f"#undef T\n#define T {C_TYPES[source.char]}\n"
        f"#define ACC {acc}\n#define LOWEST {low}\n#define HIGHEST {high}\n"
        f"#define INIT ((ACC)({operation.start}))\n#define COMBINE(a, b) {operation.combine}\n"
        f"#define LOAD(e) ((ACC)(e))\n#define WIDTH {width}\n#define V {v}\n{text_of('reduce')}"
    )
    rows, columns = (runtime.kernel(text, f"reduce_{which}", name) for which in ("rows", "columns"))
    return rows, columns, width, 4 * v if v > 1 else 1


# ---- the index of an extreme ---------------------------------------------------------------------
def arg_extreme(x: Array, largest: bool, axis: int | None, keepdims: bool) -> Array:
    """The index (int64) of the largest or smallest element along ``axis`` (None: of the flattened
    array)."""
    ndim = x.ndim
    nothing = f"attempt to get arg{'max' if largest else 'min'} of an empty sequence"
    if axis is None or not ndim:
        if not x.size:
            raise ValueError(nothing)
        out = arg_extreme(x.reshape(-1), largest, 0, False)
        return out.reshape((1,) * ndim) if keepdims else out
    (axis,) = axes_of(axis, ndim)
    if not x.shape[axis]:
        raise ValueError(nothing)
    x = contiguous(x.astype(F32) if x.dtype.char == "e" else x)
    n, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    results = x.size // n
    shape = x.shape[:axis] + ((1,) if keepdims else ()) + x.shape[axis + 1 :]
    out = empty(x.runtime, shape, I64)
    if results:
        steps = (inner * n, 1, inner)
        kernel = extreme_kernel(x.runtime, x.dtype, largest)
        kernel((results,), (64,), inner, n, results, x.buffer, x.at, *steps, out.buffer)
    return out


@once
def extreme_kernel(runtime: Runtime, dtype: np.dtype, largest: bool) -> Kernel:
    name, sign = ("argmax", ">") if largest else ("argmin", "<")
    text = (
        f"// {name}\n#define T {C_TYPES[dtype.char]}\n#define ACC T\n#define INIT 0\n"
        "#define COMBINE(a, b) (a)\n#define LOAD(e) (e)\n#define WIDTH 1\n#define V 1\n"
        f"#define BETTER(a, b) ((a) {sign} (b))\n{text_of('reduce')}"
    )
    return runtime.kernel(text, "reduce_place", name)


# ---- scans ---------------------------------------------------------------------------------------
def scan(x: Array, name: str, axis: int) -> Array:
    """The running "sum" or "prod" along ``axis``."""
    (axis,) = axes_of(axis, x.ndim)
    if x.dtype.char == "e":
        return scan(x.astype(F32), name, axis).astype(x.dtype)
    result = I64 if x.dtype.kind in "biu" else x.dtype
    x = contiguous(x)
    out = empty(x.runtime, x.shape, result)
    if not x.size:
        return out
    n, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    lines, steps = x.size // n, (inner * n, 1, inner)
    kernel = scan_kernel(x.runtime, name, x.dtype, result)
    kernel((lines,), (64,), inner, n, lines, x.buffer, x.at, *steps, out.buffer, *steps)
    return out


@once
def scan_kernel(runtime: Runtime, name: str, source: np.dtype, result: np.dtype) -> Kernel:
    operation = OPERATIONS[name]
    text = (
        f"// running {name}\n#define T {C_TYPES[source.char]}\n#define ACC {C_TYPES[result.char]}\n"
        f"#define INIT {operation.start}\n#define COMBINE(a, b) {operation.combine}\n"
        f"{text_of('scan')}"
    )
    return runtime.kernel(text, "scan", f"cum{name}")


# ---- sorting -------------------------------------------------------------------------------------
def argsort(x: Array, axis: int = -1) -> Array:
    """The indices (int64) that sort along ``axis``, stable, NaN last."""
    (axis,) = axes_of(axis, x.ndim)
    if x.dtype.char == "e":
        x = x.astype(F32)
    runtime, n = x.runtime, x.shape[axis]
    keys = x.swapaxes(axis, -1)
    order = count_up(runtime, keys.shape, 0, 1)
    if x.size and n > 1:
        keys = whole(keys)
        other, width = empty(runtime, keys.shape, I64), 1
        kernel = merge_kernel(runtime, x.dtype)
        while width < n:
            buffers = keys.buffer, order.buffer, other.buffer
            kernel((x.size,), (64,), n, width, x.size, *buffers)
            order, other, width = other, order, 2 * width
    return order.swapaxes(axis, -1)


@once
def merge_kernel(runtime: Runtime, dtype: np.dtype) -> Kernel:
    floating = "#define FLOATING\n" if dtype.kind == "f" else ""
    text = f"// argsort\n{floating}#define T {C_TYPES[dtype.char]}\n{text_of('sort')}"
    return runtime.kernel(text, "merge_runs", "argsort")


def count_up(runtime: Runtime, shape: Shape, start: int, step: int) -> Array:
    """start, start + step, ... (int64) along the last dimension, in every line the same."""
    out = empty(runtime, shape, I64)
    if out.size:
        kernel = counting_kernel(runtime)
        kernel((out.size,), (256,), shape[-1], out.size, start, step, out.buffer)
    return out


@once
def counting_kernel(runtime: Runtime) -> Kernel:
    return runtime.kernel(f"#define T int\n{text_of('sort')}", "count_up", "arange")
