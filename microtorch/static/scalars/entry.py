"""A rolled step of Scalars in the place of a function: how it is recorded, proved and called."""
from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from ...base.errors import message, warn
from ...graph import last_write, storage_of, tick
from ...handles.scalar import Scalar, constant_scalar
from ..agreement import close
from ..build import CompilerError, library
from ..guards import Watch
from ..keys import opaque
from ..outputs import walked_op
from ..settings import DRAWS, foreign_draws
from ..templates import replaced
from ..watched import TooMuch, Unwatchable
from .emit import Text
from .recording import MIXED, ScalarRecording
from .reroll import rolled, statements
from .slots import Slots, rows
from .trace import Kept, difference
from .written import Leaf, Out, Written

if TYPE_CHECKING:
    from ...base.types import Kernel, Operand
    from .reroll import Node
    from .trace import Instruction, Trace

MOST_REFRESHED = 16  # times that a guard's object was another one, but equal
MOST_STATEMENTS = 2000  # a longer text takes compilers too long
# A compiler knows tanh(0.5) better than C's library, which rounds the last bit in another way, and
# takes x * x for pow(x, 2).
EXACTLY = tuple(
    f"-fno-builtin-{f}" for f in "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh "
    "atanh exp exp2 expm1 log log2 log10 log1p erf erfc pow".split()
)  # fmt: skip
_values, _hooks = attrgetter("value"), attrgetter("hooks")


@contextmanager
def no_garbage() -> Iterator[None]:
    """Many small objects are made, and none in circles: looking for such would double the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def reached(root: Operand, args: Operand, kwargs: Operand, given: Sequence[Operand]) -> bool:
    """Can a function reach a Scalar, in its arguments or elsewhere?"""
    if any(type(x) is Scalar for x in given):
        return True
    try:
        return bool(Watch(root, *opaque((args, kwargs))).scalars)
    except (TooMuch, Unwatchable):
        return False


class ScalarRun:
    """One call of ``function``, written down. ``reason``: why it cannot be repeated, or ""."""

    def __init__(
        self, name: str, function: Kernel, root: Operand, args: Operand, kwargs: Operand,
        given: Sequence[Operand],
    ):  # fmt: skip
        scalars = [x for x in given if type(x) is Scalar]
        r, drawn = ScalarRecording(name, scalars), foreign_draws()
        result = r.lasts(lambda: function(*args, **kwargs))
        returned: list[Scalar] = []
        self.result, self.template = r.returned(result, returned)
        del result
        self.reason = r.reason or (DRAWS if drawn != foreign_draws() else "")
        if len(scalars) != len(given):
            self.reason = self.reason or MIXED
        if not self.reason and r.keeps(returned):
            self.reason = "it keeps a Scalar that it made, in a list, dict or attribute"
        try:
            self.watch = Watch(root, *opaque((args, kwargs)))
        except (TooMuch, Unwatchable) as e:
            self.watch = Watch()
            self.reason = self.reason or str(e)
        if self.reason:
            return
        with no_garbage():
            written = Written(r, returned)
        self.reason = r.reason or written.reason
        if self.reason:
            return
        self.trace: Trace = written.trace
        self.leaves: list[Leaf] = written.leaves
        self.plain_grads: dict[int, Operand] = written.plain_grads
        self.outs: list[Out] = written.outs

    def fails(self, given: Sequence[Operand]) -> str:
        """In what a call finds another state of Python, in words, or ""."""
        return self.watch.changed()

    def differs(self, before: ScalarRun) -> str:
        """Where two runs differ, or ""."""
        if [(x.place, x.place < 0 and id(x.scalar)) for x in self.leaves] != [
            (x.place, x.place < 0 and id(x.scalar)) for x in before.leaves
        ]:
            return "two calls read other Scalars"
        if self.outs != before.outs or repr(self.template) != repr(before.template):
            return "two calls differ in what they return"
        if repr(self.plain_grads) != repr(before.plain_grads):
            return "two calls differ in what they set gradients to"
        return difference(before.trace, self.trace)


class ScalarProgram:
    """A step of Scalars: ``nodes`` is the list of what it computes; printed, its loops."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.name = trace.name

    @property
    def nodes(self) -> list[Instruction]:
        return list(self.trace.instructions)

    @cached_property
    def parts(self) -> list[list[Node]]:
        """The instructions with loops in them."""
        return rolled(self.trace.instructions)

    @property
    def size(self) -> int:
        """How many statements there are once the loops are found."""
        return sum(1 for part in self.parts for _ in statements(part))

    @cached_property
    def text(self) -> Text:
        return Text(self.trace, self.parts)

    def __str__(self) -> str:
        head = f"graph {self.name}({self.trace.inputs} Scalars):"
        return "\n".join([head, *self.text.lines])

    __repr__ = __str__


