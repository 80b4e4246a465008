"""Reductions, scans and sorting: how an array is cut up for the kernels of reduce.cl, scan.cl and sort.cl."""
from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .array import Array, collapsed
from .elementwise import BOOL, C_TYPES, empty
from .runtime import Runtime, text_of

I64 = np.dtype(np.int64)
NO_WIDER = {"sum", "prod"}  # whose integer results are int64


class Operation(NamedTuple):
    """A reduction: where it starts and how two partial results become one, in OpenCL C."""

    init: str
    combine: str


OPERATIONS = {
    "sum": Operation("0", "((a) + (b))"),
    "prod": Operation("1", "((a) * (b))"),
    "max": Operation("LOWEST", "((a) >= (b) | (a) != (a) ? (a) : (b))"),
    "min": Operation("HIGHEST", "((a) <= (b) | (a) != (a) ? (a) : (b))"),
    "any": Operation("0", "((a) | (b))"),
    "all": Operation("1", "((a) & (b))"),
}
UFUNCS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_or: "any", np.logical_and: "all"}


def limits(d: np.dtype) -> tuple[str, str]:
    """The smallest and the largest value of a dtype, as OpenCL C."""
    if d.kind == "f":
        return "-INFINITY", "INFINITY"
    if d == BOOL:
        return "0", "1"
    info = np.iinfo(d)
    return f"({int(info.min) + 1} - 1)" if info.min else "0", f"{int(info.max)}"


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in axes:
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(a, ndim)
    return tuple(a % ndim for a in axes)


class Layout(NamedTuple):
    """How a reduction runs: the result's shape without and with the reduced dimensions, and the numbers of reduce.cl."""

    shape: tuple[int, ...]
    shown: tuple[int, ...]
    count: int  # elements per result
    results: int
    ni: int = 0
    nb: int = 0
    steps: tuple[int, int, int, int] | None = None  # so, si, sa, sb; None: the array must be copied first
    order: tuple[int, ...] = ()  # ... with its dimensions in this order


@lru_cache(maxsize=4096)
def layout(shape: tuple[int, ...], steps: tuple[int, ...], axis: Any, keepdims: bool) -> Layout:
    axes = axes_of(axis, len(shape))
    kept = [d for d in range(len(shape)) if d not in axes]
    result = tuple([shape[d] for d in kept])
    shown = tuple([1 if d in axes else n for d, n in enumerate(shape)]) if keepdims else result
    count, results = math.prod([shape[d] for d in axes]), math.prod(result)
    if not count or not results:
        return Layout(result, shown, count, results)
    sizes, (outer,) = collapsed(result, [steps[d] for d in kept])
    inner, (elements,) = collapsed([shape[d] for d in axes], [steps[d] for d in axes])
    # the results must come out row by row, so their dimensions must lie in memory in their own order
    if len(sizes) > 2 or len(inner) > 2 or not in_order(result, [steps[d] for d in kept]):
        return Layout(result, shown, count, results, order=(*kept, *axes))
    so, si = [0] * (2 - len(outer)) + outer
    sa, sb = [0] * (2 - len(elements)) + elements
    return Layout(result, shown, count, results, sizes[-1] if sizes else 1, inner[-1] if inner else 1, (so, si, sa, sb))


def reduce(x: Array, name: str, axis: Any = None, keepdims: bool = False, dtype: Any = None, initial: Any = None) -> Array:
    """``name`` ("sum", "max", ...) of the elements over ``axis`` (None: all). Raises ValueError for an extreme of nothing."""
    if name in ("any", "all"):
        result = BOOL
        if x.dtype != BOOL:
            x = x.dev.ne(x, 0)
    elif dtype is not None:
        result = np.dtype(dtype)
    else:
        result = I64 if name in NO_WIDER and x.dtype.kind in "biu" else x.dtype
    if x.dtype.char == "e":
        return reduce(x.astype(np.float32), name, axis, keepdims, None, initial).astype(result)
    how = layout(x.shape, x.steps, tuple(axis) if type(axis) is list else axis, keepdims)
    if not how.results:
        return empty(x.runtime, how.shown, result)
    if not how.count:
        if name in ("max", "min") and initial is None:
            raise ValueError(f"zero-size array to reduction operation {name}imum which has no identity")
        start = {"sum": 0, "prod": 1, "any": False, "all": True}.get(name, initial)
        return x.dev.full(how.shown, start, result)
    if how.steps is None:
        rows = x.transpose(how.order).copy().reshape((*how.shape, -1))
        return reduce(rows, name, -1, False, result if result != BOOL else None).reshape(how.shown)
    out = _launch(x, name, result, how.results, how.ni, how.count, how.nb, how.steps)
    return Array(x.runtime, out.buffer, result, how.shown)


def in_order(shape: Any, steps: Any) -> bool:
    """Do the dimensions lie in memory in their own order?"""
    real = [abs(s) for n, s in zip(shape, steps, strict=True) if n != 1]
    return all(a >= b for a, b in pairwise(real))


def _launch(x: Array, name: str, result: Any, results: int, ni: int, n: int, nb: int, steps: tuple[int, ...]) -> Array:
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
    return out if parts == 1 else _launch(out, name, result, results, results, parts, parts, (0, 1, 0, results))


