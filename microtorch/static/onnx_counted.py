"""Steps that count, compare or run along a dimension, as nodes of ONNX.

They enter themselves into the table of onnx_nodes.py.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .onnx_nodes import node

if TYPE_CHECKING:
    from ..base.types import DType, Operand
    from .onnx_writer import Writer
    from .program import Step

WHOLE = np.dtype(np.int64)


def _shifts(w: Writer, x: Operand, d: int) -> Iterator[int]:
    """1, 2, 4, ...: after a shift by each of them an element has met all that come before it."""
    shift = 1
    while w.shape(x) and shift < w.shape(x)[d]:
        yield shift
        shift *= 2


def _behind(w: Writer, name: str, shift: int, n: int, d: int, first: Operand) -> str:
    """The elements ``shift`` places before each, and ``first`` where there are none."""
    kept = w.node("Slice", [name, w.numbers(0), w.numbers(n - shift), w.numbers(d)])
    return w.node("Pad", [kept, w.numbers(shift, 0), w.constant(first), w.numbers(d)])


@node("cumprod")
def _cumprod(w: Writer, s: Step) -> None:
    """ONNX has it from version 26 on; here by products of twice as many elements each time."""
    x, like = s.arguments[0], w.dtype(s.result)
    d = s.attrs["dim"] % max(len(w.shape(x)), 1)
    found = w.cast(x, like)
    for shift in _shifts(w, x, d):
        before = _behind(w, found, shift, w.shape(x)[d], d, np.ones((), like))
        found = w.node("Mul", [found, before])
    w.node("Identity", [found], w.out(s))


@node("running_extreme")
def _running_extreme(w: Writer, s: Step) -> None:
    """Where the largest (smallest) element so far lies, the last of equal ones; NaN stays."""
    x, d, smallest = s.arguments
    like, n = w.dtype(x), len(w.shape(x))
    if not n:
        w.node("Identity", [w.constant(np.zeros((), WHOLE))], w.out(s))
        return
    d, m = d % n, w.shape(x)[d]
    least = _end(like, largest=smallest)
    value = w.name(x)
    places = np.arange(m).reshape([-1 if i == d else 1 for i in range(n)])
    place = w.node("Expand", [w.constant(places), w.node("Shape", [value])])
    for shift in _shifts(w, x, d):
        older = _behind(w, value, shift, m, d, least)
        keeps = w.node("LessOrEqual" if smallest else "GreaterOrEqual", [value, older])
        if like.kind == "f":
            keeps = w.node("Or", [keeps, w.node("IsNaN", [value])])
        place = w.node("Where", [keeps, place,
                                 _behind(w, place, shift, m, d, np.zeros((), WHOLE))])  # fmt: skip
        value = w.node("Where", [keeps, value, older])
    w.node("Identity", [place], w.out(s))


def _end(like: DType, largest: bool) -> Operand:
    """The largest, or smallest, number of a dtype."""
    if like.kind == "f":
        return np.asarray(np.inf if largest else -np.inf, like)
    bounds = np.iinfo(like)
    return np.asarray(bounds.max if largest else bounds.min, like)


@node("searchsorted")
def _searchsorted(w: Writer, s: Step) -> None:
    """How many of the sorted numbers are less than each."""
    if len(s.arguments) > 2 and s.arguments[2] is not None:
        raise w.refuse(" with a sorter")
    edges, x = (w.cast(a, s.attrs["common"]) for a in s.arguments[:2])
    rows = len(w.shape(s.arguments[0])) > 1
    edges = w.node("Unsqueeze", [edges, w.numbers(-2)]) if rows else edges
    one = w.node("Unsqueeze", [x, w.numbers(-1)])
    less = w.node("LessOrEqual" if s.attrs["right"] else "Less", [edges, one])
    if s.attrs["common"].kind == "f":
        less = w.node("Or", [less, w.node("IsNaN", [one])])  # which is sorted last
    many = w.node("Cast", [less], to=7)
    found = w.node("ReduceSum", [many, w.numbers(-1)], keepdims=0)
    kind = w.onnx.helper.np_dtype_to_tensor_dtype(w.dtype(s.result))
    w.node("Cast", [found], w.out(s), to=kind)


@node("bitwise_left_shift", "bitwise_right_shift")
def _shifted(w: Writer, s: Step) -> None:
    """By powers of two: ONNX shifts only what has no sign."""
    like = w.dtype(s.result)
    x, y = (w.cast(a, WHOLE) for a in s.arguments)
    bits = like.itemsize * 8
    base = w.constant(np.asarray(2, WHOLE))
    if s.name == "bitwise_left_shift":
        found = w.node("Mul", [x, w.node("Pow", [base, y])])
        inside = w.node("Less", [y, w.constant(np.asarray(bits))])
        found = w.node("Where", [inside, found, w.constant(np.zeros((), WHOLE))])
    else:
        most = w.node("Min", [y, w.constant(np.asarray(bits - 1))])
        half = w.node("Div", [most, base])
        found = x
        for part in (half, w.node("Sub", [most, half])):  # for 2 ** 63 is no int64
            by = w.node("Pow", [base, part])
            found = w.node("Div", [w.node("Sub", [found, w.node("Mod", [found, by])]), by])
    w.node("Cast", [found], w.out(s), to=w.onnx.helper.np_dtype_to_tensor_dtype(like))


@node("slogdet")
def _slogdet(w: Writer, s: Step) -> None:
    det = w.node("Det", [w.name(s.arguments[0])])
    sign, size = w.outs(s)
    w.node("Sign", [det], sign)
    w.node("Log", [w.node("Abs", [det])], size)
