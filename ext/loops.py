"""The elementwise kernels, as C generated from the rows of `microtorch/formulas.py`.

One kernel for each value and for each derivative that is not plain ``g``. The same rows make the numpy kernels, the backward
rules and the OpenCL kernels. Read by build_core.py, which loads this file by path.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

ARRAYS = ("g", "out", "x", "y", "z")  # names of a formula that stand for arrays, in the order of a loop's parameters


class Loop(NamedTuple):
    """One elementwise kernel: its name, what it reads, and the C expression of one element."""

    name: str
    formula: str  # as written in formulas.py, for the comment
    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    expression: str
    grain: int  # elements that are worth a thread

    def source(self) -> str:
        """The kernel; each element gets the name it has in the formula, so that the formula stands as it is."""
        parameters = ["size_t n", *(f"real {s}" for s in self.scalars), *(f"ARRAY(const real, {a}, n)" for a in self.arrays)]
        members = [f"const real *{a}" for a in self.arrays] + ["real *result"] + [f"real {s}" for s in self.scalars]
        task, body = f"struct NAME({self.name}_task)", f"NAME({self.name}_body)"
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
            "}",
            f"KERNEL({self.name})({', '.join(parameters)}, ARRAY(real, result, n))",
            "{",
            f"    parallel_for(n, {self.grain}, {body}, &({task}){{{', '.join([*self.arrays, 'result', *self.scalars])}}});",
            "}",
            "",
        ])


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
            grain = 1 << (13 if expr.functions(text) - expr.CHEAP else 15)
            yield Loop(name, f"{op}: {text}", arrays, used, expr.render(text, expr.C), grain)
