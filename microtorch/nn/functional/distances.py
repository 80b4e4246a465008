"""Vectors of norm 1, and how far apart vectors are."""

from __future__ import annotations

import numpy as np

from ...arrays import dtypes
from ...autograd import no_grad
from ...base.errors import describe, message
from ...engine.argument_types import check_type
from ...engine.out import into
from ...handles.tensor import Tensor
from ...ops.arguments import tensors_only
from ...ops.select import clamp_min
from ...ops.shape import broadcast_tensors
from ...ops.vector_norm import norm


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float | Tensor = 1e-12,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """x / max(‖x‖_p, eps), norms taken along `dim`; written to `out` if given."""
    if out is not None:
        result: Tensor = into(out, normalize, (input, p, dim, eps), {})
        return result
    return input / clamp_min(norm(input, p, dim, True), eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between vectors along `dim`.

    x1·x2 / (max(‖x1‖, eps) max(‖x2‖, eps)), of x1 and x2 in their common shape. The gradient is
    that of the norms themselves, also below eps.
    """
    if type(dim) is not int:
        check_type("cosine_similarity", "dim", "int", dim)
    if not eps >= 0:
        raise RuntimeError(message(f"eps must be non-negative, got: {eps}"))
    if x1.array.dtype is not x2.array.dtype or x1.array.dtype.kind != "f":  # else as they are
        rank = 2 if x1.array.ndim or x2.array.ndim else 1  # of their common shape
        operands = [(x.array.dtype, rank) for x in (x1, x2)]
        d = dtypes.FROM_NUMPY[dtypes.promote(operands)]
        if not d.is_floating_point:
            what = f"expected common dtype to be floating point, yet common dtype is {d}"
            raise RuntimeError(message(what, f"cosine_similarity: {describe(x1)}, {describe(x2)}"))
        x1, x2 = x1.to(d), x2.to(d)
    if x1.array.shape != x2.array.shape:
        x1, x2 = broadcast_tensors(x1, x2)
    first, second = [x / _at_least(norm(x, 2, dim, True), eps) for x in (x1, x2)]
    return (first * second).sum(dim)


def _at_least(length: Tensor, eps: float) -> Tensor:
    """max(length, eps), which its gradient does not see: PyTorch's is that of the length."""
    if length.node.op is None and type(length.array) is np.ndarray:
        return clamp_min(length, eps)
    length = length.clone()
    with no_grad():
        length.clamp_(min=eps)
    return length


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x1 - x2 + eps‖_p along the last dim."""
    tensors_only("pairwise_distance", x1=x1, x2=x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)
