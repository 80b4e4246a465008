"""How a step of Scalars is spoken in C: numbers, formulas, indices, and the file around it."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...notation import expr
from ..c_text import wrapped
from ..functions import text_of
from ..source import glue, python_side
from .rooms import Index

if TYPE_CHECKING:
    from .trace import Trace

NAMES = {"maximum": "maximum", "minimum": "minimum", "abs": "fabs", "round": "rint",
         "sgn": "sign", "remainder": "remainder_"}  # fmt: skip
SHORT = {"add": "s", "set": "s", "mul": "m", "sub": "t", "div": "q", "neg": "n", "copy": "c",
         "relu": "h", "tanh": "h", "sigmoid": "h"}  # fmt: skip
KEEPS = {"data=": "new_p", "grad=": "new_grad", "out": "out"}


def number(v: float) -> str:
    """A Python number as a C constant."""
    if v != v:
        return "NAN"
    if v in (float("inf"), float("-inf")):
        return "INFINITY" if v > 0 else "(-INFINITY)"
    text = repr(float(v))
    return text if text[0] != "-" else f"({text})"


DIALECT = expr.Dialect(
    call=lambda f, a: a[0] if f == "conj" else f"{NAMES.get(f, f)}({', '.join(a)})",
    where=lambda c, a, b: chosen(c, a, b),
    power=lambda a, b: f"pow({a}, {b})",
    number=number,
)


def chosen(condition: str, a: str, b: str) -> str:
    """a or b; where the condition is one of numbers, it is decided here."""
    sides = condition.split(" == ")
    if len(sides) == 2 and all(re.fullmatch(r"\(?-?[\d.e+-]+\)?", x) for x in sides):
        first, second = (float(x.strip("()")) for x in sides)
        return a if first == second else b
    return f"({condition} ? {a} : {b})"


def counter(depth: int) -> str:
    """The counter of a loop: i, j, k, l, i4, ..."""
    return "ijkl"[depth] if depth < 4 else f"i{depth}"


def text_of_index(x: Index) -> str:
    """An index as C: "17 * j + k + 48"."""
    terms = [
        counter(d) if s == 1 else f"{s} * {counter(d)}" for d, s in enumerate(x.strides) if s > 0
    ]
    text = " + ".join([*terms, *([str(x.start)] if x.start or not terms else [])])
    return text + "".join(
        f" - {counter(d)}" if s == -1 else f" - {-s} * {counter(d)}"
        for d, s in enumerate(x.strides) if s < 0
    )  # fmt: skip


def _rows(words: Sequence[str], shape: Sequence[int]) -> str:
    """Numbers in the braces of their rows."""
    if len(shape) < 2:
        return ", ".join(words)
    n = len(words) // shape[0]
    parts = [_rows(words[i : i + n], shape[1:]) for i in range(0, len(words), n)]
    return ", ".join(f"{{{part}}}" for part in parts)


def table(name: str, values: bytes, shape: Sequence[int]) -> str:
    """An array of constants."""
    flat = wrapped(_rows([number(float(v)) for v in np.frombuffer(values)], shape), 4)
    dims = "".join(f"[{m}]" for m in shape)
    return f"static const double {name}{dims} = {{\n{flat}\n}};"


HEAD = """\
/* {name}: {count} numbers, rolled up into {rolled} statements
 *
 * Written by microtorch from one run of a Python function; the lines named in comments are its own.
 * p[i] is the data of the i-th of {inputs} Scalars that were there before, in the order in which
 * they were made (arguments last), grad[i] its gradient as it was; new_p and new_grad are what the
 * step leaves of them, and out is what it returns: data and gradient of each Scalar. All additions
 * are made in the order in which Python made them.
 *
 *     cc -O2 -ffp-contract=off -fno-builtin FILE -lm
 */
#include <math.h>
#include <stddef.h>
"""


PARAMETERS = ("const double", "p"), ("const double", "grad"), ("double", "new_p"), (
    "double", "new_grad"), ("double", "out")  # fmt: skip


def file(trace: Trace, statements: int, tables: Iterable[str], lines: Sequence[str]) -> str:
    """The C file around the lines of a function."""
    body = "\n".join(lines)
    head = HEAD.format(name=trace.name, count=len(trace.instructions), rolled=statements,
                       inputs=trace.inputs)  # fmt: skip
    called = {*re.findall(r"\b(\w+)\(", body)}
    needed = [part.strip() + "\n" for part in text_of("numbers").split("\n\n\n")
              if called & {*re.findall(r"^static inline double (\w+)\(", part, re.MULTILINE)}]
    unused = "".join(f"    (void){name};\n" for _, name in PARAMETERS
                     if not re.search(rf"(?<![.\w]){name}\[", body))  # fmt: skip
    takes = wrapped(", ".join(f"{kind} *restrict {name}" for kind, name in PARAMETERS) + ")", 4)
    return "\n".join([
        head, *needed, *tables, "", f"static int step(\n{takes}", "{", unused + body,
        "    return 0;", "}", "", python_side([glue("step", [f"DATA({i})" for i in range(5)])]),
    ])  # fmt: skip
