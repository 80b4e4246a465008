"""What PyTorch has in ``torch`` alone: older names and forms of the functions of ``torch.linalg``.

``facade/linear_algebra.py`` makes those that PyTorch has there methods of tensors.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..autograd.function import Function
from ..base.errors import describe, message, warn
from ..engine.autocast import wide
from ..engine.entering import called
from ..ops.surface import FUNCTIONS
from . import determinants, factors, norms, orthogonal, pseudoinverse, results, solving, spectra
from .checks import LinAlgError, broadcast_batches, floating, identity, matrices, square
from .determinants import det, logdet
from .factors import lu_unpack
from .orthogonal import geqrf, ormqr
from .products import matrix_exp, matrix_power, multi_dot

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Dims
    from ..handles.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")

__all__ = [
    "chain_matmul", "cholesky", "cholesky_inverse", "cholesky_solve", "det", "frobenius_norm",
    "geqrf", "inverse", "lobpcg", "logdet", "lu", "lu_solve", "lu_unpack", "matrix_exp",
    "matrix_power", "nuclear_norm", "orgqr", "ormqr", "pca_lowrank", "pinverse", "qr", "slogdet",
    "svd", "svd_lowrank", "triangular_solve",
]  # fmt: skip


# ---- inverses and systems ------------------------------------------------------------------------
def inverse(input: Tensor) -> Tensor:
    """torch.linalg.inv."""
    return solving.inv(input)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """torch.linalg.pinv, with another default of ``rcond``."""
    return pseudoinverse.pinv(input, rcond)


def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False,
    unitriangular: bool = False,
) -> results.triangular_solve:  # fmt: skip
    """(x, A) with A x = input for triangular A, which is read as ``upper`` says.

    ``transpose``: Aᵀ x = input.
    """
    square("triangular_solve", A)
    system, up = (A.mT, not upper) if transpose else (A, upper)
    x = solving.solve_triangular(system, input, upper=up, unitriangular=unitriangular)
    return results.triangular_solve(x, A.clone())


# ---- factors -------------------------------------------------------------------------------------
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """torch.linalg.cholesky."""
    return factors.cholesky(input, upper=upper)


class _CholeskySolve(Function):
    """With V = A⁻¹ G, the gradients are V for the right-hand side, and −(V xᵀ + x Vᵀ) L for L.

    The second is that of L in A = L Lᵀ, of all its elements, as PyTorch's.
    """
    node_name = "CholeskySolveBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, B: Tensor, L: Tensor) -> Tensor:
        y = solving.solve_triangular(L, B, upper=False)
        x = solving.solve_triangular(L.mH, y, upper=True)
        ctx.save_for_backward(L, x)
        return x

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, Tensor]:
        L, x = ctx.saved_tensors
        v = cholesky_solve(g, L)
        both = v @ x.mH
        return v, -(both + both.mH) @ L


def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """The x with A x = ``input``, where ``input2`` is the Cholesky factor of A."""
    for t in (input, input2):
        if t.array.ndim < 2:
            raise RuntimeError(
                message(f"b should have at least 2 dimensions, but has {t.array.ndim} dimensions "
                        "instead", describe(t))
            )  # fmt: skip
    square("cholesky_solve", input2)
    B, L = broadcast_batches("cholesky_solve", input, input2.mH if upper else input2)
    return _CholeskySolve.apply(B, L)


def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """A⁻¹, where ``input`` is the Cholesky factor of A."""
    square("cholesky_inverse", input)
    floating("cholesky_inverse", input)
    n = input.array.shape[-1]
    diagonal = input.detach().diagonal(dim1=-2, dim2=-1)
    if (diagonal == 0).array.any():
        place = int((diagonal == 0).nonzero()[0, -1]) + 1
        raise LinAlgError(
            message(
                f"cholesky_inverse: The diagonal element {place} is zero, the inverse could not be "
                "completed because the input matrix is singular.",
                describe(input),
            )
        )
    return cholesky_solve(identity(n, input).expand(input.array.shape), input, upper)


def lu(
    input: Tensor, pivot: bool = True, get_infos: bool = False
) -> tuple[Tensor, ...]:
    """torch.linalg.lu_factor_ex as a plain tuple, its info only with ``get_infos``."""
    return tuple(factors.lu_factor_ex(input, pivot=pivot))[: 3 if get_infos else 2]


def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The x with A x = ``input``, given the factors of A."""
    return factors.lu_solve(LU_data, LU_pivots, input)


def qr(input: Tensor, some: bool = True) -> results.qr_of_torch:
    """torch.linalg.qr, with ``some=False`` in its complete form."""
    return results.qr_of_torch(*orthogonal.qr(input, "reduced" if some else "complete"))


def slogdet(input: Tensor) -> results.slogdet_of_torch:
    """torch.linalg.slogdet."""
    return results.slogdet_of_torch(*determinants.slogdet(input))


def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """torch.linalg.householder_product."""
    return orthogonal.householder_product(input, input2)


