"""Determinants. With B = A⁻¹ and the upstream gradient g, a number for each matrix,

    det      g · conj(det(A)) · Bᴴ
    slogdet  (g + i Im(conj(sign) · g_sign)) · Bᴴ        g is that of log |det A|; i of complex ones

where Xᴴ is the conjugate of Xᵀ. At a singular matrix, which has no B, det(A) · Bᵀ is the matrix of
cofactors. With A = U S Vᴴ its conjugate is conj(det(U) det(Vᴴ)) U diag(the product of all other
sᵢ) Vᴴ.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from ..graph import mode
from ..ops.surface import FUNCTIONS
from . import kernels, results
from .checks import Found, as_tensor, by_numpy, square
from .solving import inv, unchecked_inverse

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array
    from ..handles.tensor import Tensor


class _Det(Function):
    node_name = "LinalgDetBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> Tensor:
        d = as_tensor(found(A))
        ctx.save_for_backward(A, d)
        return d

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, None]:
        A, d = ctx.saved_tensors
        if not mode.get().grad:
            at_A = by_numpy("det_derivative", _derivative, A, d)
            return g[..., None, None] * as_tensor(at_A), None
        return (g * d.conj())[..., None, None] * inv(A).mH, None


def _derivative(a: Array, d: Array) -> Array:
    if not np.all(d):
        return _cofactors(a)
    inverse = np.swapaxes(kernels.inv(a)[0], -1, -2)
    return np.conj(np.asarray(d)[..., None, None] * inverse)


def _cofactors(a: Array) -> Array:
    U, S, Vh = np.linalg.svd(a)
    n = S.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, S[..., None, :]).prod(axis=-1)
    sign = np.conj(np.linalg.det(U) * np.linalg.det(Vh))
    out: Array = sign[..., None, None] * (U * others[..., None, :]) @ Vh
    return out.astype(a.dtype)


def det(A: Tensor) -> Tensor:
    """The determinant of square matrices (..., n, n).

    Its second derivative at a singular matrix raises LinAlgError.
    """
    square("det", A)
    return Found("det", np.linalg.det, A).outputs(_Det, A)


class _Slogdet(Function):
    node_name = "LinalgSlogdetBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> tuple[Tensor, Tensor]:
        sign, log = map(as_tensor, found(A))
        ctx.save_for_backward(A, sign)
        return sign, log

    @staticmethod
    def backward(ctx: FunctionCtx, g_sign: Tensor, g: Tensor) -> tuple[Tensor, None]:
        A, sign = ctx.saved_tensors
        if A.is_complex():  # a real sign is constant where it is differentiable
            g = FUNCTIONS["complex"](g, (sign.conj() * g_sign).imag)
        return g[..., None, None] * unchecked_inverse(A).mH, None


def slogdet(A: Tensor) -> results.slogdet:
    """(sign, log |det A|) of square matrices, where the determinant itself could overflow."""
    square("slogdet", A)
    return results.slogdet(*Found("slogdet", np.linalg.slogdet, A).outputs(_Slogdet, A))


def logdet(input: Tensor) -> Tensor:
    """log det of square matrices: NaN where the determinant is negative, -inf where it is 0.

    Of complex matrices the complex logarithm.
    """
    sign, log = slogdet(input)
    if input.is_complex():
        return sign.log() + log
    return log.masked_fill(sign < 0, float("nan")) if (sign.array < 0).any() else log
