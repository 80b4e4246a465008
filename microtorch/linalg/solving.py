"""Inverses and linear systems. With B = A⁻¹ and the upstream gradient G,

    inv      −Bᵀ G Bᵀ
    solve    for b: V = Bᵀ G, the solution of a system with Aᵀ; for A: −V xᵀ
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from ..base.errors import describe, message
from . import results
from .checks import as_tensor, by_numpy, square, without_derivative

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..handles.tensor import Tensor


class _Inv(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> Tensor:
        B = as_tensor(by_numpy("inv", np.linalg.inv, A))
        ctx.save_for_backward(B)
        return B

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        (B,) = ctx.saved_tensors
        return -(B.mT @ g @ B.mT)


def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices (..., n, n). Raises LinAlgError if one is singular."""
    square("inv", A)
    return _Inv.apply(A)


class _Solve(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, b: Tensor) -> Tensor:
        x = as_tensor(by_numpy("solve", np.linalg.solve, A, b))
        ctx.save_for_backward(A, x)
        return x

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, Tensor]:
        A, x = ctx.saved_tensors
        v = _Solve.apply(A.mT, g)
        return -(v @ x.mT), v


def solve(A: Tensor, B: Tensor) -> Tensor:
    """The x with A x = B, where A is (..., n, n) and B is (..., n, k) or (n,)."""
    square("solve", A)
    if B.array.ndim == 1:
        return _Solve.apply(A, B.unsqueeze(-1)).squeeze(-1)
    if A.array.shape[-1] != B.array.shape[-2]:
        raise RuntimeError(
            message(
                "linalg.solve: Incompatible shapes of A and B for the equation AX = B",
                describe(A),
                describe(B),
            )
        )
    batch = np.broadcast_shapes(A.array.shape[:-2], B.array.shape[:-2])
    return _Solve.apply(
        A.expand(*batch, *A.array.shape[-2:]), B.expand(*batch, *B.array.shape[-2:])
    )


def lstsq(A: Tensor, B: Tensor) -> results.lstsq:
    """(solution, residuals, rank, singular_values) of min ‖A x − B‖, A (m, n), B (m, k).

    No derivative.
    """
    if A.array.ndim != 2 or B.array.ndim != 2:
        raise NotImplementedError(
            message("linalg.lstsq takes matrices here", describe(A), describe(B))
        )
    return results.lstsq(
        *without_derivative("lstsq", lambda a, b: np.linalg.lstsq(a, b, rcond=None), A, B)
    )


def pinv(A: Tensor) -> Tensor:
    """The pseudo-inverse. No derivative."""
    return without_derivative("pinv", np.linalg.pinv, A)[0]
