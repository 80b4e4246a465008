"""Memory that arrays share: whose it is, who may write to it, and which elements are one.

A numpy array does not say which elements of two arrays are the same, and locks memory that it was
lent or that it repeats. PyTorch decides by storages and strides; so does this file.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.memory_order import is_dense, overlaps_itself, start
from ..base import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..base.types import Array

# writers that PyTorch lets write to an expanded tensor: what they write is the same everywhere
IDEMPOTENT = frozenset({"fill", "zero", "masked_fill", "index_fill", "index_put", "tril", "triu"})
AT_PLACES = frozenset({"masked_fill", "index_fill", "index_put"})  # only if the places agree


# ---- writing -------------------------------------------------------------------------------------
def check_locked(array: Array, writer: str) -> None:
    """Raise RuntimeError if one place of locked memory would have to take several values.

    Where it may have to, warn: the write is allowed, its gradient often is not.
    """
    if repeats_itself(array):
        if writer not in IDEMPOTENT:
            raise repeated_error(f"{writer}_ on {errors.describe(array)}, which was expanded")
        if writer in AT_PLACES:
            errors.warn(
                f"Use of {writer}_ on expanded tensors is deprecated, and backward may "
                "refuse it. Please clone() the tensor before performing this operation."
            )


def repeated_error(what: str) -> Exception:
    """``what`` would write several values to one place."""
    return RuntimeError(
        errors.message(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation.",
            what,
        )
    )


def overwrite(array: Array, values: Array) -> None:
    """Store ``values`` in ``array``, also where numpy has locked it."""
    if not is_locked(array):
        if type(array) is not np.ndarray and hasattr(array, "recording"):
            array.recording.overwrite(array, values)  # a static graph writes it down
        else:
            array[...] = values
    elif overlaps_itself(array):
        # an element that keeps its value must not undo what another wrote to the same place
        changed = values != array
        unlocked(array)[changed] = values[changed]
    else:
        unlocked(array)[...] = values


def on_cpu(array: Any) -> Array | None:
    """Memory of the CPU, for those who look at it as it lies; or None.

    A static graph is told, as what they do with it leaves no step.
    """
    if type(array) is not np.ndarray and hasattr(array, "recording"):
        array = array.get()
    return array if type(array) is np.ndarray else None


def is_locked(array: Array) -> bool:
    """Has numpy forbidden to write to ``array``: to lent memory, or to repeated elements?"""
    return type(array) is np.ndarray and not array.flags.writeable


class _Memory:
    """An array's memory as numpy's interface describes it, but writable."""

    def __init__(self, array: Array):
        interface = array.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}
        self.array = array  # keeps the memory alive


def unlocked(array: Array) -> Array:
    """The same elements as an array that may be written."""
    # the interface has no name for bfloat16
    return np.asarray(_Memory(array)).view(array.dtype)


# ---- elements ------------------------------------------------------------------------------------
def repeats_itself(array: Array) -> bool:
    """Does a dimension show one element several times?"""
    dims = zip(array.strides, array.shape, strict=True)
    return array.size > 0 and any(s == 0 and n > 1 for s, n in dims)


# ---- whose memory it is --------------------------------------------------------------------------
def owner(array: Array) -> Array:
    """The array whose memory ``array`` shows, perhaps itself."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


def offset(array: Array) -> int:
    """Where in its owner's memory the first element lies, in bytes."""
    return start(array) - start(owner(array))


def is_lent(array: Array) -> bool:
    """Does it show memory that belongs to no array: of a bytearray, a file, another library?"""
    return owner(array).base is not None


def unknown_to_share(array: Array, others: Iterable[Array]) -> bool:
    """Does an array lie over another one, by their addresses, that has another owner?

    Only memory that is lent does; so one of the two is to be such. Arrays between whose elements
    those of the other lie count, too.
    """
    mine = owner(array)
    return any(np.may_share_memory(array, x) and owner(x) is not mine for x in others)


def share_unseen(arrays: Sequence[Array]) -> bool:
    """The same of any two of some arrays."""
    return any(is_lent(x) and unknown_to_share(x, arrays) for x in arrays)


SHARE_UNSEEN = (
    "two tensors lie over one another in memory that numpy has been lent, twice: .clone() one, or "
    "make both of one array"
)


def copied(array: Array, memo: dict[Any, Any]) -> Array:
    """A copy. Arrays that share memory get copies that share memory, if ``memo`` is the same."""
    source = owner(array)
    if type(array) is not np.ndarray or not is_dense(source):
        return array.copy()
    key = ("memory", id(source))
    if key not in memo:
        memo[key] = source, source.copy("K").ravel("K")  # the source, so that its id stays its own
    return np.ndarray(array.shape, array.dtype, memo[key][1], offset(array), array.strides)
