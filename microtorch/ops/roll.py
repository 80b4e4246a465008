"""Copies with the elements in another order along some dimensions: flip and roll."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from ..arrays.memory_order import laid_out, lying, strides
from ..base.errors import message
from ..engine.op import Op
from ..engine.short import single
from .arguments import dim_of, dims_of, given_once, owned, rows, shape_of
from .shape import ALL, ravel, reshape
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Dims, Namespace, Shape
    from ..handles.tensor import Tensor
    from .shape import Sizes


def _flip(F: Namespace, x: Array, dims: Shape) -> Array:
    if type(x) is not ndarray:  # of another memory, or kind
        return laid_out(np.flip(x, dims), x.dtype)
    out: Array = np.flip(x, dims)
    return np.array(out, order="C") if x.flags.c_contiguous else lying(out, strides(x))


flip_op = Op(
    "flip",
    _flip,
    vjps=(lambda F, g, out, x, dims: F.flip(g, dims=dims),),
    rule=("g, flipped back",),
)


def _roll(F: Namespace, x: Array, shifts: Shape, dims: Shape) -> Array:
    if len(dims) > 1 or type(x) is not ndarray:
        return rows(np.roll(x, shifts, dims))
    out, lead, n = np.empty(x.shape, x.dtype), ALL * dims[0], x.shape[dims[0]]
    by = shifts[0] % n if n else 0
    for to, source in (((by, None), (None, n - by)), ((None, by), (n - by, None))):
        place, at = (*lead, slice(*to)), (*lead, slice(*source))
        out[place] = x[at]
    return out


roll_op = Op(
    "roll",
    _roll,
    vjps=(
        lambda F, g, out, x, shifts, dims: F.roll(g, shifts=tuple(-s for s in shifts), dims=dims),
    ),
    rule=("g, rolled back",),
)


@public()
def flip(input: Tensor, *over: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    """A copy with the order of elements reversed along ``dims``."""
    order = shape_of(given_once("flip", "dims", over, dims), "flip")
    order = dims_of(order, input.array.ndim, "flip")
    return single(flip_op, input, {"dims": order})


@public()
def roll(input: Tensor, shifts: int | Sequence[int], dims: Dims = None) -> Tensor:
    """Elements shifted cyclically by ``shifts`` along ``dims`` (flattened if None)."""
    by, over = [
        tuple(v) if isinstance(v, (tuple, list)) else (v,)
        for v in (shifts, () if dims is None else dims)
    ]
    if not by:
        raise RuntimeError(message("`shifts` required", "roll(shifts=())"))
    if not over and len(by) == 1 == input.array.ndim:
        over = (0,)
    if not over and len(by) == 1:
        return owned(reshape(roll(ravel(input), by, (0,)), *input.array.shape))
    if len(by) != len(over):
        raise RuntimeError(
            message(f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(over)}")
        )
    if not input.array.ndim:
        raise IndexError(message(f"Dimension specified as {over[0]} but tensor has no dimensions"))
    over = tuple(dim_of(d, input.array.ndim, "roll") for d in over)
    return single(roll_op, input, {"shifts": by, "dims": over})
