"""Of what numbers are made: signs, exponents, neighbours, divisors, bits."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import OBJECT
from ..backends.reference import Reference
from ..backends.table import uncopied
from ..base.errors import describe, message
from ..engine.calling import reading
from ..engine.op import Formula, Op
from ..engine.operands import left_operand
from ..engine.promotion import common_dtype
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .arguments import not_floating, tensors_only
from .elementwise import ELEMENTWISE, function_of, no_derivative, only
from .signatures import pow
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..base.types import Array, Gradient, Namespace, Operand, TensorLike
    from ..handles.tensor import Tensor


def _zero(F: Namespace, g: Gradient, out: Operand, x: Operand, y: Operand) -> Gradient:
    return F.zero(g)


def _vjp(text: str, name: str, inputs: str = "x, y") -> Formula:
    return Formula(text, f"F, g, out, {inputs}", f"{name} vjp")


def _same_dtype(op: Op, tensors: Sequence[Tensor]) -> None:
    if tensors[0].array.dtype != tensors[1].array.dtype:
        raise RuntimeError(
            message(
                "heaviside is not yet implemented for tensors with different dtypes.",
                "operands: " + ", ".join(describe(t) for t in tensors),
                fix="values.to(input.dtype)",
            )
        )


def _of(ufunc: Any) -> Any:
    return lambda F, x, y: Reference.threaded(ufunc)(x, y)


def _floats(function: Callable[[float], float], x: Array) -> Array:
    """``function`` of the numbers in an array of Scalars."""
    return np.frompyfunc(lambda v: function(float(v)), 1, 1)(x)


def _copysign(F: Namespace, x: Array, y: Array) -> Array:
    if OBJECT in (x.dtype, y.dtype):
        return F.mul(F.abs(x), _floats(lambda v: math.copysign(1.0, v), y))
    return Reference.threaded(np.copysign)(x, y)


def _mantissa(F: Namespace, x: Array) -> Array:
    if x.dtype is OBJECT:
        return F.mul(x, _floats(lambda v: 2.0 ** -math.frexp(v)[1], x))
    return np.frexp(x)[0]


NEW = (
    Op(
        "copysign", _copysign,
        (_vjp("where(x == 0, 0, g * (out / where(x == 0, 1, x)))", "copysign"), _zero),
        saves=("x out", ""), result="float", rule=("g, with the sign that x got", "0"),
    ),
    Op(
        "nextafter", _of(np.nextafter),
        (_vjp("where(x == y, 0, g)", "nextafter"), _zero),
        saves=("x y", ""), result="float", check=only("f", "nextafter_cpu"), rule=("g", "0"),
    ),
    Op(
        "heaviside", lambda F, x, y: np.where(x == 0, y, (x > 0).astype(x.dtype)),
        [no_derivative("heaviside")] * 2, result="same", check=_same_dtype,
        rule=("not implemented",) * 2, complex="none",
    ),
    Op("gcd", _of(np.gcd), result="same", check=only("iu", "gcd_cpu")),
    Op("lcm", _of(np.lcm), result="same", check=only("iu", "lcm_cpu")),
    Op("bitwise_left_shift", _of(np.left_shift), result="same", check=only("iu", "lshift_cpu")),
    Op("bitwise_right_shift", _of(np.right_shift), result="same", check=only("iu", "rshift_cpu")),
)  # fmt: skip
for _op in NEW:
    ELEMENTWISE[_op.name] = METHODS[_op.name] = function_of(_op)
    FUNCTIONS[_op.name] = reading(METHODS[_op.name])
uncopied.add("nextafter")  # a copy in float32 has other neighbours


# ---- mantissa and exponent -----------------------------------------------------------------------
mantissa = Op(
    "mantissa",
    _mantissa,
    (_vjp("where(x == 0, g, g * (out / where(x == 0, 1, x)))", "mantissa", "x"),),
    saves=("x out",),
    rule=("g / 2 ** exponent",),
    torch_name="Frexp",
)


class Frexp(NamedTuple):
    """PyTorch's named pair (torch.return_types)."""

    mantissa: Tensor
    exponent: Tensor

    def __repr__(self) -> str:
        return (
            f"torch.return_types.frexp(\nmantissa={self.mantissa!r},\nexponent={self.exponent!r})"
        )


@public()
def frexp(input: Tensor) -> Frexp:
    """``(mantissa, exponent)``: input = mantissa * 2 ** exponent, with 0.5 <= |mantissa| < 1."""
    if input.array.dtype.kind not in "fV":
        raise RuntimeError(
            message("torch.frexp() only supports floating-point dtypes", describe(input))
        )
    dev = input.node.dev
    exponent = dev.array(np.frexp(input.array)[1]).astype(np.int32, copy=False)
    return Frexp(mantissa(input), constant(exponent, dev))


@public()
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2 ** other."""
    tensors_only("ldexp", input=input, other=other)
    if other.array.dtype.kind == "b" and input.array.dtype.kind in "fV":
        raise not_floating("ldexp_cpu_exp", other)
    d = common_dtype(REGISTRY["div"], (input, other))
    mul, power = ELEMENTWISE["mul"], ELEMENTWISE["pow"]
    exponents = [other]
    if other.array.dtype.kind in "iu":  # in two steps, as one power may not be held, and x * it be
        half = other.detach() // 2
        exponents = [half, other - half]
    for exponent in exponents:
        input = mul(input, power(2.0, exponent.to(dtypes.FROM_NUMPY[d])))
    return input


@public()
def float_power(input: TensorLike, exponent: TensorLike) -> Tensor:
    """input ** exponent in float64, or in complex128 if one of them is complex."""
    operands: tuple[Any, ...] = (input, exponent)
    both = any(isinstance(x, complex) or getattr(x, "is_complex", bool)() for x in operands)
    d = dtypes.complex128 if both else dtypes.float64
    wide = [x.to(d) if hasattr(x, "node") else x for x in operands]
    return pow(*wide)


@public()
def positive(input: Tensor) -> Tensor:
    """The input itself. PyTorch has none of a bool tensor."""
    if input.array.dtype == dtypes.BOOL:
        raise RuntimeError(
            message(
                "The `+` operator, on a bool tensor is not supported.", describe(input),
                fix="x.int()",
            )
        )  # fmt: skip
    return input


# ---- operators -----------------------------------------------------------------------------------
def _reflected(name: str) -> Any:
    def method(self: Tensor, other: TensorLike) -> Tensor:
        return ELEMENTWISE[name](left_operand(REGISTRY[name], other, self), self)

    return method


for _sign, _name in (("lshift", "bitwise_left_shift"), ("rshift", "bitwise_right_shift")):
    METHODS[f"__{_sign}__"] = ELEMENTWISE[_name]
    METHODS[f"__r{_sign}__"] = _reflected(_name)
