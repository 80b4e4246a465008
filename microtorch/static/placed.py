"""Steps that put elements to places: copies, joined arrays, parts, and writes to older memory."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..handles.memory import offset, owner
from .elements import IN_PLACE
from .parts import new
from .statements import C_TYPES, Copy, Each, Lowered, Place, View, row_major
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand, Shape
    from .program import Program, Step


def written(program: Program, step: Step, arrays: dict[int, Array]) -> list[Lowered] | None:
    """``x += y`` and the like, and ``x[i] = y``: elements that go to where older ones are."""
    given, values = step.arguments, program.values
    target, source = given[0], given[-1]
    if type(target) is not Ref or type(source) not in (Ref, int, float):
        return None
    to = values[target.number]
    if to.dtype.name not in C_TYPES or to.dtype.kind == "b":
        return None
    if to.dtype.kind in "iu" and (type(source) is float or step.name == "itruediv"):
        return None
    if type(source) is Ref:
        mine, theirs = arrays.get(target.number), arrays.get(source.number)
        if values[source.number].dtype != to.dtype or mine is None or theirs is None:
            return None
        if owner(mine) is owner(theirs):  # the order of elements would count
            return None
    if step.name == "setitem":
        strides = tuple([n // to.dtype.itemsize for n in to.strides])
        place = _part(to.shape, target.number, given[1], strides)
        if place is None:
            return None
        formula, operands = "y", {"y": source}
    else:
        size = to.dtype.itemsize
        place = Place(target.number, 0, tuple([n // size for n in to.strides]), to.shape)
        formula, operands = IN_PLACE[step.name], {"x": target, "y": source}
    shape = () if type(source) is not Ref else values[source.number].shape
    if len(shape) > len(place.shape) or np.broadcast_shapes(shape, place.shape) != place.shape:
        return None
    return [Each(step, target.number, formula, operands, place)]


def taken(program: Program, step: Step, result: int) -> list[Lowered] | None:
    """``x[i]`` where that is a copy: a number, not an array."""
    base, index = step.arguments
    if type(base) is not Ref:
        return None
    value = program.values[base.number]
    strides = tuple([s // value.dtype.itemsize for s in value.strides])
    place = _part(value.shape, base.number, index, strides)
    if place is None or place.shape != program.values[result].shape:
        return None
    seen = new(program, place.shape, base.number)
    return [
        View(step, seen, base.number, place.start, place.strides),
        Each(step, result, "x", {"x": Ref(seen)}),
    ]


def copied(program: Program, step: Step, result: int) -> Copy | None:
    """reshape where it copies, copies, joined tensors, and a slice's derivative."""
    values, given = program.values, step.arguments
    shape = values[result].shape
    if not values[result].contiguous:
        return None
    name = f"{step.kind} {step.name}"
    if name in ("kernel cat", "kernel stack"):
        at, parts, dim = 0, [], step.attrs.get("dim", 0) % len(shape)
        for x in given:
            if type(x) is not Ref:
                return None
            own = values[x.number].shape
            n = 1 if step.name == "stack" else own[dim] if len(own) == len(shape) else -1
            if n < 0:
                return None
            index = at if step.name == "stack" else slice(at, at + n)
            place = _part(shape, result, (*(slice(None),) * dim, index))
            if place is None or place.shape != own:
                return None
            parts.append((x.number, place))
            at += n
        return Copy(step, result, None, parts)
    placed = name == "vjp slice_vjp0" or (name == "kernel place" and step.attrs.get("unique"))
    if placed and type(given[0]) is Ref:
        place = _part(shape, result, step.attrs.get("index"))
        if place is None or place.shape != values[given[0].number].shape:
            return None
        return Copy(step, result, 0.0, [(given[0].number, place)])
    whole = name in ("kernel reshape", "vjp reshape_vjp0", "method reshape") or (
        name in ("method copy", "kernel clone") and values[result].contiguous
    )
    if whole and type(given[0]) is Ref:
        own = values[given[0].number].shape
        place = Place(result, 0, row_major(own), own)
        return Copy(step, result, None, [(given[0].number, place)])
    return None


def _part(
    shape: Shape, base: int, index: Operand, strides: Shape | None = None
) -> Place | None:
    """What an index of integers and slices takes of a value; ``strides``: row by row, if None."""
    parts = index if type(index) is tuple else (index,)
    if any(type(i) not in (int, slice, type(None), type(Ellipsis)) for i in parts):
        return None
    strides = row_major(shape) if strides is None else strides
    if any(n < 0 for n in strides):
        return None
    size = 1 + sum((n - 1) * k for n, k in zip(shape, strides, strict=True))
    probe = np.lib.stride_tricks.as_strided(np.empty(size, bool), shape, strides)
    found = probe[(*parts, ...) if Ellipsis not in parts else parts]
    return Place(base, offset(found) - offset(probe), found.strides, found.shape)
