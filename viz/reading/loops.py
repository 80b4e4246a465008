"""The C loop of a step: what the C core runs for an op, and for its derivative (microtorch.backends.core.source)."""

from __future__ import annotations

from typing import Any

from microtorch import formulas
from microtorch.backends import core
from microtorch.backends.core import texts
from microtorch.backends.core.choice import MULTIPLICATIONS
from microtorch.dtypes import F32, F64
from microtorch.ops import REGISTRY

from .trace import Trace

DTYPES = {"float32": F32, "float64": F64}


def loop(trace: Trace, step: dict[str, Any]) -> tuple[str, str]:
    """(a line that says what runs when, the C text) for a step of ``trace.steps``; the text is empty where there is none."""
    back = step["kind"] == "contribution"
    t = trace.nodes[step["from"] if back else step["node"]]
    name = f"{t.op}_vjp{step['position']}" if back else t.op
    if step["kind"] not in ("op", "contribution"):
        return "nothing is computed in this step", ""
    if t.scalar:
        return "Scalars are numbers of Python: no loop runs", ""
    if not core.is_available():
        return f"numpy runs {name}: {core.reason}", ""
    if t.dtype not in DTYPES:
        return f"numpy runs {name}: the C core has loops for float32 and float64, and this is {t.dtype}", ""
    if texts.loops(name):
        return _when(name, t.op, DTYPES[t.dtype]), core.source(name, t.dtype)
    called = _called(t.op, step["position"]) if back else ()
    if called:
        return f"this derivative calls {' and '.join(called)}; in C:", "\n".join(core.source(c, t.dtype) for c in called)
    what = "this derivative: it is made of functions of numpy" if back else f"{t.op}: numpy runs it"
    return f"the C core has no loop of its own for {what}", ""


def _called(op: str, position: int) -> tuple[str, ...]:
    """The ops with a loop in C that the declared derivative of an op calls (``F.matmul`` in that of linear)."""
    vjps = REGISTRY[op].vjps
    code = getattr(vjps[position], "__code__", None) if position < len(vjps) else None
    return tuple(name for name in (code.co_names if code else ()) if name in REGISTRY and texts.loops(name))


def _when(name: str, op: str, dtype: Any) -> str:
    if op in formulas.TABLE:
        value, derivatives = formulas.TABLE[op]
        formula = value if name == op else derivatives[int(name.rpartition("_vjp")[2])]
        least = core.smallest(name, formula, dtype)
        if least is None:
            return f"{name} in C; it is not used: numpy's own is as fast, or faster"
        if least:
            return f"{name} in C, for {least:,} elements and more; numpy runs for fewer"
    if name in ("matmul", "linear"):
        return f"{name} in C, for {MULTIPLICATIONS:,} multiplications and more; numpy runs for fewer"
    return f"{name} in C"
