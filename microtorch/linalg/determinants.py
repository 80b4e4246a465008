"""Determinants. With B = A⁻¹ and the upstream gradient g, a number for each matrix,

    det      g · det(A) · Bᵀ
    slogdet  g · Bᵀ
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from . import results
from .checks import as_tensor, by_numpy, square
from .solving import inv

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..handles.tensor import Tensor


class _Det(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> Tensor:
        d = as_tensor(by_numpy("det", np.linalg.det, A))
        ctx.save_for_backward(A, d)
        return d

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        A, d = ctx.saved_tensors
        return (g * d)[..., None, None] * inv(A).mT


def det(A: Tensor) -> Tensor:
    """The determinant of square matrices (..., n, n). Its gradient at a singular matrix raises."""
    square("det", A)
    return _Det.apply(A)


class _Slogdet(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> tuple[Tensor, Tensor]:
        sign, log = map(as_tensor, by_numpy("slogdet", np.linalg.slogdet, A))
        ctx.save_for_backward(A)
        ctx.mark_non_differentiable(sign)
        return sign, log

    @staticmethod
    def backward(ctx: FunctionCtx, g_sign: Tensor, g: Tensor) -> Tensor:
        (A,) = ctx.saved_tensors
        return g[..., None, None] * inv(A).mT


def slogdet(A: Tensor) -> results.slogdet:
    """(sign, log |det A|) of square matrices, where the determinant itself could overflow."""
    square("slogdet", A)
    return results.slogdet(*_Slogdet.apply(A))
