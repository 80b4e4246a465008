"""In-place writes of another kind of numbers than the target has.

A tensor that is written with dual numbers becomes one of dual numbers, and so do its base and all
views of it: they share one memory of values, and from now on one of tangents. A batch cannot be
written into memory that all samples share; but tangents, which are new, may be a batch's, as those
of ``jacfwd`` are.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import ref

from ..base.errors import InplaceError, describe, message
from ..engine.record import constant_node
from ..engine.unfollowed import unfollowed
from ..graph import mode
from ..handles.inplace import carrying
from ..handles.views import rederive, views_of
from .batched import Batch, not_in_place
from .dual import Dual, laid_as
from .level import Kind, Level, dev_of, ends, levels_in, lift

if TYPE_CHECKING:
    from ..base.types import AnyArray, Array
    from ..handles.tensor import Tensor


def carry(target: Tensor, outcome: Tensor, name: str) -> None:
    """Make ``target`` ready to be overwritten with the numbers of ``outcome``."""
    out = outcome.array
    if not isinstance(out, Kind):
        return
    base = target if target.origin is None else target.origin[0]
    if outcome.node.needs and mode.get().grad:
        _check_outside(base, name)
    missing = [level for level in levels_in(out) if level not in levels_in(base.array)]
    if any(lead > 1 and level in missing for level, lead in _leads(out)):
        raise not_in_place(f"{name}_")
    if not missing and _with_room(base.array, out) is base.array and _has_room(base.array):
        return
    if missing:
        storage = base.node.storage
        lifted = lift(base, missing)
        base.array, base.node = lifted.array, lifted.node
        base.node.storage = storage
        for level in missing:
            level.carried.append(ref(base))
    base.array = _with_room(base.array, out)
    _make_room(base.array)
    views = views_of(base)
    if target is not base and not any([view is target for view in views]):
        views.append(target)
    for view in views:
        assert view.origin is not None
        array = base.array
        for op, attrs in view.origin[1]:
            if op is unfollowed:
                continue
            array = op.kernels[dev_of(array)](array, **(attrs or {}))
        view.array = array
        if not view.node.needs:
            view.node = _constant(array, view.node.storage)
    if base.node.needs:
        rederive(base)


def _check_outside(base: Tensor, name: str) -> None:
    """Raise if ``base`` shows the memory of a tensor outside of its level: that tensor would hold
    what is written, and its gradient would not know.
    """
    if any([level.shown.get(id(base)) is base for level in levels_in(base.array)]):
        raise InplaceError(
            message(
                f"{name}_ would overwrite a tensor that lies outside of vmap or of forward mode, "
                "with numbers that require gradient, which do not reach it there",
                f"{name}_ on {describe(base)}",
                fix=f"write it out of place, or .clone() it before {name}_",
            )
        )


def _constant(array: Array, storage: AnyArray) -> AnyArray:
    node = constant_node(array, dev_of(array))
    node.storage = storage
    return node


def _leads(array: AnyArray) -> Iterator[tuple[Level, int]]:
    """The batches that an array is made of, those of tangents apart: (level, samples)."""
    if isinstance(array, Batch):
        yield array.level, array.lead
    if isinstance(array, Kind):
        yield from _leads(array.value)


def _with_room(array: AnyArray, out: AnyArray) -> AnyArray:
    """``array`` with numbers of its own for each sample, in those parts where ``out`` has them.

    Itself if there is nothing to do.
    """
    if not isinstance(array, Kind):
        return array
    same = isinstance(out, Kind) and out.level is array.level
    value = _with_room(array.value, out.value if same else out)
    if isinstance(array, Dual):
        tangent = array.tangent
        if same and tangent is not None and out.tangent is not None:
            tangent = _with_room(tangent, out.tangent)
        if value is array.value and tangent is array.tangent:
            return array
        return Dual(array.level, value, tangent if tangent is None else laid_as(tangent, value))
    assert isinstance(array, Batch)
    if same and out.lead > array.lead:
        dev = dev_of(value)
        wide = dev.expand(value, shape=(array.level.size, *array.shape))
        return laid_as(Batch(array.level, dev.clone(wide)), array)
    return array if value is array.value else Batch(array.level, value)


def _has_room(array: AnyArray) -> bool:
    if isinstance(array, Dual):
        return array.tangent is not None and _has_room(array.value) and _has_room(array.tangent)
    return not isinstance(array, Kind) or _has_room(array.value)


def _make_room(array: AnyArray) -> None:
    """Give dual numbers that are constants tangents of 0, which can be overwritten."""
    if isinstance(array, Dual):
        if array.tangent is None:
            array.make_room()
        _make_room(array.tangent)
    if isinstance(array, Kind):
        _make_room(array.value)


def leave(level: Level) -> None:
    """At the end of a level: tensors from outside that were written in it become what they were.

    They lose their tangents, and what all samples share is no batch.
    """
    for written in level.carried:
        t = written()
        if t is None or t.node.needs or _outside(t.array, level) is None:
            continue
        for shown in [t, *[v for v in views_of(t) if not v.node.needs]]:
            array = _outside(shown.array, level)
            if array is not None:
                storage, shown.array = shown.node.storage, array
                shown.node = _constant(array, storage)


def _outside(array: AnyArray, level: Level) -> AnyArray:
    """What an array of ``level`` is outside of it; None if it is of another, or stays a batch."""
    if isinstance(array, Dual) and array.level is level:
        return array.value
    if isinstance(array, Batch) and array.level is level and array.lead == 1:
        return array.value[0]
    return None


carrying.append(carry)
ends.append(leave)
