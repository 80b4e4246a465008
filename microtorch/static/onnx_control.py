"""ONNX's operations that hold graphs: If, Loop, Scan. They choose and repeat in Python.

A row of ``CONTROL`` is given the values that are known where the node stands, and then the node's
operands; its graphs (onnx_graph.Body) see those values, too.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..create.data import tensor
from ..create.filled import zeros
from ..ops.join import stack
from ..ops.surface import FUNCTIONS
from .onnx_ops import ints, refused

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..handles.tensor import Tensor
    from .onnx_graph import Body
    from .onnx_ops import Function

    Values = dict[str, Operand]


def choose(values: Values, cond: Tensor, *, then_branch: Body, else_branch: Body) -> Operand:
    """If: the outputs of one of two graphs."""
    return (then_branch if bool(cond) else else_branch).run(values)


def loop(
    values: Values, most: Tensor | None, cond: Tensor | None, *carried: Operand, body: Body
) -> Operand:
    """Loop: while the condition holds, and at most so many times. Results: what is carried from
    round to round, and then what each round gives, one below the other."""
    rounds = math.inf if most is None else int(most)
    going = cond is None or bool(cond)
    state: list[Operand] = [*carried]
    found: list[list[Operand]] = []
    i = 0
    while going and i < rounds:
        again, *rest = body.run(values, tensor(i), tensor(True), *state)
        state, made = rest[: len(carried)], rest[len(carried) :]
        found.append(made)
        going, i = bool(again), i + 1
    return [*state, *_stacked(found, body, 1 + len(carried), [0] * len(body.outputs))]


def scan(
    values: Values, *operands: Operand, body: Body, num_scan_inputs: int,
    scan_input_axes: Operand = None, scan_output_axes: Operand = None,
    scan_input_directions: Operand = None, scan_output_directions: Operand = None, opset: int,
) -> Operand:  # fmt: skip
    """Scan: a graph for each slice of the last operands; the first are carried on."""
    if opset < 9:
        raise refused("Scan before version 9")
    n = len(operands) - num_scan_inputs
    state, given = [*operands[:n]], operands[n:]
    axes = ints(scan_input_axes or [0] * len(given))
    ways = ints(scan_input_directions or [0] * len(given))
    slices = [x.unbind(a)[:: -1 if back else 1] for x, a, back in
              zip(given, axes, ways, strict=True)]  # fmt: skip
    found: list[list[Operand]] = []
    for parts in zip(*slices, strict=True):
        made = body.run(values, *state, *parts)
        state = made[:n]
        found.append(made[n:])
    many = len(body.outputs) - n
    out = _stacked(found, body, n, ints(scan_output_axes or [0] * many))
    ways = ints(scan_output_directions or [0] * many)
    axes = ints(scan_output_axes or [0] * many)
    turned = [FUNCTIONS["flip"](x, (a,)) if back else x for x, a, back in
              zip(out, axes, ways, strict=True)]  # fmt: skip
    return [*state, *turned]


def _stacked(found: list[list[Operand]], body: Body, first: int, axes: list[int]) -> list[Tensor]:
    """What the rounds gave, each output as one tensor; of no rounds an empty one."""
    if not found:
        return [zeros((0, *shape), dtype=d) for shape, d in body.kinds[first:]]
    return [stack(list(x), a) for x, a in zip(zip(*found, strict=True), axes, strict=False)]


# the function, the attributes with a graph, and the others
CONTROL: dict[str, tuple[Function, tuple[str, ...], tuple[str, ...]]] = {
    "If": (choose, ("then_branch", "else_branch"), ()),
    "Loop": (loop, ("body",), ()),
    "Scan": (scan, ("body",), (
        "num_scan_inputs", "scan_input_axes", "scan_output_axes", "scan_input_directions",
        "scan_output_directions")),
}  # fmt: skip
