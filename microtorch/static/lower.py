"""From the steps of a program to statements of C: what goes to C, and what stays a kernel's call.

``lowered`` is the one place of this choice. A step becomes statements (statements.py): a loop from
the op's formula, a sum, a product, a copy, a view, or the call of a C function (calls.py); or None:
it has no formula and no function, its arrays lie in an unusual order, or it is so large that the C
core's kernel is faster. Successive steps that are not None are a region, which is one C function.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..handles.memory import offset, owner
from ..notation import expr, formulas
from .bodies import bodies, in_rows
from .calls import calls
from .cells import cells
from .contracted import contracted
from .drawn import drawn
from .gathered import gathered
from .integers import integers
from .look import cheaper_turned, has_tables, one_thread
from .moved import moved
from .parts import laid_out, new, parts
from .statements import C_TYPES, Copy, Each, Lowered, Place, Product, Sum, View, row_major
from .tabled import tabled
from .templates import Ref, Unread
from .updates import updates
from .volumes import volumes

if TYPE_CHECKING:
    from ..base.types import Array, DType, Operand, Shape
    from .program import Program, Step

# multiplications up to which a product of two matrices is written as loops: where the right one has
# first to be laid out anew, and where not
SMALL_PRODUCT, MEDIUM_PRODUCT = 1 << 17, 1 << 19
# and where the C core would have one thread, too; and numbers of what is then read again and again,
# and must stay in the cache
LARGE_PRODUCT, LARGE_MATRIX = 1 << 25, 1 << 16
# sizes of products that may leave out what relu has made 0 (c/products.c: product_of_few)
DEEPEST_OF_FEW, NARROWEST_OF_FEW = 256, 112
SHORTEST = 3  # features of a layer that is made number by number
# functions for which the C core has tables, and sums of them over rows (look.py)
TABLES = frozenset("erf exp expm1 log log1p sigmoid softplus tanh".split())
ROWS_OF_EXP = frozenset({"softmax", "log_softmax"})
# functions of formulas that C's library has, under the name that it has for double
LIBRARY = {
    **{f: f for f in ("acos acosh asin asinh atan atan2 atanh ceil cos cosh erf erfc exp exp2 "
                      "expm1 floor fmod log log10 log1p log2 sin sinh sqrt tan tanh "
                      "trunc").split()},
    "abs": "fabs", "round": "rint", "sgn": "sign",
}  # fmt: skip
# functions that the head of the C file defines (c/basics.txt)
HELPERS = frozenset({"maximum", "minimum", "sign", "sigmoid", "softplus", "remainder"})
OPERATORS = {"add": "x + y", "sub": "x - y", "mul": "x * y", "truediv": "x / y", "neg": "-x",
             "pos": "x"}
OF_BOOLS = {"bitwise_not": "x == 0", "bitwise_and": "x * y", "bitwise_or": "x + y > 0",
            "bitwise_xor": "x != y"}  # fmt: skip
SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
CASTS = ("kernel cast", "method astype", "numpy asarray", "vjp cast_vjp0")
# products: the places of the factors among a step's arguments, and which of them are transposed
PRODUCTS = {
    "kernel linear": (0, 1, False, True),
    "vjp linear_vjp0": (0, 3, False, False),
    "vjp linear_vjp1": (0, 2, True, False),
    "kernel matmul": (0, 1, False, False),
    "operator matmul": (0, 1, False, False),
    "vjp matmul_vjp0": (0, 3, False, True),
    "vjp matmul_vjp1": (2, 0, True, False),
}
WHERE_VJPS = (None, "where(x, g, 0)", "where(x, 0, g)")
WHOLE = frozenset({"x", "x + y", "x - y", "x * y"})  # formulas that hold for integers, too
IN_PLACE = {f"i{name}": formula for name, formula in OPERATORS.items() if "y" in formula}


def lowered(
    program: Program, step: Step, arrays: dict[int, Array], alone: bool = False
) -> list[Lowered] | None:
    """A step as statements, or None where it is left to a kernel.

    ``arrays``: the recorded values. ``alone``: there is no kernel, so that large ones are loops.
    """
    values = program.values
    if step.kind == "effect":  # of an exported program, the rates are a table (schedules.py)
        return [] if alone else None
    if any(values[n].dtype.name not in C_TYPES for n in [*step.gives(), *step.reads()]):
        return None
    if any(0 in values[n].shape for n in [*step.gives(), *step.reads()]):  # nothing to loop over
        return None
    if not alone and step.name in ROWS_OF_EXP and _has_tables(program, step):
        return None
    if step.kind == "operator" and (step.name in IN_PLACE or step.name == "setitem"):
        return _written(program, step, arrays)
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
        return _taken(program, step, step.result.number)
    for table in (parts, bodies, moved):
        several = table.lowered(program, step, alone)
        if several:
            return several
    product = _product(program, step, step.result.number, alone)
    return _alone(program, step) if product is None and alone else product


def _alone(program: Program, step: Step) -> list[Lowered] | None:
    """What is C only because there is no kernel."""
    last = (tabled, integers, volumes, contracted)
    for table in last:
        found = table.lowered(program, step, True)
        if found is not None:
            return found
    return in_rows(last, program, step)


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
    each = _each(program, step, result)
    if each is not None:
        return each
    if values[result].dtype.kind != "f":
        return None
    name, given = step.name, step.arguments
    if any(values[n].dtype != values[result].dtype for n in reads):
        return None
    if step.kind == "kernel" and name in ("sum", "mean"):
        dim = given[1] if len(given) > 1 else step.attrs.get("dim")
        return _sum(program, step, result, reads[0], dim, name == "mean")
    return _copy(program, step, result)


def _view(step: Step, result: int, read: int, arrays: dict[int, Array]) -> View | None:
    out, x = arrays.get(result), arrays.get(read)
    if out is None or x is None or owner(out) is not owner(x) or out.dtype != x.dtype:
        return None
    start, size = offset(out) - offset(x), x.itemsize
    return View(step, result, read, start // size, tuple([s // size for s in out.strides]))


def _each(program: Program, step: Step, result: int) -> Each | None:
    """A step whose elements are each computed from those at the same place, by a formula."""
    does = f"{step.kind} {step.name}"
    if does in CASTS:
        return _cast(program, step, result)
    if does in ("vjp sum_vjp0", "vjp mean_vjp0"):
        return _spread(program, step, result, does == "vjp mean_vjp0")
    if step.kind == "kernel" and step.name in OF_BOOLS:
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
    used = {k: operands[k] for k in expr.names(formula) if k in operands}
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
    name = step.name
    if step.kind == "operator" and name in OPERATORS:
        return OPERATORS[name], ("x", "y"), None
    if step.kind in ("kernel", "operator") and name in SIGNS:
        return f"x {SIGNS[name]} y", ("x", "y"), None
    if step.kind == "kernel":
        if name == "clone" and len(step.arguments) == 1:
            rows = program.values[next(step.reads())].contiguous
            lies_in_rows = rows or step.attrs.get("order", "K") != "K"
            return ("x", ("x",), None) if lies_in_rows else None
        if name == "where":
            return "where(x, y, z)", ("x", "y", "z"), name
        if name in formulas.TABLE:
            return formulas.TABLE[name][0], expr_letters(name), name
    if step.kind == "vjp":
        op, _, i = name.rpartition("_vjp")
        letters: tuple[str, ...]
        if op == "where":
            formula, letters = WHERE_VJPS[int(i)], ("x", "y", "z")
        elif op in formulas.TABLE:
            formula, letters = formulas.TABLE[op][1][int(i)], expr_letters(op)
        else:
            return None
        return None if formula is None else (formula, ("g", "out", *letters), op)
    return None


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
        exact = compared or (formula in WHOLE and d == kind)
        return exact and not any(type(x) is float for x in used.values())
    return kind == (d if d.kind == "f" else _floating(used, program))


def _of_bools(program: Program, step: Step, result: int) -> Each | None:
    """A bitwise operation on masks."""
    values, given = program.values, step.arguments
    d = values[result].dtype
    if d.name != "bool" or any(type(x) is not Ref or values[x.number].dtype != d for x in given):
        return None
    return Each(step, result, OF_BOOLS[step.name], dict(zip("xy", given, strict=False)))


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


def _written(program: Program, step: Step, arrays: dict[int, Array]) -> list[Lowered] | None:
    """``x += y`` and the like, and ``x[i] = y``: elements that go to where older ones are."""
    given, values = step.arguments, program.values
    target, source = given[0], given[-1]
    if type(target) is not Ref or type(source) not in (Ref, int, float):
        return None
    to = values[target.number]
    if to.dtype.name not in C_TYPES or to.dtype.kind == "b":
        return None
    if to.dtype.kind in "iu" and (type(source) is float or step.name == "itruediv"):
        return None
    if type(source) is Ref:
        mine, theirs = arrays.get(target.number), arrays.get(source.number)
        if values[source.number].dtype != to.dtype or mine is None or theirs is None:
            return None
        if owner(mine) is owner(theirs):  # the order of elements would count
            return None
    if step.name == "setitem":
        strides = tuple([n // to.dtype.itemsize for n in to.strides])
        place = _part(to.shape, target.number, given[1], strides)
        if place is None:
            return None
        formula, operands = "y", {"y": source}
    else:
        size = to.dtype.itemsize
        place = Place(target.number, 0, tuple([n // size for n in to.strides]), to.shape)
        formula, operands = IN_PLACE[step.name], {"x": target, "y": source}
    shape = () if type(source) is not Ref else values[source.number].shape
    if len(shape) > len(place.shape) or np.broadcast_shapes(shape, place.shape) != place.shape:
        return None
    return [Each(step, target.number, formula, operands, place)]


def _taken(program: Program, step: Step, result: int) -> list[Lowered] | None:
    """``x[i]`` where that is a copy: a number, not an array."""
    base, index = step.arguments
    if type(base) is not Ref:
        return None
    value = program.values[base.number]
    strides = tuple([s // value.dtype.itemsize for s in value.strides])
    place = _part(value.shape, base.number, index, strides)
    if place is None or place.shape != program.values[result].shape:
        return None
    seen = new(program, place.shape, base.number)
    return [
        View(step, seen, base.number, place.start, place.strides),
        Each(step, result, "x", {"x": Ref(seen)}),
    ]


def _part(
    shape: Shape, base: int, index: Operand, strides: Shape | None = None
) -> Place | None:
    """What an index of integers and slices takes of a value; ``strides``: row by row, if None."""
    parts = index if type(index) is tuple else (index,)
    if any(type(i) not in (int, slice, type(None), type(Ellipsis)) for i in parts):
        return None
    strides = row_major(shape) if strides is None else strides
    if any(n < 0 for n in strides):
        return None
    size = 1 + sum((n - 1) * k for n, k in zip(shape, strides, strict=True))
    probe = np.lib.stride_tricks.as_strided(np.empty(size, bool), shape, strides)
    taken = probe[(*parts, ...) if Ellipsis not in parts else parts]
    return Place(base, offset(taken) - offset(probe), taken.strides, taken.shape)


def _copy(program: Program, step: Step, result: int) -> Copy | None:
    """reshape where it copies, copies, joined tensors, and a slice's derivative."""
    values, given = program.values, step.arguments
    shape = values[result].shape
    if not values[result].contiguous:
        return None
    name = f"{step.kind} {step.name}"
    if name in ("kernel cat", "kernel stack"):
        at, parts, dim = 0, [], step.attrs.get("dim", 0) % len(shape)
        for x in given:
            if type(x) is not Ref:
                return None
            own = values[x.number].shape
            n = 1 if step.name == "stack" else own[dim] if len(own) == len(shape) else -1
            if n < 0:
                return None
            index = at if step.name == "stack" else slice(at, at + n)
            place = _part(shape, result, (*(slice(None),) * dim, index))
            if place is None or place.shape != own:
                return None
            parts.append((x.number, place))
            at += n
        return Copy(step, result, None, parts)
    placed = name == "vjp slice_vjp0" or (name == "kernel place" and step.attrs.get("unique"))
    if placed and type(given[0]) is Ref:
        place = _part(shape, result, step.attrs.get("index"))
        if place is None or place.shape != values[given[0].number].shape:
            return None
        return Copy(step, result, 0.0, [(given[0].number, place)])
    whole = name in ("kernel reshape", "vjp reshape_vjp0", "method reshape") or (
        name in ("method copy", "kernel clone") and values[result].contiguous
    )
    if whole and type(given[0]) is Ref:
        own = values[given[0].number].shape
        place = Place(result, 0, row_major(own), own)
        return Copy(step, result, None, [(given[0].number, place)])
    return None


