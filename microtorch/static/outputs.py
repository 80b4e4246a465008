"""What a compiled function returns, and the gradient that flows back through it.

A tensor that it returns is a plain value; or a leaf; or "late": ``backward`` will be asked for from
outside, and the program goes on with the steps that it recorded for that; or "done": its graph has
been walked inside the function.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..autograd.function import Function, FunctionCtx, once_differentiable
from ..base.errors import GraphError, message
from ..engine.op import Op
from ..engine.record import constant, fill, handle
from ..graph import mode, user_frame
from ..handles.memory import owner
from ..handles.tensor import Tensor
from .fewer import Fewer
from .loops import Plan, write
from .program import Program, Writer

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Kernel, Operand
    from ..graph import Node
    from .entry import Entry
    from .loops import Loops
    from .recording import Recording


class Output(NamedTuple):
    """A tensor that the function returned when it was recorded; ``number``: its value's."""

    kind: str  # "value", "leaf", "late" or "done"
    number: int
    tensor: Tensor

    @property
    def dev(self) -> Backend:
        """Its backend."""
        dev: Backend = self.tensor.node.dev
        return dev


ONE_BACKWARD = "a compiled function has one backward for all that it returns, which has run"
AT_ONCE = (
    "backward() of the sum of what it returns, or with retain_graph=True for all but the last; or "
    "compile the whole step, or a function for each of them"
)


def _walked(F: Operand, g: Operand, node: Node) -> Operand:
    raise GraphError(
        message(
            "Trying to backward through the graph a second time: backward has run inside the "
            "compiled function",
            fix="call backward() inside it or outside it, not both",
        )
    )


walked_op = Op("compiled", None, joint=_walked, register=False)


def walked(array: Array, dev: Backend) -> Tensor:
    """A tensor that requires gradient, and whose graph was walked inside the program."""
    n = walked_op.node()
    fill(n, (), (), array, dev, None, mode.get().scope, user_frame(sys._getframe(1)))
    return handle(array, n)


class Call(NamedTuple):
    """One call of a program: what its backward will read."""

    late: LateBackward
    values: list[Array]
    outputs: list[Array]
    saved: list[Tensor]


class Replayed(Function):
    """The node of the outputs of a program, whose backward is the rest of the program."""

    @staticmethod
    def forward(ctx: FunctionCtx, call: Call, *leaves: Tensor) -> Operand:
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*call.saved)
        return tuple([constant(a) for a in call.outputs])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Operand:
        call: Call = ctx.call
        try:
            ctx.saved_tensors  # noqa: B018  raises if one was overwritten, or freed
        except GraphError as e:
            raise GraphError(message(str(e).splitlines()[0], ONE_BACKWARD, fix=AT_ONCE)) from None
        seeds = [None if g is None else g.array for g in grads]
        return (None, *[g if g is None else constant(g) for g in call.late(call.values, seeds)])


class LateBackward:
    """The steps of a program from its outputs' gradients to those of its leaves."""

    def __init__(self, program: Program):
        self.program = program
        self.seeds = [x for x in program.leaves if x.kind == "seed"]
        seeds = [x.number for x in self.seeds]
        steps = program.steps[program.split :]
        made = {n for s in steps for n in s.gives()} | set(seeds) | set(program.constants)
        read = {n for s in steps for n in s.reads()} | {
            n for n in program.gradients if n is not None
        }
        self.takes = sorted(read - made)
        self.leaves = [x for x in program.leaves if x.tensor.node.needs and x.kind != "seed"]
        self.saved = [x for x in program.leaves if x.number in self.takes]
        self.function = self.written_out()
        self.fewer: dict[tuple[bool, ...], tuple[Kernel, list[int | None]]] = {}

    def written_out(
        self, plan: Plan | None = None, runners: dict[str, Loops] | None = None,
        fewer: Fewer | None = None,
    ) -> Kernel:  # fmt: skip
        """The steps, or their regions, as a function of values and seeds."""
        p, gradients = self.program, self.program.gradients
        if fewer is not None:
            p, gradients = replace(p, steps=fewer.steps, split=0), fewer.gives
        seeds = [x.number for x in self.seeds]
        w = Writer(p)
        for n, array in p.constants.items():
            w.names[f"v{n}"] = array
        known = {*self.takes, *seeds, *p.constants} - (fewer.absent if fewer else set())
        if plan is None:
            plan = Plan.of_steps(p, p.split, len(p.steps))
        if fewer is None:
            self.plan = plan
        write(w, plan, known, runners or {}, [n for n in gradients if n is not None])
        gives = "".join("None, " if n is None else f"v{n}, " for n in gradients)
        return w.function("backward", [*self.takes, *seeds], f"({gives})",
                          (runners or {}).values())  # fmt: skip

    def __call__(
        self, values: Sequence[Array], seeds: Sequence[Array | None]
    ) -> list[Array | None]:
        """The leaves' gradients. ``seeds``: the outputs' gradients; None: an output has none."""
        there = tuple([s is not None for s in seeds])
        if all(there):
            return [*self.function(*values, *seeds)]
        if there not in self.fewer:
            numbers = [x.number for x in self.seeds]
            absent = {n for n, one in zip(numbers, there, strict=True) if not one}
            fewer = Fewer(self.program, numbers, absent)
            self.fewer[there] = self.written_out(fewer=fewer), fewer.gives
        function, gives = self.fewer[there]
        # C takes zeros, and that is the same where no derivative is infinite
        zeros = [np.zeros(x.array.shape, x.array.dtype) if s is None else s
                 for s, x in zip(seeds, self.seeds, strict=True)]  # fmt: skip
        every = self.function(*values, *zeros)
        found = [None if n is None else g for n, g in zip(gives, every, strict=True)]
        if any(g is not None and not np.isfinite(g).all() for g in found):
            found = [*function(*values, *seeds)]
        return found

    def attach(
        self, entry: Entry, tensors: Sequence[Tensor], given: Sequence[Array]
    ) -> dict[int, Tensor]:
        """The outputs through which gradient flows, by their place. ``given``: what the program
        gives: its outputs and new gradients, and what its backward takes."""
        values = given[len(entry.gives) :]
        numbers = [o.number for o in entry.outputs if o.kind != "leaf"]
        places = [i for i, o in enumerate(entry.outputs) if o.kind == "late"]
        arrays = [given[numbers.index(entry.outputs[i].number)] for i in places]
        # an output may be overwritten by whoever gets it: backward reads a copy
        owners = [owner(a) for a in given[: len(numbers)]]
        kept = [x.copy("K") if any(owner(x) is y for y in owners) else x for x in values]
        saved = [entry.holder(x, tensors) for x in self.saved]
        leaves = [entry.holder(x, tensors) for x in self.leaves]
        made = Replayed.apply(Call(self, kept, arrays, saved), *leaves)
        made = made if isinstance(made, tuple) else (made,)
        return dict(zip(places, made, strict=True))

    def agrees(self, r: Recording, values: Sequence[Array]) -> bool:
        """Does it give what the recorded backward gave, to the bit?"""
        got = self(values, [x.array for x in self.seeds])
        by_number = {x.number: x.value for x in r.arrays.values()}
        for g, n in zip(got, self.program.gradients, strict=True):
            if n is not None and (g is None or g.tobytes() != by_number[n].tobytes()):
                return False
        return True


def late(program: Program) -> LateBackward | None:
    """The backward that follows a program, if one was recorded."""
    return LateBackward(program) if program.gradients else None
