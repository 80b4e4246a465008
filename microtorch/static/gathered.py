"""Bags of rows, windows of changing size, and others that are C in exported programs: a table.

It is like that of calls.py. Where there is Python, the kernels of these are as good.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .look import Look, Table
from .statements import Call, Copy
from .templates import Ref

if TYPE_CHECKING:
    from .statements import Lowered

gathered = Table()


@gathered.entry("kernel empty")
def _empty(s: Look) -> list[Lowered] | None:
    return [Copy(s.step, s.step.result.number, 0.0, [])] if s.alone else None


@gathered.entry("kernel check_chances")
def _check_chances(s: Look) -> list[Lowered] | None:
    (p,) = s.given
    if not s.alone or not s.rows(p):
        return None
    return [Call(s.step, "chances", [s.size(p), p], [], [], 2)]


@gathered.entry("whole bags")
def _bags(s: Look) -> list[Lowered] | None:
    index, starts = s.given[:2]
    bag, counts = s.step.result
    if not s.alone or not s.rows(index, starts, bag, kind="int64") or not s.rows(counts):
        return None
    last, padding = bool(s.attr("include_last")), s.attr("padding")
    sizes = [s.size(index), s.size(counts), last, padding is not None, padding or 0]
    return [s.call("bags", *sizes, index, starts, bag, counts)]


@gathered.entry("kernel embedding_sum", "vjp embedding_sum_vjp0")
def _embedding_sum(s: Look) -> list[Lowered] | None:
    vjp, out = s.step.kind == "vjp", s.step.result
    x, index = s.given[0], s.given[3 if vjp else 1]
    if not s.alone or s.attr("padding") is not None or not s.rows(x, out):
        return None
    if type(index) is not Ref or not s.rows(index, kind="int64"):
        return None
    n = s.shape(x)[-1]
    if vjp:
        return [s.call("embedding", s.size(index), n, x, index, out)]
    return [s.call("embedding_vjp0", s.size(index), s.attr("rows"), n, -1, x, index, out)]
