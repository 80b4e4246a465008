"""Orthogonal factors: QR, products of Householder reflections.

The derivative of QR (Walter and Lehmann, "Algorithmic differentiation of linear algebra functions
with application in optimum experimental design", 2010; for wide matrices Roberts and Roberts, "QR
and LQ decomposition matrix backpropagation algorithms", 2020), with the gradients G_Q and G_R:

    m ≥ n   (G_Q + Q Sym(G_R Rᴴ − Qᴴ G_Q)) R⁻ᴴ    Sym(X): the upper triangle, mirrored
    m < n   Q (G_R + (Skew(Qᴴ G_Q − G_R Rᴴ) R₁⁻ᴴ, 0))    Skew(X): the lower one of X − Xᴴ

Xᴴ is the conjugate of Xᵀ. The diagonal of Sym(X) is real, and that of Skew(X) halved.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.function import Function
from ..backends import cpu
from ..base.errors import describe, message
from ..ops.arguments import owned
from ..ops.surface import FUNCTIONS
from . import results
from .checks import (
    Found,
    as_tensor,
    floating,
    identity,
    matrices,
    without_derivative,
)
from .solving import solve_triangular

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import AnyArray, Array
    from ..handles.tensor import Tensor


# ---- QR ------------------------------------------------------------------------------------------
class _QR(Function):
    node_name = "LinalgQrBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> tuple[Tensor, Tensor]:
        Q, R = map(as_tensor, found(A))
        ctx.save_for_backward(Q, R)
        ctx.set_materialize_grads(False)
        return Q, R

    @staticmethod
    def backward(
        ctx: FunctionCtx, g_Q: Tensor | None, g_R: Tensor | None
    ) -> tuple[Tensor | None, None]:
        Q, R = ctx.saved_tensors
        if g_Q is None and g_R is None:
            return None, None
        if Q.array.ndim < R.array.ndim:
            raise RuntimeError(
                message(
                    "The derivative of linalg.qr depends on Q, which is not computed when mode='r'",
                    fix="torch.linalg.qr(A, mode='reduced')",
                )
            )
        m, n = Q.array.shape[-2], R.array.shape[-1]
        if Q.array.shape[-1] > n:
            raise RuntimeError(
                message(
                    "The QR decomposition is not differentiable when mode='complete' and nrows > "
                    "ncols",
                    describe(R),
                    fix="mode='reduced'",
                )
            )
        X: Any = 0 if g_R is None else g_R @ R.mH
        X = X if g_Q is None else X - Q.mH @ g_Q
        if m >= n:
            X = X.triu()
            strict = X.triu(1)
            diagonal = X - strict  # of which the real part counts
            g = Q @ (X + strict.mH - 0.5 * (diagonal - diagonal.mH))
            g = g if g_Q is None else g_Q + g
            return solve_triangular(R.mH, g, upper=False, left=False), None
        skew = X.mH - X
        core = skew.tril(-1) + 0.5 * skew.triu().tril()  # its diagonal is imaginary
        X = solve_triangular(R[..., :m].mH, core, upper=False, left=False)
        g = FUNCTIONS["cat"]((X, X.new_zeros((*X.shape[:-1], n - m))), -1)
        return Q @ (g if g_R is None else g_R + g), None


_lapack: Any = getattr(np.linalg, "_umath_linalg", None)


def _reduced(a: Array) -> tuple[Array, ...]:
    """What numpy's qr gives, which takes three times as long: in double precision, as there.

    numpy's compiled functions are no part of its interface, so they may be missing.
    """
    if not (hasattr(_lapack, "qr_r_raw") and hasattr(_lapack, "qr_reduced")):
        return tuple(np.linalg.qr(a))
    complex_ = a.dtype.kind == "c"
    held = a.astype(np.complex128 if complex_ else np.float64)  # on and above its diagonal comes R
    tau = _lapack.qr_r_raw(held, signature="D->D" if complex_ else "d->d")
    Q = _lapack.qr_reduced(held, tau, signature="DD->D" if complex_ else "dd->d")
    R = held[..., : min(a.shape[-2:]), :].astype(a.dtype, "C")
    return Q.astype(a.dtype), cpu.of(a.dtype).triu(R, diagonal=0)


def qr(A: Tensor, mode: str = "reduced") -> results.qr:
    """(Q, R) with A = Q R, Q orthogonal, R upper triangular.

    ``mode``: "reduced", "complete" (Q is square), or "r" (Q is left out, an empty tensor). Backward
    raises where A does not determine Q and R: for "r", and for the complete Q of more rows than
    columns.
    """
    matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            message(
                f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
                "'r', or 'complete'"
            )
        )
    def factors(a: Array) -> tuple[Array, ...]:
        if mode == "reduced":
            return _reduced(a)
        if mode == "complete":
            return tuple(np.linalg.qr(a, "complete"))
        R: AnyArray = np.linalg.qr(a, "r")
        return np.empty(0, a.dtype), R

    found = Found("qr", factors, A)
    return results.qr(*found.outputs(_QR, A))


# ---- reflections ---------------------------------------------------------------------------------
def geqrf(input: Tensor) -> results.geqrf:
    """(a, tau): R on and above the diagonal, below it the reflections whose product is Q."""
    matrices("geqrf", input)

    def raw(a: Array) -> tuple[Array, Array]:
        h, tau = np.linalg.qr(a, "raw")
        return np.ascontiguousarray(np.swapaxes(h, -1, -2)), tau

    return results.geqrf(*without_derivative("geqrf", raw, input))


def _reflected(name: str, A: Tensor, tau: Tensor, C: Tensor, transpose: bool = False) -> Tensor:
    """H₁ H₂ … C (transposed: … H₂ H₁ C), where Hᵢ = I − tauᵢ vᵢ vᵢᴴ, and vᵢ is column i of A.

    Of a column only what lies below the diagonal is read; on the diagonal are ones.
    """
    floating(name, A, tau, C)
    m, k = A.array.shape[-2], tau.array.shape[-1]
    if not k:  # no reflection; a gradient of 0 flows on
        return C + A[..., :0] @ identity(0, A, C.array.shape[-1])
    V = A[..., :k].tril(-1) + identity(m, A, k)
    for i in range(k) if transpose else reversed(range(k)):
        v = V[..., i : i + 1]
        t = tau[..., i].conj() if transpose else tau[..., i]
        C = C - t[..., None, None] * (v @ (v.mH @ C))
    return C


def householder_product(input: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of the reflections that ``input`` and ``tau`` hold: Q."""
    matrices("householder_product", input)
    *batch, m, n = input.array.shape
    k = tau.array.shape[-1] if tau.array.ndim else 0
    if m < n or k > n or tau.array.shape != (*batch, k):
        raise RuntimeError(
            message(
                "torch.linalg.householder_product: input.shape[-2] must be greater than or equal "
                "to input.shape[-1], which must be at least tau.shape[-1]; the batches must agree",
                f"input {describe(input)}, tau {describe(tau)}",
            )
        )
    eye = identity(m, input, n).expand(*batch, m, n)
    return _reflected("householder_product", input, tau, eye)


def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """Q times ``other``, where Q is the square product of the reflections (``geqrf``).

    Not ``left``: ``other`` times Q. ``transpose``: Qᵀ in place of Q.
    """
    for name, t in (("input", input), ("other", other)):
        if t.array.ndim < 2:
            raise RuntimeError(
                message(f"torch.ormqr: {name} must have at least 2 dimensions.", describe(t))
            )
    m, k = input.array.shape[-2], tau.array.shape[-1] if tau.array.ndim else 0
    if other.array.shape[-2 if left else -1] != m or k > input.array.shape[-1]:
        raise RuntimeError(
            message(
                f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2], "
                "and tau.shape[-1] at most input.shape[-1]",
                f"input {describe(input)}, tau {describe(tau)}, other {describe(other)}",
            )
        )
    if not tau.array.shape[:-1] == input.array.shape[:-2] == other.array.shape[:-2]:
        raise RuntimeError(message("torch.ormqr: the batch dimensions must be equal"))
    if left:
        return _reflected("ormqr", input, tau, other, transpose)
    return owned(_reflected("ormqr", input, tau, other.mH, not transpose).mH)
