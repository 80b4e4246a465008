"""The order of the elements of an array: stable, with NaN as the largest, as PyTorch has it.

The kernels of ops/order.py, which makes functions of Tensors of them.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays.dtypes import F64
from ..arrays.quiet import quiet
from ..backends import cpu, defines
from .arguments import rows

if TYPE_CHECKING:
    from ..base.types import Array, Namespace

FEW = 64  # elements that are ordered as fast as one of them is found


def order(x: Array, d: int, descending: bool = False) -> Array:
    """Stable order along ``d``; NaN counts as the largest, as in PyTorch."""
    if type(x) is not np.ndarray or x.dtype.kind != "f":
        return row_order_of(comparable(x), d, descending)
    found: Array = cpu.of(x.dtype).row_order(last(x, d), descending)
    return from_last(found, d)


def last(x: Array, d: int) -> Array:
    """``x`` with dimension ``d`` as its last one; np.moveaxis takes 3 us to find out that it is."""
    return x if d == x.ndim - 1 else np.moveaxis(x, d, -1)


def from_last(x: Array, d: int) -> Array:
    """The inverse of ``last``."""
    return x if d == x.ndim - 1 else np.moveaxis(x, -1, d)


def row_order_of(x: Array, d: int, descending: bool) -> Array:
    key = sort_key(x) if x.shape[d] > 16 else None
    if key is not None:
        return from_last(cpu.of(F64).key_order(last(~key if descending else key, d)), d)
    if not descending:
        return np.argsort(x, d, kind="stable")
    return x.shape[d] - 1 - np.flip(np.argsort(np.flip(x, d), d, kind="stable"), d)


@defines
def row_order(F: Namespace, x: Array, descending: bool) -> Array:
    """The stable order of floating numbers along the last dimension; NaN is the largest."""
    return row_order_of(x, x.ndim - 1, descending)


def comparable(x: Array) -> Array:
    """``x``, but bfloat16 as float32: numpy may put a NaN of bfloat16 anywhere."""
    return x.astype(np.float32) if x.dtype.kind == "V" else x


def sort_key(x: Array) -> Array | None:
    """int64 numbers in the order of ``x``, in which NaN is the largest; None where there are none.

    The bits of positive floats are in their order; those of negative ones are turned around.
    """
    if type(x) is not np.ndarray or x.dtype.kind not in "biufV" or x.dtype == np.uint64:
        return None
    if x.dtype.kind not in "fV":
        return x.astype(np.int64, copy=False)
    wide = x.dtype == np.float64
    integer, most = (np.int64, 2**63 - 1) if wide else (np.int32, 2**31 - 1)
    bits = (x.astype(np.float64 if wide else np.float32, copy=False) + 0).view(integer)  # -0 is 0
    key = bits ^ (bits >> (63 if wide else 31) & most)
    key[x != x] = most
    return key.astype(np.int64, copy=False)


@defines
def key_order(F: Namespace, keys: Array) -> Array:
    """The stable order of int64 keys along the last dimension."""
    return np.argsort(keys, -1, kind="stable")


def ranked(x: Array, k: int, d: int) -> Array:
    """The index of the k-th smallest element (from 0) along ``d``, which keeps its dimension."""
    if type(x) is np.ndarray and x.dtype.kind == "f" and x.shape[d] > FEW:
        index: Array = cpu.of(x.dtype).nth(last(x, d), k)
        return np.expand_dims(index, d)
    return np.take(order(x, d), [k], d)


@defines
def nth(F: Namespace, x: Array, k: int) -> Array:
    """The index of the k-th smallest element (from 0) along the last dimension; of equal ones, that
    of the one that a stable order would have there. NaN is the largest.
    """
    if x.ndim > 1 or len(x) < 1000:
        return row_order_of(x, x.ndim - 1, False)[..., k]
    value = np.partition(x, k)[k]
    if value != value:
        return np.flatnonzero(x != x)[k - np.count_nonzero(x == x)]
    return np.flatnonzero(x == value)[k - np.count_nonzero(x < value)]


@defines
@quiet
def best(F: Namespace, x: Array, k: int, largest: bool) -> Array:
    """Where the ``k`` largest (smallest) elements of each row lie, in order."""
    if not 0 < k < x.shape[-1] // 8:  # to choose first pays only where few are sorted afterwards
        return rows(order(x, x.ndim - 1, largest)[..., :k])
    x = comparable(x)
    chosen = chosen_of(x, k, largest) if x.ndim == 1 and type(x) is np.ndarray else None
    if chosen is None:
        n = x.shape[-1]
        kth, taken = (n - k, np.arange(n - k, n)) if largest else (k - 1, np.arange(k))
        chosen = np.sort(np.take(np.argpartition(x, kth), taken, -1))
    ranks = order(np.take_along_axis(x, chosen, -1), chosen.ndim - 1, largest)
    return np.take_along_axis(chosen, ranks, -1)


def chosen_of(x: Array, k: int, largest: bool) -> Array | None:
    """Where the k largest (smallest) elements lie; None if the last of them is NaN.

    To find that element, and then those beyond it, is faster than to partition their indices. And
    of few in many, none is worse than the k-th best of the best in each 64 elements.
    """
    if len(x) > 256 * k:
        peaks = x[: len(x) & ~63].reshape(-1, 64)
        peaks = peaks.max(1) if largest else peaks.min(1)
        place = len(peaks) - k if largest else k - 1
        bound = np.partition(peaks, place)[place]
        candidates = np.flatnonzero(x >= bound if largest else x <= bound)
        if bound == bound and len(candidates) < len(x) // 8 and not np.isnan(x).any():
            chosen = chosen_of(x[candidates], k, largest)
            return None if chosen is None else candidates[chosen]
    kth = len(x) - k if largest else k - 1
    last = np.partition(x, kth)[kth]
    if last != last:
        return None
    beyond = np.flatnonzero(~(x <= last) if largest else x < last)  # NaN is larger than all
    equal = np.flatnonzero(x == last)[: k - len(beyond)]
    return np.sort(np.concatenate((beyond, equal)))
