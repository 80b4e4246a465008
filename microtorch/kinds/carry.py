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

from ..engine.record import constant_node
from ..handles.inplace import carrying
from ..handles.views import rederive, views_of
from .batched import Batch, not_in_place
from .dual import Dual
from .level import Kind, Level, dev_of, ends, levels_in, lift

if TYPE_CHECKING:
    from ..base.types import AnyArray, Array
    from ..handles.tensor import Tensor


def carry(target: Tensor, out: Array, name: str) -> None:
    """Make ``target`` ready to be overwritten with the numbers of ``out``."""
    if not isinstance(out, Kind):
        return
    base = target if target.origin is None else target.origin[0]
    missing = [level for level in levels_in(out) if level not in levels_in(base.array)]
    if any(lead > 1 and level in missing for level, lead in _leads(out, tangents=False)):
        raise not_in_place(f"{name}_")
    shared = _more_samples(out, target.array)
    if not missing and not shared and _has_room(base.array):
        return
    if shared:
        base.array = _with_each(base.array)
    if missing:
        storage = base.node.storage
        lifted = lift(base, missing)
        base.array, base.node = lifted.array, lifted.node
        base.node.storage = storage
        for level in missing:
            level.carried.append(ref(base))
    _make_room(base.array)
    views = views_of(base)
    if target is not base and not any([view is target for view in views]):
        views.append(target)
    for view in views:
        assert view.origin is not None
        array = base.array
        for op, attrs in view.origin[1]:
            array = op.kernels[dev_of(array)](array, **(attrs or {}))
        view.array = array
        if not view.node.needs:
            view.node = _constant(array, view.node.storage)
    if base.node.needs:
        rederive(base)


def _constant(array: Array, storage: AnyArray) -> AnyArray:
    node = constant_node(array, dev_of(array))
    node.storage = storage
    return node


def _more_samples(out: AnyArray, into: AnyArray) -> bool:
    """Has ``out`` numbers for several samples where ``into`` has one for all?"""
    one_for_all = {level for level, lead in _leads(into) if lead == 1}
    return any(lead > 1 and level in one_for_all for level, lead in _leads(out))


def _leads(array: AnyArray, tangents: bool = True) -> Iterator[tuple[Level, int]]:
    """The batches that an array is made of, ``tangents`` among them: (level, samples)."""
    if isinstance(array, Batch):
        yield array.level, array.lead
    if isinstance(array, Kind):
        yield from _leads(array.value, tangents)
    if isinstance(array, Dual) and tangents:
        yield from _leads(array.tangent)


def _with_each(array: AnyArray) -> AnyArray:
    """``array`` with numbers of its own for each sample."""
    if isinstance(array, Batch) and array.lead < array.level.size:
        value = _with_each(array.value)
        dev = dev_of(value)
        wide = dev.expand(value, shape=(array.level.size, *array.shape))
        return Batch(array.level, dev.clone(wide))
    return array.around(lambda v, _: _with_each(v)) if isinstance(array, Kind) else array


def _has_room(array: AnyArray) -> bool:
    if isinstance(array, Dual):
        return array.tangent is not None and _has_room(array.value) and _has_room(array.tangent)
    return not isinstance(array, Kind) or _has_room(array.value)


def _make_room(array: AnyArray) -> None:
    """Give dual numbers that are constants tangents of 0, which can be overwritten."""
    if isinstance(array, Dual):
        if array.tangent is None:
            array.tangent = array.dev.inner.full(array.shape, 0, array.dtype)
        _make_room(array.tangent)
    if isinstance(array, Kind):
        _make_room(array.value)


def leave(level: Level) -> None:
    """At the end of a level: tensors from outside that were written in it lose their tangents."""
    for written in level.carried:
        t = written()
        if t is not None and not t.node.needs and isinstance(t.array, Dual):
            if t.array.level is level:
                storage = t.node.storage
                t.array = t.array.value
                t.node = _constant(t.array, storage)
                for view in views_of(t):
                    if isinstance(view.array, Dual) and not view.node.needs:
                        view.array = view.array.value
                        view.node = _constant(view.array, storage)


carrying.append(carry)
ends.append(leave)
