"""The namespace F of derivatives under ``create_graph=True``: ops on Tensors, recorded in turn."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..graph import Node
from .apply import apply
from .hot import several
from .record import handle
from .registry import REGISTRY

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


class Recorded:
    """Every op by its name, as a function of Tensors."""

    def __getattr__(self, name: str) -> Callable[..., Tensor]:
        op = REGISTRY[name]
        run = apply if op.view else several

        def recorded(*inputs: Any, **attrs: Any) -> Tensor:
            return run(op, inputs, attrs or None)

        setattr(self, name, recorded)
        return recorded

    @staticmethod
    def lift(node: Node, saved: Sequence[Any]) -> tuple[Tensor | Node, tuple[Any, ...]]:
        """A node's output and saved inputs as Tensors on the nodes they came from.

        Inputs that were not saved stay nodes, and so does an output that was freed.
        """
        out = node if type(node.value) is tuple else handle(node.value, node)
        pairs = zip(node.inputs, saved, strict=True)
        return out, tuple([s if isinstance(s, Node) else handle(s, x) for x, s in pairs])


RECORDED = Recorded()
