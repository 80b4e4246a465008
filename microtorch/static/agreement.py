"""Is what C computed what the steps computed? The compiler is not trusted.

Two ways to compute the same numbers differ by rounding. Mostly that is a few digits of the last
place (``close``). But a program may make much of little: where a gradient is nothing but rounding,
as that of the bias of attention's keys is, whose true value is 0, Adam divides it by its own size,
and the weight moves by the whole learning rate, up or down. So where the results differ, the steps
are asked how far they move themselves if the last digits of their inputs change (``as_unsteady``).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..base.types import Array

TRIALS = 4


def close(a: Array, b: Array, largest: float = 0.0, single: bool = False) -> bool:
    """Are they equal but for rounding? Bools and integers: equal.

    ``largest``: the largest number around; where numbers of its size cancel, its last digit is all
    that can be right. ``single``: do float32 numbers lead to them?
    """
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    single = single or a.dtype.itemsize == 4
    rtol = 1e-4 if single else 1e-10
    digit = 4 * float(np.finfo(np.float32 if single else np.float64).eps) * largest
    return np.allclose(a, b, rtol=rtol, atol=max(rtol * 0.1 * size_of(b), digit, 1e-30),
                       equal_nan=True)  # fmt: skip


def size_of(x: Array) -> float:
    """The largest finite number in an array."""
    if x.dtype.kind != "f":
        return 0.0
    finite = np.abs(x[np.isfinite(x)])
    return float(finite.max()) if finite.size else 0.0


def alike(found: Sequence[Array], wanted: Sequence[Array], given: Sequence[Array]) -> bool:
    """Are the results equal but for rounding? ``given``: what they were computed from."""
    return all(agreements(found, wanted, given))


def agreements(
    found: Sequence[Array], wanted: Sequence[Array], given: Sequence[Array]
) -> list[bool]:
    """The same of each of the results."""
    largest = max(map(size_of, [*given, *wanted]), default=0.0)
    single = any(x.dtype == np.float32 for x in [*given, *wanted])
    return [close(a, b, largest, single) for a, b in zip(found, wanted, strict=True)]


def as_unsteady(
    found: Sequence[Array], wanted: Sequence[Array], given: Sequence[Array],
    again: Callable[[Sequence[Array]], Sequence[Array]],
) -> bool:  # fmt: skip
    """Are the results no farther apart than ``again`` moves them, for inputs a digit smaller?

    ``again(copies of given)`` must first give what is wanted, to the bit.
    """
    random = np.random.default_rng(0)
    moved = [0.0] * len(wanted)
    for trial in range(1 + TRIALS):
        copies = [x.copy("K") for x in given]
        for x in copies if trial else ():
            if x.dtype.kind == "f":  # nearer to 0, so that what is at most 1 stays so
                x -= x * (np.finfo(x.dtype).eps * random.integers(0, 2, x.shape)).astype(x.dtype)
        try:
            now = again(copies)
        except Exception:  # a condition that these numbers do not fulfil
            return False
        if not trial and any(x.tobytes() != y.tobytes() for x, y in zip(now, wanted, strict=True)):
            return False
        moved = [max(m, distance(x, y)) for m, x, y in zip(moved, now, wanted, strict=True)]
    return all(
        right or distance(a, b) <= 2 * m
        for a, b, m, right in zip(found, wanted, moved, agreements(found, wanted, given),
                                  strict=True)
    )  # fmt: skip


def distance(a: Array, b: Array) -> float:
    """How far apart two arrays are at most; infinite where one has a number that is not finite."""
    if a.dtype.kind != "f":
        return 0.0 if np.array_equal(a, b) else np.inf
    same = (a == b) | ((a != a) & (b != b))
    with np.errstate(all="ignore"):
        apart = np.abs(np.subtract(a, b, dtype=np.float64))[~same]
    if not apart.size:
        return 0.0
    return float(apart.max()) if np.isfinite(apart).all() else np.inf
