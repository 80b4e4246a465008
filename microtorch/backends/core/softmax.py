"""Softmax and its logarithm in C (ext/softmax.c), over any one dimension. Other than contiguous arrays are copied first: that is
one pass over memory, and numpy's way takes many."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..reference import Reference, definition

contiguous = np.ascontiguousarray


class Softmax(Reference):
    """``softmax`` and ``log_softmax`` of ops/loss.py, forward and backward."""

    def softmax(self, x: Any, dim: int) -> Any:
        out = self._blocks(self.kernels.softmax, dim, x)
        return definition("softmax")(self, x, dim) if out is None else out

    def softmax_vjp0(self, g: Any, out: Any, x: Any, dim: int) -> Any:
        return self._blocks(self.kernels.softmax_vjp0, dim, g, out)

    def log_softmax(self, x: Any, dim: int) -> Any:
        out = self._blocks(self.kernels.log_softmax, dim, x)
        return definition("log_softmax")(self, x, dim) if out is None else out

    def log_softmax_vjp0(self, g: Any, out: Any, x: Any, dim: int) -> Any:
        return self._blocks(self.kernels.log_softmax_vjp0, dim, g, out)

    def _blocks(self, kernel: Any, dim: int, *read: Any) -> Any:
        """The kernel's result; None where C declines."""
        shape = read[0].shape
        arrays = [contiguous(a) for a in read]
        out = np.empty(shape, self.dtype)
        n = math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])
        return out if kernel(*n, *map(id, arrays), id(out)) else None
