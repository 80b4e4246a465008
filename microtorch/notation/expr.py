"""Reading formulas: parsed once, printed for every reader.

A formula such as ``"g * out * (1 - out)"`` is parsed by Python's own ``ast``, and one small
recursive printer writes it as each reader needs it. A ``Dialect`` says how that reader writes a
call, a power, a choice and a number. For ``where(out > 0, g, 0)``:

    PYTHON      F.where(out > 0, g, 0)      kernels on arrays, derivatives on arrays and Tensors
    SCALAR      (g if out > 0.0 else 0.0)   Python floats, IEEE results where Python would raise
    C, OPENCL   (out > 0.0f ? g : 0.0f)     the body of a loop
    TEXT        (g if out > 0 else 0)       a person in the stepper, who may see numbers for names

This file imports only the standard library, so that the build can load it by path.
"""
from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

# how an operator is written, and how tightly it binds
_BINARY: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", 4), ast.Sub: ("-", 4), ast.Mult: ("*", 5), ast.Div: ("/", 5), ast.Pow: ("**", 7),
}  # fmt: skip
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class FormulaError(ValueError):
    """A formula outside the grammar of formulas.py."""


class Dialect:
    """How one reader writes the parts of a formula. Each function gets operands already printed.

    ``power`` and ``divide``: None for the infix sign of ``signs``.
    """

    __slots__ = ("call", "divide", "name", "number", "power", "signs", "where")

    def __init__(
        self,
        call: Callable[[str, list[str]], str],
        where: Callable[[str, str, str], str],
        power: Callable[[str, str], str] | None = None,
        divide: Callable[[str, str], str] | None = None,
        number: Callable[[float], str] = repr,
        name: Callable[[str], str] = str,
        signs: Mapping[str, str] | None = None,
    ):
        self.call, self.where, self.power, self.divide = call, where, power, divide
        self.number, self.name, self.signs = number, name, signs or {}

    def but(self, **parts: object) -> Dialect:
        """The dialect with other parts."""
        return Dialect(**({part: getattr(self, part) for part in self.__slots__} | parts))


@cache
def parse(formula: str) -> ast.expr:
    """The checked syntax tree of a formula. Raises FormulaError on anything outside the grammar."""
    if not formula.isascii():  # Python would read gᵀ as the name gT
        raise FormulaError(f"{formula!r} is not an expression: a formula is written in ASCII")
    try:
        tree = ast.parse(formula, mode="eval").body
    except SyntaxError as e:
        raise FormulaError(f"{formula!r} is not an expression: {e.msg}") from None
    for node in ast.walk(tree):
        bad = None
        if isinstance(node, ast.BinOp) and type(node.op) not in _BINARY:
            bad = "only + - * / ** are formula operators"
        elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.USub):
            bad = "the only unary sign is -"
        elif isinstance(node, ast.Compare) and (
            len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE
        ):
            bad = "a comparison has exactly two sides"
        elif isinstance(node, ast.Call) and (node.keywords or not isinstance(node.func, ast.Name)):
            bad = "a call is name(arguments), without keywords"
        elif isinstance(node, ast.Constant) and not isinstance(node.value, (int, float)):
            bad = "a constant is a number"
        elif not isinstance(node, _GRAMMAR):
            bad = f"{type(node).__name__} is not in the grammar"
        if bad:
            raise FormulaError(f"in {formula!r}: {bad}")
    return tree


