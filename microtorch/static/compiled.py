"""``compile``: a function that is recorded, and from then on runs as its program.

The first call under one key (shapes, dtypes, layouts, Python arguments, grad mode) is an ordinary
one. The second and the third are recorded, and must agree. Then the program runs once on the memory
as it was before the third call, and must leave what that call left, to the bit. Only then is it
used, and only where all guards hold. What cannot be recorded runs as it is written, with one
warning that says why.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import dtypes, generator
from ..autograd import is_anomaly_enabled
from ..backends import cpu
from ..base.errors import GraphError, message
from ..base.naming import named
from ..engine import backward
from ..engine.listening import listeners
from ..engine.record import constant
from ..graph import Site, mode, storage_of
from ..handles.memory import owner
from ..handles.scalar import Scalar
from ..handles.tensor import Tensor
from .guards import SIMPLE, TooMuch, Unwatchable, Watch
from .outputs import Done, Output, late
from .program import Leaf, Program, Ref, Writer, replaced
from .recorded import Recorded
from .recording import SLOT, Busy, Recording, recording_now

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand

    Key = tuple[Operand, ...]

MOST_PROGRAMS = 8
MOST_RECORDINGS = 6  # of one key, before they are given up


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
        self.function = self.written_out()

    def written_out(self) -> Kernel:
        """The interpreter: the steps as a Python function of the leaves' arrays."""
        p = self.program
        w = Writer(p)
        known = {leaf.number for leaf in self.leaves} | set(p.constants)
        for n, array in p.constants.items():
            if n in p.fresh or n in self.gives:
                w.lines.append(f"v{n} = {w.constant(array, 'c')}.copy('K')")
            else:
                w.names[f"v{n}"] = array
        for step in p.steps[: p.split]:
            w.step(step, known)
            known.update(step.gives())
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
                or node.hooks is not None
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
        made: list[Tensor] = []
        rest = given[len(self.gives) :]
        tracked = self.late.attach(self, tensors, given, rest) if self.late is not None else {}
        for i, o in enumerate(self.outputs):
            if o.kind == "leaf":
                leaf = next(x for x in self.leaves if x.number == o.number)
                made.append(self.holder(leaf, tensors))
                continue
            array = next(values)
            if i in tracked:
                made.append(tracked[i])
            elif o.kind == "done":
                made.append(Done.tensor(array))
            else:
                made.append(constant(array))
        return replaced(template, lambda ref: made[ref.number])


