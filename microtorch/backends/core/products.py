"""Products of matrices in C (ext/matmul.c)."""
from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import as_array
from .library import Kernels, required


def matmul_naive(x: Any, y: Any) -> Any:
    """x @ y of two matrices, (m, k) and (k, n), by the three loops of ext/matmul.c.

    To read and to time beside ``np.matmul``. Raises RuntimeError without the C core, ValueError if the shapes do not
    fit, TypeError for a dtype other than float32 and float64.
    """
    required()
    x, y = as_array("matmul_naive", x), as_array("matmul_naive", y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
        raise ValueError(f"matmul_naive takes shapes (m, k) and (k, n), but got {x.shape} and {y.shape}")
    out = np.empty((x.shape[0], y.shape[1]), x.dtype)
    Kernels(x.dtype).matmul_naive(*x.shape, y.shape[1], id(x), id(y), id(out))
    return out
