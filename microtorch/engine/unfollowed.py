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
from ..graph import mode, storage_of, user_frame
from .op import Op
from .record import check_whole, constant_of, recorded_of
from .short import single
from .views import UNRECORDED, unfollowing

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


class Pieces:
    """What views of one tensor at consecutive places have in common.

    ``lead``: an index of the dimensions before; ``first``: the number of the first one among the
    function's outputs; ``chain``: from the base to the tensor.
    """

    __slots__ = ("chain", "first", "function", "lead", "op", "places")

    def __init__(
        self, op: Op, lead: tuple[slice, ...], places: Sequence[Any], function: str, first: int,
        chain: Chain,
    ):  # fmt: skip
        self.op, self.lead, self.places = op, lead, places
        self.function, self.first, self.chain = function, first, chain

    def attrs(self, i: int) -> Attrs:
        return {"index": (*self.lead, self.places[i], ...)}


class Way:
    """The chain of one of many views: written out when somebody asks for it, which is seldom."""

    __slots__ = ("i", "pieces")
    i: int
    pieces: Pieces

    def __iter__(self) -> Iterator[tuple[Op, Attrs | None]]:
        p, i = self.pieces, self.i
        mark = {"function": p.function, "output": p.first + i, "why": SEVERAL}
        return iter((*p.chain, (p.op, p.attrs(i)), (unfollowed, mark)))


def marked_views(
    op: Op, input: Tensor, dim: int, places: Sequence[Any], function: str, first: int
) -> list[Tensor]:
    """The views of ``input`` at ``places`` along ``dim``, marked as outputs of ``function`` from
    ``first`` on.

    They are made as ``single`` makes each, but what they have in common is found once. Without a
    ``function``, writes through them are followed.
    """
    base, chain = input.origin if input.origin is not None else (input, ())
    chain = tuple([step for step in chain if step[1] is not UNRECORDED]) if chain else ()
    pieces = Pieces(op, (slice(None),) * dim, places, function, first, chain)
    if not function or type(input.array) is not np.ndarray or HotTable.aside:
        views = [single(op, input, pieces.attrs(i)) for i in range(len(places))]
        for i, t in enumerate(views if function else (), first):
            mark(t, function, i, SEVERAL)
        return views
    a, x, m = input.node, input.array, mode.get()
    inputs, dev, storage, flows = (a,), a.dev, storage_of(a), a.needs and m.grad
    flows = flows and (a.dev is not cpu or check_whole(op, inputs))
    views, lead = list[Any](), pieces.lead
    if flows:
        frame = user_frame(sys._getframe(1))
        code, lasti = frame.f_code, frame.f_lasti
    for i, place in enumerate(places):
        index = (*lead, place, ...)
        out = x[index]
        if flows:
            attrs = {"index": index}
            t = recorded_of(op.node, inputs, inputs, out, dev, attrs, m.scope, code, lasti)
        else:
            t = constant_of(out, dev)
        t.node.storage = storage
        way = Way()
        way.pieces, way.i = pieces, i
        t.origin = (base, way)
        views.append(t)
    storage.add_views([ref(t) for t in views])
    return views


def mark_of(t: Tensor) -> Attrs | None:
    """The first mark in the chain of a view; None if writes can be followed."""
    if t.origin is None:
        return None
    for op, attrs in t.origin[1]:
        if op is unfollowed:
            return attrs
    return None
