"""Step 6: create_graph. The same vjps on arrays, or on Tensors, whose operations are recorded.

A vjp gets its operations from a namespace ``F``. With one that records, a gradient is a value like
any other, and can be differentiated again.
"""
from itertools import count
from operator import attrgetter
from types import SimpleNamespace

import numpy as np

tick = count(1).__next__
kernels = SimpleNamespace()  # every operation, by name, on arrays
recorded = SimpleNamespace()  # the same on Tensors


class Op:
    """An operation: its value, and for each input ``vjp(F, g, out, *inputs, **attrs)``.

    ``saves`` names, for each vjp, the values that it reads: ``x``, ``y``, ``out``. Of others it
    may ask the ``.shape``.
    """

    def __init__(self, name, forward, *vjps, saves=None):
        self.name, self.forward, self.vjps = name, forward, vjps
        self.saves = [names.split() for names in saves or [""] * len(vjps)]
        setattr(kernels, name, forward)
        setattr(recorded, name, self)

    def __call__(self, *inputs, **attrs):
        inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        out = np.asarray(self.forward(*[x.value for x in inputs], **attrs))
        return Tensor(out, record(self, inputs, out, attrs))


class Node:
    """How a value was made. ``saved``: the output and the inputs, as the vjps will get them."""

    __slots__ = ("__weakref__", "attrs", "inputs", "needs", "op", "saved", "seq", "shape")

    def __init__(self, shape, needs, op=None, inputs=(), saved=(), attrs=None):
        self.shape, self.needs, self.op, self.inputs = shape, needs, op, inputs
        self.saved, self.attrs = saved, attrs
        self.seq = tick()


def record(op, inputs, out, attrs):
    """The node of a result: a constant unless gradient flows to one of the inputs."""
    nodes = tuple([x.node for x in inputs])
    if not any([x.needs for x in nodes]):
        return Node(out.shape, False)
    reads = {name for x, names in zip(nodes, op.saves, strict=True) if x.needs for name in names}
    saved = [out if "out" in reads else None]
    saved += [x.value if "xy"[i] in reads else x.node for i, x in enumerate(inputs)]
    return Node(out.shape, True, op, nodes, saved, attrs)


class Tensor:
    """A value, and its node: what the user holds."""

    __slots__ = ("node", "value")

    def __init__(self, value, node=None, needs=False):
        self.value = np.asarray(value, float)
        self.node = node or Node(self.value.shape, needs)

    @property
    def shape(self):
        return self.value.shape

    def __add__(self, other):
        return add(self, other)

    def __mul__(self, other):
        return mul(self, other)

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other):
        return sub(self, other)

    def __rsub__(self, other):
        return sub(other, self)

    def __matmul__(self, other):
        return matmul(self, other)

    def tanh(self):
        return tanh(self)

    def sum(self):
        return sum_to(self, shape=())


def unbroadcast(d, shape):
    """Sum ``d`` down to ``shape``: each element that was copied forward adds up its copies."""
    extra = d.ndim - len(shape)  # dimensions that broadcasting put in front
    d = d.sum(axis=tuple(range(extra)))
    stretched = tuple([i for i, n in enumerate(shape) if n == 1 and d.shape[i] != 1])
    return d.sum(axis=stretched, keepdims=True)


add = Op("add", lambda x, y: x + y, lambda F, g, out, x, y: g, lambda F, g, out, x, y: g)
sub = Op("sub", lambda x, y: x - y, lambda F, g, out, x, y: g, lambda F, g, out, x, y: g * -1.0)
mul = Op("mul", lambda x, y: x * y,
         lambda F, g, out, x, y: g * y,
         lambda F, g, out, x, y: g * x, saves=("y", "x"))
matmul = Op("matmul", lambda x, y: x @ y,
            lambda F, g, out, x, y: g @ F.transpose(y),
            lambda F, g, out, x, y: F.transpose(x) @ g, saves=("y", "x"))
transpose = Op("transpose", np.transpose, lambda F, g, out, x: F.transpose(g))
tanh = Op("tanh", np.tanh, lambda F, g, out, x: g * (1.0 - out * out), saves=("out",))
sum_to = Op("sum_to", unbroadcast, lambda F, g, out, x, shape: F.expand(g, shape=x.shape))
expand = Op("expand", np.broadcast_to, lambda F, g, out, x, shape: F.sum_to(g, shape=x.shape))


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


def backward(root, seed=1.0, retain=False, create_graph=False):
    """The gradients of the leaves below ``root``, by node: arrays, or Tensors with a graph."""
    F = recorded if create_graph else kernels
    grads = {root.node: Tensor(seed) if create_graph else np.asarray(seed, float)}
    for node in reversed(in_order(root.node)):
        if node.op is not None:
            g = grads.pop(node)  # complete: everything that uses the node is newer
            for x, d in zip(node.inputs, contributions(F, node, g), strict=True):
                if d is not None:
                    grads[x] = grads[x] + d if x in grads else d
            if not (retain or create_graph):
                node.saved = None
    return grads


def contributions(F, node, g):
    """The chain rule at one node: what each input receives of ``g``."""
    if node.saved is None:
        raise RuntimeError(f"{node.op.name} has been through backward, and its values are freed")
    saved = lift(node) if F is recorded else node.saved
    given = [vjp(F, g, *saved, **node.attrs) if x.needs else None
             for x, vjp in zip(node.inputs, node.op.vjps, strict=True)]
    return [F.sum_to(d, shape=x.shape) if d is not None and d.shape != x.shape else d
            for x, d in zip(node.inputs, given, strict=True)]


def lift(node):
    """What the node saved, as Tensors on the nodes the values came from."""
    return [Tensor(value, owner) if isinstance(value, np.ndarray) else value
            for value, owner in zip(node.saved, (node, *node.inputs), strict=True)]


if __name__ == "__main__":
    x = Tensor(0.5, needs=True)
    derivative = x.tanh()
    for order in range(1, 5):
        derivative = backward(derivative, create_graph=True)[x.node]
        print(f"derivative {order} of tanh at 0.5: {derivative.value:.6f}")
