"""Decompositions. Only ``cholesky`` has a derivative: with the upstream gradient G it is

    L⁻ᵀ Φ(Lᵀ G) L⁻¹, made symmetric; Φ takes the lower triangle and half of the diagonal
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from ..base.errors import message
from . import results
from .checks import as_tensor, by_numpy, square, without_derivative
from .solving import inv

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..handles.tensor import Tensor


class _Cholesky(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> Tensor:
        L = as_tensor(by_numpy("cholesky", np.linalg.cholesky, A))
        ctx.save_for_backward(L)
        return L

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        (L,) = ctx.saved_tensors
        B = inv(L)
        inner = (L.mT @ g).tril()
        inner = inner - 0.5 * inner.tril().triu()
        S = B.mT @ inner @ B
        return 0.5 * (S + S.mT)


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L Lᵀ, of symmetric positive definite matrices.

    With ``upper`` Lᵀ.
    """
    square("cholesky", A)
    L = _Cholesky.apply(A)
    return L.mT if upper else L


def qr(A: Tensor, mode: str = "reduced") -> results.qr:
    """(Q, R) with A = Q R, Q orthogonal, R upper triangular. No derivative.

    ``mode``: "reduced", "complete" (Q is square), or "r" (Q is left out, an empty tensor).
    """
    if mode == "r":
        (R,) = without_derivative("qr", lambda a: np.linalg.qr(a, "r"), A)
        return results.qr(as_tensor(np.empty(0, R.array.dtype)), R)
    if mode == "complete":
        return results.qr(*without_derivative("qr", lambda a: np.linalg.qr(a, "complete"), A))
    if mode == "reduced":
        return results.qr(*without_derivative("qr", np.linalg.qr, A))
    raise RuntimeError(
        message(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    )


def eigh(A: Tensor) -> results.eigh:
    """(eigenvalues, eigenvectors) of symmetric matrices, eigenvalues ascending. No derivative."""
    square("eigh", A)
    return results.eigh(*without_derivative("eigh", np.linalg.eigh, A))


def eigvalsh(A: Tensor) -> Tensor:
    """The eigenvalues of symmetric matrices, ascending. No derivative."""
    square("eigvalsh", A)
    return without_derivative("eigvalsh", np.linalg.eigvalsh, A)[0]


def svd(A: Tensor, full_matrices: bool = True) -> results.svd:
    """(U, S, Vh) with A = U diag(S) Vh, singular values descending. No derivative."""
    return results.svd(*without_derivative("svd", lambda a: np.linalg.svd(a, full_matrices), A))


def svdvals(A: Tensor) -> Tensor:
    """The singular values, descending. No derivative."""
    return without_derivative("svdvals", lambda a: np.linalg.svd(a, compute_uv=False), A)[0]


def matrix_rank(A: Tensor) -> Tensor:
    """The number of singular values above rounding error."""
    return without_derivative("matrix_rank", np.linalg.matrix_rank, A.detach())[0]
