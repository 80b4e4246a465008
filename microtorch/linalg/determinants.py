"""Determinants. With B = A⁻¹ and the upstream gradient g, a number for each matrix,

    det      g · det(A) · Bᵀ
    slogdet  g · Bᵀ

At a singular matrix, which has no B, det(A) · Bᵀ is the matrix of cofactors: with A = U S Vᵀ it is
det(U) det(V) U diag(the product of all other sᵢ) Vᵀ.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from ..graph import mode
from . import results
from .checks import as_tensor, by_numpy, square
from .solving import inv

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array
    from ..handles.tensor import Tensor


class _Det(Function):
    node_name = "LinalgDetBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> Tensor:
        d = as_tensor(by_numpy("det", np.linalg.det, A))
        ctx.save_for_backward(A, d)
        return d

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        A, d = ctx.saved_tensors
        if not mode.get().grad and not d.array.all():
            return g[..., None, None] * as_tensor(by_numpy("det", _cofactors, A))
        return (g * d)[..., None, None] * inv(A).mT


def _cofactors(a: Array) -> Array:
    U, S, Vh = np.linalg.svd(a)
    n = S.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, S[..., None, :]).prod(axis=-1)
    sign = np.linalg.det(U) * np.linalg.det(Vh)
    out: Array = sign[..., None, None] * (U * others[..., None, :]) @ Vh
    return out.astype(a.dtype)


def det(A: Tensor) -> Tensor:
    """The determinant of square matrices (..., n, n).

    Its second derivative at a singular matrix raises LinAlgError.
    """
    square("det", A)
    return _Det.apply(A)


class _Slogdet(Function):
    node_name = "LinalgSlogdetBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> tuple[Tensor, Tensor]:
        sign, log = map(as_tensor, by_numpy("slogdet", np.linalg.slogdet, A))
        ctx.save_for_backward(A)
        return sign, log

    @staticmethod
    def backward(ctx: FunctionCtx, g_sign: Tensor, g: Tensor) -> Tensor:
        (A,) = ctx.saved_tensors  # the sign is constant where it is differentiable
        return g[..., None, None] * inv(A).mT


def slogdet(A: Tensor) -> results.slogdet:
    """(sign, log |det A|) of square matrices, where the determinant itself could overflow."""
    square("slogdet", A)
    return results.slogdet(*_Slogdet.apply(A))


def logdet(input: Tensor) -> Tensor:
    """log det of square matrices: NaN where the determinant is negative, -inf where it is 0."""
    sign, log = slogdet(input)
    return log.masked_fill(sign < 0, float("nan")) if (sign.array < 0).any() else log