def _short_linear(program: Program, s: Product) -> list[Lowered]:
    """A layer of few features, number by number, so that it shares the loop of what follows."""
    views: list[Lowered] = []
    terms: dict[str, str] = {}
    operands: dict[str, Operand] = {}
    x, w = program.values[s.x], program.values[s.y]
    (row, column), (output, feature) = ([k // v.dtype.itemsize for k in v.strides] for v in (x, w))
    for i in range(x.shape[1]):
        for name, n, shape, start, strides in (
            (f"x{i}", s.x, (x.shape[0], 1), column, (row, 1)),
            (f"w{i}", s.y, (w.shape[0],), feature, (output,)),
        ):
            seen = new(program, shape, n)
            views.append(View(s.step, seen, n, i * start, strides))
            operands[name] = Ref(seen)
        terms[f"x{i}"] = f"x{i} * w{i}"
    if s.bias is not None:
        operands["bias"] = Ref(s.bias)
        terms["bias"] = "bias"
    return [*views, Each(s.step, s.result, " + ".join(terms.values()), operands)]


def _as_matrix(shape: Shape) -> Shape:
    return math.prod(shape[:-1]), shape[-1]


def _multiplied(step: Step, result: int) -> Product | None:
    """The product that a step is."""
    place = PRODUCTS.get(f"{step.kind} {step.name}")
    if place is None:
        return None
    i, j, x_turned, y_turned = place
    given = step.arguments
    bias = given[2] if step.name == "linear" and len(given) == 3 else None
    if len(given) <= max(i, j):
        return None
    x, y = given[i], given[j]
    if type(x) is not Ref or type(y) is not Ref or not (bias is None or type(bias) is Ref):
        return None
    b = bias.number if type(bias) is Ref else None
    return Product(step, result, x.number, y.number, x_turned, y_turned, b)


def _product(program: Program, step: Step, result: int, alone: bool) -> list[Lowered] | None:
    """linear, a product of matrices, and their derivatives."""
    if any(program.values[n].dtype != program.values[result].dtype for n in step.reads()):
        return None
    if program.values[result].dtype.kind != "f":
        return None
    given, values = step.arguments, program.values
    shape = values[result].shape
    name = f"{step.kind} {step.name}"
    if name == "vjp linear_vjp2" and type(given[0]) is Ref:
        n = given[0].number
        return [Sum(step, result, n, tuple(range(len(values[n].shape) - 1)), 1)]
    found = _multiplied(step, result)
    if found is None:
        return None
    a, b = values[found.x].shape, values[found.y].shape
    if not a or not b or not shape:
        return None
    before: list[Lowered] = []
    if step.name.startswith("linear"):  # all dimensions but the last are rows
        for m in (found.x, found.y):
            if len(values[m].shape) != 2 and not values[m].contiguous:
                before.append(copy := laid_out(program, step, m))
                if m == found.x:
                    found = found._replace(x=copy.result)
                else:
                    found = found._replace(y=copy.result)
        a, b, shape = _as_matrix(a), _as_matrix(b), _as_matrix(shape)
    if len(a) < 2 or len(b) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or shape[:-2] != a[:-2]:
        return None
    inner = a[-2] if found.x_turned else a[-1]
    rows, columns = (a[-1] if found.x_turned else a[-2]), (b[-2] if found.y_turned else b[-1])
    if (rows, columns) != shape[-2:] or inner != (b[-1] if found.y_turned else b[-2]):
        return None
    if inner == 1 and found.bias is None and not found.x_turned and not found.y_turned:
        both: dict[str, Operand] = {"x": Ref(found.x), "y": Ref(found.y)}
        if len(values[found.x].shape) == len(values[result].shape) == len(values[found.y].shape):
            return [*before, Each(step, result, "x * y", both)]
    if name == "kernel linear" and len(values[found.x].shape) == 2 and inner <= SHORTEST:
        return _short_linear(program, found)
    if rows * columns * inner > MEDIUM_PRODUCT and inner <= DEEPEST_OF_FEW and (
        found.x_turned and len(shape) == 2 and columns >= NARROWEST_OF_FEW
        and any(s.name == "relu_vjp0" and found.x in s.gives() for s in program.steps)
    ):  # fmt: skip
        return [*before, found._replace(few=True)]
    y = values[found.y]
    lies = y.strides[-2 if found.y_turned else -1] == y.dtype.itemsize
    most = MEDIUM_PRODUCT if lies else SMALL_PRODUCT
    if len(shape) == 2 and one_thread():
        again = rows if not lies and cheaper_turned(rows, columns, inner) else columns
        most = LARGE_PRODUCT if again * inner <= LARGE_MATRIX else most
    return [*before, found] if alone or rows * columns * inner <= most else None
