"""Step 4: arrays. A handle holds the value; the node holds only what its derivatives will read.

Numbers are small; arrays are not, so it matters who keeps them, and until when.
"""
from itertools import count
from operator import attrgetter

import numpy as np

tick = count(1).__next__


class Op:
    """An operation: its value, and for each input ``vjp(g, out, *inputs)``.

    ``saves`` names, for each vjp, the values that it reads: ``x``, ``y``, ``out``. Of others it
    may ask the ``.shape``.
    """

    def __init__(self, name, forward, *vjps, saves=None):
        self.name, self.forward, self.vjps = name, forward, vjps
        self.saves = [names.split() for names in saves or [""] * len(vjps)]

    def __call__(self, *inputs):
        inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        out = np.asarray(self.forward(*[x.value for x in inputs]))
        return Tensor(out, record(self, inputs, out))


class Node:
    """How a value was made. ``saved``: the output and the inputs, as the vjps will get them."""

    __slots__ = ("__weakref__", "inputs", "needs", "op", "saved", "seq", "shape")

    def __init__(self, shape, needs, op=None, inputs=(), saved=()):
        self.shape, self.needs, self.op, self.inputs, self.saved = shape, needs, op, inputs, saved
        self.seq = tick()


def record(op, inputs, out):
    """The node of a result: a constant unless gradient flows to one of the inputs."""
    nodes = tuple([x.node for x in inputs])
    if not any([x.needs for x in nodes]):
        return Node(out.shape, False)
    reads = {name for x, names in zip(nodes, op.saves, strict=True) if x.needs for name in names}
    saved = [out if "out" in reads else None]
    saved += [x.value if "xy"[i] in reads else x.node for i, x in enumerate(inputs)]
    return Node(out.shape, True, op, nodes, saved)


class Tensor:
    """A value, and its node: what the user holds."""

    __slots__ = ("node", "value")

    def __init__(self, value, node=None, needs=False):
        self.value = np.asarray(value, float)
        self.node = node or Node(self.value.shape, needs)

    def __add__(self, other):
        return add(self, other)

    def __mul__(self, other):
        return mul(self, other)

    def __matmul__(self, other):
        return matmul(self, other)

    def tanh(self):
        return tanh(self)

    def sum(self):
        return total(self)


add = Op("add", lambda x, y: x + y, lambda g, out, x, y: g, lambda g, out, x, y: g)
mul = Op("mul", lambda x, y: x * y,
         lambda g, out, x, y: g * y,
         lambda g, out, x, y: g * x, saves=("y", "x"))
matmul = Op("matmul", lambda x, y: x @ y,
            lambda g, out, x, y: g @ y.T,
            lambda g, out, x, y: x.T @ g, saves=("y", "x"))
tanh = Op("tanh", np.tanh, lambda g, out, x: g * (1 - out * out), saves=("out",))
total = Op("sum", np.sum, lambda g, out, x: np.broadcast_to(g, x.shape))


def in_order(root):
    """The root and all that it depends on, each once, oldest first: a topological order."""
    found, seen = [root], {root}
    for node in found:  # the list grows while it is walked
        for x in node.inputs:
            if x.needs and x not in seen:
                seen.add(x)
                found.append(x)
    found.sort(key=attrgetter("seq"))
    return found


def backward(root, seed=1.0, retain=False):
    """The gradients of the leaves below ``root``, by node. Nodes drop what they saved."""
    grads = {root.node: np.asarray(seed, float)}
    for node in reversed(in_order(root.node)):
        if node.op is not None:
            g = grads.pop(node)  # complete: everything that uses the node is newer
            for x, d in zip(node.inputs, contributions(node, g), strict=True):
                if d is not None:
                    grads[x] = grads[x] + d if x in grads else d
            if not retain:
                node.saved = None
    return grads


def contributions(node, g):
    """The chain rule at one node: what each input receives of ``g``."""
    if node.saved is None:
        raise RuntimeError(f"{node.op.name} has been through backward, and its values are freed")
    return [vjp(g, *node.saved) if x.needs else None
            for x, vjp in zip(node.inputs, node.op.vjps, strict=True)]


if __name__ == "__main__":
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    w = Tensor([[0.1, -0.2], [0.3, 0.4]], needs=True)
    hidden = (x @ w).tanh()
    loss = (hidden * hidden).sum()
    print(f"loss = {loss.value:.6f}")
    print("tanh saved", hidden.node.saved[0].round(3).tolist())
    print(backward(loss)[w.node].round(6).tolist())
    print("tanh saved", hidden.node.saved)
