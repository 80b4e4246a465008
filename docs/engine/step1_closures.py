"""Step 1: closures. Each value keeps a function that sends its gradient on to its operands.

The idea of micrograd: while an operation computes its result, both operands are at hand, so this
is the moment to write down how a gradient will flow back to them.
"""
import math


class Value:
    def __init__(self, data, parents=()):
        self.data, self.parents = data, parents
        self.grad = 0.0
        self.push = None  # sends self.grad on to the parents; a leaf has none

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def push():
            self.grad += out.grad
            other.grad += out.grad

        out.push = push
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def push():
            self.grad += out.grad * other.data
            other.grad += out.grad * self.data

        out.push = push
        return out

    def tanh(self):
        out = Value(math.tanh(self.data), (self,))

        def push():
            self.grad += out.grad * (1 - out.data * out.data)

        out.push = push
        return out

    def backward(self):
        order = []
        visit(self, set(), order)
        self.grad = 1.0
        for value in reversed(order):
            if value.push is not None:
                value.push()


def visit(value, seen, order):
    """Depth first: append a value after everything that it was made from."""
    if value not in seen:
        seen.add(value)
        for parent in value.parents:
            visit(parent, seen, order)
        order.append(value)


if __name__ == "__main__":
    x, w = Value(0.5), Value(-3.0)
    y = (x * w + x).tanh() * x
    y.backward()
    print(f"y = {y.data:.6f}, dy/dx = {x.grad:.6f}, dy/dw = {w.grad:.6f}")
