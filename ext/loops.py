"""The elementwise kernels, as C generated from the rows of `microtorch/notation/formulas.py`.

There is one kernel for each value and for each derivative that is not plain ``g``. A result may
take an operand's place, so that no pointer is ``restrict``. The same rows
make the numpy kernels, the backward rules and the OpenCL kernels. build_core.py loads this file by
path.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# functions that lookup.h has
LOOKUP = frozenset("exp expm1 sigmoid erf log log1p tanh sin cos".split())
# functions whose vector code is good up to a bound, and the test for what lies beyond it
BOUNDED = {"sin": "far", "cos": "far"}
BOUNDED |= dict.fromkeys(("fmod", "remainder", "floor_divide"), "far_quotient")
# formulas for which functions.h is more accurate
OWN = {"1 / (1 + exp(-x))": "sigmoid(x)", "sqrt(x * x + y * y)": "hypot(x, y)"}


class Loop(NamedTuple):
    """One elementwise kernel: its name, what it reads, and the C expression of one element."""

    name: str
    formula: str  # as written in formulas.py, for the comment
    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    expression: str
    far: tuple[str, ...]  # tests for elements beyond the bound of a function's vector code
    vector: str  # the expression of a vector of elements, if lookup.h has all its functions
    early: tuple[str, ...]  # the condition and the value of a choice whose other value is dear
    cheap: bool  # no function in it takes more than a few cycles
    masks: frozenset[str] = frozenset()  # arrays that are bool, where all others are real

    def source(self) -> str:
        """The kernel. An element has its array's name in the formula, which so stays as it is."""
        scalars, arrays = [f"real {s}" for s in self.scalars], self.arrays
        read = [f"ARRAY(const {self.type_of(a)}, {a}, n)" for a in arrays]
        parameters = ", ".join(["size_t n", "WALK walk", *scalars, *read])
        # the pointers first: walk.c exchanges them
        members = [*(f"const {self.type_of(a)} *{a}" for a in arrays), *scalars]
        given = ", ".join([*arrays, *self.scalars])
        twice = "true" if self.far else "false"  # are operands read again after the first pass?
        task, body = f"struct NAME({self.name}_task)", f"NAME({self.name}_loop)"
        return "\n".join([
            f"/* {self.formula} */",
            f"{task} {{ {' '.join(f'{m};' for m in members)} }};",
            *self.function(),
            f"static void {body}"
            "(const void *task, size_t begin, size_t n, real *result)",
            "{",
            f"    const {task} *t = task;",
            *(
                f"    const {self.type_of(a)} *{a}_ = t->{a} + begin;"
                for a in self.arrays
            ),
            *(f"    const real {s} = t->{s};" for s in self.scalars),
            *self.first_pass(),
            *self.second_pass(),
            "}",
            f"KERNEL({self.name})({parameters}, ARRAY(real, result, n))",
            "{",
            f"    const {task} task = {{{given}}};",
            f"    NAME(elementwise)(n, walk, {str(self.cheap).lower()}, {twice},",
            f"                      {body}, &task, sizeof task, {len(arrays)}, result);",
            "}",
            "",
        ])

    def type_of(self, array: str) -> str:
        """The type of an array's elements."""
        return "uint8_t" if array in self.masks else "real"

    def first_pass(self) -> list[str]:
        """The loop: over elements, for the compiler to vectorise, or over vectors (lookup.h)."""
        if not self.vector:
            return [
                "    EACH_BY_ITSELF for (size_t i = 0; i < n; i++) {",
                *(f"        const {self.type_of(a)} {a} = {a}_[i];" for a in self.arrays),
                f"        result[i] = {self.expression};",
                "    }",
            ]

        def value(place: str, left: str) -> str:
            read = (f"NAME(get)({a}_ + {place}, {left})" for a in self.arrays)
            return f"NAME({self.name}_of)({', '.join([*self.scalars, *read])})"

        return [
            "    size_t i = 0;",
            *self.in_blocks(value("j", "1")),
            "    /* two that do not wait for each other */",
            "    for (; STEP > 1 && i + 2 * STEP <= n; i += 2 * STEP) {",
            f"        const NAME(numbers) first = {value('i', 'STEP')};",
            f"        const NAME(numbers) second = {value('i + STEP', 'STEP')};",
            "        NAME(put)(result + i, STEP, first);",
            "        NAME(put)(result + i + STEP, STEP, second);",
            "    }",
            "    EACH_BY_ITSELF for (; i < n; i += STEP)",
            f"        NAME(put)(result + i, n - i, {value('i', 'n - i')});",
        ]

    def in_blocks(self, dear: str) -> list[str]:
        """Without lookup.h: blocks of elements which all, or not all, take the cheap value."""
        if not self.early:
            return []
        condition, cheap = self.early
        elements = [f"            const real {a} = {a}_[j];" for a in self.arrays]
        return [
            "    for (size_t end; STEP == 1 && i < n; i = end) {",
            "        int all = 1;",
            "        end = i + smaller(n - i, 64);",
            "        for (size_t j = i; j < end; j++) {",
            *elements,
            f"            all &= {condition};",
            "        }",
            "        if (all)",
            "            EACH_BY_ITSELF for (size_t j = i; j < end; j++) {",
            *(f"    {e}" for e in elements),
            f"                result[j] = {cheap};",
            "            }",
            "        else",
            "            EACH_BY_ITSELF for (size_t j = i; j < end; j++)",
            f"                NAME(put)(result + j, 1, {dear});",
            "    }",
        ]

    def function(self) -> list[str]:
        """The formula as a function of vectors, where lookup.h has its functions."""
        if not self.vector:
            return []
        scalars = [f"real {s}" for s in self.scalars]
        parameters = ", ".join([*scalars, *(f"NAME(numbers) {a}" for a in self.arrays)])
        head = f"INLINE NAME(numbers) NAME({self.name}_of)({parameters})"
        early = "if (EVERY({})) return {}; ".format(*self.early) if self.early else ""
        return [f"{head} {{ {early}return {self.vector}; }}"]

    def second_pass(self) -> list[str]:
        """Elements beyond the bound, by libm. A test in the first loop would prevent vectors."""
        if not self.far:
            return []
        far = " | ".join(self.far)
        elements = [f"        const real {a} = {a}_[i];" for a in self.arrays]
        pairs = zip(self.arrays, elements, strict=True)
        used = [e for a, e in pairs if re.search(rf"\b{a}\b", far)]
        by_libm = re.sub(rf"FN\(({'|'.join(BOUNDED)})\)", r"FN(libm_\1)", self.expression)
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


