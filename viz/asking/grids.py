"""The zoom of the stepper's page: for every small tensor op, each cell's own arithmetic, ready to be walked through.

``viz.expand`` runs an op's kernel on Scalars once; here all cells of that one run are read off: for each element of the
output the sum that made it, for each element of an input the sum that is its gradient, and which cells take part.
Ops that are large are left out, since a page must stay small and be made in a moment; Python can still expand them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microtorch import autograd, errors
from microtorch.graph import in_order

from ..reading import measure as replay
from ..reading.trace import FULL, Trace
from ..telling import writing
from ..telling.steps import display_names
from .zooming import Operand, Zoom

MOST = 1_500  # multiplications of an op that is spelled out
TOTAL = 6_000  # of all ops of a page


def grids(trace: Trace) -> dict[int, Any]:
    """Per op node: {"ins": operands, "f": per output cell [lines, reads], "b": {position: per input cell [lines, reads]}}.

    Cells are numbered in row-major order; ``reads`` lists, per operand and last for the gradient of the output, the
    cells that take part.
    """
    ops = [t for t in trace.nodes if t.op and (t.shape or any(trace.nodes[j].shape for j in t.inputs))]
    if not ops:
        return {}
    known = replay.values(trace._graph, trace._root_value)
    gradients = replay.Replay(trace._graph, known).gradients
    names = display_names(trace)
    out, left = {}, TOTAL
    for t in reversed(ops):  # what is nearest to the result first
        if any(known[j] is None for j in (t.id, *t.inputs)):
            continue
        work = _work(t.op, np.shape(known[t.id]), [np.shape(known[j]) for j in t.inputs])
        if work > min(MOST, left):
            continue
        left -= work
        g = gradients.get(t.id)
        try:
            z = Zoom(trace, t.id, known, g if not isinstance(g, dict) else None, None, None, names[trace.root])
        except errors.GraphError:  # an op without a kernel on Scalars
            continue
        if z.whole or z.output.values.size == 1:
            out[t.id] = _cells(z)
    return out


def _work(op: str, shape: tuple[int, ...], inputs: list[tuple[int, ...]]) -> int:
    size = int(np.prod(shape))
    inner = 1
    if op in ("matmul", "linear"):
        inner = inputs[0][-1] if inputs[0] else 1
    elif op.startswith("conv"):
        inner = int(np.prod(inputs[1][1:]))
    sizes = [size, *(int(np.prod(s)) for s in inputs)]
    return 10 * MOST if max(sizes) > FULL else max(size * inner, *sizes)


def _cells(z: Zoom) -> dict[str, Any]:
    forward = [
        [_lines(z.output.called(place), cell), _reads(z, cell)]
        for place, cell in zip(np.ndindex(z.output.values.shape), z.output.cells.reshape(-1), strict=True)  # type: ignore[union-attr]
    ]
    back: dict[int, Any] = {}
    for position, x in enumerate(z.inputs):
        if x.needs and x.cells is not None and z._sum is not None:
            back[position] = _gradients(z, x)
    return {"ins": [x.name for x in z.inputs], "f": forward, "b": back}


def _gradients(z: Zoom, x: Operand) -> list[Any]:
    leaves = [c for _, c in x.each()]
    found = autograd.grad([z._sum], leaves, create_graph=True, allow_unused=True)
    plus = "+" if x.uses > 1 else ""
    out = []
    for (place, _), d in zip(x.each(), found, strict=True):
        left = f"∂{z.loss}/∂{x.called(place)}"
        if d is None:
            out.append([[f"{left} = 0: no gradient comes back"], []])
        else:
            out.append([_lines(left, d, plus, newest_first=True), _reads(z, d)])
    return out


def _lines(*what: Any, **how: Any) -> list[str]:
    return [line.strip() for line in writing.equation(*what, **how)]


def _reads(z: Zoom, root: Any) -> list[list[int]]:
    """The cells of each operand, and of the output's gradient, that an expression is made of."""
    nodes = set(in_order([root], constants=True))
    out = [[k for k, (_, c) in enumerate(x.each()) if c in nodes] for x in z.inputs]
    shape = z.output.values.shape
    return [*out, [int(np.ravel_multi_index(p, shape)) if p else 0 for p, c in z.seeds.items() if c in nodes]]