_GRAMMAR = (
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Constant, ast.Name, ast.operator,
    ast.unaryop, ast.cmpop, ast.expr_context,
)  # fmt: skip
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*\b(?!\()")
_CALLED = r"(?<![\w.])[A-Za-z_]\w*(?=\()"  # compiled when first used


def names(formula: str) -> frozenset[str]:
    """The values that a formula reads: inputs, ``out``, ``g`` and static arguments.

    They are read off the text: an import asks this of every formula, and to parse them all would
    slow it.
    """
    return frozenset(_NAME.findall(formula))


def functions(formula: str) -> frozenset[str]:
    """The ops that a formula calls."""
    return frozenset(re.findall(_CALLED, formula))


# functions whose derivative is 0
STEPS = frozenset({"sign", "sgn", "floor", "ceil", "round", "trunc"})


def for_choices_only(formula: str) -> frozenset[str]:
    """The values that a formula reads in conditions and step functions, and nowhere else."""
    smooth, todo = set(), [parse(formula)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            smooth.add(node.id)
        elif isinstance(node, ast.Call):
            skipped = len(node.args) if called(node) in STEPS else called(node) == "where"
            todo.extend(node.args[skipped:])
        elif not isinstance(node, ast.Compare):
            todo.extend(n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr))
    return names(formula) - smooth - functions(formula)


def arguments(formula: str, calls: Collection[str], dialect: Dialect) -> list[str]:
    """What a formula gives to the functions of one argument in ``calls``, printed in a dialect."""
    found = [n for n in ast.walk(parse(formula)) if isinstance(n, ast.Call) and called(n) in calls]
    return sorted({_render(n.args[0], dialect)[0] for n in found})


def called(call: ast.Call) -> str:
    """The name of the op that a call in a formula calls."""
    assert isinstance(call.func, ast.Name)  # `parse` saw to it
    return call.func.id


def render(formula: str, dialect: Dialect) -> str:
    """Print a formula in a dialect, with no more parentheses than needed."""
    return _render(parse(formula), dialect)[0]


def _render(node: ast.expr, d: Dialect) -> tuple[str, int]:
    """The text of a node and how tightly it binds (9: an atom)."""
    if isinstance(node, ast.Name):
        text = d.name(node.id)
        # a substituted negative number is put in parentheses
        return text, 2 if text.startswith(("-", "−")) else 9
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, (int, float))
        return d.number(node.value), 9
    if isinstance(node, ast.UnaryOp):
        text, level = _render(node.operand, d)
        return d.signs.get("-u", "-") + (text if level >= 6 else f"({text})"), 5
    if isinstance(node, ast.Compare):
        left, right = (_wrap(n, d, 4) for n in (node.left, node.comparators[0]))
        sign = _COMPARE[type(node.ops[0])]
        return f"{left} {d.signs.get(sign, sign)} {right}", 3
    if isinstance(node, ast.Call):
        arguments = [_render(a, d)[0] for a in node.args]
        if called(node) == "where":
            return d.where(*arguments), 9
        return d.call(called(node), arguments), 9
    assert isinstance(node, ast.BinOp)
    sign, level = _BINARY[type(node.op)]
    special = d.power if sign == "**" else d.divide if sign == "/" else None
    if special is not None:
        return special(_render(node.left, d)[0], _render(node.right, d)[0]), 9
    # a - (b - c) and a * (b / c) keep their parentheses, which also decide the rounding; ** binds
    # to the right
    left = _wrap(node.left, d, level + (sign == "**"))
    right = _wrap(node.right, d, level + (sign != "**"))
    return f"{left} {d.signs.get(sign, sign)} {right}", level


def _wrap(node: ast.expr, d: Dialect, level: int) -> str:
    text, binds = _render(node, d)
    return text if binds >= level else f"({text})"


# what costs a processor little; other functions cost ten times as much
CHEAP = frozenset(
    {"abs", "floor", "ceil", "round", "trunc", "sign", "sgn", "maximum", "minimum", "sqrt", "where"}
    | {"conj", "copysign"}
)
REAL_NAMES = {"sgn": "sign"}  # what a function of complex numbers is called for real ones


