"""Views with the dimensions in another order: transpose, permute, movedim.

Each is the derivative of its own inverse.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message, warn
from ..engine.hot import viewing
from ..engine.op import Op
from .arguments import dim_of, dims_of, given_once, no_tensor, shape_of
from .shape import reshape
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Dims, Shape
    from ..handles.tensor import Tensor
    from .shape import Sizes


transpose_op = Op(
    "transpose",
    lambda F, x, dim0, dim1: x.swapaxes(dim0, dim1),
    vjps=(lambda F, g, out, x, dim0, dim1: F.transpose(g, dim0=dim0, dim1=dim1),),
    rule=("gᵀ",),
    view=True,
)


t_op = Op("t", lambda F, x: x.T, vjps=(lambda F, g, out, x: F.t(g),), rule=("gᵀ",), view=True)
matrix_T_op = t_op.shown_as("PermuteBackward0")  # x.T


permute_op = Op(
    "permute",
    lambda F, x, dims: x.transpose(dims),
    vjps=(lambda F, g, out, x, dims: F.permute(g, dims=tuple(int(i) for i in np.argsort(dims))),),
    rule=("g, permuted back",),
    view=True,
)


_permuted = viewing(permute_op, "dims")
_transposed, _t, matrix_T = viewing(transpose_op), viewing(t_op), viewing(matrix_T_op)


@public(aliases=("swapdims",))
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged."""
    try:
        ndim = input.array.ndim
    except AttributeError:
        raise no_tensor("transpose", input) from None
    d0, d1 = dim_of(dim0, ndim, "transpose"), dim_of(dim1, ndim, "transpose")
    if not ndim:
        return reshape(input)
    return _transposed(input, {"dim0": d0, "dim1": d1})


@public()
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose(axis0, axis1)."""
    return transpose(input, axis0, axis1)


IDENTITY = "This function is the identity in these cases."


def matrices_transposed(input: Tensor, name: str) -> Tensor:
    """The last two dimensions exchanged."""
    if not input.array.ndim:
        warn(f"Tensor.{name} is deprecated on 0-D tensors. {IDENTITY}")
        return reshape(input)
    if input.array.ndim < 2:
        raise RuntimeError(
            message(
                f"tensor.{name} is only supported on matrices or batches of matrices. "
                f"Got {input.array.ndim}-D tensor."
            )
        )
    return transpose(input, -2, -1)


@public()
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix (a view); tensors of fewer dimensions are returned as they are."""
    try:
        ndim = input.array.ndim
    except AttributeError:
        raise no_tensor("t", input) from None
    if ndim > 2:
        raise RuntimeError(
            message(
                f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D",
                fix="x.mT or x.transpose(-2, -1)",
            )
        )
    return _t(input, {})


@public()
def permute(input: Tensor, *order: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    """A view with the dimensions in the given order."""
    if dims is not None:
        order = given_once("permute", "dims", order, dims)
    order = shape_of(order, "permute")
    try:
        ndim = input.array.ndim
    except AttributeError:
        raise no_tensor("permute", input) from None
    if len(order) != ndim:
        raise RuntimeError(
            message(
                "permute(sparse_coo): number of dimensions in the tensor input does not match the "
                f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not "
                f"equal to len(dims) = {len(order)}"
            )
        )
    return _permuted(input, _all_of(order) or dims_of(order, ndim, "permute"))


@lru_cache(1024)
def _all_of(order: Shape) -> Shape | None:
    """All dimensions in some order, counted from the front; None if it is not that."""
    n = len(order)
    dims = tuple([d + n if d < 0 else d for d in order])
    return dims if {*dims} == {*range(n)} else None


@public(aliases=("moveaxis",))
def movedim(input: Tensor, source: Dims, destination: Dims) -> Tensor:
    """Dimensions moved to new places; the others keep their order."""
    ints = type(source) is int is type(destination)  # a bool would be taken for the int of before
    return _permuted(input, (_moved_one if ints else _moved)(input.array.ndim, source, destination))


def _moved(ndim: int, source: Dims, destination: Dims) -> Shape:
    if isinstance(source, (tuple, list)) is not isinstance(destination, (tuple, list)):
        text = "movedim() received an invalid combination of arguments"
        raise TypeError(message(text, fix="give two numbers, or two tuples of numbers"))
    given = [tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise RuntimeError(
            message(
                f"movedim: Invalid source or destination dims: source ({list(given[0])} dims) "
                f"should contain the same number of dims as destination ({list(given[1])} dims)"
            )
        )
    s, d = [dims_of(dims, ndim, "movedim") for dims in given]
    order = [i for i in range(ndim) if i not in s]
    for to, what in sorted(zip(d, s, strict=True)):
        order.insert(to, what)
    return tuple(order)


_moved_one = lru_cache(1024)(_moved)
