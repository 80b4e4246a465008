"""Which computation of a program to show: that of its last ``backward()``.

The picture is made after the program has ended, and by then its optimizer has overwritten what
backward had used. So, after each backward, the leaves and their gradients are copied (two copies in
memory, whatever the number of steps), together with the variables of the caller; ``put_back``
restores them for the one graph that is shown. What backward frees is remembered on wish.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from microtorch.backends import host
from microtorch.base import errors
from microtorch.engine.listening import foresee, listen
from microtorch.graph import Node, RemovableHandle, in_order
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor

from .frames import Frame, local_variables
from .names import node_of
from .take import Root, caller, take
from .trace import Trace


class Watch:
    """A context manager; afterwards ``root`` is what the last backward started from, or None.

    With ``saved``, what its nodes kept for backward can be shown, too.
    """

    def __init__(self, saved: bool = False) -> None:
        self.saved = saved
        self.root: Root = None
        self.frame: Frame | None = None  # the variables where it ran
        # with their arrays, and copies of these and of the gradients
        self._leaves: list[tuple[Node, Any, np.ndarray, Any]] = []
        self._kept: list[tuple[Node, Any]] = []  # the nodes with what they kept
        self._listening: list[RemovableHandle] = []

    def __enter__(self) -> Watch:
        self._listening = [listen(self._note)]
        if self.saved:
            self._listening.append(foresee(self._keep))
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._listening:
            handle.remove()

    def _keep(self, roots: list[Root], create_graph: bool) -> None:
        self._kept = [(n, n.saved) for n in in_order([_node(roots[0])]) if n.saved]

    def _note(self, roots: list[Root]) -> None:
        frame = caller()
        self.root = root = roots[0]
        self.frame = SimpleNamespace(f_locals=local_variables(frame), f_globals=frame.f_globals)
        leaves = [n for n in in_order([_node(root)]) if n.op is None]
        self._leaves = [
            (n, n.value, np.array(host(n.value), copy=True), _copy(n.grad)) for n in leaves
        ]

    def put_back(self) -> None:
        """Give the leaves the values and gradients that they had after the last backward."""
        arrays = [x for x in self._leaves if not isinstance(x[0], Scalar)]
        restored = {id(array): value for _, array, value, _ in arrays}
        for node, saved in self._kept:
            node.saved = tuple(restored.get(id(v), v) for v in saved)
        for node, _, value, grad in self._leaves:
            node.value = float(value) if isinstance(node, Scalar) else value
            node.grad, node.storage = grad, None
        self._leaves, self._kept = [], []

    def find(self, variables: Mapping[str, object], name: str = "") -> Root:
        """The value of the variable ``name``.

        Without a name, the root of the last backward; where none ran, the newest result.
        """
        if name:
            places = [variables, *([self.frame.f_locals] if self.frame is not None else [])]
            value = next((p[name] for p in places if name in p), None)
            if node_of(value) is None:
                known = [k for p in places for k, v in p.items() if _is_value(v) and k[0] != "_"]
                near = errors.nearest(name, known)
                what = f"no variable '{name}' holds a Tensor or a Scalar.{near}"
                raise LookupError(f"{what} There are: {', '.join(dict.fromkeys(known)) or 'none'}")
            return value
        if self.root is not None:
            return self.root
        values = [v for v in variables.values() if _is_value(v)]
        results = [v for v in values if _node(v).op is not None]
        if not results:
            what = "no backward() ran, and no variable holds a result with a graph; --var names one"
            raise LookupError(what)
        return max(results, key=lambda v: _node(v).seq)

    def trace(
        self, root: Root, function: str, variables: dict[str, object], gradients: bool = False
    ) -> Trace:
        """The trace of a root, with the program's names; see ``take.fill`` for ``gradients``."""
        self.put_back()
        frame = self.frame or SimpleNamespace(f_locals=variables, f_globals=variables)
        return take(root, function, frame, gradients=gradients)


def _is_value(x: object) -> bool:
    return node_of(x) is not None


def _node(x: object) -> Node:
    node = node_of(x)
    assert node is not None
    return node


def _copy(grad: Any) -> Any:
    return grad.detach().clone() if isinstance(grad, Tensor) else grad