class Compiled:
    """A function that runs as a program where it can. See ``compile``."""

    def __init__(self, function: Kernel, fullgraph: bool = False, root: Operand = None):
        self.function = function
        self.root = function if root is None else root
        self.fullgraph = fullgraph
        self.entries: dict[Key, list[tuple[Entry, Operand]]] = {}
        self.pending: dict[Key, Run | None] = {}
        self.recordings: dict[Key, int] = {}
        self.count = 0
        self.reason = ""  # why it runs as it is written, if it does
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__wrapped__ = function

    def __call__(self, *args: Operand, **kwargs: Operand) -> Operand:
        if self.reason or recording_now() or listeners or is_anomaly_enabled():
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        try:
            key = self.key((args, kwargs), tensors)
        except Refused as e:
            self.refuse(str(e))
            return self.function(*args, **kwargs)
        why = ""
        for entry, template in self.entries.get(key, ()):
            why = entry.fails(tensors)
            if not why:
                return entry.run(tensors, template)
        if key not in self.pending:
            self.pending[key] = None
            return self.function(*args, **kwargs)
        return self.record(key, args, kwargs, tensors, why)

    def __get__(self, instance: Operand, owner: type | None = None) -> Operand:
        """As a method: one program set for the function, with ``self`` as an argument."""
        return self if instance is None else named(
            lambda *a, **k: self(instance, *a, **k), self.__name__
        )  # fmt: skip

    # ---- keys ------------------------------------------------------------------------------------
    def key(self, arguments: Operand, tensors: list[Tensor]) -> Key:
        """What a program is looked up by; gathers the tensors among the arguments."""
        shape = structure(arguments, tensors)
        about: list[Operand] = []
        owners: dict[int, int] = {}
        for t in tensors:
            array, node = t.array, t.node
            if type(array) is not np.ndarray:
                raise Refused(f"an argument lies on {node.dev.device}")
            if node.needs and node.op is not None:
                raise Refused("an argument has a graph that was begun outside the function")
            shared = owners.setdefault(id(owner(array)), len(owners))
            about.append((array.shape, array.dtype, array.strides, node.needs, shared,
                          type(t), t.origin is None))  # fmt: skip
        m = mode.get()
        return (shape, tuple(about), m.grad, m.scope is None, dtypes.default_numpy(), _backend())

    # ---- recording -------------------------------------------------------------------------------
    def record(
        self, key: Key, args: Operand, kwargs: Operand, tensors: list[Tensor], why: str
    ) -> Operand:
        """A call that is written down; the second of two that agree makes the program."""
        before = self.pending[key]
        self.recordings[key] = self.recordings.get(key, 0) + 1
        if self.recordings[key] > MOST_RECORDINGS * (1 + len(self.entries.get(key, ()))):
            self.refuse(f"the guards do not hold from call to call: {why or 'it changes'}")
            return self.function(*args, **kwargs)
        if before is not None and before.watch.changed():
            why, before = before.watch.changed(), None
        state = _random_state()
        grads = {id(t): t.node.grad is not None for t in tensors}
        if before is not None:
            for leaf in before.recording.program.leaves:
                grads[id(leaf.tensor)] = leaf.tensor.node.grad is not None
        try:
            run = self.recorded(args, kwargs, tensors, grads)
        except Busy:
            return self.function(*args, **kwargs)
        r = run.recording
        if not r.reason and before is not None:
            changed = before.watch.changed()
            if changed:
                r.reason = f"it changes a Python value, {changed}, which a program cannot"
            else:
                r.reason = disagreement(before, run)
                if not r.reason:
                    entry = Entry(run)
                    r.reason = proved(entry, run, state)
                    if not r.reason:
                        self.keep(key, entry, run)
                        return run.result
        if r.reason and (before is not None or not self.may_settle(key, r)):
            if self.may_settle(key, r):
                self.pending[key] = run
                r.reason = ""
                return run.result
            self.refuse(r.reason)
            return run.result
        self.pending[key] = None if r.reason else run
        return run.result

    def may_settle(self, key: Key, r: Recording) -> bool:
        """May another recording succeed: a state appears at the first steps, say."""
        return self.recordings[key] < 4 and ("keeps" in r.reason or "differ" in r.reason)

    def keep(self, key: Key, entry: Entry, run: Run) -> None:
        """Use a program from now on."""
        self.count += 1
        if self.count > MOST_PROGRAMS:
            self.refuse(f"{MOST_PROGRAMS} programs have been made, for other shapes, Python "
                        "arguments or values")  # fmt: skip
            return
        del self.pending[key]
        self.entries.setdefault(key, []).append((entry, run.recording.program.outputs))
        self.pending[key] = None

    def recorded(
        self, args: Operand, kwargs: Operand, tensors: list[Tensor], grads: dict[int, bool]
    ) -> Run:
        """One call, written down."""
        r = Recording(self.__name__, tensors)
        outputs: list[Output] = []
        with r:
            result = self.function(*args, **kwargs)
            own = r.backward
            r.program.outputs = self.output(r, result, outputs, own)
            r.program.split = len(r.program.steps)
            if not r.reason and any(o.kind == "late" for o in outputs):
                self.backward(r, outputs)
            self.check_kept(r, outputs)
        program = r.program
        program.fresh = {n for n in r.impure if n in program.constants}
        for leaf in program.leaves:
            leaf.name = leaf.name or f"{leaf.kind}_{leaf.number}"
        try:
            watch = Watch(self.root, args, kwargs)
        except (TooMuch, Unwatchable) as e:
            r.reason = r.reason or str(e)
            watch = Watch()
        has = [
            grads.get(id(leaf.tensor), leaf.tensor.node.grad is not None)
            for leaf in program.leaves if leaf.kind != "seed"
        ]  # fmt: skip
        return Run(r, result, outputs, watch, has)

    def output(
        self, r: Recording, x: Operand, outputs: list[Output], own: bool
    ) -> Operand:  # fmt: skip
        """The template of what the function returns; Ref: number of an output."""
        if isinstance(x, Tensor):
            found: Operand = x.array
            kind = "value"
            leaf = next((y for y in r.program.leaves if y.tensor is x), None)
            if leaf is not None:
                kind = "leaf"
                if x.node is not r.nodes[leaf.number]:
                    r.give_up("an argument, or a global tensor, leaves with another graph")
            elif x.node.needs:
                kind = "late" if x.node.op is None or x.node.saved is not None else "done"
                if x.node.op is None:
                    r.give_up("it returns a leaf that it made")
            if type(found) is not Recorded:
                r.give_up("it returns a tensor that was not computed from its arguments")
                return x
            if kind != "leaf" and _shares(r, found, outputs):
                r.give_up("it returns a view of memory that it does not own: .clone() it")
            outputs.append(Output(kind, found.number, x))
            return Ref(len(outputs) - 1)
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return type(x)(*[self.output(r, y, outputs, own) for y in x])
        if type(x) in (tuple, list):
            return type(x)([self.output(r, y, outputs, own) for y in x])
        if type(x) is dict:
            return {k: self.output(r, y, outputs, own) for k, y in x.items()}
        if not isinstance(x, SIMPLE):
            r.give_up(f"it returns a {type(x).__name__}")
        return x

    @staticmethod
    def backward(r: Recording, outputs: list[Output]) -> None:
        """The program's own backward: from the outputs' gradients to the leaves'."""
        steps = r.program.steps
        for i, o in enumerate(outputs):  # is the graph below it whole?
            if o.kind == "late":
                seed = r.new(np.ones(o.tensor.array.shape, o.tensor.array.dtype))
                try:
                    nothing = frozenset(n for n in r.nodes.values() if n.needs)
                    backward.run([o.tensor.node], [seed], retain=True, targets=nothing)
                except GraphError:
                    outputs[i] = o._replace(kind="done")
                except RuntimeError as e:
                    r.give_up(f"its backward raises {type(e).__name__}")
                    return
                del steps[r.program.split :]
        roots = [o for o in outputs if o.kind == "late"]
        if not roots:
            return
        leaves = [x for x in r.program.leaves if x.tensor.node.needs]
        seeds: list[Recorded] = []
        for i, o in enumerate(roots):
            seed = r.new(np.ones(o.tensor.array.shape, o.tensor.array.dtype))
            seeds.append(seed)
            r.program.leaves.append(Leaf(seed.number, "seed", i, o.tensor, seed.value))
        nodes = frozenset(x.tensor.node for x in leaves)
        found = backward.run([o.tensor.node for o in roots], seeds, retain=True, targets=nodes)
        grads = [found.get(x.tensor.node) for x in leaves]
        r.program.gradients = [None if g is None else g.number for g in grads]

    @staticmethod
    def check_kept(r: Recording, outputs: list[Output]) -> None:
        """Refuse a tensor that lives on where the program would not put it."""
        from ..engine import operands

        allowed = {id(o.tensor) for o in outputs}
        allowed |= {id(o.tensor.origin[0]) for o in outputs if o.tensor.origin is not None}
        for cache in vars(operands)["_numbers"].values():
            allowed |= {id(t) for t in cache.values()}
        for leaf in r.program.leaves:
            allowed.add(id(leaf.tensor))
            allowed.add(id(leaf.tensor.node.grad))
            t = leaf.tensor
            if leaf.kind != "seed":
                held = SLOT.__get__(t)
                if held is not leaf.array and getattr(held, "value", None) is not leaf.array:
                    r.give_up("a tensor is given other memory")
                if t.node is not r.nodes[leaf.number]:
                    r.give_up("a tensor is given another graph by an in-place operation")
            g = t.node.grad
            if g is not None and g.node.needs:
                r.give_up("a gradient has a graph of its own (create_graph=True)")
        for alive in (x() for x in r.made):
            if alive is not None and id(alive) not in allowed:
                r.give_up("it keeps a tensor that it made, in a list, dict or attribute")

    def refuse(self, why: str) -> None:
        """From now on the function runs as it is written; say so once."""
        if self.reason:
            return
        self.reason = why
        text = message(
            f"compile: {self.__name__} runs as it is written, without a program: {why}",
            fix="see docs/static-graph.md for what can be recorded",
        )
        if self.fullgraph:
            raise RuntimeError(text)
        warnings.warn(text, UserWarning, stacklevel=4)

    # ---- to look at ------------------------------------------------------------------------------
    @property
    def graph(self) -> Program:
        """The program that was made last. RuntimeError where there is none as yet."""
        for found in reversed(self.entries.values()):
            return found[-1][0].program
        raise RuntimeError(
            message(
                f"{self.__name__} has no program yet",
                self.reason and f"it runs as it is written: {self.reason}",
                fix="call it three times: the first call is an ordinary one, two are recorded",
            )
        )

    @property
    def code(self) -> str:
        """The program as the Python function that the interpreter runs."""
        self.graph  # noqa: B018
        text: str = next(reversed(self.entries.values()))[-1][0].function.text  # type: ignore[attr-defined]
        return text


