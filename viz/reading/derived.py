"""Which nodes of a graph are a derivative that the program asked for.

``torch.autograd.grad(l, x, create_graph=True)`` records the derivative as a graph of its own, and
all its nodes stand at this call. They get a frame, as those of a module do: the first order is the
graph beside it, and to step through the result is to go through the second.
"""

from __future__ import annotations

import ast

from microtorch.graph import Site

from .source import Source, text
from .trace import ModuleCall, Trace

CALLS = frozenset({
    "grad", "backward", "vjp", "jvp", "jacobian", "hessian", "hvp", "vhp", "jacrev", "jacfwd",
    "grad_and_value",
})  # fmt: skip
KIND = "derivative"


def call(index: Source, site: Site) -> str:
    """``torch.autograd.grad(l, x)``, if that is what stands at ``site``; else nothing."""
    expression = index.expression(site)
    if not isinstance(expression, ast.Call):
        return ""
    inner = expression.func
    name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
    if name not in CALLS:
        return ""
    made = ", ".join(ast.unparse(a) for a in expression.args[:2])
    if not expression.args and isinstance(inner, ast.Attribute):
        made, name = "", f"{text(inner.value)}.{name}".lstrip(".")
    return f"{name}({made})" if len(made) <= 40 else f"{name}(…)"


def add_frames(trace: Trace, calls: dict[int, str]) -> None:
    """A frame around the nodes of each such call; ``calls``: place of the source -> its text."""
    frames: dict[tuple[int, int | None], int] = {}
    for t in trace.nodes:
        said = calls.get(t.place, "") if t.place is not None and t.op else ""
        if said:
            key = (t.place or 0, t.module)
            if key not in frames:
                frames[key] = len(trace.modules)
                made = ModuleCall(len(trace.modules), t.module, said, KIND, KIND, False)
                trace.modules.append(made)
            t.module = frames[key]
