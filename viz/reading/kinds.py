"""The numbers of a batch or of dual numbers as one array, and back.

Inside of ``vmap`` and of forward mode a node holds numbers of another kind (microtorch/kinds). A
trace shows them as an array: the samples of a batch lie along a first dimension, of size 1 where
all share one value; of dual numbers the values come first, then the tangents.
"""

from __future__ import annotations

import numpy as np

from microtorch.backends import host
from microtorch.base.types import AnyArray
from microtorch.engine.recorded import tie
from microtorch.func.arguments import track_op
from microtorch.kinds.batched import Batch
from microtorch.kinds.borders import CROSSINGS
from microtorch.kinds.dual import Dual
from microtorch.kinds.level import Kind, KindBackend

# what ops without a kernel compute: those at the borders of a kind, and those that only mark
UNLISTED = {**CROSSINGS, track_op: lambda x: x, tie: lambda x, *read: x}


def of_a_kind(dev: AnyArray) -> bool:
    """Does this backend compute with numbers of another kind?"""
    return isinstance(dev, KindBackend)


def outside(x: AnyArray) -> AnyArray:
    """A value of any kind as an array on the host; what is no array of a kind, by ``host``."""
    if isinstance(x, Batch):
        return outside(x.value)
    if isinstance(x, Dual):
        return np.stack(np.broadcast_arrays(outside(x.part(0)), outside(x.part(1))))
    return host(x)


def inside(dev: AnyArray, x: AnyArray) -> AnyArray:
    """The array that ``outside`` made of a value of ``dev``, as such a value."""
    if not of_a_kind(dev) or x is None or isinstance(x, Kind):
        return x
    if dev.memory is Batch:
        return Batch(dev.level, inside(dev.inner, x))
    return Dual(dev.level, inside(dev.inner, x[0]), inside(dev.inner, x[1]))


def gradient(dev: AnyArray, g: AnyArray, like: np.ndarray) -> AnyArray:
    """The gradient of a value of ``dev``, element by element of the array ``like`` that it is
    outside.

    Where all samples share a value, it is the sum of theirs. Of dual numbers the gradient of the
    value stands in the tangent's place, and the other way round (kinds/borders.py).
    """
    if not of_a_kind(dev):
        return outside(g)
    own = isinstance(g, Kind) and g.level is dev.level
    if dev.memory is Batch:
        axis = -1 - g.ndim
        out = gradient(dev.inner, g.value if own else g.reshape((1, *g.shape)), like)
        if like.shape[axis] == 1:
            shared = dev.level.size if out.shape[axis] == 1 else 1
            return shared * out.sum(axis, keepdims=True)
        return np.repeat(out, like.shape[axis], axis) if out.shape[axis] == 1 else out
    parts = (g.part(1), g.part(0)) if own else (0 * g, g)
    return np.stack([gradient(dev.inner, p, x) for p, x in zip(parts, like, strict=True)])
