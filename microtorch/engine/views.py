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


def link_view(t: Tensor, parent: Tensor, op: Op, attrs: Attrs | None) -> None:
    """If ``t``, the result of ``op`` on ``parent``, shares its memory, link the two."""
    out, source = t.array, parent.array
    if not (
        out is source
        or (out.base is not None and (out.base is source or out.base is source.base))
    ):
        return
    storage = t.node.storage = storage_of(parent.node)
    base, chain = parent.origin if parent.origin is not None else (parent, ())
    chain = (*chain, (op, attrs))
    if t.node.op is None and not mode.get().grad:
        chain = (*chain, (unfollowing[0], UNRECORDED))
    t.origin = (base, chain)
    storage.add_view(ref(t))
