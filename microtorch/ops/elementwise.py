"""The public face of the elementwise ops: every row of formulas.py as a method and a function.

Most ops need nothing here. Written out are those whose PyTorch signature has more than the operands
(``add(alpha=)``, ``div(rounding_mode=)`` and so on), in terms of the declared ones; and comparisons
and logic, which have values but no derivatives. The operators are in handles/tensor.py.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import OBJECT
from ..backends.reference import nonzero_divisor
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.hot import made, several
from ..engine.op import Op
from ..engine.operands import left_operand
from ..engine.record import constant
from ..engine.registry import REGISTRY
from ..notation import formulas
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Number, Operand, TensorLike
    from ..handles.tensor import Tensor


def _refuse_bool(op: Op, tensors: Sequence[Tensor]) -> None:
    """PyTorch has no subtraction of bool tensors."""
    if any(t.array.dtype.kind == "b" for t in tensors):
        raise RuntimeError(
            message(
                "sub: Subtraction, the `-` operator, with a bool tensor is not supported.",
                "operands: " + ", ".join(describe(t) for t in tensors),
                fix="~mask inverts a mask, a ^ b tells where they differ; or convert: mask.int()",
            )
        )


# ---- declarations --------------------------------------------------------------------------------
def _floor_divide(F: Namespace, x: Array, y: Array) -> Array:
    if x.dtype is OBJECT:
        return F.floor(F.div(x, y))
    return np.floor_divide(x, nonzero_divisor("floor_divide", y))


def _no_derivative(F: Namespace, g: Gradient, out: Operand, x: Operand, y: Operand) -> Gradient:
    raise RuntimeError(
        message(
            "derivative for aten::floor_divide is not implemented",
            fix="(x / y).floor() has one, which is 0",
        )
    )


def _flat(F: Namespace, g: Gradient, out: Operand, x: Operand, y: Operand) -> Gradient:
    return F.zero(g)


LOGIC: dict[str, Callable[..., Any]] = {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "logical_not": np.logical_not, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}  # fmt: skip
BITWISE: dict[str, Callable[..., Any]] = {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.bitwise_not,
}  # fmt: skip


def _of_ufunc(name: str, ufunc: Callable[..., Any], result: str) -> Op:
    return Op(name, lambda F, *x: ufunc(*x), result=result)


def _declared() -> list[Op]:
    # the condition of `where` is no number: only the choices are promoted
    options: dict[str, dict[str, Any]] = {
        "sub": {"check": _refuse_bool}, "where": {"unpromoted": 1},
    }  # fmt: skip
    for name in ("maximum", "minimum", "clamp", "clamp_min", "clamp_max"):
        options[name] = {"ties": False}
    no = "not implemented"
    return [
        *[Op.elementwise(name, **options.get(name, {})) for name in formulas.TABLE],
        *[Op(name, None, result="bool", formula=f) for name, f in formulas.COMPARISONS.items()],
        *[_of_ufunc(name, ufunc, "bool") for name, ufunc in LOGIC.items()],
        *[_of_ufunc(name, ufunc, "same") for name, ufunc in BITWISE.items()],
        Op("floor_divide", _floor_divide, [_no_derivative] * 2, rule=(no, no), result="same"),
        Op(
            "div_floor", _floor_divide, [_flat] * 2, rule=("0", "0"), result="same",
            torch_name="Div",
        ),
    ]


# ---- functions and methods of all of them --------------------------------------------------------
ALIASES = {
    "mul": ("multiply",), "neg": ("negative",), "abs": ("absolute",), "trunc": ("fix",),
    "asin": ("arcsin",), "acos": ("arccos",), "atan": ("arctan",), "asinh": ("arcsinh",),
    "acosh": ("arccosh",), "atanh": ("arctanh",), "atan2": ("arctan2",), "ne": ("not_equal",),
    "lt": ("less",), "le": ("less_equal",), "gt": ("greater",), "ge": ("greater_equal",),
}  # fmt: skip
# functions of torch.nn.functional only
NOT_METHODS = frozenset(
    "leaky_relu elu celu selu relu6 silu mish gelu gelu_tanh softplus logsigmoid softsign hardtanh "
    "hardsigmoid hardswish smooth_l1 huber".split()
)


def _function(op: Op) -> Callable[..., Tensor]:
    """``op(*inputs, **attrs)`` as a function: made by engine/hot.py where it is one of those."""
    if op.name not in formulas.TABLE:
        doc = f"Elementwise {op.name}."
    else:
        rules = "; ".join(filter(None, op.rule))
        doc = f"{op.formula}, elementwise, with broadcasting. Derivative rules: {rules}."
        if not op.attributes and len(op.vjps) <= 2:
            return named(made(op), op.name, doc)
    return named(lambda *inputs, **attrs: several(op, inputs, attrs or None), op.name, doc)


def _published(op: Op) -> Callable[..., Tensor]:
    function = _function(op)
    for name in (op.name, *ALIASES.get(op.name, ())):
        FUNCTIONS[name] = function
        if op.name not in NOT_METHODS:
            METHODS[name] = function
    return function


# the function of each op, by the op's name
ELEMENTWISE: dict[str, Callable[..., Tensor]] = {op.name: _published(op) for op in _declared()}


# ---- signatures with more than the operands ------------------------------------------------------
@public()
def add(input: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other."""
    return ELEMENTWISE["add"](input, other if alpha == 1 else ELEMENTWISE["mul"](other, alpha))