class Refused(Exception):
    """Arguments for which there can be no program."""


def structure(x: Operand, tensors: list[Tensor]) -> Operand:
    """Arguments as a key: the tensors' places, and what is no tensor."""
    if isinstance(x, Tensor):
        for i, t in enumerate(tensors):
            if t is x:
                return Ref(i)
        tensors.append(x)
        return Ref(len(tensors) - 1)
    if isinstance(x, SIMPLE):
        return type(x), repr(x) if isinstance(x, float) else x
    if isinstance(x, (tuple, list)):
        return type(x), tuple([structure(y, tensors) for y in x])
    if type(x) is dict:
        return dict, tuple([(k, structure(y, tensors)) for k, y in x.items()])
    if isinstance(x, Scalar):
        raise Refused("an argument is a Scalar")
    if isinstance(x, np.ndarray):
        raise Refused("an argument is a numpy array: torch.from_numpy makes it a tensor")
    return _Same(x)


class _Same:
    """An object as a part of a key: equal only to itself, and kept alive by the key."""

    def __init__(self, x: Operand):
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.x is other.x

    def __hash__(self) -> int:
        return id(self.x)


def _backend() -> str:
    return cpu.of(np.dtype(np.float32)).name


def _random_state() -> Array:
    return generator.Generator.get_state(generator.default_generator).copy()