class ScalarEntry:
    """A program that has proved itself, and the guards under which it stands for the function."""

    def __init__(self, run: ScalarRun):
        self.program = ScalarProgram(run.trace)
        self.watch, self.outs = run.watch, run.outs
        self.leaves, self.plain_grads = run.leaves, run.plain_grads
        self.own = [x.scalar for x in self.leaves if x.place < 0]  # the others are arguments
        self.places = [x.place for x in self.leaves if x.place >= 0]
        self.sees_grads = [
            (i, x.grad is None) for i, x in enumerate(self.leaves) if x.reads_grad
        ]  # fmt: skip
        kept = [i for i in run.trace.instructions if i.name in ("data=", "grad=")]
        self.data = [i.place for i in kept if i.name == "data="]
        self.grads = [i.place for i in kept if i.name == "grad="]
        self.ids = {id(x) for x in self.own}
        self.lock = threading.Lock()  # the buffers of C are the program's
        self.c: Kernel | None = None
        self.slots: Slots | None = None  # where C reads and writes the Scalars' numbers
        self.same: Kernel = bool  # are the guards' objects the same?
        self.refreshed = 0
        self.c_source = ""

    def proved(self, run: ScalarRun) -> str:
        """Run the program on what was there before: it must leave what the run left, or why not."""
        try:
            kept = run.trace.run(*self.before())
        except Exception as e:
            return f"its program raises {type(e).__name__}, where the call did not"
        for i in self.data:
            if not equal(kept.data[i], self.leaves[i].scalar.value):
                return "its program does not leave what the call left"
        for i in self.grads:
            if not equal(kept.grads[i], self.leaves[i].scalar.grad):
                return "its program does not leave what the call left"
        self.first = kept
        return ""

    def before(self) -> tuple[list[float], list[float]]:
        """The inputs' data and gradients of before the recorded run."""
        return [x.data for x in self.leaves], [
            float(x.grad) if isinstance(x.grad, (float, int)) else 0.0 for x in self.leaves
        ]  # fmt: skip

    def use_c(self) -> None:
        """Compile it; CompilerError says why not. It is used if its numbers are the program's."""
        with no_garbage():
            size = self.program.size
        if size > MOST_STATEMENTS:
            raise CompilerError(
                f"no loops were found in it that make it shorter than {size} "
                "statements, which would take a compiler too long"
            )
        with no_garbage():
            text = self.program.text.source
        (c,) = library(text, ["call_step"], EXACTLY)
        self.c_source = text
        n = len(self.leaves)
        self.buffers = [np.zeros(max(n, 1)) for _ in range(4)]
        self.buffers.append(np.zeros(max(2 * len(self.outs), 1)))
        self.c = c
        if not self.places and all(none for _, none in self.sees_grads):
            self.slots = Slots(self.own, self.data, self.grads)
        got, wanted = self.compute(*self.before()), self.first
        flat = [[x[i] for x, w in zip(got, wanted, strict=True) for i in w]
                for got in (got, wanted)]  # fmt: skip
        if not close(np.array(flat[0]), np.array(flat[1])):
            self.c, self.slots, self.c_source = None, None, ""
            warn(
                message(
                    "compiled C differs from what was recorded, and is not used: "
                    f"{self.program.name}, a step of Scalars",
                    fix="the function runs on, by the interpreter of its program",
                ),
            )  # fmt: skip

    def compute(self, data: Sequence[float], grads: Sequence[float]) -> Kept | Sequence[Operand]:
        """What the program leaves, by C or by the interpreter."""
        if self.c is None:
            return self.program.trace.run(data, grads)
        p, old, new_p, new_grads, out = self.buffers
        with self.lock:
            p[: len(data)] = data
            if self.sees_grads:
                old[: len(grads)] = grads
            self.c(*self.buffers)
            return new_p.tolist(), new_grads.tolist(), out.tolist()

    # ---- a call ----------------------------------------------------------------------------------
    def fails(self, given: Sequence[Scalar]) -> str:
        """The first guard that does not hold, in words, or ""."""
        if not self.places and self.same():
            return ""
        why = self.compared(given)
        if not why and self.slots is not None and self.refreshed < MOST_REFRESHED:
            self.refreshed += 1
            try:
                without = [self.own[i] for i, _ in self.sees_grads]
                self.same = rows(self.own, without, self.watch)
            except ValueError:
                self.refreshed = MOST_REFRESHED
        return why

    def compared(self, given: Sequence[Scalar]) -> str:
        """The same, by Python."""
        if any(map(_hooks, self.own)):
            return "a hook of a Scalar that it reads"
        if any(id(x) in self.ids for x in given):
            return "an argument is a Scalar that it reads besides"
        if self.sees_grads:
            every = [*self.own, *[given[p] for p in self.places]]
            for i, none in self.sees_grads:
                g = every[i].grad
                if (g is None) is not none or type(g) not in (float, int, type(None)):
                    return "a gradient that is None, or not"
        return self.watch.changed()

    def run(self, given: Sequence[Scalar], template: Operand) -> Operand:
        """One call: the program, then what it leaves behind."""
        if self.slots is not None and self.c is not None:
            p, _, new_p, new_grads, numbers = self.buffers
            with self.lock:
                self.slots.fill(p)
                self.c(*self.buffers)
                self.slots.leave(new_p, new_grads)
                out: Operand = numbers.tolist()
            for i, g in self.plain_grads.items():
                self.own[i].grad = g
            made = [*self.returned(self.own, out)]
            return replaced(template, lambda ref: made[ref.number])
        every = [*self.own, *[given[p] for p in self.places]]
        grads: list[float] = []
        if self.sees_grads:
            grads = [0.0 if x.grad is None else x.grad for x in every]
        data, new, out = self.compute([*map(_values, every)], grads)
        if self.data:
            now = last_write[0] = tick()
            for i in self.data:
                s = every[i]
                s.value = data[i]
                storage = s.storage or storage_of(s)
                storage.written = now
                storage.version += 1
                storage.writer = "a compiled function"
        for i in self.grads:
            every[i].grad = new[i]
        for i, g in self.plain_grads.items():
            every[i].grad = g
        made = [*self.returned(every, out)]
        return replaced(template, lambda ref: made[ref.number])

    def returned(self, every: Sequence[Scalar], out: Operand) -> Iterator[Operand]:
        """What the function returns."""
        for i, o in enumerate(self.outs):
            if o.kind == "leaf":
                yield every[o.place]
            elif o.kind == "number":
                yield out[2 * i]
            else:
                s = constant_scalar(out[2 * i])
                s.needs = o.needs
                if o.computed and o.needs:
                    s.op = walked_op
                if o.graded:
                    s.grad = out[2 * i + 1]
                yield s


def equal(a: Operand, b: Operand) -> bool:
    """Are two numbers the same to the bit, or both NaN?"""
    return repr(a) == repr(float(b))
