"""What singular values decide: the pseudo-inverse, least squares, the rank.

With P = A⁺ and the upstream gradient G (Golub and Pereyra, "The differentiation of pseudo-inverses
and nonlinear least squares problems whose variables separate", 1973):

    pinv     −Pᴴ G Pᴴ + (I − A P) Gᴴ P Pᴴ + Pᴴ P Gᴴ (I − P A)
    lstsq    for B: Pᴴ G; for A: the same as pinv's, of G Bᴴ, since x = P B
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..autograd.function import Function
from ..base.errors import describe, message
from ..engine.handle import Handle
from ..ops.arguments import no_gradient_of, owned
from . import results
from .checks import Found, as_tensor, broadcast_batches, by_numpy, matrices, square

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array
    from ..handles.tensor import Tensor

    Tolerance = Tensor | float | None


def _limit(a: Array, values: Array, atol: Tolerance, rtol: Tolerance) -> Array:
    """Up to where singular values count as 0: the larger of ``atol`` and ``rtol`` times the first.

    Where neither is given, ``rtol`` is the rounding error of the larger size.
    """
    for t in (atol, rtol):
        if isinstance(t, complex) or (isinstance(t, Handle) and t.array.dtype.kind == "c"):
            raise RuntimeError(message("linalg: a tolerance of complex type is not supported"))
    absolute, relative = (t.array if isinstance(t, Handle) else t for t in (atol, rtol))
    if relative is None:
        default = max(a.shape[-2:]) * np.finfo(a.dtype).eps
        relative = default if absolute is None else np.where(np.greater(absolute, 0), 0.0, default)
    largest = values.max(axis=-1, initial=0)
    out: Array = np.maximum(0.0 if absolute is None else absolute, relative * largest)[..., None]
    return out


def _magnitudes(a: Array, hermitian: bool) -> Array:
    if hermitian:
        return np.abs(np.linalg.eigvalsh(a))
    return np.linalg.svd(a, compute_uv=False)


def matrix_rank(
    A: Tensor, tol: Tolerance = None, hermitian: bool = False,
    *, atol: Tolerance = None, rtol: Tolerance = None,
) -> Tensor:  # fmt: skip
    """The number of singular values above ``max(atol, rtol · the largest)``.

    ``tol`` is an older name of ``atol``. ``hermitian``: of the eigenvalues of symmetric matrices.
    """
    (square if hermitian else matrices)("matrix_rank", A)
    atol, rtol = (tol, 0.0) if tol is not None else (atol, rtol)

    given = {"hermitian": hermitian, "atol": atol, "rtol": rtol}
    return as_tensor(by_numpy("matrix_rank", _rank, A, **given))


def _rank(a: Array, hermitian: bool, atol: Tolerance, rtol: Tolerance) -> Array:
    values = _magnitudes(a, hermitian)
    return np.asarray((values > _limit(a, values, atol, rtol)).sum(axis=-1))


# ---- the pseudo-inverse --------------------------------------------------------------------------
def _gradient(A: Tensor, P: Tensor, g: Tensor) -> Tensor:
    left = g.mH @ P @ P.mH
    right = P.mH @ P @ g.mH
    return -(P.mH @ g @ P.mH) + left - A @ (P @ left) + right - (right @ P) @ A


class _Pinv(Function):
    node_name = "LinalgPinvBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> Tensor:
        P = as_tensor(found(A))
        ctx.save_for_backward(A, P)
        return P

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, None]:
        A, P = ctx.saved_tensors
        return _gradient(A, P, g), None


def pinv(
    A: Tensor, rcond: Tolerance = None, hermitian: bool = False,
    *, atol: Tolerance = None, rtol: Tolerance = None,
) -> Tensor:  # fmt: skip
    """The pseudo-inverse: singular values up to ``max(atol, rtol · the largest)`` count as 0.

    ``rcond`` is an older name of ``rtol``. ``hermitian``: by the eigenvalues of symmetric matrices.
    """
    (square if hermitian else matrices)("pinv", A)
    rtol = rcond if rcond is not None else rtol
    no_gradient_of("linalg_pinv", atol=atol, rtol=rtol)

    given = {"hermitian": hermitian, "atol": atol, "rtol": rtol}
    return Found("pinv", _inverse, A, settings=given).outputs(_Pinv, A)


def _inverse(a: Array, hermitian: bool, atol: Tolerance, rtol: Tolerance) -> Array:
    if not a.size:
        return np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    if hermitian:
        S, U = np.linalg.eigh(a)
        Vh = np.conj(np.swapaxes(U, -1, -2))
    else:
        U, S, Vh = np.linalg.svd(a, full_matrices=False)
    size = np.abs(S)
    small = size <= _limit(a, size, atol, rtol)
    scaled = np.where(small, 0, 1 / np.where(small, 1, S))[..., None, :]
    V, Uh = (np.conj(np.swapaxes(x, -1, -2)) for x in (Vh, U))
    out: Array = (V * scaled) @ Uh
    return np.ascontiguousarray(out.astype(a.dtype))


# ---- least squares -------------------------------------------------------------------------------
class _Lstsq(Function):
    node_name = "LinalgLstsqBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, B: Tensor, found: Found) -> Tensor:
        ctx.save_for_backward(A, B)
        return as_tensor(found(A, B)[0])

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, Tensor, None]:
        A, B = ctx.saved_tensors
        P = pinv(A)
        return _gradient(A, P, g @ B.mH), P.mH @ g, None


DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> results.lstsq:
    """(solution, residuals, rank, singular_values) of min ‖A x − B‖.

    ``A`` is (..., m, n), ``B`` (..., m, k) or vectors (..., m). ``residuals`` are the squared
    distances, where m > n and all ranks are full; else it is empty. ``driver`` names LAPACK's
    routine, and so which results there are: "gelsy", the default, has no residuals. numpy computes
    all with the singular values.
    """
    matrices("lstsq", A)
    if driver is not None and driver not in DRIVERS:
        raise RuntimeError(
            message(
                f"torch.linalg.lstsq: parameter `driver` should be one of ({', '.join(DRIVERS)})",
                f"driver={driver!r}",
            )
        )
    if B.array.ndim < 1:
        raise RuntimeError(
            message("torch.linalg.lstsq: other must have at least 1 dimension", describe(B))
        )
    vectors = A.array.ndim - 1 == B.array.ndim and A.array.shape[:-1] == B.array.shape
    if not vectors and A.array.ndim != B.array.ndim:
        raise RuntimeError(
            message(
                "torch.linalg.lstsq: input.dim() must be greater or equal to other.dim() and "
                "(input.dim() - other.dim()) <= 1, with matrices or vectors in other",
                f"{describe(A)}, {describe(B)}",
            )
        )
    if vectors:
        B = B.unsqueeze(-1)
    if B.array.ndim < 2 or A.array.shape[-2] != B.array.shape[-2]:
        raise RuntimeError(
            message(
                "torch.linalg.lstsq: input.size(-2) should match other.size(-2)",
                f"{describe(A)}, {describe(B)}",
            )
        )
    A, B = broadcast_batches("lstsq", A, B)
    found = Found("lstsq", _least_squares, A, B, settings={"rcond": rcond})
    _, rank, values = found.results
    solution = found.outputs(_Lstsq, A, B)
    m, n = A.array.shape[-2:]
    empty = as_tensor(np.empty(0, values.dtype))
    full = m > n and bool((rank == n).all()) and driver not in (None, "gelsy")
    residuals = owned(solution.real.reshape(-1)[:0])
    if full:
        residuals = (A @ solution - B).abs().square().sum(-2)
    return results.lstsq(
        owned(solution.squeeze(-1)) if vectors else solution,
        residuals,
        as_tensor(np.empty(0, np.int64) if driver == "gels" else rank),
        as_tensor(values) if driver in ("gelsd", "gelss") else empty,
    )


def _least_squares(a: Array, b: Array, rcond: float | None) -> tuple[Array, Array, Array]:
    *batch, m, n = a.shape
    x = np.zeros((*batch, n, b.shape[-1]), a.dtype)
    rank, values = np.zeros(batch, np.int64), np.zeros((*batch, min(m, n)), a.real.dtype)
    for place in np.ndindex(*batch):
        x[place], _, rank[place], values[place] = np.linalg.lstsq(a[place], b[place], rcond)
    return x, rank, values
