"""Complex numbers as pairs of real ones, on the same memory."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .dtypes import complex_type, real_type

if TYPE_CHECKING:
    from ..base.types import Array


def pairs(x: Array) -> Array:
    """A view of complex ``x`` whose last dimension, of size 2, has the two parts."""
    return x[..., None].view(real_type(x.dtype))


def of_pairs(x: Array) -> Array:
    """A view of real ``x``, whose last dimension has the parts, as complex numbers.

    The parts lie side by side in memory, or it is a copy.
    """
    if type(x) is np.ndarray and x.strides[-1] != x.itemsize:
        x = np.ascontiguousarray(x)
    return x.view(complex_type(x.dtype))[..., 0]
