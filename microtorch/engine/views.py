"""A view and its base know each other: one Storage, and the way from the base to the view."""
from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from ..graph import mode, storage_of

if TYPE_CHECKING:
    from ..base.types import Attrs
    from ..handles.tensor import Tensor
    from .op import Op


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
    t.origin = (base, (*chain, (op, attrs)))
    if t.node.op is None and not mode.get().grad:
        from .unfollowed import UNRECORDED, unfollowed

        t.origin = (base, (*t.origin[1], (unfollowed, UNRECORDED)))
    storage.add_view(ref(t))
