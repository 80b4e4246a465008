"""Steps that C reads from their body: what they mean in loops and sums, and in other orders.

``bodies`` is a table like that of calls.py. ``in_rows`` lets what wants its operands row by row
take them in any layout, where there is no Python that could do it.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..notation import expr
from ..ops import special
from .calls import in_range
from .look import LARGE, Look, Table
from .parts import laid_out, new
from .statements import Call, Copy, Each, Lowered, Sum, View, row_major
from .templates import Ref, Value, refs, replaced

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Program, Step

bodies = Table()
I64 = np.dtype(np.int64)


def fits(s: Look, *given: Operand) -> bool:
    """Floats row by row, and few, where the C core has a kernel for many."""
    return s.rows(*given) and (s.alone or all(s.size(x) < LARGE for x in given))


def kept(s: Look, x: Operand) -> tuple[tuple[int, ...], Shape]:
    """The dimensions that a reduction goes over, and its shape if it keeps them."""
    shape, dim = s.shape(x), s.attr("dim")
    every = range(len(shape)) if dim is None else (dim,) if type(dim) is int else dim
    dims = tuple(sorted({d % max(len(shape), 1) for d in every}))
    return dims, tuple([1 if i in dims else n for i, n in enumerate(shape)])


class Body:
    """The statements of one step, one after the other."""

    def __init__(self, s: Look):
        self.s, self.done = s, list[Lowered]()

    def seen(self, x: Operand, shape: Shape, strides: Shape | None = None) -> Ref:
        """A value as one of another shape."""
        to = new(self.s.program, shape, x.number)
        self.done.append(View(self.s.step, to, x.number, 0, strides or row_major(shape)))
        return Ref(to)

    def each(self, formula: str, shape: Shape, to: Operand = None, **operands: Operand) -> Ref:
        """A loop."""
        like = next(x.number for x in operands.values() if type(x) is Ref)
        n = new(self.s.program, shape, like) if to is None else to.number
        self.done.append(Each(self.s.step, n, formula, operands))
        return Ref(n)

    def sum(
        self, x: Ref, dims: tuple[int, ...], shape: Shape, divisor: int = 1, to: Operand = None
    ) -> Ref:
        """A sum over dimensions, kept in ``shape``."""
        n = new(self.s.program, shape, x.number) if to is None else to.number
        self.done.append(Sum(self.s.step, n, x.number, dims, divisor))
        return Ref(n)

    def moved(self, x: Operand, order: Sequence[int]) -> Ref:
        """A copy with the dimensions in another order."""
        shape = self.s.shape(x)
        strides = row_major(shape)
        moved = tuple([shape[i] for i in order])
        return self.each("x", moved, x=self.seen(x, moved, tuple([strides[i] for i in order])))

    def back(self, x: Ref, order: Sequence[int], to: Operand) -> None:
        """The step's result, whose dimensions are in that order in x."""
        shape, strides = self.s.shape(to), row_major(self.s.shape(x))
        inverse = [list(order).index(i) for i in range(len(shape))]
        self.each("x", shape, to, x=self.seen(x, shape, tuple([strides[i] for i in inverse])))


# ---- rows along any dimension --------------------------------------------------------------------
@bodies.entry(*(f"{kind} {name}softmax{end}" for name in ("", "log_")
                for kind, end in (("kernel", ""), ("vjp", "_vjp0"))))  # fmt: skip
