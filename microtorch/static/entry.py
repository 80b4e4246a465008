"""A program in the place of a function: its guards, and one call of it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import dtypes
from ..backends import cpu
from ..engine.record import constant, constant_node, handle
from ..graph import last_write, mode, storage_of, tick
from ..handles.memory import owner
from .loops import Plan, compiled, write
from .outputs import late, walked
from .program import Writer
from .supposed import Undo
from .templates import replaced

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from ..graph import Node
    from ..handles.tensor import Tensor
    from .guards import Watch
    from .loops import Loops
    from .outputs import Output
    from .program import Leaf, Program
    from .recording import Recording

F32 = np.dtype(np.float32)


class Run(NamedTuple):
    """A recorded call: the recording, what it returned, and what Python values it may have read."""

    recording: Recording
    result: Operand
    outputs: list[Output]
    watch: Watch
    grads: list[bool]  # has a leaf a gradient before the call?

    @property
    def template(self) -> Operand:
        """Of what it returned."""
        return self.recording.program.outputs


class Entry:
    """A program that has proved itself, and the guards under which it stands for the function."""

    def __init__(self, run: Run):
        r = run.recording
        self.program: Program = r.program
        self.watch = run.watch
        self.outputs = run.outputs
        self.leaves = [leaf for leaf in r.program.leaves if leaf.kind != "seed"]
        self.grads = run.grads
        self.nodes = [leaf.tensor.node.needs for leaf in self.leaves]
        self.written = [
            leaf for leaf in self.leaves
            if (s := leaf.tensor.node.storage) is not None and s.version > r.versions[leaf.number]
        ]  # fmt: skip
        self.owners = {id(owner(x.array)): x.number for x in self.leaves if x.kind != "argument"}
        # what the function gives back: the values of outputs, then new gradients
        self.new_grads: list[tuple[Leaf, int | None]] = []
        for leaf, had in zip(self.leaves, self.grads, strict=True):
            g = leaf.tensor.node.grad
            if g is None:
                if had:
                    self.new_grads.append((leaf, None))
            else:
                made = r.arrays.get(id(g.array))
                if made is not None and made.number not in r.leaves:
                    self.new_grads.append((leaf, made.number))
        self.gives = [o.number for o in self.outputs if o.kind != "leaf"]
        self.gives += [n for _, n in self.new_grads if n is not None]
        every = [*zip(self.leaves, self.nodes, self.grads, strict=True)]
        self.fixed = [
            (leaf.tensor, leaf.array, leaf.tensor.node, had)
            for leaf, _, had in every if leaf.kind == "tensor"
        ]  # fmt: skip
        self.changing = [x for x in every if x[0].kind != "tensor"]
        self.count = sum(o.kind != "leaf" for o in self.outputs)
        self.late = late(self.program)
        self.c_source = ""
        self.whole: Plan | None = None
        self.names: dict[int, str] = {}  # what the user calls the leaves
        self.lies: dict[int, tuple[int, int]] = {}  # of values: whose memory they show, and where
        self.undo = Undo(r, self.leaves)
        self.function = self.written_out()

    def plan_whole(self, arrays: dict[int, Array]) -> None:
        """How the whole program would be one C function, if it can be (export.py)."""
        p, printed = self.program, [o.number for o in self.outputs]
        self.whole = Plan(p, 0, p.split, printed, arrays, "forward", alone=True)

    def use_c(self, arrays: dict[int, Array]) -> None:
        """Compile what can be C; CompilerError says why not. ``arrays``: the recorded values."""
        p = self.program
        needed = [*self.gives, *(self.late.takes if self.late is not None else ())]
        plans = [Plan(p, 0, p.split, needed, arrays, "forward")]
        if self.late is not None:
            grads = [n for n in p.gradients if n is not None]
            plans.append(Plan(p, p.split, len(p.steps), grads, arrays, "backward"))
        self.c_source, runners = compiled(p, plans, self.names)
        if runners:
            self.function = self.written_out(plans[0], runners)
            if self.late is not None:
                self.late.function = self.late.written_out(plans[1], runners)

    def written_out(
        self, plan: Plan | None = None, runners: dict[str, Loops] | None = None
    ) -> Kernel:
        """The interpreter: the steps, or their regions, as a function of the leaves' arrays."""
        p = self.program
        w = Writer(p)
        known = {leaf.number for leaf in self.leaves} | set(p.constants)
        for n, array in p.constants.items():
            if n in p.fresh or n in self.gives:
                w.lines.append(f"v{n} = {w.constant(array, 'c')}.copy('K')")
            else:
                w.names[f"v{n}"] = array
        if plan is None:
            plan = Plan.of_steps(p, 0, p.split)
        given = [*self.gives, *(self.late.takes if self.late is not None else ())]
        write(w, plan, known, runners or {}, given)
        gives = [f"v{n}" for n in given]
        takes = [leaf.number for leaf in self.leaves]
        made = w.function("program", takes, f"({''.join(g + ', ' for g in gives)})")
        return self.undo.around(made)

    def arrays(self, tensors: Sequence[Tensor]) -> list[Array]:
        """The leaves' memory."""
        found: list[Array] = []
        for leaf in self.leaves:
            if leaf.kind == "argument":
                found.append(tensors[leaf.place].array)
            elif leaf.kind == "tensor":
                found.append(leaf.array)
            else:
                found.append(self.owner_of(leaf, tensors).node.grad.array)
        return found

    def holder(self, leaf: Leaf, tensors: Sequence[Tensor]) -> Tensor:
        """The tensor whose memory a leaf is, in this call."""
        if leaf.kind == "argument":
            return tensors[leaf.place]
        if leaf.kind == "gradient":
            held: Tensor = self.owner_of(leaf, tensors).node.grad
            return held
        return leaf.tensor

    def owner_of(self, leaf: Leaf, tensors: Sequence[Tensor]) -> Tensor:
        """The tensor whose gradient a leaf is."""
        other = next(x for x in self.leaves if x.number == leaf.place)
        return self.holder(other, tensors)

    def fails(self, tensors: Sequence[Tensor]) -> str:
        """The first guard that does not hold, in words, or ""."""
        for t, array, node, had in self.fixed:
            if t.array is not array:
                return "a tensor that it reads has other memory"
            now = t.node  # whether it requires gradient is a matter of the node
            if now is not node and (now.needs is not node.needs or now.op is not node.op):
                return "requires_grad of a tensor that it reads"
            if now.hooks:
                return "a hook of a tensor that it reads"
            if (now.grad is not None) is not had:
                return "a gradient that is None, or not"
        for leaf, needs, had in self.changing:
            if leaf.kind == "gradient":
                g = self.owner_of(leaf, tensors).node.grad
                if g is None or g.array.shape != leaf.array.shape or (
                    g.array.strides != leaf.array.strides or g.array.dtype != leaf.array.dtype
                    or g.node.needs
                ):  # fmt: skip
                    return "a gradient has another layout"
                continue
            node = tensors[leaf.place].node
            if node.needs is not needs or (needs and node.op is not None) or node.hooks:
                return "requires_grad, or a hook, of a tensor that it reads"
            if (node.grad is not None) is not had:
                return "a gradient that is None, or not"
        for t in tensors:
            if id(owner(t.array)) in self.owners:
                return "an argument shares memory with a tensor that it reads"
        return self.watch.changed()

    def run(self, tensors: Sequence[Tensor], template: Operand) -> Operand:
        """One call: the program, then what it leaves behind."""
        given = self.function(*self.arrays(tensors))
        if self.written:
            now = last_write[0] = tick()
            for leaf in self.written:
                t = leaf.tensor if leaf.kind == "tensor" else self.holder(leaf, tensors)
                storage = t.node.storage or storage_of(t.node)
                storage.written, storage.writer = now, "a compiled function"
                storage.version += 1
        values = iter(given[: self.count])
        grads = iter(given[self.count :])
        for leaf, n in self.new_grads:
            t = leaf.tensor if leaf.kind == "tensor" else self.holder(leaf, tensors)
            node = t.node
            if n is None:
                node.grad = None
            else:
                g = next(grads)
                node.grad = handle(g, constant_node(g, node.dev))
        made: list[Operand] = []
        rest = given[len(self.gives) :]
        tracked = self.late.attach(self, tensors, given, rest) if self.late is not None else {}
        for i, o in enumerate(self.outputs):
            if o.kind == "leaf":
                leaf = next(x for x in self.leaves if x.number == o.number)
                made.append(self.holder(leaf, tensors))
                continue
            array = next(values)
            if o.kind == "number":
                made.append(array.item())
            elif i in tracked:
                made.append(tracked[i])
            elif o.kind == "done":
                made.append(walked(array, o.dev))
            else:
                made.append(constant(array))
        return replaced(template, lambda ref: made[ref.number])


class Last(NamedTuple):
    """A call whose arguments were nothing but tensors, and what it was made under.

    The next call mostly gets the same ones, or others that are alike: its key need not be made.
    """

    tensors: tuple[Tensor, ...]
    arrays: tuple[Array, ...]
    nodes: tuple[Node, ...]
    under: tuple[Operand, ...]
    entry: Entry
    template: Operand

    @classmethod
    def of(cls, tensors: tuple[Tensor, ...], entry: Entry, template: Operand) -> Last:
        return cls(tensors, tuple([t.array for t in tensors]), tuple([t.node for t in tensors]),
                   (mode.get(), dtypes.default_numpy(), cpu.of(F32)), entry, template)  # fmt: skip

    def again(self, args: tuple[Operand, ...]) -> bool:
        """Are these the same tensors, with the same memory and the same place in a graph?"""
        if len(args) != len(self.tensors):
            return False
        for t, last, array, node in zip(args, self.tensors, self.arrays, self.nodes, strict=True):
            if t is not last or t.array is not array or t.node is not node:
                return False
        now, dtype, backend = self.under
        return mode.get() is now and dtypes.default_numpy() is dtype and cpu.of(F32) is backend
