"""Inverses and linear systems. With B = A⁻¹ and the upstream gradient G,

    inv                −Bᵀ G Bᵀ
    solve              for b: V = Bᵀ G, the solution of a system with Aᵀ; for A: −V xᵀ
    solve_triangular   likewise, and of that for A the triangle that was read
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..autograd.function import Function
from ..base.errors import describe, message
from ..ops.arguments import owned
from . import kernels, results
from .checks import (
    Found,
    as_tensor,
    broadcast_batches,
    by_numpy,
    floating,
    matrices,
    raise_singular,
    square,
)

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..handles.tensor import Tensor

NOT_INVERTIBLE = (
    "The diagonal element {info} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)
NOT_SOLVABLE = "The solver failed because the input matrix is singular."


# ---- inverses ------------------------------------------------------------------------------------
class _Inv(Function):
    node_name = "LinalgInvExBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, found: Found) -> Tensor:
        B = as_tensor(found(A)[0])
        ctx.save_for_backward(B)
        return B

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, None]:
        (B,) = ctx.saved_tensors
        return -(B.mH @ g @ B.mH), None


def inv_ex(A: Tensor, *, check_errors: bool = False, _name: str = "inv_ex") -> results.inv_ex:
    """(inverse, info) of square matrices; a singular one has an info other than 0, and NaN."""
    square(_name, A)
    found = Found(_name, kernels.inv, A)
    info = found.results[1]
    if check_errors:
        raise_singular(_name, A, info, NOT_INVERTIBLE, fix="linalg.pinv(A)")
    return results.inv_ex(found.outputs(_Inv, A), as_tensor(info))


def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices (..., n, n). Raises LinAlgError if one is singular."""
    return inv_ex(A, check_errors=True, _name="inv").inverse


def unchecked_inverse(A: Tensor) -> Tensor:
    """The inverse, NaN where there is none."""
    return inv_ex(A).inverse


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of ``A`` as a map from its last dimensions to its first ``ind``."""
    if ind <= 0:
        raise RuntimeError(
            message(f"Expected a strictly positive integer for 'ind', but got {ind}")
        )
    first, last = A.array.shape[:ind], A.array.shape[ind:]
    n, m = math.prod(first), math.prod(last)
    if n != m:
        raise RuntimeError(
            message(
                "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
                f"prod(self.shape[:ind]), but got {m} != {n}",
                describe(A),
            )
        )
    return inv(A.reshape(n, n)).reshape(*last, *first)


# ---- systems -------------------------------------------------------------------------------------
class _Solve(Function):
    node_name = "LinalgSolveExBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, B: Tensor, found: Found) -> Tensor:
        x = as_tensor(found(A, B)[0])
        ctx.save_for_backward(A, x)
        return x

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, Tensor, None]:
        A, x = ctx.saved_tensors
        v = solve_ex(A.mH, g).result  # whether A is singular has been asked, if it had to be
        return -(v @ x.mH), v, None


def solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, _name: str = "solve_ex"
) -> results.solve_ex:
    """(result, info) of A x = B; a singular ``A`` has an info other than 0, and NaN."""
    square(_name, A)
    a, b = A.array.shape, B.array.shape
    if len(b) == 1 or (len(a) - 1 == len(b) and b == a[:-1]):  # vectors
        if not left:
            raise RuntimeError(
                message(f"linalg.{_name}: Vector broadcasting of the left hand side is not "
                        "supported for left=False. In this case linalg.solve is equivalent to "
                        "B / A.squeeze(-1)")
            )  # fmt: skip
        x, info = solve_ex(A, B.unsqueeze(-1), check_errors=check_errors, _name=_name)
        return results.solve_ex(owned(x.squeeze(-1)), info)
    if not left:
        x, info = solve_ex(A.mT, B.mT, check_errors=check_errors, _name=_name)
        return results.solve_ex(owned(x.mT), info)
    _fits(_name, A, B)
    A, B = broadcast_batches(_name, A, B)
    found = Found(_name, kernels.solve, A, B)
    info = found.results[1]
    if check_errors:
        raise_singular(_name, A, info, NOT_SOLVABLE, fix="linalg.lstsq(A, B).solution")
    return results.solve_ex(found.outputs(_Solve, A, B), as_tensor(info))


def _fits(name: str, A: Tensor, B: Tensor) -> None:
    matrices(name, B)
    if A.array.shape[-1] != B.array.shape[-2]:
        raise RuntimeError(
            message(
                f"linalg.{name}: Incompatible shapes of A and B for the equation AX = B",
                describe(A),
                describe(B),
                fix=f"B has as many rows: {A.array.shape[-1]}, not {B.array.shape[-2]}",
            )
        )


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The x with A x = B, where A is (..., n, n) and B is (..., n, k) or a vector (..., n).

    With ``left=False`` that with x A = B.
    """
    return solve_ex(A, B, left=left, check_errors=True, _name="solve").result


class _SolveTriangular(Function):
    node_name = "LinalgSolveTriangularBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor, B: Tensor, upper: bool, unit: bool) -> Tensor:
        x = as_tensor(
            by_numpy("solve_triangular", kernels.substitute, A, B, upper=upper, unit=unit)
        )
        ctx.save_for_backward(A, x)
        ctx.upper, ctx.unit = upper, unit
        return x

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, Tensor, None, None]:
        A, x = ctx.saved_tensors
        upper, unit = ctx.upper, ctx.unit
        v = solve_triangular(A.mH, g, upper=not upper, unitriangular=unit)
        full = -(v @ x.mH)
        return full.triu(int(unit)) if upper else full.tril(-int(unit)), v, None, None


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """The x with A x = B for triangular matrices; the other triangle of ``A`` is not read.

    ``unitriangular``: nor is the diagonal, which is taken as ones. ``left=False``: x A = B.
    """
    square("solve_triangular", A)
    if not left:
        x = solve_triangular(A.mT, B.mT, upper=not upper, unitriangular=unitriangular)
        return owned(x.mT)
    _fits("solve_triangular", A, B)
    A, B = broadcast_batches("solve_triangular", A, B)
    return _SolveTriangular.apply(A, B, upper, unitriangular)


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The X with ``tensordot(A, X, X.ndim) = B``.

    ``dims`` of ``A`` are moved to its end first.
    """
    floating("tensorsolve", A, B)
    if dims is not None:
        A = A.movedim(list(dims), list(range(-len(dims), 0)))
    unknown = A.array.shape[B.array.ndim :]
    n = B.array.size
    if math.prod(unknown) != n:
        raise RuntimeError(
            message(
                "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
                f"prod(self.shape[:other.ndim]), but got {math.prod(unknown)} != {n}",
                f"{describe(A)}, {describe(B)}",
            )
        )
    return solve(A.reshape(n, n), B.reshape(n)).reshape(unknown)
