"""Steps whose elements are each computed from those at the same place, by a formula."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..notation import expr, formulas
from .statements import C_TYPES, Each
from .templates import Ref, Unread

if TYPE_CHECKING:
    from ..base.types import DType, Operand
    from .program import Program, Step

# functions of formulas that C's library has, under the name that it has for double
LIBRARY = {
    **{f: f for f in ("acos acosh asin asinh atan atan2 atanh ceil cos cosh erf erfc exp exp2 "
                      "expm1 floor fmod lgamma log log10 log1p log2 sin sinh sqrt tan tanh "
                      "trunc").split()},
    "abs": "fabs", "round": "rint", "sgn": "sign", "i0": "bessel_i0", "i1": "bessel_i1",
}  # fmt: skip
# functions that the head of the C file defines (c/basics.txt)
HELPERS = frozenset("maximum minimum sign sigmoid softplus remainder digamma zeta erfinv "
                    "copysign floor_divide".split())  # fmt: skip
OPERATORS = {"add": "x + y", "sub": "x - y", "mul": "x * y", "truediv": "x / y", "neg": "-x",
             "pos": "x"}
OF_BOOLS = {"bitwise_not": "x == 0", "bitwise_and": "x * y", "bitwise_or": "x + y > 0",
            "bitwise_xor": "x != y"}  # fmt: skip
BITWISE = {"invert": "bitwise_not", "and_": "bitwise_and", "or_": "bitwise_or",
           "xor": "bitwise_xor"}  # fmt: skip
SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
CASTS = ("kernel cast", "method astype", "numpy asarray", "vjp cast_vjp0")
WHERE_VJPS = (None, "where(x, g, 0)", "where(x, 0, g)")
# functions of formulas that integers have, too, and what they are called for those (c/basics.txt)
INTEGERS = {
    "maximum": "max_whole", "minimum": "min_whole", "abs": "abs_whole", "sign": "sign_whole",
    "remainder": "mod_whole", "floor_divide": "floor_whole", "div_trunc": "trunc_whole",
    "bitwise_and": "and_whole", "bitwise_or": "or_whole", "bitwise_xor": "xor_whole",
    "bitwise_not": "not_whole", "bitwise_left_shift": "left_whole", "gcd": "gcd_whole",
    "bitwise_right_shift": "right_whole", "pow": "pow_whole",
}  # fmt: skip
# numpy's functions that are formulas, and what those are called
UFUNCS = {
    **{f: f for f in "where maximum minimum floor ceil sqrt exp log square".split()},
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "negative": "neg",
    "positive": "pos", "absolute": "abs",
}  # fmt: skip
IN_PLACE = {f"i{name}": formula for name, formula in OPERATORS.items() if "y" in formula}


def each(program: Program, step: Step, result: int) -> Each | None:
    """The statement of such a step."""
    does = f"{step.kind} {step.name}"
    if does in CASTS:
        return _cast(program, step, result)
    if does in ("vjp sum_vjp0", "vjp mean_vjp0"):
        return _spread(program, step, result, does == "vjp mean_vjp0")
    if step.kind in ("kernel", "operator") and BITWISE.get(step.name, step.name) in OF_BOOLS:
        return _of_bools(program, step, result)
    found = _formula(program, step)
    if found is None:
        return None
    formula, letters, op = found
    if not expr.functions(formula) <= {*LIBRARY, *HELPERS, "where"}:
        return None
    given = step.arguments
    if len(given) > len(letters):
        return None
    operands = dict(zip(letters, given, strict=False))
    if op is not None:
        operands |= formulas.ARGUMENTS.get(op, {}) | step.attrs
    used = {k: plain(operands[k]) for k in expr.names(formula) if k in operands}
    if used.keys() != expr.names(formula) or not any(type(x) is Ref for x in used.values()):
        return None
    if not _computable(program, step, result, formula, used):
        return None
    shapes = [program.values[x.number].shape for x in used.values() if type(x) is Ref]
    if np.broadcast_shapes(*shapes) != program.values[result].shape:
        return None
    return Each(step, result, formula, used)


def _formula(program: Program, step: Step) -> tuple[str, tuple[str, ...], str | None] | None:
    """(formula, its operands' names, the op that knows the attributes) of a step that has them."""
    name, kind = step.name, step.kind
    if kind == "numpy" and name in UFUNCS and not step.attrs:
        name, kind = UFUNCS[name], "kernel"
    if step.kind in ("operator", "numpy") and name in OPERATORS:
        return OPERATORS[name], ("x", "y"), None
    if step.kind in ("kernel", "operator") and name in SIGNS:
        return f"x {SIGNS[name]} y", ("x", "y"), None
    if kind == "kernel":
        if name == "clone" and len(step.arguments) == 1:
            rows = program.values[next(step.reads())].contiguous
            lies_in_rows = rows or step.attrs.get("order", "K") != "K"
            return ("x", ("x",), None) if lies_in_rows else None
        if name == "copy" and program.values[next(step.gives())].contiguous:
            return "y", ("x", "y"), None
        if name == "where":
            return "where(x, y, z)", ("x", "y", "z"), name
        if name in formulas.TABLE:
            return formulas.TABLE[name][0], letters_of(name), name
    if step.kind == "vjp":
        op, _, i = name.rpartition("_vjp")
        letters: tuple[str, ...]
        if op == "where":
            formula, letters = WHERE_VJPS[int(i)], ("x", "y", "z")
        elif op in formulas.TABLE:
            formula, letters = formulas.TABLE[op][1][int(i)], letters_of(op)
        else:
            return None
        return None if formula is None else (formula, ("g", "out", *letters), op)
    return None


def plain(x: Operand) -> Operand:
    """A number of numpy's as one of Python's; its dtype is that of the step's other operands."""
    return x.item() if isinstance(x, np.generic) else x


def _computable(
    program: Program, step: Step, result: int, formula: str, used: dict[str, Operand]
) -> bool:
    """Are the operands numbers of one kind that C computes with as numpy does?"""
    values, d = program.values, program.values[result].dtype
    kinds: set[DType] = set()
    for k, x in used.items():
        if type(x) is Ref:
            kind = values[x.number].dtype
            if kind.name != "bool" or not step.name.startswith("where") or k != "x":
                kinds.add(kind)
        elif isinstance(x, Unread) or type(x) not in (int, float):
            return False
    if len(kinds) != 1:
        return False
    kind = kinds.pop()
    if kind.kind in "iu":
        compared = step.name in SIGNS and d.name == "bool"
        whole = d == kind and not {*"/."} & {*formula} and "**" not in formula and (
            expr.functions(formula) <= {*INTEGERS, "where"}
        ) and ("remainder" not in formula or is_not_0(program, used["y"]))  # fmt: skip
        return (compared or whole) and not any(type(x) is float for x in used.values())
    return kind == (d if d.kind == "f" else _floating(used, program))


def is_not_0(program: Program, x: Operand) -> bool:
    """Is it known that a divisor is not 0?"""
    if type(x) is not Ref:
        return x != 0
    known = program.constants.get(x.number)
    return known is not None and x.number not in program.fresh and bool(known.all())


def _of_bools(program: Program, step: Step, result: int) -> Each | None:
    """A bitwise operation on masks."""
    values, given = program.values, step.arguments
    d = values[result].dtype
    if d.name != "bool" or any(type(x) is not Ref or values[x.number].dtype != d for x in given):
        return None
    formula = OF_BOOLS[BITWISE.get(step.name, step.name)]
    return Each(step, result, formula, dict(zip("xy", given, strict=False)))


def _cast(program: Program, step: Step, result: int) -> Each | None:
    """Numbers as numbers of another dtype; C's rules are numpy's where the new one is no smaller
    kind: bool, natural number, integer, float."""
    given, d = step.arguments[0], program.values[result].dtype
    if type(given) is not Ref:
        return None
    own = program.values[given.number].dtype
    if own.name not in C_TYPES or "buif".find(own.kind) > "buif".find(d.kind):
        return None
    return Each(step, result, "x", {"x": given})


def _floating(used: dict[str, Operand], program: Program) -> DType | None:
    found = [program.values[x.number].dtype for x in used.values() if type(x) is Ref]
    return next((d for d in found if d.name in ("float32", "float64")), None)


def letters_of(op: str) -> tuple[str, ...]:
    """The names of an op's operands in its formulas."""
    return tuple(formulas.LETTERS[: len(formulas.TABLE[op][1])])


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
