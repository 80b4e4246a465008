"""The factors L D Lᵀ of symmetric matrices that need not be positive definite.

They are LAPACK's (Bunch and Kaufman's pivoting), which numpy does not hand out and scipy does. They
have no derivative, as in PyTorch.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import describe, message
from . import results
from .checks import as_tensor, broadcast_batches, by_numpy, raise_singular, records, square

if TYPE_CHECKING:
    from ..base.types import Array
    from ..handles.tensor import Tensor


def _lapack(name: str, like: Array) -> Any:
    """LAPACK's routine for the dtype of ``like``."""
    try:
        from scipy.linalg.lapack import get_lapack_funcs  # optional, and only this file needs it
    except ImportError:
        raise ImportError(
            message(
                "linalg.ldl_factor and ldl_solve need scipy, which is not installed",
                fix='pip install "microtorch[special]"',
            )
        ) from None
    return get_lapack_funcs(name, (like,))


def _factor(a: Array, hermitian: bool) -> tuple[Array, Array, Array]:
    sytrf = _lapack("hetrf" if hermitian and a.dtype.kind == "c" else "sytrf", a)
    *batch, n, _ = a.shape
    LD, pivots = np.tril(a), np.zeros((*batch, n), np.int32)
    info = np.zeros(batch, np.int32)
    for place in np.ndindex(*batch) if n else ():
        LD[place], pivots[place], info[place] = sytrf(LD[place], lower=1)
    return LD, pivots, info


def _solve(LD: Array, pivots: Array, b: Array, hermitian: bool) -> Array:
    name = "hetrs" if hermitian and LD.dtype.kind == "c" else "sytrs"
    sytrs, x = _lapack(name, LD), np.array(b)
    for place in np.ndindex(*b.shape[:-2]) if b.size else ():
        x[place] = sytrs(LD[place], pivots[place], b[place], lower=1)[0]
    return x


def _refuse(name: str, *operands: Tensor) -> None:
    if records(*operands):
        raise NotImplementedError(
            message(f"the derivative for 'linalg.{name}' is not implemented.", fix="x.detach()")
        )


def ldl_factor_ex(
    A: Tensor, *, hermitian: bool = False, check_errors: bool = False, _name: str = "ldl_factor_ex"
) -> results.ldl_factor_ex:
    """(LD, pivots, info): L and D in one matrix, of which the lower triangle is read.

    ``hermitian``: of complex matrices, L D Lᴴ. It makes no difference to real ones.
    """
    square(_name, A)
    _refuse(_name, A)
    LD, pivots, info = by_numpy(_name, lambda a: _factor(a, hermitian), A)
    if check_errors:
        what = "The factorization could not be completed: D[{info},{info}] is zero."
        raise_singular(_name, A, info, what)
    return results.ldl_factor_ex(as_tensor(LD), as_tensor(pivots), as_tensor(info))


def ldl_factor(A: Tensor, *, hermitian: bool = False) -> results.ldl_factor:
    """(LD, pivots) of symmetric matrices, for ``ldl_solve``."""
    LD, pivots, _ = ldl_factor_ex(
        A, hermitian=hermitian, check_errors=True, _name="ldl_factor"
    )
    return results.ldl_factor(LD, pivots)


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """The x with A x = B, given the factors of A."""
    square("ldl_solve", LD)
    _refuse("ldl_solve", LD, B)
    if B.array.ndim < 2 or B.array.shape[-2] != LD.array.shape[-1]:
        raise RuntimeError(
            message(
                "torch.linalg.ldl_solve: Expected B to have as many rows as LD",
                f"{describe(LD)}, {describe(B)}",
            )
        )
    LD, B = broadcast_batches("ldl_solve", LD, B)
    rows = np.broadcast_to(pivots.array, LD.array.shape[:-1])
    return as_tensor(by_numpy("ldl_solve", lambda a, b: _solve(a, rows, b, hermitian), LD, B))
