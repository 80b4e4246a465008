"""Integers and truths, what is made of nothing, and tables of embeddings, of exported programs.

``integers`` is a table like that of calls.py.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .bodies import Body
from .elements import is_not_0, plain
from .look import Look, Table
from .parts import new
from .statements import Call, Copy, Each, Lowered, Place, row_major
from .tabled import I64, around, call, counted, known, places
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand

integers = Table()

# ---- integers and truths -------------------------------------------------------------------------
@integers.entry("kernel reshape", "method reshape", "vjp reshape_vjp0")
def _reshaped(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if type(x) is not Ref or not s.rows(x, out, kind=s.program.values[x.number].dtype.name):
        return None
    own = s.shape(x)
    return [Copy(s.step, out.number, None, [(x.number, Place(out.number, 0, row_major(own), own))])]


@integers.entry("numpy take")
def _taken_integers(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not s.rows(x, out, kind="int64") or [*s.step.reads()] != [x.number]:
        return None
    shape = s.shape(x)

    def find() -> Array:
        found: Array = s.step.function(counted(shape), *s.given[1:], **s.step.attrs)
        return found

    at = known(s, s.shape(out), find)
    return [call(s, "taken", s.size(out), at, x, out)]


@integers.entry("kernel where")
def _chosen_integers(s: Look) -> list[Lowered] | None:
    (condition, x, y), out = s.given, s.step.result
    if not s.rows(condition, kind="bool") or not s.rows(x, y, out, kind="int64"):
        return None
    n, single = s.size(out), [s.size(z) == 1 for z in (x, y)]
    fit = [s.shape(z) == s.shape(out) for z in (condition, x, y)]
    if not fit[0] or not all(a or b for a, b in zip(single, fit[1:], strict=True)):
        return None
    return [call(s, "chosen_integers", n, *single, condition, x, y, out)]


@integers.entry("kernel sum", "method sum")
def _sum_of_integers(s: Look) -> list[Lowered] | None:
    """Of truths, too: how many are true."""
    x, out = s.given[0], s.step.result
    dim = s.given[1] if len(s.given) > 1 else s.attr("dim")
    if type(x) is not Ref or not s.rows(out, kind="int64"):
        return None
    kind = s.program.values[x.number].dtype
    if kind.kind not in "biu" or not s.lies_in_rows(x):
        return None
    body, whole = Body(s), x
    if kind != I64:
        whole = body.each("x", s.shape(x), Ref(new(s.program, s.shape(x), out.number)), x=x)
    sizes, whole = _reduced(body, whole, dim)
    return [*body.done, call(s, "sum_of_integers", *sizes, whole, out)]


def _reduced(body: Body, x: Ref, dim: Operand) -> tuple[list[int], Ref]:
    """The sizes before, in and after what a reduction goes over, and x, moved where that is more
    than one dimension."""
    shape = body.s.shape(x)
    dims = [d % len(shape) for d in dim] if type(dim) is tuple else None
    if dims is None or len(dims) == 1:
        return around(shape, dims[0] if dims else dim), x
    rest = [i for i in range(len(shape)) if i not in dims]
    n = math.prod(shape[i] for i in dims)
    return [math.prod(shape) // n, n, 1], body.moved(x, [*rest, *dims])


@integers.entry("kernel cast", "method astype")
def _cast(s: Look) -> list[Lowered] | None:
    """To fewer: numbers as truths, and as integers."""
    x, out = s.given[0], s.step.result
    if type(x) is not Ref:
        return None
    own, kind = (s.program.values[y.number].dtype for y in (x, out))
    if kind.name == "bool" and own.kind in "fiu":
        return [Each(s.step, out.number, "x != 0", {"x": x})]
    if own.kind not in "fiu" or kind.kind not in "iu":
        return None
    if own.kind == "f" and not s.rows(x):
        return None
    body = Body(s)
    if own.kind == "f" and kind != I64:
        whole = places(s, s.shape(x))
        body.done.append(call(s, "integers_of", s.size(x), x, whole, makes=whole))
        x = body.seen(whole, s.shape(x))
    elif own.kind == "f":
        return [call(s, "integers_of", s.size(x), x, out)] if s.rows(out, kind="int64") else None
    return [*body.done, Each(s.step, out.number, "x", {"x": x})]


QUOTIENTS = {"div_floor": "floor_divide", "floordiv": "floor_divide", "mod": "remainder"}


@integers.entry("kernel floor_divide", "kernel div_trunc", "kernel div_floor", "kernel remainder",
                "operator floordiv", "operator mod")
def _quotient(s: Look) -> list[Lowered] | None:
    """By what is not 0: that is asked first, if it is not known."""
    (x, y), out = s.given, s.step.result
    known = {z.number for z in (x, y) if type(z) is Ref}
    if {s.program.values[n].dtype for n in known | {out.number}} != {I64}:
        return None
    done: list[Lowered] = []
    if not is_not_0(s.program, y):
        if type(y) is not Ref or not s.rows(y, kind="int64"):
            return None
        done.append(Call(s.step, "no_zeros", [s.size(y), y], [], [], 2))
    name = QUOTIENTS.get(s.step.name, s.step.name)
    return [*done, Each(s.step, out.number, f"{name}(x, y)", {"x": x, "y": y})]


@integers.entry(*(f"kernel {name}" for name in (
    "pow gcd bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift "
    "bitwise_right_shift").split()))  # fmt: skip
def _bits(s: Look) -> list[Lowered] | None:
    """And powers: operations on whole numbers that floats do not have, or not so."""
    used, out = dict(zip("xy", map(plain, s.given), strict=False)), s.step.result
    refs = [x for x in used.values() if type(x) is Ref]
    kind = s.program.values[out.number].dtype
    if kind.kind not in "iu" or any(s.program.values[x.number].dtype != kind for x in refs):
        return None
    if any(type(x) not in (int, Ref) for x in used.values()) or len(used) != len(s.given):
        return None
    if np.broadcast_shapes(*map(s.shape, refs)) != s.shape(out):
        return None
    return [Each(s.step, out.number, f"{s.step.name}({', '.join(used)})", used)]


@integers.entry("kernel matmul", "operator matmul")
def _product(s: Look) -> list[Lowered] | None:
    (x, y), out = s.given, s.step.result
    if type(x) is not Ref or type(y) is not Ref or not s.rows(x, y, out, kind="int64"):
        return None
    a, b = s.shape(x), s.shape(y)
    a, b = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
    if a[:-2] != b[:-2]:
        return None
    sizes = math.prod(a[:-2]), *a[-2:], b[-1]
    return [s.call("product_of_integers", *sizes, x, y, out)]


@integers.entry("numpy bincount")
def _bincount(s: Look) -> list[Lowered] | None:
    (x, weight, least), out = s.given, s.step.result
    if not s.rows(x, kind="int64") or not s.lies_in_rows(out):
        return None
    sizes, makes = [s.size(x), s.size(out), s.size(out) > least], [out.number]
    if weight is None:
        return [Call(s.step, "bincount", [*sizes, x, out], makes, [], 2)]
    if not s.rows(weight):
        return None
    body = Body(s)
    double = Ref(new(s.program, s.shape(weight), out.number))
    given = [*sizes, x, body.each("x", s.shape(weight), double, x=weight), out]
    return [*body.done, Call(s.step, "weighted_bincount", given, makes, [], 2)]


@integers.entry("suppose suppose")
def _suppose(s: Look) -> list[Lowered] | None:
    """Whole numbers, such as lengths, that shapes follow from: are they what they were?"""
    x, was = s.given[0], s.given[1]
    if type(was) is not bytes or not s.rows(x, kind="int64"):
        return None
    same = known(s, s.shape(x), lambda: np.frombuffer(was, I64))
    return [Call(s.step, "same_integers", [s.size(x), x, same], [], [], 2)]


@integers.entry("whole isin")
def _isin(s: Look) -> list[Lowered] | None:
    (x, among), out = s.given, s.step.result
    if not (s.rows(x, among) or s.rows(x, among, kind="int64")) or not s.rows(out, kind="bool"):
        return None
    sizes = s.size(x), s.size(among), s.attr("invert")
    return [s.call("is_among", *sizes, x, among, out)]


@integers.entry("whole index_fill")
def _index_fill(s: Look) -> list[Lowered] | None:
    """Which places an index names."""
    index, out = s.given[0], s.step.result
    if not s.rows(index, kind="int64") or not s.rows(out, kind="bool"):
        return None
    return [s.call("places_named", s.size(index), s.attr("n"), index, out)]


@integers.entry("whole histc")
def _histc(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not s.rows(x, out):
        return None
    limits = [float(v) for v in s.attr("limits") or (0, 0)]
    given = [s.size(x), s.attr("bins"), *limits, x, out]
    return [Call(s.step, "histogram", given, [out.number], [], 2)]


@integers.entry("numpy all", "numpy any", "method all", "method any")
def _truths(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    dim = s.given[1] if len(s.given) > 1 else s.attr("axis")
    if len(s.given) > 2 or not s.rows(out, kind="bool"):
        return None
    if not s.lies_in_rows(x):
        return None
    body, every = Body(s), s.step.name == "all"
    if s.program.values[x.number].dtype != "bool":
        x = body.each("x != 0", s.shape(x), Ref(new(s.program, s.shape(x), out.number)), x=x)
    sizes, x = _reduced(body, x, dim)
    return [*body.done, call(s, "truths", *sizes, every, x, out)]


# ---- what is made of nothing ---------------------------------------------------------------------
@integers.entry("kernel spaced", "kernel arange", "kernel eye")
def _made(s: Look) -> list[Lowered] | None:
    """Numbers that only settings say; a copy, as they may be written to."""
    out = s.step.result
    if next(s.step.reads(), None) is not None or not s.rows(out):
        return None
    n = new(s.program, s.shape(out), out.number)
    s.program.later[n] = lambda: np.asarray(s.step.function(*s.given, **s.step.attrs))
    return [Each(s.step, out.number, "x", {"x": Ref(n)})]


@integers.entry("numpy full_like")
def _filled(s: Look) -> list[Lowered] | None:
    """With integers that are exact as floats."""
    value = s.given[1]
    if s.step.attrs or len(s.given) != 2 or type(value) not in (int, float):
        return None
    if s.program.values[s.step.result.number].dtype.kind != "f" and abs(value) > 2**53:
        return None
    return [Copy(s.step, s.step.result.number, float(value), [])]


# ---- tables of embeddings ------------------------------------------------------------------------
@integers.entry("whole shorten")
def _shorten(s: Look) -> list[Lowered] | None:
    table, index = s.given
    if not s.rows(table) or not s.rows(index, kind="int64"):
        return None
    sizes = [s.size(index), s.shape(table)[-1], float(s.attr("max_norm"))]
    given = [*sizes, float(s.attr("norm_type")), index, table]
    return [Call(s.step, "shorten", given, [], [table.number])]


@integers.entry("whole share_of_row")
def _share_of_row(s: Look) -> list[Lowered] | None:
    (index,), out = s.given, s.step.result
    if not s.rows(index, kind="int64") or not s.rows(out):
        return None
    return [call(s, "share_of_row", s.size(index), index, out)]


@integers.entry("vjp scale_gradient_vjp0")
def _scaled(s: Look) -> list[Lowered] | None:
    g, share, out = s.given[0], s.given[-1], s.step.result
    if not s.floats(g, share, out):
        return None
    return [Each(s.step, out.number, "x * y", {"x": g, "y": share})]


@integers.entry("whole largest_of_bags")
def _largest_of_bags(s: Look) -> list[Lowered] | None:
    (x, bag), (best, empty) = s.given, s.step.result
    if not s.rows(x) or not s.rows(bag, best, kind="int64") or not s.rows(empty, kind="bool"):
        return None
    sizes = [*s.shape(x), s.attr("bags")]
    return [s.call("largest_of_bags", *sizes, x, bag, best, empty)]
