"""Step 7: views and in-place writes. A write rebinds the handle to a new node; the old one stays.

The clock that dates nodes dates writes too, so "overwritten since" is one comparison.
"""
from itertools import count
from operator import attrgetter
from types import SimpleNamespace

import numpy as np

tick = count(1).__next__
kernels = SimpleNamespace()  # every operation, by name, on arrays
recorded = SimpleNamespace()  # the same on Tensors
last_write = [0]  # when anything was last written in place


class Storage:
    """A block of memory, shared by handles: when it was last written in place."""

    written = 0


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
        if out.base is not None:  # numpy gave a view: only indexing makes ours
            out = out.copy()
        storage = Storage()
        return Tensor(out, record(self, inputs, out, storage, attrs), storage=storage)


class Node:
    """How a value was made. ``saved``: the output and the inputs, as the vjps will get them."""

    __slots__ = ("__weakref__", "attrs", "inputs", "memory", "needs", "op", "saved", "seq", "shape")

    def __init__(self, shape, needs, op=None, inputs=(), saved=(), attrs=None, memory=()):
        self.shape, self.needs, self.op, self.inputs = shape, needs, op, inputs
        self.saved, self.attrs = saved, attrs
        self.memory = memory  # for each saved value the Storage in which it lies
        self.seq = tick()


def record(op, inputs, out, storage, attrs):
    """The node of a result: a constant unless gradient flows to one of the inputs."""
    nodes = tuple([x.node for x in inputs])
    if not any([x.needs for x in nodes]):
        return Node(out.shape, False)
    reads = {name for x, names in zip(nodes, op.saves, strict=True) if x.needs for name in names}
    saved = [out if "out" in reads else None]
    saved += [x.value if "xy"[i] in reads else x.node for i, x in enumerate(inputs)]
    memory = [storage if "out" in reads else None]
    memory += [x.storage if "xy"[i] in reads else None for i, x in enumerate(inputs)]
    return Node(out.shape, True, op, nodes, saved, attrs, memory)


class Tensor:
    """A value, and its node: what the user holds.

    A view also has its ``base``, and the ``path`` of indices that leads from there to it.
    """

    __slots__ = ("_node", "base", "path", "storage", "value")

    def __init__(self, value, node=None, needs=False, storage=None):
        self.value = np.asarray(value, float)
        self.storage = storage or Storage()
        self.base, self.path = None, ()
        self._node = node or Node(self.value.shape, needs)

    @property
    def node(self):
        """Of a view: a region of its base, made anew when the memory has been written."""
        if self.base is not None and self._node.seq < self.storage.written:
            self._node = record(region, [self.base], self.value, self.storage, {"path": self.path})
        return self._node

    def __getitem__(self, index):
        """A view. The index: whole numbers and slices."""
        index = (*index, ...) if isinstance(index, tuple) else (index, ...)  # never a bare number
        base, path, part = self.base or self, (*self.path, index), self.value[index]
        node = record(region, [base], part, self.storage, {"path": path})
        view = Tensor(part, node, storage=self.storage)
        view.base, view.path = base, path
        return view

    def __setitem__(self, index, value):
        write(copy, self[index], value)

    def add_(self, other):
        return write(add, self, other)

    def mul_(self, other):
        return write(mul, self, other)

    def tanh_(self):
        return write(tanh, self)

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


def follow(array, path):
    """The region of ``array`` that a view shows."""
    for index in path:
        array = array[index]
    return array


def replaced(array, part, path):
    """A copy of ``array`` with ``part`` in that region."""
    array = array.copy()
    follow(array, path)[...] = part
    return array


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
region = Op("region", follow,
            lambda F, g, out, x, path: F.copy_slices(np.zeros(x.shape), g, path=path))
copy_slices = Op("copy_slices", replaced,
                 lambda F, g, out, x, y, path: F.copy_slices(g, np.zeros(y.shape), path=path),
                 lambda F, g, out, x, y, path: F.region(g, path=path))
copy = Op("copy", lambda x, y: np.broadcast_to(y, x.shape),
          lambda F, g, out, x, y: g * 0.0,
          lambda F, g, out, x, y: g)


def write(op, target, *others):
    """``target = op(target, *others)``, in the memory of ``target``."""
    base = target.base or target
    if base.node.needs and base.node.op is None:
        raise RuntimeError(f"{op.name} would overwrite a leaf that needs a gradient")
    inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in (target, *others)]
    out = op.forward(*[x.value for x in inputs])  # apart, so that a failure changes nothing
    if out.shape != target.shape:
        raise ValueError(f"{op.name}: shape {out.shape} does not fit into {target.shape}")
    inputs = [Tensor(x.value.copy(), x.node) if np.may_share_memory(x.value, target.value) else x
              for x in inputs]  # a copy of what is about to be overwritten
    target.value[...] = out
    target.storage.written = last_write[0] = tick()
    part = target if target is base else Tensor(out)
    part._node = record(op, inputs, target.value, target.storage, {})  # newer than the write
    if part is not base:
        inputs, attrs = [base, part], {"path": target.path}
        base._node = record(copy_slices, inputs, base.value, base.storage, attrs)
    return target


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
    check(node)
    saved = lift(node) if F is recorded else node.saved
    given = [vjp(F, g, *saved, **node.attrs) if x.needs else None
             for x, vjp in zip(node.inputs, node.op.vjps, strict=True)]
    return [F.sum_to(d, shape=x.shape) if d is not None and d.shape != x.shape else d
            for x, d in zip(node.inputs, given, strict=True)]


def check(node):
    """Raise unless the values that the node saved are there, and are what they were."""
    if node.saved is None:
        raise RuntimeError(f"{node.op.name} has been through backward, and its values are freed")
    if node.seq < last_write[0] and any([s and s.written > node.seq for s in node.memory]):
        raise RuntimeError(f"a value that {node.op.name} saved has been overwritten since")


def lift(node):
    """What the node saved, as Tensors on the nodes the values came from."""
    owners = (node, *node.inputs)
    return [Tensor(value, owner, storage=storage) if storage else value
            for value, owner, storage in zip(node.saved, owners, node.memory, strict=True)]


if __name__ == "__main__":
    x = Tensor([1.0, 2.0, 3.0], needs=True)
    y = x * x
    tail = y[1:]
    tail.mul_(10.0)
    y[0] = tail[1] * 2.0
    print("y       ", y.value.tolist())
    print("gradient", backward(y.sum())[x.node].tolist())
    z = y * y
    y.add_(1.0)
    try:
        backward(z.sum())
    except RuntimeError as error:
        print(error)
