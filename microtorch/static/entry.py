"""A program in the place of a function: its guards, and one call of it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..engine.record import constant
from ..graph import storage_of
from ..handles.memory import owner
from .loops import Plan, compiled, write
from .outputs import late, walked
from .program import Writer
from .templates import replaced

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from ..handles.tensor import Tensor
    from .guards import Watch
    from .loops import Loops
    from .outputs import Output
    from .program import Leaf, Program
    from .recording import Recording


class Run(NamedTuple):
    """A recorded call: the recording, what it returned, and what Python values it may have read."""

    recording: Recording
    result: Operand
    outputs: list[Output]
    watch: Watch
    grads: list[bool]  # has a leaf a gradient before the call?


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
        self.late = late(self.program)
        self.c_source = ""
        self.whole: Plan | None = None
        self.names: dict[int, str] = {}  # what the user calls the leaves
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
        write(w, plan, known, runners or {})
        gives = [f"v{n}" for n in self.gives]
        if self.late is not None:
            gives += [f"v{n}" for n in self.late.takes]
        takes = [leaf.number for leaf in self.leaves]
        return w.function("program", takes, f"({''.join(g + ', ' for g in gives)})")

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
        for leaf, needs, had in zip(self.leaves, self.nodes, self.grads, strict=True):
            t = leaf.tensor if leaf.kind == "tensor" else None
            if t is not None and t.array is not leaf.array:
                return "a tensor that it reads has other memory"
            if leaf.kind == "gradient":
                g = self.owner_of(leaf, tensors).node.grad
                if g is None or g.array.shape != leaf.array.shape or (
                    g.array.strides != leaf.array.strides or g.array.dtype != leaf.array.dtype
                    or g.node.needs
                ):  # fmt: skip
                    return "a gradient has another layout"
                continue
            t = tensors[leaf.place] if t is None else t
            node = t.node
            if (
                node.needs is not needs or (needs and node.op is not None)
                or node.hooks
            ):  # fmt: skip
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
        for leaf in self.written:
            storage_of(self.holder(leaf, tensors).node).wrote("a compiled function")
        k = sum(o.kind != "leaf" for o in self.outputs)
        values = iter(given[:k])
        grads = iter(given[k:])
        for leaf, n in self.new_grads:
            node = self.holder(leaf, tensors).node
            node.grad = None if n is None else constant(next(grads), node.dev)
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
