"""Writes to shared memory: how a write reaches the base, and how the other views learn of it.

If the handle written to is a view, the write reaches its base through the memory they share, so
the base's node becomes

    CopySlices(old base, new value of the region)

and every live view of that base is derived from it anew.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np

from ..arrays.dtypes import converted
from ..arrays.memory_order import overlaps_itself
from ..backends import cpu
from ..base import errors
from ..engine.leaf import Lost, lose
from ..engine.op import Op
from ..engine.record import Constant, constant_node, fill
from ..engine.unfollowed import mark_of, refusal, unfollowed
from ..graph import Node, Storage, hooks_of, mode, storage_of, tick, user_frame
from ..ops.index import index_put_op
from ..ops.strided import as_strided_op, positions, steps
from .memory import check_locked, overwrite, repeated_error, repeats_itself

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Chain, Namespace, Operand
    from ..engine.handle import Handle
    from .tensor import Tensor


def write(target: Tensor, out: Array, writer: str) -> None:
    """Date the write, then overwrite target's elements.

    In this order, an interrupt between the two lets backward refuse too much, not too little.
    """
    array = target.array
    if not array.flags.writeable:
        check_locked(array, writer)
    storage_of(target.node).wrote(writer)
    overwrite(array, out)


def rebind(target: Tensor, outcome: Tensor, writer: str) -> None:
    """Write ``outcome`` into target's memory, and give target its node.

    If target is a view, its base and all other views of the base get new nodes as well. All or
    nothing: what interrupts it, Ctrl-C at any line, leaves the values and nodes of before.
    """
    check_followed(target)
    changed = [target]
    if target.origin is not None:
        changed.append(target.origin[0])
    base = changed[-1]
    storage = base.node.storage
    if storage is not None and storage.views:
        changed += [v for view in storage.views if (v := view()) is not None]
    before = [(t, n := t.node, n.value, n.storage, n.hooks and n.hooks.retain) for t in changed]
    values = target.array.copy()
    try:
        _leave_memory(target.node, target.array, values)
        if target.origin is not None:
            _leave_memory(changed[1].node, changed[1].array, None)
        write(target, outcome.array, writer)
        adopt(target, outcome.node)
        renew_views(target, base)
    except BaseException:
        for t, node, value, storage, retain in before:
            t.node, node.value, node.storage = node, value, storage
            if node.hooks is not None:
                node.hooks.retain = retain or False
        overwrite(target.array, values)
        raise


def write_region(
    t: Tensor, region: Array, step: tuple[Op, Attrs], copy: Op, value: Handle
) -> None:
    """``rebind`` of the view ``step`` of ``t``, which shows ``region``, to a copy of ``value``.

    For a ``t`` that is no view, has no other views and no hooks, and a value of the region's shape
    and dtype: then nobody ever holds that view, and there is nothing to derive anew. A hot path.
    """
    previous, array = t.node, t.array
    dev, scope, frame = previous.dev, mode.get().scope, user_frame(sys._getframe(1))
    values = region.copy()
    view = (
        fill(step[0].node(), (previous,), (previous,), values, dev, step[1], scope, frame)
        if previous.needs
        else constant_node(values, dev)
    )
    both = (view, value.node)
    node = fill(copy.node(), both, both, value.array.copy(), dev, None, scope, frame)
    whole, storage = previous.value, storage_of(previous)
    try:
        _leave_memory(previous, array, None)
        storage.wrote(copy.name)  # before it is done, as in write()
        region[...] = value.array
        view.storage = previous.storage = storage.snapshot()
        node.storage, node.seq = storage, tick()
        _adopt(t, _copy_slices(t, previous, node, (step,)), storage)
    except BaseException:
        t.node, previous.value, previous.storage = previous, whole, storage
        region[...] = values
        raise


def adopt(target: Tensor, node: Node) -> None:
    """Make ``node``, whose value has just been written into target's memory, the node of target,
    and of its base and all its views.
    """
    old = target.node
    storage = storage_of(old)
    if target.origin is None:
        _adopt(target, node, storage)
        old.storage = storage.snapshot()
        if storage.views:
            rederive(target)
        return
    base, chain = target.origin
    previous = base.node
    old.storage = previous.storage = storage.snapshot()
    if node.needs:
        node.seq = tick()  # newer than the write: what it read, it saved as a copy
        node.storage = storage  # and its value is overwritten by the next write
    twice = not target.array.flags.writeable and _twice(target.array, node)
    _adopt(base, _copy_slices(base, previous, node, chain, twice), storage)
    rederive(base)
    if target.node is old:  # the base does not list it, as it was made under no_grad
        _derive(target, base)
    if node.op is not None and any(node.op.reads_out):
        lead(node, -1, ref(target.node))  # weakly: that node leads to this one


def _twice(array: Array, node: Node) -> bool:
    """May the write that made ``node`` have put several values into one place of ``array``?"""
    if not overlaps_itself(array):
        return False
    if node.op is not index_put_op or not node.attrs:
        return True
    at = positions(array.shape, array.strides)[node.attrs["index"]]
    return np.unique(at).size < at.size


def lead(node: Node, place: int, find: Callable[[], Node | None]) -> None:
    """Let derivatives of node's derivative that read input ``place`` (-1: its output) lead to the
    node that ``find`` answers.

    PyTorch saves the tensor: of a view that is written, what it was and what it becomes.
    """
    hooks = hooks_of(node)
    hooks.leads = {**(hooks.leads or {}), place: find}


def check_followed(target: Tensor) -> None:
    """Raise if ``target`` is a view of which the derivative of a write is not known."""
    mark = mark_of(target)
    if mark is not None:
        raise refusal(mark, "is being")


def _leave_memory(node: Node, array: Array, values: Array | None) -> None:
    """Give ``node`` a copy of its value, which is about to be overwritten: graphs show what was.
    """
    if type(node.value) is not tuple and node.value is array:
        node.value = array.copy() if values is None else values


def _adopt(t: Tensor, node: Node, storage: Storage) -> None:
    """Make ``node``, whose value has just been written into t's memory, the node of ``t``."""
    node.value = t.array
    node.storage = storage
    node.seq = tick()  # newer than the write, so that what is saved from now on is fresh
    place(t, node)


