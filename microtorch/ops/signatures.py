"""Elementwise functions of which PyTorch's signature has more than the operands.

``add(alpha=)``, ``div(rounding_mode=)``, ``addcmul(value=)`` and so on, in terms of the declared
ops of elementwise.py, whose functions they take the place of.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import BOOL
from ..base.errors import describe, message, warn
from ..engine.handle import Handle, NotDense
from ..engine.op import Op
from ..engine.operands import NUMBERS, element, left_operand, no_subtraction
from ..engine.out import into
from ..engine.promotion import common_dtype
from ..engine.record import laid
from ..engine.registry import REGISTRY
from ..engine.short import several
from .arguments import check_factor, factor
from .elementwise import ELEMENTWISE, only
from .surface import public

if TYPE_CHECKING:
    from ..base.types import AnyNumber, TensorLike
    from ..handles.tensor import Tensor


@public()
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; 0 of a NaN."""
    if input.array.dtype.kind == "c":
        raise NotImplementedError(
            message(
                "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use "
                "torch.sgn instead.",
                describe(input),
            )
        )
    return ELEMENTWISE["sign"](input)


@public()
def sgn(input: Tensor) -> Tensor:
    """x / |x| of complex numbers, and 0 of 0; of real ones the sign."""
    return ELEMENTWISE["sgn" if input.array.dtype.kind == "c" else "sign"](input)


def _scaled(other: TensorLike, alpha: AnyNumber, input: TensorLike) -> Any:
    """alpha * other, for ``add`` and ``sub``.

    RuntimeError for an alpha of a higher kind, or one that the dtype of the result does not hold.
    """
    if _alike((input, other), alpha):
        return ELEMENTWISE["mul"](other, alpha)
    if isinstance(other, Handle) and other.is_sparse:
        return other * alpha
    kinds = [
        x.array.dtype.kind if isinstance(x, Handle) else np.result_type(type(x)).kind
        for x in (input, other)
    ]
    check_factor("alpha", alpha, kinds)
    if kinds == ["b", "b"]:
        alpha = bool(alpha)
    if isinstance(other, Handle):
        if isinstance(input, Handle) and input.array.dtype != other.array.dtype:
            d = common_dtype(REGISTRY["add"], (input, other))
            other = other.to(dtypes.FROM_NUMPY[d])
        element(alpha, other.array.dtype)
        return ELEMENTWISE["mul"](other, alpha)
    if isinstance(input, Handle) and kinds[0] == kinds[1]:
        element(alpha, input.array.dtype)
    return other and alpha if isinstance(alpha, bool) else cast("Any", other) * alpha


def number_first(
    name: str, number: TensorLike, old: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], AnyNumber]:
    """The operands and the number of PyTorch's old order: ``x.add_(alpha, other)``.

    Also ``x.addcmul_(value, tensor1, tensor2)``. Still accepted there, with a warning as here.
    """
    if type(number) not in (*NUMBERS, complex) or len(old) != (2 if name.startswith("addc") else 1):
        raise TypeError(message(f"{name}() received an invalid combination of arguments"))
    new = "value=number" if name.startswith("addc") else "alpha=number"
    warn(
        f"This overload of {name} is deprecated: {name}(number, ...) is now {name}(..., {new})",
    )
    return old, cast("AnyNumber", number)


def _takes(alpha: AnyNumber, *operands: TensorLike) -> bool:
    """May this alpha, no int, stand before operands of which one is floating?"""
    floating = any(getattr(getattr(x, "array", x), "dtype", BOOL).kind in "fcV" for x in operands)
    return floating and type(alpha) is not bool


@public()
def add(
    input: Tensor, other: TensorLike, *old: Tensor, alpha: AnyNumber = 1, out: Tensor | None = None
) -> Tensor:
    """input + alpha * other. Old scripts put the number first: ``p.data.add_(-lr, p.grad)``."""
    if old:
        (other,), alpha = number_first("add", other, old)
    if out is not None:
        return into(out, add, (input, other), {"alpha": alpha})
    if type(alpha) is not int:
        alpha = factor("add", "alpha", alpha)
    if alpha == 1 and (type(alpha) is int or _takes(alpha, input, other)):
        return ELEMENTWISE["add"](input, other)
    if _alike((input, other), alpha):
        return several(REGISTRY["add_scaled"], (input, other), {"alpha": alpha})
    return ELEMENTWISE["add"](input, _scaled(other, alpha, input))