def vectors(formula: str, arrays: set[str], expr: Any) -> str:
    """A formula for vectors of elements; empty if lookup.h lacks a function of it.

    It may choose between vectors, but not between a vector and a number.
    """
    called = expr.functions(formula)
    if not called & LOOKUP or not called <= LOOKUP | {"where"}:
        return ""
    for n in ast.walk(expr.parse(formula)):
        if isinstance(n, ast.Call) and n.func.id == "where":
            if any(arrays.isdisjoint(expr.names(ast.unparse(a))) for a in n.args[1:]):
                return ""
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow) and ast.unparse(n.right) != "2":
            return ""
    dialect = expr.C.but(
        where=lambda c, a, b: f"WHERE({c}, {a}, {b})", power=lambda a, two: f"ALL(squared)({a})"
    )
    return expr.render(formula, dialect).replace("FN(", "ALL(")


def early(formula: str, expr: Any) -> tuple[str, ...]:
    """Of where(x > 0, x, alpha * expm1(x)): ("x > 0", "x"), where no function is called."""
    top = expr.parse(formula)
    top = getattr(top, "body", top)
    if not (isinstance(top, ast.Call) and top.func.id == "where"):
        return ()
    condition, cheap, other = map(ast.unparse, top.args)
    if expr.functions(cheap) or not isinstance(top.args[0], ast.Compare):
        return ()
    if not expr.functions(other) & LOOKUP:
        return ()
    return tuple(expr.render(text, expr.C) for text in (condition, cheap))


def loops(formulas: Any, expr: Any) -> Iterator[Loop]:
    """The kernels of every row: ``name`` for the value, ``name_vjp0``, ... for the derivatives.

    ``formulas`` and ``expr`` are the modules of that name, loaded by path.
    """
    values = {op: (value, ()) for op, value in formulas.VALUES.items()}
    for op, (value, derivatives) in (formulas.TABLE | values).items():
        scalars = tuple(formulas.ARGUMENTS.get(op, ()))
        rows = [(op, value), *((f"{op}_vjp{i}", text) for i, text in enumerate(derivatives))]
        for name, text in rows:
            if text in (None, "g"):
                continue
            read, text_in_c = expr.names(text), OWN.get(text, text)
            calls = [n for n in ast.walk(expr.parse(text)) if isinstance(n, ast.Call)]
            tests = [
                f"FN({BOUNDED[n.func.id]})"
                f"({', '.join(expr.render(ast.unparse(a), expr.C) for a in n.args)})"
                for n in calls
                if n.func.id in BOUNDED
            ]
            yield Loop(
                name,
                f"{op}: {text}",
                arrays=tuple(a for a in formulas.ARRAYS if a in read),
                scalars=tuple(s for s in scalars if s in read),
                expression=expr.render(text_in_c, expr.C),
                far=tuple(dict.fromkeys(tests)),
                vector=(vector := vectors(text_in_c, set(formulas.ARRAYS), expr)),
                early=early(text_in_c, expr) if vector else (),
                cheap=expr.functions(text) <= expr.CHEAP,
                masks=frozenset("x" if op == "where" else ""),
            )
    yield Loop("copy", "copy: x", ("x",), (), "x", (), "", (), True)