def place(t: Tensor, node: Node) -> None:
    """Make ``node`` the node of ``t``: ``retain_grad`` is a wish about t, and goes along."""
    hooks = t.node.hooks
    if hooks is not None and hooks.retain and node.op is not None and t.node is not node:
        if hooks.retain is not True:
            hooks.retain.hooks.retain = False
        hooks.retain, hooks_of(node).retain = False, True
        node.grad = t.node.grad
    t.node = node


def place_as_seen(t: Tensor, node: Node) -> None:
    """``place`` where t is the same, seen otherwise: its gradient is kept where it was, as it was.
    """
    old, hooks = t.node, t.node.hooks
    if hooks is not None and hooks.retain and node.op is not None:
        keeps = old if hooks.retain is True else hooks.retain
        hooks_of(keeps).retain, hooks_of(node).retain = ref(node), keeps
        node.grad = old.grad
    t.node = node


def views_of(base: Tensor) -> list[Tensor]:
    """The live views of ``base``."""
    storage = base.node.storage
    views = [] if storage is None else [ref() for ref in storage.views]
    return [v for v in views if v is not None and v.origin is not None and v.origin[0] is base]


def rederive(base: Tensor) -> None:
    """Derive all live views of ``base`` anew."""
    for view in views_of(base):
        _derive(view, base)


def let_claim(base: Tensor) -> None:
    """``base`` has come to require gradient, or to require none: so have the views made before.

    No gradient flows from them to it until one of them, or it, is written: only then is it recorded
    how they were made.
    """
    for view in views_of(base):
        node = view.node
        if node.op is unfollowed and not base.node.needs and node.attrs and "bare" in node.attrs:
            view.node = constant_node(view.array, node.dev)
            view.node.storage = node.storage
        if type(node) not in (Constant, Lost) or view.array.dtype.kind not in "fcV":
            continue
        if not base.node.needs:
            node.__class__ = Constant
        elif storage_of(base.node).written > node.seq:
            _derive(view, base)
        else:
            lose(view)


class without_hooks:
    """In the block, a view that is about to be overwritten is derived from its base anew.

    So the hooks of the view as it was do not see the gradient of what it becomes, which reaches the
    base past them, as in PyTorch; they see that of a second derivative, which reads the value as it
    was (``node``). If the block raises, all is as before.
    """

    __slots__ = ("node", "view")

    def __init__(self, view: Tensor):
        self.view, self.node = view, view.node

    def __enter__(self) -> Node:
        node, origin = self.node, self.view.origin
        if origin is None or not node.needs or not mode.get().grad:
            return node
        for _ in origin[1]:  # the view, and the views that it is a view of
            if node.hooks:
                _derive(self.view, origin[0])
                break
            if not node.inputs:
                break
            node = node.inputs[0]
        return self.node

    def __exit__(self, error: object, *_: object) -> None:
        if error is not None:
            place(self.view, self.node)


def renew_views(target: Tensor, done: Tensor | None = None, but: Tensor | None = None) -> None:
    """Derive the views anew that share memory with ``target``, which was written.

    Unless they are views of ``done``, and not ``but``. As in PyTorch, what is computed from such a
    view later is not computed from what it was before.
    """
    storage = target.node.storage
    for view in () if storage is None else [live() for live in storage.views]:
        if view is None or view is but or view.origin is None or view.origin[0] is done:
            continue
        base = view.origin[0]
        node = view.node
        if node.op is not None or (base.node.needs and (node.needs or mark_of(view) is not None)):
            _derive(view, base)


