"""Sums, means and extremes in C (ext/reduce.c): of contiguous arrays, over any dimensions."""
from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..reference import Reference
from ..table import definition
from ..variances import FEW, shows_rounding
from .library import calls, kernel_of

if TYPE_CHECKING:
    from ...base.types import Array, Dims, Kernel, Shape

    Step: TypeAlias = tuple[int, int, int, Shape]  # outer, n, inner, and the shape of the result


@lru_cache(1024)
def blocks(shape: Shape, dim: int) -> tuple[int, int, int]:
    """How many elements lie before, along and after a dimension."""
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


MANY = 1 << 12  # elements of which numpy's passes take longer than the calls here


class Reductions(Reference):
    """The reductions of ops/reduce.py."""

    @kernel_of
    def sum(self) -> Kernel:
        loop, dtype, empty = self.kernels.sum, self.dtype, np.empty

        def sum(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
            if dim is None and not keepdim:  # without the plan: half of the time of a small sum
                out = empty((), dtype)
                if loop(1, x.size, 1, 1.0, x, out):
                    return out
            out = x
            # as _reduced does, without its call
            for outer, n, inner, shape in runs(x.shape, dim, keepdim)[0]:
                part, out = out, empty(shape, dtype)
                if not loop(outer, n, inner, 1.0, part, out):
                    return self.turned("sum", x, dim, keepdim)
            return out

        return sum

    @calls("sum")
    def mean(self, x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
        steps, count = runs(x.shape, dim, keepdim)
        partial = self._reduced(self.kernels.sum, x, steps[:-1], 1.0)
        out = self._reduced(self.kernels.sum, partial, steps[-1:], count or math.nan)
        return self.turned("mean", x, dim, keepdim) if out is None else out

    @kernel_of
    def amax(self) -> Kernel:
        return self._extreme("amax", self.kernels.amax)

    @kernel_of
    def amin(self) -> Kernel:
        return self._extreme("amin", self.kernels.amin)

    def _extreme(self, name: str, loop: Kernel) -> Kernel:
        dtype, empty = self.dtype, np.empty

        def extreme(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
            if dim is None and not keepdim and x.size:  # without the plan, as in sum
                whole = empty((), dtype)
                if loop(1, x.size, 1, x, whole):
                    return whole
            steps, count = runs(x.shape, dim, keepdim)
            out = self._reduced(loop, x, steps) if count else None
            return self.turned(name, x, dim, keepdim) if out is None else out

        return extreme

    @calls("moments")
    def deviations(self, x: Array, dim: Dims) -> tuple[Array, Array]:
        steps, n = runs(x.shape, dim, True)
        outer, _, inner, shape = steps[-1]
        whole = len(steps) == 1 and x.flags.c_contiguous and 0 < n * outer * inner == x.size
        if not whole or min(outer, inner) > 1:
            return definition("deviations")(self, x, dim)
        parts = 1  # a long row is cut into as many equal ones, for the threads
        while inner == 1 and parts < 32 and n % (2 * parts) == 0 and n > 4096 * parts:
            parts *= 2
        mean = np.empty((outer * inner, parts), self.dtype)
        var = np.empty_like(mean)
        sizes = (n, inner, 1) if inner > 1 else (1, outer * parts, n // parts)
        if not self.kernels.moments(*sizes, x, mean, var):
            return definition("deviations")(self, x, dim)
        if parts == 1:
            var *= n
            return mean.reshape(shape), var.reshape(shape)
        # of parts of one size: their own deviations, and those of their means (Chan et al. 1983)
        middle = mean.mean(1, dtype=np.float64)
        apart = np.square(mean - middle[:, None]).sum(1) * (n // parts)
        total = var.sum(1, dtype=np.float64) * (n // parts) + apart
        return middle.astype(self.dtype).reshape(shape), total.astype(self.dtype).reshape(shape)

    @calls("moments")
    def var(self, x: Array, dim: Dims, correction: float, keepdim: bool) -> Array:
        out = self._small_var(x, dim, correction, keepdim) if x.size <= MANY else None
        return definition("var")(self, x, dim, correction, keepdim) if out is None else out

    def _small_var(self, x: Array, dim: Dims, correction: float, keepdim: bool) -> Array | None:
        """The variance of few results, in one pass; None where that is not all there is to it."""
        plan = _few_rows(x.shape, dim, keepdim)
        if plan is None or plan[1] <= correction:
            return None
        sizes, n, shape = plan
        out, mean = np.empty(shape, self.dtype), np.empty(shape, self.dtype)
        if not x.flags.c_contiguous or not self.kernels.moments(*sizes, x, mean, out):
            return None
        if shows_rounding(out, mean, n):  # the definition looks whether all elements are equal
            return None
        out *= n / (n - correction)
        return out

    def prod(self, x: Array, dim: int, keepdim: bool) -> Array:
        steps, count = runs(x.shape, dim, keepdim)
        out = self._reduced(self.kernels.prod, x, steps) if count and x.ndim else None
        return self.turned("prod", x, dim, keepdim) if out is None else out

    def prod_vjp0(
        self, g: Array, out: Array, x: Array, dim: int, keepdim: bool
    ) -> Array | None:
        if not x.size:
            return None
        g, x = np.ascontiguousarray(g), np.ascontiguousarray(x)
        grad = np.empty(x.shape, self.dtype)
        done = self.kernels.prod_vjp0(*blocks(x.shape, dim), g, x, grad)
        return grad if done else None

    @calls("amax", "sub", "exp", "sum", "log")
    def logsumexp(self, x: Array, dim: Dims, keepdim: bool) -> Array:
        if x.size < MANY:
            return definition("logsumexp")(self, x, dim, keepdim)
        top = self.amax(x, dim, True)
        if not np.isfinite(top).all():
            return definition("logsumexp")(self, x, dim, keepdim)
        total = self.sum(self.exp(self.sub(x, top)), dim, True)
        out = np.log(total) + top
        return out if keepdim else out.reshape(runs(x.shape, dim, False)[0][-1][3])

    @kernel_of
    @calls("sum_vjp0")
    def spread(self) -> Kernel:
        loop, dtype, empty = self.kernels.sum_vjp0, self.dtype, np.empty

        def spread(g: Array, shape: Shape, dim: Dims, divisor: float) -> Array:
            if dim is None:  # without the plan, as in sum
                out = empty(shape, dtype)
                if loop(1, out.size, 1, divisor, g, out):
                    return out
            steps, left, out = runs(shape, dim, False)[0], divisor, g
            for i in reversed(range(len(steps))):  # the reduction's, backwards; the first divides
                outer, n, inner, _ = steps[i]
                part, out = out, empty(shape if i == 0 else outer * n * inner, dtype)
                if not loop(outer, n, inner, left, part, out):
                    return definition("spread")(self, g, shape, dim, divisor)
                left = 1.0
            return out

        return spread

    def turned(self, name: str, x: Array, dim: Dims, keepdim: bool) -> Array:
        """A reduction that C declined: of an array in another order of dimensions, in that order;
        else the definition's.
        """
        if not x.size or x.flags.c_contiguous:
            return definition(name)(self, x, dim, keepdim)
        order, back, dims = order_of(x.strides, dim)
        flat = x.transpose(order)
        if not flat.flags.c_contiguous:
            return definition(name)(self, x, dim, keepdim)
        out = getattr(self, name)(flat, dims[0] if name == "prod" else dims, True)
        out = np.ascontiguousarray(out.transpose(back))
        return out if keepdim else out.reshape(runs(x.shape, dim, False)[0][-1][3])

    def _reduced(
        self, kernel: Kernel, x: Array | None, steps: Iterable[Step], *divisor: float
    ) -> Array | None:
        """``x`` after ``steps``; None where C declines, as it does where ``x`` is None."""
        for outer, n, inner, shape in steps:
            out = np.empty(shape, self.dtype)
            if not kernel(outer, n, inner, *divisor, x, out):
                return None
            x = out
        return x


@lru_cache(maxsize=1024)
def order_of(strides: Shape, dim: Dims) -> tuple[Shape, Shape, Shape]:
    """The dimensions from the one that goes on furthest, where each of them stands then, and where
    those of ``dim`` stand.
    """
    every = range(len(strides))
    order = tuple(sorted(every, key=lambda d: -strides[d]))
    back = tuple([order.index(d) for d in every])
    over = every if dim is None else [dim] if isinstance(dim, int) else dim
    return order, back, tuple([back[d] for d in over])


@lru_cache(maxsize=1024)
def _few_rows(
    shape: Shape, dim: Dims, keepdim: bool
) -> tuple[tuple[int, int, int], int, Shape] | None:
    """The sizes that ``moments`` takes, the elements of one variance, and the shape of the result.

    None unless it is one run of dimensions, in rows or in columns, of few results.
    """
    steps, n = runs(shape, dim, keepdim)
    outer, _, inner, result = steps[0]
    if len(steps) > 1 or outer * inner > FEW or min(outer, inner) != 1:
        return None
    return ((n, inner, 1) if inner > 1 else (1, outer, n)), n, result


@lru_cache(maxsize=1024)
def runs(shape: Shape, dim: Dims, keepdim: bool) -> tuple[tuple[Step, ...], int]:
    """How to reduce ``shape`` over ``dim``, and how many elements go into one of the result.

    There is one step per run of neighbouring dimensions, the last run first, each on the result of
    the one before: (outer, n, inner, shape of the result).

    >>> runs((64, 3, 28, 28), (0, 2, 3), False)
    (((192, 784, 1, (192,)), (1, 64, 3, (3,))), 50176)
    """
    dims = range(len(shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    places = {d % len(shape) for d in dims}
    steps, left, end = [], list(shape), len(shape)
    while end > 0:
        begin = end
        while begin > 0 and begin - 1 in places:
            begin -= 1
        if begin < end:
            outer, inner = math.prod(shape[:begin]), math.prod(left[end:])
            steps.append((outer, math.prod(shape[begin:end]), inner, (outer * inner,)))
            left[begin:end] = [1] * (end - begin)
        end = min(begin, end - 1)
    kept = [i for i in range(len(shape)) if keepdim or i not in places]
    result = tuple([1 if i in places else shape[i] for i in kept])
    outer, n, inner, _ = steps.pop() if steps else (1, 1, math.prod(shape), None)
    return (*steps, (outer, n, inner, result)), math.prod([shape[d] for d in places])
