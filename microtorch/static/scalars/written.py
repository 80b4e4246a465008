"""From a recording to a list of instructions: nodes and events, in the order of their time."""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ...graph import by_seq, reachable
from ...handles.scalar import Scalar
from .recording import Event
from .trace import Trace

if TYPE_CHECKING:
    from ...base.types import Operand
    from ...graph import Node
    from .recording import ScalarRecording
    from .trace import Where


class Leaf(NamedTuple):
    """An input: a Scalar that was there before; ``place``: among the arguments, or -1."""

    scalar: Scalar
    place: int
    data: float  # before the run
    grad: float | None
    reads_grad: bool  # does what happens depend on the gradient that was there before?


class Out(NamedTuple):
    """Something that the function returned: input ``place`` ("leaf"), a "number" or a "scalar"."""

    kind: str
    place: int = -1
    needs: bool = False
    computed: bool = False  # is it the result of an op?
    graded: bool = False


class Written:
    """What a recording becomes: ``trace``, its inputs ``leaves``, and ``outs``, what it returned.

    ``plain_grads``: gradients, by the place of their input, that are set to None or to a constant.
    """

    def __init__(self, r: ScalarRecording, returned: list[Scalar]):
        self.r, self.returned = r, returned
        self.reason = ""
        self.asked: set[Node] = {x for x in returned if not r.a_float(x)}
        self.asked |= {of for kind, of in r.stands.values() if kind == "grad"}
        nodes = self.reach()
        there = {n for n in [*nodes, *[e.of for e in r.events]]
                 if n.seq <= r.start and type(n) is Scalar}  # fmt: skip
        there.update(r.arguments)
        places: dict[Node, int] = {x: i for i, x in enumerate(r.arguments)}
        order = sorted(there, key=lambda n: (places.get(n, -1), n.seq))
        self.inputs: dict[Node, int] = {n: i for i, n in enumerate(order)}
        self.trace = Trace(r.name, len(order))
        self.at: dict[Node, Where] = {}  # where the values of nodes and leaves are found ...
        self.late: set[Node] = set()  # ... of these leaves, as soon as they have been copied
        self.grads: dict[Node, Operand] = {}  # where gradients are found; or None, or a number
        self.plain_grads: dict[int, Operand] = {}
        self.reads_grad: set[Node] = set()
        self.walks = [reachable([e.of]) for e in r.events if e.kind == "backward"]
        self.walked = [set(w) for w in self.walks]
        self.wanted: set[Node] = set()
        for n in sorted({n for w in self.walks for n in w}, key=by_seq):
            if n in self.inputs or n in self.asked or any(x in self.wanted for x in n.inputs):
                self.wanted.add(n)
        if not self.reason:
            self.write(nodes)
            self.outs = [self.out(i, x) for i, x in enumerate(returned)]
        self.leaves = [
            Leaf(n, places.get(n, -1), r.data_before.get(n, n.value), r.grad_before.get(n),
                 n in self.reads_grad) for n in order
        ]  # fmt: skip

    def give_up(self, why: str) -> None:
        self.reason = self.reason or why

    def reach(self) -> list[Node]:
        """All that the run leaves or returns depends on, oldest first."""
        r = self.r
        todo: list[Node] = [*self.returned]
        for e in r.events:
            todo += [x for x in (e.of, e.value) if isinstance(x, Scalar)]
        seen: set[Node] = set()
        while todo:
            n = todo.pop()
            if n in seen:
                continue
            seen.add(n)
            if type(n) is not Scalar:
                self.give_up("Tensors and Scalars in one function")
            elif n in r.stands:
                todo.append(r.stands[n][1])
            elif n.seq > r.start:
                todo.extend(n.inputs)
            elif n.op is not None:
                self.give_up("a Scalar is read whose graph was begun outside the function")
            if n.hooks:
                self.give_up("a Scalar with hooks is read")
        return sorted(seen, key=by_seq)

    # ---- where numbers are found -----------------------------------------------------------------
    def place(self, n: Node) -> Where:
        """Where the value of a node or a leaf is found now."""
        at = self.at.get(n)
        if at is None:
            first = ("c", self.r.data_before.get(n, n.value))
            at = self.at[n] = ("p", self.inputs[n]) if n in self.inputs else first
            if n not in self.inputs:
                self.late.add(n)
        return at

    def operand(self, n: Node) -> Where:
        """The same, for an op: a leaf whose number is not its own alone becomes a number of its
        own before gradient flows to it."""
        at = self.place(n)
        if n in self.late:
            self.late.remove(n)
            if n in self.wanted:
                at = self.at[n] = self.trace.add("copy", (), (at,), ((),), (n.code, n.lasti))
        return at

    def gradient(self, n: Node) -> Operand:
        """Where a gradient is found now; None, or a number, where that is known."""
        if n not in self.grads:
            before = self.r.grad_before.get(n)
            if before is not None and n in self.inputs:
                if type(before) not in (float, int):
                    self.give_up("a gradient has a graph of its own (create_graph=True)")
                self.reads_grad.add(n)
                return ("h", self.inputs[n])
            if n in self.inputs:
                self.reads_grad.add(n)
            return None
        return self.grads[n]

    # ---- in the order of time --------------------------------------------------------------------
    def write(self, nodes: list[Node]) -> None:
        r, trace = self.r, self.trace
        # how often data and gradients will still be set: only the last is what the run leaves
        left: Counter[tuple[str, Node]] = Counter()
        left.update((e.kind, e.of) for e in r.events if e.kind != "backward")
        for walk in self.walks:
            left.update(("grad=", n) for n in walk)
        backwards = 0
        happened: list[Node | Event] = [*nodes, *r.events]
        for x in sorted(happened, key=by_seq):
            if not isinstance(x, Event):
                self.node(x)
                continue
            if x.kind == "backward":
                seed = (("seed", x.value),)
                root = self.operand(x.of)
                trace.add("backward", seed, (root,), ((),), (None, 0), backwards)
                for n in sorted(self.walks[backwards], key=by_seq):
                    if n in self.inputs or n in self.asked:
                        self.grad(n, backwards, left)
                backwards += 1
                continue
            left[x.kind, x.of] -= 1
            last = not left[x.kind, x.of] and x.of in self.inputs
            if x.kind == "data=":
                at = self.at[x.of] = self.place(x.value)
                self.late.add(x.of)
                if last:
                    trace.add("data=", (), (at,), ((),), (None, 0), self.inputs[x.of])
            else:
                self.set_grad(x, last)

    def node(self, n: Node) -> None:
        """The instruction of a node."""
        if n in self.r.stands:
            kind, of = self.r.stands[n]
            at = self.place(of) if kind == "data" else self.gradient(of)
            self.at[n] = at if isinstance(at, tuple) else ("c", at)
        elif n.op is not None and n.seq > self.r.start:
            at, late = self.at, self.late
            given = tuple([at[x] if x in at and x not in late else self.operand(x)
                           for x in n.inputs])  # fmt: skip
            by = tuple([k for k, w in enumerate(self.walked) if n in w]) if n.needs else ()
            wanted = self.wanted
            flows = tuple([by if by and x.needs and x in wanted else () for x in n.inputs])
            if n not in wanted and all([kind == "c" for kind, _ in given]):
                at[n] = ("c", n.value)  # known, whatever the inputs are
                return
            attrs = tuple(n.attrs.items()) if n.attrs else ()
            at[n] = self.trace.add(n.op.name, attrs, given, flows, (n.code, n.lasti))

    def grad(self, n: Node, k: int, left: Counter[tuple[str, Node]]) -> None:
        """The gradient that backward number k gives to a leaf, or to a node that is asked for it.
        """
        held = self.gradient(n)
        target = self.operand(n)
        given: tuple[Where, ...] = (target,)
        if held is not None:
            given = (target, held if type(held) is tuple else ("c", held))
        at = self.grads[n] = self.trace.add("grad", (), given, ((),) * len(given), (None, 0), k)
        left["grad=", n] -= 1
        if not left["grad=", n] and n in self.inputs:
            self.trace.add("grad=", (), (at,), ((),), (None, 0), self.inputs[n])

    def set_grad(self, e: Event, last: bool) -> None:
        """A gradient is set: to None, to a constant, or to a number that was computed."""
        if isinstance(e.value, Scalar):
            if not self.r.a_float(e.value):
                self.give_up("a gradient is set to a Scalar")
            at = self.grads[e.of] = self.place(e.value)
            if last:
                self.trace.add("grad=", (), (at,), ((),), (None, 0), self.inputs[e.of])
        else:
            self.grads[e.of] = e.value
            if last:
                self.plain_grads[self.inputs[e.of]] = e.value

    def out(self, i: int, x: Scalar) -> Out:
        """A Scalar that the function returned; two numbers for each: data and gradient."""
        if x in self.inputs:
            return Out("leaf", self.inputs[x])
        add = self.trace.add
        add("out", (), (self.place(x),), ((),), (None, 0), 2 * i)
        if self.r.a_float(x):
            return Out("number")
        g = self.gradient(x)
        if g is not None:
            at = g if type(g) is tuple else ("c", g)
            add("out", (), (at,), ((),), (None, 0), 2 * i + 1)
        computed = x.op is not None and x not in self.r.stands
        if computed and x.needs and not any(x in w for w in self.walked):
            self.give_up("it returns a Scalar through which no backward() has gone: call "
                         "backward() inside, or return its data")  # fmt: skip
        return Out("scalar", -1, x.needs, computed, g is not None)