def _shares(r: Recording, found: Recorded, outputs: list[Output]) -> bool:
    """Does an output lie in memory of a leaf, of a constant or of another output?"""
    mine = owner(found.value)
    theirs = [owner(leaf.array) for leaf in r.program.leaves]
    theirs += [owner(r.real(o.tensor.array)) for o in outputs]
    return any(mine is x for x in theirs) or mine.base is not None


# ---- two recordings, and the proof ---------------------------------------------------------------
def disagreement(run: Run, again: Run) -> str:
    """Where two recordings of one function differ, or ""."""
    a, b = run.recording, again.recording
    p, q = a.program, b.program
    pairs: dict[int, int] = {}  # number in the one -> number in the other

    def agree(x: Operand, y: Operand) -> bool:
        if type(x) is not type(y):
            return False
        if type(x) is Ref:
            m, n = x.number, y.number
            if m in p.constants or n in q.constants:
                if m not in p.constants or n not in q.constants:
                    return False
                c, d = p.constants[m], q.constants[n]
                return c.dtype == d.dtype and c.shape == d.shape and c.tobytes() == d.tobytes()
            if (m in a.leaves) is not (n in b.leaves) or p.values[m] != q.values[n]:
                return False
            if m in a.leaves:
                f, g = a.leaves[m], b.leaves[n]
                if (f.kind, pairs.get(f.place, f.place) if f.kind == "gradient" else f.place) != (
                    g.kind, g.place
                ) or (f.kind == "tensor" and f.array is not g.array):  # fmt: skip
                    return False
            return pairs.setdefault(m, n) == n
        if isinstance(x, dict):
            return [*x] == [*y] and all(agree(x[k], y[k]) for k in x)
        if isinstance(x, (tuple, list)):
            return len(x) == len(y) and all(map(agree, x, y))
        if isinstance(x, SIMPLE):
            return repr(x) == repr(y)
        if isinstance(x, slice):
            return repr(x) == repr(y)
        return x is y or (isinstance(x, np.dtype) and x == y)

    for s, t in zip(p.steps, q.steps, strict=False):
        if s.name != t.name or s.kind != t.kind:
            return f"two calls differ: {s.name} at {s.site}, and then {t.name} at {t.site}"
        if not agree((s.arguments, s.attrs, s.result), (t.arguments, t.attrs, t.result)):
            return f"two calls differ in what they give to {s.name}, at {s.site}"
    if len(p.steps) != len(q.steps):
        return "two calls differ in length"
    if not agree(p.outputs, q.outputs):
        return "two calls differ in what they return"
    if [(o.kind, pairs.get(o.number, o.number)) for o in run.outputs] != [
        (o.kind, o.number) for o in again.outputs
    ]:
        return "two calls differ in what they return"
    return ""


