"""The public face of the elementwise ops: every row of formulas.py as a method, a function and a Scalar method.

Most ops need nothing here. Written out are those whose PyTorch signature has more than the operands: ``add(alpha=)``,
``div(rounding_mode=)``, ``clamp(min, max)`` and so on, in terms of the declared ones; and comparisons and logic, which have
values but no derivatives.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes, formulas
from ..backends import backend_for, host
from ..backends.reference import nonzero_divisor
from ..errors import describe, message
from . import (
    FUNCTIONS,
    METHODS,
    NUMBERS,
    OBJECT,
    REGISTRY,
    Op,
    apply,
    binary,
    constant,
    named,
    number,
    operands,
    public,
    transfer,
    unary,
    weak_number,
)

for _name in formulas.TABLE:
    Op.elementwise(_name)

for _name, _formula in formulas.COMPARISONS.items():
    Op(_name, None, result="bool", formula=_formula)
for _name, _ufunc in {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "logical_not": np.logical_not, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}.items():  # fmt: skip
    Op(_name, lambda F, *x, ufunc=_ufunc: ufunc(*x), result="bool")
for _name, _ufunc in {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.bitwise_not,
}.items():  # fmt: skip
    Op(_name, lambda F, *x, ufunc=_ufunc: ufunc(*x), result="same")


def _floor_divide(F: Any, x: Any, y: Any) -> Any:
    if x.dtype is OBJECT:
        return F.floor(F.div(x, y))
    return np.floor_divide(x, nonzero_divisor("floor_divide", y))


def _no_derivative(F: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    raise RuntimeError(message("derivative for aten::floor_divide is not implemented", fix="(x / y).floor() has one, which is 0"))


Op("floor_divide", _floor_divide, vjps=(_no_derivative, _no_derivative), rule=("not implemented", "not implemented"), result="same")
cast = Op(
    "cast",
    lambda F, x, dtype: x.astype(getattr(dtype, "numpy", dtype)),
    vjps=(lambda F, g, out, x, dtype: F.cast(g, dtype=x.dtype),),
    rule=("g, in the input's dtype",),
    torch_name="ToCopy",
)



def _moved(F: Any, g: Any, device: Any) -> Any:
    """A gradient, array or Tensor, on another device."""
    if hasattr(g, "node"):
        return transfer(g, backend_for(device, g.array.dtype))
    return backend_for(device, g.dtype).array(host(g))


# its nodes are made by ops.transfer, since input and output have different backends
Op(
    "transfer",
    _moved,
    vjps=(lambda F, g, out, x, device: _moved(F, g, x.dev.device),),
    rule=("g, on the input's device",),
    torch_name="ToCopy",
)

# order "K": in the memory layout of x, as elementwise ops; "C": row-major, for contiguous()
clone_op = Op("clone", lambda F, x, order="K": x.copy(order), vjps=(lambda F, g, out, x, order="K": g,), rule=("g",))

ALIASES = {"mul": ("multiply",), "neg": ("negative",), "abs": ("absolute",), "trunc": ("fix",), "asin": ("arcsin",),
           "acos": ("arccos",),
           "atan": ("arctan",), "asinh": ("arcsinh",), "acosh": ("arccosh",), "atanh": ("arctanh",),
           "atan2": ("arctan2",), "ne": ("not_equal",), "lt": ("less",), "le": ("less_equal",),
           "gt": ("greater",), "ge": ("greater_equal",)}  # fmt: skip
NOT_METHODS = frozenset({"leaky_relu", "elu", "celu", "selu", "relu6", "silu", "mish", "gelu", "gelu_tanh", "softplus",
                         "logsigmoid", "softsign", "hardtanh", "hardsigmoid", "hardswish"})  # torch.nn.functional's
SIGNS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "pow": "pow", "remainder": "mod",
         "floor_divide": "floordiv"}
FAST: dict[str, Callable[..., Any]] = {}  # the made methods, by op name: what other modules of ops call


def make() -> None:
    """Build methods and functions of all elementwise ops. Called once the Tensor class exists."""
    for name, (_, vjps) in formulas.TABLE.items():
        op = REGISTRY[name]
        if name in formulas.ARGUMENTS or len(vjps) > 2:
            f = named(lambda *inputs, op=op, **attrs: apply(op, inputs, attrs or None), name)
        else:
            f = (unary if len(vjps) == 1 else binary)(op)
        f.__doc__ = f"{op.formula}, elementwise, with broadcasting. Derivative rules: {'; '.join(filter(None, op.rule))}."
        FAST[name] = f
    for name in (*formulas.COMPARISONS, "logical_and", "logical_or", "logical_xor", "logical_not", "isnan", "isinf",
                 "isfinite", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "floor_divide"):
        FAST[name] = named(lambda *inputs, op=REGISTRY[name]: apply(op, inputs), name, f"Elementwise {name}.")
    for name, f in FAST.items():
        for alias in (name, *ALIASES.get(name, ())):
            FUNCTIONS.setdefault(alias, f)
            if name not in NOT_METHODS:
                METHODS.setdefault(alias, f)
    for name, sign in SIGNS.items():
        METHODS[f"__{sign}__"] = FAST[name]
        METHODS[f"__r{sign}__"] = named(lambda self, other, f=FAST[name]: f(_left(other, self, f), self), f"__r{sign}__")
    for name in formulas.COMPARISONS:
        METHODS[f"__{name}__"] = comparison(FAST[name], name)
    METHODS.update({"__neg__": FAST["neg"], "__abs__": FAST["abs"], "__pos__": lambda self: self})
    for sign in ("and", "or", "xor"):
        METHODS[f"__{sign}__"] = METHODS[f"__r{sign}__"] = FAST[f"bitwise_{sign}"]
    METHODS["__invert__"] = FAST["bitwise_not"]
    METHODS["__round__"] = lambda self, decimals=0: round(self, decimals=decimals)


def _left(value: Any, like: Any, function: Any = None) -> Any:
    """The left operand of ``2 * t``, as a Tensor, so that the graph keeps the order of the user's code."""
    return number(value, like, function is FAST["div"]) if type(value) in NUMBERS else operands(REGISTRY["add"], (value, like))[0]


