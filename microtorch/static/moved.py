"""Steps that put elements in another order, or take some of them, by shapes alone: views, and
copies to places.

``moved`` is a table like that of calls.py.
"""
from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ..handles.memory import offset
from .look import Look, Table
from .parts import new
from .statements import Copy, Each, Lowered, Place, Sum, View
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand, Shape

moved = Table()


def probe(shape: Shape, strides: Shape) -> Array:
    """An array of bytes of this shape, to find out where an index leads; strides in bytes."""
    return np.lib.stride_tricks.as_strided(np.empty(1, np.uint8), shape, strides)


def steps_of(s: Look, x: Operand) -> Shape:
    """The strides of a value, in elements."""
    value = s.program.values[x.number]
    return tuple([n // value.dtype.itemsize for n in value.strides])


def seen(s: Look, x: Operand, take: Operand) -> View:
    """What ``take`` takes of an array like x, as a view."""
    whole = probe(s.shape(x), steps_of(s, x))
    part = take(whole)
    to = new(s.program, part.shape, x.number)
    return View(s.step, to, x.number, offset(part) - offset(whole), part.strides)


def place(s: Look, take: Operand) -> Place:
    """What ``take`` takes of the result."""
    whole = probe(s.shape(s.step.result), steps_of(s, s.step.result))
    part = take(whole)
    return Place(s.step.result.number, offset(part) - offset(whole), part.strides, part.shape)


@moved.entry("kernel flip", "vjp flip_vjp0")
def _flip(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not s.alike(x, out):
        return None
    view = seen(s, x, lambda whole: np.flip(whole, s.attr("dims")))
    return [view, Each(s.step, out.number, "x", {"x": Ref(view.result)})]


@moved.entry("kernel roll", "vjp roll_vjp0")
def _roll(s: Look) -> list[Lowered] | None:
    """Each dimension is two parts that change places."""
    x, out, dims = s.given[0], s.step.result, s.attr("dims")
    if not s.alike(x, out) or not s.lies_in_rows(out) or len({*dims}) != len(dims):
        return None
    sign = -1 if s.step.kind == "vjp" else 1
    halves: list[list[tuple[slice, slice]]] = [[(slice(None), slice(None))] for _ in s.shape(x)]
    for d, shift in zip(dims, s.attr("shifts"), strict=True):
        n = s.shape(x)[d]
        by = sign * shift % n
        if by:
            halves[d] = [(slice(n - by), slice(by, None)), (slice(n - by, None), slice(by))]
    views: list[Lowered] = []
    parts: list[tuple[int, Place]] = []
    for chosen in itertools.product(*halves):
        source, to = zip(*chosen, strict=True)
        view = seen(s, x, lambda whole, at=source: whole[at])
        views.append(view)
        parts.append((view.result, place(s, lambda whole, at=to: whole[at])))
    return [*views, Copy(s.step, out.number, None, parts)]


@moved.entry("kernel diagonal_backward", "vjp diagonal_vjp0")
def _diagonal_backward(s: Look) -> list[Lowered] | None:
    g, out = s.given[0], s.step.result
    if not (s.floats(g, out) or (s.alone and s.alike(g, out))) or not s.lies_in_rows(out):
        return None
    where = [s.attr(k) for k in ("offset", "dim1", "dim2")]
    at = place(s, lambda whole: whole.diagonal(*where))
    return [Copy(s.step, out.number, 0.0, [(g.number, at)])] if at.shape == s.shape(g) else None


@moved.entry("kernel trace")
def _trace(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not s.floats(x, out):
        return None
    view = seen(s, x, lambda whole: whole.diagonal())
    return [view, Sum(s.step, out.number, view.result, (0,), 1)]


@moved.entry("vjp trace_vjp0")
def _trace_vjp(s: Look) -> list[Lowered] | None:
    g, out = s.given[0], s.step.result
    if not s.floats(g, out) or not s.rows(out) or s.shape(g):
        return None
    at = place(s, lambda whole: whole.diagonal())
    view = new(s.program, at.shape, g.number)
    return [View(s.step, view, g.number, 0, (0,)), Copy(s.step, out.number, 0.0, [(view, at)])]


@moved.entry("kernel block_diag")
def _block_diag(s: Look) -> list[Lowered] | None:
    out = s.step.result
    if not s.alike(*s.given, out) or not s.lies_in_rows(out):
        return None
    parts: list[tuple[int, Place]] = []
    row = column = 0
    for x in s.given:
        height, width = s.shape(x)
        at = slice(row, row + height), slice(column, column + width)
        parts.append((x.number, place(s, lambda whole, at=at: whole[at])))
        row, column = row + height, column + width
    return [Copy(s.step, out.number, 0.0, parts)]
