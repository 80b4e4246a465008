"""The vector product in three dimensions, and the Kronecker product."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import broadcast_error, describe, message, warn
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.record import constant_of
from ..engine.short import unrecorded_arrays
from .arguments import dim_of, owned
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Namespace
    from ..handles.tensor import Tensor


def _cross(F: Namespace, x: Array, y: Array, dim: int) -> Array:
    """Element i is x[i + 1] y[i + 2] − x[i + 2] y[i + 1], counted modulo 3."""
    at: list[Any] = [(*(slice(None),) * dim, i, ...) for i in range(3)]
    xs, ys = [x[i] for i in at], [y[i] for i in at]
    parts = [xs[i - 2] * ys[i - 1] - xs[i - 1] * ys[i - 2] for i in range(3)]
    return F.stack(*parts, dim=dim)


cross_op = Op(
    "cross",
    _cross,
    vjps=(
        lambda F, g, out, x, y, dim: F.cross(y, g, dim=dim),
        lambda F, g, out, x, y, dim: F.cross(g, x, dim=dim),
    ),
    saves=("y", "x"),
    complex="holomorphic",
    rule=("y × g", "g × x"),
    torch_name="LinalgCross",
)


def product(input: Tensor, other: Tensor, dim: int) -> Tensor:
    """``linalg.cross``: element i is a[i + 1] b[i + 2] − a[i + 2] b[i + 1], counted modulo 3."""
    a, b = input.array, other.array
    if a.ndim != b.ndim:
        raise RuntimeError(
            message(
                "linalg.cross: inputs must have the same number of dimensions.",
                f"{describe(input)}, {describe(other)}",
            )
        )
    if a.dtype != b.dtype:
        kinds = TORCH_TYPES[a.dtype.name], TORCH_TYPES[b.dtype.name]
        raise RuntimeError(message(f"expected scalar type {kinds[0]} but found {kinds[1]}"))
    dim = dim_of(dim, a.ndim, "linalg.cross")
    if not a.ndim or a.shape[dim] != 3 or b.shape[dim] != 3:
        raise RuntimeError(
            message(
                f"linalg.cross: inputs dimension {dim} must have length 3.",
                f"{describe(input)}, {describe(other)}",
            )
        )
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise broadcast_error("linalg.cross", [input, other]) from None
    if a.shape != b.shape:
        input, other = input.expand(shape), other.expand(shape)
    return apply(cross_op, (input, other), {"dim": dim})


@public()
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along ``dim``; without one, along the first that has 3 elements."""
    if dim is None:
        if 3 not in input.array.shape:
            raise RuntimeError(message("no dimension of size 3 in input", describe(input)))
        warn(
            "Using torch.cross without specifying the dim arg is deprecated.\n"
            "Please either pass the dim explicitly or simply use torch.linalg.cross, which takes "
            "the last one."
        )
        dim = input.array.shape.index(3)
    return product(input, other, dim)


@public()
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of ``input`` times the whole of ``other``."""
    n = max(input.array.ndim, other.array.ndim)
    # of one element each they have a dimension, and so decide on the dtype
    if n and not (input.array.ndim and other.array.ndim):
        input, other = (t if t.array.ndim else t.reshape(1) for t in (input, other))
    if n == 1:
        return owned((input.reshape(-1, 1) * other).reshape(-1))
    a, b = input.array.shape, other.array.shape
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    apart = [s for size in a for s in (size, 1)], [s for size in b for s in (1, size)]
    shape = [p * q for p, q in zip(a, b, strict=True)]
    if (found := unrecorded_arrays(input, other)) is not None:
        dev, x, y = found
        return constant_of(dev.mul(x.reshape(apart[0]), y.reshape(apart[1])).reshape(shape), dev)
    blocks, inside = input.reshape(apart[0]), other.reshape(apart[1])
    return owned((blocks * inside).reshape(shape))
