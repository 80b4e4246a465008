"""A spelled-out op as a straight program of scalar ops, which can be run again on other values.

A page recomputes tensor ops with it: "what if w[1, 0] were 2?" Not every spelling can be used. A
maximum, a sort or a random mask decides by the values of the moment, and the spelling keeps only
what was decided. So each program is tried on other inputs, beside the op's own kernel, and is
``steady`` only if both agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from microtorch.backends.reference import Reference
from microtorch.engine.registry import REGISTRY
from microtorch.notation import formulas
from microtorch.ops.order import PICKS

from .arithmetic import Arithmetic, Program

CLOSE = 1e-9  # relative to the largest result


def program(a: Arithmetic) -> Program | None:
    """The program of the result's cells; None where an op has no formula."""
    below: set[int] = set()
    for cell in a.result.cells:
        if cell not in below:
            below |= a.below(cell)
    given = {
        cell: (p, k)
        for p, x in enumerate(a.operands)
        for k, cell in zip(x.at, x.cells, strict=True)
    }
    made = sorted(k for k in below if a.ops[k] and k not in given)
    if any(a.ops[k] not in formulas.TABLE for k in made):
        return None
    constants = sorted(k for k in below if not a.ops[k] and k not in given)
    slot = {cell: n for n, cell in enumerate([*given, *constants, *made])}
    ops = [(a.ops[k], [slot[j] for j in a.inputs[k]]) for k in made]
    return Program(
        list(given.values()), [a.values[k] for k in constants], ops,
        [slot[k] for k in a.result.cells],
    )  # fmt: skip


def steady(a: Arithmetic, arrays: Sequence[np.ndarray], attrs: Mapping[str, object]) -> bool:
    """Does the program of this op compute what the op does, whatever the values?"""
    found = program(a)
    kernel = getattr(Reference(), a.op, None)
    if found is None or kernel is None or not a.whole or chosen(a.op):
        return False
    draw = np.random.default_rng(len(found.ops))
    static = numbers_of(attrs)
    for trial in range(3):
        inputs = [_drawn(draw, x, trial) if x.dtype.kind == "f" else x for x in arrays]
        with np.errstate(all="ignore"):
            try:
                known = {k: v for k, v in attrs.items() if k != "dtype"}
                wanted = np.array(kernel(*inputs, **known), np.float64).ravel()
                values = [x.astype(np.float64).ravel().tolist() for x in inputs]
                got = np.array(found.run(values, static), float)
            except Exception:  # an op that these values do not suit: it is not recomputed
                return False
        size = float(np.max(np.abs(wanted), initial=1.0, where=np.isfinite(wanted)))
        if not np.allclose(got, wanted, rtol=0, atol=CLOSE * size, equal_nan=True):
            return False
    return True


def registered(op: str) -> bool:
    """Is it an op of the engine, and no Function in Python?"""
    return op in REGISTRY


def chosen(op: str) -> bool:
    """Does the op read places that its values have chosen before it was recorded?

    Its program is the same whatever the values, but those places would be others.
    """
    return op in PICKS or "max_pool" in op


def _drawn(draw: np.random.Generator, x: np.ndarray, trial: int) -> np.ndarray:
    """Other values of one sign or of both, 0-d arrays as they are: those are often constants."""
    if x.ndim == 0:
        return x.astype(float)
    v = np.asarray(draw.standard_normal(x.shape))
    return np.abs(v) + 0.1 if trial == 0 else v


def numbers_of(attrs: Mapping[str, object]) -> dict[str, float]:
    """The static arguments that are numbers."""
    out = {}
    for k, v in attrs.items():
        if isinstance(v, (int, float)) and math.isfinite(v):
            out[k] = float(v)
    return out
