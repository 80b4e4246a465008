"""Step 2: nodes. A value says how it was made; what an operation does is declared apart, as data.

A node never changes. What backward computes stands in a dictionary of its own.
"""
import math


class Op:
    """An operation: its value, and for each input a vector-Jacobian product.

    ``vjp(g, out, *inputs)`` is what this operation contributes to the gradient of that input.
    """

    def __init__(self, name, forward, *vjps):
        self.name, self.forward, self.vjps = name, forward, vjps

    def __call__(self, *inputs):
        return Node(self.forward(*[x.value for x in inputs]), self, inputs)


class Node:
    """One value and how it was made. A leaf has no op."""

    __slots__ = ("__weakref__", "inputs", "op", "value")

    def __init__(self, value, op=None, inputs=()):
        self.value, self.op, self.inputs = value, op, inputs

    def __add__(self, other):
        return add(self, other)

    def __mul__(self, other):
        return mul(self, other)

    def tanh(self):
        return tanh(self)


add = Op("add", lambda x, y: x + y, lambda g, out, x, y: g, lambda g, out, x, y: g)
mul = Op("mul", lambda x, y: x * y, lambda g, out, x, y: g * y, lambda g, out, x, y: g * x)
tanh = Op("tanh", math.tanh, lambda g, out, x: g * (1 - out * out))


def backward(root, seed=1.0):
    """The gradient of every node below ``root``."""
    order = []
    visit(root, set(), order)
    grads = {root: seed}
    for node in reversed(order):
        if node.op is not None:
            values = [x.value for x in node.inputs]
            for x, vjp in zip(node.inputs, node.op.vjps, strict=True):
                d = vjp(grads[node], node.value, *values)
                grads[x] = grads[x] + d if x in grads else d
    return grads


def visit(node, seen, order):
    """Depth first: append a node after everything that it was made from."""
    if node not in seen:
        seen.add(node)
        for x in node.inputs:
            visit(x, seen, order)
        order.append(node)


def show(node):
    """The expression that a node stands for: a second reader of the same graph."""
    if node.op is None:
        return f"{node.value:g}"
    return f"{node.op.name}({', '.join(show(x) for x in node.inputs)})"


if __name__ == "__main__":
    x, w = Node(0.5), Node(-3.0)
    y = (x * w + x).tanh() * x
    grads = backward(y)
    print(f"y = {y.value:.6f}, dy/dx = {grads[x]:.6f}, dy/dw = {grads[w]:.6f}")
    print(show(y))
