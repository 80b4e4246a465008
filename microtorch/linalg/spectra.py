"""Eigenvalues and singular values.

With the gradients g of the values and G of the vectors (Giles, 2008; for the vectors Townsend,
"Differentiating the singular value decomposition", 2016):

    eigh   V (diag g + ½ Skew(Vᵀ G) / E) Vᵀ                         Eᵢⱼ = λⱼ − λᵢ
    svd    U (diag g + Skew(Uᵀ G_U) / E S + S Skew(Vᵀ G_V) / E) Vᵀ  Eᵢⱼ = sⱼ² − sᵢ²
           and what of G_U and G_V lies outside the columns of U and V, divided by S

where Skew(X) = X − Xᵀ. Where two values are equal the vectors are not determined, and a gradient of
them is not finite. Their sign is free as well, so a loss must not depend on it.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..autograd.function import Function
from ..base.errors import message
from . import results
from .checks import as_tensor, by_numpy, identity, matrices, records, square

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array
    from ..handles.tensor import Tensor


def _differences(values: Tensor) -> Tensor:
    """Element ij is values[j] − values[i]; on the diagonal 1, for what is divided by it."""
    between = values.unsqueeze(-2) - values.unsqueeze(-1)
    return between + identity(values.array.shape[-1], values)


# ---- symmetric matrices --------------------------------------------------------------------------
class _Eigh(Function):
    node_name = "LinalgEighBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, w: Array, v: Array) -> tuple[Tensor, Tensor]:
        L, V = as_tensor(w), as_tensor(v)
        ctx.save_for_backward(L, V)
        ctx.set_materialize_grads(False)
        return L, V

    @staticmethod
    def backward(
        ctx: FunctionCtx, g_L: Tensor | None, g_V: Tensor | None
    ) -> tuple[Tensor | None, None, None]:
        L, V = ctx.saved_tensors
        if g_V is None:
            return (None if g_L is None else (V * g_L.unsqueeze(-2)) @ V.mT), None, None
        X = V.mT @ g_V
        core = 0.5 * (X - X.mT) / _differences(L)
        if g_L is not None:
            core = core + identity(L.array.shape[-1], L) * g_L.unsqueeze(-2)
        return V @ core @ V.mT, None, None


def eigh(A: Tensor, UPLO: str = "L") -> results.eigh:
    """(eigenvalues, eigenvectors) of symmetric matrices, eigenvalues ascending.

    ``UPLO`` says which triangle is read, the lower or the upper one.
    """
    square("eigh", A)
    part = _triangle(UPLO)
    L, V = by_numpy("eigh", lambda a: tuple(np.linalg.eigh(a, part)), A)
    return results.eigh(*_Eigh.apply(A, L, V))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending."""
    if records(A):
        return eigh(A, UPLO).eigenvalues
    square("eigvalsh", A)
    part = _triangle(UPLO)
    return as_tensor(by_numpy("eigvalsh", lambda a: np.linalg.eigvalsh(a, part), A))


def _triangle(UPLO: str) -> Any:
    if str(UPLO).upper() not in ("L", "U"):
        raise RuntimeError(message(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}"))
    return UPLO.upper()  # of numpy's type for it, Literal


# ---- other matrices ------------------------------------------------------------------------------
def _complex(name: str, fix: str) -> NoReturn:
    raise NotImplementedError(
        message(
            f"linalg.{name}: the eigenvalues of a matrix that need not be symmetric are complex, "
            "and microtorch has no complex numbers",
            fix=fix,
        )
    )


def eig(A: Tensor) -> NoReturn:
    """Raise: the eigenvalues of general matrices are complex."""
    square("eig", A)
    _complex("eig", "torch.linalg.eigh for symmetric matrices, or numpy.linalg.eig(A.numpy())")


def eigvals(A: Tensor) -> NoReturn:
    """Raise: the eigenvalues of general matrices are complex."""
    square("eigvals", A)
    _complex("eigvals", "torch.linalg.eigvalsh, or numpy.linalg.eigvals(A.numpy())")


# ---- singular values -----------------------------------------------------------------------------
class _SVD(Function):
    node_name = "LinalgSvdBackward0"

    @staticmethod
    def forward(
        ctx: FunctionCtx, A: Tensor, u: Array, s: Array, vh: Array
    ) -> tuple[Tensor, Tensor, Tensor]:
        U, S, Vh = as_tensor(u), as_tensor(s), as_tensor(vh)
        ctx.save_for_backward(U, S, Vh)
        ctx.set_materialize_grads(False)
        return U, S, Vh

    @staticmethod
    def backward(
        ctx: FunctionCtx, g_U: Tensor | None, g_S: Tensor | None, g_Vh: Tensor | None
    ) -> tuple[Tensor | None, None, None, None]:
        U, S, Vh = ctx.saved_tensors
        k, m, n = S.array.shape[-1], U.array.shape[-2], Vh.array.shape[-1]
        U, V = U[..., :k], Vh[..., :k, :].mT  # the vectors beyond are any basis of the rest
        across, down = S.unsqueeze(-2), S.unsqueeze(-1)
        if g_U is None and g_Vh is None:
            return (None if g_S is None else (U * g_S.unsqueeze(-2)) @ V.mT), None, None, None
        E = _differences(S * S)
        core = 0 if g_S is None else identity(k, S) * g_S.unsqueeze(-2)
        outside: Tensor | float = 0
        if g_U is not None:
            g_U = g_U[..., :k]
            X = U.mT @ g_U
            core = core + (X - X.mT) / E * across
            if m > k:
                outside = ((g_U - U @ X) / across) @ V.mT
        if g_Vh is not None:
            g_V = g_Vh[..., :k, :].mT
            X = V.mT @ g_V
            core = core + down * ((X - X.mT) / E)
            if n > k:
                outside = outside + U @ ((g_V - V @ X) / across).mT
        return U @ core @ V.mT + outside, None, None, None


DRIVERS = ("gesvd", "gesvdj", "gesvda")


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> results.svd:
    """(U, S, Vh) with A = U diag(S) Vh, singular values descending.

    With ``full_matrices`` U and Vh are square. No gradient flows from the vectors that are added
    for that, since they may be any basis.
    """
    matrices("svd", A)
    _no_driver(driver)
    U, S, Vh = by_numpy("svd", lambda a: tuple(np.linalg.svd(a, full_matrices)), A)
    return results.svd(*_SVD.apply(A, U, S, Vh))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending."""
    if records(A):
        return svd(A, full_matrices=False, driver=driver).S
    matrices("svdvals", A)
    _no_driver(driver)
    return as_tensor(by_numpy("svdvals", lambda a: np.linalg.svd(a, compute_uv=False), A))


def _no_driver(driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            message("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs")
        )
