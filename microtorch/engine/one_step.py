"""``grad_fn(grad)``: what one step of backward hands to a node's inputs, and no step after it."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import message
from ..graph import Node, mode
from .backward import contributions
from .gradient_hooks import as_tensor
from .handle import Handle
from .recorded import RECORDED

if TYPE_CHECKING:
    from ..base.types import Contribution


def one_step(
    node: Node, *grad_outputs: object
) -> Contribution | tuple[Contribution, ...]:
    """The gradients of the node's inputs, given that of its output; None where there is none.

    One by itself, several in a tuple, in the order of ``next_functions``; each has the shape of its
    input. Nothing is freed, no hook runs, and nothing is added to a ``.grad``, but by the step of a
    leaf, which hands on nothing. In gradient mode the step is recorded, as with ``create_graph``.
    """
    if "outputs" in (node.attrs or {}):  # of a custom Function, as in PyTorch
        raise TypeError(message(f"'{type(node).__name__}' object is not callable"))
    if len(grad_outputs) != 1:
        raise TypeError(message(f"expected 1 arguments, got {len(grad_outputs)} instead"))
    g = grad_outputs[0]
    if g is not None and not isinstance(g, Handle):
        kind = f"it is a {type(g).__name__}"
        raise TypeError(message("argument 0 is not a Variable", kind, fix="a tensor, or None"))
    graph = RECORDED if mode.get().grad else None
    if node.op is None:
        if g is not None:
            node.accumulate(g.array if graph is None else g)
        return ()
    parts: list[Contribution] = [None] * len(node.inputs)
    if g is not None:
        parts = contributions(node, g.array if graph is None else g, graph)
    left = list(zip(node.inputs, parts, strict=True))
    found = []
    for x in node.inputs if node.op.edges is None else node.op.edges(node.inputs):
        d = left.pop(next(i for i, (y, _) in enumerate(left) if y is x))[1]
        found.append(None if d is None else as_tensor(d, node))
    return found[0] if len(found) == 1 else tuple(found)


Node.call = one_step