def proved(entry: Entry, run: Run, state: Array) -> str:
    """Run the program on the memory of before the recorded run: it must leave the same, or why not.
    """
    r = run.recording
    leaves = [x for x in r.program.leaves if x.kind != "seed"]
    for leaf in leaves:
        if not leaf.array.flags.writeable and not np.array_equal(
            leaf.array, r.before[leaf.number], equal_nan=leaf.array.dtype.kind == "f"
        ):
            return "it writes to memory that is locked"
    after = [leaf.array.copy() for leaf in leaves]
    drawn = _random_state()
    wanted = [_value(r, n) for n in entry.gives]
    wanted = [x.copy() for x in wanted]
    try:
        _restore(leaves, [r.before[leaf.number] for leaf in leaves])
        generator.Generator.set_state(generator.default_generator, state)
        got = entry.function(*[leaf.array for leaf in leaves])
        left = [leaf.array.copy() for leaf in leaves]
        if _random_state().tobytes() != drawn.tobytes():
            return "it draws random numbers, or seeds, where a program cannot follow"
        late_ok = entry.late is None or entry.late.agrees(r, got[len(entry.gives) :])
    finally:
        _restore(leaves, after)
        generator.Generator.set_state(generator.default_generator, drawn)
    for x, y in zip([*got[: len(wanted)], *left], [*wanted, *after], strict=True):
        if x.shape != y.shape or x.dtype != y.dtype or x.tobytes() != y.tobytes():
            return "its program does not leave what the call left"
    return "" if late_ok else "its program's backward does not give what backward gave"


def _value(r: Recording, number: int) -> Array:
    return next(x.value for x in r.arrays.values() if x.number == number)


def _restore(leaves: Sequence[Leaf], arrays: Sequence[Array]) -> None:
    for leaf, array in zip(leaves, arrays, strict=True):
        if leaf.array.flags.writeable:
            leaf.array[...] = array


def compile(
    model: Kernel | None = None, *, fullgraph: bool = False, dynamic: bool | None = None,
    backend: Operand = "inductor", mode: str | None = None, options: Operand = None,
    disable: bool = False,
) -> Operand:  # fmt: skip
    """Record ``model``, a function or a Module, and run it as its program from then on.

    As a decorator, too. ``fullgraph=True`` raises RuntimeError where a program cannot be made; else
    a warning says why, once, and the function runs as it is written. ``disable=True`` gives the
    function back. ``dynamic``, ``backend``, ``mode`` and ``options`` choose between equal
    implementations in PyTorch and are accepted without effect.
    """
    if model is None:
        again: Callable[[Kernel], Operand] = lambda f: compile(  # noqa: E731
            f, fullgraph=fullgraph, disable=disable
        )
        return again
    if disable:
        return model
    if not callable(model):
        raise TypeError(message(f"compile() takes a function or a Module, not {model!r}"))
    from ..nn.module import Module
    from .module import CompiledModule

    if isinstance(model, Module):
        return CompiledModule(model, fullgraph)
    return Compiled(model, fullgraph)


__all__ = ["Compiled", "Site", "compile"]
