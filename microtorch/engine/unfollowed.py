"""Views that writes cannot be followed through: outputs of unbind, split and custom Functions, and
views made under no_grad.

Such a view has a mark in its chain. A recorded write to it raises at once. A write to its base
leaves it without a derivative: it gets a node that raises as soon as an op would record it.
"""
from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import ref

import numpy as np

from ..backends import cpu
from ..backends.table import HotTable
from ..base import errors
from ..graph import mode, user_frame
from .op import Op
from .record import check_whole, constant_of, recorded_of
from .short import single
from .views import UNRECORDED, storage_of, unfollowing

if TYPE_CHECKING:
    from ..base.types import Attrs, Chain
    from ..graph import Node
    from ..handles.tensor import Tensor

SEVERAL = (
    "This view is the output of a function that returns multiple views. Such functions do not "
    "allow the output views to be modified inplace. You should replace the inplace operation by an "
    "out-of-place one."
)
CUSTOM = (
    "This view was created inside a custom Function (or because an input was returned as-is) and "
    "the autograd logic to handle view+inplace would override the custom backward associated with "
    "the custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix "
    "this by cloning the output of the custom Function."
)


def _stale(F: Any, g: Any, node: Node) -> NoReturn:
    raise stale(node)


def stale(node: Node) -> errors.InplaceError:
    """The error for the use of a view whose base was written."""
    return refusal(node.attrs or {}, "its base or another view of its base has been")


def refuse_stale(*tensors: Tensor) -> None:
    """Raise as recording would. PyTorch composes some functions without derivative of ops that are
    recorded."""
    for t in tensors:
        if t.node.op is unfollowed:
            _needs(t.node)


def _needs(node: Node) -> bool:
    if mode.get().grad:
        raise stale(node)
    return True


unfollowed = Op("unfollowed", None, joint=_stale, register=False, reads_nothing=True)
unfollowing.append(unfollowed)
setattr(unfollowed.node, "needs", property(_needs))  # noqa: B010  # ops ask for it to record


def refusal(attrs: Attrs, what: str) -> errors.InplaceError:
    """The error for a write that cannot be followed; ``what`` names what was written."""
    view = attrs.get("view") or f"Output {attrs['output']} of {attrs['function']} is a view"
    text = f"{view} and {what} modified inplace. {attrs['why']}"
    return errors.InplaceError(errors.message(text))


def mark(t: Tensor, function: str, output: int, why: str) -> None:
    """Let no recorded write pass through the view ``t``, output of ``function``."""
    if t.origin is not None:
        base, chain = t.origin
        chain = tuple([step for step in chain if step[1] is not UNRECORDED])
        attrs = {"function": function, "output": output, "why": why}
        t.origin = (base, (*chain, (unfollowed, attrs)))


class Way:
    """The chain of one of many views: written out when somebody asks for it, which is seldom.

    ``common``, what all views of the call have in common: their op, an index of the dimensions
    before, the places, the function, the number of the first one among its outputs, and the chain
    from the base to the tensor.
    """

    __slots__ = ("common", "i")
    common: tuple[Op, tuple[slice, ...], Sequence[Any], str, int, Chain]
    i: int

    def __iter__(self) -> Iterator[tuple[Op, Attrs | None]]:
        op, lead, places, function, first, chain = self.common
        mark = {"function": function, "output": first + self.i, "why": SEVERAL}
        attrs = {"index": (*lead, places[self.i], ...)}
        return iter((*chain, (op, attrs), (unfollowed, mark)))


def marked_views(
    op: Op, input: Tensor, dim: int, places: Sequence[Any], function: str, first: int
) -> list[Tensor]:
    """The views of ``input`` at ``places`` along ``dim``, marked as outputs of ``function`` from
    ``first`` on.

    They are made as ``single`` makes each, but what they have in common is found once. Without a
    ``function``, writes through them are followed.
    """
    lead: tuple[slice, ...] = (slice(None),) * dim
    views: list[Any] = []
    if not function or type(input.array) is not np.ndarray or HotTable.aside:
        views += [single(op, input, {"index": (*lead, place, ...)}) for place in places]
        for i, t in enumerate(views if function else (), first):
            mark(t, function, i, SEVERAL)
        return views
    base, chain = input.origin if input.origin is not None else (input, ())
    chain = tuple([step for step in chain if step[1] is not UNRECORDED]) if chain else ()
    common = (op, lead, places, function, first, chain)
    a, x, flows = input.node, input.array, False
    inputs, dev, storage = (a,), a.dev, storage_of(a)
    if a.needs and (m := mode.get()).grad and (dev is not cpu or check_whole(op, inputs)):
        frame, flows = user_frame(sys._getframe(1)), True
        code, lasti = frame.f_code, frame.f_lasti
    for i, place in enumerate(places):
        index = (*lead, place, ...) if lead else (place, ...)
        if flows:
            t = recorded_of(
                op.node, inputs, inputs, x[index], dev, {"index": index}, m.scope, code, lasti
            )
        else:
            t = constant_of(x[index], dev)
        t.node.storage = storage
        way = Way()
        way.common, way.i = common, i
        t.origin = (base, way)
        views.append(t)
    storage.add_views(map(ref, views))
    return views


def mark_of(t: Tensor) -> Attrs | None:
    """The first mark in the chain of a view; None if writes can be followed."""
    if t.origin is None:
        return None
    for op, attrs in t.origin[1]:
        if op is unfollowed:
            return attrs
    return None
