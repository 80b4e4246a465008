"""A step of Scalars as a list: what was computed, in the order in which it was.

An operand says where its number is found:

    ("p", i)    input i, a Scalar that was there before: its data
    ("h", i)    its gradient, as it was before
    ("v", t)    the result of instruction t
    ("c", x)    the number x

``backward`` is one instruction. It walks the instructions before it from the newest to the oldest,
as engine/backward.py walks their nodes, and ``flows`` says where gradient goes. The interpreter
does just that, and is what all else is compared with.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import add
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ...engine.registry import REGISTRY
from ...graph import Site

if TYPE_CHECKING:
    from types import CodeType

    from ...base.types import Kernel, Operand

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
        self.interpreter: Interpreter | None = None

    def add(self, *given: Operand) -> Where:
        """One more instruction; where its result is found."""
        self.instructions.append(Instruction(*given))
        return ("v", len(self.instructions) - 1)

    def run(self, data: Sequence[float], grads: Sequence[float]) -> Kept:
        """The instructions, one after the other, on inputs with these data and gradients."""
        if self.interpreter is None:
            self.interpreter = Interpreter(self)
        return self.interpreter.run(data, grads)


class Interpreter:
    """A trace as a list of calls: (function, place of its result, places of what it is given).

    All numbers lie in one list: the inputs' data, their gradients, results, constants, and then
    gradients of the walks back as they appear.
    """

    def __init__(self, trace: Trace):
        n = self.inputs = trace.inputs
        self.calls: list[tuple[Kernel, int, tuple[int, ...]]] = []
        self.kept: list[tuple[str, int, int]] = []  # what, of which input or result, its place
        self.numbers: list[float] = [0.0] * (2 * n + len(trace.instructions))
        self.begins = {"p": 0, "h": n, "v": 2 * n}
        self.constants: dict[str, int] = {}
        self.walks: list[dict[Where, int]] = []  # per backward: the places of gradients
        self.known: dict[Operand, tuple[Kernel, Sequence[Kernel | None]]] = {}
        for t, i in enumerate(trace.instructions):
            if i.name == "backward":
                self.walk(trace, t)
                continue
            to, given = 2 * n + t, tuple([self.place(x) for x in i.operands])
            if not i.makes:
                self.kept.append((i.name, i.place, given[0]))
            elif i.name == "copy":
                self.calls.append((same, to, given))
            elif i.name == "grad":
                g = self.walks[i.place][i.operands[0]]
                more = given[1:]
                self.calls.append((add if more else same, to, (*more, g)))
            else:
                self.calls.append((self.functions(i)[0], to, given))

    def place(self, x: Where) -> int:
        """Where a number lies in the list."""
        if x[0] != "c":
            return self.begins[x[0]] + int(x[1])
        key = repr(x[1])
        if key not in self.constants:
            self.constants[key] = self.new(float(x[1]))
        return self.constants[key]

    def new(self, x: float) -> int:
        self.numbers.append(x)
        return len(self.numbers) - 1

    def functions(self, i: Instruction) -> tuple[Kernel, Sequence[Kernel | None]]:
        """An op and its derivatives, as functions of floats."""
        key = (i.name, i.attrs)
        if key not in self.known:
            op, attrs = REGISTRY[i.name], dict(i.attrs)
            value = partial(op.scalar, **attrs) if attrs else op.scalar
            self.known[key] = value, [
                v and partial(v, None, **attrs) for v in op.scalar_derivatives
            ]  # fmt: skip
        return self.known[key]

    def walk(self, trace: Trace, end: int) -> None:
        """The calls of the backward that stands at ``end``."""
        root = trace.instructions[end]
        k, calls = root.place, self.calls
        grads: dict[Where, int] = {root.operands[0]: self.place(("c", root.attrs[0][1]))}
        for t in reversed(range(end)):
            i = trace.instructions[t]
            if not any([k in flow for flow in i.flows]):
                continue
            g, out = grads[("v", t)], 2 * self.inputs + t
            given = (g, out, *[self.place(x) for x in i.operands])
            for j, (x, flow) in enumerate(zip(i.operands, i.flows, strict=True)):
                if k not in flow:
                    continue
                d = g
                if i.name not in ("copy", "add"):
                    vjp = self.functions(i)[1][j]
                    assert vjp is not None  # or no gradient would flow
                    d = self.new(0.0)
                    calls.append((vjp, d, given))
                if x in grads:
                    total = self.new(0.0)
                    calls.append((add, total, (grads[x], d)))
                    d = total
                grads[x] = d
        self.walks.append(grads)

    def run(self, data: Sequence[float], grads: Sequence[float]) -> Kept:
        """What the calls leave."""
        numbers = [*self.numbers]
        numbers[: self.inputs] = data
        numbers[self.inputs : self.inputs + len(grads)] = grads
        for function, to, given in self.calls:
            numbers[to] = function(*[numbers[i] for i in given])
        kept = Kept({}, {}, {})
        places = {"data=": kept.data, "grad=": kept.grads, "out": kept.out}
        for name, place, at in self.kept:
            places[name][place] = numbers[at]
        return kept


def same(x: float) -> float:
    return x


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
