"""A view and its base know each other: one Storage, and the way from the base to the view."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from numpy._core import multiarray

from ..backends.core.library import place_of, taught
from ..backends.table import shared
from ..graph import Storage, last_write, mode, ticks
from ..graph import storage_of as written_storage
from .handle import Handle

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..base.types import Attrs, Kernel
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
    storage = node.storage = parent.node.storage or written_storage(parent.node)
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


_by = (Handle, Storage, mode.get, unfollowing, UNRECORDED, written_link)
_kept = [
    place_of(Storage, name)
    for name in ("turned", "views", "born", "written", "version", "writer", "beside", "aside")
]
storage_of = taught("storage_of", _by, _kept, written_storage)
# ``t``, the result of ``op`` on ``parent``. If it shares its memory, the two are linked.
link_view: Callable[[Tensor, Tensor, Op, Attrs | None], Tensor] = taught(
    "link_view", _by, _kept, written_link
)
_wrote = taught("wrote", (Storage, last_write, ticks), _kept, Storage.wrote)
type.__setattr__(Storage, "wrote", _wrote)
# of a view's text, its op, the op's kernels and its argument's name: the function for what is not
# recorded, which hands all else to the text (hot.py)
viewer: Callable[..., Callable[[Tensor, Any], Tensor]] = taught(
    "viewer", (), (), lambda written, *_: written
)


def by_c(name: str, forward: Kernel, *ops: str) -> Kernel:
    """``forward``, a view of one static argument, as C makes it of numpy's arrays."""
    written = partial(forward, None)
    made = taught(name, (multiarray._ARRAY_API, written), (), written)
    shared.update(dict.fromkeys(ops, made))
    return forward
