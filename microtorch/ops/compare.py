"""Are tensors close, or equal?"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy._core.multiarray import count_nonzero  # numpy's own is written in Python around it

from ..arrays import dtypes
from ..base.errors import message
from ..engine.apply import common_device
from ..engine.handle import Handle
from ..engine.registry import REGISTRY
from ..engine.unfollowed import refuse_stale
from .arguments import tensors_only
from .elementwise import ELEMENTWISE
from .surface import public

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


@public()
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Elementwise |input - other| <= atol + rtol * |other|, for finite differences."""
    tensors_only("isclose", input=input, other=other)
    mine, theirs = input.array.dtype, other.array.dtype
    if mine != theirs:
        a, b = (dtypes.TORCH_TYPES[d.name] for d in (mine, theirs))
        raise RuntimeError(message(f"{a} did not match {b}", fix="other.to(input.dtype)"))
    for name, limit in (("rtol", rtol), ("atol", atol)):
        if not limit >= 0:
            raise RuntimeError(
                message(f"{name} must be greater than or equal to zero, but got {limit}")
            )
    refuse_stale(input, other)
    input, other = input.detach(), other.detach()
    close = ELEMENTWISE["eq"](input, other)
    if equal_nan and mine.kind in "fcV":
        close = close | (ELEMENTWISE["isnan"](input) & ELEMENTWISE["isnan"](other))
    if rtol == 0 and atol == 0:
        return close
    if mine.kind not in "fcV":
        default = dtypes.get_default_dtype()
        input, other = input.to(default), other.to(default)
    allowed = (rtol * other).abs() + atol
    difference = (input - other).abs()
    return close | (ELEMENTWISE["isfinite"](difference) & (difference <= allowed))


@public()
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Are all elements close (see isclose)?"""
    tensors_only("allclose", input=input, other=other)
    return bool(isclose(input.detach(), other.detach(), rtol, atol, equal_nan).array.all())


@public()
def equal(input: Tensor, other: Tensor) -> bool:
    """Same shape and the same elements?"""
    if not isinstance(input, Handle) or not isinstance(other, Handle):
        tensors_only("equal", input=input, other=other)
    if input.node.dev is not other.node.dev:
        common_device(REGISTRY["eq"], [input, other])
    x, y = input.array, other.array
    if type(x) is np.ndarray is type(y):  # at a third of the time
        return x.shape == y.shape and not count_nonzero(x != y)
    return bool(np.array_equal(x, y))
