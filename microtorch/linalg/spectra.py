"""Eigenvalues and singular values.

With the gradients g of the values and G of the vectors (Giles, 2008; for the vectors Townsend,
"Differentiating the singular value decomposition", 2016):

    eigh   V (diag g + ½ Skew(Vᴴ G) / E) Vᴴ                         Eᵢⱼ = λⱼ − λᵢ
    svd    U (diag g + Skew(Uᴴ G_U) / E S + S Skew(Vᴴ G_V) / E) Vᴴ  Eᵢⱼ = sⱼ² − sᵢ²
           and what of G_U and G_V lies outside the columns of U and V, divided by S;
           if U and V are complex and have both a gradient, also diag(Skew(Uᴴ G_U)) / 2S
    eig    V⁻ᴴ (diag g + (Vᴴ G − VᴴV diag(Re Vᴴ G)) / Ē) Vᴴ         Eᵢⱼ = λⱼ − λᵢ; off the diagonal

where Skew(X) = X − Xᴴ, and Xᴴ is the conjugate of Xᵀ. The last is from Boeddeker, Hanebrink,
Drude, Heymann and Haeb-Umbach, "On the computation of complex-valued gradients with application to
statistically optimum beamforming" (2017); its middle term keeps the vectors' length at 1.

Where two values are equal the vectors are not determined, and a gradient of them is not finite.
Their sign (of complex ones, their phase) is free as well, so a loss must not depend on it.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arrays.dtypes import complex_type
from ..autograd.function import Function
from ..base.errors import message
from . import results
from .checks import Found, as_tensor, by_numpy, identity, matrices, records, square
from .solving import solve_ex

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array
    from ..handles.tensor import Tensor


def _check_phase(name: str, *products: Tensor) -> None:
    """Raise if a loss depends on the phase of complex vectors.

    Then the sum of the ``products`` of the vectors and their gradients has an imaginary diagonal.
    """
    if products[0].is_complex():
        total = np.asarray(sum(X.array for X in products))
        phase = np.diagonal(total, 0, -2, -1).imag
        limit = 1e-2 if phase.dtype == np.float32 else 1e-8
        if phase.size and np.abs(phase).max() > limit * max(1, np.abs(total).max()):
            raise RuntimeError(
                message(
                    f"{name}_backward: The vectors in the complex case are specified up to "
                    "multiplication by e^{i phi}. The specified loss function depends on this "
                    "quantity, so it is ill-defined.",
                    fix="a loss of abs(vector), or of the vector times its conjugate",
                )
            )


def _differences(values: Tensor) -> Tensor:
    """Element ij is values[j] − values[i]; on the diagonal 1, for what is divided by it."""
    between = values.unsqueeze(-2) - values.unsqueeze(-1)
    return between + identity(values.array.shape[-1], values)


# ---- symmetric matrices --------------------------------------------------------------------------
class _Eigh(Function):
    node_name = "LinalgEighBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> tuple[Tensor, Tensor]:
        L, V = map(as_tensor, found(A))
        ctx.save_for_backward(L, V)
        ctx.set_materialize_grads(False)
        return L, V

    @staticmethod
    def backward(
        ctx: FunctionCtx, g_L: Tensor | None, g_V: Tensor | None
    ) -> tuple[Tensor | None, None]:
        L, V = ctx.saved_tensors
        if g_V is None:
            return (None if g_L is None else (V * g_L.unsqueeze(-2)) @ V.mH), None
        X = V.mH @ g_V
        _check_phase("linalg_eigh", X)
        core = 0.5 * (X - X.mH) / _differences(L)
        if g_L is not None:
            core = core + identity(L.array.shape[-1], L) * g_L.unsqueeze(-2)
        return V @ core @ V.mH, None


def _eigh(a: Array, UPLO: Literal["L", "U"]) -> tuple[Array, ...]:
    return tuple(np.linalg.eigh(a, UPLO))


def eigh(A: Tensor, UPLO: str = "L") -> results.eigh:
    """(eigenvalues, eigenvectors) of symmetric matrices, eigenvalues ascending.

    ``UPLO`` says which triangle is read, the lower or the upper one.
    """
    square("eigh", A)
    part = _triangle(UPLO)
    found = Found("eigh", _eigh, A, hermitian=True, settings={"UPLO": part})
    return results.eigh(*found.outputs(_Eigh, A))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending."""
    if records(A):
        return eigh(A, UPLO).eigenvalues
    square("eigvalsh", A)
    part = _triangle(UPLO)
    return as_tensor(by_numpy("eigvalsh", np.linalg.eigvalsh, A, UPLO=part))


