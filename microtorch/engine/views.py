"""A view and its base know each other: one Storage, and the way from the base to the view."""
from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from ..graph import mode, storage_of

if TYPE_CHECKING:
    from ..base.types import Attrs
    from ..handles.tensor import Tensor
    from .op import Op


# the op of a mark in a chain (unfollowed.py, once imported), and the mark of a view made under
# no_grad
unfollowing: list[Op] = []
UNRECORDED: Attrs = {
    "view": "A view was created in no_grad mode",
    "why": "Given that this use case is ambiguous and error-prone, it is forbidden. Make the view "
    "with gradient enabled, or write under torch.no_grad() as well.",
}


def link_view(t: Tensor, parent: Tensor, op: Op, attrs: Attrs | None) -> Tensor:
    """``t``, the result of ``op`` on ``parent``. If it shares its memory, the two are linked."""
    source = parent.array
    if (out := t.array) is not source:
        owner = out.base
        if owner is None or (owner is not source and owner is not source.base):
            return t
    node, origin = t.node, parent.origin
    storage = node.storage = parent.node.storage or storage_of(parent.node)
    if not storage.turned and not out.flags.c_contiguous:
        storage.turned = True
    base, chain = (parent, ((op, attrs),)) if origin is None else (
        origin[0], (*origin[1], (op, attrs))
    )  # fmt: skip
    if node.op is None and not mode.get().grad:
        chain = (*chain, (unfollowing[0], UNRECORDED))
    t.origin = (base, chain)
    views = storage.views
    if (n := len(views)) < 8 or n & (n - 1):  # add_view, whose call costs as much as this
        views.append(ref(t))
    else:
        storage.add_view(ref(t))
    return t
