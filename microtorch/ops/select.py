"""Choosing and limiting: where, masked_fill, clamp, nan_to_num."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..base.errors import describe, message
from ..engine.apply import apply
from ..engine.hot import several
from ..engine.operands import NUMBERS, weak_number
from ..engine.registry import REGISTRY
from .arguments import element
from .elementwise import ELEMENTWISE
from .surface import METHODS, public

if TYPE_CHECKING:  # below handles/, what is a Tensor is known by its base class
    from ..base.types import Number, TensorLike
    from ..handles.tensor import Tensor
    from ..handles.tensor import Tensor as Handle
else:
    from ..engine.handle import Handle


@public(aliases=("clip",))
def clamp(input: Tensor, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Elements limited to [min, max]; either bound may be None, a number, or a tensor."""
    if min is None and max is None:
        raise RuntimeError(message("torch.clamp: At least one of 'min' or 'max' must not be None"))
    if any(isinstance(bound, Handle) for bound in (min, max)):
        # an element just at a bound takes all of the gradient, which `maximum` would share
        out = input if min is None else where(ELEMENTWISE["lt"](input, min), min, input)
        return out if max is None else where(ELEMENTWISE["gt"](out, max), max, out)
    # limits of a higher category raise the result to theirs: 1.5 does not become 1
    if input.array.dtype.kind != "f":
        limits = [(dtypes.of_number(v), 0) for v in (min, max) if v is not None]
        target = dtypes.promote([(input.array.dtype, 2), *limits])
        input = input.to(dtypes.FROM_NUMPY[target])
        min, max = [
            v if v is None or target.kind == "f" else element(v, target).item()  # type: ignore[arg-type]
            for v in (min, max)
        ]
    if max is None:
        return several(REGISTRY["clamp_min"], (input,), {"min": min})
    if min is None:
        return several(REGISTRY["clamp_max"], (input,), {"max": max})
    return several(REGISTRY["clamp"], (input,), {"min": min, "max": max})


@public()
def clamp_min(input: Tensor, min: TensorLike) -> Tensor:
    """Elements no smaller than ``min``."""
    return clamp(input, min=min)


@public()
def clamp_max(input: Tensor, max: TensorLike) -> Tensor:
    """Elements no larger than ``max``."""
    return clamp(input, max=max)


@public(method=False)
def where(
    condition: Tensor, input: TensorLike | None = None, other: TensorLike | None = None
) -> Tensor:
    """``input`` where ``condition`` (bool) is true, else ``other``.

    With the condition alone: the indices where it is true.
    """
    if input is None and other is None:
        return METHODS["nonzero"](condition, as_tuple=True)
    if not isinstance(condition, Handle):
        raise TypeError(
            message(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}")
        )
    if condition.array.dtype != dtypes.BOOL:
        raise RuntimeError(
            message(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype}",
                fix="compare it: condition != 0",
            )
        )
    return _choose(condition, input, other)


def _choose(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``where``; a number takes its dtype from the other choice, not from the condition."""
    if type(input) in NUMBERS and isinstance(other, Handle):
        input = _choice(input, other)
    elif type(other) in NUMBERS and isinstance(input, Handle):
        other = _choice(other, input)
    return apply(REGISTRY["where"], (condition, input, other))


def _choice(value: Number, like: Tensor) -> Tensor:
    t = weak_number(value, like)
    element(value, t)  # raises where it would have wrapped around
    return t


METHODS["where"] = lambda self, condition, other: where(condition, self, other)


@public()
def masked_fill(input: Tensor, mask: Tensor, value: TensorLike) -> Tensor:
    """``value`` where ``mask`` (bool, broadcastable) is true, else ``input``."""
    if mask.array.dtype != dtypes.BOOL:
        raise RuntimeError(
            message(
                "masked_fill only supports boolean masks, but got dtype " + mask.array.dtype.name,
                fix="mask.bool()",
            )
        )
    if isinstance(value, Handle) and value.array.ndim:
        raise RuntimeError(
            message("masked_fill only supports a 0-dimensional value tensor", describe(value))
        )
    if not isinstance(value, Handle):
        value = element(value, input)
    elif value.array.dtype != input.array.dtype:
        if not dtypes.can_cast(value.array.dtype, input.array.dtype):
            raise RuntimeError(
                message(
                    f"value cannot be converted to type {input.dtype} without overflow",
                    f"masked_fill of {describe(input)} with {describe(value)}",
                    fix="input.to(value.dtype)",
                )
            )
        value = value.to(input.dtype)
    return apply(REGISTRY["where"], (mask, value, input))


@public()
def nan_to_num(
    input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN, inf and -inf replaced by numbers (by default 0 and the dtype's largest and smallest)."""
    if input.array.dtype.kind != "f":
        return input.clone()
    info = np.finfo(input.array.dtype)
    big = float(info.max) if posinf is None else posinf
    small = float(info.min) if neginf is None else neginf
    out = where(ELEMENTWISE["isnan"](input), nan, input)
    out = where(ELEMENTWISE["eq"](out, float("inf")), big, out)
    return where(ELEMENTWISE["eq"](out, float("-inf")), small, out)
