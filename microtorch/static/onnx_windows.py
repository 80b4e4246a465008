"""Where the largest of a window is, which rows a bag has, and signs, as nodes of ONNX.

MaxPool gives places, too, but of few kinds of windows only. Here each window becomes a row, and
ArgMax finds the place in it: so adaptive windows, volumes and ``return_indices`` are the same.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .onnx_nodes import node
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .onnx_writer import Writer
    from .program import Step

I64 = np.dtype(np.int64)


def _rows(tables: Sequence[Array], size: Sequence[int]) -> Array:
    """(*counts, K): the flat places that each window sees, in an image of ``size``."""
    grid = np.arange(math.prod(size)).reshape(size)[np.ix_(*[t.reshape(-1) for t in tables])]
    n = len(tables)
    split = grid.reshape([k for t in tables for k in t.shape])
    order = [*range(0, 2 * n, 2), *range(1, 2 * n, 2)]
    return split.transpose(order).reshape(*[len(t) for t in tables], -1)


def _place_of_largest(w: Writer, image: str, rows: Array, nans: bool) -> str:
    """Which element of its window is the largest, (N, C, *counts, 1), of an image that is flat
    from its third dimension on. A NaN is larger than all."""
    shown = w.node("Gather", [image, w.constant(rows)], axis=2)
    if nans:
        top = w.constant(np.asarray(math.inf, np.float32))
        shown = w.node("Where", [w.node("IsNaN", [shown]), w.node("CastLike", [top, shown]), shown])
    return w.node("ArgMax", [shown], axis=-1, keepdims=1)


def _flat(w: Writer, x: str) -> str:
    return w.node("Reshape", [x, w.numbers(0, 0, -1)])


@node("places_of_maxima")
def _places_of_maxima(w: Writer, s: Step) -> None:
    x, tables = s.arguments[0], [w.known(t) for t in s.attrs["taps"]]
    if any(t.ndim > 2 for t in tables):
        raise w.refuse(" of windows that differ between images")
    rows = _rows(tables, w.shape(x)[2:])
    at = _place_of_largest(w, _flat(w, w.name(x)), rows, w.dtype(x).kind == "f")
    size = w.node("Concat", [w.node("Shape", [at], start=0, end=-1), w.numbers(rows.shape[-1])],
                  axis=0)  # fmt: skip
    places = w.node("Expand", [w.constant(rows), size])
    found = w.node("GatherElements", [places, at], axis=-1)
    w.node("Squeeze", [found, w.numbers(-1)], w.out(s))


@node("pool_place")
def _pool_place(w: Writer, s: Step) -> None:
    x, a = s.arguments[0], s.attrs
    counts, pads, size = w.shape(s.result)[2:], a["padding"], w.shape(x)[2:]
    geometry = zip(counts, a["kernel"], a["stride"], a["dilation"], strict=True)
    tables = [np.arange(n)[:, None] * step + np.arange(k) * far for n, k, step, far in geometry]
    whole = [max(n + sum(p), int(t.max()) + 1)
             for n, p, t in zip(size, pads, tables, strict=True)]  # fmt: skip
    before = [p[0] for p in pads]
    behind = [m - n - b for m, n, b in zip(whole, size, before, strict=True)]
    least = w.constant(np.asarray(-math.inf, w.dtype(x)))
    padded = w.node("Pad", [w.name(x), w.numbers(0, 0, *before, 0, 0, *behind), least])
    at = _place_of_largest(w, _flat(w, padded), _rows(tables, whole), True)
    place = w.node("Squeeze", [at, w.numbers(-1)])
    w.node("Cast", [place], w.out(s), to=w.onnx.helper.np_dtype_to_tensor_dtype(w.dtype(s.result)))


@node("read_at_places", "max_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d",
      "fractional_max_pool2d", "fractional_max_pool3d")
def _read_at_places(w: Writer, s: Step) -> None:  # fmt: skip
    x, places = s.arguments[:2]
    given = [_flat(w, w.name(x)), _flat(w, w.name(places))]
    found = w.node("GatherElements", given, axis=2)
    w.node("Reshape", [found, w.numbers(0, 0, *w.shape(s.result)[2:])], w.out(s))


@node("max_unpool2d", "max_unpool3d")
def _unpool(w: Writer, s: Step) -> None:
    x, places = s.arguments[:2]
    size = w.shape(s.result)[2:]
    lead = w.node("Shape", [w.name(x)], start=0, end=2)
    whole = w.node("Concat", [lead, w.numbers(math.prod(size))], axis=0)
    zero = w.constant(np.asarray(0, w.dtype(x)))
    given = [w.node("Expand", [zero, whole]), _flat(w, w.name(places)), _flat(w, w.name(x))]
    found = w.node("ScatterElements", given, axis=2)
    w.node("Reshape", [found, w.numbers(0, 0, *size)], w.out(s))


@node("floordiv")
def _floordiv(w: Writer, s: Step) -> None:
    """Of integers, downwards as Python's; Div rounds to 0."""
    x, y = s.arguments
    like = w.dtype(s.result)
    if like.kind not in "iu":
        raise w.refuse(" of floats")
    over, under = w.cast(x, like), w.cast(y, like)
    rest = w.node("Mod", [over, under], fmod=0)
    w.node("Div", [w.node("Sub", [over, rest]), under], w.out(s))