def _derive(view: Tensor, base: Tensor) -> None:
    """Give ``view`` a node that starts from base's present node, by the same chain of view ops."""
    if view.origin is None:
        return
    parent, mark = base.node, mark_of(view)
    scope, frame = mode.get().scope, user_frame(sys._getframe(1))
    own = view.node.dev  # not the parent's, of which it may be the real part
    if not parent.needs and view.node.op is None:
        node: Node = constant_node(view.array, own)
        node.storage = parent.storage
    elif mark is not None:
        if view.node.op is None or "bare" in (view.node.attrs or {}):
            mark = {**mark, "bare": True}  # it was made of what required no gradient
        node = fill(
            unfollowed.node(), (parent,), (parent,), view.array, own, mark, scope, frame
        )
        node.storage = parent.storage
    else:
        node, chain = parent, view.origin[1]
        if not view.array.size:  # by memory, as PyTorch's: its gradient is a constant
            nothing = {"size": view.array.shape, "stride": steps(view.array), "offset": 0}
            chain = ((as_strided_op, {**nothing, "own": steps(parent.value)}),)
        for op, attrs in chain:
            if op is unfollowed:
                continue
            array = op.kernels[node.dev](node.value, **(attrs or {}))
            storage = node.storage
            dev = node.dev if array.dtype == node.dtype else node.dev.of(array.dtype)
            node = fill(op.node(), (node,), (node,), array, dev, attrs, scope, frame)
            node.storage = storage
        node.value = view.array
    place(view, node)


# ---- CopySlices: a base in which one region was replaced -----------------------------------------
def _region(x: Operand, chain: Chain, F: Namespace) -> Operand:
    """The part of ``x``, array or Tensor, to which a chain of view ops leads."""
    for op, attrs in chain:
        x = getattr(F, op.name)(x, **(attrs or {}))
    return x


def _copy_slices_forward(
    F: Namespace, base: Array, value: Array, chain: Chain, order: tuple[int, ...], repeats: bool
) -> Array:
    # laid out in memory as the base was: in another order, reshape would give a copy, not a view
    out = np.empty(tuple([base.shape[i] for i in order]), base.dtype).transpose(np.argsort(order))
    out[...] = base
    region = _region(out, chain, F)
    if value.dtype != region.dtype:  # real parts, of a complex base
        value = converted(value, region.dtype)
    if type(out) is np.ndarray and region.size and any([op is as_strided_op for op, _ in chain]):
        if not np.may_share_memory(out, region):
            raise RuntimeError(
                errors.message(
                    "backward of a write through as_strided of a tensor that lay with gaps in "
                    "memory",
                    fix="index the tensor, x[...] = y, or make it .contiguous() first",
                )
            )
    overwrite(region, value)  # an expanded region is locked
    return out


def _copy_slices_vjp(
    F: Namespace, g: Operand, out: Operand, base: Operand, value: Operand,
    chain: Chain, order: tuple[int, ...], repeats: bool,
) -> Operand:  # fmt: skip
    """``g`` with 0 in the region. RuntimeError if the write went through an expanded view.

    PyTorch lets such a view be written, and refuses here.
    """
    _refuse_repeated(repeats)
    if any(op.name == "expand" for op, _ in chain):
        region = np.empty(g.shape, (g.array if hasattr(g, "array") else g).dtype)
        for op, attrs in chain:
            region = op.kernels[cpu.of(region.dtype)](region, **(attrs or {}))
        check_locked(region, "backward of a write")
    return F.copy_slices(g, F.zero(g), chain=chain, order=order, repeats=False)


def _region_vjp(
    F: Namespace, g: Operand, out: Operand, base: Operand, value: Operand,
    chain: Chain, order: tuple[int, ...], repeats: bool,
) -> Operand:  # fmt: skip
    _refuse_repeated(repeats)
    return _region(g, chain, F)


def _refuse_repeated(repeats: bool) -> None:
    """Raise if the region of a write, or its base, a detached view, shows elements several times.

    What was written to one showed in others, of which the graph does not know.
    """
    if repeats:
        raise repeated_error(
            "backward of a write: the tensor, or its base, was expanded before it, or shows an "
            "element in several windows"
        )


copy_slices_op = Op(
    "copy_slices",
    _copy_slices_forward,
    vjps=(
        _copy_slices_vjp,
        _region_vjp,
    ),
    rule=("g, with 0 in the region", "g in the region"),
    torch_name="CopySlices",
)
copy_slices_op.node.__name__ = copy_slices_op.node.__qualname__ = "CopySlices"


def _copy_slices(
    base: Tensor, previous: Node, value: Node, chain: Chain, twice: bool = False
) -> Node:
    """``twice``: the region shows an element more than once, as windows that overlap do."""
    strides, order = base.array.strides, tuple(range(base.array.ndim))
    if not base.array.flags.c_contiguous:
        order = tuple(sorted(order, key=lambda i: -abs(strides[i])))
    repeats = twice or (0 in strides and repeats_itself(base.array))
    attrs = {"chain": tuple(chain), "order": order, "repeats": repeats}
    scope, frame = mode.get().scope, user_frame(sys._getframe(1))
    both = (previous, value)
    n = fill(copy_slices_op.node(), both, both, base.array, previous.dev, attrs, scope, frame)
    n.code, n.lasti = value.code, value.lasti  # a Constant has no line of its own
    return n