def comparison(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    """``t == other``: as the function, but an operand that no tensor can be made of is simply not equal."""
    if name not in ("eq", "ne"):
        return f

    def compare(self: Any, other: Any) -> Any:
        if other is None or isinstance(other, (str, tuple, list, dict, type)):
            return name == "ne"
        return f(self, other)

    return named(compare, f"__{name}__")


# ---- signatures with more than the operands ------------------------------------------------------------------------
@public()
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input + alpha * other."""
    return FAST["add"](input, other if alpha == 1 else FAST["mul"](other, alpha))


@public(aliases=("subtract",))
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input - alpha * other. PyTorch has no subtraction of bool tensors, and so raises here too."""
    return FAST["sub"](input, other if alpha == 1 else FAST["mul"](other, alpha))


@public(aliases=("divide", "true_divide"))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """input / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient (and keeps integers integers)."""
    if rounding_mode is None:
        return FAST["div"](input, other)
    if rounding_mode == "floor":
        return FAST["floor_divide"](input, other)
    if rounding_mode == "trunc":
        quotient = FAST["trunc"](FAST["div"](input, other))
        kinds = [(t.array.dtype if hasattr(t, "node") else dtypes.of_number(t)).kind for t in (input, other)]
        return quotient if "f" in kinds else quotient.to(input.dtype)
    raise RuntimeError(
        message(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")
    )


@public(method=False)
def pow(input: Any, exponent: Any) -> Any:
    """input ** exponent; either may be a number."""
    return FAST["pow"](input, exponent)


@public(method=False)
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha * input."""
    return FAST["sub"](_left(other, input), input if alpha == 1 else FAST["mul"](input, alpha))


@public(aliases=("clip",))
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """Elements limited to [min, max]; either bound may be None, a number, or a tensor."""
    if min is None and max is None:
        raise RuntimeError(message("torch.clamp: At least one of 'min' or 'max' must not be None"))
    if any(hasattr(bound, "node") for bound in (min, max)):
        # a bound that is just reached leaves the gradient to the input, so not maximum, which would share it
        out = input if min is None else where(FAST["lt"](input, min), min, input)
        return out if max is None else where(FAST["gt"](out, max), max, out)
    if input.array.dtype.kind != "f":  # limits of a higher category raise the result to theirs: 1.5 does not become 1
        ranks = [(input.array.dtype, 2), *((dtypes.of_number(v), 0) for v in (min, max) if v is not None)]
        input = input.to(dtypes.FROM_NUMPY[dtypes.promote(ranks)])
    if max is None:
        return apply(REGISTRY["clamp_min"], (input,), {"min": min})
    if min is None:
        return apply(REGISTRY["clamp_max"], (input,), {"max": max})
    return apply(REGISTRY["clamp"], (input,), {"min": min, "max": max})


@public()
def clamp_min(input: Any, min: Any) -> Any:
    """Elements no smaller than ``min``."""
    return clamp(input, min=min)


@public()
def clamp_max(input: Any, max: Any) -> Any:
    """Elements no larger than ``max``."""
    return clamp(input, max=max)


@public()
def round(input: Any, *, decimals: int = 0) -> Any:
    """Nearest integer, halves to even; with ``decimals``, nearest multiple of 10**-decimals."""
    if decimals == 0:
        return FAST["round"](input)
    scale = 10.0**decimals
    return FAST["div"](FAST["round"](FAST["mul"](input, scale)), scale)


@public(method=False)
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` (bool) is true, else ``other``; with the condition alone, its nonzero indices."""
    if input is None and other is None:
        return METHODS["nonzero"](condition, as_tuple=True)
    if not hasattr(condition, "node"):
        raise TypeError(message(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}"))
    if condition.array.dtype != dtypes.BOOL:
        raise RuntimeError(
            message(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}",
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
        raise RuntimeError(message("masked_fill only supports boolean masks, but got dtype " + mask.array.dtype.name,
                                   fix="mask.bool()"))
    if hasattr(value, "node") and value.array.ndim:
        raise RuntimeError(message("masked_fill only supports a 0-dimensional value tensor", describe(value)))
    if not hasattr(value, "node"):
        value = constant(np.asarray(value).astype(input.array.dtype), input.node.dev)
    elif value.array.dtype != input.array.dtype:
        if not dtypes.can_cast(value.array.dtype, input.array.dtype):
            raise RuntimeError(message(f"value cannot be converted to type {input.dtype} without overflow",
                                       f"masked_fill of {describe(input)} with {describe(value)}", fix="input.to(value.dtype)"))
        value = value.to(input.dtype)
    return apply(REGISTRY["where"], (mask, value, input))


@public()
def nan_to_num(input: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """NaN, inf and -inf replaced by numbers (by default 0 and the dtype's largest and smallest)."""
    if input.array.dtype.kind != "f":
        return input.clone()
    info = np.finfo(input.array.dtype)
    big, small = (float(info.max) if posinf is None else posinf), (float(info.min) if neginf is None else neginf)
    out = where(FAST["isnan"](input), nan, input)
    out = where(FAST["eq"](out, float("inf")), big, out)
    return where(FAST["eq"](out, float("-inf")), small, out)


@public()
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 * tensor2."""
    return add(input, FAST["mul"](tensor1, tensor2), alpha=value)


@public()
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 / tensor2."""
    return add(input, FAST["div"](tensor1, tensor2), alpha=value)


@public()
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """input + weight * (end - input)."""
    return FAST["add"](input, FAST["mul"](FAST["sub"](end, input), weight))


@public()
def float_power(input: Any, exponent: Any) -> Any:
    """input ** exponent in float64."""
    return FAST["pow"](input.double(), exponent)


@public()
def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Elementwise |input - other| <= atol + rtol * |other|."""
    a, b = input.array, other.array
    return _plain(np.isclose(a, b, rtol, atol, equal_nan), input)


@public()
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Are all elements close (see isclose)?"""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@public()
def equal(input: Any, other: Any) -> bool:
    """Same shape and the same elements?"""
    return bool(np.array_equal(input.array, other.array))


@public(method=False)
def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The dtype that arithmetic between two tensors or numbers gives (before division and the like make it floating)."""
    operands = [(x.array.dtype, 2 if x.array.ndim else 1) if hasattr(x, "node") else (dtypes.of_number(x), 0)
                for x in (tensor1, tensor2)]  # fmt: skip
    return dtypes.FROM_NUMPY[dtypes.promote(operands)]


@public(method=False)
def promote_types(type1: Any, type2: Any) -> Any:
    """The smallest dtype that both can be converted to, by the rules of arithmetic between tensors with dimensions."""
    return dtypes.FROM_NUMPY[dtypes.promote([(type1.numpy, 2), (type2.numpy, 2)])]


@public(method=False)
def can_cast(from_: Any, to: Any) -> bool:
    """May values of dtype ``from_`` be stored in place in ``to``? Upwards only: bool, integer, floating."""
    return dtypes.can_cast(from_.numpy, to.numpy)


def _plain(array: Any, like: Any) -> Any:
    return constant(like.node.dev.array(array), like.node.dev)


