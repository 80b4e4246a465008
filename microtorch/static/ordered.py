"""What the order of numbers says, of exported programs: a table like that of calls.py."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .bodies import Body
from .calls import geometry
from .look import Look, Table
from .statements import Each
from .tabled import I64, around, call, places
from .templates import Ref

if TYPE_CHECKING:
    from .statements import Lowered

ordered = Table()


@ordered.entry("kernel running_extreme", "whole mode", "whole nanmedian")
def _along(s: Look) -> list[Lowered] | None:
    """Which element along a dimension it is."""
    x, out = s.given[0], s.step.result
    if not s.numbers(x) or not s.rows(out, kind="int64") or not s.shape(x):
        return None
    if s.step.kind == "whole":
        return [call(s, s.step.name, *around(s.shape(x), s.attr("d")), x, out)]
    dim, smallest = s.given[1:] if len(s.given) == 3 else (s.attr("dim"), s.attr("smallest"))
    return [call(s, "running_extreme", *around(s.shape(x), dim), smallest, x, out)]


@ordered.entry("method min", "method max")
def _extreme(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if len(s.given) > 1 or s.step.attrs or not s.numbers(x, out):
        return None
    return [call(s, "extreme", s.size(x), s.step.name == "min", x, out)]


@ordered.entry(*(f"{kind} {name}{end}" for name in (
    "max min median nanmedian kthvalue topk mode cummax cummin gather sort").split()
    for kind, end in (("kernel", ""), ("vjp", "_vjp0"))))  # fmt: skip
def _of_one(s: Look) -> list[Lowered] | None:
    """What is picked of a single number is that, and so is its gradient."""
    x, out = s.given[0], s.step.result
    if type(out) is not Ref or s.shape(x) or s.shape(out) or not s.floats(x, out):
        return None
    return [Each(s.step, out.number, "x", {"x": x})]


@ordered.entry("kernel median_of_all")
def _median_of_all(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not s.rows(x, out):
        return None
    order, n = places(s, s.shape(x)), s.size(x)
    last = call(s, "median_of_all", n, s.attr("name") == "nanmedian", x, order, out)
    return [call(s, "argsort", 1, n, x, order, makes=order), last]


@ordered.entry("whole searchsorted")
def _searchsorted(s: Look) -> list[Lowered] | None:
    (x, values), out = s.given, s.step.result
    if not s.numbers(x, values) or not s.rows(out, kind="int64") or not s.shape(x):
        return None
    *before, n = s.shape(x)
    rows = math.prod(before)
    right = s.attr("end") == "right"
    return [call(s, "searchsorted", rows, n, s.size(values) // rows, right, x, values, out)]


@ordered.entry("kernel pool_place")
def _pool_place(s: Look) -> list[Lowered] | None:
    (x, largest), out = s.given, s.step.result
    if not s.rows(x, largest) or len(s.shape(x)) != 4:
        return None
    body, made = Body(s), places(s, s.shape(out))
    sizes, rest = geometry(s, s.attr("kernel"), s.shape(out))
    given = [math.prod(s.shape(x)[:2]), *s.shape(x)[2:], *sizes, *s.attr("dilation"), *rest]
    if s.program.values[out.number].dtype == I64:
        return [call(s, "pool_place", *given, x, largest, out)]
    body.done.append(call(s, "pool_place", *given, x, largest, made, makes=made))
    seen: Ref = body.seen(made, s.shape(out))
    return [*body.done, Each(s.step, out.number, "x", {"x": seen})]