@node("mod")
def _mod(w: Writer, s: Step) -> None:
    like = w.dtype(s.result)
    if like.kind not in "iu":
        raise w.refuse(" of floats")
    w.node("Mod", [w.cast(x, like) for x in s.arguments], w.out(s), fmod=0)


@node("diagonal_backward")
def _diagonal_backward(w: Writer, s: Step) -> None:
    """Into zeros, at places that are known: the op's own kernel says them, of the numbers 1, ..."""
    x, shape = s.arguments[0], w.shape(s.arguments[0])
    numbers = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    at = np.asarray(s.function(numbers, *s.arguments[1:], **s.attrs), np.int64)
    flat = w.node("Reshape", [w.name(x), w.numbers(-1)])
    zero = w.constant(np.zeros(1, w.dtype(x)))
    w.node("Gather", [w.node("Concat", [zero, flat], axis=0), w.constant(at)], w.out(s), axis=0)


# ---- signs ---------------------------------------------------------------------------------------
def _is_negative(w: Writer, x: Operand) -> str:
    """Is its sign set, that of -0.0, too?"""
    name, zero, one = w.name(x), *(w.constant(np.asarray(n, w.dtype(x))) for n in (0, 1))
    if w.dtype(x).kind != "f":
        return w.node("Less", [name, zero])
    below = w.node("Less", [w.node("Div", [one, name]), zero])
    at_zero = w.node("And", [w.node("Equal", [name, zero]), below])
    return w.node("Or", [w.node("Less", [name, zero]), at_zero])


@node("signbit")
def _signbit(w: Writer, s: Step) -> None:
    w.node("Identity", [_is_negative(w, s.arguments[0])], w.out(s))


@node("copysign")
def _copysign(w: Writer, s: Step) -> None:
    x, y = s.arguments
    if type(x) is not Ref or type(y) is not Ref or w.dtype(x) != w.dtype(y):
        raise w.refuse(" of these dtypes")
    size = w.node("Abs", [w.name(x)])
    w.node("Where", [_is_negative(w, y), w.node("Neg", [size]), size], w.out(s))


@node("isreal")
def _isreal(w: Writer, s: Step) -> None:
    size = w.node("Shape", [w.name(s.arguments[0])])
    w.node("Expand", [w.constant(np.asarray(True)), size], w.out(s))


@node("full_like")
def _full_like(w: Writer, s: Step) -> None:
    x, value = s.arguments[:2]
    if type(value) is Ref:
        raise w.refuse(" of a computed number")
    size = w.node("Shape", [w.name(x)])
    w.node("Expand", [w.constant(np.asarray(value, w.dtype(s.result))), size], w.out(s))


