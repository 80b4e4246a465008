"""Backward as a textbook has it. The fast one (backward.py) must do the same; tests compare them.

The gradient of a value is the sum of what each use of it contributes, and a node is newer than its
inputs. So, walking from the newest node to the oldest, a node's gradient is complete when its turn
comes (Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2: incremental adjoints).
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..graph import Node, in_order
from .backward import unbroadcast
from .gradient_hooks import after, before

if TYPE_CHECKING:
    from ..base.types import Contribution, Gradient, Namespace, Vjp
    from .recorded import Recorded


def run(root: Node, seed: Gradient, graph: Recorded | None = None) -> dict[Node, Gradient]:
    """The gradient of every node below ``root``: newest node first, one contribution per input."""
    grads = {root: seed}
    for node in reversed(in_order([root])):
        if node in grads:
            g = grads[node] = before(node, grads[node])
            parts = after(node, g, contributions(node, g, graph))
            for x, d in zip(node.inputs, parts, strict=True):
                if d is not None:
                    grads[x] = grads[x] + d if x in grads else d
    return grads


def contributions(node: Node, g: Gradient, graph: Recorded | None) -> list[Contribution]:
    """The chain rule at one node: what each input receives of the node's gradient ``g``."""
    op, out, saved, attrs = node.op, node.value, node.saved or (), node.attrs or {}
    F: Namespace = node.dev
    if op is None:  # a leaf
        return []
    if op.joint is not None:
        return op.joint(graph or F, g, node)
    if F is None:  # a Scalar
        return node.contributions(g, graph)
    vjps: Sequence[Vjp] = op.derivatives_on(node.dev)
    if graph is not None:
        F, vjps = graph, graph.vjps(node)
        out, saved = graph.lift(node, saved)
    parts: list[Contribution] = []
    # linear's last operand, a bias, is optional: there may be more vjps than inputs
    for x, vjp in zip(node.inputs, vjps, strict=False):
        d = vjp(F, g, out, *saved, **attrs) if x.needs else None
        parts.append(d if d is None else unbroadcast(F, d, x.shape))
    return parts
