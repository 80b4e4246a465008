"""``torch.linalg``: numpy's linear algebra, with derivatives where they are short.

``inv``, ``solve``, ``det``, ``slogdet``, ``cholesky`` are custom functions, whose backward is
written with Tensor operations and so can be differentiated again. With B = A⁻¹ and upstream
gradient G (Giles, "Collected matrix derivative results", 2008):

    inv       −Bᵀ G Bᵀ
    solve     for b: V = Bᵀ G; for A: −V xᵀ
    det       g · det(A) · Bᵀ
    slogdet   g · Bᵀ
    cholesky  L⁻ᵀ Φ(Lᵀ G) L⁻¹, made symmetric; Φ takes the lower triangle and half of the diagonal

The decompositions (``eigh svd qr lstsq pinv``) have none here: an input that requires gradient
raises instead of losing it.
"""
from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from .autograd.function import Function
from .base.errors import describe, message, missing
from .engine.record import constant
from .graph import mode
from .handles.tensor import Tensor
from .ops.surface import METHODS

__all__ = [
    "cholesky",
    "det",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "vector_norm",
]


class LinAlgError(RuntimeError):
    """A matrix that has no such inverse or factor (PyTorch: torch.linalg.LinAlgError)."""


def _run(name: str, function: Callable[..., Any], *operands: Tensor) -> Any:
    """numpy's function on float matrices, with its error in PyTorch's class."""
    for t in operands:
        if t.array.dtype not in (np.float32, np.float64):
            raise RuntimeError(
                message(
                    f"linalg.{name}: Expected a floating point tensor as input. Got "
                    f"{t.array.dtype.name}",
                    fix="x.float()",
                )
            )
    try:
        return function(*[t.array for t in operands])
    except np.linalg.LinAlgError as error:
        what = "the input matrix is singular" if "ingular" in str(error) else str(error)
        raise LinAlgError(
            message(f"linalg.{name}: {what}", ", ".join(map(describe, operands)))
        ) from None


def _square(name: str, A: Tensor) -> None:
    if A.array.ndim < 2 or A.array.shape[-1] != A.array.shape[-2]:
        raise RuntimeError(
            message(
                f"linalg.{name}: A must be batches of square matrices, but they are "
                f"{' by '.join(map(str, A.array.shape[-2:]))} matrices",
                describe(A),
            )
        )


def _plain(name: str, A: Tensor, function: Callable[..., Any], *more: Tensor) -> Any:
    """A decomposition without derivative, as tensors."""
    if mode.get().grad and (A.requires_grad or any(t.requires_grad for t in more)):
        raise NotImplementedError(
            message(
                f"linalg.{name} has no derivative in microtorch",
                describe(A),
                fix="detach() the input",
            )
        )
    result = _run(name, function, A, *more)
    return (
        tuple(constant(np.asarray(r)) for r in result)
        if isinstance(result, tuple)
        else constant(np.asarray(result))
    )


