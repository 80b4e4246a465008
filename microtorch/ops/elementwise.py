"""The public face of the elementwise ops: every row of formulas.py as a method and a function.

Most ops need nothing here. Written out are those whose PyTorch signature has more than the operands
(``add(alpha=)``, ``div(rounding_mode=)`` and so on), in terms of the declared ones; and comparisons
and logic, which have values but no derivatives. The operators are in handles/protocols.py.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import BOOL, OBJECT
from ..backends import definitions
from ..backends.reference import Reference, nonzero_divisor
from ..base.errors import describe, message, warn
from ..base.naming import named, with_parameters
from ..base.promises import Promises
from ..engine.calling import operands_given, reading
from ..engine.handle import Handle
from ..engine.hot import asking, made
from ..engine.op import Op
from ..engine.operands import NUMBERS, NUMBERS_ONLY, element, left_operand, no_subtraction
from ..engine.out import into
from ..engine.promotion import common_dtype
from ..engine.registry import REGISTRY
from ..engine.short import several
from ..notation import formulas
from .arguments import check_factor
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Array, DType, Gradient, Namespace, Operand, TensorLike
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
    """``op``, or its twin whose derivative raises, as PyTorch's does."""
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
        "hardshrink smooth_l1 huber"
    ).split()}  # fmt: skip
    checks |= {n: only("f", "GeluKernelImpl") for n in ("gelu", "gelu_tanh")}
    checks |= {"silu": only("fc", "silu_cpu")}
    checks |= {n: only(real, f"{n}_cpu") for n in ("relu", "relu6", "hardtanh", "threshold")}
    options: dict[str, dict[str, Any]] = {name: {"check": c} for name, c in checks.items()}
    # the condition of `where` is no number: only the choices are promoted
    options["where"] = {"unpromoted": 1}
    untied = "maximum minimum fmax fmin clamp clamp_min clamp_max clamp_between xlogy xlog1py"
    for name in untied.split():
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
PARTS = ROUNDED_QUOTIENTS | {"add_scaled", "lerp_by", "clamp_between"}
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
            written = with_parameters(asking(op, written), *op.parameters)
    else:
        rules = "; ".join(filter(None, op.rule))
        doc = f"{op.formula}, elementwise, with broadcasting. Derivative rules: {rules}."
        if not op.attributes and len(op.vjps) <= 2:
            function = made(op, written, op.name not in TENSORS_ONLY)
            written = with_parameters(function, *op.parameters)
    return named(written, op.name, doc, op=op)  # scripts/stubs.py reads it


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


def _exported(alias: str) -> Callable[..., Tensor]:
    function, name = ELEMENTWISE[OF_OPS[alias]], OF_OPS[alias]
    if not hasattr(function, "written"):
        return reading(function)
    if name in OF_TWO or name not in LOGIC:
        return function
    return named(reading(function), name, written=reading(function.written))


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
    lambda alias: ELEMENTWISE[OF_OPS[alias]],
)


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


# ---- signatures with more than the operands ------------------------------------------------------
def _scaled(other: TensorLike, alpha: AnyNumber, input: TensorLike) -> Any:
    """alpha * other, for ``add`` and ``sub``.

    RuntimeError for an alpha of a higher kind, or one that the dtype of the result does not hold.
    """
    if _alike((input, other), alpha):
        return ELEMENTWISE["mul"](other, alpha)
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
    input: Tensor, other: TensorLike, *old: Tensor, alpha: AnyNumber = 1, out: Any = None
) -> Tensor:
    """input + alpha * other. Old scripts put the number first: ``p.data.add_(-lr, p.grad)``."""
    if old:
        (other,), alpha = number_first("add", other, old)
    if out is not None:
        return into(out, add, (input, other), {"alpha": alpha})
    if alpha == 1 and (type(alpha) is int or _takes(alpha, input, other)):
        return ELEMENTWISE["add"](input, other)
    if _alike((input, other), alpha):
        return several(REGISTRY["add_scaled"], (input, other), {"alpha": alpha})
    return ELEMENTWISE["add"](input, _scaled(other, alpha, input))


@public(aliases=("subtract",))
def sub(
    input: Tensor, other: TensorLike, *old: Tensor, alpha: AnyNumber = 1, out: Any = None
) -> Tensor:
    """input - alpha * other. PyTorch has no subtraction of bool tensors, and so raises here too."""
    if old:
        (other,), alpha = number_first("sub", other, old)
    if out is not None:
        return into(out, sub, (input, other), {"alpha": alpha})
    if alpha == 1 and (type(alpha) is int or _takes(alpha, input, other)):
        return ELEMENTWISE["sub"](input, other)
    if other is True or other is False or getattr(other, "dtype", None) is dtypes.bool:
        raise no_subtraction("sub", (input, other))
    return ELEMENTWISE["sub"](input, _scaled(other, alpha, input))


@public(aliases=("divide", "true_divide"))
def div(
    input: Tensor, other: TensorLike, *, rounding_mode: str | None = None, out: Any = None
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
    """input ** exponent; either may be a number."""
    return ELEMENTWISE["pow"](input, exponent)


@public(method=False)
def rsub(input: Tensor, other: TensorLike, alpha: AnyNumber = 1) -> Tensor:
    """other - alpha * input."""
    if type(input) in NUMBERS:
        raise TypeError(
            message(f"rsub(): argument 'input' must be Tensor, not {type(input).__name__}")
        )
    if other is True or other is False or input.array.dtype is BOOL:
        raise no_subtraction("sub", (other, input))
    right = input if alpha == 1 and alpha is not True else _scaled(input, alpha, other)
    return ELEMENTWISE["sub"](left_operand(REGISTRY["sub"], other, input), right)


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
        own = x.array.dtype
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
        x = ELEMENTWISE["mul"](x, held.item() if d.kind in "iu" else value)
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
            element(number, input.array.dtype)
            weight = weight if t is number or t.node.needs else number
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