# ---- dialects ------------------------------------------------------------------------------------
PYTHON = Dialect(
    call=lambda f, a: f"F.{f}({', '.join(a)})",
    where=lambda c, a, b: f"F.where({c}, {a}, {b})",
    power=lambda a, b: f"F.pow({a}, {b})",
)
SCALAR = Dialect(
    call=lambda f, a: f"{f}({', '.join(a)})",
    where=lambda c, a, b: f"({a} if {c} else {b})",
    power=lambda a, b: f"power({a}, {b})",
    divide=lambda a, b: f"divide({a}, {b})",
    number=lambda v: repr(float(v)),  # so that where(x > 0, x, 0) is a float in either case
)
# C for float and for double at once: ext/kernels.c is compiled for both, and there `real` and
# FN(exp) are the one or the other
C = Dialect(
    call=lambda f, a: a[0] if f == "conj" else f"FN({REAL_NAMES.get(f, f)})({', '.join(a)})",
    where=lambda c, a, b: f"({c} ? {a} : {b})",
    power=lambda a, b: f"FN(pow)({a}, {b})",
    number=lambda v: f"(real){v!r}",
)
# functions that OpenCL C calls by another name, or whose name means something else there; those
# that it lacks stand in kernels/prelude.cl
_OPENCL_NAMES = {
    "abs": "fabs", "round": "rint", "sign": "signum", "sgn": "signum", "remainder": "modulo",
    "conj": "",
}  # fmt: skip
_INTEGER_NAMES = {
    "abs": "absolute", "sign": "signum", "sgn": "signum", "remainder": "modulo", "floor": "",
    "ceil": "", "round": "", "trunc": "",
}  # fmt: skip
# what opencl_dialect can render for integers
INTEGER_FUNCTIONS = frozenset({*_INTEGER_NAMES, "maximum", "minimum", "fmod", "where"})


def keeps_integers(formula: str, defaults: Collection[float | None] = ()) -> bool:
    """Does a formula make integers from integers? ``defaults``: those of its static arguments."""
    exact = functions(formula) <= INTEGER_FUNCTIONS and "/" not in formula and "." not in formula
    return exact and not any(isinstance(v, float) for v in defaults)


def opencl_dialect(kind: str) -> Dialect:
    """OpenCL C for one type: "float", "double", or an integer type, which nothing rounds."""
    suffix = {"float": "f", "double": ""}.get(kind)
    if suffix is None:
        return Dialect(
            call=lambda f, a: (
                f"({a[0]} % {a[1]})"
                if f == "fmod"
                else f"{_INTEGER_NAMES.get(f, f)}({', '.join(a)})"
            ),
            where=lambda c, a, b: f"({c} ? {a} : {b})",
            power=lambda a, b: f"power({a}, {b})",
            number=lambda v: f"{int(v)}",
        )
    return Dialect(
        call=lambda f, a: f"{_OPENCL_NAMES.get(f, f)}({', '.join(a)})",
        where=lambda c, a, b: f"({c} ? {a} : {b})",
        power=lambda a, b: f"squared({a})" if b == f"2.0{suffix}" else f"pow({a}, {b})",
        number=lambda v: f"{float(v)!r}{suffix}",
    )


OPENCL = opencl_dialect("float")


def text_dialect(values: Mapping[str, str] = {}) -> Dialect:
    """What a person reads; ``values`` has numbers, or the user's own names, for x, y, out, g."""
    return Dialect(
        call=lambda f, a: f"|{a[0]}|" if f == "abs" else f"{f}({', '.join(a)})",
        where=lambda c, a, b: f"({a} if {c} else {b})",
        number=lambda v: f"{v:g}",
        name=lambda n: values.get(n, n),
        signs={"-": "−", "-u": "−", "*": "·", "<=": "≤", ">=": "≥", "!=": "≠", "==": "="},
    )


TEXT = text_dialect()


# ---- Python functions ----------------------------------------------------------------------------
def compile_python(formula: str, parameters: str, name: str = "formula") -> Callable[..., Any]:
    """A function on arrays or Tensors, whose first parameter is the namespace F.

    ``parameters`` is text such as ``"F, g, out, x, *, alpha"``.
    """
    return _compile(formula, parameters, PYTHON, name, {})


