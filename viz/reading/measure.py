"""Backward once more, in private: values that backward has freed, and the gradient of every node and edge.

A picture needs the gradients of intermediates, which backward forgets, and must not touch the user's ``.grad``. So
the graph is copied, node by node, from what it remembers: the structure is never freed, leaves keep their values, and
what lies between is computed again with the same kernels. On the copy the ordinary engine runs with every node as a
target, under which it accumulates nothing, and reports each contribution.

This is possible as long as no leaf was overwritten in the meantime (``storage.written > node.seq``, the clock of
graph.py); after ``optimizer.step()`` it is not, and ``Replay.reason`` says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microtorch import engine
from microtorch.autograd import no_grad
from microtorch.backends import cpu, host
from microtorch.device import CPU, device
from microtorch.graph import Node, tick
from microtorch.scalar import Scalar

new = object.__new__


def values(nodes: list[Node], root_value: Any = None) -> list[Any]:
    """The value of each node (oldest first), recomputed where freed; None where it cannot be known any more.

    ``root_value``: that of the last node, if the user's handle still holds it.
    """
    index = {node: i for i, node in enumerate(nodes)}
    out: list[Any] = []
    for node in nodes:
        value = host(node.value)
        if type(value) is tuple:  # freed
            value = None
            inputs = [index[x] for x in node.inputs]
            if node.op is not None and not any(out[i] is None or _overwritten(nodes[i], node) for i in inputs):
                value = _recompute(node, [out[i] for i in inputs])
        out.append(value)
    if out and out[-1] is None and root_value is not None:
        out[-1] = host(root_value)
    return out


def home(node: Node) -> Any:
    """The backend on which a node is computed again: the CPU's, also for what lay on a device."""
    return node.dev if node.dev is None or node.dev.device is CPU else cpu.of(node.dtype)


def attributes(node: Node) -> dict[str, Any]:
    """The static arguments of a node, with device arrays (an index) copied to the host."""

    def at_home(v: Any) -> Any:
        return tuple(map(at_home, v)) if type(v) is tuple else CPU if isinstance(v, device) else host(v)

    given = node.attrs or {}
    return given if node.dev is None or node.dev.device is CPU else {k: at_home(v) for k, v in given.items()}


def _overwritten(x: Node, node: Node) -> bool:
    return x.op is None and x.storage is not None and x.storage.written > node.seq


def _recompute(node: Node, arrays: list[Any]) -> Any:
    try:
        out = node.op.kernels[home(node)](*arrays, **attributes(node))
    except (
        TypeError,
        KeyError,
        AttributeError,
    ):  # a custom Function: its forward is the user's, and is not run again
        return None
    out = np.asarray(out) if node.dev is not None else out
    return out.astype(node.dtype) if out.dtype != node.dtype else out


class Replay:
    """Gradients of one scalar root: ``gradients[i]`` per node, ``contributions[(i, position)]`` per edge into node i.

    Where it is impossible, both are empty and ``reason`` tells why.
    """

    def __init__(self, nodes: list[Node], known: list[Any]):
        self.gradients: dict[int, Any] = {}
        self.contributions: dict[tuple[int, int], Any] = {}
        self.order: list[int] = []  # ops, in the order in which backward ran them
        self.reason = ""
        root = nodes[-1]
        if not root.needs:
            self.reason = "no gradient flows to what was drawn"
        elif root.shape and int(np.prod(root.shape)) != 1:
            self.reason = f"backward starts from one number, and this has shape {tuple(root.shape)}"
        else:
            try:
                with no_grad():
                    self._run(nodes, known)
            except Exception as error:  # a vjp of the user's own may raise anything; the picture does without
                self.gradients, self.contributions, self.order = {}, {}, []
                self.reason = f"backward cannot be repeated: {str(error).splitlines()[0] if str(error) else error!r}"

    def _run(self, nodes: list[Node], known: list[Any]) -> None:
        copies: list[Node] = []
        index = {node: i for i, node in enumerate(nodes)}
        for node, value in zip(nodes, known, strict=True):
            inputs = tuple([copies[index[x]] for x in node.inputs])
            for x in node.inputs:
                if node.needs and x.storage is not None and x.storage.written > node.seq:
                    i = index[x]
                    if x.op is None and (node.op is None or node.op.reads_anything):
                        raise RuntimeError(f"input {i} was overwritten after it had been used (optimizer.step()?)")
            copies.append(_copy(node, value, inputs))
        back = {copy: i for i, copy in enumerate(copies)}

        def observe(copy: Node, g: Any, contributions: list[Any]) -> None:
            i = back[copy]
            self.order.append(i)
            for position, d in enumerate(contributions):
                if d is not None and copy.inputs[position].needs:
                    self.contributions[i, position] = d

        root = copies[-1]
        seed = 1.0 if root.dev is None else np.ones(root.shape, root.dtype)
        targets = frozenset(c for c in copies if c.needs)
        captured = engine.run([root], [seed], retain=True, targets=targets, observe=observe)
        self.gradients = {back[copy]: g for copy, g in captured.items()}


class Leaf(Node):
    """A leaf of the copy."""

    __slots__ = ()


def _put(copy: Any, **slots: Any) -> None:
    """Fill the slots of a node, but for those that its class holds as constants (a Scalar's ``dev``, an op's ``needs``)."""
    for name, value in slots.items():
        try:
            setattr(copy, name, value)
        except AttributeError:  # "read-only": the same for all nodes of the class
            continue


def _copy(node: Node, value: Any, inputs: tuple[Node, ...]) -> Node:
    """A node like ``node`` that no user's handle or hook knows."""
    shape_only = value is None
    copy: Any = new(Scalar) if isinstance(node, Scalar) else node.op.node() if node.op is not None else Leaf()
    _put(
        copy,
        inputs=inputs,
        attrs=None if node.attrs is None else attributes(node),
        needs=node.needs,
        op=node.op,
        dev=home(node),
        saved=(),
        seq=tick(),
        lasti=0,
    )
    _put(copy, hooks=None, storage=None, scope=None, grad=None, code=None)
    copy.value = (node.shape, node.dtype) if shape_only else value
    if node.op is None or node.dev is None:
        return copy
    if hasattr(node.op, "function"):  # a custom Function: what it saved is its own affair
        if any(s is not None and s.storage is not None and s.storage.written > node.seq for s in node.saved or ()):
            raise RuntimeError("a value saved by a custom Function was overwritten")
        copy.saved = node.saved
        return copy
    if shape_only and any(node.op.reads_out):
        raise RuntimeError("its values were freed")
    read = node.op.saved_inputs if node.op.joint is None else range(len(inputs))
    if any(type(inputs[i].value) is tuple for i in node.op.saved_inputs):
        raise RuntimeError("its values were freed")
    copy.saved = tuple([x.value if i in read and type(x.value) is not tuple else x for i, x in enumerate(inputs)])
    return copy
