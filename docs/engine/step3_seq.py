"""Step 3: seq. Each node keeps its creation time; sorting by it is all the ordering there is.

Inputs exist before the node that uses them, so they have smaller numbers. No recursion is left.
"""
import math
from itertools import count
from operator import attrgetter

tick = count(1).__next__  # the clock: each node reads it once


class Op:
    """An operation: its value, and for each input ``vjp(g, out, *inputs)``."""

    def __init__(self, name, forward, *vjps):
        self.name, self.forward, self.vjps = name, forward, vjps

    def __call__(self, *inputs):
        return Node(self.forward(*[x.value for x in inputs]), self, inputs)


class Node:
    """One value and how it was made. A leaf has no op."""

    __slots__ = ("__weakref__", "inputs", "op", "seq", "value")

    def __init__(self, value, op=None, inputs=()):
        self.value, self.op, self.inputs = value, op, inputs
        self.seq = tick()

    def __add__(self, other):
        return add(self, other)

    def __mul__(self, other):
        return mul(self, other)

    def tanh(self):
        return tanh(self)


add = Op("add", lambda x, y: x + y, lambda g, out, x, y: g, lambda g, out, x, y: g)
mul = Op("mul", lambda x, y: x * y, lambda g, out, x, y: g * y, lambda g, out, x, y: g * x)
tanh = Op("tanh", math.tanh, lambda g, out, x: g * (1 - out * out))


def in_order(root):
    """The root and all that it depends on, each once, oldest first: a topological order."""
    found, seen = [root], {root}
    for node in found:  # the list grows while it is walked
        for x in node.inputs:
            if x not in seen:
                seen.add(x)
                found.append(x)
    found.sort(key=attrgetter("seq"))
    return found


def backward(root, seed=1.0):
    """The gradient of every node below ``root``."""
    grads = {root: seed}
    for node in reversed(in_order(root)):
        if node.op is not None:
            values = [x.value for x in node.inputs]
            for x, vjp in zip(node.inputs, node.op.vjps, strict=True):
                d = vjp(grads[node], node.value, *values)
                grads[x] = grads[x] + d if x in grads else d
    return grads


if __name__ == "__main__":
    x, w = Node(0.5), Node(-3.0)
    y = (x * w + x).tanh() * x
    grads = backward(y)
    print(f"y = {y.value:.6f}, dy/dx = {grads[x]:.6f}, dy/dw = {grads[w]:.6f}")
    y, half = x, Node(0.5)
    for _ in range(500_000):
        y = y * half + x
    grads = backward(y)
    print(f"{len(grads):,} nodes: dy/dx = {grads[x]:.6f}")
