"""Memory that arrays share: whose it is, who may write to it, and which elements are one.

A numpy array does not say which elements of two arrays are the same, and locks memory that it was
lent or that it repeats. PyTorch decides by storages and strides; so does this file.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import errors
from ..engine.handle import Handle

if TYPE_CHECKING:
    from ..base.types import Array

# writers that PyTorch lets write to an expanded tensor: what they write is the same everywhere
IDEMPOTENT = frozenset({"fill", "zero", "masked_fill", "index_fill", "index_put", "tril", "triu"})


# ---- writing -------------------------------------------------------------------------------------
def check_locked(array: Array, writer: str) -> None:
    """Raise RuntimeError if one place of locked memory would have to take several values."""
    if repeats_itself(array) and writer not in IDEMPOTENT:
        raise repeated_error(f"{writer}_ on {errors.describe(array)}, which was expanded")


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
        array[...] = values
    elif repeats_itself(array):
        # an element that keeps its value must not undo what another wrote to the same place
        np.copyto(unlocked(array), values, where=values != array.copy())
    else:
        unlocked(array)[...] = values


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
    return np.asarray(_Memory(array))


# ---- overlaps ------------------------------------------------------------------------------------
def repeats_itself(array: Array) -> bool:
    """Does a dimension show one element several times?"""
    dims = zip(array.strides, array.shape, strict=True)
    return array.size > 0 and any(s == 0 and n > 1 for s, n in dims)


def check_overlap(
    array: Array, others: Iterable[Any], name: str, whole: bool = False, read: Array | None = None
) -> None:
    """Raise RuntimeError if an operand lies partly in memory that is to be overwritten.

    The very elements of ``array``, the target, may be read, unless ``whole``. ``read``: as what
    the operand is read, if it is expanded first.
    """
    array = real(array)
    for other in others:
        if not isinstance(other, Handle):
            continue
        source = real(other.array if read is None else read)
        if type(source) is not np.ndarray or type(array) is not np.ndarray:
            continue
        if source is not array:
            if _apart(owner(array), owner(source)) or not np.may_share_memory(array, source):
                continue
        if not whole and are_one(source, array):
            continue
        if source is not array and not (
            is_dense(array) and is_dense(source) and array.size and source.size
        ):
            continue  # as in PyTorch, which does not look closer
        raise RuntimeError(
            errors.message(
                "unsupported operation: some elements of the input tensor and the written-to "
                "tensor refer to a single memory location. Please clone() the tensor before "
                "performing the operation.",
                f"{name}_ on {errors.describe(array)} reads {errors.describe(other)}, a view of "
                "the same memory",
            )
        )


def real(array: Array) -> Array:
    """The numpy array itself, also while a function is recorded (static/recorded.py)."""
    found: Array = getattr(array, "value", array)
    return found


def _apart(a: Array, b: Array) -> bool:
    """Are these two owners of memory, each of its own? (Lent memory has a base.)"""
    return a is not b and a.base is None and b.base is None


def are_one(a: Array, b: Array) -> bool:
    """Are they the same view of memory, with PyTorch's strides also where they lead nowhere?"""
    return a.shape == b.shape and start(a) == start(b) and strides(a) == strides(b)


def strides(array: Array) -> list[int]:
    """PyTorch's strides, in bytes: numpy's, but for dimensions that ``None`` put in."""
    found = list(array.strides)
    for i in reversed(range(len(found))):
        if array.shape[i] == 1 and not found[i]:
            last = i + 1 == len(found)
            found[i] = array.itemsize if last else array.shape[i + 1] * found[i + 1]
    return found


def strides_at(array: Array, place: Sequence[Any]) -> list[int]:
    """PyTorch's strides of ``array[place]``, where a place has integers, slices, None and ``...``.
    """
    own, found, d = strides(array), list[int](), 0
    used = sum(p is not None and p is not Ellipsis for p in place)
    for p in place:
        if p is None:
            found.append(array.shape[d] * own[d] if d < len(own) else array.itemsize)
        elif p is Ellipsis:
            found += own[d : d + len(own) - used]
            d += len(own) - used
        else:
            if isinstance(p, slice):
                found.append(own[d] * (p.step or 1))
            d += 1
    return found + own[d:]


def is_dense(array: Array) -> bool:
    """Do the elements fill a block of memory, in whatever order of dimensions?"""
    step = array.itemsize
    for s, n in sorted(zip(array.strides, array.shape, strict=True)):
        if n > 1:
            if s != step:
                return False
            step *= n
    return True


def start(array: Array) -> int:
    start: int = array.__array_interface__["data"][0]
    return start


# ---- whose memory it is --------------------------------------------------------------------------
def owner(array: Array) -> Array:
    """The array whose memory ``array`` shows, perhaps itself."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


def offset(array: Array) -> int:
    """Where in its owner's memory the first element lies, in bytes."""
    return start(array) - start(owner(array))


def copied(array: Array, memo: dict[Any, Any]) -> Array:
    """A copy. Arrays that share memory get copies that share memory, if ``memo`` is the same."""
    source = owner(array)
    if type(array) is not np.ndarray or not is_dense(source):
        return array.copy()
    key = ("memory", id(source))
    if key not in memo:
        memo[key] = source, source.copy("K").ravel("K")  # the source, so that its id stays its own
    return np.ndarray(array.shape, array.dtype, memo[key][1], offset(array), array.strides)
