"""Ops of one element that are no formula, but have formulas for derivatives.

A page computes each with a function of page/special.js. What is not stated here stands in the op's
declaration.
"""

from __future__ import annotations

from microtorch.engine.registry import REGISTRY
from microtorch.ops import special

_STATED: dict[str, tuple[str | None, ...]] = {
    "digamma": ("g * polygamma(1, x)",),
    "copysign": ("where(x == 0, 0, g * (out / where(x == 0, 1, x)))", None),
    "mantissa": ("where(x == 0, g, g * (out / where(x == 0, 1, x)))",),
    "nextafter": ("g", None),
}
SPECIAL: dict[str, tuple[str | None, ...]] = {
    op: _STATED.get(op, tuple(REGISTRY[op].rule))
    for op in (*_STATED, "polygamma", *(n for n, row in special.TABLE.items() if row[1]))
}
ARGUMENTS: dict[str, dict[str, None]] = {"polygamma": {"n": None}}
