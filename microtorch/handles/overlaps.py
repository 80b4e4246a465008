"""Does an in-place op read what it writes? By the rules of PyTorch, which compares strides.

What lies in one block of memory, but is not the very elements that are written, is refused. What is
not dense PyTorch does not look into, nor is it here.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.memory_order import expanded_strides, is_dense, start
from ..base import errors
from ..engine.handle import Handle
from ..engine.out import refusing
from .memory import owner

if TYPE_CHECKING:
    from ..base.types import Array


def check_overlap(
    array: Array, others: Iterable[Any], name: str, whole: bool | Handle = False,
    read: Array | None = None,
) -> None:  # fmt: skip
    """Raise RuntimeError if an operand lies partly in memory that is to be overwritten.

    The very elements of ``array``, the target, may be read, unless ``whole``, which may be
    the target itself: to read that is refused even if it has no elements. ``read``: as what
    the operand is read, if it is expanded first.
    """
    array = _real(array)
    for other in others:
        if not isinstance(other, Handle):
            continue
        source = _real(other.array if read is None else read)
        if type(source) is not np.ndarray or type(array) is not np.ndarray:
            continue
        if other is not whole:
            if _apart(owner(array), owner(source)) or not np.may_share_memory(array, source):
                continue
        same = source is array or source.strides == array.strides
        if whole is False and same and are_one(source, array):
            continue
        if other is not whole and not (
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


refusing.append(check_overlap)


def _real(array: Array) -> Array:
    """The numpy array itself, also while a function is recorded (static/recorded.py)."""
    real: Array = getattr(array, "value", array)
    return real


def plain_array(array: Array) -> Array:
    """Likewise, if it has the array's shape: not the value of a batch (kinds/batched.py)."""
    real = _real(array)
    return real if type(real) is np.ndarray and real.shape == array.shape else array


def recorded_array(array: Array) -> Array:
    """The numpy array of plain numbers that it is, or stands for while a function is recorded; of
    kinds of numbers (kinds/), whose elements are more than that, the argument itself."""
    return array if hasattr(array, "level") else plain_array(array)


def _apart(a: Array, b: Array) -> bool:
    """Are these two owners of memory, each of its own? (Lent memory has a base.)"""
    return a is not b and a.base is None and b.base is None


def are_one(a: Array, b: Array) -> bool:
    """Are they the same view of memory? (Strides of dimensions of one element are numpy's.)"""
    if a.shape != b.shape or start(a) != start(b):
        return False
    return a.size == 1 or all(
        s == t or n == 1 for n, s, t in zip(a.shape, a.strides, b.strides, strict=True)
    )


def strides_at(array: Array, place: Sequence[Any]) -> list[int]:
    """The strides of ``array[place]``, where a place has integers, slices, None and ``...``."""
    found: list[int] = []
    own, d = array.strides, 0
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
    return [*found, *own[d:]]


def same_elements(a: Array, b: Array) -> bool:
    """Do both show the same elements, in the same order?"""
    a, b = plain_array(a), plain_array(b)
    known = type(a) is np.ndarray and type(b) is np.ndarray
    return known and a.dtype == b.dtype and are_one(a, b)


def is_region(source: Array, whole: Array, place: Sequence[Any], region: Array) -> bool:
    """Is ``source`` what ``region``, which is ``whole[place]``, shows?"""
    a, source = plain_array(region), plain_array(source)
    if type(a) is not np.ndarray or type(source) is not np.ndarray:
        a, source = _real(a), _real(source)  # of numbers of another kind
        same = type(a) is np.ndarray and type(source) is np.ndarray and a.dtype == source.dtype
        return a is source or (same and are_one(a, source))
    if _apart(owner(a), owner(source)):  # sooner than to ask where they begin
        return False
    if a.dtype != source.dtype or start(a) != start(source):
        return False
    own = strides_at(plain_array(whole), place)
    return a.strides == source.strides or own == list(source.strides)


def expanded(array: Array, shape: tuple[int, ...]) -> Array | None:
    """``array``, without leading dimensions of 1 expanded to ``shape``; None if it does not fit.

    With PyTorch's strides, by which overlaps are found.
    """
    if array.shape == shape:
        return array
    ones = next((i for i, n in enumerate(array.shape) if n != 1), array.ndim)
    sizes = array.shape[ones:]
    try:
        fits = np.broadcast_shapes(shape, sizes) == shape
    except ValueError:
        fits = False
    if not fits:
        return None
    if type(array) is not np.ndarray:
        return array
    found = expanded_strides(sizes, array.strides[ones:], shape)
    return np.lib.stride_tricks.as_strided(array, shape, found, writeable=False)
