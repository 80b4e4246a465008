"""Which nodes of a graph are a derivative that the program asked for.

``torch.autograd.grad(l, x, create_graph=True)`` records the derivative as a graph of its own, and
all its nodes stand at this call. They get a frame, as those of a module do: the first order is the
graph beside it, and to step through the result is to go through the second.
"""

from __future__ import annotations

import ast

from microtorch.graph import Site

from .source import Source, text
from .trace import ModuleCall, Trace, TraceNode

CALLS = frozenset({
    "grad", "backward", "vjp", "jvp", "jacobian", "hessian", "hvp", "vhp", "jacrev", "jacfwd",
    "grad_and_value",
})  # fmt: skip
SWEEPS = frozenset({"grad", "backward"})
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
    """A frame around the nodes of each such call; ``calls``: place of the source -> its text.

    A sweep back makes its nodes in one go. What other calls run in between is theirs, too: a frame
    that a path leaves and enters again could only be drawn with arrows against the order.
    """
    places: dict[int | None, set[int | None]] = {}  # of the ops of each module
    for t in trace.nodes:
        if t.op:
            places.setdefault(t.module, set()).add(t.place)
    frames: dict[tuple[int, int | None], int] = {}
    members: dict[int, list[TraceNode]] = {}
    before: int | None = None  # the frame of the op before this one
    for t in trace.nodes:
        said = calls.get(t.place, "") if t.place is not None and t.op else ""
        sweep = said.partition("(")[0] in SWEEPS
        if said and not sweep and t.module is not None and len(places[t.module]) == 1:
            continue  # the call calls the module, as in jvp(net, ...), whose frame it is
        if said:
            key = (t.place or 0, t.module)
            if key not in frames or (sweep and frames[key] != before):
                frames[key] = len(trace.modules)
                made = ModuleCall(len(trace.modules), t.module, said, KIND, KIND, False)
                trace.modules.append(made)
            members.setdefault(frames[key], []).append(t)
        if t.op:
            before = frames[key] if said else None
    for frame, own in members.items():
        outer = trace.modules[frame].parent
        inner = _between(trace, {t.id for t in own})
        if all(t.module == outer for t in inner):
            for t in (*own, *inner):
                t.module = frame


def _between(trace: Trace, own: set[int]) -> list[TraceNode]:
    """The other nodes on the ways from one of ``own`` to another."""
    after, found = set(own), []
    for t in trace.nodes[min(own) :]:
        if not after.isdisjoint(t.inputs):
            after.add(t.id)
    needed = {i for t in own for i in trace.nodes[t].inputs}
    for t in reversed(trace.nodes[min(own) : max(own)]):
        if t.id in needed and t.id in after:
            needed.update(t.inputs)
            if t.id not in own:
                found.append(t)
    return found
