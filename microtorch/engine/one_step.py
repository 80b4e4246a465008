"""``grad_fn(grad)``: what one step of backward hands to a node's inputs, and no step after it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..graph import mode
from .backward import contributions
from .gradient_hooks import Outputs, as_tensor
from .handle import Handle
from .recorded import RECORDED

if TYPE_CHECKING:
    from ..graph import Node


def one_step(node: Node, *grad_outputs: Any) -> Any:
    """The gradients of the node's inputs, given those of its outputs; None where there is none.

    One by itself, several in a tuple, in the order of ``next_functions``. Nothing is freed, no hook
    runs, and nothing is added to a ``.grad``. In gradient mode the step is recorded, as with
    ``create_graph=True``. Each gradient has the shape of its input.
    """
    names = (node.attrs or {}).get("outputs")
    n = 1 if names is None else len(names)
    if len(grad_outputs) != n:
        raise TypeError(message(f"expected {n} arguments, got {len(grad_outputs)} instead"))
    for i, g in enumerate(grad_outputs):
        if g is not None and not isinstance(g, Handle):
            what = f"argument {i} is not a Variable"
            raise TypeError(message(what, f"it is a {type(g).__name__}", fix="a tensor, or None"))
    graph = RECORDED if mode.get().grad else None
    given = {
        i: g if graph is not None else g.array
        for i, g in enumerate(grad_outputs) if g is not None
    }  # fmt: skip
    parts: list[Any] = [None] * len(node.inputs)
    if given:
        parts = contributions(node, Outputs(given) if names is not None else given[0], graph)
    left = list(zip(node.inputs, parts, strict=True))
    found = []
    for x in node.inputs if node.op.edges is None else node.op.edges(node.inputs):
        d = left.pop(next(i for i, (y, _) in enumerate(left) if y is x))[1]
        found.append(None if d is None else as_tensor(d, node))
    return found[0] if len(found) == 1 else tuple(found)
