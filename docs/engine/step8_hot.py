"""Step 8: the hot paths. ``+``, ``*``, ``tanh`` and backward's loop once more, everything inline.

Step 7's text stays what they must equal, and whatever is not the common case is handed to it.
"""
import numpy as np
import step7_inplace as general
from step7_inplace import Node, Storage, Tensor, add, in_order, kernels, last_write, mul, tanh, tick

new, ndarray = object.__new__, np.ndarray
NOTHING = (None, None, None)
numbers = {}  # Python number -> the constant made of it


def number(value):
    """A Python number as a constant, kept for the next time."""
    t = numbers.get(value)
    if t is None:
        if len(numbers) > 1000:  # learning-rate schedules make ever new numbers
            numbers.clear()
        t = numbers[value] = Tensor(value)
    return t


def node_class(op):
    """Nodes of one op: what is the same for all of them stands on the class."""
    return type(op.name, (Node,), {"__slots__": (), "op": op, "needs": True, "attrs": {}})


def binary(op, kernel):
    """The method that is ``op(x, y)``, written out for the common case."""
    made = node_class(op)
    saves_y, saves_x = "y" in op.saves[0], "x" in op.saves[1]

    def method(self, other):
        if type(other) is not Tensor:
            if type(other) is not float or not other:  # 0.0 == -0.0
                return op(self, other)
            other = number(other)
        a = self._node if self.base is None else self.node
        b = other._node if other.base is None else other.node
        if not (a.needs or b.needs):
            return op(self, other)
        x, y = self.value, other.value
        out = kernel(x, y)
        if type(out) is not ndarray:  # numpy makes a number of an array without dimensions
            out = np.asarray(out)
        t = new(Tensor)
        t._node = n = new(made)
        t.value = out
        t.storage = Storage()
        t.base = None
        t.path = ()
        n.inputs = (a, b)
        keep_x, keep_y = saves_x and b.needs, saves_y and a.needs
        if keep_x or keep_y:
            n.saved = (None, x if keep_x else a, y if keep_y else b)
            n.memory = (None, self.storage if keep_x else None, other.storage if keep_y else None)
        else:
            n.saved = (None, a, b)
            n.memory = NOTHING
        n.shape = out.shape
        n.seq = tick()
        return t

    return method


def unary(op, kernel):
    """The method that is ``op(x)``, for an op whose derivative reads its output alone."""
    made = node_class(op)

    def method(self):
        a = self._node if self.base is None else self.node
        if not a.needs:
            return op(self)
        out = kernel(self.value)
        if type(out) is not ndarray:
            out = np.asarray(out)
        t = new(Tensor)
        t._node = n = new(made)
        t.value = out
        t.storage = storage = Storage()
        t.base = None
        t.path = ()
        n.inputs = (a,)
        n.saved = (out, a)
        n.memory = (storage, None)
        n.shape = out.shape
        n.seq = tick()
        return t

    return method


KERNELS = {add: np.add, mul: np.multiply, tanh: np.tanh}
Tensor.__add__ = Tensor.__radd__ = binary(add, KERNELS[add])
Tensor.__mul__ = Tensor.__rmul__ = binary(mul, KERNELS[mul])
Tensor.tanh = unary(tanh, KERNELS[tanh])


def backward(root, seed=1.0, retain=False, create_graph=False):
    """The gradients of the leaves below ``root``, by node."""
    if create_graph:
        return general.backward(root, seed, retain, create_graph)
    grads = {root.node: np.asarray(seed, float)}
    order, pop, get, F = in_order(root.node), grads.pop, grads.get, kernels
    while order:
        node = order.pop()
        op = node.op
        if op is None:
            continue
        g = pop(node)
        saved, attrs = node.saved, node.attrs
        if saved is None or node.seq < last_write[0]:
            general.check(node)
        for x, vjp in zip(node.inputs, op.vjps):  # noqa: B905
            if x.needs:
                d = vjp(F, g, *saved, **attrs) if attrs else vjp(F, g, *saved)
                if d.shape != x.shape:
                    d = F.sum_to(d, shape=x.shape)
                held = get(x)
                grads[x] = d if held is None else held + d
        if not retain:
            node.saved = None
    return grads


if __name__ == "__main__":
    x, w = Tensor([0.5, 1.0], needs=True), Tensor([-3.0, 2.0], needs=True)
    y = (x * w + 1.0).tanh() * x
    print("y    ", y.value.round(6).tolist())
    grads = backward(y, seed=[1.0, 1.0])
    print("dy/dx", grads[x.node].round(6).tolist())
    print("dy/dw", grads[w.node].round(6).tolist())