def _minus(x: Any, y: TensorLike, alpha: AnyNumber) -> Tensor:
    """x - alpha * y."""
    if _alike((x, y), alpha) and x.array.dtype.kind in "fV":
        return several(_sub_scaled(), (x, y), {"alpha": -alpha})
    return ELEMENTWISE["sub"](x, _scaled(y, alpha, x))


@cache
def _sub_scaled() -> Op:
    return REGISTRY["add_scaled"].shown_as("SubBackward0")


@public(aliases=("subtract",))
def sub(
    input: Tensor, other: TensorLike, *old: Tensor, alpha: AnyNumber = 1, out: Tensor | None = None
) -> Tensor:
    """input - alpha * other. PyTorch has no subtraction of bool tensors, and so raises here too."""
    if old:
        (other,), alpha = number_first("sub", other, old)
    if out is not None:
        return into(out, sub, (input, other), {"alpha": alpha})
    if type(alpha) is not int:
        alpha = factor("sub", "alpha", alpha)
    if alpha == 1 and (type(alpha) is int or _takes(alpha, input, other)):
        return ELEMENTWISE["sub"](input, other)
    if other is True or other is False or getattr(other, "dtype", None) is dtypes.bool:
        raise no_subtraction("sub", (input, other))
    return _minus(input, other, alpha)


