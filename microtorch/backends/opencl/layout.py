"""Shapes and steps: where the elements of an n-dimensional array lie in memory.

A *step* is how far apart two neighbours along a dimension lie, counted in elements (numpy's strides
count bytes). An array lies *row by row* if its last dimension has step 1 and there are no gaps.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Shape = tuple[int, ...]


def axes_of(axis: int | Sequence[int] | None, ndim: int) -> Shape:
    """Dimensions counted from 0; None: all of them. Raises AxisError for one that is not there."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in axes:
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(a, ndim)
    return tuple(a % ndim for a in axes)


# ---- row by row ----------------------------------------------------------------------------------
def row_major(shape: Sequence[int]) -> Shape:
    """Steps of an array that lies row by row."""
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(step)
        step *= n or 1
    return tuple(reversed(steps))


def is_row_major(shape: Sequence[int], steps: Sequence[int]) -> bool:
    """Does the array lie row by row? Steps of dimensions of size 1 say nothing."""
    step = 1
    for n, s in zip(reversed(shape), reversed(steps), strict=True):
        if n == 0:
            return True
        if n != 1 and s != step:
            return False
        step *= n
    return True


def in_order(shape: Sequence[int], steps: Sequence[int]) -> bool:
    """Do the dimensions lie in memory in their own order, perhaps with gaps?"""
    real = [abs(s) for n, s in zip(shape, steps, strict=True) if n != 1]
    return all(a >= b for a, b in pairwise(real))


# ---- other shapes --------------------------------------------------------------------------------
def expanded_steps(shape: Sequence[int], steps: Sequence[int], target: Sequence[int]) -> Shape:
    """Steps that show an array in shape ``target``: dimensions of size 1 repeat, by steps of 0.

    Raises ValueError where the shapes do not fit.
    """
    extra = len(target) - len(shape)
    sizes = target[extra:] if extra >= 0 else ()
    if extra < 0 or any(n not in (1, want) for n, want in zip(shape, sizes, strict=True)):
        shapes = f"{tuple(shape)} {tuple(target)}"
        raise ValueError(f"operands could not be broadcast together with shapes {shapes}")
    repeated = [s if n == want else 0 for n, s, want in zip(shape, steps, sizes, strict=True)]
    return (0,) * extra + tuple(repeated)


def reshaped_steps(
    shape: Sequence[int], steps: Sequence[int], target: Sequence[int]
) -> Shape | None:
    """Steps that show the same memory in another shape, or None where only a copy can.

    Both shapes are cut into the smallest groups of dimensions with equal products; a group is a
    view if its old dimensions are evenly spaced (numpy's ``attempt_nocopy_reshape``).
    """
    old = [(n, s) for n, s in zip(shape, steps, strict=True) if n != 1]
    out: list[int] = []
    i = j = 0
    while j < len(target):
        if i == len(old):  # only sizes of 1 are left
            out.append(1)
            j += 1
            continue
        first, end, have, want = j, i + 1, old[i][0], target[j]
        j += 1
        while have != want:
            if have < want:
                have *= old[end][0]
                end += 1
            else:
                want *= target[j]
                j += 1
        if any(old[k][1] != old[k + 1][0] * old[k + 1][1] for k in range(i, end - 1)):
            return None
        step = old[end - 1][1]
        part = []
        for n in reversed(target[first:j]):
            part.append(step)
            step *= n
        out += reversed(part)
        i = end
    return tuple(out)


def collapsed(
    shape: Sequence[int], *all_steps: Sequence[int]
) -> tuple[list[int], list[list[int]]]:
    """The fewest dimensions that visit the same elements, with the steps of each operand.

    Sizes of 1 go, and neighbours that lie evenly in all operands become one. The largest steps of
    the first operand come first, so that the order follows its memory.
    """
    order = sorted((d for d, n in enumerate(shape) if n != 1), key=lambda d: -abs(all_steps[0][d]))
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in all_steps]
    for d in order:
        n = shape[d]
        pairs = list(zip(steps, all_steps, strict=True))
        if sizes and all(mine[-1] == n * given[d] for mine, given in pairs):
            sizes[-1] *= n
            for mine, given in pairs:
                mine[-1] = given[d]
        else:
            sizes.append(n)
            for mine, given in pairs:
                mine.append(given[d])
    return sizes, steps