@public(aliases=("subtract",))
def sub(input: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other. PyTorch has no subtraction of bool tensors, and so raises here too."""
    return ELEMENTWISE["sub"](input, other if alpha == 1 else ELEMENTWISE["mul"](other, alpha))


@public(aliases=("divide", "true_divide"))
def div(input: Tensor, other: TensorLike, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; ``rounding_mode`` "floor" or "trunc" rounds it, and integers stay integers."""
    if rounding_mode is None:
        return ELEMENTWISE["div"](input, other)
    if rounding_mode == "floor":
        return REGISTRY["div_floor"](input, other)
    if rounding_mode == "trunc":
        quotient = ELEMENTWISE["trunc"](ELEMENTWISE["div"](input, other))
        operands: tuple[Any, ...] = (input, other)
        given = [t.array.dtype if hasattr(t, "node") else dtypes.of_number(t) for t in operands]
        return quotient if any(d.kind == "f" for d in given) else quotient.to(input.dtype)
    raise RuntimeError(
        message(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    )


@public(method=False)
def pow(input: TensorLike, exponent: TensorLike) -> Tensor:
    """input ** exponent; either may be a number."""
    return ELEMENTWISE["pow"](input, exponent)


@public(method=False)
def rsub(input: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """other - alpha * input."""
    left = left_operand(REGISTRY["sub"], other, input)
    return ELEMENTWISE["sub"](left, input if alpha == 1 else ELEMENTWISE["mul"](input, alpha))


@public()
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Nearest integer, halves to even; with ``decimals``, nearest multiple of 10**-decimals."""
    if decimals == 0:
        return ELEMENTWISE["round"](input)
    scale = 10.0**decimals
    return ELEMENTWISE["div"](ELEMENTWISE["round"](ELEMENTWISE["mul"](input, scale)), scale)


@public()
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return add(input, ELEMENTWISE["mul"](tensor1, tensor2), alpha=value)


@public()
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 / tensor2."""
    return add(input, ELEMENTWISE["div"](tensor1, tensor2), alpha=value)


@public()
def lerp(input: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """input + weight * (end - input)."""
    return ELEMENTWISE["add"](input, ELEMENTWISE["mul"](ELEMENTWISE["sub"](end, input), weight))


@public()
def float_power(input: Tensor, exponent: TensorLike) -> Tensor:
    """input ** exponent in float64."""
    return ELEMENTWISE["pow"](input.double(), exponent)


@public()
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Elementwise |input - other| <= atol + rtol * |other|."""
    close, dev = np.isclose(input.array, other.array, rtol, atol, equal_nan), input.node.dev
    return constant(dev.array(close), dev)


@public()
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Are all elements close (see isclose)?"""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@public()
def equal(input: Tensor, other: Tensor) -> bool:
    """Same shape and the same elements?"""
    return bool(np.array_equal(input.array, other.array))
