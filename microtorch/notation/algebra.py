"""Formulas as mathematics: put one into another, simplify, print as LaTeX.

A formula in the grammar of formulas.py is read into sums, products and powers; while these are put
together, numbers are added up, equal terms and equal factors are collected, and a choice whose
condition is known is made. Nothing is expanded: ``(a + b) * c`` stays a product. ``text`` writes
the result in the same grammar, so whatever can print or run a formula can print or run it.

    text(read("g * (1 - out * out)", {"g": ONE, "out": read("tanh(n)")}))    1 - tanh(n) ** 2

The rules are those of real numbers: ``0 * x`` is 0, also where x might be infinite.
"""
from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from .expr import Dialect, called, parse

# ("n", number) ("v", name) ("f", function, arguments...) ("+", terms...) ("*", factors...)
# ("^", base, exponent) ("?", condition, then, else) ("c", sign, left, right)
Term: TypeAlias = tuple[Any, ...]

ZERO: Term = ("n", 0.0)
ONE: Term = ("n", 1.0)
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_DECIDE = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip


# ---- reading -------------------------------------------------------------------------------------
def read(formula: str, values: Mapping[str, Term] = {}) -> Term:
    """A formula, simplified; ``values`` are put in for names. Raises FormulaError."""
    return _read(parse(formula), values)


def _read(node: ast.expr, values: Mapping[str, Term]) -> Term:
    if isinstance(node, ast.Name):
        return values.get(node.id, ("v", node.id))
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, (int, float))
        return number(node.value)
    if isinstance(node, ast.UnaryOp):
        return negative(_read(node.operand, values))
    if isinstance(node, ast.Compare):
        left, right = (_read(n, values) for n in (node.left, node.comparators[0]))
        return ("c", _SIGNS[type(node.ops[0])], left, right)
    if isinstance(node, ast.Call):
        arguments = [_read(a, values) for a in node.args]
        name = called(node)
        return choice(*arguments) if name == "where" else ("f", name, *arguments)
    assert isinstance(node, ast.BinOp)
    a, b = _read(node.left, values), _read(node.right, values)
    if isinstance(node.op, ast.Add):
        return total(a, b)
    if isinstance(node.op, ast.Sub):
        return total(a, negative(b))
    if isinstance(node.op, ast.Mult):
        return product(a, b)
    return product(a, power(b, number(-1))) if isinstance(node.op, ast.Div) else power(a, b)


# ---- putting together ----------------------------------------------------------------------------
def number(v: complex) -> Term:
    """A constant. NotImplementedError for a complex one: the rules here are those of reals."""
    if isinstance(v, complex):
        raise NotImplementedError(f"formulas are simplified for real numbers, but {v} is complex")
    return ("n", float(v) + 0.0)


def negative(a: Term) -> Term:
    return product(number(-1), a)


def total(*terms: Term) -> Term:
    """A sum: equal terms are collected."""
    found: dict[Term, float] = {}
    constant = 0.0
    todo = list(reversed(terms))
    while todo:
        t = todo.pop()
        if t[0] == "+":
            todo.extend(reversed(t[1:]))
        elif t[0] == "n":
            constant += t[1]
        else:
            factor, rest = _coefficient(t)
            found[rest] = found.get(rest, 0.0) + factor
    out = [product(number(k), rest) for rest, k in found.items() if k]
    if constant:
        # 1 - x, and not -x + 1
        first = bool(out) and _coefficient(out[0])[0] < 0
        out.insert(0 if first else len(out), number(constant))
    return ZERO if not out else out[0] if len(out) == 1 else ("+", *out)


def product(*factors: Term) -> Term:
    """A product: numbers are multiplied, powers of equal bases collected."""
    found: dict[Term, float] = {}
    constant = 1.0
    todo = list(reversed(factors))
    while todo:
        t = todo.pop()
        if t[0] == "*":
            todo.extend(reversed(t[1:]))
        elif t[0] == "n":
            constant *= t[1]
        elif t[0] == "^" and t[2][0] == "n":
            found[t[1]] = found.get(t[1], 0.0) + t[2][1]
        else:
            found[t] = found.get(t, 0.0) + 1.0
    if constant == 0:
        return ZERO
    out = [power(base, number(k)) for base, k in found.items() if k]
    if constant != 1 or not out:
        out.insert(0, number(constant))
    return out[0] if len(out) == 1 else ("*", *out)


