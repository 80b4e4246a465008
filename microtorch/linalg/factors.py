"""Triangular factors: Cholesky, LU. With the upstream gradient G (of L, of U):

    cholesky   L⁻ᵀ Φ(Lᵀ G) L⁻¹, made symmetric; Φ takes the lower triangle and half of the diagonal
    lu         P L⁻ᵀ (tril(Lᵀ G_L, −1) + triu(G_U Uᵀ)) U⁻ᵀ, for square matrices

The second is that of de Hoog, Anderssen and Lukas, "Differentiation of matrix functionals using
triangular factorization" (2011); what a wide or tall matrix has beyond the square is solved for.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from ..base.errors import describe, message
from ..engine.record import constant
from ..engine.whole import on_arrays
from ..ops.arguments import owned
from ..ops.surface import FUNCTIONS
from . import kernels, results
from .checks import Found, as_tensor, identity, matrices, raise_singular, square
from .solving import solve_triangular, unchecked_inverse

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array, DType
    from ..handles.tensor import Tensor

NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {info} is not positive-definite)."
)
ZERO_PIVOT = (
    "U[{info},{info}] is zero and using it on lu_solve would result in a division by zero. If you "
    "still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
    "linalg.lu_factor_ex(A, pivot)"
)
TO_POSITIVE = "A + 1e-6 * torch.eye(n), where rounding alone stands in the way"


# ---- Cholesky ------------------------------------------------------------------------------------
class _Cholesky(Function):
    node_name = "LinalgCholeskyExBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> Tensor:
        L = as_tensor(found(A)[0])
        ctx.save_for_backward(L)
        return L

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, None]:
        (L,) = ctx.saved_tensors
        B = unchecked_inverse(L)
        inner = (L.mH @ g).tril()
        inner = inner - 0.5 * inner.tril().triu()
        S = B.mH @ inner @ B
        return 0.5 * (S + S.mH), None


def cholesky_ex(
    A: Tensor, *, upper: bool = False, check_errors: bool = False, _name: str = "cholesky_ex"
) -> results.cholesky_ex:
    """(L, info) with A = L Lᵀ; a matrix that has none has an info other than 0, and NaN."""
    square(_name, A)
    if upper:  # of the upper triangle, which alone is read
        L, info = cholesky_ex(A.mH, check_errors=check_errors, _name=_name)
        return results.cholesky_ex(owned(L.mH), info)
    found = Found(_name, kernels.cholesky, A, hermitian=True)
    info = found.results[1]
    if check_errors:
        raise_singular(_name, A, info, NOT_POSITIVE, fix=TO_POSITIVE)
    return results.cholesky_ex(found.outputs(_Cholesky, A), as_tensor(info))


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L Lᵀ, of symmetric positive definite matrices.

    With ``upper`` Lᵀ.
    """
    return cholesky_ex(A, upper=upper, check_errors=True, _name="cholesky").L


# ---- LU ------------------------------------------------------------------------------------------
class _LU(Function):
    node_name = "LinalgLuFactorExBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> Tensor:
        factors, ctx.pivots = found(A)[:2]
        LU = as_tensor(factors)
        ctx.save_for_backward(LU)
        return LU

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, None]:
        (LU,) = ctx.saved_tensors
        m, n = LU.array.shape[-2:]
        k = min(m, n)
        P, L, U = lu_unpack(LU, as_tensor(ctx.pivots))
        L1, U1 = L[..., :k, :], U[..., :, :k]
        g_L, g_U = g[..., :, :k].tril(-1), g[..., :k, :].triu()
        below = L1.mH @ g_L[..., :k, :]
        above = g_U[..., :, :k] @ U1.mH
        if n > k:  # A₂ = P L U₂
            below = below - g_U[..., :, k:] @ U[..., :, k:].mH
        if m > k:  # A₂ = L₂ U
            above = above - L[..., k:, :].mH @ g_L[..., k:, :]
        core = below.tril(-1) + above.triu()
        g_A = solve_triangular(L1.mH, core, upper=True, unitriangular=True)
        g_A = solve_triangular(U1.mH, g_A, upper=False, left=False)
        if n > k:
            rest = solve_triangular(L1.mH, g_U[..., :, k:], upper=True, unitriangular=True)
            g_A = FUNCTIONS["cat"]((g_A, rest), -1)
        if m > k:
            rest = solve_triangular(U1.mH, g_L[..., k:, :], upper=False, left=False)
            g_A = FUNCTIONS["cat"]((g_A, rest), -2)
        return P @ g_A, None


def lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False, _name: str = "lu_factor_ex"
) -> results.lu_factor_ex:
    """(LU, pivots, info) of A = P L U, compact: L below the diagonal, U on and above it.

    ``pivots`` are the rows exchanged, counted from 1; ``info`` is the first zero on U's diagonal.
    """
    matrices(_name, A)
    if not pivot:
        raise RuntimeError(
            message(f"linalg.{_name}: LU without pivoting is not implemented on the CPU")
        )
    found = Found(_name, kernels.lu_factor, A)
    _, pivots, info = found.results
    if check_errors:
        raise_singular(_name, A, info, ZERO_PIVOT, RuntimeError)
    factors = found.outputs(_LU, A)
    return results.lu_factor_ex(factors, as_tensor(pivots), as_tensor(info))


def lu_factor(A: Tensor, *, pivot: bool = True) -> results.lu_factor:
    """(LU, pivots) of A = P L U, compact, for ``lu_solve``. Raises if U has a 0 on its diagonal."""
    LU, pivots, _ = lu_factor_ex(A, pivot=pivot, check_errors=True, _name="lu_factor")
    return results.lu_factor(LU, pivots)


def lu(A: Tensor, *, pivot: bool = True) -> results.lu:
    """(P, L, U) with A = P L U: a permutation, a unit lower and an upper triangular matrix."""
    LU, pivots, _ = lu_factor_ex(A, pivot=pivot, _name="lu_factor")
    return results.lu(*lu_unpack(LU, pivots))


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> results.lu_unpack:
    """(P, L, U) of a compact factorization; what is not asked for is an empty tensor."""
    matrices("lu_unpack", LU_data)
    if unpack_pivots and LU_pivots.array.dtype != np.int32:
        raise RuntimeError(
            message(
                "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
                "dtype.",
                describe(LU_pivots),
                fix="the pivots as torch.linalg.lu_factor returns them",
            )
        )
    m, n = LU_data.array.shape[-2:]
    k = min(m, n)
    P = L = U = constant(np.empty(0, LU_data.array.dtype), LU_data.node.dev)
    if unpack_data:
        L = LU_data[..., :, :k].tril(-1) + identity(m, LU_data, k)
        U = LU_data[..., :k, :].triu()
    if unpack_pivots:
        P = _permutation(LU_pivots, LU_data)
    return results.lu_unpack(P, L, U)


def _permutation(pivots: Tensor, LU: Tensor) -> Tensor:
    """P of A = P L U: row p[i] of A is row i of L U."""
    m, dtype = LU.array.shape[-2], LU.array.dtype
    rows = on_arrays("permutation", _moved, pivots.detach().array, m=m, dtype=dtype)
    return constant(rows, getattr(rows, "dev", LU.node.dev))


def _moved(pivots: Array, m: int, dtype: DType) -> Array:
    if ((pivots < 1) | (pivots > m)).any():
        raise RuntimeError(
            message(
                "Pivots given to lu_solve must all be greater or equal to 1, and at most "
                f"LU.size(-2) = {m}",
                describe(pivots),
                fix="the pivots as torch.linalg.lu_factor returns them: rows, counted from 1",
            )
        )
    order = kernels.permutation(pivots, m)
    rows: Array = (np.arange(m)[:, None] == order[..., None, :]).astype(dtype)
    return rows


def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """The x with A x = B, given the factors of A. ``adjoint``: Aᵀ x = B; not ``left``: x A = B."""
    square("lu_solve", LU)
    matrices("lu_solve", B)
    if LU.array.shape[-1] != B.array.shape[-2 if left else -1]:
        raise RuntimeError(
            message(
                "linalg.lu_solve: Incompatible shapes of A and B for the equation "
                + ("AX = B" if left else "XA = B"),
                f"{describe(LU)}, {describe(B)}",
            )
        )
    if not left:
        return owned(lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH)
    if pivots.array.dtype != np.int32 or pivots.array.shape != LU.array.shape[:-1]:
        raise RuntimeError(
            message(
                "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32, and "
                "LU.shape[:-1] its shape",
                f"LU {describe(LU)}, pivots {describe(pivots)}",
                fix="the pivots as torch.linalg.lu_factor returns them",
            )
        )
    P = _permutation(pivots, LU)
    if adjoint:
        y = solve_triangular(LU.mH, B, upper=False)
        return P @ solve_triangular(LU.mH, y, upper=True, unitriangular=True)
    y = solve_triangular(LU, P.mT @ B, upper=False, unitriangular=True)
    return solve_triangular(LU, y, upper=True)
