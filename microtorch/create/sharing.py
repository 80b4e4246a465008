"""Memory that processes share: ``x.share_memory_()``.

Python's `multiprocessing` has such memory and takes it to processes that are forked or spawned; the
tensor lies there from then on, and what one process writes, all see. That is what Hogwild and A3C
do with the parameters of a model. A Queue or a Pipe still copies.
"""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..base.errors import describe, message
from ..engine.record import constant
from ..handles.methods import bind_methods
from ..handles.tensor import Tensor, _rebuild

if TYPE_CHECKING:

    from ..base.types import Argument, Array


def is_shared(self: Tensor) -> bool:
    """Does it lie in memory that ``share_memory_`` made for several processes?"""
    return _memory(self.array) is not None


def share_memory_(self: Tensor) -> Tensor:
    """Move this tensor into memory that it shares with processes started from now on.

    Nothing happens to a tensor that lies there already. RuntimeError for one whose memory other
    tensors or arrays show, for they would stay behind; NotImplementedError on another device.
    """
    import ctypes
    import multiprocessing

    array = self.array
    if is_shared(self):
        return self
    if type(array) is not np.ndarray:
        raise NotImplementedError(
            message("share_memory_() is for tensors on the CPU", describe(self), fix="x.cpu()")
        )
    if self.node.op is not None or array.base is not None or _references(array) > _OWN:
        raise RuntimeError(
            message(
                "share_memory_() moves a tensor to other memory, and something else shows its own: "
                "it is a view, has views, was computed with gradient, or .data, .detach() or "
                ".numpy() of it is in use",
                describe(self),
                fix="parameter.share_memory_() instead of parameter.data.share_memory_(); or "
                "x = x.detach().clone(), then x.share_memory_()",
            )
        )
    raw: Argument = multiprocessing.RawArray(ctypes.c_byte, max(array.nbytes, 1))
    shared = _array(raw, array.dtype, array.shape)
    shared[...] = array
    self.data = constant(shared)
    _tell_pickle(type(self))
    return self


def _references(array: Array) -> int:
    return sys.getrefcount(array)


def _own(x: Tensor) -> int:
    """How many references the array of a tensor has that nothing else shows."""
    array = x.array
    return _references(array)


_OWN = _own(Tensor(1))


def _memory(array: Array) -> Argument:
    """The shared memory below an array; None for what is not shared."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if type(base).__module__ == "multiprocessing.sharedctypes" else None


def _array(raw: Argument, dtype: Argument, shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape)) * dtype.itemsize
    found: Array = np.frombuffer(raw, np.uint8)[:size].view(dtype).reshape(shape)
    return found


# ---- on the way to another process ---------------------------------------------------------------
def _tell_pickle(kind: type[Tensor]) -> None:
    """Have multiprocessing send shared tensors as their memory, and not as their numbers."""
    from multiprocessing.reduction import ForkingPickler

    ForkingPickler.register(kind, _reduced)


def _reduced(x: Tensor) -> str | tuple[Any, ...]:
    from multiprocessing.context import get_spawning_popen

    raw = _memory(x.array)
    whole = raw is not None and x.array.nbytes in (len(raw), 0) and x.array.flags.c_contiguous
    if not whole or get_spawning_popen() is None or x.node.op is not None:
        return x.__reduce_ex__(2)
    return _received, (type(x), raw, str(x.dtype), tuple(x.shape), x.requires_grad)


def _received(
    kind: type[Tensor], raw: Argument, dtype: str, shape: tuple[int, ...], requires_grad: bool
) -> Tensor:
    _tell_pickle(kind)
    d = getattr(dtypes, dtype.partition(".")[2]).numpy
    return _rebuild(kind, _array(raw, d, shape), requires_grad)


bind_methods({f.__name__: f for f in (is_shared, share_memory_)})