def power(a: Term, b: Term) -> Term:
    """A power: of numbers, of powers with whole exponents, of products with whole exponents."""
    if b[0] == "n":
        k = b[1]
        if k == 0:
            return ONE
        if k == 1:
            return a
        if a[0] == "n" and a[1] and (a[1] > 0 or _whole(k)):
            try:
                value = a[1] ** k
            except OverflowError:
                return ("^", a, b)
            short = k > 0 or _whole(value) or (value != 0 and _whole(1 / value))
            return number(value) if short else ("^", a, b)
        if _whole(k):
            if a[0] == "^" and a[2][0] == "n":
                return power(a[1], number(a[2][1] * k))
            if a[0] == "*":
                return product(*(power(f, b) for f in a[1:]))
    return ("^", a, b)


def _whole(v: float) -> bool:
    return math.isfinite(v) and v == int(v)


def choice(condition: Term, a: Term, b: Term) -> Term:
    """``where``: made, if its condition compares numbers or its branches are equal."""
    if a == b:
        return a
    if condition[0] == "c" and condition[2][0] == condition[3][0] == "n":
        return a if _DECIDE[condition[1]](condition[2][1], condition[3][1]) else b
    return ("?", condition, a, b)


def _coefficient(t: Term) -> tuple[float, Term]:
    if t[0] == "*" and t[1][0] == "n":
        return t[1][1], t[2] if len(t) == 3 else ("*", *t[2:])
    return 1.0, t


def size(t: Term) -> int:
    """How many names and numbers it is written with."""
    return 1 if t[0] in "nv" else sum(size(x) for x in t[1:] if isinstance(x, tuple))


# ---- writing -------------------------------------------------------------------------------------
def text(t: Term) -> str:
    """The formula, in the grammar of formulas.py."""
    return _text(t)[0]


def _text(t: Term) -> tuple[str, int]:
    """The text and how tightly it binds: 1 comparison, 2 sum, 3 product, 4 power, 5 atom."""
    kind = t[0]
    if kind == "n":
        v = t[1]
        if not math.isfinite(v):
            return f"{'-' if v < 0 else ''}1e999" if v == v else "(1e999 - 1e999)", 3
        written = str(int(v)) if _whole(v) and abs(v) < 1e15 else repr(v)
        return (written, 5) if v >= 0 else (written, 3)
    if kind == "v":
        return t[1], 5
    if kind == "f":
        return f"{t[1]}({', '.join(text(a) for a in t[2:])})", 5
    if kind == "?":
        return f"where({', '.join(text(a) for a in t[1:])})", 5
    if kind == "c":
        return f"{_wrap(t[2], 2)} {t[1]} {_wrap(t[3], 2)}", 1
    if kind == "+":
        out = _wrap(t[1], 2)
        for term in t[2:]:
            written = _wrap(term, 3)
            out += f" - {written[1:]}" if written.startswith("-") else f" + {written}"
        return out, 2
    if kind == "^":
        if t[2][0] == "n" and t[2][1] < 0:
            return f"1 / {_wrap(power(t[1], number(-t[2][1])), 4)}", 3
        if t[2] == number(0.5):
            return f"sqrt({text(t[1])})", 5
        return f"{_wrap(t[1], 5)} ** {_wrap(t[2], 4)}", 4
    return _product_text(t)


def _product_text(t: Term) -> tuple[str, int]:
    """``_text`` of a product: what is divided by stands behind one stroke."""
    below = [f for f in t[1:] if f[0] == "^" and f[2][0] == "n" and f[2][1] < 0]
    above = [f for f in t[1:] if f not in below]
    sign = ""
    if above and above[0][0] == "n" and above[0][1] < 0:
        above[0] = number(-above[0][1])
        sign = "-"
        if above[0] == ONE and len(above) > 1:
            above.pop(0)
    unders = [power(f, number(-1)) for f in below]
    if above and above[0][0] == "n" and (ratio := _ratio(above[0][1])):
        above[0] = number(ratio[0])
        unders.insert(0, number(ratio[1]))
        if above[0] == ONE and len(above) > 1:
            above.pop(0)
    out = " * ".join(_wrap(f, 4) for f in above) or "1"
    if unders:
        out += f" / {_wrap(product(*unders), 4)}"
        return (f"-({out})" if sign else out), 3
    return sign + out, 3