def _triangle(UPLO: str) -> Any:
    part = str(UPLO).upper()
    if part not in ("L", "U"):
        raise RuntimeError(message(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}"))
    return part  # of numpy's type for it, Literal


# ---- other matrices ------------------------------------------------------------------------------
class _Eig(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> tuple[Tensor, Tensor]:
        L, V = map(as_tensor, found(A))
        ctx.real = not A.is_complex()
        ctx.save_for_backward(L, V)
        ctx.set_materialize_grads(False)
        return L, V

    @staticmethod
    def backward(
        ctx: FunctionCtx, g_L: Tensor | None, g_V: Tensor | None
    ) -> tuple[Tensor | None, None]:
        L, V = ctx.saved_tensors
        if g_L is None and g_V is None:
            return None, None
        eye = identity(L.array.shape[-1], L)
        core = 0 if g_L is None else eye * g_L.unsqueeze(-2)
        if g_V is not None:
            X = V.mH @ g_V
            _check_phase("linalg_eig", X)
            along = X.diagonal(0, -2, -1).real.unsqueeze(-2)
            core = core + (1 - eye) * (X - (V.mH @ V) * along) / _differences(L).conj()
        g_A = solve_ex(V.mH, core @ V.mH).result
        return g_A.real if ctx.real else g_A, None


def _complex(*arrays: Array) -> tuple[Array, ...]:
    """numpy's eigenvalues are real where all happen to be; PyTorch's never are."""
    return tuple([a.astype(complex_type(a.dtype)) if a.dtype.kind == "f" else a for a in arrays])


def eig(A: Tensor) -> results.eig:
    """(eigenvalues, eigenvectors) of square matrices, complex, in no certain order.

    The vectors are the columns, of length 1. Matrices of which they are no basis (defective ones)
    have no derivative.
    """
    square("eig", A)
    found = Found("eig", lambda a: _complex(*np.linalg.eig(a)), A)
    return results.eig(*found.outputs(_Eig, A))


def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues of square matrices, complex, in no certain order."""
    if records(A):
        return eig(A).eigenvalues
    square("eigvals", A)
    return as_tensor(by_numpy("eigvals", lambda a: _complex(np.linalg.eigvals(a)), A)[0])


# ---- singular values -----------------------------------------------------------------------------
class _SVD(Function):
    node_name = "LinalgSvdBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> tuple[Tensor, Tensor, Tensor]:
        U, S, Vh = map(as_tensor, found(A))
        ctx.save_for_backward(U, S, Vh)
        ctx.set_materialize_grads(False)
        return U, S, Vh

    @staticmethod
    def backward(
        ctx: FunctionCtx, g_U: Tensor | None, g_S: Tensor | None, g_Vh: Tensor | None
    ) -> tuple[Tensor | None, None]:
        U, S, Vh = ctx.saved_tensors
        k, m, n = S.array.shape[-1], U.array.shape[-2], Vh.array.shape[-1]
        U, V = U[..., :k], Vh[..., :k, :].mH  # the vectors beyond are any basis of the rest
        across, down = S.unsqueeze(-2), S.unsqueeze(-1)
        if g_U is None and g_Vh is None:
            return (None if g_S is None else (U * g_S.unsqueeze(-2)) @ V.mH), None
        E = _differences(S * S)
        core = 0 if g_S is None else identity(k, S) * g_S.unsqueeze(-2)
        outside: Tensor | float = 0
        products: list[Tensor] = []
        if g_U is not None:
            g_U = g_U[..., :k]
            X = U.mH @ g_U
            products.append(X)
            if U.is_complex() and g_Vh is not None:
                core = core + identity(k, S) * (X - X.mH) / (2 * across)
            core = core + (X - X.mH) / E * across
            if m > k:
                outside = ((g_U - U @ X) / across) @ V.mH
        if g_Vh is not None:
            g_V = g_Vh[..., :k, :].mH
            X = V.mH @ g_V
            products.append(X)
            core = core + down * ((X - X.mH) / E)
            if n > k:
                outside = outside + U @ ((g_V - V @ X) / across).mH
        _check_phase("svd", *products)
        return U @ core @ V.mH + outside, None


DRIVERS = ("gesvd", "gesvdj", "gesvda")


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> results.svd:
    """(U, S, Vh) with A = U diag(S) Vh, singular values descending.

    With ``full_matrices`` U and Vh are square. No gradient flows from the vectors that are added
    for that, since they may be any basis.
    """
    matrices("svd", A)
    _no_driver(driver)
    found = Found("svd", lambda a: tuple(np.linalg.svd(a, full_matrices)), A)
    return results.svd(*found.outputs(_SVD, A))


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
