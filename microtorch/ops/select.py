"""Choosing and limiting: where, masked_fill, clamp, nan_to_num."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import dtypes
from ..base.errors import describe, message
from ..engine.apply import apply
from ..engine.hot import several
from ..engine.operands import NUMBERS, weak_number
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .elementwise import ELEMENTWISE
from .surface import METHODS, public


@public(aliases=("clip",))
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """Elements limited to [min, max]; either bound may be None, a number, or a tensor."""
    if min is None and max is None:
        raise RuntimeError(message("torch.clamp: At least one of 'min' or 'max' must not be None"))
    if any(hasattr(bound, "node") for bound in (min, max)):
        # a bound that is just reached leaves the gradient to the input, so not maximum, which would
        # share it
        out = input if min is None else where(ELEMENTWISE["lt"](input, min), min, input)
        return out if max is None else where(ELEMENTWISE["gt"](out, max), max, out)
    # limits of a higher category raise the result to theirs: 1.5 does not become 1
    if input.array.dtype.kind != "f":
        ranks = [
            (input.array.dtype, 2),
            *((dtypes.of_number(v), 0) for v in (min, max) if v is not None),
        ]
        input = input.to(dtypes.FROM_NUMPY[dtypes.promote(ranks)])
    if max is None:
        return several(REGISTRY["clamp_min"], (input,), {"min": min})
    if min is None:
        return several(REGISTRY["clamp_max"], (input,), {"max": max})
    return several(REGISTRY["clamp"], (input,), {"min": min, "max": max})


@public()
def clamp_min(input: Any, min: Any) -> Any:
    """Elements no smaller than ``min``."""
    return clamp(input, min=min)


@public()
def clamp_max(input: Any, max: Any) -> Any:
    """Elements no larger than ``max``."""
    return clamp(input, max=max)


@public(method=False)
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` (bool) is true, else ``other``; with the condition alone, its
    nonzero indices.
    """
    if input is None and other is None:
        return METHODS["nonzero"](condition, as_tuple=True)
    if not hasattr(condition, "node"):
        raise TypeError(
            message(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}")
        )
    if condition.array.dtype != dtypes.BOOL:
        raise RuntimeError(
            message(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype}",
                fix="compare it: condition != 0",
            )
        )
    return _choose(condition, input, other)


def _choose(condition: Any, input: Any, other: Any) -> Any:
    """where; a number takes its dtype from the other choice, not from the condition."""
    if type(input) in NUMBERS and hasattr(other, "node"):
        input = weak_number(input, other)
    elif type(other) in NUMBERS and hasattr(input, "node"):
        other = weak_number(other, input)
    return apply(REGISTRY["where"], (condition, input, other))


METHODS["where"] = lambda self, condition, other: where(condition, self, other)


@public()
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """``value`` where ``mask`` (bool, broadcastable) is true, else ``input``."""
    if mask.array.dtype != dtypes.BOOL:
        raise RuntimeError(
            message(
                "masked_fill only supports boolean masks, but got dtype " + mask.array.dtype.name,
                fix="mask.bool()",
            )
        )
    if hasattr(value, "node") and value.array.ndim:
        raise RuntimeError(
            message("masked_fill only supports a 0-dimensional value tensor", describe(value))
        )
    if not hasattr(value, "node"):
        value = constant(np.asarray(value).astype(input.array.dtype), input.node.dev)
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
    input: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """NaN, inf and -inf replaced by numbers (by default 0 and the dtype's largest and smallest)."""
    if input.array.dtype.kind != "f":
        return input.clone()
    info = np.finfo(input.array.dtype)
    big, small = (
        (float(info.max) if posinf is None else posinf),
        (float(info.min) if neginf is None else neginf),
    )
    out = where(ELEMENTWISE["isnan"](input), nan, input)
    out = where(ELEMENTWISE["eq"](out, float("inf")), big, out)
    return where(ELEMENTWISE["eq"](out, float("-inf")), small, out)
