"""The three slots of a Tensor. The class with the methods is far above (handles/tensor.py)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import seen_as

if TYPE_CHECKING:
    from ..base.types import Array, Chain
    from ..graph import Node


class Handle:
    """A place in the graph, its memory, and whose memory that is.

    ``node`` is the value's node, ``array`` its memory, and ``origin`` is None, or for a view
    (the base's handle, the view ops that lead from the base to here). The graph never points back
    at handles, so it is freed by reference counting. Users may set attributes of their own.
    """

    __slots__ = ("__dict__", "__weakref__", "array", "node", "origin")

    array: Array
    node: Node
    origin: tuple[Handle, Chain] | None


@seen_as(AttributeError)
class NotDense(AttributeError, NotImplementedError):
    """A tensor without an array of all its elements, where one is needed.

    An AttributeError, as of any operand that is no dense tensor. ``apply`` lets ``tensor`` say what
    the op makes of it: its method ``in_op(op, operands, attrs)``.
    """

    def __init__(self, text: str, tensor: Any) -> None:
        super().__init__(text)
        self.tensor = tensor


@seen_as(RuntimeError)
class Unmet(RuntimeError, TypeError):
    """An array of some kind of numbers (kinds/) where only a plain one will do."""
