"""When a variance is what its mean was rounded by: of equal elements it is 0, as PyTorch's."""
from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.dtypes import F32, F64

if TYPE_CHECKING:
    from ..base.types import Array, DType

FEW = 16
ROUNDING = {F32: 2.0**-23, F64: 2.0**-52}


def shows_rounding(spread: Array, mean: Array, n: int, times: int = 1) -> bool:
    """May a variance, times ``times``, of ``n`` elements be no more than its mean's rounding?"""
    limit = _limit(spread.dtype, n, times)
    if spread.size <= FEW:  # lists take a quarter of the time
        if spread.ndim != 1:
            spread, mean = spread.ravel(), mean.ravel()
        for v, m in zip(spread.tolist(), mean.tolist(), strict=True):
            if v <= (a := abs(m)) * a * limit:
                return True
        return False
    return bool(np.count_nonzero(spread <= squares(mean) * limit))  # sooner than any()


@lru_cache(1024)
def _limit(dtype: DType, n: int, times: int) -> float:
    """Of a variance beside the square of its mean."""
    return times * (min(n, 1000) * ROUNDING[dtype]) ** 2


def squares(x: Array) -> Array:
    """|x|²."""
    return x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x
