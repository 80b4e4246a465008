"""The elementwise kernels, as C generated from the rows of `microtorch/formulas.py`.

One kernel for each value and for each derivative that is not plain ``g``. The same rows make the numpy kernels, the backward
rules and the OpenCL kernels. Read by build_core.py, which loads this file by path.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

LOOKUP = frozenset({"exp", "sigmoid", "erf"})  # functions that lookup.h has
OWN = {"1 / (1 + exp(-x))": "sigmoid(x)"}  # formulas for which functions.h has something more accurate


class Loop(NamedTuple):
    """One elementwise kernel: its name, what it reads, and the C expression of one element."""

    name: str
    formula: str  # as written in formulas.py, for the comment
    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    expression: str
    far: tuple[str, ...]  # arguments of sin and cos, whose vector code is good up to a bound only (functions.h)
    lookup: bool  # are its functions in lookup.h, and nothing else that is not arithmetic?
    cheap: bool  # no function in it takes more than a few cycles

    def source(self) -> str:
        """The kernel; each element gets the name it has in the formula, so that the formula stands as it is."""
        parameters = ["size_t n", *(f"real {s}" for s in self.scalars), *(f"ARRAY(const real, {a}, n)" for a in self.arrays)]
        members = [f"const real *{a}" for a in self.arrays] + [f"real {s}" for s in self.scalars]
        given = [*self.arrays, *self.scalars]
        task, body = f"struct NAME({self.name}_task)", f"NAME({self.name}_loop)"
        return "\n".join([
            f"/* {self.formula} */",
            f"{task} {{ {' '.join(f'{m};' for m in members)} }};",
            *self.function(),
            f"static void {body}(const void *task, size_t begin, size_t n, real *restrict result)",
            "{",
            f"    const {task} *t = task;",
            *(f"    const real *restrict {a}_ = t->{a} + begin;" for a in self.arrays),
            *(f"    const real {s} = t->{s};" for s in self.scalars),
            *self.first_pass(),
            *self.second_pass(),
            "}",
            f"KERNEL({self.name})({', '.join(parameters)}, ARRAY(real, result, n))",
            "{",
            f"    NAME(in_pieces)(n, {str(self.cheap).lower()}, {body}, &({task}){{{', '.join(given)}}}, result);",
            "}",
            "",
        ])

    def first_pass(self) -> list[str]:
        """The loop: over elements, of which the compiler makes vectors, or over vectors where lookup.h has the functions."""
        if not self.lookup:
            return [
                "    for (size_t i = 0; i < n; i++) {",
                *(f"        const real {a} = {a}_[i];" for a in self.arrays),
                f"        result[i] = {self.expression};",
                "    }",
            ]

        def value(place: str, left: str) -> str:
            return f"NAME({self.name}_of)({', '.join(f'NAME(get)({a}_ + {place}, {left})' for a in self.arrays)})"

        return [
            "    size_t i = 0;",
            "    for (; STEP > 1 && i + 2 * STEP <= n; i += 2 * STEP) { /* two that do not wait for each other */",
            f"        const NAME(numbers) first = {value('i', 'STEP')};",
            f"        const NAME(numbers) second = {value('i + STEP', 'STEP')};",
            "        NAME(put)(result + i, STEP, first);",
            "        NAME(put)(result + i + STEP, STEP, second);",
            "    }",
            "    for (; i < n; i += STEP)",
            f"        NAME(put)(result + i, n - i, {value('i', 'n - i')});",
        ]

    def function(self) -> list[str]:
        """Where there is a lookup, the formula is a function of vectors."""
        if not self.lookup:
            return []
        parameters = ", ".join(f"NAME(numbers) {a}" for a in self.arrays)
        expression = self.expression.replace("FN(", "ALL(")
        return [f"INLINE NAME(numbers) NAME({self.name}_of)({parameters}) {{ return {expression}; }}"]

    def second_pass(self) -> list[str]:
        """By libm, the elements beyond the bound, if there are any: a test inside the loop would keep it from being vectors."""
        if not self.far:
            return []
        far = " | ".join(f"FN(far)({x})" for x in self.far)
        elements = [f"        const real {a} = {a}_[i];" for a in self.arrays]
        used = [e for a, e in zip(self.arrays, elements, strict=True) if re.search(rf"\b{a}\b", far)]
        by_libm = re.sub(r"FN\((sin|cos)\)", r"FN(libm_\1)", self.expression)
        return [
            "    int any = 0;",
            "    for (size_t i = 0; i < n; i++) {",
            *used,
            f"        any |= {far};",
            "    }",
            "    for (size_t i = 0; any && i < n; i++) {",
            *elements,
            f"        if ({far})",
            f"            result[i] = {by_libm};",
            "    }",
        ]


def loops(formulas: Any, expr: Any) -> Iterator[Loop]:
    """The kernels of every row of ``formulas``: ``name`` for the value, ``name_vjp0``, ... for the derivatives.

    Takes `microtorch/formulas.py` and `microtorch/expr.py` as modules.
    """
    for op, (value, derivatives) in formulas.TABLE.items():
        if op == "where":  # its condition is an array of bool, and these loops read one type only
            continue
        scalars = tuple(formulas.ARGUMENTS.get(op, ()))
        rows = [(op, value)]
        rows += [(f"{op}_vjp{i}", text) for i, text in enumerate(derivatives) if text not in (None, "g")]
        for name, text in rows:
            read = expr.names(text)
            arrays, used = tuple(a for a in formulas.ARRAYS if a in read), tuple(s for s in scalars if s in read)
            cheap = expr.functions(text) <= expr.CHEAP
            calls = [n for n in ast.walk(expr.parse(text)) if isinstance(n, ast.Call) and n.func.id in ("sin", "cos")]
            far = tuple(dict.fromkeys(expr.render(ast.unparse(n.args[0]), expr.C) for n in calls))
            text_in_c = OWN.get(text, text)
            lookup = bool(called := expr.functions(text_in_c)) and called <= LOOKUP
            yield Loop(name, f"{op}: {text}", arrays, used, expr.render(text_in_c, expr.C), far, lookup, cheap)
