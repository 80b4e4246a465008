"""Products of matrices in C (ext/matmul.c)."""
from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..reference import Reference
from ..table import definition
from .choice import FEW, LEAST, fills_tiles, worthwhile
from .elementwise import as_array
from .library import Kernels, calls, kernel_of, required

if TYPE_CHECKING:
    from ...base.types import Array, Kernel

FEW_PRODUCTS = 4  # of small matrices: numpy's call takes 0.5 us more, C 0.1 us more for each


class Products(Reference):
    """The ops that multiply matrices; numpy takes other dtypes and a third batch dimension."""

    @kernel_of
    def matmul(self) -> Kernel:
        multiply, dtype, empty = self.kernels.matmul, self.dtype, np.empty
        product, batches = np.matmul, self._batches

        def matmul(x: Array, y: Array) -> Array:
            if x.ndim == 2 == y.ndim:
                if x.size >= LEAST <= y.size:
                    (m, k), n = x.shape, y.shape[1]
                    if worthwhile(m, k, n):
                        out = empty((m, n), dtype)
                        if multiply(1, 1, m, k, n, x, y, None, out):
                            return out
                return x.dot(y)  # np.dot would cost as much again to call
            if x.size >= LEAST <= y.size and x.ndim > 1 < y.ndim:
                return batches(x, y)
            if x.ndim == 3 == y.ndim and x.size and len(x) == len(y) <= FEW_PRODUCTS:
                (b, m, k), n = x.shape, y.shape[2]
                out = empty((b, m, n), dtype)
                if multiply(1, b, m, k, n, x, y, None, out):
                    return out
            # as the op's definition does
            return x.dot(y) if 0 < x.ndim < 3 > y.ndim > 0 else product(x, y, order="C")

        return matmul

    def _batches(self, x: Array, y: Array) -> Array:
        (*batch_x, m, k), (*batch_y, _, n) = x.shape, y.shape
        batch = np.broadcast_shapes(batch_x, batch_y)
        if len(batch) <= 2 and worthwhile(m * prod(batch), k, n):
            outer, inner = (1, 1, *batch)[-2:]
            out = np.empty((*batch, m, n), self.dtype)
            if self.kernels.matmul(outer, inner, m, k, n, x, y, None, out):
                return out
        return np.matmul(x, y, order="C")

    @kernel_of
    @calls("matmul")
    def linear(self) -> Kernel:
        multiply, dtype, empty, add = self.kernels.matmul, self.dtype, np.empty, np.add

        def linear(x: Array, w: Array, b: Array | None = None) -> Array:
            if w.ndim == 2 and x.ndim > 1:
                n, k = w.shape
                rows = x if x.ndim == 2 else x.reshape(-1, k) if x.shape[-1] == k and k else None
                if rows is not None and (b is None or b.shape == (n,)):
                    m, columns = rows.shape[0], w.T
                    out: Array | None = None
                    if (
                        x.size >= LEAST <= w.size and worthwhile(m, k, n) if b is None
                        else m * k * n < FEW or fills_tiles(m, n)
                    ):  # fmt: skip
                        out = empty((m, n), dtype)
                        if not multiply(1, 1, m, k, n, rows, columns, b, out):
                            out = None
                    if out is None:
                        out = rows.dot(columns)
                        if b is not None:
                            add(out, b, out)
                    return out if rows is x else out.reshape((*x.shape[:-1], n))
            return definition("linear")(self, x, w, b)

        return linear


STEPS = ("ijp", "naive", "blocked", "tiled")  # from the definition to ext/matmul.c: docs/c-core.md


def matmul_step(step: str, x: Array, y: Array) -> Array:
    """x @ y of two matrices, (m, k) and (k, n), by one of ``STEPS``, to read and to time beside
    ``np.matmul``.

    Raises RuntimeError without the C core, ValueError for another step or if the shapes do not fit,
    TypeError for a dtype other than float32 and float64.
    """
    required()
    if step not in STEPS:
        raise ValueError(f"no step '{step}'; there are: {', '.join(STEPS)}")
    x, y = as_array(f"matmul_{step}", x), as_array(f"matmul_{step}", y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
        raise ValueError(
            f"matmul_{step} takes shapes (m, k) and (k, n), but got {x.shape} and {y.shape}"
        )
    if x.dtype != y.dtype:
        raise TypeError(f"matmul_{step} takes arrays of one dtype, but got {x.dtype} and {y.dtype}")
    out = np.empty((x.shape[0], y.shape[1]), x.dtype)
    getattr(Kernels(x.dtype), f"matmul_{step}")(*x.shape, y.shape[1], x, y, out)
    return out


def matmul_naive(x: Array, y: Array) -> Array:
    """x @ y by three loops: ``matmul_step("naive", x, y)``."""
    return matmul_step("naive", x, y)