def _ratio(v: float) -> tuple[int, int] | None:
    """A number that is long as a decimal and short as a fraction: 0.666... is (2, 3)."""
    if not math.isfinite(v) or _whole(v) or len(repr(v)) < 8:
        return None
    short = Fraction(v).limit_denominator(99)
    return (short.numerator, short.denominator) if float(short) == v else None


def _wrap(t: Term, level: int) -> str:
    written, binds = _text(t)
    return written if binds >= level else f"({written})"


# ---- LaTeX ---------------------------------------------------------------------------------------
_KNOWN = frozenset(
    {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min", "arctan", "arcsin"}
)
_CALLED = {
    "sigmoid": r"\sigma", "log2": r"\log_2", "log10": r"\log_{10}", "maximum": r"\max",
    "minimum": r"\min", "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan",
}  # fmt: skip
_OF_CALL = re.compile(r"(\\[a-z]+(?:\{[a-z0-9\\_]+\})?)(\\left\(.*\\right\))")


def latex_dialect(values: Mapping[str, str] = {}) -> Dialect:
    """LaTeX; ``values`` has what stands for each name, already in LaTeX."""
    return Dialect(
        call=_call,
        where=lambda c, a, b: (
            rf"\begin{{cases}} {a} & \text{{if }} {c} \\ {b} & \text{{otherwise}} \end{{cases}}"
        ),
        power=_power,
        divide=lambda a, b: rf"\frac{{{a}}}{{{b}}}",
        number=latex_number,
        name=lambda n: values.get(n, latex_name(n)),
        signs={"*": r"\,", "<=": r"\le", ">=": r"\ge", "!=": r"\ne", "==": "="},
    )


def latex_number(v: complex) -> str:
    """Six digits; ``1.2 \\cdot 10^{-7}`` where it is small; a complex number in parentheses."""
    if isinstance(v, complex):
        return rf"({latex_number(v.real)} {'+-'[v.imag < 0]} {latex_number(abs(v.imag))}\,i)"
    mantissa, e, exponent = f"{v:.6g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa


def latex_name(name: str) -> str:
    """A variable: one letter with an index in italics, a word upright."""
    if re.fullmatch(r"[A-Za-z]", name):
        return name
    if match := re.fullmatch(r"([A-Za-z])_?(\d+)", name):
        return f"{match[1]}_{{{match[2]}}}"
    return rf"\mathrm{{{name}}}".replace("_", r"\_")


def _call(f: str, a: list[str]) -> str:
    if f == "abs":
        return rf"\left|{a[0]}\right|"
    if f == "sqrt":
        return rf"\sqrt{{{a[0]}}}"
    if f == "exp":
        return f"e^{{{a[0]}}}"
    name = _CALLED.get(f) or (rf"\{f}" if f in _KNOWN else rf"\operatorname{{{f}}}")
    if name.startswith(r"\operatorname"):
        name = name.replace("_", r"\_")
    return rf"{name}\left({', '.join(a)}\right)"


def _power(a: str, b: str) -> str:
    call = _OF_CALL.fullmatch(a)
    if call and _closes_last(call[2]):
        return f"{call[1]}^{{{b}}}{call[2]}"
    simple = re.fullmatch(r"\w|\w+(\.\w+)?|[A-Za-z]_\{\w+\}|\\mathrm\{[^{}]*\}", a)
    return f"{a}^{{{b}}}" if simple else rf"\left({a}\right)^{{{b}}}"


def _closes_last(s: str) -> bool:
    """Does the bracket that opens ``s`` close at its end?"""
    depth = 0
    for m in re.finditer(r"\\left\(|\\right\)", s):
        depth += 1 if m[0] == r"\left(" else -1
        if depth == 0:
            return m.end() == len(s)
    return False
