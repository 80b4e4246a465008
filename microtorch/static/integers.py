"""Integers and truths, what is made of nothing, and tables of embeddings, of exported programs.

``integers`` is a table like that of calls.py.
"""
from __future__ import annotations

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
    from ..base.types import Array

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
    dim = dim[0] if type(dim) is tuple and len(dim) == 1 else dim
    kind = s.program.values[x.number].dtype
    if kind.kind not in "biu" or type(dim) not in (int, type(None)) or not s.rows(
        x, kind=kind.name
    ):  # fmt: skip
        return None
    body, whole = Body(s), x
    if kind != I64:
        whole = Ref(new(s.program, s.shape(x), out.number))
        body.done.append(Each(s.step, whole.number, "x", {"x": x}))
    return [*body.done, call(s, "sum_of_integers", *around(s.shape(x), dim), whole, out)]


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


@integers.entry("numpy all", "numpy any", "method all", "method any")
def _truths(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    dim = s.given[1] if len(s.given) > 1 else s.attr("axis")
    dim = dim[0] if type(dim) is tuple and len(dim) == 1 else dim
    if not s.rows(x, out, kind="bool") or type(dim) not in (int, type(None)) or len(s.given) > 2:
        return None
    every = s.step.name == "all"
    return [call(s, "truths", *around(s.shape(x), dim), every, x, out)]


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
    """With integers, as floats are exact there."""
    value = s.given[1]
    if s.step.attrs or len(s.given) != 2 or type(value) is not int or abs(value) > 2**53:
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