@public(aliases=("divide", "true_divide"))
def div(
    input: Tensor, other: TensorLike, *, rounding_mode: str | None = None, out: Tensor | None = None
) -> Tensor:
    """input / other; ``rounding_mode`` "floor" or "trunc" rounds it, and integers stay integers."""
    if out is not None:
        return into(out, div, (input, other), {"rounding_mode": rounding_mode})
    if rounding_mode is None:
        return ELEMENTWISE["div"](input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(
            message(
                "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
                f"'{rounding_mode}'"
            )
        )
    return ELEMENTWISE[f"div_{rounding_mode}"](input, other)


@public(method=False)
def pow(input: TensorLike, exponent: TensorLike) -> Tensor:
    """input ** exponent; either may be a number. Powers of a number lie in rows."""
    out = ELEMENTWISE["pow"](input, exponent)
    return out if isinstance(input, Handle) else laid(out)


@public(method=False)
def rsub(input: Tensor, other: TensorLike, alpha: AnyNumber = 1) -> Tensor:
    """other - alpha * input."""
    if type(input) in NUMBERS:
        raise TypeError(
            message(f"rsub(): argument 'input' must be Tensor, not {type(input).__name__}")
        )
    if other is True or other is False or input.array.dtype is BOOL:
        raise no_subtraction("sub", (other, input))
    left = left_operand(REGISTRY["sub"], other, input)
    if alpha == 1 and alpha is not True:
        return ELEMENTWISE["sub"](left, input)
    return _minus(left, input, alpha)


@public()
def round(input: Tensor, *, decimals: int | None = None) -> Tensor:
    """Nearest integer, halves to even; with ``decimals``, nearest multiple of 10**-decimals."""
    if decimals is None:
        return ELEMENTWISE["round"](input)
    only("f", "round_cpu")(REGISTRY["round"], [input])
    if decimals == 0:
        return ELEMENTWISE["round"](input)
    mul, div = ELEMENTWISE["mul"], ELEMENTWISE["div"]
    scale, there, back = 10.0 ** abs(decimals), mul, div
    if decimals < 0:
        there, back = div, mul
    return back(ELEMENTWISE["round"](there(input, scale)), scale)


def _alike(operands: Sequence[TensorLike], number: TensorLike | AnyNumber) -> bool:
    """Are the operands tensors of one floating dtype, and the number real?

    RuntimeError if the dtype does not hold the number.
    """
    if type(number) is not float and type(number) is not int:
        return False
    d = None
    for x in operands:
        if not isinstance(x, Handle):
            return False
        try:
            own = x.array.dtype
        except NotDense:
            return False
        if d is None:
            d = own
        elif own is not d and own != d:
            return False
    if d is None or d.kind not in "fV":
        return False
    if not -6e4 < number < 6e4:
        element(number, d)
    return True


def _plus(input: Tensor, value: AnyNumber, what: str, a: Tensor, b: Tensor) -> Tensor:
    """input + value * what(a, b). RuntimeError if their common dtype does not hold ``value``.

    For integers it is cut off.
    """
    d = common_dtype(REGISTRY["mul"], (input, a, b))
    held, common = element(value, d), dtypes.FROM_NUMPY[d]
    x = ELEMENTWISE[what](a.to(common), b.to(common))
    if value != 1:
        plain = d.kind in "iu" or (isinstance(value, complex) and d.kind != "c")
        x = ELEMENTWISE["mul"](x, held.item() if plain else value)
    return ELEMENTWISE["add"](input, x)


@public()
def addcmul(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *old: Tensor, value: AnyNumber = 1
) -> Tensor:
    """input + value * tensor1 * tensor2."""
    if old:
        (tensor1, tensor2), value = number_first("addcmul", tensor1, (tensor2, *old))
    operands = (input, tensor1, tensor2)
    if _alike(operands, value):
        return several(REGISTRY["addcmul"], operands, {"value": value})
    only("uifc", "addcmul_cpu_out")(REGISTRY["mul"], operands)
    return _plus(input, value, "mul", tensor1, tensor2)


@public()
def addcdiv(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *old: Tensor, value: AnyNumber = 1
) -> Tensor:
    """input + value * tensor1 / tensor2."""
    if old:
        (tensor1, tensor2), value = number_first("addcdiv", tensor1, (tensor2, *old))
    if _alike((input, tensor1, tensor2), value):
        return several(REGISTRY["addcdiv"], (input, tensor1, tensor2), {"value": value})
    if not any(t.array.dtype.kind in "fcV" for t in (tensor1, tensor2)):
        raise RuntimeError(
            message(
                "Integer division with addcdiv is no longer supported, and in a future  release "
                "addcdiv will perform a true division of tensor1 and tensor2.",
                f"tensor1 {describe(tensor1)}, tensor2 {describe(tensor2)}",
                fix="tensor1.float()",
            )
        )
    return _plus(input, value, "div", tensor1, tensor2)


@public()
def lerp(input: Tensor, end: Tensor, weight: Tensor | AnyNumber) -> Tensor:
    """input + weight * (end - input), from the end that is nearer."""
    if not hasattr(end, "node"):
        raise TypeError(message(f"lerp(): argument 'end' must be Tensor, not {type(end).__name__}"))
    only("fc", "lerp_kernel_scalar")(REGISTRY["lerp"], [input])
    others: dict[str, Any] = {"end": end, "weight": weight}
    for name, t in others.items():
        if name == "weight" and (not isinstance(t, Handle) or not t.array.ndim):
            near = isinstance(t, Handle) and t.node.dev.device is input.node.dev.device
            if near and (t.array.dtype.kind != "c" or input.array.dtype.kind == "c"):
                continue  # nothing to look at, and a recording could not repeat it
            number = t.array.item() if isinstance(t, Handle) else t
            held = element(number, input.array.dtype)
            if isinstance(number, complex) and held.dtype.kind != "c":
                number = held.item()
            weight = weight if isinstance(t, Handle) and t.node.needs else number
        elif t.array.dtype != input.array.dtype:
            raise RuntimeError(
                message(
                    f"expected dtype {input.array.dtype.name} for `{name}` but got dtype "
                    f"{t.array.dtype.name}",
                    fix=f"{name}.to(input.dtype)",
                )
            )
    if _alike((input, end), weight):
        return several(REGISTRY["lerp_by"], (input, end), {"weight": weight})
    return ELEMENTWISE["lerp"](input, end, weight)
