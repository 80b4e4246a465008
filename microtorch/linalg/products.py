"""Powers and the exponential of a matrix, products of several, and of vectors."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..autograd.function import Function
from ..base.errors import describe, message
from ..ops import cross as crosses
from ..ops.arrange import powers
from ..ops.surface import FUNCTIONS
from . import kernels
from .checks import as_tensor, by_numpy, floating, identity, square
from .solving import inv

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..handles.tensor import Tensor


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A multiplied n times with itself; for a negative n, the inverse."""
    square("matrix_power", A)
    if n < 0:
        return matrix_power(inv(A), -n)
    if n == 0:  # a gradient of 0 flows on
        return A.clone().copy_(identity(A.array.shape[-1], A))
    out = None
    while n:  # by squares: 2 log2(n) products
        if n % 2:
            out = A if out is None else out @ A
        n //= 2
        A = A @ A if n else A
    assert out is not None
    return out.clone() if out is A else out


class _MatrixExp(Function):
    """The gradient is a block of a larger exponential (Mathias, "A chain rule for matrix functions
    and applications", 1996): exp((Aᴴ, G; 0, Aᴴ)) = (exp Aᴴ, Ḡ; 0, exp Aᴴ).
    """
    node_name = "LinalgMatrixExpBackward0"

    @staticmethod
    def forward(ctx: FunctionCtx, A: Tensor) -> Tensor:
        ctx.save_for_backward(A)
        return as_tensor(by_numpy("matrix_exp", kernels.expm, A))

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        (A,) = ctx.saved_tensors
        cat, n = FUNCTIONS["cat"], A.array.shape[-1]
        top, bottom = cat((A.mH, g), -1), cat((g.new_zeros(g.shape), A.mH), -1)
        return matrix_exp(cat((top, bottom), -2))[..., :n, n:]


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential Σ Aᵏ / k! of square matrices."""
    square("matrix_exp", A)
    return _MatrixExp.apply(A)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The matrix product of several tensors, in the order that takes the fewest multiplications.

    The first may be a row vector and the last a column vector.
    """
    given = list(tensors)
    if len(given) < 2:
        raise RuntimeError(
            message(f"multi_dot(): expected at least 2 tensors but got {len(given)}")
        )
    for i, t in enumerate(given):
        vector = t.array.ndim == 1 and i in (0, len(given) - 1)
        if t.array.ndim != 2 and not vector:
            raise RuntimeError(
                message(f"multi_dot(): expected a matrix as tensor {i}", describe(t))
            )
        if t.array.dtype != given[0].array.dtype:
            raise RuntimeError(
                message("multi_dot(): expected all tensors to have the same dtype", describe(t))
            )
    sizes = [1 if given[0].array.ndim == 1 else given[0].array.shape[0]]
    for i, t in enumerate(given):
        inner = t.array.shape[0] if t.array.ndim == 2 or i else t.array.size
        if i and inner != sizes[-1]:
            before = given[i - 1].array.shape
            raise RuntimeError(
                message(
                    f"multi_dot(): tensors {i - 1} and {i} with shapes {list(before)} and "
                    f"{list(t.array.shape)} cannot be multiplied"
                )
            )
        sizes.append(t.array.shape[1] if t.array.ndim == 2 else 1 if i else t.array.size)
    split = _order(sizes)

    def product(i: int, j: int) -> Tensor:
        return given[i] if i == j else product(i, split[i, j]) @ product(split[i, j] + 1, j)

    return product(0, len(given) - 1)


def _order(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product of matrices i ... j (sizes[i] by sizes[i + 1], ...), for all i, j.

    The classical dynamic programme: the best of a product is made of the bests of its two halves.
    """
    n = len(sizes) - 1
    cost, split = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [
                cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            ]
            split[i, j] = i + int(np.argmin(costs))
            cost[i, j] = min(costs)
    return split


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The matrix whose column k is ``x ** k``, N columns (as many as x has elements)."""
    x = x.unsqueeze(0) if x.array.ndim == 0 else x
    n = x.array.shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError(message("N must be greater than 1.", f"N={n}", describe(x)))
    if x.array.dtype.kind == "b":
        what = "linalg.vander supports floating point, complex, and integer tensors, but got Bool"
        raise RuntimeError(message(what, describe(x), fix="x.int()"))
    return powers(x, n)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ conj(x) y over ``dim``; the other dimensions broadcast."""
    if x.array.dtype.kind not in "fcV":
        floating("vecdot", x)
    if x.array.dtype != y.array.dtype:
        one, two = (TORCH_TYPES[t.array.dtype.name] for t in (x, y))
        raise RuntimeError(
            message(
                "linalg.vecdot: Expected x and y to have the same dtype, but found x of type "
                f"{one} and y of type {two} instead"
            )
        )
    if x.array.dtype.itemsize == 2:  # the sum is rounded, and not each product
        return (x.float() * y.float()).sum(dim).to(x.dtype)
    return (x.conj() * y).sum(dim)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product along ``dim``, which has 3 elements; the other dimensions broadcast."""
    return crosses.product(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of matrices."""
    return A.diagonal(offset, dim1, dim2)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """torch.matmul."""
    result: Any = input @ other
    return result
