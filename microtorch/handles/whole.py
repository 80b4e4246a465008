"""Whole numbers and masks that require gradient: a number that requires it was written into them.

No gradient can flow to that number through them, and to forget it would be to drop a gradient in
silence. So they require gradient, as in PyTorch, and what would record a derivative through them
raises (``check_whole`` in engine/record.py), as does backward that reaches them.
"""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from ..arrays.dtypes import TORCH_TYPES
from ..base import errors
from ..engine.op import Op
from ..engine.record import fill
from ..graph import Mode, mode, user_frame
from ..ops.node_names import rename
from .views import adopt

if TYPE_CHECKING:
    from ..base.types import Argument
    from ..graph import Node
    from .tensor import Tensor


def _refused(F: object, g: object, node: Node) -> NoReturn:
    kind = TORCH_TYPES[node.dtype.name]
    raise RuntimeError(
        errors.message(
            f"a gradient reached a tensor of dtype {kind}, which has none",
            f"a number that requires gradient was written into it at {node.where()}",
            fix="write number.detach(), or make the tensor one of floating point first",
        )
    )


whole_op = Op("whole", None, joint=_refused, register=False, reads_nothing=True)


def is_whole(t: Tensor) -> bool:
    """Does ``t``, of whole numbers or masks, require gradient?"""
    return t.node.needs and t.array.dtype.kind not in "fcV"


def requiring(target: Tensor, *written: Argument, name: str) -> Tensor:
    """``target``, into which ``written`` has just been written. PyTorch's ``name`` of the node.

    It comes to require gradient if it is of whole numbers and one of them does.
    """
    if target.array.dtype.kind in "fcV" or not mode.get().grad:
        return target
    nodes = tuple([x.node for x in written if hasattr(x, "node") and x.node.needs])
    if not nodes:
        return target
    dev, frame = target.node.dev, user_frame(sys._getframe(1))
    node = fill(whole_op.node(), nodes, nodes, target.array, dev, None, mode.get().scope, frame)
    adopt(target, node)
    return rename(target, name) if target.origin is None else target


@contextmanager
def recording(grad: bool) -> Iterator[None]:
    """In the block gradients are recorded, or are not."""
    now = mode.get()
    try:
        mode.set(Mode(grad, now.scope, now.inference))
        yield
    finally:
        mode.set(now)
