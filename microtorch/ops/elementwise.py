"""The public face of the elementwise ops: every row of formulas.py as a method and a function.

Most ops need nothing here but what checks them. Comparisons and logic have values, no derivatives.
Functions whose PyTorch signature has more than the operands are in signatures.py, the operators in
handles/protocols.py.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import BOOL, OBJECT
from ..backends import definitions
from ..backends.reference import Reference, nonzero_divisor
from ..base.errors import describe, message
from ..base.naming import alias, named, with_parameters
from ..base.promises import Promises
from ..engine.calling import operands_given, reading
from ..engine.hot import asking, made
from ..engine.op import Op
from ..engine.operands import NUMBERS, NUMBERS_ONLY, no_subtraction
from ..engine.record import Number
from ..engine.registry import REGISTRY
from ..engine.short import several
from ..engine.unfollowed import refuse_stale
from ..notation import formulas
from .surface import FUNCTIONS, METHODS

if TYPE_CHECKING:
    from ..base.types import Array, DType, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor

    Check = Callable[[Op, Sequence[Tensor]], None]


def _refuse_bool(op: Op, tensors: Sequence[Tensor]) -> None:
    """PyTorch has no subtraction of bool tensors."""
    if any(t.array.dtype.kind == "b" for t in tensors):
        raise no_subtraction(op.name, tensors)


vars(_refuse_bool)["kinds"] = "uifc"


def only(kinds: str, kernel: str) -> Check:
    """A check that the operands' common dtype is of ``kinds``: "f" floating, "i" integer, "b" bool.

    PyTorch names the ``kernel`` that it misses for another one.
    """

    def check(op: Op, tensors: Sequence[Tensor]) -> None:
        given = tensors[0].array.dtype
        if len(tensors) > 1:
            given = max([t.array.dtype for t in tensors], key=_rank)
        if given.kind.replace("V", "f") not in kinds:
            raise NotImplementedError(
                message(
                    f"\"{kernel}\" not implemented for '{dtypes.TORCH_TYPES[given.name]}'",
                    "operands: " + ", ".join(describe(t) for t in tensors),
                    fix="x.float()" if "f" in kinds else "x.long()",
                )
            )

    vars(check)["kinds"] = kinds
    return check


def _rank(d: DType) -> int:
    return "buifVc".index(d.kind)


# ---- declarations --------------------------------------------------------------------------------
def _floor_divide(F: Namespace, x: Array, y: Array) -> Array:
    if x.dtype is OBJECT:
        return F.floor(F.div(x, y))
    return Reference.threaded(np.floor_divide)(x, nonzero_divisor("floor_divide", x, y))


def _trunc_divide(F: Namespace, x: Array, y: Array) -> Array:
    if x.dtype.kind == "f" or x.dtype is OBJECT:
        return F.trunc(F.div(x, y))
    return np.floor_divide(x - np.fmod(x, nonzero_divisor("div", x, y)), y)  # exact


def no_derivative(
    name: str, fix: str = "", error: type[RuntimeError] = RuntimeError
) -> Callable[..., Gradient]:
    """The derivative of an op that PyTorch has none for: it raises where backward reaches it."""

    def vjp(F: Namespace, g: Gradient, out: Operand, *inputs: Operand, **attrs: Any) -> Gradient:
        text = f"derivative for aten::{name} is not implemented"
        raise error(message(text, fix=fix or "x.detach()"))

    vars(vjp)["refuses"] = True
    return vjp


# ops of two operands whose derivatives subtract or negate the other operand in PyTorch, which a
# mask may not be: which one, and what they do
OF_MASKS = {
    "atan2": ((0,), "neg"), "logaddexp": ((0, 1), "sub"), "logaddexp2": ((0, 1), "sub"),
    "pow": ((1,), "sub"),
}  # fmt: skip


def _of_masks(op: Op, tensors: Sequence[Tensor]) -> Op:
    """``op``, or its twin whose derivative raises, as PyTorch's does.

    Of a mask to the power True or False, which PyTorch computes apart, the op that says the same.
    """
    if op.name == "pow" and type(tensors[1].node) is Number:
        if tensors[0].array.dtype is tensors[1].array.dtype is BOOL:
            return REGISTRY["ge"]
    if any(tensors[i].array.dtype is BOOL for i in OF_MASKS[op.name][0]):
        return _without_masks(op.name)
    return op


@cache
def _without_masks(name: str) -> Op:
    which, does = OF_MASKS[name]

    def vjp(F: Namespace, g: Gradient, out: Operand, *inputs: Operand, **attrs: Any) -> Gradient:
        raise no_subtraction(does, inputs)

    vars(vjp)["flat"] = True  # no kernel stands for it
    op = REGISTRY[name]
    vjps = [vjp if 1 - i in which else v for i, v in enumerate(op.vjps)]
    return Op(
        name, None, vjps, saves=("x y out",) * 2, result=op.result, check=op.check,
        formula=op.formula, rule=op.rule, torch_name=op.node.__name__.removesuffix("Backward0"),
        complex=op.complex, register=False,
    )  # fmt: skip


LOGIC: dict[str, Callable[..., Any]] = {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "logical_not": np.logical_not, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
    "signbit": lambda x: np.less(x, 0) if x.dtype.kind not in "fV" else np.signbit(x),
    "isposinf": lambda x: np.equal(x, np.inf), "isneginf": lambda x: np.equal(x, -np.inf),
    "isreal": lambda x: np.equal(x.imag, 0) if x.dtype.kind == "c" else np.ones(x.shape, bool),
}  # fmt: skip
BITWISE: dict[str, Callable[..., Any]] = {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.bitwise_not,
}  # fmt: skip


def _of_ufunc(ufunc: Callable[..., Any]) -> Callable[..., Array]:
    return lambda F, *x: Reference.threaded(ufunc)(*x)


WHOLE = "bui"


@cache
def _options() -> dict[str, dict[str, Any]]:
    """What the declaration of an op says besides its formula."""
    real = "uif"
    checks: dict[str, Check] = {"sub": _refuse_bool, "neg": _refuse_bool}
    checks |= {name: only("f", f"{name}_cpu") for name in ("frac", "hypot")}
    checks |= {"logaddexp2": only("f", "logaddexp2_cpu"), "abs": only(real + "c", "abs_cpu")}
    checks |= {n: only(real, f"{n}_vml_cpu") for n in ("floor", "ceil", "round", "trunc")}
    checks |= {n: only(real, f"{n}_cpu") for n in ("remainder", "fmod")}
    checks |= {"pow": only(real + "c", "pow_cpu"), "logaddexp": only("fc", "logaddexp_cpu")}
    # activations of integers are no functions in PyTorch
    checks |= {n: only("f", f"{n}_cpu") for n in (
        "softplus elu celu selu leaky_relu hardswish hardsigmoid mish logsigmoid softshrink "
        "hardshrink smooth_l1 huber bce_with_logits"
    ).split()}  # fmt: skip
    checks |= {n: only("f", "GeluKernelImpl") for n in ("gelu", "gelu_tanh")}
    checks |= {"silu": only("fc", "silu_cpu")}
    checks |= {n: only(real, f"{n}_cpu") for n in ("relu", "relu6", "hardtanh", "threshold")}
    options: dict[str, dict[str, Any]] = {name: {"check": c} for name, c in checks.items()}
    # the condition of `where` is no number: only the choices are promoted
    options["where"] = {"unpromoted": 1}
    for name in (
        "maximum minimum fmax fmin clamp clamp_min clamp_max clamp_between nan_to_num xlogy xlog1py"
    ).split():
        options.setdefault(name, {})["ties"] = False
    options["pow"] = options.get("pow", {}) | {"keeps": "y"}
    options["logsigmoid"] = options.get("logsigmoid", {}) | {"ordered": False}
    for name in OF_MASKS:
        options[name] = options.get(name, {}) | {"of_masks": _of_masks}
    options["sinc"] = options.get("sinc", {}) | {"renews": True}  # PyTorch keeps x alone
    options["prelu"] = options.get("prelu", {}) | {"keeps": "x y"}
    kept = ("y", "x y")  # of rounded quotients, whose derivative is 0
    no, fix = "not implemented", "(x / y).floor() has one, which is 0"
    options["floor_divide"] = {
        "check": only(real, "div_floor_cpu"), "rule": (no, no),
        "vjps": [no_derivative("floor_divide", fix)] * 2,
    }  # fmt: skip
    zero = (lambda F, g, out, x, y: F.zero(g),) * 2
    for name in ROUNDED_QUOTIENTS:
        check = only(real, f"{name}_cpu")
        options[name] = {"check": check, "rule": ("0", "0"), "vjps": zero, "keeps": kept}
        options[name] |= {"torch_name": "Div"}
    return options


def _declare(name: str) -> Op:
    """Declare the op ``name``."""
    options = _options().get(name, {})
    if name in formulas.TABLE:
        return Op.elementwise(name, **options)
    # ops whose values need no order, and of complex numbers no derivative
    if name in formulas.COMPARISONS:
        kind = "own" if name in ("eq", "ne") else "none"
        return Op(name, None, result="bool", formula=formulas.COMPARISONS[name], complex=kind)
    if name in LOGIC:
        kind = "none" if name in ("signbit", "isposinf", "isneginf") else "own"
        return Op(name, _of_ufunc(LOGIC[name]), result="bool", complex=kind)
    if name in BITWISE:
        check = only(WHOLE, f"{name}_cpu")
        return Op(name, _of_ufunc(BITWISE[name]), result="same", check=check)
    forward = _trunc_divide if name == "div_trunc" else _floor_divide
    return Op(name, forward, result="same", complex="none", **options)


ROUNDED_QUOTIENTS = frozenset({"div_floor", "div_trunc"})
# ops that are reached through a function with more parameters only
PARTS = ROUNDED_QUOTIENTS | {"add_scaled", "bce_with_logits", "clamp_between", "lerp_by"}
NAMES = (
    *formulas.TABLE, *formulas.COMPARISONS, *LOGIC, *BITWISE, "floor_divide", *ROUNDED_QUOTIENTS,
)  # fmt: skip
REGISTRY.promise(NAMES, _declare)
definitions.promise(NAMES, REGISTRY.__getitem__)


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
    "threshold softshrink "
    "hardsigmoid hardswish smooth_l1 huber entr ndtr xlog1py".split()
)


# ops whose operands are tensors only; and whose first operand is a tensor
TENSORS_ONLY = frozenset(
    "atan2 hypot fmax fmin maximum minimum logaddexp logaddexp2 logical_and logical_or logical_xor "
    "igamma igammac gcd lcm nextafter heaviside".split()
)
TENSOR_FIRST = frozenset("fmod lt le gt ge eq ne copysign".split())
OF_TWO = {*formulas.COMPARISONS} | {
    f"{kind}_{name}" for kind in ("logical", "bitwise") for name in ("and", "or", "xor")
}


def function_of(op: Op) -> Callable[..., Tensor]:
    """``op(*inputs, **attrs)`` as a function: made by engine/hot.py where it is one of those."""
    written = _square if op.name == "square" else checked(op)
    if op.name not in formulas.TABLE:
        doc = f"Elementwise {op.name}."
        if op.name in OF_TWO:
            written = made(op, written, op.name not in TENSORS_ONLY)
        elif op.name in LOGIC:
            written = asking(op, written)
            if op.name == "isfinite":
                written = _isfinite(written)
            written = with_parameters(written, *op.parameters)
    else:
        rules = "; ".join(filter(None, op.rule))
        doc = f"{op.formula}, elementwise, with broadcasting. Derivative rules: {rules}."
        if not op.attributes and len(op.vjps) <= 2:
            function = made(op, written, op.name not in TENSORS_ONLY)
            written = with_parameters(function, *op.parameters)
    return named(written, op.name, doc, op=op)  # scripts/stubs.py reads it


def _isfinite(written: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(input: Tensor) -> Tensor:
        found = written(input)
        if input.array.dtype.kind in "fcV":  # PyTorch asks |x| != inf
            refuse_stale(input)
        return found

    return function


def checked(op: Op) -> Callable[..., Tensor]:
    """``op`` as a function, which refuses Python numbers where PyTorch does."""
    least, n = 0 if op.name in NUMBERS_ONLY else 1, op.arity
    own = {*op.parameters[n:]}

    def function(*inputs: Any, **attrs: Any) -> Tensor:
        if len(inputs) != n or (attrs and not attrs.keys() <= own):
            inputs, attrs = operands_given(op.name, op.parameters, n, inputs, attrs)
        for i, x in enumerate(inputs):
            if type(x) in NUMBERS or type(x) is complex:
                tensors = sum([hasattr(v, "node") for v in inputs])
                if (
                    tensors < least
                    or op.name in TENSORS_ONLY
                    or (i == 0 and op.name in TENSOR_FIRST)
                ):
                    what = f"argument '{op.parameters[i]}' (position {i + 1})"
                    raise TypeError(
                        message(
                            f"{op.name}(): {what} must be Tensor, not {type(x).__name__}",
                            fix="torch.tensor(...) makes a tensor of a number",
                        )
                    )
        return several(op, inputs, attrs or None)

    return function


def _square(input: Tensor) -> Tensor:
    """input * input; PyTorch makes integers of bools."""
    return REGISTRY["square"](input.long() if input.array.dtype.kind == "b" else input)


def _exported(shown: str) -> Callable[..., Tensor]:
    function, name = ELEMENTWISE[OF_OPS[shown]], OF_OPS[shown]
    if not hasattr(function, "written"):
        return alias(reading(function), shown)
    if name in OF_TWO or name not in LOGIC:
        return alias(function, shown)
    return named(reading(function), shown, written=reading(function.written))


# name of a function -> that of its op
OF_OPS = {
    alias: name
    for name in NAMES
    if name not in PARTS
    for alias in (name, *ALIASES.get(name, ()))
}
# the function of each op, by the op's name
ELEMENTWISE: Promises[Callable[..., Tensor]] = Promises()
ELEMENTWISE.promise(NAMES, lambda name: function_of(REGISTRY[name]))
FUNCTIONS.promise(OF_OPS, _exported)
METHODS.promise(
    [alias for alias, name in OF_OPS.items() if name not in NOT_METHODS],
    lambda name: alias(ELEMENTWISE[OF_OPS[name]], name),
)
