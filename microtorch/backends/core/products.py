"""Products of matrices in C (ext/matmul.c), and from which size on they take the place of numpy's: ``worthwhile``."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import Reference, definition
from .elementwise import as_array
from .library import Kernels, lib, required


def worthwhile(m: int, k: int, n: int) -> bool:
    """Whether C multiplies (m, k) by (k, n) sooner than numpy's BLAS, by measurement (python -m benchmarks products)."""
    return m * k * n >= 4096 and m > 1 and n > 1


class Products(Reference):
    """The kernels that multiply matrices. What C declines (other dtypes, more than two dimensions of batches) is numpy's."""

    def __init__(self, dtype: Any = None):
        super().__init__(dtype)

    def matmul(self, x: Any, y: Any) -> Any:
        if x.ndim == 2 == y.ndim:
            return self._product(x, y, None)
        return definition("matmul")(self, x, y)
