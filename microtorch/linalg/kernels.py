"""What numpy lacks, written with it: LU, triangular systems, the exponential of a matrix.

Each works on a batch of matrices at once: a loop over columns, not over matrices. ``info`` is
LAPACK's: 0, or the 1-based place where an algorithm failed.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..base.errors import MissingKernel, message

if TYPE_CHECKING:
    from ..base.types import Array

F = TypeVar("F", bound=Callable[..., Any])


def host(function: F) -> F:
    """A decorator of what runs on numpy arrays only: says so for those of a device."""

    @functools.wraps(function)
    def wrapper(a: Any, *rest: Any, **options: Any) -> Any:
        if not isinstance(a, np.ndarray):
            name = function.__name__
            raise MissingKernel(
                message(f"{a.dev.name} has no kernel '{name}'", fix="x.cpu(), and the result back")
            )
        return function(a, *rest, **options)

    return cast(F, wrapper)  # it has the signature of the function


# ---- LU ------------------------------------------------------------------------------------------
PANEL = 32  # columns that are done one after the other


@host
def lu_factor(a: Array) -> tuple[Array, Array, Array]:
    """(LU, pivots, info): L below the diagonal, U on and above it, and the rows exchanged.

    Partial pivoting: in column j the row with the largest element comes first. ``pivots[j]`` is its
    1-based number; it changes places with row j.
    """
    *batch, m, n = a.shape
    lu = np.array(a, order="C").reshape(math.prod(batch), m, n)
    every, k = np.arange(len(lu)), min(m, n)
    pivots = np.empty((len(lu), k), np.int32)
    info = np.zeros(len(lu), np.int32)
    for first in range(0, k, PANEL):
        last = min(first + PANEL, k)
        end = last if last < k else n
        for j in range(first, last):
            p = _size(lu[:, j:, j]).argmax(axis=1) + j
            pivots[:, j] = p + 1
            top = lu[every, p]  # an index by arrays copies
            lu[every, p] = lu[:, j]
            lu[:, j] = top
            pivot = top[:, j]
            info[(pivot == 0) & (info == 0)] = j + 1
            lu[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)[:, None]  # the column is 0 then
            lu[:, j + 1 :, j + 1 : end] -= lu[:, j + 1 :, j, None] * lu[:, j, None, j + 1 : end]
        rest = lu[:, :, end:]  # gets all that these columns do to it in one product
        for i in range(first + 1, last if end < n else 0):
            rest[:, i] -= (lu[:, i, None, first:i] @ rest[:, first:i])[:, 0]
        rest[:, last:] -= lu[:, last:, first:last] @ rest[:, first:last]
    return lu.reshape(a.shape), pivots.reshape(*batch, k), info.reshape(batch)


def _size(x: Array) -> Array:
    """|x|; of complex numbers LAPACK's measure, the sum of the sizes of the parts."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def permutation(pivots: Array, m: int) -> Array:
    """The row numbers p with ``A[p] = L U``: the exchanges carried out one after the other."""
    *batch, k = pivots.shape
    flat = pivots.reshape(math.prod(batch), k)
    every, order = np.arange(len(flat)), np.tile(np.arange(m), (len(flat), 1))
    for j in range(k):
        p = flat[:, j] - 1
        first = order[:, j].copy()
        order[:, j] = order[every, p]
        order[every, p] = first
    return order.reshape(*batch, m)


def singular(a: Array) -> Array:
    """The ``info`` of LU alone."""
    return lu_factor(a)[2]


def inv(a: Array) -> tuple[Array, Array]:
    """(inverse, info): NaN where a matrix has none."""
    try:
        return np.linalg.inv(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        info, eye = singular(a), np.eye(a.shape[-1], dtype=a.dtype)
        bad = (info != 0)[..., None, None]
        return np.where(bad, np.nan, np.linalg.inv(np.where(bad, eye, a))).astype(a.dtype), info


def solve(a: Array, b: Array) -> tuple[Array, Array]:
    """(x, info) with a x = b: NaN where ``a`` is singular."""
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        info, eye = singular(a), np.eye(a.shape[-1], dtype=a.dtype)
        bad = (info != 0)[..., None, None]
        x = np.linalg.solve(np.where(bad, eye, a), b)
        return np.where(bad, np.nan, x).astype(a.dtype), info


def cholesky(a: Array) -> tuple[Array, Array]:
    """(L, info): NaN where a matrix is not positive definite; info is the order of the minor."""
    try:
        out = np.linalg.cholesky(a)
        if not np.isfinite(out).all():  # LAPACK's libraries differ in what they make of it
            raise np.linalg.LinAlgError
        return out, np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        out, info = np.full(a.shape, np.nan, a.dtype), np.zeros(a.shape[:-2], np.int32)
        for place in np.ndindex(*info.shape):
            info[place] = _minor(a[place])
            if not info[place]:
                out[place] = np.linalg.cholesky(a[place])
        return out, info


def _minor(a: Array) -> int:
    """The order of the first leading minor of ``a`` that has no Cholesky factor; 0 if all have."""
    for k in range(1, len(a) + 1):
        *left, pivot = a[k - 1, :k]
        if np.isnan(pivot) or not np.isfinite(left).all():
            return k
        try:
            np.linalg.cholesky(a[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


# ---- triangular systems --------------------------------------------------------------------------
@host
def substitute(a: Array, b: Array, upper: bool, unit: bool) -> Array:
    """The x with ``a x = b`` for triangular ``a``, row by row.

    A 0 on the diagonal divides, as in PyTorch, and gives inf and nan.
    """
    n, x = a.shape[-1], np.array(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in reversed(range(n)) if upper else range(n):
            known = slice(i + 1, n) if upper else slice(0, i)
            x[..., i, :] -= (a[..., i, None, known] @ x[..., known, :])[..., 0, :]
            if not unit:
                x[..., i, :] /= a[..., i, i, None]
    return x


# ---- the exponential -----------------------------------------------------------------------------
# of the Padé approximant of exp of degree 13, and the norm up to which it is exact to rounding
# (Higham, "The scaling and squaring method for the matrix exponential revisited", 2005)
PADE = [
    math.factorial(26 - j) * math.factorial(13)
    / (math.factorial(26) * math.factorial(j) * math.factorial(13 - j))
    for j in range(14)
]  # fmt: skip
NORM = 5.371920351148152


@host
def expm(a: Array) -> Array:
    """exp of square matrices: of the matrix halved s times, then squared s times."""
    if not a.size:
        return a.copy()
    x = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    norms = np.abs(x).sum(axis=-2).max(axis=-1)
    bad = ~np.isfinite(norms)
    x = np.where(bad[..., None, None], 0, x)
    halvings = np.ceil(np.log2(np.maximum(np.where(bad, 1, norms) / NORM, 1)))
    x = x * np.exp2(-halvings)[..., None, None]
    even, odd, square = np.zeros_like(x), np.zeros_like(x), x @ x
    power = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for j in range(0, 14, 2):
        even, odd = even + PADE[j] * power, odd + PADE[j + 1] * power
        power = power @ square
    odd = x @ odd
    out = np.linalg.solve(even - odd, even + odd)
    for s in range(int(halvings.max())):
        out = np.where((halvings > s)[..., None, None], out @ out, out)
    return np.where(bad[..., None, None], np.nan, out).astype(a.dtype)
