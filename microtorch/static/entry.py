"""A program in the place of a function: its guards, and one call of it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..handles.memory import is_lent, offset, owner, unknown_to_share
from .build import CompilerError
from .direct import Direct
from .loops import Plan, compiled, write
from .outputs import late
from .program import Writer
from .quick import Reused, rows, written_quick, written_run
from .supposed import Undo

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from ..handles.tensor import Tensor
    from .guards import Watch
    from .loops import Loops
    from .outputs import Output
    from .program import Leaf, Program
    from .recording import Recording

MOST_REFRESHED = 16  # times that a guard's object was another one, but equal


class Run(NamedTuple):
    """A recorded call: the recording, what it returned, and what Python values it may have read."""

    recording: Recording
    result: Operand
    outputs: list[Output]
    watch: Watch
    grads: list[bool]  # has a leaf a gradient before the call?
    known: bool = False  # or was it asked after the call, the first that reads these tensors?

    def fails(self, tensors: Sequence[Tensor]) -> str:
        """In what a call finds another state of Python and of gradients, in words, or ""."""
        if any(t.array is not leaf.array for leaf, t, _ in self.recording.twins.values()):
            return "two tensors that it reads no longer have one memory"
        for leaf, had in zip(self.leaves, self.grads, strict=True):
            t = tensors[leaf.place] if leaf.kind == "argument" else leaf.tensor
            if leaf.kind == "tensor":
                if t.array is not leaf.array:
                    return "a tensor that it reads has other memory"
                if t.node.needs is not self.recording.nodes[leaf.number].needs:
                    return "requires_grad of a tensor that it reads"
            if self.known and leaf.kind != "gradient" and (t.node.grad is not None) is not had:
                return "a gradient that is None, or not"
        return strange(tensors, self.recording.arguments, self.watch) or self.watch.changed()

    @property
    def leaves(self) -> list[Leaf]:
        """The tensors that it read."""
        return [x for x in self.recording.program.leaves if x.kind != "seed"]

    @property
    def template(self) -> Operand:
        """Of what it returned."""
        return self.recording.program.outputs


def strange(tensors: Sequence[Tensor], before: Sequence[Tensor], watch: Watch) -> str:
    """Are other arguments than before tensors that the function also finds elsewhere? It may have
    compared them. In words, or ""."""
    for t, old in zip(tensors, before, strict=True):
        if t is not old and (id(t) in watch.reached or id(old) in watch.reached):
            return "an argument is a tensor that it can also reach"
    for place, of in watch.gradients:
        t = tensors[of] if isinstance(of, int) else of
        if t.node.grad is not tensors[place]:
            return "an argument was the gradient of a tensor that it can also reach"
    return ""


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
        self.written = [*{  # one of those that are dated together
            id(s): leaf for leaf in self.leaves
            if (s := leaf.tensor.node.storage) is not None and s.version > r.versions[leaf.number]
        }.values()]  # fmt: skip
        self.owners = {id(owner(x.array)): x.number for x in self.leaves if x.kind != "argument"}
        self.lent = [x.array for x in self.leaves if x.kind != "argument" and is_lent(x.array)]
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
        self.fixed += [
            (t, leaf.array, node, node.grad is not None) for leaf, t, node in r.twins.values()
        ]
        self.changing = [x for x in every if x[0].kind != "tensor"]
        self.gradients = [leaf for leaf in self.leaves if leaf.kind == "gradient"]
        self.count = sum(o.kind != "leaf" for o in self.outputs)
        self.late = late(self.program)
        self.c_source = ""
        self.whole: Plan | None = None
        self.names: dict[int, str] = {}  # what the user calls the leaves
        self.lies: dict[int, tuple[int, int]] = {}  # of values: whose memory they show, and where
        self.homes: dict[int, int] = {}  # of values that are views: the first one of that memory
        self.undo = Undo(r)
        self.reused = Reused()
        self.template = run.template
        self.arguments = run.recording.arguments
        self.takes = len(self.arguments)
        self.by_c = False
        self.refreshed = 0
        self.same: Kernel = self.never
        self.function = self.written_out()
        self.plan = Plan.of_steps(self.program, 0, self.program.split)
        self.runners: dict[str, Loops] = {}
        self.call = written_run(self, self.plan, self.runners)

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
        self.by_c = True
        if runners:
            self.reused = self.to_be_reused(plans[0])
            self.function = self.written_out(plans[0], runners)
            self.plan, self.runners = plans[0], runners
            self.call = written_run(self, plans[0], runners)
            if self.late is not None:
                self.late.function = self.late.written_out(plans[1], runners)

    def written_out(
        self, plan: Plan | None = None, runners: dict[str, Loops] | None = None
    ) -> Kernel:
        """The interpreter: the steps, or their regions, as a function of the leaves' arrays."""
        w = Writer(self.program)
        if plan is None:
            plan = Plan.of_steps(self.program, 0, self.program.split)
        gives = self.body(w, plan, runners or {}, ())
        takes = [f"v{leaf.number}" for leaf in self.leaves]
        return w.function("program", ", ".join(takes), f"({gives})", (runners or {}).values())

    def body(
        self, w: Writer, plan: Plan, runners: dict[str, Loops], reused: Sequence[int]
    ) -> str:
        """The lines of the steps, or of their regions; returns what they give, as text.

        ``reused``: the values that have memory already.
        """
        p = self.program
        known = {leaf.number for leaf in self.leaves} | set(p.constants)
        for n, array in p.constants.items():
            if n in p.fresh or n in self.gives:
                w.lines.append(f"v{n} = {w.constant(array, 'c')}.copy('K')")
            else:
                w.names[f"v{n}"] = array
        given = [*self.gives, *(self.late.takes if self.late is not None else ())]
        start = len(w.lines)
        write(w, plan, known, runners, given, reused)
        w.lines[start:] = self.undo.around(w, w.stopping(start))
        return "".join(f"v{n}, " for n in given)

    def to_be_reused(self, plan: Plan) -> Reused:
        """The new gradients that C makes, and that nobody else can have: their memory is reused."""
        made = {n for r in plan.regions for n in r.gives}
        grads = [n for _, n in self.new_grads]
        other = {o.number for o in self.outputs} | {*(self.late.takes if self.late else ())}
        found = {
            n: leaf.tensor for leaf, n in self.new_grads
            if n is not None and n in made - other and grads.count(n) == 1
            and leaf.kind == "tensor"
        }  # fmt: skip
        return Reused([*found.values()], [*found])

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
            if node.needs is not needs or node.hooks:
                return "requires_grad, or a hook, of a tensor that it reads"
            if (node.grad is not None) is not had:
                return "a gradient that is None, or not"
        if not self.lie_apart(tensors):
            return "an argument shares memory with a tensor that it reads"
        return strange(tensors, self.arguments, self.watch) or self.watch.changed()

    def lie_apart(self, tensors: Sequence[Tensor]) -> bool:
        """Has each argument, and each gradient that is another than it was, memory that nothing
        else has which the program reads or writes?"""
        new: set[int] = set()
        others = [t.array for t in tensors]
        for leaf in self.gradients:
            a = self.holder(leaf, tensors).array
            if a is leaf.array:
                continue
            home = owner(a)
            if home is owner(leaf.array) and offset(a) == offset(leaf.array):
                continue
            if id(home) in self.owners or id(home) in new:
                return False
            new.add(id(home))
            others.append(a)
        known = {*self.owners, *new}
        if any(id(owner(t.array)) in known for t in tensors):
            return False
        if not self.lent and not any(map(is_lent, others)):
            return True
        every = [*others, *[x.array for x in self.leaves if x.kind == "tensor"]]
        return not any(unknown_to_share(a, every if is_lent(a) else self.lent) for a in others)

    def run(self, tensors: Sequence[Tensor], template: Operand) -> Operand:
        """One call: the program, then what it leaves behind."""
        return self.call(*tensors)

    @staticmethod
    def never(*tensors: Tensor) -> bool:
        """``same``, where C does not compare."""
        return False

    def quick(self, tensors: Sequence[Tensor]) -> Kernel | None:
        """The call for arguments that are tensors such as these, if guards can be asked by C."""
        if not self.by_c or self.refreshed == MOST_REFRESHED:
            return None
        self.refreshed += 1
        try:
            guards = rows(self, tensors)
            self.same = guards.made()
            direct = Direct(self, tensors, self.plan, self.runners, guards)
            given = self, tensors, self.plan, self.runners, direct
            return direct.function(written_quick(*given))
        except (CompilerError, ValueError):
            return None