def _softmax(s: Look) -> list[Lowered] | None:
    vjp, out = s.step.kind == "vjp", s.step.result
    given = s.given[: 2 if vjp else 1]
    shape, dim = s.shape(out), s.attr("dim")
    if not fits(s, *given, out) or type(dim) is not int or not shape or not s.size(out):
        return None
    dim %= len(shape)
    body, order = Body(s), [*[i for i in range(len(shape)) if i != dim], dim]
    turned = [body.moved(x, order) for x in given]
    made = Ref(new(s.program, s.shape(turned[0]), out.number))
    size = [s.size(out) // shape[dim], shape[dim]]
    body.done.append(Call(s.step, s.step.name, [*size, *turned, made], [made.number], []))
    body.back(made, order, out)
    return body.done


@bodies.entry("kernel nll_loss", "vjp nll_loss_vjp0")
def _nll(s: Look) -> list[Lowered] | None:
    """With a class for each place: the places are rows, and the classes come last."""
    vjp, out = s.step.kind == "vjp", s.step.result
    x, target, weight = (*s.given[2 * vjp :], None)[:3]
    values = s.given[0] if vjp else x
    like = out if vjp else x
    shape, reduction = s.shape(like), s.attr("reduction")
    if len(shape) < 3 or not fits(s, values, out) or not (weight is None or s.rows(weight)):
        return None
    if not s.rows(target, kind="int64") or not s.size(like):
        return None
    body, order = Body(s), [0, *range(2, len(shape)), 1]
    rows, n = s.size(like) // shape[1], shape[1]
    given, name = [rows, n, reduction == "mean", s.attr("ignore_index")], s.step.name
    if reduction == "none":
        del given[2]
        name = name.replace("loss", "rows")
    if not vjp:
        body.done.append(in_range(s, target, 0, n, given[-1]))
        called = [*given, body.moved(x, order), target, weight, out]
        body.done.append(Call(s.step, name, called, [out.number], []))
        return body.done
    made = Ref(new(s.program, tuple([shape[i] for i in order]), out.number))
    called = [*given, s.given[0], target, weight, made]
    body.done.append(Call(s.step, name, called, [made.number], []))
    body.back(made, order, out)
    return body.done


@bodies.entry("kernel logsumexp")
def _logsumexp(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    dims, shape = kept(s, x)
    if not s.alone or not fits(s, x, out) or not s.size(x):
        return None
    body, order = Body(s), [*[i for i in range(len(shape)) if i not in dims], *dims]
    turned = body.moved(x, order)
    rows, length = s.size(out), s.size(x) // s.size(out)
    made = Ref(new(s.program, s.shape(turned), x.number))
    called = [rows, length, turned, made]
    body.done.append(Call(s.step, "log_softmax", called, [made.number], []))
    first = [body.seen(y, s.shape(out), _first(s.shape(out), length)) for y in (turned, made)]
    body.each("x - y", s.shape(out), out, x=first[0], y=first[1])
    return body.done


def _first(shape: Shape, length: int) -> Shape:
    """The strides of the first of each ``length`` elements."""
    return tuple([n * length for n in row_major(shape)])


@bodies.entry("vjp logsumexp_vjp0")
def _logsumexp_vjp(s: Look) -> list[Lowered] | None:
    g, out, x = s.given
    if not s.alone or not fits(s, g, x, s.step.result) or not s.rows(out):
        return None
    body, shape = Body(s), kept(s, x)[1]
    both = {"g": body.seen(g, shape), "y": body.seen(out, shape)}
    body.each("g * exp(x - y)", s.shape(x), s.step.result, x=x, **both)
    return body.done


# ---- the largest ---------------------------------------------------------------------------------
@bodies.entry("kernel amax", "kernel amin")
def _extreme(s: Look) -> list[Lowered] | None:
    """Of each two numbers of a row the larger, and so on."""
    x, out = s.given[0], s.step.result
    whole = s.alone and s.rows(x, out, kind="int64")
    if not (whole or fits(s, x, out)) or not s.size(x):
        return None
    body = Body(s)
    _largest(body, x, s.step.name == "amin", out)
    return body.done


def _largest(body: Body, x: Operand, smallest: bool, out: Operand) -> None:
    s, formula = body.s, "minimum(x, y)" if smallest else "maximum(x, y)"
    dims, shape = kept(s, x)
    turned = body.moved(x, [*[i for i in range(len(shape)) if i not in dims], *dims])
    rows, n = s.size(out), s.size(x) // s.size(out)
    now, strides = body.seen(turned, (rows, n)), (n, 1)
    while n > 1:
        n = (n + 1) // 2
        last = new(s.program, (rows, n), x.number)
        body.done.append(View(s.step, last, now.number, strides[0] - n, strides))
        now = body.each(formula, (rows, n), x=body.seen(now, (rows, n), strides), y=Ref(last))
        strides = (n, 1)
    body.each("x", s.shape(out), out, x=body.seen(now, s.shape(out)))


@bodies.entry("vjp amax_vjp0", "vjp amin_vjp0")
def _extreme_vjp(s: Look) -> list[Lowered] | None:
    g, out, x = s.given
    if not fits(s, g, x, s.step.result) or not s.rows(out):
        return None
    body, (dims, shape) = Body(s), kept(s, x)
    top, given = body.seen(out, shape), body.seen(g, shape)
    equal, share = "where(x == y, 1, 0)", "g / z"
    if s.attr("dim") is None:  # max() and min(): or NaN, as the largest is; 0 if there are none
        equal = "where(x == y, 1, where(x == x, 0, where(y == y, 0, 1)))"
        share = "where(z == 0, 0, g / z)"
    one = body.each(equal, s.shape(x), x=x, y=top)
    many = body.each(share, shape, g=given, z=body.sum(one, dims, shape))
    body.each("x * g", s.shape(x), s.step.result, x=one, g=many)
    return body.done


# ---- how far from the mean -----------------------------------------------------------------------
def _from_mean(body: Body, x: Operand) -> tuple[Ref, float]:
    """x - mean(x), and n - correction."""
    s = body.s
    dims, shape = kept(s, x)
    n = s.size(x) // max(math.prod(shape), 1)
    mean = body.sum(x, dims, shape, n)
    return body.each("x - y", s.shape(x), x=x, y=mean), n - s.attr("correction")


@bodies.entry("kernel var", "kernel std")
def _var(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not fits(s, x, out) or not s.size(x):
        return None
    body, (dims, shape) = Body(s), kept(s, x)
    far, n = _from_mean(body, x)
    if n <= 0:
        return None
    total = body.sum(body.each("x * x", s.shape(x), x=far), dims, shape)
    formula = "sqrt(x / y)" if s.step.name == "std" else "x / y"
    body.each(formula, s.shape(out), out, x=body.seen(total, s.shape(out)), y=float(n))
    return body.done


@bodies.entry("vjp var_vjp0", "vjp std_vjp0")
def _var_vjp(s: Look) -> list[Lowered] | None:
    g, out, x = s.given
    if not fits(s, g, x, s.step.result) or not s.size(x):
        return None
    body, shape = Body(s), kept(s, x)[1]
    far, n = _from_mean(body, x)
    if n <= 0:
        return None
    operands: dict[str, Operand] = {"g": body.seen(g, shape), "x": far, "z": float(n)}
    formula = "g * 2 / z * x"
    if s.step.name == "std_vjp0":
        if not s.rows(out):
            return None
        operands["y"] = body.seen(out, shape)
        formula = "where(y == 0, 0, g / where(y == 0, 1, y)) / z * x"
    body.each(formula, s.shape(x), s.step.result, **operands)
    return body.done


@bodies.entry("kernel norm")
def _norm(s: Look) -> list[Lowered] | None:
    x, out, p = s.given[0], s.step.result, s.step.attrs.get("p", 2)
    if not fits(s, x, out) or type(p) not in (int, float) or not s.size(x):
        return None
    body, (dims, shape) = Body(s), kept(s, x)
    if math.isinf(p):
        _largest(body, body.each("abs(x)", s.shape(x), x=x), p < 0, out)
        return body.done
    formulas = {0: ("where(x == 0, 0, 1)", "x"), 1: ("abs(x)", "x"), 2: ("x * x", "sqrt(x)")}.get(
        p, ("abs(x) ** y", "x ** y")
    )
    powers = ({"y": p}, {"y": 1 / p}) if p not in (0, 1, 2) else ({}, {})
    total = body.sum(body.each(formulas[0], s.shape(x), x=x, **powers[0]), dims, shape)
    body.each(formulas[1], s.shape(out), out, x=body.seen(total, s.shape(out)), **powers[1])
    return body.done


@bodies.entry("vjp norm_vjp0")
def _norm_vjp(s: Look) -> list[Lowered] | None:
    g, out, x = s.given[:3]
    p = s.step.attrs.get("p", 2)
    if type(p) not in (int, float) or not fits(s, g, x, s.step.result):
        return None
    if p == 0:
        return [Copy(s.step, s.step.result.number, 0.0, [])]
    if p != 1 and not s.rows(out):
        return None
    body, (dims, shape) = Body(s), kept(s, x)
    operands: dict[str, Operand] = {"g": body.seen(g, shape), "x": x}
    formula = "g * sign(x)"
    if p == 2:
        operands["y"] = body.seen(out, shape)
        formula = "where(y == 0, 0, x * (g / where(y == 0, 1, y)))"
    elif math.isinf(p):
        top = body.seen(out, shape)
        one = body.each("where(abs(x) == y, 1, 0)", s.shape(x), x=x, y=top)
        operands |= {"y": one, "z": body.sum(one, dims, shape)}
        formula = "g * sign(x) * y / z"
    elif p < 1:  # where x is 0, none of the other powers is
        operands |= {"y": body.seen(out, shape), "z": p - 1}
        formula = "where(x == 0, 0, g * sign(x) * (abs(x) / y) ** z)"
    elif p != 1:
        operands |= {"y": body.seen(out, shape), "z": p - 1}
        formula = "where(y == 0, 0, g * sign(x) * (abs(x) / where(y == 0, 1, y)) ** z)"
    body.each(formula, s.shape(x), s.step.result, **operands)
    return body.done


# ---- what is a formula of others -----------------------------------------------------------------
QUESTIONS = {
    "isnan": "x != x", "isinf": "abs(x) == y", "isfinite": "abs(x) < y", "isposinf": "x == y",
    "isneginf": "x == -y", "logical_not": "x == 0", "logical_and": "where(x == 0, 0, y != 0)",
    "logical_or": "where(x == 0, y != 0, 1)", "logical_xor": "(x != 0) != (y != 0)",
    "isreal": "where(x == x, 1, 1)", "signbit": "copysign(1, x) < 0",
    "angle": "where(x < 0, 3.141592653589793, where(x == x, 0, x))",
}  # fmt: skip


@bodies.entry(*(f"{kind} {name}" for name in QUESTIONS for kind in ("kernel", "numpy")))
def _question(s: Look) -> list[Lowered] | None:
    formula = QUESTIONS[s.step.name]
    operands = dict(zip("xy", s.given, strict=False))
    whole = "biu" if s.step.name.startswith("logical") else "b"
    if not s.floats(*s.given) and not all(
        type(x) is Ref and s.program.values[x.number].dtype.kind in whole for x in s.given
    ):
        return None
    if "y" in formula and "y" not in operands:
        operands["y"] = math.inf
    return [Each(s.step, s.step.result.number, formula, operands)]


@bodies.entry(*(f"vjp {name}_vjp0" for name in ("floor", "ceil", "round", "trunc", "sign")),
               "vjp copysign_vjp1", "vjp bernoulli_vjp0", "vjp angle_vjp0", "kernel zero")
def _nothing(s: Look) -> list[Lowered] | None:
    out = s.step.result
    return [Copy(s.step, out.number, 0.0, [])] if s.alone and s.floats(out) else None


@bodies.entry("kernel clone")
def _clone(s: Look) -> list[Lowered] | None:
    """In which order it lies is seen by nobody."""
    x, out = s.given[0], s.step.result
    return [Each(s.step, out.number, "x", {"x": x})] if s.alone and s.floats(x, out) else None


MORE = {
    "heaviside": "where(x == 0, y, where(x > 0, 1, 0))", "div_trunc": "trunc(x / y)",
    # clamp_max_tensor is the larger of the two
    "clamp_min_tensor": "minimum(x, y)", "clamp_max_tensor": "maximum(x, y)", "copy": "y",
}  # fmt: skip


@bodies.entry(*(f"kernel {name}" for name in MORE))
def _more(s: Look) -> list[Lowered] | None:
    formula, out = MORE[s.step.name], s.step.result
    if len(s.given) != 2 or not s.floats(*s.given, out):
        return None
    operands = dict(zip("xy", s.given, strict=True))
    return [Each(s.step, out.number, formula, {k: v for k, v in operands.items() if k in formula})]


# of special functions the C core has kernels, which are faster for many numbers; those of C:
SPECIAL = {"kernel copysign": "copysign(x, y)",
           "vjp copysign_vjp0": "where(x == 0, 0, g * (out / where(x == 0, 1, x)))",
           "vjp digamma_vjp0": "g * zeta(2, x)"}  # fmt: skip
SPECIAL |= {f"kernel {name}": f"{name}(x)" for name in "lgamma digamma erfinv i0 i1".split()}
SPECIAL |= {"kernel zeta": "zeta(x, y)", "kernel floor_divide": "floor_divide(x, y)",
            "kernel div_floor": "floor_divide(x, y)"}
SPECIAL |= {f"vjp {name}_vjp{i}": vjp for name, (_, vjps) in special.TABLE.items()
            for i, vjp in enumerate(vjps) if type(vjp) is str}  # fmt: skip


@bodies.entry(*SPECIAL)
def _special(s: Look) -> list[Lowered] | None:
    formula, out, vjp = SPECIAL[f"{s.step.kind} {s.step.name}"], s.step.result, s.step.kind == "vjp"
    named = dict(zip(("g", "out", "x", "y") if vjp else "xy", s.given, strict=False))
    operands = {k: x for k, x in named.items() if k in expr.names(formula)}
    if not s.alone or not s.floats(*operands.values(), out):
        return None
    return [Each(s.step, out.number, formula, operands)]


@bodies.entry("kernel polygamma", "vjp polygamma_vjp0")
def _polygamma(s: Look) -> list[Lowered] | None:
    vjp, out = s.step.kind == "vjp", s.step.result
    x, n = s.given[2 * vjp], s.attr("n") + vjp
    if not s.alone or not s.floats(x, s.given[0], out) or not 0 < n < 20:
        return None
    operands = {"x": x, "y": float(n + 1), "z": float((-1) ** (n + 1) * math.factorial(n))}
    if vjp:
        operands["g"] = s.given[0]
    return [Each(s.step, out.number, f"{'g * ' * vjp}z * zeta(y, x)", operands)]


# ---- other layouts -------------------------------------------------------------------------------
def in_rows(tables: Sequence[Table], program: Program, step: Step) -> list[Lowered] | None:
    """A step on copies of its operands that lie row by row, with such results copied to its own."""
    values, old = program.values, {*step.reads()}
    loose = [n for n in dict.fromkeys([*step.reads(), *step.gives()]) if not values[n].contiguous]
    known = f"{step.kind} {step.name}"
    if not loose or not any(known in t for t in tables):
        return None
    before = [laid_out(program, step, n) for n in loose if n in old]
    made = {n: new(program, values[n].shape, n) for n in loose if n not in old}
    to = {n: copy.result for n, copy in zip([n for n in loose if n in old], before, strict=True)}
    to |= made

    def put(ref: Ref) -> Ref:
        return Ref(to.get(ref.number, ref.number))

    other = replace(step, arguments=replaced(step.arguments, put), attrs=replaced(step.attrs, put),
                    result=replaced(step.result, put))  # fmt: skip
    for table in tables:
        found = table.lowered(program, other, True)
        if found is not None and not any(isinstance(x, Call) and x.written for x in found):
            after: list[Lowered] = [Each(step, n, "x", {"x": Ref(m)}) for n, m in made.items()]
            return [*before, *[s._replace(step=step) for s in found], *after]
    return None


def in_int64(tables: Sequence[Table], program: Program, step: Step) -> list[Lowered] | None:
    """A step on truths, or on integers of fewer bits, by way of int64: of operands that have the
    type of the first one or of a result. What an index or a setting is stays as it is."""
    values, first = program.values, step.arguments[:1]
    small = {values[n].dtype for n in [*refs(first), *step.gives()]
             if values[n].dtype.kind in "biu" and values[n].dtype != I64}  # fmt: skip
    known = f"{step.kind} {step.name}"
    if not small or not any(known in t for t in tables) or 0 in [
        k for n in (*step.reads(), *step.gives()) for k in values[n].shape
    ]:  # fmt: skip
        return None
    to: dict[int, int] = {}
    for n in [*refs(step.arguments), *step.gives()]:
        if values[n].dtype in small and n not in to:
            strides = tuple([k * I64.itemsize for k in row_major(values[n].shape)])
            values.append(Value(values[n].shape, I64, strides))
            to[n] = len(values) - 1

    def put(ref: Ref) -> Ref:
        return Ref(to.get(ref.number, ref.number))

    given = {*refs(step.arguments)}
    result = replaced(step.result, put)
    other = replace(step, arguments=replaced(step.arguments, put), result=result)
    for table in tables:
        found = table.lowered(program, other, True)
        if found is not None and not any(isinstance(x, Call) and x.written for x in found):
            before = [Each(step, to[n], "x", {"x": Ref(n)}) for n in to if n in given]
            after = [
                Each(step, n, "x != 0" if values[n].dtype.kind == "b" else "x", {"x": Ref(to[n])})
                for n in to if n not in given
            ]  # fmt: skip
            return [*before, *[s._replace(step=step) for s in found], *after]
    return None
