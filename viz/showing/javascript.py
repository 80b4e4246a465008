"""The formula table for browsers: each op's value and derivatives as small JavaScript functions.

    tanh: {f: (x) => Math.tanh(x), d: [(g, out, x) => g * (1 - out * out)]}

One more dialect of the formulas, so a what-if in the page computes what the Scalar functions
compute, in the same order and in the same doubles. The text becomes part of the page's one script,
whose hash the page's policy names: nothing is ever evaluated from data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from microtorch.notation import expr, formulas
from microtorch.notation.formulas import LETTERS

from ..reading.special import ARGUMENTS, SPECIAL

_MATH = frozenset(
    "abs acos acosh asin asinh atan atan2 atanh ceil cos cosh exp expm1 floor log log10 log1p log2 "
    "sign sin sinh sqrt tan "
    "tanh trunc".split()
)
_OWN = {
    "maximum": "Math.max",
    "minimum": "Math.min",  # both return NaN when they meet one, as the kernels do
    "sgn": "Math.sign",
    "conj": "",  # the numbers of a page are real
}

JS = expr.Dialect(
    call=lambda f, a: f"{'Math.' + f if f in _MATH else _OWN.get(f, f)}({', '.join(a)})",
    where=lambda c, a, b: f"({c} ? {a} : {b})",
    power=lambda a, b: f"Math.pow({a}, {b})",
)

# What Math lacks.
FUNCTIONS = """\
const exp2 = x => Math.pow(2, x);
const sigmoid = x => 1 / (1 + Math.exp(-x));
const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const fmod = (x, y) => x % y;
const remainder = (x, y) => { const r = x % y; return r && (r < 0) !== (y < 0) ? r + y : r; };
const round = x => { const r = Math.round(x); return r - x === 0.5 && r % 2 ? r - 1 : r; };
"""
# The series of Abramowitz and Stegun 7.1.6 near 0, far from it the continued fraction 7.1.14.
ERROR_FUNCTION = """\
const far_erfc = x => { let f = 0; for (let k = 60; k > 0; k--) f = k / 2 / (x + f); return f; };
const erfc = x => x < 2 ? 1 - erf(x) : Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + far_erfc(x));
const erf = x => {
  if (Math.abs(x) >= 2) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let term = x, sum = x;
  for (let k = 1; k < 60; k++) { term *= 2 * x * x / (2 * k + 1); sum += term; }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
};
"""


def can(op: str) -> bool:
    """Is this op in the formula table?"""
    return op in formulas.TABLE


def static_arguments(op: str) -> Mapping[str, float | None]:
    """The names of an op's static arguments, and their defaults."""
    return formulas.ARGUMENTS.get(op) or ARGUMENTS.get(op, {})


def function(op: str) -> str:
    """``{f: value, d: [derivatives]}`` of an op; static arguments come last, by name."""
    if op in SPECIAL:
        static, derivatives = static_arguments(op), SPECIAL[op]
        value = f"{op}({', '.join([*static, *LETTERS[: len(derivatives)]])})"
    else:
        value, derivatives = formulas.TABLE[op]
    inputs = ", ".join(LETTERS[: len(derivatives)])
    static = static_arguments(op)
    tail = f", {{{', '.join(static)}}}" if static else ""
    rows = [
        "null" if d is None else f"(g, out, {inputs}{tail}) => {expr.render(d, JS)}"
        for d in derivatives
    ]
    return f"{{f: ({inputs}{tail}) => {expr.render(value, JS)}, d: [{', '.join(rows)}]}}"


def table(ops: Iterable[str]) -> str:
    """The constant ``OPS`` with these ops, and the functions that they call."""
    ops = set(ops)
    rows = ",\n".join(f"  {op}: {function(op)}" for op in sorted(ops))
    erf = ERROR_FUNCTION if "erf" in rows or ops & SPECIAL.keys() else ""
    return f"{FUNCTIONS}{erf}const OPS = {{\n{rows}\n}};\n"