class _Inv(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Tensor:
        B = constant(_run("inv", np.linalg.inv, A))
        ctx.save_for_backward(B)
        return B

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (B,) = ctx.saved_tensors
        return -(B.mT @ g @ B.mT)


class _Solve(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor, b: Tensor) -> Tensor:
        x = constant(_run("solve", np.linalg.solve, A, b))
        ctx.save_for_backward(A, x)
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        A, x = ctx.saved_tensors
        v = _Solve.apply(A.mT, g)
        return -(v @ x.mT), v


class _Det(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Tensor:
        d = constant(np.asarray(_run("det", np.linalg.det, A)))
        ctx.save_for_backward(A, d)
        return d

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        A, d = ctx.saved_tensors
        return (g * d)[..., None, None] * inv(A).mT


class _Slogdet(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> tuple[Tensor, Tensor]:
        sign, log = (constant(np.asarray(v)) for v in _run("slogdet", np.linalg.slogdet, A))
        ctx.save_for_backward(A)
        ctx.mark_non_differentiable(sign)
        return sign, log

    @staticmethod
    def backward(ctx: Any, g_sign: Tensor, g: Tensor) -> Tensor:
        (A,) = ctx.saved_tensors
        return g[..., None, None] * inv(A).mT


class _Cholesky(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Tensor:
        L = constant(_run("cholesky", np.linalg.cholesky, A))
        ctx.save_for_backward(L)
        return L

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (L,) = ctx.saved_tensors
        B = inv(L)
        inner = (L.mT @ g).tril()
        inner = inner - 0.5 * inner.tril().triu()
        S = B.mT @ inner @ B
        return 0.5 * (S + S.mT)


def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices (..., n, n). RuntimeError if one is singular."""
    _square("inv", A)
    return _Inv.apply(A)


def solve(A: Tensor, B: Tensor) -> Tensor:
    """x with A x = B: A (..., n, n), B (..., n, k) or (n,)."""
    _square("solve", A)
    if B.array.ndim == 1:
        return _Solve.apply(A, B.unsqueeze(-1)).squeeze(-1)
    if A.array.shape[-1] != B.array.shape[-2]:
        raise RuntimeError(
            message(
                "linalg.solve: Incompatible shapes of A and B for the equation AX = B",
                describe(A),
                describe(B),
            )
        )
    shape = np.broadcast_shapes(A.array.shape[:-2], B.array.shape[:-2])
    return _Solve.apply(
        A.expand(*shape, *A.array.shape[-2:]), B.expand(*shape, *B.array.shape[-2:])
    )


def det(A: Tensor) -> Tensor:
    """The determinant of square matrices (..., n, n).

    (Its gradient at a singular matrix raises.)
    """
    _square("det", A)
    return _Det.apply(A)


_SignLog = namedtuple("slogdet", ["sign", "logabsdet"])


def slogdet(A: Tensor) -> Any:
    """(sign, log |det A|) of square matrices, without overflow."""
    _square("slogdet", A)
    return _SignLog(*_Slogdet.apply(A))


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Lower triangular L with A = L Lᵀ, of symmetric positive definite matrices."""
    _square("cholesky", A)
    L = _Cholesky.apply(A)
    return L.mT if upper else L


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A multiplied n times with itself; for negative n the inverse."""
    _square("matrix_power", A)
    if n < 0:
        return matrix_power(inv(A), -n)
    out = constant(
        np.broadcast_to(np.eye(A.array.shape[-1], dtype=A.array.dtype), A.array.shape).copy()
    )
    while n:  # by squares: 2 log2(n) products
        if n % 2:
            out = out @ A
        n //= 2
        A = A @ A if n else A
    return out


def multi_dot(tensors: Any) -> Tensor:
    """The matrix product of several tensors, from left to right."""
    out, *rest = tensors
    for t in rest:
        out = out @ t
    return out


def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The norm (Σ |x|**ord) ** (1/ord) of the elements over ``dim`` (all if None)."""
    return METHODS["norm"](x, ord, dim, keepdim)


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """A norm of matrices:

    "fro" (root of the sum of squares), 1 and -1 (column sums), inf and -inf (row sums).
    """
    if ord == "fro":
        return METHODS["norm"](A, 2, dim, keepdim)
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise NotImplementedError(
            message(
                f"linalg.matrix_norm: ord={ord!r} is not in microtorch",
                fix="'fro', 1, -1, inf or -inf",
            )
        )
    row, column = (d % A.array.ndim for d in dim)
    along, over = (row, column) if abs(ord) == 1 else (column, row)
    sums = A.abs().sum(along, keepdim=True)
    out = sums.amax(over, True) if ord > 0 else sums.amin(over, True)
    return out if keepdim else out.squeeze((row, column))


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Tensor:
    """vector_norm, or matrix_norm if ``ord`` is given for two dimensions; without ``ord``, the root
    of the sum of squares.
    """
    if ord is None:
        return METHODS["norm"](A, 2, dim, keepdim)
    two = A.array.ndim == 2 if dim is None else isinstance(dim, (tuple, list)) and len(dim) == 2
    if isinstance(ord, str) or two:
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim)
    return vector_norm(A, ord, dim, keepdim)


_Eigh = namedtuple("eigh", ["eigenvalues", "eigenvectors"])
_QR = namedtuple("qr", ["Q", "R"])
_SVD = namedtuple("svd", ["U", "S", "Vh"])
_Lstsq = namedtuple("lstsq", ["solution", "residuals", "rank", "singular_values"])


def eigh(A: Tensor) -> Any:
    """(eigenvalues, eigenvectors) of symmetric matrices, eigenvalues ascending. No derivative."""
    _square("eigh", A)
    return _Eigh(*_plain("eigh", A, lambda a: tuple(np.linalg.eigh(a))))


def eigvalsh(A: Tensor) -> Tensor:
    """The eigenvalues of symmetric matrices, ascending. No derivative."""
    _square("eigvalsh", A)
    return _plain("eigvalsh", A, np.linalg.eigvalsh)


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R) with A = Q R, Q orthogonal, R upper triangular. No derivative."""
    return _QR(*_plain("qr", A, lambda a: tuple(np.linalg.qr(a, mode))))


def svd(A: Tensor, full_matrices: bool = True) -> Any:
    """(U, S, Vh) with A = U diag(S) Vh, singular values descending. No derivative."""
    return _SVD(*_plain("svd", A, lambda a: tuple(np.linalg.svd(a, full_matrices))))


def svdvals(A: Tensor) -> Tensor:
    """The singular values, descending. No derivative."""
    return _plain("svdvals", A, lambda a: np.linalg.svd(a, compute_uv=False))


def lstsq(A: Tensor, B: Tensor) -> Any:
    """(solution, residuals, rank, singular_values) of min ‖A x − B‖, A (m, n), B (m, k).

    No derivative.
    """
    if A.array.ndim != 2 or B.array.ndim != 2:
        raise NotImplementedError(
            message("linalg.lstsq takes matrices here", describe(A), describe(B))
        )
    x, residuals, rank, s = _plain(
        "lstsq", A, lambda a, b: tuple(np.linalg.lstsq(a, b, rcond=None)), B
    )
    return _Lstsq(x, residuals, rank, s)


def pinv(A: Tensor) -> Tensor:
    """The pseudo-inverse. No derivative."""
    return _plain("pinv", A, np.linalg.pinv)


def matrix_rank(A: Tensor) -> Tensor:
    """The number of singular values above rounding error."""
    return _plain("matrix_rank", A.detach(), np.linalg.matrix_rank)


__getattr__ = missing(__name__, __all__)
