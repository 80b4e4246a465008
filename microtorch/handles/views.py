"""Writes that views share: how a write reaches the base, and how the other views learn of it.

If the handle written to is a view, the write reaches its base through the shared memory, so the
base's node becomes

    CopySlices(old base, new value of the region)

and every live view of that base is derived anew from it.
"""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import errors
from ..engine.op import Op
from ..engine.record import constant_node, fill
from ..graph import Node, Storage, mode, storage_of, tick, user_frame

if TYPE_CHECKING:
    from ..base.types import Array, Chain
    from .tensor import Tensor


def write(target: Tensor, out: Array, writer: str) -> None:
    """Overwrite target's elements and date the write."""
    try:
        target.array[...] = out
    except ValueError:
        raise RuntimeError(
            errors.message(
                "unsupported operation: more than one element of the written-to tensor refers to a "
                "single memory location. "
                "Please clone() the tensor before performing the operation.",
                f"{writer}_ on {errors.describe(target)} with strides {target.stride()}",
            )
        ) from None
    storage_of(target.node).wrote(writer)


def rebind(target: Tensor, outcome: Tensor, writer: str) -> None:
    """Write ``outcome`` into target's memory, and give target its node.

    The base of a view, and all other views of the base, get new nodes as well.
    """
    old = target.node
    storage = storage_of(old)
    _leave_memory(old, target.array)
    if target.origin is None:
        write(target, outcome.array, writer)
        _adopt(target, outcome.node, storage)
        old.storage = storage.snapshot()
        _rederive(target)
        return
    base, chain = target.origin
    previous = base.node
    _leave_memory(previous, base.array)
    write(target, outcome.array, writer)
    old.storage = previous.storage = storage.snapshot()
    if outcome.node.needs:
        # it has a copy of the old value that it read, so nothing that it saved is stale
        outcome.node.seq = tick()
    _adopt(base, _copy_slices(base, previous, outcome.node, chain), storage)
    _rederive(base)
    # made under no_grad or otherwise not listed
    if target.origin is not None and target.node is old:
        _derive(target, base)


def _leave_memory(node: Node, array: Array) -> None:
    """Give ``node`` a copy of its value, which is about to be overwritten.

    The graph goes on showing what it was.
    """
    if type(node.value) is not tuple and node.value is array:
        node.value = array.copy()


def _adopt(t: Tensor, node: Node, storage: Storage) -> None:
    """Make ``node``, whose value has just been written into t's memory, the node of ``t``."""
    node.value = t.array
    node.storage = storage
    node.seq = tick()  # newer than the write, so that what is saved from now on is fresh
    t.node = node


def _rederive(base: Tensor) -> None:
    for ref in list(base.node.storage.views):
        view = ref()
        if view is not None and view.origin is not None and view.origin[0] is base:
            _derive(view, base)


def _derive(view: Tensor, base: Tensor) -> None:
    """Give ``view`` a node that starts from base's present node, by the same chain of view ops."""
    parent = base.node
    if not parent.needs:
        view.node = constant_node(view.array, parent.dev)
        view.node.storage = parent.storage
        return
    scope, frame = mode.get().scope, user_frame(sys._getframe(1))
    for op, attrs in view.origin[1]:
        array = op.kernels[parent.dev](parent.value, **(attrs or {}))
        n = fill(op.node(), (parent,), (parent,), array, parent.dev, attrs, scope, frame)
        n.storage = parent.storage
        parent = n
    parent.value = view.array
    view.node = parent


# ---- CopySlices: a base in which one region was replaced -----------------------------------------
def _region(x: Any, chain: tuple[tuple[Op, Any], ...], F: Any) -> Any:
    for op, attrs in chain:
        x = getattr(F, op.name)(x, **(attrs or {}))
    return x


def _copy_slices_forward(F: Any, base: Any, value: Any, chain: Any, order: Any) -> Any:
    # laid out in memory as the base was: in another order, reshape would give a copy where it gave
    # a view
    out = np.empty(tuple([base.shape[i] for i in order]), base.dtype).transpose(np.argsort(order))
    out[...] = base
    _region(out, chain, F)[...] = value
    return out


copy_slices_op = Op(
    "copy_slices",
    _copy_slices_forward,
    vjps=(
        lambda F, g, out, base, value, chain, order: F.copy_slices(
            g, F.zero(g), chain=chain, order=order
        ),
        lambda F, g, out, base, value, chain, order: _region(g, chain, F),
    ),
    rule=("g, with 0 in the region", "g in the region"),
    torch_name="CopySlices",
)
copy_slices_op.node.__name__ = copy_slices_op.node.__qualname__ = "CopySlices"


def _copy_slices(base: Tensor, previous: Node, value: Node, chain: Chain) -> Node:
    strides = base.array.strides
    order = tuple(sorted(range(base.array.ndim), key=lambda i: -abs(strides[i])))
    n = copy_slices_op.node()
    fill(n, (previous, value), (previous, value), base.array, previous.dev,
         {"chain": chain, "order": order}, mode.get().scope, user_frame(sys._getframe(1)))  # fmt: skip
    n.code, n.lasti = value.code, value.lasti  # a Constant has no line of its own
    return n