def compile_scalar(formula: str, parameters: str, name: str = "formula") -> Callable[..., float]:
    """A function of ``parameters`` on Python floats.

    It returns IEEE 754's inf or nan where Python's floats would raise.
    """
    return _compile(formula, parameters, SCALAR, name, dict(SCALAR_FUNCTIONS))


def _compile(
    formula: str, parameters: str, dialect: Dialect, name: str, namespace: dict[str, Any]
) -> Any:
    # By its file name, "<microtorch ...>", the search for the user's line skips these frames. By
    # __name__, the package's filter knows the floating-point warnings that numpy raises here.
    namespace["__name__"] = "microtorch.formulas"
    source = f"lambda {parameters}: {render(formula, dialect)}"
    function = eval(compile(source, f"<microtorch {name}>", "eval"), namespace)
    function.__name__ = function.__qualname__ = name
    return function


# ---- functions of floats, as IEEE 754 has them ---------------------------------------------------
def divide(x: float, y: float) -> float:
    """x / y; by zero, an infinity or nan."""
    try:
        return x / y
    except ZeroDivisionError:
        return math.nan if x == 0 or x != x else math.copysign(math.inf, x) * math.copysign(1.0, y)


def power(x: float, y: float) -> float:
    """x ** y; nan where the result is complex, an infinity where it is too large."""
    try:
        result = x**y
    except ZeroDivisionError:  # 0 to a negative power; its sign survives only for odd integers
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    return math.nan if isinstance(result, complex) else result


def _ieee(function: Callable[..., float], overflow: float = math.inf) -> Callable[..., float]:
    """``function`` with inf for OverflowError and nan for ValueError, as in the C library."""

    def ieee(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.copysign(overflow, x) if function in (math.sinh,) else overflow
        except ValueError:
            return math.nan

    return ieee


def _log_like(function: Callable[[float], float], pole: float) -> Callable[[float], float]:
    """``function`` with -inf at its pole and nan below it."""
    def ieee(x: float) -> float:
        return function(x) if x > pole else -math.inf if x == pole else math.nan

    return ieee


def _step(function: Callable[[float], float]) -> Callable[[float], float]:
    """A rounding that gives a float, and leaves inf and nan as they are."""
    return lambda x: float(function(x)) if math.isfinite(x) else x


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x != 0 and x == x else 0.0


def maximum(x: float, y: float) -> float:
    return x if x >= y or x != x else y


def minimum(x: float, y: float) -> float:
    return x if x <= y or x != x else y


def remainder(x: float, y: float) -> float:
    r = fmod(x, y)  # and not x % y, whose 0 has the sign of y
    return r + y if r != 0 and (r < 0) != (y < 0) else r


def fmod(x: float, y: float) -> float:
    return math.nan if y == 0 or not math.isfinite(x) else math.fmod(x, y)


_OF_MATH = (
    "exp", "expm1", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh",
    "erf", "erfc",
)  # fmt: skip
SCALAR_FUNCTIONS: dict[str, Callable[..., float]] = {
    **{f: _ieee(getattr(math, f)) for f in _OF_MATH},
    **{f: _log_like(getattr(math, f), 0.0) for f in ("log", "log2", "log10")},
    "log1p": _log_like(math.log1p, -1.0),
    "exp2": lambda x: power(2.0, x),
    "sqrt": _ieee(math.sqrt),
    "conj": float,
    "tanh": math.tanh,
    "atanh": lambda x: math.copysign(math.inf, x) if abs(x) == 1 else _ieee(math.atanh)(x),
    "atan2": math.atan2,
    "sigmoid": lambda x: 0.0 if x <= -700 else 1 / (1 + math.exp(-x)),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "abs": abs,
    "floor": _step(math.floor),
    "ceil": _step(math.ceil),
    "round": _step(round),
    "trunc": _step(math.trunc),
    "sgn": sign,
    **{f.__name__: f for f in (sign, maximum, minimum, remainder, fmod, divide, power)},
}
