"""What backward keeps: the values that each node holds on to until its derivative has read them.

A node says so itself. Its class has a member ``_raw_saved_self`` for each place that some
derivative reads (engine/saved.py), a custom Function has a list; the arrays lie in ``saved``, and
the output in ``value``. A node holds more than backward will read: results, and what only the
derivative of an input reads that needs no gradient. PyTorch drops these at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from microtorch.autograd.custom import CustomOp
from microtorch.engine.packing import Packed
from microtorch.engine.saved import NO_ATTRIBUTES as NO_ATTRIBUTES
from microtorch.engine.saved import SHOWN as SHOWN
from microtorch.graph import Node

from .measure import parted
from .trace import Kept, Trace

PREFIX = "_raw_saved_"
ARGUMENT, OTHER = -2, -3  # places of what is neither an input (its number) nor the output (-1)


def find(trace: Trace) -> None:
    """Fill ``kept`` of every node that an op made."""
    found = trace.computation
    assert found is not None
    nodes = found.nodes
    memories, views = _Numbers(), _Numbers()
    named = [n for t, n in zip(trace.nodes, nodes, strict=True) if n.needs or t.name]
    users = {_memory(n.value)[0] for n in named if n.op is None}
    for t, node in zip(trace.nodes, nodes, strict=True):
        read = _read(node)
        for name, i, value in _places(node):
            source = node if i == -1 else node.inputs[i] if i >= 0 else None
            k = Kept(name, "argument" if i == ARGUMENT else "copy", found.index(source))
            if isinstance(value, Packed):
                k.what, value = "packed", getattr(value.thing, "array", None)
            elif i == -1:
                k.what = "output"
            elif source is not None and (node.dev is None or _same(value, source.value)):
                k.what = "input"
            if read is not None and i >= -1 and i not in read:
                k.what = "unread"
            elif node.dev is not None and node.saved is None:
                k.what = "freed"
            if k.what != "freed" and node.dev is not None and hasattr(value, "shape"):
                memory, k.whole = _memory(value)
                k.size, k.leaf = _size(value), memory in users
                k.memory = memories[memory]
                k.view = views[memory, _start(value), value.shape, getattr(value, "strides", None)]
            t.kept.append(k)


class _Numbers(dict[Any, int]):
    """Things, counted in the order in which they turn up."""

    def __missing__(self, key: Any) -> int:
        self[key] = len(self)
        return self[key]


def _places(node: Node) -> Iterator[tuple[str, int, Any]]:
    """Name, place and value of all that a node holds. Places: of inputs, -1, ARGUMENT and OTHER.

    An output that no derivative reads has no name.
    """
    if node.op is None or parted(node):
        return
    saved: tuple[Any, ...] = node.saved or ()
    if isinstance(node.op, CustomOp):
        for k, entry in enumerate(saved):
            if entry is not None:
                place = -1 if getattr(entry, "output", -1) >= 0 else OTHER
                source = getattr(entry, "node", None)
                place = node.inputs.index(source) if source in node.inputs else place
                yield f"saved_tensors[{k}]", place, getattr(entry, "array", entry)
        return
    names = [m.removeprefix(PREFIX) for m in dir(node.op.node) if m.startswith(PREFIX)]
    places = {name: getattr(node.op.node, PREFIX + name).fget(node).place for name in names}
    packed = (node.hooks and node.hooks.packed) or {}
    for name, i in sorted(places.items(), key=lambda item: item[1] % (len(node.inputs) + 1)):
        if i < len(node.inputs):
            value = node.value if i < 0 else saved[i] if saved else None
            yield name, i, packed.get(i, value)
    for name, v in (node.attrs or {}).items():  # an index, a mask
        for part in v if isinstance(v, tuple) else (v,):
            if hasattr(part, "dtype") and hasattr(part, "shape"):
                yield SHOWN.get(name, name), ARGUMENT, getattr(part, "array", part)
    if -1 not in places.values() and type(node.value) is not tuple:
        yield "", -1, node.value


def _read(node: Node) -> set[int] | None:
    """The places that backward will read, for the inputs that need a gradient; None: all."""
    if node.op is None or isinstance(node.op, CustomOp):
        return None
    ways = zip(node.inputs, node.op.reads, node.op.reads_out, strict=False)  # a bias is optional
    return {i for x, places, out in ways if x.needs for i in (*places, *(-1,) * out)}


# ---- memory --------------------------------------------------------------------------------------
def _memory(a: Any) -> tuple[int, int]:
    """The block of memory in which an array lies, as a number, and the bytes of the block."""
    while isinstance(getattr(a, "base", None), np.ndarray):
        a = a.base
    return _start(a), _size(a)


def _start(a: object) -> int:
    return int(a.__array_interface__["data"][0]) if isinstance(a, np.ndarray) else id(a)


def _size(a: object) -> int:
    """The bytes of its elements; those that stand for several places count once."""
    shape = getattr(a, "shape", ())
    steps = getattr(a, "strides", None) or (1,) * len(shape)
    one = getattr(getattr(a, "dtype", None), "itemsize", 0)
    return int(one * np.prod([n if s or not n else 1 for n, s in zip(shape, steps, strict=True)]))


def _same(a: object, b: object) -> bool:
    """Do they share memory?"""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.may_share_memory(a, b)
    return a is b


# ---- sums ----------------------------------------------------------------------------------------
def total(kept: Iterable[Kept]) -> int:
    """The bytes of what is kept, each memory once: its views, but not more than all of it."""
    views: dict[int, dict[int, int]] = {}
    whole: dict[int, int] = {}
    for k in kept:
        if k.memory is not None:
            views.setdefault(k.memory, {})[k.view] = k.size
            whole[k.memory] = k.whole
    return sum(min(whole[m], sum(sizes.values())) for m, sizes in views.items())
