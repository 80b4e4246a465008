"""Memory that processes share: ``x.share_memory_()``.

Python's `multiprocessing` has such memory and takes it to processes that are forked or spawned; the
tensor lies there from then on, and what one process writes, all see. That is what Hogwild and A3C
do with the parameters of a model. A Queue or a Pipe still copies.
"""
from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ..arrays import dtypes
from ..arrays.memory_order import start
from ..base.errors import describe, message
from ..handles.memory import overwrite, owner
from ..handles.tensor import Tensor, _rebuild
from ..ops.surface import METHODS

if TYPE_CHECKING:
    from ..base.types import Argument, Array


def is_shared(self: Tensor) -> bool:
    """Does it lie in memory that ``share_memory_`` made for several processes?"""
    return _memory(self.array) is not None


def share_memory_(self: Tensor) -> Tensor:
    """Move this tensor into memory that it shares with processes started from now on.

    All tensors that show the same memory go along (views, its base, ``.detach()``), each with its
    strides. Arrays of numpy's keep the old memory, in PyTorch dangling. Nothing happens to a tensor
    that lies in shared memory. NotImplementedError on another device.
    """
    import ctypes
    import multiprocessing

    if is_shared(self):
        return self
    if type(self.array) is not np.ndarray:
        raise NotImplementedError(
            message("share_memory_() is for tensors on the CPU", describe(self), fix="x.cpu()")
        )
    whole = owner(self.array)
    begin, end = byte_bounds(whole)
    raw: Argument = multiprocessing.RawArray(ctypes.c_byte, max(end - begin, 1))
    memory = np.frombuffer(raw, np.uint8)
    for t in _showing(whole, self):
        old = t.array
        offset = start(old) - begin if old.size else 0
        shared: Array = np.ndarray(old.shape, old.dtype, memory, offset, old.strides)
        overwrite(shared, old)
        if t.node.value is old:
            t.node.value = shared
        t.array = shared
        _tell_pickle(type(t))
    return self


def _showing(whole: Array, t: Tensor) -> list[Tensor]:
    """All tensors whose memory is that of ``whole``; ``t`` is one of them."""
    if t.array is whole and t.node.storage is None and sys.getrefcount(whole) <= _OWN:
        return [t]  # the usual one, found without a search
    # isinstance would ask whatever is no Tensor for its __class__, which may be anybody's code
    found = [x for x in gc.get_objects() if issubclass(type(x), Tensor)]
    tensors = [x for x in found if hasattr(x, "array")]
    return [x for x in tensors if type(x.array) is np.ndarray and owner(x.array) is whole]


def _references(t: Tensor) -> int:
    """How many references ``_showing`` sees to the array of a tensor that nothing else shows."""
    whole = owner(t.array)
    return (lambda whole, t: sys.getrefcount(whole))(whole, t)


_OWN = _references(Tensor(1))


def _memory(array: Array) -> Argument:
    """The shared memory below an array; None for what is not shared."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if type(base).__module__ == "multiprocessing.sharedctypes" else None


# ---- on the way to another process ---------------------------------------------------------------
def _tell_pickle(kind: type[Tensor]) -> None:
    """Have multiprocessing send shared tensors as their memory, and not as their numbers."""
    from multiprocessing.reduction import ForkingPickler

    ForkingPickler.register(kind, _reduced)


def _reduced(x: Tensor) -> str | tuple[Any, ...]:
    from multiprocessing.context import get_spawning_popen

    array, raw = x.array, _memory(x.array)
    if raw is None or get_spawning_popen() is None or x.node.op is not None:
        return x.__reduce_ex__(2)
    offset = start(array) - start(np.frombuffer(raw, np.uint8)) if array.size else 0
    place = (array.shape, array.strides, offset)
    return _received, (type(x), raw, str(x.dtype), *place, x.requires_grad)


def _received(
    kind: type[Tensor], raw: Argument, dtype: str, shape: tuple[int, ...],
    strides: tuple[int, ...], offset: int, requires_grad: bool,
) -> Tensor:  # fmt: skip
    _tell_pickle(kind)
    d = getattr(dtypes, dtype.partition(".")[2]).numpy
    array: Array = np.ndarray(shape, d, np.frombuffer(raw, np.uint8), offset, strides)
    return _rebuild(kind, array, requires_grad)


METHODS.update(is_shared=is_shared, share_memory_=share_memory_)
