"""Writes to shared memory: how a write reaches the base, and how the other views learn of it.

If the handle written to is a view, the write reaches its base through the memory they share, so
the base's node becomes

    CopySlices(old base, new value of the region)

and every live view of that base is derived from it anew.
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
    from ..base.types import Array, Chain, Namespace
    from .tensor import Tensor


def write(target: Tensor, out: Array, writer: str) -> None:
    """Overwrite target's elements and date the write."""
    try:
        target.array[...] = out
    except ValueError:
        raise RuntimeError(
            errors.message(
                "unsupported operation: more than one element of the written-to tensor refers to a "
                "single memory location. Please clone() the tensor before performing the "
                "operation.",
                f"{writer}_ on {errors.describe(target)} with strides {target.stride()}",
            )
        ) from None
    storage_of(target.node).wrote(writer)


def rebind(target: Tensor, outcome: Tensor, writer: str) -> None:
    """Write ``outcome`` into target's memory, and give target its node.

    If target is a view, its base and all other views of the base get new nodes as well.
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
        outcome.node.seq = tick()  # newer than the write: what it read, it saved as a copy
    _adopt(base, _copy_slices(base, previous, outcome.node, chain), storage)
    _rederive(base)
    if target.node is old:  # the base does not list it, as it was made under no_grad
        _derive(target, base)


def _leave_memory(node: Node, array: Array) -> None:
    """Give ``node`` a copy of its value, which is about to be overwritten: graphs show what was.
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
    """Derive all live views of ``base`` anew."""
    for ref in list(storage_of(base.node).views):
        view = ref()
        if view is not None and view.origin is not None and view.origin[0] is base:
            _derive(view, base)


def _derive(view: Tensor, base: Tensor) -> None:
    """Give ``view`` a node that starts from base's present node, by the same chain of view ops."""
    if view.origin is None:
        return
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
def _region(x: Any, chain: Chain, F: Namespace) -> Any:
    """The part of ``x``, array or Tensor, to which a chain of view ops leads."""
    for op, attrs in chain:
        x = getattr(F, op.name)(x, **(attrs or {}))
    return x


def _copy_slices_forward(
    F: Namespace, base: Array, value: Array, chain: Chain, order: tuple[int, ...]
) -> Array:
    # laid out in memory as the base was: in another order, reshape would give a copy, not a view
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
    attrs = {"chain": chain, "order": order}
    scope, frame = mode.get().scope, user_frame(sys._getframe(1))
    both = (previous, value)
    n = fill(copy_slices_op.node(), both, both, base.array, previous.dev, attrs, scope, frame)
    n.code, n.lasti = value.code, value.lasti  # a Constant has no line of its own
    return n