# ---- singular values -----------------------------------------------------------------------------
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> results.svd_with_v:
    """(U, S, V) with input = U diag(S) Vᵀ; without ``compute_uv`` U and V are 0."""
    matrices("svd", input)
    if compute_uv:
        U, S, Vh = spectra.svd(input, full_matrices=not some)
        return results.svd_with_v(U, S, Vh.mH)
    *batch, m, n = input.array.shape
    U, V = (input.new_zeros((*batch, k, k)) for k in (m, n))
    return results.svd_with_v(U, spectra.svdvals(input), V)


def nuclear_norm(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum of the singular values of matrices."""
    pair = (-2, -1) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    return norms.matrix_norm(input, "nuc", pair, keepdim)


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> results.svd_with_v:
    """(U, S, V): the ``q`` largest singular values of A − M, and their vectors, approximately.

    By a random basis that ``niter`` products with A and Aᵀ turn towards them (Halko, Martinsson and
    Tropp, "Finding structure with randomness", 2011, algorithms 4.4 and 5.1).
    """
    matrices("svd_lowrank", A)
    floating("svd_lowrank", A)
    A = A if M is None else A - M
    if A.array.shape[-2] < A.array.shape[-1]:
        U, S, V = svd_lowrank(A.mH, q, niter)
        return results.svd_with_v(V, S, U)
    size = (A.array.shape[-1], 6 if q is None else q)
    start = FUNCTIONS["randn"](size, dtype=A.dtype, device=A.device)
    Q = orthogonal.qr(wide(A @ start)).Q
    for _ in range(2 if niter is None else niter):
        Q = orthogonal.qr(wide(A.mH @ Q)).Q
        Q = orthogonal.qr(wide(A @ Q)).Q
    U, S, Vh = spectra.svd(wide(Q.mH @ A), full_matrices=False)
    return results.svd_with_v(Q @ U, S, Vh.mH)


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> results.svd_with_v:
    """svd_lowrank of the rows of ``A``, from which with ``center`` their mean is taken."""
    matrices("pca_lowrank", A)
    m, n = A.array.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(
            message(
                f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}",
                describe(A),
            )
        )
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


def lobpcg(
    A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None,
    n: int | None = None, iK: Tensor | None = None, niter: int | None = None,
    tol: float | None = None, largest: bool | None = None, method: str | None = None,
    tracker: object = None, ortho_iparams: object = None, ortho_fparams: object = None,
    ortho_bparams: object = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """``(E, X)``: the ``k`` largest (or smallest) E with A X = B X E, A symmetric, B positive.

    PyTorch approximates them by steps from ``X``; dense matrices are decomposed here, whatever the
    settings of the steps are. k is 1, or the number of columns of X, unless given.
    """
    matrices("lobpcg", A)
    square("lobpcg", A)
    count = k if k is not None else 1 if X is None else X.array.shape[-1]
    if A.array.shape[-1] < 3 * count:
        raise ValueError(
            message(
                f"LPBPCG algorithm is not applicable when the number of A rows "
                f"(={A.array.shape[-1]}) is smaller than 3 x the number of requested eigenpairs "
                f"(={count})"
            )
        )
    if B is None:
        E, V = spectra.eigh(A)
    else:
        L = factors.cholesky(B)
        half = solving.solve_triangular(L, A, upper=False)
        E, V = spectra.eigh(solving.solve_triangular(L, half.mH, upper=False))
        V = solving.solve_triangular(L.mH, V, upper=True)
    if largest is None or largest:
        E, V = E.flip(-1), V.flip(-1)
    return E[..., :count], V[..., :count]


def frobenius_norm(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """The root of the sum of squares over ``dim``."""
    return norms.vector_norm(input, 2, None if dim == () or dim == [] else dim, keepdim)


# ---- products ------------------------------------------------------------------------------------
def chain_matmul(*matrices: Tensor) -> Tensor:
    """torch.linalg.multi_dot of any number of matrices."""
    if not matrices:
        raise RuntimeError(message("chain_matmul(): Expected one or more matrices"))
    for matrix in matrices:
        if matrix.array.ndim != 2:
            raise RuntimeError(
                message(f"Tensor dimension is {matrix.array.ndim}, expected 2 instead.")
            )
    return multi_dot(matrices) if len(matrices) > 1 else matrices[0]


# what PyTorch would have one use instead
IN_FAVOR_OF = {
    "chain_matmul": "multi_dot", "cholesky": "cholesky", "lu": "lu_factor", "lu_solve": "lu_solve",
    "qr": "qr", "triangular_solve": "solve_triangular",
}  # fmt: skip


def deprecated(f: Callable[P, R], new: str) -> Callable[P, R]:
    """``f`` with PyTorch's warning that it is an older name."""

    @functools.wraps(f)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        warn(
            f"torch.{f.__name__} is deprecated in favor of torch.linalg.{new} and will be removed "
            "in a future PyTorch release."
        )
        return f(*args, **kwargs)

    return function


NO_OUT = "det lobpcg logdet lu matrix_exp pca_lowrank pinverse svd_lowrank".split()
for _name in __all__:
    _made = called(globals()[_name], out=_name not in NO_OUT)
    globals()[_name] = deprecated(_made, IN_FAVOR_OF[_name]) if _name in IN_FAVOR_OF else _made
