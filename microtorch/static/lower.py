"""From the steps of a program to regions of loops: what goes to C, and what stays a kernel's call.

``lowered`` is the one place of this choice. A step becomes

* ``Each``: one expression per element, from the op's formula;
* ``Sum``: a sum or a mean over some dimensions; ``Product``: a small product of matrices;
* ``Rows``: softmax or log_softmax along the last dimension;
* ``View``: no work, another way to find the elements of a value;

or None: it writes to memory, draws, has no formula, or its product is so large that the C core's
kernel is faster. Successive steps that are not None are a region, which is one C function. Within
it nothing is written but new memory, so a region may be computed in any way that gives its values.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..handles.memory import offset, owner
from ..notation import expr, formulas
from .program import Ref, Unread

if TYPE_CHECKING:
    from ..base.types import Array, DType, Operand, Shape
    from .program import Program, Step

SMALL_PRODUCT = 1 << 15  # multiplications up to which a product is written as loops
C_TYPES = {"float32": "float", "float64": "double", "bool": "unsigned char"}
# functions of formulas that C's library has, under the name that it has for double
LIBRARY = {
    **{f: f for f in ("acos acosh asin asinh atan atan2 atanh ceil cos cosh erf erfc exp exp2 "
                      "expm1 floor fmod log log10 log1p log2 sin sinh sqrt tan tanh "
                      "trunc").split()},
    "abs": "fabs", "round": "rint",
}  # fmt: skip
# functions that the head of the C file defines (emit_c.HEAD)
HELPERS = frozenset({"maximum", "minimum", "sign", "sigmoid", "softplus", "remainder"})
OPERATORS = {"add": "x + y", "sub": "x - y", "mul": "x * y", "truediv": "x / y", "neg": "-x"}


class Each(NamedTuple):
    """result[i] = the formula of the operands' elements at i, broadcast."""

    step: Step
    result: int
    formula: str
    operands: dict[str, Operand]  # letter -> Ref, or a number


class Sum(NamedTuple):
    """result = the sum over dimensions ``dims`` of the operand, divided by ``divisor``."""

    step: Step
    result: int
    operand: int
    dims: tuple[int, ...]
    divisor: int


class Product(NamedTuple):
    """result[i, j] = the sum over k of x[i, k] * y[k, j], plus bias[j]."""

    step: Step
    result: int
    x: int
    y: int
    x_turned: bool
    y_turned: bool
    bias: int | None


class Rows(NamedTuple):
    """softmax or log_softmax of each row."""

    step: Step
    result: int
    operand: int
    log: bool


class View(NamedTuple):
    """The elements of ``base`` from ``start`` on, with other strides; both count elements."""

    step: Step
    result: int
    base: int
    start: int
    strides: Shape


Lowered: TypeAlias = "Each | Sum | Product | Rows | View"


def lowered(
    program: Program, step: Step, arrays: dict[int, Array], largest: int = SMALL_PRODUCT
) -> Lowered | None:
    """A step as loops, or None where it is left to a kernel.

    ``arrays``: the recorded values. ``largest``: multiplications of a product that is a loop.
    """
    if type(step.result) is not Ref or "out" in step.attrs:
        return None
    result = step.result.number
    values = program.values
    if values[result].dtype.name not in C_TYPES or values[result].shape.count(0):
        return None
    reads = [n for n in step.reads()]
    for n in reads:
        view = None if n == result else _view(step, result, n, arrays)
        if view is not None:
            return view if step.kind == "vjp" or len(reads) == 1 else None
    each = _each(program, step, result)
    if each is not None:
        return each
    if values[result].dtype.name == "bool":
        return None
    name, given = step.name, step.arguments
    if any(values[n].dtype != values[result].dtype for n in reads):
        return None
    if step.kind == "kernel" and name in ("sum", "mean"):
        dim = given[1] if len(given) > 1 else step.attrs.get("dim")
        return _sum(program, step, result, reads[0], dim, name == "mean")
    if step.kind == "kernel" and name in ("softmax", "log_softmax"):
        x = values[reads[0]]
        if step.attrs.get("dim") in (-1, len(x.shape) - 1) and x.shape and len(reads) == 1:
            return Rows(step, result, reads[0], name == "log_softmax")
        return None
    return _product(program, step, result, largest)


