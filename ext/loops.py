"""The elementwise kernels, as C generated from the rows of `microtorch/formulas.py`.

One kernel for each value and for each derivative that is not plain ``g``. The same rows make the numpy kernels, the backward
rules and the OpenCL kernels. Read by build_core.py, which loads this file by path.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

PIECE = 1 << 12  # elements that a thread takes at a time, or more: few enough for an even division
PIECES = 32  # of a large array, whose neighbouring elements one thread then reads: the processor fetches them ahead
OWN = {"1 / (1 + exp(-x))": "sigmoid(x)"}  # formulas for which functions.h has something more accurate
ARRAYS = ("g", "out", "x", "y", "z")  # names of a formula that stand for arrays, in the order of a loop's parameters


class Loop(NamedTuple):
    """One elementwise kernel: its name, what it reads, and the C expression of one element."""

    name: str
    formula: str  # as written in formulas.py, for the comment
    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    expression: str
    far: tuple[str, ...]  # arguments of sin and cos, whose vector code is good up to a bound only (functions.h)
    alone: int  # up to how many elements one thread does it all

    def source(self) -> str:
        """The kernel; each element gets the name it has in the formula, so that the formula stands as it is."""
        parameters = ["size_t n", *(f"real {s}" for s in self.scalars), *(f"ARRAY(const real, {a}, n)" for a in self.arrays)]
        members = [f"const real *{a}" for a in self.arrays] + ["real *result"] + [f"real {s}" for s in self.scalars]
        given = [*self.arrays, "result", *self.scalars]
        task, body = f"struct NAME({self.name}_task)", f"NAME({self.name}_body)"
        # of two passes the second finds a piece in the L1 cache
        grain = PIECE if self.far else f"larger({PIECE}, n / {PIECE * PIECES} * {PIECE})"
        return "\n".join([
            f"/* {self.formula} */",
            f"{task} {{ {' '.join(f'{m};' for m in members)} }};",
            f"static void {body}(const void *task, size_t begin, size_t end)",
            "{",
            f"    const {task} *t = task;",
            *(f"    const real *restrict {a}_ = t->{a};" for a in self.arrays),
            *(f"    const real {s} = t->{s};" for s in self.scalars),
            "    real *restrict result = t->result;",
            "    for (size_t i = begin; i < end; i++) {",
            *(f"        const real {a} = {a}_[i];" for a in self.arrays),
            f"        result[i] = {self.expression};",
            "    }",
            *self.second_pass(),
            "}",
            f"KERNEL({self.name})({', '.join(parameters)}, ARRAY(real, result, n))",
            "{",
            f"    parallel_for(n, n <= {self.alone} ? n : {grain}, {body}, &({task}){{{', '.join(given)}}});",
            "}",
            "",
        ])

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
            "    for (size_t i = begin; i < end; i++) {",
            *used,
            f"        any |= {far};",
            "    }",
            "    for (size_t i = begin; any && i < end; i++) {",
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
            arrays, used = tuple(a for a in ARRAYS if a in read), tuple(s for s in scalars if s in read)
            alone = 1 << (14 if expr.functions(text) - expr.CHEAP else 16)  # 5 to 10 us, which is what a second thread costs
            calls = [n for n in ast.walk(expr.parse(text)) if isinstance(n, ast.Call) and n.func.id in ("sin", "cos")]
            far = tuple(dict.fromkeys(expr.render(ast.unparse(n.args[0]), expr.C) for n in calls))
            yield Loop(name, f"{op}: {text}", arrays, used, expr.render(OWN.get(text, text), expr.C), far, alone)
