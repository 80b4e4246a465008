"""All ops by name. Those of a family of ops/ are declared when the first of them is asked for."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..base.promises import Promises

if TYPE_CHECKING:
    from ..graph import Node
    from .op import Op

REGISTRY: Promises[Op] = Promises()

# by an op's name (ops/node_names.py enters them): PyTorch's name of a node, where it depends on the
# node; and the inputs in PyTorch's order, for next_functions, where ours is another
NODE_NAMES: dict[str, Callable[[Node], str]] = {}
NODE_EDGES: dict[str, Callable[[Sequence[Node]], Sequence[Node]]] = {}
