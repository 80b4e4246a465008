"""Powers of a matrix, and products of several."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..engine.record import constant
from .checks import square
from .solving import inv

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A multiplied n times with itself; for a negative n, the inverse."""
    square("matrix_power", A)
    if n < 0:
        return matrix_power(inv(A), -n)
    identity = np.eye(A.array.shape[-1], dtype=A.array.dtype)
    out = constant(np.broadcast_to(identity, A.array.shape).copy())
    while n:  # by squares: 2 log2(n) products
        if n % 2:
            out = out @ A
        n //= 2
        A = A @ A if n else A
    return out


def multi_dot(tensors: Iterable[Tensor]) -> Tensor:
    """The matrix product of several tensors, from left to right."""
    out, *rest = tensors
    for t in rest:
        out = out @ t
    return out
