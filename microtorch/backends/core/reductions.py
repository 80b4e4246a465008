"""Sums, means and extremes in C (ext/reduce.c): of contiguous arrays, over any dimensions."""
from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ..reference import Reference, definition


class Reductions(Reference):
    """The reductions of ops/reduce.py."""

    def sum(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        out = self._reduced(self.kernels.sum, x, dim, keepdim, 1.0)
        return definition("sum")(self, x, dim, keepdim) if out is None else out

    def mean(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        out = self._reduced(self.kernels.sum, x, dim, keepdim, None)
        return definition("mean")(self, x, dim, keepdim) if out is None else out

    def amax(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        out = self._reduced(self.kernels.amax, x, dim, keepdim) if x.size else None
        return definition("amax")(self, x, dim, keepdim) if out is None else out

    def amin(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        out = self._reduced(self.kernels.amin, x, dim, keepdim) if x.size else None
        return definition("amin")(self, x, dim, keepdim) if out is None else out

    def _reduced(self, kernel: Any, x: Any, dim: Any, keepdim: bool, *divisor: float | None) -> Any:
        """The result; None where C declines. ``divisor``: of a sum; None stands for the number of elements in it."""
        dtype = self.dtype
        if dim is None and not keepdim:  # without the table: a third of the time of a small sum
            out, n = np.empty((), dtype), x.size
            return out if kernel(1, n, 1, *((d or n or math.nan) for d in divisor), id(x), id(out)) else None
        steps, shape, count = runs(x.shape, dim, keepdim)
        for k, (outer, n, inner) in enumerate(steps, 1):
            last = k == len(steps)
            out = np.empty(shape if last else outer * inner, dtype)
            if not kernel(outer, n, inner, *((d or count or math.nan) if last else 1.0 for d in divisor), id(x), id(out)):
                return None
            x = out
        return out


@lru_cache(maxsize=1024)
def runs(shape: tuple[int, ...], dim: Any, keepdim: bool) -> tuple[Any, tuple[int, ...], int]:
    """How to reduce ``shape`` over ``dim``: per run of neighbouring dimensions (outer, n, inner), the last run first, each to be
    done on the result of the one before; the shape of the result; and how many elements go into each of it.

    >>> runs((64, 3, 28, 28), (0, 2, 3), False)
    (((192, 784, 1), (1, 64, 3)), (3,), 50176)
    """
    reduced = range(len(shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    places = {d % len(shape) for d in reduced} if shape else set()
    steps, left, end = [], list(shape), len(shape)
    while end > 0:
        begin = end
        while begin > 0 and begin - 1 in places:
            begin -= 1
        if begin < end:
            steps.append((math.prod(shape[:begin]), math.prod(shape[begin:end]), math.prod(left[end:])))
            left[begin:end] = [1] * (end - begin)
        end = min(begin, end - 1)
    out = tuple([1 if i in places else n for i, n in enumerate(shape) if keepdim or i not in places])
    return tuple(steps) or ((1, 1, math.prod(shape)),), out, math.prod([shape[d] for d in places])