def kernels(runtime: Runtime, name: str, source: np.dtype, result: np.dtype) -> Any:
    key = ("reduce", name, source.char, result.char)
    found = runtime.built.get(key)
    if found is None:
        operation = OPERATIONS[name]
        low, high = limits(source)
        acc = C_TYPES[result.char]
        width, v = widths(runtime)
        text = (
            f"// {name}\n{runtime.opening(acc)}\n"
            f"#undef T\n#define T {C_TYPES[source.char]}\n"
            f"#define ACC {acc}\n#define LOWEST {low}\n#define HIGHEST {high}\n#define INIT ((ACC)({operation.init}))\n"
            f"#define COMBINE(a, b) {operation.combine}\n#define LOAD(e) ((ACC)(e))\n"
            f"#define WIDTH {width}\n#define V {v}\n{text_of('reduce')}"
        )
        signature = "iiiii" + "biiiii" + "b"
        rows, columns = (runtime.kernel(text, f"reduce_{which}", signature, name) for which in ("rows", "columns"))
        found = runtime.built[key] = rows, columns, width, 4 * v if v > 1 else 1
    return found


def widths(runtime: Runtime) -> tuple[int, int]:
    """(work-items of a group that shares a row, elements that each takes at a time). On a CPU a work-group is one thread, and
    a vector register does what many work-items do on a GPU."""
    return (1, 16) if runtime.on_cpu else (64, 1)


def place(x: Array, largest: bool, axis: int | None, keepdims: bool) -> Array:
    """The index (int64) of the largest or smallest element along ``axis`` (None: of the flattened array)."""
    ndim = x.ndim
    if axis is None or not ndim:
        out = place(x.reshape(-1), largest, 0, False) if x.size else _nothing(largest)
        return out.reshape((1,) * ndim) if keepdims else out
    (axis,) = axes_of(axis, ndim)
    if not x.shape[axis]:
        raise ValueError(_nothing(largest))
    if x.dtype.char == "e":
        x = x.astype(np.float32)
    runtime, n = x.runtime, x.shape[axis]
    x = x if x.flat else x.copy()
    inner = int(np.prod(x.shape[axis + 1 :]))
    results = x.size // n
    shape = x.shape[:axis] + ((1,) if keepdims else ()) + x.shape[axis + 1 :]
    out = empty(runtime, shape, I64)
    if results:
        key = ("place", largest, x.dtype.char)
        kernel = runtime.built.get(key)
        if kernel is None:
            name = "argmax" if largest else "argmin"
            text = (f"// {name}\n#define T {C_TYPES[x.dtype.char]}\n#define ACC T\n#define INIT 0\n#define COMBINE(a, b) (a)\n"
                    f"#define LOAD(e) (e)\n#define WIDTH 1\n#define V 1\n#define BETTER(a, b) ((a) {'>' if largest else '<'} (b))\n"
                    f"{text_of('reduce')}")
            kernel = runtime.built[key] = runtime.kernel(text, "reduce_place", "iiibiiiib", name)
        kernel((results,), (64,), inner, n, results, x.buffer, x.at, inner * n, 1, inner, out.buffer)
    return out


def _nothing(largest: bool) -> str:
    return f"attempt to get arg{'max' if largest else 'min'} of an empty sequence"


def scan(x: Array, name: str, axis: int) -> Array:
    """The running "sum" or "prod" along ``axis``."""
    (axis,) = axes_of(axis, x.ndim)
    if x.dtype.char == "e":
        return scan(x.astype(np.float32), name, axis).astype(np.float16)
    result = I64 if x.dtype.kind in "biu" else x.dtype
    x = x if x.flat else x.copy()
    out = empty(x.runtime, x.shape, result)
    if not x.size:
        return out
    key = ("scan", name, x.dtype.char)
    kernel = x.runtime.built.get(key)
    if kernel is None:
        operation = OPERATIONS[name]
        text = (f"// running {name}\n#define T {C_TYPES[x.dtype.char]}\n#define ACC {C_TYPES[result.char]}\n"
                f"#define INIT {operation.init}\n#define COMBINE(a, b) {operation.combine}\n{text_of('scan')}")
        kernel = x.runtime.built[key] = x.runtime.kernel(text, "scan", "iiibiiiibiii", f"cum{name}")
    n, inner = x.shape[axis], int(np.prod(x.shape[axis + 1 :]))
    lines = x.size // n
    kernel((lines,), (64,), inner, n, lines, x.buffer, x.at, inner * n, 1, inner, out.buffer, inner * n, 1, inner)
    return out


def argsort(x: Array, axis: int = -1) -> Array:
    """The indices (int64) that sort along ``axis``, stable, NaN last."""
    (axis,) = axes_of(axis, x.ndim)
    if x.dtype.char == "e":
        x = x.astype(np.float32)
    runtime, n = x.runtime, x.shape[axis]
    keys = x.swapaxes(axis, -1)
    keys = keys if keys.flat else keys.copy()
    order = count_up(runtime, keys.shape, 0, 1)
    if x.size and n > 1:
        key = ("argsort", x.dtype.char)
        kernel = runtime.built.get(key)
        if kernel is None:
            floating = "#define FLOATING\n" if x.dtype.kind == "f" else ""
            text = f"// argsort\n{floating}#define T {C_TYPES[x.dtype.char]}\n{text_of('sort')}"
            kernel = runtime.built[key] = runtime.kernel(text, "merge_runs", "iiibbb", "argsort")
        other, width = empty(runtime, keys.shape, I64), 1
        if keys.at:
            keys = keys.copy()
        while width < n:
            kernel((x.size,), (64,), n, width, x.size, keys.buffer, order.buffer, other.buffer)
            order, other, width = other, order, 2 * width
    return order.swapaxes(axis, -1)


def count_up(runtime: Runtime, shape: tuple[int, ...], start: int, step: int) -> Array:
    """start, start + step, ... (int64) along the last dimension, in every line the same."""
    out = empty(runtime, shape, I64)
    if out.size:
        kernel = runtime.built.get("count_up")
        if kernel is None:
            kernel = runtime.built["count_up"] = runtime.kernel(f"#define T int\n{text_of('sort')}", "count_up", "iillb", "arange")
        kernel((out.size,), (256,), shape[-1], out.size, start, step, out.buffer)
    return out
