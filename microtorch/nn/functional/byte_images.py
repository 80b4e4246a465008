"""Images of bytes made larger or smaller, in whole numbers, as Pillow does it, and PyTorch.

The weights become numbers of 16 bits, all times the same power of two. Each dimension is a pass of
its own, the last one first, and rounds to bytes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Numbers: TypeAlias = "np.ndarray[Any, Any]"
MOST_BITS = 22


def resampled(x: Numbers, dim: int, first: Numbers, weights: Numbers) -> Numbers:
    """`x` of bytes along `dim`: output i is the sum of weights[i] from the element first[i] on."""
    bits = _bits(weights)
    whole = np.trunc(weights * (1 << bits) + np.copysign(0.5, weights)).astype(np.int32)
    after = (1,) * (x.ndim - 1 - dim)
    total: Any = np.int32(1 << (bits - 1))
    last = x.shape[dim] - 1
    for k in range(whole.shape[1]):
        taken = x.take(np.minimum(first + k, last), axis=dim).astype(np.int32)
        total = total + taken * whole[:, k].reshape(-1, *after)
    return (total >> bits).clip(0, 255).astype(np.uint8)


def _bits(weights: Numbers) -> int:
    """The power of two with which the largest weight just fits into 16 bits."""
    largest = max(float(weights.max()), 0.0)
    fits = [b for b in range(MOST_BITS) if int(0.5 + largest * (1 << (b + 1))) >= 1 << 15]
    return fits[0] if fits else MOST_BITS


def of_table(table: Numbers) -> tuple[Numbers, Numbers]:
    """(the first element, the weights from it on) of weights (outputs, inputs)."""
    seen = table != 0
    first = seen.argmax(1)
    width = int((table.shape[1] - seen[:, ::-1].argmax(1) - first).max())
    places = np.minimum(first[:, None] + np.arange(width), table.shape[1] - 1)
    inside = first[:, None] + np.arange(width) < table.shape[1]
    return first, np.where(inside, np.take_along_axis(table, places, 1), 0.0)


def of_taps(taps: list[tuple[Numbers, Numbers]], n: int) -> tuple[Numbers, Numbers]:
    """The same of taps of n inputs: one (index, weight) for the first of each output, and so on."""
    table = np.zeros((len(taps[0][0]), n))
    for index, weight in taps:
        np.add.at(table, (np.arange(len(index)), index), weight)
    return of_table(table)
