"""The place where a node is made: ``record`` for the result of an op, ``fill`` for every node.

The hot paths (hot.py, short.py) call ``recorded_of``, which C does at once where there is a core,
and the Scalar methods in handles/scalar_text.py write these stores out, because calling ``fill``
costs 5 % of a small op. A test counts the places that do.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..backends import cpu
from ..backends.core.library import new, place_of, taught
from ..base import errors
from ..graph import Node, mode, storage_of, tick, ticks, user_frame
from .handle import Handle

if TYPE_CHECKING:
    from types import CodeType

    from ..base.types import Array, Attrs, Backend, Frame, Shape
    from ..graph import Scope
    from ..handles.tensor import Tensor
    from .op import Op
else:
    Tensor = Handle  # until handles/tensor.py announces the class (hot.bind)

_frame, ndarray = sys._getframe, np.ndarray


# who packs what a new node saves (engine/packing.py): nobody, unless hooks of the user's are set
packers: list[Callable[[Node], None]] = []


class Constant(Node):
    """A leaf without gradient: data, a Python number, anything made where none is recorded."""

    __slots__ = ()
    needs = False
    inputs = saved = ()
    attrs = code = scope = None
    lasti = 0


class Number(Constant):
    """A Python number of the user's, beside a tensor."""

    __slots__ = ()


def constant_node(value: Array, dev: Backend) -> Constant:
    """A node for ``value``, which lies in the memory of ``dev``, without gradient."""
    n = new(Constant)
    n.grad = n.hooks = n.storage = None
    n.value = value
    n.dev = dev
    n.seq = tick()
    return n


def handle(array: Array, node: Node) -> Tensor:
    """A Tensor on ``array`` whose place in the graph is ``node``."""
    t = new(Tensor)
    t.array = array
    t.origin = None
    t.node = node
    return t


def written(array: Array, dev: Backend) -> Tensor:
    """``constant_of`` where there is no C core."""
    n = new(Constant)
    n.grad = n.hooks = n.storage = None
    n.value = array
    n.dev = dev
    n.seq = tick()
    t = new(Tensor)
    t.array = array
    t.origin = None
    t.node = n
    return t


def written_recorded(
    node_type: type[Node], inputs: tuple[Node, ...], saved: tuple[Any, ...], array: Array,
    dev: Backend, attrs: Attrs | None, scope: Scope | None, code: CodeType, lasti: int,
) -> Tensor:  # fmt: skip
    """``recorded_of`` where there is no C core."""
    n = new(node_type)
    return handle(array, _filled(n, inputs, saved, array, dev, attrs, scope, code, lasti))


_PLACES = [place_of(Handle, name) for name in ("node", "origin")] + [
    place_of(Node, name)
    for name in ("value", "dev", "seq", "grad", "hooks", "storage", "inputs", "saved", "attrs",
                 "scope", "code", "lasti")
]  # fmt: skip


def _by_c(name: str, written: Callable[..., Tensor], tensor: type[Any]) -> Callable[..., Tensor]:
    return taught(name, (tensor, Constant, Node, ticks), _PLACES, written)


# A Tensor without gradient on an array, which lies in the memory of ``dev``. It is
# ``handle(array, constant_node(array, dev))`` at a fifth of the time. Who does not know that the
# array lies row by row asks ``note_order``, too.
constant_of: Callable[[Array, Backend], Tensor] = _by_c("constant_of", written, Handle)
# The Tensor of an op's result with a node of the op, on the user's line (graph/source.py)
recorded_of = _by_c("recorded_of", written_recorded, Handle)


def bind(tensor: type[Tensor]) -> None:
    """Announce the class that handles are made of."""
    globals()["Tensor"] = tensor
    _by_c("constant_of", written, tensor)


def constant(array: Any, dev: Backend | None = None) -> Tensor:
    """A Tensor on ``array`` without gradient: shared if it lies in dev's memory, else copied there.

    ``dev`` None: where the array lies.
    """
    if type(array) is ndarray:
        if dev is None:
            dev = cpu
        if dev.memory is ndarray:
            if dev.dtype is not array.dtype:
                dev = dev.of(array.dtype)
            return note_order(constant_of(array, dev))
    if dev is None:
        dev = getattr(array, "dev", cpu)
    if dev.dtype is not array.dtype:
        dev = dev.of(array.dtype)
    if type(array) is not dev.memory:
        # an array of some kind of numbers (kinds/) stays what it is
        dev = array.dev if hasattr(array, "level") else dev
        array = dev.array(array)
    return note_order(constant_of(array, dev))


