"""The namespace F of derivatives under ``create_graph=True``: ops on Tensors, recorded in turn."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Node, storage_of, tick
from .apply import apply, brought_together
from .leaf import became
from .op import Op
from .record import Number, constant, handle, record
from .registry import REGISTRY
from .short import several

if TYPE_CHECKING:
    from ..base.types import Operand, Vjp
    from ..handles.tensor import Tensor


class Recorded:
    """Every op by its name, as a function of Tensors."""

    def __getattr__(self, name: str) -> Callable[..., Tensor]:
        op = REGISTRY[name]
        run = apply if op.view else several

        def recorded(*inputs: Operand, **attrs: Operand) -> Tensor:
            return run(op, inputs, attrs or None)

        setattr(self, name, recorded)
        return recorded

    @staticmethod
    def sgn(x: Tensor) -> Tensor:
        """The sign of real numbers has the derivative 0, whatever the gradient."""
        return several(REGISTRY["sgn" if x.array.dtype.kind == "c" else "sign"], (x,))

    @staticmethod
    def lift(
        node: Node, saved: Sequence[Any], value: Operand = None
    ) -> tuple[Tensor | Node, tuple[Any, ...]]:
        """A node's output and saved inputs as Tensors on the nodes they came from.

        Inputs that were not saved stay nodes, and so does an output that was freed. ``value``: the
        output, if it is not the node's.
        """
        value = node.value if value is None else value
        last, inputs = node, node.inputs
        if node.hooks is not None and node.hooks.leads is not None:
            led = {i: find() for i, find in node.hooks.leads.items()}
            last = led.get(-1) or node
            inputs = tuple([led.get(i) or x for i, x in enumerate(inputs)])
        if became:
            inputs = tuple([x if x.needs else _now(x) for x in inputs])
        out = node if type(value) is tuple else handle(value, last)
        pairs = zip(inputs, saved, strict=True)
        return out, tuple([s if isinstance(s, Node) else handle(s, x) for x, s in pairs])

    @staticmethod
    def vjps(node: Node) -> Sequence[Vjp]:
        """The derivatives of a node, each on a graph that leads to all that it reads."""
        vjps = node.op.derivatives_on(node.dev)
        if any([type(x) is Number for x in node.inputs]):
            vjps = [vjp and partial(_decided, vjp) for vjp in vjps]
        if not node.op.tied:
            return vjps
        return [partial(_tied, node, i, vjp) for i, vjp in enumerate(vjps)]


def _now(x: Node) -> Node:
    """The leaf that a constant has become since, or the constant."""
    found = became.get(x)
    return (found and found()) or x


class Deciding(Recorded):
    """For a node beside whose operands there is a Python number, which decides as PyTorch's does.

    ``x ** 3`` has an exponent that is not 0, and its derivative records no choice.
    """

    @staticmethod
    def where(condition: Operand, x: Operand, y: Operand) -> Tensor:
        """One of the two, where a single constant decides."""
        chosen = _chosen(condition, x, y)
        return several(REGISTRY["where"], (condition, x, y)) if chosen is None else chosen


def _chosen(condition: Operand, x: Operand, y: Operand) -> Tensor | None:
    """The operand that one number selects, if it is what ``where`` would give in shape and type."""
    array = getattr(condition, "array", None)
    if type(array) is not np.ndarray or array.ndim or array.dtype != bool or condition.node.needs:
        return None
    chosen, other = (x, y) if array else (y, x)
    shape = getattr(getattr(other, "array", None), "shape", ())
    if not hasattr(chosen, "node") or shape not in ((), chosen.array.shape):
        return None
    same = not hasattr(other, "node") or other.node.dev is chosen.node.dev
    return chosen if same else None


def _tied(node: Node, i: int, vjp: Vjp, *arguments: Operand, **attrs: Operand) -> Tensor:
    """A contribution to input ``i`` of ``node``, tied to what it reads.

    ``where(out <= 0, 0, g)`` reads ``out`` for a choice only, of which the derivative is 0 and
    nothing is recorded. But 0 is not "no gradient": PyTorch fills ``.grad`` with zeros, which
    weight decay, for one, then acts upon.
    """
    op, begin = node.op, tick()
    d: Tensor = vjp(*arguments, **attrs)
    if "0 * g" in op.rule[i : i + 1]:  # a step: PyTorch's 0 is a constant
        return constant(d.array, d.node.dev)
    led = [node.inputs[j] for j in op.leads_to[i] if j < len(node.inputs)] if op.ties else []
    read = [x for x in led if x.needs]
    if not read and op.ties and op.reads_out[i]:
        read = [node]
    for x in read:
        if not _leads_to(d.node, x, begin):
            storage = storage_of(d.node)
            d = tied(d, handle(x.value, x))
            d.node.storage = storage
    return d


def tied(d: Tensor, x: Tensor) -> Tensor:
    """``d`` on a path that leads to ``x``, too, from which it takes no number."""
    if d.node.dev.device is not x.node.dev.device:
        d, x = brought_together(tie, [d, x], None)[0]  # the 0 is of the kind of numbers that x is
    return record(tie, [d, x], d.array, d.node.dev, None)


# Its value is its first operand; to the second it only leads.
tie = Op(
    "tie",
    None,
    vjps=(
        lambda F, g, out, d, x: g,
        lambda F, g, out, d, x: F.cast(F.zero(g), dtype=x.dtype),
    ),
    rule=("g", "0: read for a choice only"),
    register=False,
)


def _leads_to(node: Node, x: Node, begin: int) -> bool:
    """Does a path of nodes younger than ``begin`` lead from ``node`` to ``x``?"""
    found = [node]
    for n in found:  # the list grows while it is walked
        if n is x:
            return True
        if n.seq > begin:
            found.extend(n.inputs)
    return False


def _decided(vjp: Vjp, F: Recorded, *arguments: Operand, **attrs: Operand) -> Operand:
    return vjp(DECIDING, *arguments, **attrs)


RECORDED, DECIDING = Recorded(), Deciding()
