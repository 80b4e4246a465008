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
    from ..base.types import Array, Gradient, Namespace
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
# the condition of `where` is no number: only the choices are promoted
_OPTIONS: dict[str, dict[str, Any]] = {"sub": {"check": _refuse_bool}, "where": {"unpromoted": 1}}
for _name in formulas.TABLE:
    Op.elementwise(_name, **_OPTIONS.get(_name, {}))

for _name, _formula in formulas.COMPARISONS.items():
    Op(_name, None, result="bool", formula=_formula)

_LOGIC = {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "logical_not": np.logical_not, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}  # fmt: skip
_BITWISE = {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.bitwise_not,
}  # fmt: skip
for _result, _ufuncs in (("bool", _LOGIC), ("same", _BITWISE)):
    for _name, _ufunc in _ufuncs.items():
        Op(_name, lambda F, *x, ufunc=_ufunc: ufunc(*x), result=_result)


def _floor_divide(F: Namespace, x: Array, y: Array) -> Array:
    if x.dtype is OBJECT:
        return F.floor(F.div(x, y))
    return np.floor_divide(x, nonzero_divisor("floor_divide", y))


def _no_derivative(F: Namespace, g: Gradient, out: Any, x: Any, y: Any) -> Gradient:
    raise RuntimeError(
        message(
            "derivative for aten::floor_divide is not implemented",
            fix="(x / y).floor() has one, which is 0",
        )
    )


Op(
    "floor_divide",
    _floor_divide,
    vjps=(_no_derivative, _no_derivative),
    rule=("not implemented", "not implemented"),
    result="same",
)

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
    "hardsigmoid hardswish".split()
)
ELEMENTWISE: dict[str, Callable[..., Any]] = {}  # the function of each op, by the op's name


def _function(op: Op) -> Callable[..., Any]:
    """``op(*inputs, **attrs)`` as a function: made by engine/hot.py where it is one of those."""
    if op.name in formulas.TABLE and not op.attributes and len(op.vjps) <= 2:
        return made(op)
    return named(lambda *inputs, **attrs: several(op, inputs, attrs or None), op.name)


for _name in (*formulas.TABLE, *formulas.COMPARISONS, *_LOGIC, *_BITWISE, "floor_divide"):
    _op = REGISTRY[_name]
    _f = ELEMENTWISE[_name] = _function(_op)
    _f.__doc__ = f"Elementwise {_name}."
    if _name in formulas.TABLE:
        _rules = "; ".join(filter(None, _op.rule))
        _f.__doc__ = f"{_op.formula}, elementwise, with broadcasting. Derivative rules: {_rules}."
    for _alias in (_name, *ALIASES.get(_name, ())):
        FUNCTIONS[_alias] = _f
        if _name not in NOT_METHODS:
            METHODS[_alias] = _f


# ---- signatures with more than the operands ------------------------------------------------------
@public()
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input + alpha * other."""
    return ELEMENTWISE["add"](input, other if alpha == 1 else ELEMENTWISE["mul"](other, alpha))


@public(aliases=("subtract",))
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input - alpha * other. PyTorch has no subtraction of bool tensors, and so raises here too."""
    return ELEMENTWISE["sub"](input, other if alpha == 1 else ELEMENTWISE["mul"](other, alpha))


@public(aliases=("divide", "true_divide"))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """input / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient (and keeps integers
    integers).
    """
    if rounding_mode is None:
        return ELEMENTWISE["div"](input, other)
    if rounding_mode == "floor":
        return ELEMENTWISE["floor_divide"](input, other)
    if rounding_mode == "trunc":
        quotient = ELEMENTWISE["trunc"](ELEMENTWISE["div"](input, other))
        kinds = [
            (t.array.dtype if hasattr(t, "node") else dtypes.of_number(t)).kind
            for t in (input, other)
        ]
        return quotient if "f" in kinds else quotient.to(input.dtype)
    raise RuntimeError(
        message(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    )


@public(method=False)
def pow(input: Any, exponent: Any) -> Any:
    """input ** exponent; either may be a number."""
    return ELEMENTWISE["pow"](input, exponent)


@public(method=False)
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha * input."""
    return ELEMENTWISE["sub"](
        left_operand(REGISTRY["sub"], other, input),
        input if alpha == 1 else ELEMENTWISE["mul"](input, alpha),
    )


@public()
def round(input: Any, *, decimals: int = 0) -> Any:
    """Nearest integer, halves to even; with ``decimals``, nearest multiple of 10**-decimals."""
    if decimals == 0:
        return ELEMENTWISE["round"](input)
    scale = 10.0**decimals
    return ELEMENTWISE["div"](ELEMENTWISE["round"](ELEMENTWISE["mul"](input, scale)), scale)


@public()
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 * tensor2."""
    return add(input, ELEMENTWISE["mul"](tensor1, tensor2), alpha=value)


@public()
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 / tensor2."""
    return add(input, ELEMENTWISE["div"](tensor1, tensor2), alpha=value)


@public()
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """input + weight * (end - input)."""
    return ELEMENTWISE["add"](input, ELEMENTWISE["mul"](ELEMENTWISE["sub"](end, input), weight))


@public()
def float_power(input: Any, exponent: Any) -> Any:
    """input ** exponent in float64."""
    return ELEMENTWISE["pow"](input.double(), exponent)


@public()
def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Elementwise |input - other| <= atol + rtol * |other|."""
    a, b = input.array, other.array
    return _plain(np.isclose(a, b, rtol, atol, equal_nan), input)


@public()
def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Are all elements close (see isclose)?"""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@public()
def equal(input: Any, other: Any) -> bool:
    """Same shape and the same elements?"""
    return bool(np.array_equal(input.array, other.array))


def _plain(array: Any, like: Any) -> Any:
    return constant(like.node.dev.array(array), like.node.dev)
