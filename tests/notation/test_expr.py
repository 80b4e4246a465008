"""The formula language: what it reads, what it refuses, and what each dialect prints."""

import math

import numpy as np
import pytest

from microtorch.backends import Reference
from microtorch.engine.registry import REGISTRY
from microtorch.notation import expr, formulas


def python(formula):
    return expr.render(formula, expr.PYTHON)


@pytest.mark.parametrize(
    ("formula", "printed"),
    [
        ("x - (y - g)", "x - (y - g)"),
        ("x - y - g", "x - y - g"),
        ("(x - y) - g", "x - y - g"),
        ("x / (y * g)", "x / (y * g)"),
        ("x / y * g", "x / y * g"),
        ("x * (y / g)", "x * (y / g)"),
        ("-(x + y)", "-(x + y)"),
        ("-x * y", "-x * y"),
        ("(-x) ** 2", "F.pow(-x, 2)"),
        ("-x ** 2", "-F.pow(x, 2)"),
        ("x ** y ** 2", "F.pow(x, F.pow(y, 2))"),
        ("2 * (x > 0)", "2 * (x > 0)"),
        ("where(x > 0, g, -g)", "F.where(x > 0, g, -g)"),
        ("1 / (1 + exp(-x))", "1 / (1 + F.exp(-x))"),
    ],
)
def test_printing_keeps_the_meaning_with_few_parentheses(formula, printed):
    assert python(formula) == printed
    values = {"x": 1.3, "y": 0.7, "g": -2.1}
    namespace = {"exp": math.exp, "where": lambda c, a, b: a if c else b, **values}
    expected = eval(formula, dict(namespace))
    for dialect in (expr.SCALAR, expr.PYTHON):
        F = type(
            "F",
            (),
            {
                "pow": staticmethod(pow),
                "exp": staticmethod(math.exp),
                "where": staticmethod(namespace["where"]),
            },
        )
        scope = {**expr.SCALAR_FUNCTIONS, **values, "F": F}
        assert eval(expr.render(formula, dialect), scope) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("x +", "not an expression"),
        ("x if y else g", "IfExp is not in the grammar"),
        ("x.y", "Attribute is not in the grammar"),
        ("x % y", r"only \+ - \* / \*\*"),
        ("not x", "only unary sign"),
        ("0 < x < 1", "exactly two sides"),
        ("exp(x=1)", "without keywords"),
        ("'x'", "constant is a number"),
        ("x[0]", "Subscript is not in the grammar"),
        ("lambda: x", "not in the grammar"),
        ("gᵀ", "ASCII"),
    ],
)
def test_what_is_not_a_formula(formula, reason):
    with pytest.raises(expr.FormulaError, match=reason):
        expr.parse(formula)


def test_names_and_functions():
    formula = "where(x > 0, g * out, alpha * exp(x))"
    assert expr.names(formula) == {"x", "g", "out", "alpha"}
    assert expr.functions(formula) == {"where", "exp"}
    assert expr.names("x * 1e-3 + 2E5") == {"x"}


def test_dialects():
    formula = "where(x > 0, g / y ** 2, abs(x) * 0.5)"
    assert (
        expr.render(formula, expr.SCALAR)
        == "(divide(g, power(y, 2.0)) if x > 0.0 else abs(x) * 0.5)"
    )
    assert (
        expr.render(formula, expr.C)
        == "(x > (real)0 ? g / FN(pow)(y, (real)2) : FN(abs)(x) * (real)0.5)"
    )
    assert expr.render(formula, expr.OPENCL) == "(x > 0.0f ? g / squared(y) : fabs(x) * 0.5f)"
    assert expr.render("g * out * (1 - out)", expr.TEXT) == "g · out · (1 − out)"
    assert expr.render("x * (y - 1)", expr.text_dialect({"x": "-2", "y": "3"})) == "(-2) · (3 − 1)"


@pytest.mark.parametrize("name", formulas.TABLE)
def test_every_row_is_well_formed(name):
    """It parses, reads only what it may, calls only ops, and saves what it reads."""
    forward, vjps = formulas.TABLE[name]
    letters, static = set("xyz"[: len(vjps)]), set(formulas.ARGUMENTS.get(name, {}))
    assert expr.names(forward) <= letters | static
    op = REGISTRY[name]
    for i, vjp in enumerate(vjps):
        if vjp is None:
            continue
        assert expr.names(vjp) <= letters | static | {"g", "out"}
        assert {"xyz"[j] for j in op.reads[i]} == expr.names(vjp) & letters
        assert op.reads_out[i] == ("out" in expr.names(vjp))
    for formula in (forward, *vjps):
        for function in expr.functions(formula) if formula else ():
            assert function in REGISTRY, f"{name} calls {function}, which is no op"


SPECIAL = [-math.inf, -1e300, -2.0, -0.5, -0.0, 0.0, 0.5, 2.0, 1e300, math.inf, math.nan]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", expr.SCALAR_FUNCTIONS)
def test_functions_of_floats_answer_as_ieee_arithmetic(name):
    """inf and nan where Python's math raises: the same as numpy, and never an exception."""
    f = expr.SCALAR_FUNCTIONS[name]
    kernel = getattr(Reference(), {"divide": "div", "power": "pow"}.get(name, name))
    two = name in ("atan2", "maximum", "minimum", "remainder", "fmod", "divide", "power")
    for x in SPECIAL:
        for y in SPECIAL if two else [None]:
            arguments = (x,) if y is None else (x, y)
            expected = kernel(*[np.array([a]) for a in arguments])[0]
            assert f(*arguments) == pytest.approx(expected, nan_ok=True, rel=1e-12), arguments
