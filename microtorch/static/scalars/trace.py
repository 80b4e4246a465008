"""A step of Scalars as a list: what was computed, in the order in which it was.

An operand says where its number is found:

    ("p", i)    input i, a Scalar that was there before: its data
    ("h", i)    its gradient, as it was before
    ("v", t)    the result of instruction t
    ("c", x)    the number x

``backward`` is one instruction. It walks the instructions before it from the newest to the oldest,
as engine/backward.py walks their nodes, and ``flows`` says where gradient goes. ``Trace.run`` does
just that: it is the interpreter, and what all else is compared with.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ...engine.registry import REGISTRY
from ...graph import Site

if TYPE_CHECKING:
    from types import CodeType

    from ...base.types import Operand

Where: TypeAlias = "tuple[str, float]"  # the second is a place, or the number itself


class Instruction(NamedTuple):
    """One number that is computed, kept, or walked back from. ``name``: of an op, or

    "copy"                   of a number, so that it has a gradient of its own
    "backward"               from operand 0, with gradient ``attrs``; ``place`` is its number
    "grad"                   the gradient of operand 0 in backward ``place``, added to operand 1
    "data=", "grad=", "out"  keep the operand: as data or gradient of input ``place``, or to return
    """

    name: str
    attrs: tuple[tuple[str, float], ...]
    operands: tuple[Where, ...]
    flows: tuple[tuple[int, ...], ...] = ()  # per operand: in which backwards it gets gradient
    site: tuple[CodeType | None, int] = (None, 0)
    place: int = -1

    @property
    def makes(self) -> bool:
        """Has it a result?"""
        return self.name not in ("backward", "data=", "grad=", "out")


class Kept(NamedTuple):
    """What a run leaves: data and gradients by the place of their input, and what is returned."""

    data: dict[int, float]
    grads: dict[int, float]
    out: dict[int, float]


class Trace:
    """The instructions of one run, and which of its numbers are inputs."""

    def __init__(self, name: str, inputs: int):
        self.name, self.inputs = name, inputs
        self.instructions: list[Instruction] = []

    def add(self, *given: Operand) -> Where:
        """One more instruction; where its result is found."""
        self.instructions.append(Instruction(*given))
        return ("v", len(self.instructions) - 1)

    def run(self, data: Sequence[float], grads: Sequence[float]) -> Kept:
        """The instructions, one after the other, on inputs with these data and gradients."""
        values: list[float] = [0.0] * len(self.instructions)
        found: dict[str, Sequence[float]] = {"p": data, "h": grads, "v": values}
        walked: list[dict[Where, float]] = []
        kept = Kept({}, {}, {})
        to = {"data=": kept.data, "grad=": kept.grads, "out": kept.out}

        def number(x: Where) -> float:
            return x[1] if x[0] == "c" else found[x[0]][int(x[1])]

        for t, i in enumerate(self.instructions):
            if i.name == "backward":
                walked.append(self.walk(i.place, t, number))
            elif i.name == "grad":
                g = walked[i.place][i.operands[0]]
                values[t] = number(i.operands[1]) + g if len(i.operands) > 1 else g
            elif i.name in to:
                to[i.name][i.place] = number(i.operands[0])
            elif i.name == "copy":
                values[t] = number(i.operands[0])
            else:
                values[t] = REGISTRY[i.name].scalar(*map(number, i.operands), **dict(i.attrs))
        return kept

    def walk(self, k: int, end: int, number: Operand) -> dict[Where, float]:
        """Backward number k, which stands at ``end``: the gradients that it finds."""
        root = self.instructions[end]
        grads: dict[Where, float] = {root.operands[0]: root.attrs[0][1]}
        for t in reversed(range(end)):
            i = self.instructions[t]
            if not any(k in flow for flow in i.flows):
                continue
            g = grads[("v", t)]
            values, out = [*map(number, i.operands)], number(("v", t))
            for j, (x, flow) in enumerate(zip(i.operands, i.flows, strict=True)):
                if k in flow:
                    d = g
                    if i.name != "copy":
                        vjp = REGISTRY[i.name].scalar_derivatives[j]
                        d = vjp(None, g, out, *values, **dict(i.attrs))
                    grads[x] = grads[x] + d if x in grads else d
        return grads


def difference(a: Trace, b: Trace) -> str:
    """Where two recordings of one step differ, or ""."""
    for i, j in zip(a.instructions, b.instructions, strict=False):
        # NaN is another number than itself; Python may change how it counts in a line
        if i != j and repr(i._replace(site=j.site)) != repr(j):
            code, lasti = i.site
            where = "" if code is None else f", at {Site.of(code, lasti)}"
            if i.name != j.name:
                return f"two calls differ: {i.name}, and then {j.name}{where}"
            return f"two calls differ in a number that they give to {i.name}{where}"
    if len(a.instructions) != len(b.instructions) or a.inputs != b.inputs:
        return "two calls differ in length"
    return ""
