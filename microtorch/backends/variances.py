"""When a variance is what its mean was rounded by: of equal elements it is 0, as PyTorch's."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays.dtypes import F32, F64

if TYPE_CHECKING:
    from ..base.types import Array

FEW = 16
ROUNDING = {F32: 2.0**-23, F64: 2.0**-52}


def shows_rounding(spread: Array, mean: Array, n: int, times: int = 1) -> bool:
    """May a variance, times ``times``, of ``n`` elements be no more than its mean's rounding?"""
    limit = times * (min(n, 1000) * ROUNDING[spread.dtype]) ** 2
    if spread.size <= FEW:  # lists take a third of the time
        both = zip(spread.ravel().tolist(), mean.ravel().tolist(), strict=True)
        return any([v <= (a := abs(m)) * a * limit for v, m in both])
    return bool(np.count_nonzero(spread <= squares(mean) * limit))  # sooner than any()


def squares(x: Array) -> Array:
    """|x|²."""
    return x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x
