"""The C loop of a step: what the C core runs for an op, and for its derivative.

A trace names ops and dtypes; the text is the library's (``microtorch.backends.core.source``).
"""

from __future__ import annotations

import re
from functools import cache

from microtorch.arrays.dtypes import F32, F64
from microtorch.backends import core
from microtorch.backends.core import texts
from microtorch.backends.core.choice import MULTIPLICATIONS
from microtorch.engine.registry import REGISTRY
from microtorch.notation import formulas

from .trace import Contribution, Step, Trace

COMPILED = ("Replayed", "compiled")  # the nodes of a program's results
FOR = r"\s+(?:\w+ )?for \(.*[^\\]$"  # also after EACH_BY_ITSELF or UNROLL, but not in a macro
DTYPES = {"float32": F32, "float64": F64}


def loop(trace: Trace, step: Step) -> tuple[str, str]:
    """A line that says what runs when, and the C text; the text is empty where there is none."""
    back = isinstance(step, Contribution)
    t = trace.nodes[step.origin]
    name = f"{t.op}_vjp{step.position}" if isinstance(step, Contribution) else t.op
    if step.kind not in ("op", "contribution"):
        what = "MPI adds the gradients" if step.kind == "reduce" else "nothing is computed"
        return f"{what} in this step", ""
    if t.scalar:
        return "Scalars are numbers of Python: no loop runs", ""
    if t.op in COMPILED:
        return "a compiled function: f.c_source() is its C, and viz.step(f) goes through it", ""
    if not core.is_available():
        return f"numpy runs {name}: {core.reason}", ""
    if t.dtype not in DTYPES:
        why = f"the C core has loops for float32 and float64, and this is {t.dtype}"
        return f"numpy runs {name}: {why}", ""
    if texts.loops(name):
        return _when(name, t.op, t.dtype), _source(name, t.dtype)
    called = _called(t.op, step.position) if isinstance(step, Contribution) else ()
    if called:
        text = "\n".join(_source(c, t.dtype) for c in called)
        return f"this derivative calls {' and '.join(called)}; in C:", text
    numpys = (
        "this derivative: it is made of functions of numpy" if back else f"{t.op}: numpy runs it"
    )
    return f"the C core has no loop of its own for {numpys}", ""


def opening(text: str) -> int:
    """The line of a C text at which the function with the first loop begins.

    Of an op's text only its own part counts, not what it needs "from other files". Where no
    function has a loop there, it is the line of the first function; without one, 0.
    """
    lines = text.partition("/* ==== from other files")[0].splitlines()
    heads = [k for k, line in enumerate(lines) if re.match(r"[A-Za-z].*\(", line)]
    first = next((k for k, line in enumerate(lines) if re.match(FOR, line)), None)
    if first is None:
        return heads[0] if heads else 0
    return max((k for k in heads if k < first), default=0)


@cache
def _source(name: str, dtype: str) -> str:
    """The text of a loop: a long program asks for the same few again and again."""
    return core.source(name, dtype)


def _called(op: str, position: int) -> tuple[str, ...]:
    """The ops with a loop in C that a derivative calls, such as ``F.matmul`` in that of linear."""
    vjps = REGISTRY[op].vjps if op in REGISTRY else ()
    code = getattr(vjps[position], "__code__", None) if position < len(vjps) else None
    names = code.co_names if code else ()
    return tuple(name for name in names if name in REGISTRY and texts.loops(name))


def _when(name: str, op: str, dtype: str) -> str:
    if op in formulas.TABLE:
        value, derivatives = formulas.TABLE[op]
        formula = value if name == op else derivatives[int(name.rpartition("_vjp")[2])] or ""
        least = core.smallest(name, formula, DTYPES[dtype])
        if least is None:
            return f"{name} in C; it is not used: numpy's own is as fast, or faster"
        if least:
            return f"{name} in C, for {least:,} elements and more; numpy runs for fewer"
    if name in ("matmul", "linear"):
        least = MULTIPLICATIONS
        return f"{name} in C, for {least:,} multiplications and more; numpy runs for fewer"
    return f"{name} in C"
