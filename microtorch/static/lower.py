"""From the steps of a program to statements of C: what goes to C, and what stays a kernel's call.

``lowered`` is the one place of this choice. A step becomes statements (statements.py): a loop from
the op's formula, a sum, a product, a copy, a view, or the call of a C function (calls.py); or None:
it has no formula and no function, its arrays lie in an unusual order, or it is so large that the C
core's kernel is faster. Successive steps that are not None are a region, which is one C function.
"""
from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ..handles.memory import offset, owner
from ..notation import expr
from .algebra import algebra
from .bodies import bodies, in_int64, in_rows
from .calls import calls
from .cells import cells
from .contracted import contracted
from .drawn import drawn
from .elements import IN_PLACE, each
from .gathered import gathered
from .integers import integers
from .look import has_tables
from .moved import moved
from .ordered import ordered
from .parts import parts
from .placed import copied, taken, written
from .products import product
from .statements import C_TYPES, Each, Lowered, Sum, View
from .tabled import tabled
from .templates import Ref
from .updates import updates
from .volumes import volumes

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .program import Program, Step

# functions for which the C core has tables, and sums of them over rows (look.py)
TABLES = frozenset("erf exp expm1 log log1p sigmoid softplus tanh".split())
ROWS_OF_EXP = frozenset({"softmax", "log_softmax"})


def lowered(
    program: Program, step: Step, arrays: dict[int, Array], alone: bool = False
) -> list[Lowered] | None:
    """A step as statements, or None where it is left to a kernel.

    ``arrays``: the recorded values. ``alone``: there is no kernel, so that large ones are loops.
    """
    values = program.values
    if alone and step.name == "cat" and (rest := _with_elements(program, step)) != step.arguments:
        found = lowered(program, replace(step, arguments=rest), arrays, True)
        return found and [s._replace(step=step) for s in found]
    if step.kind == "effect":  # of an exported program, the rates are a table (schedules.py)
        return [] if alone else None
    if any(values[n].dtype.name not in C_TYPES for n in [*step.gives(), *step.reads()]):
        return None
    empty = [0 in values[n].shape for n in step.gives()]
    if alone and empty and all(empty) and "out" not in step.attrs:  # that nobody can read
        return []
    if any(empty) or any(0 in values[n].shape for n in step.reads()):  # nothing to loop over
        return None
    if not alone and step.name in ROWS_OF_EXP and _has_tables(program, step):
        return None
    if step.kind == "operator" and (step.name in IN_PLACE or step.name == "setitem"):
        return written(program, step, arrays)
    tables = (calls, updates, cells, drawn, gathered)
    for table in tables:
        found = table.lowered(program, step, alone)
        if found is not None:
            return found
    found = in_rows((*tables, bodies), program, step) if alone else None
    if found is not None:
        return found
    if type(step.result) is not Ref or "out" in step.attrs:
        return _alone(program, step) if alone else None
    if step.name == "astype" and step.result in step.arguments:  # an array as what it is
        return []
    one = _one(program, step, step.result.number, arrays)
    if isinstance(one, Each) and not alone and TABLES & expr.functions(one.formula):
        if _has_tables(program, step):
            return None
    if one is not None:
        return [one]
    if f"{step.kind} {step.name}" == "operator getitem":
        return taken(program, step, step.result.number)
    for table in (parts, bodies, moved):
        several = table.lowered(program, step, alone)
        if several:
            return several
    found = product(program, step, step.result.number, alone)
    return _alone(program, step) if found is None and alone else found


def _with_elements(program: Program, step: Step) -> tuple[Operand, ...]:
    """The operands that have elements."""
    shapes = [program.values[x.number].shape if type(x) is Ref else () for x in step.arguments]
    return tuple([x for x, s in zip(step.arguments, shapes, strict=True) if 0 not in s])


def _alone(program: Program, step: Step) -> list[Lowered] | None:
    """What is C only because there is no kernel."""
    last = (tabled, integers, ordered, volumes, contracted, algebra)
    for table in last:
        found = table.lowered(program, step, True)
        if found is not None:
            return found
    truths = any(program.values[n].dtype.kind == "b" for n in [*step.reads(), *step.gives()])
    # of truths only what moves them, or compares
    small = (tabled, ordered, bodies) if truths else (*last, bodies)
    return in_rows(last, program, step) or in_int64(small, program, step)


def _has_tables(program: Program, step: Step) -> bool:
    """Has the C core a faster kernel for a step, because of its size?"""
    return has_tables(program.values[next(step.gives())])


def _one(program: Program, step: Step, result: int, arrays: dict[int, Array]) -> Lowered | None:
    """A step that is one statement."""
    values = program.values
    reads = [n for n in step.reads()]
    for n in reads:
        view = None if n == result else _view(step, result, n, arrays)
        if view is not None:
            return view if step.kind == "vjp" or len(reads) == 1 else None
    found = each(program, step, result)
    if found is not None:
        return found
    name, given = step.name, step.arguments
    if any(values[n].dtype != values[result].dtype for n in reads):
        return None
    if step.kind == "kernel" and name in ("sum", "mean"):
        if values[result].dtype.kind != "f":
            return None
        dim = given[1] if len(given) > 1 else step.attrs.get("dim")
        return _sum(program, step, result, reads[0], dim, name == "mean")
    return copied(program, step, result)


def _view(step: Step, result: int, read: int, arrays: dict[int, Array]) -> View | None:
    out, x = arrays.get(result), arrays.get(read)
    if out is None or x is None or owner(out) is not owner(x) or out.dtype != x.dtype:
        return None
    start, size = offset(out) - offset(x), x.itemsize
    return View(step, result, read, start // size, tuple([s // size for s in out.strides]))


def _sum(
    program: Program, step: Step, result: int, read: int, dim: Operand, mean: bool
) -> Sum | None:
    shape = program.values[read].shape
    dims = _dims(dim, len(shape))
    if dims is None:
        return None
    return Sum(step, result, read, dims, math.prod(shape[i] for i in dims) if mean else 1)


def _dims(dim: Operand, ndim: int) -> tuple[int, ...] | None:
    if dim is None:
        return tuple(range(ndim))
    dims = (dim,) if type(dim) is int else dim
    if not isinstance(dims, (tuple, list)) or any(type(i) is not int for i in dims):
        return None
    return tuple(sorted({i % ndim for i in dims})) if ndim else ()