def fill(
    n: Node, inputs: tuple[Node, ...], saved: tuple[Any, ...], value: Array, dev: Backend,
    attrs: Attrs | None, scope: Scope | None, frame: Frame,
) -> Node:  # fmt: skip
    """Store the slots of a new node ``n`` of an op, made on the user's line that ``frame`` runs."""
    return _filled(
        n, inputs, saved, value, dev, attrs, scope, frame.f_code, frame.f_lasti
    )


def _filled(
    n: Node, inputs: tuple[Node, ...], saved: tuple[Any, ...], value: Array, dev: Backend,
    attrs: Attrs | None, scope: Scope | None, code: CodeType, lasti: int,
) -> Node:  # fmt: skip
    n.inputs = inputs
    n.saved = saved
    if n.op.attributes:
        n.attrs = attrs
    n.value = value
    n.dev = dev
    n.seq = tick()
    n.scope = scope
    n.grad = n.hooks = n.storage = None
    n.code = code
    n.lasti = lasti
    return n


def record(
    op: Op, inputs: Sequence[Tensor], out: Array, dev: Backend, attrs: Attrs | None
) -> Tensor:
    """The Tensor of an op's result, with a node of the op if a gradient flows through it."""
    if not op.differentiable:
        return note_order(constant_of(out, dev))
    m = mode.get()
    nodes, needs = tuple([x.node for x in inputs]), False
    if m.grad:
        for n in nodes:
            if n.needs:
                needs = True
    if needs and out.dtype.kind in "fcV":
        node = op.node()
        saved = kept(op, inputs) if op.saved_inputs else nodes
        fill(node, nodes, saved, out, dev, attrs, m.scope, user_frame(_frame(1)))
        for pack in packers:
            pack(node)
    else:
        if needs:
            check_whole(op, nodes)
        return note_order(constant_of(out, dev))
    return note_order(handle(out, node))


def note_order(t: Tensor) -> Tensor:
    """``t``, a new tensor. If it does not lie row by row, the hot paths will see that it does not.

    They would have to ask each array otherwise, which costs a tenth of an op.
    """
    if not t.array.flags.c_contiguous:
        storage_of(t.node).turned = True
    return t


def moved(t: Tensor, array: Array) -> Tensor:
    """``t``, which nobody has seen yet, on another ``array`` of the same values."""
    t.array = t.node.value = array
    return note_order(t)


def has_order(x: Tensor) -> bool:
    """May x's elements lie in another order in memory than row by row, as those of numpy's arrays,
    also while a function is recorded? Those of other devices do not, and kinds of numbers hide it.
    """
    dev = x.node.dev
    return dev.ordered and type(x.array) is dev.memory


def laid(t: Tensor, steps: Shape | None = None) -> Tensor:
    """``t``, a result that nobody has seen yet, in the order in memory of an array with these
    strides; None: row by row.
    """
    if not has_order(t) or (steps is None and t.array.flags.c_contiguous):
        return t
    t.node.storage = None  # of what was made on the way
    return moved(t, t.node.dev.laid(t.array, steps))


def check_whole(op: Op, nodes: Iterable[Node]) -> bool:
    """False. RuntimeError if whole numbers that require gradient (handles/whole.py) would lose it.

    A cast is for those who know.
    """
    for n in nodes if op.differentiable and mode.get().grad else ():
        if n.needs and n.dtype.kind not in "fcV" and op.name != "cast":
            name = TORCH_TYPES[n.dtype.name]
            raise RuntimeError(
                errors.message(
                    f"Autograd not support dtype: {name}",
                    f"{op.name} of whole numbers or masks into which a number that requires "
                    f"gradient was written, at {n.where()}: its gradient would be lost",
                    fix="write number.detach(), or make the tensor one of floating point first",
                )
            )
    return False


def kept(op: Op, inputs: Sequence[Tensor]) -> tuple[Any, ...]:
    """What the derivatives of ``op`` read: the arrays of some inputs, the nodes of the others."""
    saved = op.saved_inputs
    if len(saved) == len(inputs):
        return tuple([x.array for x in inputs])
    return tuple([x.array if i in saved else x.node for i, x in enumerate(inputs)])
