"""The OpenCL C of elementwise kernels, written from the rows of formulas.py.

One row makes one kernel for its value and one for each derivative: ``g * out * (1 - out)`` is a
single pass over memory. ``python -m microtorch.backends.opencl source sigmoid`` prints the text.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ...arrays.dtypes import BOOL
from ...notation import expr, formulas
from .memory import C_TYPES
from .runtime import Runtime

# values that are no formulas: OpenCL C text
TEXTS = {
    "logical_and": "x && y", "logical_or": "x || y", "logical_xor": "!x != !y",
    "logical_not": "!x", "isnan": "x != x", "isinf": "isinf(x)", "isfinite": "isfinite(x)",
    "bitwise_and": "x & y", "bitwise_or": "x | y", "bitwise_xor": "x ^ y", "bitwise_not": "~x",
    "floor_divide": "floor_quotient(x, y)", "copied": "x", "signbit": "signbit(x)",
    "copysign": "copysign(x, y)", "nextafter": "nextafter(x, y)", "mantissa": "fraction_of(x)",
    "exponent": "exponent_of(x)",
}  # fmt: skip
INTEGER_TEXTS = {"isinf": "0", "isfinite": "1", "isnan": "0", "signbit": "x < 0"}
PREDICATES = frozenset({*formulas.COMPARISONS, "logical_and", "logical_or", "logical_xor",
                        "logical_not", "isnan", "isinf", "isfinite", "signbit"})  # fmt: skip
OPS = frozenset({*formulas.TABLE, *formulas.COMPARISONS, *TEXTS})

# What an operand is to the text: a dtype.char (an array), "0" and one (a single element, which all
# results share), or Python's type of a number, which is an argument of the kernel.
Kind: TypeAlias = "str | type"


def kind_of(t: np.dtype) -> str:
    """The C type in which values of a dtype are computed: float16 is only stored as such."""
    return "float" if t.char == "e" else C_TYPES[t.char]


class Expression:
    """One value or one derivative: a formula, and which arguments of a call it reads."""

    def __init__(
        self, name: str, formula: str, parameters: Sequence[str],
        scalars: Mapping[str, float | None] = {},
    ):  # fmt: skip
        """``parameters`` names the arguments of a call, ``scalars`` the static ones with their
        defaults. The ones that the formula reads become operands and numbers of the kernel."""
        self.name, self.formula = name, formula
        read = expr.names(formula)
        self.positions = tuple(i for i, p in enumerate(parameters) if p in read)
        self.letters = tuple(parameters[i] for i in self.positions)
        self.scalars = {s: default for s, default in scalars.items() if s in read}
        self.is_text = name in TEXTS
        self.is_predicate = name in PREDICATES

    def result_of(self, t: np.dtype) -> np.dtype:
        """The dtype of the result of a computation in ``t``."""
        return BOOL if self.is_predicate else t

    def takes_integers(self) -> bool:
        """Can integers be computed as integers?"""
        return (self.is_text or self.is_predicate
                or expr.keeps_integers(self.formula, self.scalars.values()))  # fmt: skip

    def calls_functions(self) -> bool:
        """Does the formula call something that functions.cl has?"""
        if self.is_text:
            return False
        cheap = expr.CHEAP - {"round"}
        return "**" in self.formula or not expr.functions(self.formula) <= cheap

    # ---- the text --------------------------------------------------------------------------------
    def program(
        self, runtime: Runtime, kinds: Sequence[Kind], t: np.dtype, result: np.dtype, ndim: int
    ) -> str:
        """The program for operands of these kinds, computed in ``t``, stored as ``result``."""
        kind = kind_of(t)
        number = kind if kind in ("float", "double") else "long"
        dims = range(ndim) if ndim > 1 else range(0)

        def steps(name: str) -> str:
            return "".join(f", const int {name}{d}" for d in dims)

        def place(start: str, step: str) -> str:
            along = " + ".join(f"i{d} * {step}{d}" for d in dims)
            return f"{start} + {along or 'i'}"

        parameters = [f"const int n{d}" for d in dims] or ["const int n"]
        lines = []
        for letter, k in zip(self.letters, kinds, strict=True):
            if isinstance(k, str):
                array, at, c = letter.upper(), f"{letter}_at", C_TYPES[k[-1]]
                alone = k[0] == "0"
                # restrict: a single element is read once, and not before every write
                pointer = f"*{'restrict ' if alone else ''}{array}"
                parameters.append(f"__global const {c} {pointer}, const int {at}{steps(at)}")
                index = at if alone else place(at, at)
                value = f"vload_half({index}, {array})" if c == "half" else f"{array}[{index}]"
            else:
                parameters.append(f"const {number} {letter}_")
                value = f"{letter}_"
            choice = self.name.startswith("where") and letter == "x"  # the condition
            lines.append(f"const {'uchar' if choice else kind} {letter} = {value};")
        parameters += [f"const {number} {s}" for s in self.scalars]
        c = C_TYPES[result.char]
        parameters.append(f"__global {c} *RESULT, const int result_at{steps('to')}")
        value, index = self.value(kind, t, result), place("result_at", "to")
        half = f"vstore_half_rte({value}, {index}, RESULT);"
        lines.append(half if c == "half" else f"RESULT[{index}] = {value};")
        body = "\n    ".join(self.loops(runtime, kind, ndim, lines))
        separator = ",\n        "
        opening = runtime.opening(kind, functions=self.calls_functions())
        return (
            f"// {self.name}: {self.formula}\n{opening}\n"
            f"__kernel void {self.name}_{kind}({separator.join(parameters)})\n"
            f"{{\n    {body}\n}}\n"
        )

    def loops(self, runtime: Runtime, kind: str, ndim: int, lines: list[str]) -> Iterable[str]:
        """The statements that run ``lines`` for each element, the last of which stores it."""
        each = "EACH(i, n)"
        if ndim > 1:
            yield "int rest = get_global_id(1);"
            for d in range(ndim - 2, 0, -1):
                yield f"const int i{d} = rest % n{d}; rest /= n{d};"
            yield "const int i0 = rest;"
            each = f"EACH(i{ndim - 1}, n{ndim - 1})"
        angles = self.angles(runtime, kind)
        if angles:
            yield "int far = 0; // is one of these angles beyond the reach of functions.cl?"
            yield loop(each, [*lines[:-1], *(f"far |= FAR({x});" for x in angles)])
        yield loop(each, lines)

    def angles(self, runtime: Runtime, kind: str) -> list[str]:
        """Of what the formula takes a sine, cosine or tangent by functions.cl, which has to know
        whether a number is large."""
        if kind != "float" or not runtime.own_functions or not self.calls_functions():
            return []
        return expr.arguments(self.formula, {"sin", "cos", "tan"}, expr.OPENCL)

    def value(self, kind: str, t: np.dtype, result: np.dtype) -> str:
        """The expression, converted to the result's type."""
        integer = kind not in ("float", "double")
        if self.is_text:
            text = INTEGER_TEXTS.get(self.name, self.formula) if integer else self.formula
            if self.name == "bitwise_not" and t == BOOL:
                text = "!x"
        else:
            text = expr.render(self.formula, expr.opencl_dialect(kind))
        if self.is_predicate or result.char == "e" or C_TYPES[result.char] == kind:
            return text
        if result == BOOL:
            return f"(({text}) != 0)"
        if not integer and result.kind in "iu":  # a negative float to unsigned goes by way of long
            return f"({C_TYPES[result.char]})(long)({text})"
        return f"({C_TYPES[result.char]})({text})"


def loop(each: str, lines: Sequence[str]) -> str:
    """``lines`` for each element."""
    body = "\n        ".join(lines)
    return f"{each} {{\n        {body}\n    }}"


def expression(name: str) -> Expression | None:
    """What ``name`` computes (an op, or ``<op>_vjp<i>``); None if it is not elementwise."""
    op, is_vjp, index = name.partition("_vjp")
    if not is_vjp and name in TEXTS:
        return Expression(name, TEXTS[name], "xy" if "y" in expr.names(TEXTS[name]) else "x")
    if not is_vjp and name in formulas.COMPARISONS:
        return Expression(name, formulas.COMPARISONS[name], "xy")
    row = formulas.TABLE.get(op)
    if row is None or (is_vjp and int(index) >= len(row[1])):
        return None
    inputs, scalars = "xyz"[: len(row[1])], formulas.ARGUMENTS.get(op, {})
    if not is_vjp:
        return Expression(name, row[0], inputs, scalars)
    formula = row[1][int(index)]
    if formula is None or formula == "g":  # g itself: no kernel
        return None
    return Expression(name, formula, ("g", "out", *inputs), scalars)
