"""A view and its base know each other: one Storage, and the way from the base to the view."""
from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from ..backends.core.library import place_of, taught
from ..graph import Storage, last_write, mode, storage_of, ticks
from .handle import Handle

if TYPE_CHECKING:
    from collections.abc import Callable

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


def written_link(t: Tensor, parent: Tensor, op: Op, attrs: Attrs | None) -> Tensor:
    """``link_view`` where there is no C core."""
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
    storage.add_view(ref(t))
    return t


# ``t``, the result of ``op`` on ``parent``. If it shares its memory, the two are linked.
link_view: Callable[[Tensor, Tensor, Op, Attrs | None], Tensor] = taught(
    "link_view", (Handle, Storage, storage_of, mode.get, unfollowing, UNRECORDED, written_link),
    [place_of(Storage, "turned"), place_of(Storage, "views")], written_link,
)  # fmt: skip

_dates = [place_of(Storage, name) for name in ("written", "version", "writer", "beside", "aside")]
_wrote = taught("wrote", (Storage, last_write, ticks), _dates, Storage.wrote)
type.__setattr__(Storage, "wrote", _wrote)