# ---- bags ----------------------------------------------------------------------------------------
def _named(w: Writer, x: Operand) -> str:
    """The name of one of several results."""
    return w.names.setdefault(x.number, w.fresh(f"v{x.number}"))


@node("bags")
def _bags(w: Writer, s: Step) -> None:
    """The bag of each row, and how many rows each bag has."""
    (index, offsets), (bag, counts), a = s.arguments, s.result, s.attrs
    n, bags = w.shape(index)[0], w.shape(counts)[0]
    starts = w.node("Slice", [w.cast(offsets, I64), w.numbers(0), w.numbers(bags)])
    place = w.constant(np.arange(n)[:, None])
    begun = w.node("Cast", [w.node("GreaterOrEqual", [place, starts])], to=7)
    found = w.node("Sub", [w.node("ReduceSum", [begun, w.numbers(1)], keepdims=0), w.numbers(1)])
    none = w.constant(np.asarray(bags))
    if a["include_last"]:
        end = w.node("Slice", [w.cast(offsets, I64), w.numbers(bags), w.numbers(bags + 1)])
        beyond = w.node("GreaterOrEqual", [w.constant(np.arange(n)), end])
        found = w.node("Where", [beyond, none, found])
    if a["padding"] is not None:
        out = w.node("Equal", [w.cast(index, I64), w.numbers(a["padding"])])
        found = w.node("Where", [out, none, found])
    w.node("Identity", [found], _named(w, bag))
    member = w.node("Equal", [w.constant(np.arange(bags)[:, None]), found])
    kind = w.onnx.helper.np_dtype_to_tensor_dtype(w.dtype(counts))
    many = w.node("ReduceSum", [w.node("Cast", [member], to=kind), w.numbers(1)], keepdims=1)
    one = w.constant(np.asarray(1, w.dtype(counts)))
    w.node("Max", [many, one], _named(w, counts))


@node("largest_of_bags")
def _largest_of_bags(w: Writer, s: Step) -> None:
    """Which row has the largest of each bag; is the bag empty?"""
    (rows, bag), (best, empty), bags = s.arguments, s.result, s.attrs["bags"]
    member = w.node("Equal", [w.constant(np.arange(bags)[:, None]), w.name(bag)])
    like = w.dtype(rows)
    least, top = (w.constant(np.asarray(x, like)) for x in (-math.inf, math.inf))
    each = w.node("Unsqueeze", [member, w.numbers(2)])
    shown = w.node("Where", [w.node("IsNaN", [w.name(rows)]), top, w.name(rows)])
    shown = w.node("Where", [each, shown, least])
    first = w.node("ArgMax", [w.node("Cast", [each], to=1)], axis=1, keepdims=0)
    nothing = w.node("Equal", [w.node("ReduceMax", [shown, w.numbers(1)], keepdims=0), least])
    largest = w.node("ArgMax", [shown], axis=1, keepdims=0)
    w.node("Where", [nothing, first, largest], _named(w, best))
    count = w.node("ReduceMax", [w.node("Cast", [member], to=1), w.numbers(1)], keepdims=1)
    w.node("Not", [w.node("Cast", [count], to=9)], _named(w, empty))


@node("embedding_sum")
def _embedding_sum(w: Writer, s: Step) -> None:
    """Rows are added where the index says."""
    rows, index = s.arguments
    if s.attrs["padding"] is not None or type(rows) is not Ref:
        raise w.refuse(" with padding")
    d = w.shape(rows)[-1]
    zeros = w.constant(np.zeros((s.attrs["rows"], d), w.dtype(rows)))
    at = w.node("Reshape", [w.cast(index, I64), w.numbers(-1, 1)])
    given = [zeros, at, w.node("Reshape", [w.name(rows), w.numbers(-1, d)])]
    w.node("ScatterND", given, w.out(s), reduction="add")
