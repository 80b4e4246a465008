"""Choosing and limiting: where, masked_fill, clamp, nan_to_num."""
from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..backends import cpu
from ..base.errors import describe, message, warn
from ..engine import operands
from ..engine.apply import apply
from ..engine.argument_types import check_type
from ..engine.op import Formula, Op
from ..engine.operands import NUMBERS, lone_element, number, weak_number
from ..engine.record import record
from ..engine.registry import REGISTRY
from ..engine.short import several
from .arguments import as_element, element, tensors_only
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:  # below handles/, what is a Tensor is known by its base class
    from ..base.types import Argument, Number, TensorLike
    from ..handles.tensor import Tensor
    from ..handles.tensor import Tensor as Handle
else:
    from ..engine.handle import Handle


def _bound(name: str, sign: str, torch_name: str) -> Op:
    """``clamp`` at a bound that is a tensor: one just at the bound takes all of the gradient."""
    vjps = (f"where(x {sign}= y, g, 0)", f"where(x {'<' if sign == '>' else '>'} y, g, 0)")
    return Op(
        f"clamp_{name}_tensor",
        Formula(f"{name}imum(x, y)", "F, x, y", name),
        [Formula(v, "F, g, out, x, y", f"clamp {name} vjp {i}") for i, v in enumerate(vjps)],
        saves=("x y", "x y"),
        result="same",
        rule=vjps,
        ties=False,
        torch_name=torch_name,
        attributes=False,
    )


F32_MAX = float(np.finfo(np.float32).max)
BELOW, ABOVE = _bound("max", ">", "ClampMin"), _bound("min", "<", "ClampMax")