def _view(step: Step, result: int, read: int, arrays: dict[int, Array]) -> View | None:
    out, x = arrays.get(result), arrays.get(read)
    if out is None or x is None or owner(out) is not owner(x) or out.dtype != x.dtype:
        return None
    start, size = offset(out) - offset(x), x.itemsize
    return View(step, result, read, start // size, tuple([s // size for s in out.strides]))


def _each(program: Program, step: Step, result: int) -> Each | None:
    name, given = step.name, step.arguments
    values, d = program.values, program.values[result].dtype
    if step.kind == "vjp":
        op, _, i = name.rpartition("_vjp")
        if op in ("sum", "mean") and i == "0":
            return _spread(program, step, result, op == "mean")
        if op not in formulas.TABLE:
            return None
        formula = formulas.TABLE[op][1][int(i)]
        letters = ("g", "out", *expr_letters(op))
    elif step.kind == "kernel" and name == "clone" and len(given) == 1:
        formula, letters = "x", ("x",)
        if step.attrs.get("order", "K") == "K" and not values[next(step.reads())].contiguous:
            return None
    elif step.kind == "kernel" and name == "where":
        formula, letters = "where(x, y, z)", ("x", "y", "z")
    elif step.kind == "kernel" and name in formulas.TABLE:
        formula, letters, op = formulas.TABLE[name][0], expr_letters(name), name
    elif step.kind == "kernel" and name in formulas.COMPARISONS:
        sign = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}[name]
        formula, letters = f"x {sign} y", ("x", "y")
    elif step.kind == "operator" and name in OPERATORS:
        formula, letters = OPERATORS[name], ("x", "y")
    else:
        return None
    if formula is None or not expr.functions(formula) <= {*LIBRARY, *HELPERS, "where"}:
        return None
    if len(given) > len(letters):
        return None
    operands = dict(zip(letters, given, strict=False))
    if name == "clone":
        pass
    elif step.attrs and step.kind in ("kernel", "vjp"):
        operands |= formulas.ARGUMENTS.get(op, {}) | step.attrs
    elif step.kind != "operator" and name not in formulas.COMPARISONS and name != "where":
        operands |= formulas.ARGUMENTS.get(op, {})
    used = {k: operands[k] for k in expr.names(formula) if k in operands}
    if used.keys() != expr.names(formula) or not any(type(x) is Ref for x in used.values()):
        return None
    floats: set[DType] = set()
    for k, x in used.items():
        if type(x) is Ref:
            kind = values[x.number].dtype
            if kind.name == "bool" and name == "where" and k == "x":
                continue
            floats.add(kind)
        elif isinstance(x, Unread) or type(x) not in (int, float):
            return None
    if len(floats) != 1 or floats.pop() != (d if d.kind == "f" else _floating(used, program)):
        return None
    shapes = [values[x.number].shape for x in used.values() if type(x) is Ref]
    if np.broadcast_shapes(*shapes) != values[result].shape:
        return None
    return Each(step, result, formula, used)


def _floating(used: dict[str, Operand], program: Program) -> DType | None:
    found = [program.values[x.number].dtype for x in used.values() if type(x) is Ref]
    return next((d for d in found if d.name in ("float32", "float64")), None)


def expr_letters(op: str) -> tuple[str, ...]:
    """The names of an op's operands in its formulas."""
    return tuple(formulas.LETTERS[: len(formulas.TABLE[op][1])])


def _dims(dim: Operand, ndim: int) -> tuple[int, ...] | None:
    if dim is None:
        return tuple(range(ndim))
    dims = (dim,) if type(dim) is int else dim
    if not isinstance(dims, (tuple, list)) or any(type(i) is not int for i in dims):
        return None
    return tuple(sorted({i % ndim for i in dims})) if ndim else ()


def _sum(
    program: Program, step: Step, result: int, read: int, dim: Operand, mean: bool
) -> Sum | None:
    shape = program.values[read].shape
    dims = _dims(dim, len(shape))
    if dims is None:
        return None
    return Sum(step, result, read, dims, math.prod(shape[i] for i in dims) if mean else 1)


def _spread(program: Program, step: Step, result: int, mean: bool) -> Each | None:
    """The derivative of a sum or a mean: g, repeated; g must have kept its dimensions, or be one.
    """
    g, shape = step.arguments[0], program.values[result].shape
    if type(g) is not Ref or program.values[g.number].dtype != program.values[result].dtype:
        return None
    given = program.values[g.number].shape
    n = math.prod(shape) // max(math.prod(given), 1)
    if given != () and (len(given) != len(shape) or np.broadcast_shapes(given, shape) != shape):
        return None
    return Each(step, result, "x / y" if mean else "x", {"x": g, "y": n} if mean else {"x": g})


def _product(program: Program, step: Step, result: int, largest: int) -> Lowered | None:
    """linear, a product of two matrices, and their derivatives."""
    given, values = step.arguments, program.values
    refs = [x.number if type(x) is Ref else None for x in given]
    shape = values[result].shape
    name = f"{step.kind} {step.name}"
    found: Product | None = None
    if name == "kernel linear" and len(refs) in (2, 3):
        bias = refs[2] if len(refs) == 3 else None
        found = Product(step, result, refs[0] or 0, refs[1] or 0, False, True, bias)
    elif name == "vjp linear_vjp0":
        found = Product(step, result, refs[0] or 0, refs[3] or 0, False, False, None)
    elif name == "vjp linear_vjp1":
        found = Product(step, result, refs[0] or 0, refs[2] or 0, True, False, None)
    elif name == "vjp linear_vjp2" and refs[0] is not None and len(values[refs[0]].shape) == 2:
        return Sum(step, result, refs[0], (0,), 1)
    elif name in ("kernel matmul", "operator matmul"):
        found = Product(step, result, refs[0] or 0, refs[1] or 0, False, False, None)
    elif name == "vjp matmul_vjp0":
        found = Product(step, result, refs[0] or 0, refs[3] or 0, False, True, None)
    elif name == "vjp matmul_vjp1":
        found = Product(step, result, refs[2] or 0, refs[0] or 0, True, False, None)
    if found is None or {found.x, found.y, *([] if found.bias is None else [found.bias])} - {
        *step.reads()
    }:
        return None
    a, b = values[found.x].shape, values[found.y].shape
    if len(shape) != 2 or len(a) != 2 or len(b) != 2:
        return None
    inner = a[0] if found.x_turned else a[1]
    rows, columns = (a[1] if found.x_turned else a[0]), (b[0] if found.y_turned else b[1])
    if (rows, columns) != shape or rows * columns * inner > largest:
        return None
    return found