@public(aliases=("clip",))
def clamp(input: Tensor, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Elements limited to [min, max]; either bound may be None, a number, or a tensor."""
    if isinstance(min, (complex, str)) or isinstance(max, (complex, str)):
        raise _no_bounds(input, min, max)
    if min is None and max is None:
        raise RuntimeError(message("torch.clamp: At least one of 'min' or 'max' must not be None"))
    if isinstance(min, Handle) or isinstance(max, Handle):
        return _clamp_by_tensors(input, min, max)
    bounds: tuple[Any, ...] = (min, max)
    # limits of a higher category raise the result to theirs: 1.5 does not become 1
    if input.array.dtype.kind not in "fV":
        for name, bound in (("min", min), ("max", max)):
            check_type("clamp", name, "TensorLike | None", bound)
        limits = [(dtypes.of_number(v), 0) for v in (min, max) if v is not None]
        target = dtypes.promote([(input.array.dtype, 2), *limits])
        input = input.to(dtypes.FROM_NUMPY[target])
        if target.kind not in "fV":
            min, max = (v if v is None else operands.element(v, target).item() for v in bounds)
    elif (size := input.array.dtype.itemsize) < 8:
        for v in bounds:
            if v is not None and (size == 2 or not -F32_MAX <= v <= F32_MAX):
                operands.element(v, input.array.dtype)  # raises for one it does not hold
        if size == 2:  # an element that was limited before is at the bound, not beyond it
            min, max = (v if v is None else rounded(v, input) for v in bounds)
    if max is None:
        return several(REGISTRY["clamp_min"], (input,), {"min": min})
    if min is None:
        return several(REGISTRY["clamp_max"], (input,), {"max": max})
    return several(REGISTRY["clamp"], (input,), {"min": min, "max": max})


def rounded(value: Number, like: Tensor) -> float:
    """The number that ``value`` is in like's dtype."""
    return float(np.array(value).astype(like.array.dtype))


def _no_bounds(input: Tensor, *bounds: object) -> Exception:
    """For a bound that is complex or a text."""
    for bound in bounds:
        if isinstance(bound, str):
            _limit("clamp", input, bound)
    if input.array.dtype.kind == "c" or isinstance(bounds[0] or 0, type(bounds[1] or 0)):
        what = "clamp is not supported for complex types"
        return NotImplementedError(message(what, describe(input)))
    return RuntimeError(message("value cannot be converted to type double without overflow"))


def _clamp_by_tensors(input: Tensor, min: TensorLike | None, max: TensorLike | None) -> Tensor:
    """``clamp`` where a bound is a tensor; the other is one, too, or None or a number."""
    tensors_only("clamp", input=input)
    for name, bound in (("min", min), ("max", max)):
        check_type("clamp", name, "TensorLike | None", bound)
    if isinstance(min, Handle) and isinstance(max, Handle):
        return several(REGISTRY["clamp_between"], (input, min, max))
    for bound, other in ((min, max), (max, min)):  # one of no dimensions stands for a number
        if other is not None and isinstance(bound, Handle) and bound.array.ndim:
            what = "clamp() received an invalid combination of arguments - got a number and a "
            raise TypeError(message(f"{what}Tensor", fix="torch.full_like(input, number)"))
    out = input if min is None else apply(BELOW, (input, min))
    return out if max is None else apply(ABOVE, (out, max))


def _limit(name: str, input: object, bound: object) -> None:
    if not isinstance(input, Handle):
        raise TypeError(
            message(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")
        )
    if not isinstance(bound, (Handle, bool, int, float)):
        raise TypeError(
            message(f"{name}() takes a number or a Tensor, not {type(bound).__name__}")
        )


@public()
def clamp_min(input: Tensor, min: TensorLike) -> Tensor:
    """Elements no smaller than ``min``."""
    _limit("clamp_min", input, min)
    return clamp(input, min=min)


@public()
def clamp_max(input: Tensor, max: TensorLike) -> Tensor:
    """Elements no larger than ``max``."""
    _limit("clamp_max", input, max)
    return clamp(input, max=max)


@public(method=False)
def where(
    condition: Tensor, input: TensorLike | None = None, other: TensorLike | None = None
) -> Tensor:
    """``input`` where ``condition`` (bool) is true, else ``other``.

    With the condition alone: the indices where it is true.
    """
    if input is None or other is None:
        if input is not other:
            what = "where() received an invalid combination of arguments: it takes a condition, or "
            raise TypeError(message(what + "a condition and what to take where it holds and not"))
        return METHODS["nonzero"](condition, as_tuple=True)
    if not isinstance(condition, Handle):
        raise TypeError(
            message(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}")
        )
    if condition.array.dtype == np.uint8:
        warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be "
            "removed in a future version of PyTorch. Use a boolean condition instead.",
        )
        condition = condition.bool()
    if condition.array.dtype != dtypes.BOOL:
        raise RuntimeError(
            message(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{dtypes.TORCH_TYPES[condition.array.dtype.name]}",
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
    return chosen(condition, input, other)


def chosen(condition: Tensor, input: Tensor, other: Tensor) -> Tensor:
    """The op ``where``, at less cost for two tensors of one floating dtype."""
    op = REGISTRY["where"]
    try:
        x, dev = input.array, input.node.dev
        kernel = op.hot_kernels[dev]
        if kernel is not None and other.node.dev is dev and condition.node.dev is cpu:
            out = kernel(condition.array, x, other.array)
            if type(out) is not np.ndarray:
                out = dev.array(out)
            return record(op, (condition, input, other), out, dev, None)
    except (AttributeError, ValueError):  # not tensors, or not of shapes that fit
        pass
    return apply(op, (condition, input, other))


def _fits_any(value: Argument) -> bool:
    """Does every floating type hold this number, which then is kept for the next time?"""
    return abs(value) < 6e4 or value != value or abs(value) == inf


def _choice(value: Number, like: Tensor) -> Tensor:
    if _fits_any(value) and like.array.dtype.kind == "f":
        return number(value, like)
    t = weak_number(value, like)
    lone_element(value, t.array.dtype)  # raises where it would have wrapped around
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
    if isinstance(value, Handle):
        value = as_element(value, input)
    elif type(value) in NUMBERS and input.array.dtype.kind == "f" and _fits_any(value):
        value = number(value, input)
    else:
        value = element(value, input)
    return chosen(mask.contiguous(), value, input.contiguous())  # in rows, as PyTorch's


@public()
def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """NaN, inf and -inf replaced by numbers (by default 0 and the dtype's largest and smallest).

    Of complex numbers, in each part.
    """
    for name, value in (("nan", nan), ("posinf", posinf), ("neginf", neginf)):
        if type(value) is not float and value is not None:
            check_type("nan_to_num", name, "float | None", value)
    if input.array.dtype.kind == "c":
        parts = nan_to_num(FUNCTIONS["view_as_real"](input), nan, posinf, neginf)
        joined: Tensor = FUNCTIONS["view_as_complex"](parts)
        return joined
    if input.array.dtype.kind not in "fV":
        return input.clone()
    info = dtypes.finfo(input.dtype)
    big = float(info.max) if posinf is None else posinf
    small = float(info.min) if neginf is None else neginf
    given = {"nan": 0.0 if nan is None else nan, "posinf": big, "neginf": small}
    return several(REGISTRY["nan_to_num"], (input,), given)
