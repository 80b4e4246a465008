"""One run of a step of Scalars, written down.

A Scalar is a node already, so the graph is the record of what is computed. What a step does besides
are reads and writes of ``data`` and ``grad``, and ``backward``. While a recording is open, these
are events; and what ``data`` and ``grad`` give are Scalars that stand for the number, so that
arithmetic with them makes nodes, too. A question that a program could not repeat is answered, and
spoils the recording (``reason``).
"""
from __future__ import annotations

import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...autograd import gradients
from ...graph import Node, here, reachable, tick, user_frame
from ...graph.source import is_library
from ...handles.scalar import Scalar, constant_scalar
from ...handles.tensor import Tensor
from ..compared import SIMPLE
from ..templates import Ref
from ..turns import Turn
from ..values import SLOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...base.types import Operand

MIXED = "Tensors and Scalars in one function"
GRAD, VALUE = vars(Node)["grad"], vars(Node)["value"]  # the slots
# what asks a Scalar for its number, and how that is called in a message
QUESTIONS = {
    "float(x)": ("__float__",), "int(x)": ("__int__",), "printing": ("__repr__", "__format__"),
    "a condition such as `if x > 0`": (
        "__bool__", "__lt__", "__le__", "__gt__", "__ge__", "__eq__"),
}  # fmt: skip
# what a float can do, and a Scalar that stands for one cannot
ONLY_FLOATS = (
    "mod", "rmod", "floordiv", "rfloordiv", "divmod", "rdivmod", "round", "trunc", "floor", "ceil",
)  # fmt: skip


class Event(NamedTuple):
    """Something that happened to a Scalar: ``kind`` is "data=", "grad=" or "backward".

    ``value`` is the Scalar or the number that it was given.
    """

    seq: int
    kind: str
    of: Scalar
    value: Operand


class ScalarRecording(Turn):
    """What runs while it ``lasts`` can become a ``Trace``; see written.py."""

    def __init__(self, name: str, arguments: Sequence[Scalar]):
        self.name, self.arguments = name, arguments
        self.reason = ""
        self.events: list[Event] = []
        self.stands: dict[Node, tuple[str, Scalar]] = {}  # for which number of which Scalar
        self.detached: set[Node] = set()
        self.data_before: dict[Node, float] = {}  # of Scalars whose data was set
        self.grad_before: dict[Node, Operand] = {}  # of those whose gradient was read or set
        self.inside = False
        self.originals: dict[str, Operand] = {}
        self.patched: dict[str, Operand] = {}
        self.thread = threading.get_ident()
        self.start = tick()

    def give_up(self, why: str) -> None:
        """What happens now cannot be repeated: remember the first reason, with the user's line."""
        if not self.reason:
            self.reason = f"{why}, at {here()}"

    @property
    def elsewhere(self) -> bool:
        """Is it the library that asks, or another thread?"""
        return self.inside or threading.get_ident() != self.thread

    # ---- what happens ----------------------------------------------------------------------------
    def number(self, of: Scalar, kind: str, value: float) -> Scalar:
        """A Scalar in the place of a number that is read."""
        n = constant_scalar(value)
        self.stands[n] = (kind, of)
        return n

    def data(self, s: Scalar) -> Operand:
        return s.value if self.elsewhere else self.number(s, "data", s.value)

    def set_data(self, s: Scalar, value: Operand) -> None:
        if not self.elsewhere and s.op is None:
            given = value if isinstance(value, Scalar) else constant_scalar(value)
            self.events.append(Event(tick(), "data=", s, given))
            self.data_before.setdefault(s, s.value)
            value = given.value
        self.originals["data"].__set__(s, value)

    def grad(self, s: Scalar) -> Operand:
        g = GRAD.__get__(s)
        if self.elsewhere:
            return g
        self.grad_before.setdefault(s, g)
        if g is None:
            return g
        return self.number(s, "grad", float(g))

    def set_grad(self, s: Scalar, value: Operand) -> None:
        try:
            before = GRAD.__get__(s)
        except AttributeError:  # it is being made
            GRAD.__set__(s, value)
            return
        if not self.elsewhere:
            self.events.append(Event(tick(), "grad=", s, value))
            self.grad_before.setdefault(s, before)
            value = value.value if isinstance(value, Scalar) else value
        GRAD.__set__(s, value)

    def detach(self, s: Scalar) -> Scalar:
        n = self.number(s, "data", s.value)
        self.detached.add(n)
        return n

    def run_backward(
        self, roots: list[Operand], seeds: list[Operand], retain: bool, create_graph: bool,
        targets: Operand, tangents: bool = False,
    ) -> Operand:  # fmt: skip
        """In the place of autograd's own."""
        run = self.originals["_run"]
        if self.elsewhere:
            return run(roots, seeds, retain, create_graph, targets, tangents)
        if create_graph or targets is not None or len(roots) != 1 or type(seeds[0]) is not float:
            self.give_up("of the ways to ask for gradients, only x.backward() is recorded")
        self.events.append(Event(tick(), "backward", roots[0], seeds[0]))
        for n in reachable([x for x in roots if type(x) is Scalar]):
            if n.seq <= self.start:
                self.grad_before.setdefault(n, GRAD.__get__(n))
        self.inside = True
        try:
            return run(roots, seeds, retain, create_graph, targets, tangents)
        finally:
            self.inside = False

    def question(self, name: str, what: str) -> Callable[..., Operand]:
        """A method that answers, and spoils the recording."""
        answer = self.originals.get(name) or getattr(float, name)
        known = name in self.originals

        def asked(s: Scalar, *others: Operand) -> Operand:
            if not self.elsewhere:
                self.give_up(f"{what} reads a number that each run would have to ask for again")
            if known:
                return answer(s, *others)
            return answer(s.value, *[x.value if type(x) is Scalar else x for x in others])

        return asked

    def value(self, s: Scalar) -> Operand:
        if not self.elsewhere and not self.library_asks():
            self.give_up("x.value is a number that each run would have to ask for again: x.data")
        return VALUE.__get__(s)

    def set_value(self, s: Scalar, x: float) -> None:
        if not self.elsewhere and not self.library_asks():
            self.give_up("x.value is set: set x.data")
        VALUE.__set__(s, x)

    @staticmethod
    def library_asks() -> bool:
        """Is it the library's own code that called the caller?"""
        frame = sys._getframe(2)
        file = frame.f_code.co_filename
        if file not in is_library:
            user_frame(frame)  # knows it from now on
        return is_library[file]

    def tensor(self, t: Tensor) -> Operand:
        if not self.elsewhere:
            self.give_up(MIXED)
        return SLOT.__get__(t)

    # ---- open and close --------------------------------------------------------------------------
    def change(self) -> None:
        """Let Scalars tell this recording what happens."""
        self.originals |= vars(Scalar)
        self.originals["_run"] = vars(gradients)["_run"]
        self.patched |= {
            "data": property(self.data, self.set_data), "item": lambda s: self.data(s),
            "grad": property(self.grad, self.set_grad), "detach": lambda s: self.detach(s),
            "stack": staticmethod(self.stack), "value": property(self.value, self.set_value),
        }  # fmt: skip
        for what, names in QUESTIONS.items():
            self.patched |= {n: self.question(n, what) for n in names}
        for n in ONLY_FLOATS:
            if hasattr(float, f"__{n}__"):
                self.patched[f"__{n}__"] = self.question(f"__{n}__", f"{n} of a number")
        for name, made in self.patched.items():
            setattr(Scalar, name, made)
        vars(gradients)["_run"] = self.run_backward
        setattr(Tensor, "array", property(self.tensor, SLOT.__set__))  # noqa: B010

    def stack(self, *args: Operand, **named: Operand) -> Operand:
        if not self.elsewhere:
            self.give_up(MIXED)
        return self.originals["stack"].__func__(*args, **named)

    def restore(self) -> None:
        """Give Scalar and Tensor their own attributes back."""
        if "_run" not in self.originals:
            return
        vars(gradients)["_run"] = self.originals["_run"]
        if "array" in vars(Tensor):
            delattr(Tensor, "array")
        for name in self.patched:
            if name in self.originals:
                setattr(Scalar, name, self.originals[name])
            elif name in vars(Scalar):
                delattr(Scalar, name)

    # ---- what was returned -----------------------------------------------------------------------
    def a_float(self, n: Node) -> bool:
        """Would it have been a float: a number that was read, or arithmetic with such?"""
        todo, stands = [n], False
        while todo:
            x = todo.pop()
            if x in self.stands and x not in self.detached:
                stands = True
            elif x.op is None and (x.code is not None or x.seq <= self.start):
                return False
            elif x.needs or x in self.detached:
                return False
            todo.extend(x.inputs)
        return stands

    def returned(self, x: Operand, found: list[Scalar]) -> tuple[Operand, Operand]:
        """A result as the function would have given it, and its template; gathers Scalars."""
        if isinstance(x, Scalar):
            if not any(x is y for y in found):
                found.append(x)
            at = next(i for i, y in enumerate(found) if x is y)
            return (x.value if self.a_float(x) else x), Ref(at)
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            parts = [self.returned(y, found) for y in x]
            return type(x)(*[a for a, _ in parts]), type(x)(*[b for _, b in parts])
        if type(x) in (tuple, list):
            parts = [self.returned(y, found) for y in x]
            return type(x)(a for a, _ in parts), type(x)(b for _, b in parts)
        if type(x) is dict:
            pairs = {k: self.returned(y, found) for k, y in x.items()}
            return {k: a for k, (a, _) in pairs.items()}, {k: b for k, (_, b) in pairs.items()}
        if not isinstance(x, SIMPLE):
            self.reason = self.reason or f"it returns a {type(x).__name__}"
        return x, x

    # ---- what lives on ---------------------------------------------------------------------------
    def keeps(self, returned: list[Scalar]) -> bool:
        """Does a Scalar that the run made live on elsewhere than in what it returned?"""
        alive = [x for x in gc.get_objects() if type(x) is Scalar and x.seq > self.start]
        uses = Counter(id(y) for x in alive for y in x.inputs)
        ours = {id(x) for x in [*returned, *self.arguments, *self.stands]}
        ours |= {id(y) for e in self.events for y in (e.of, e.value)}
        ours |= {id(of) for _, of in self.stands.values()}
        # one reference each: the list, the variable x, the parameter of getrefcount
        return any(id(x) not in ours and sys.getrefcount(x) > 3 + uses[id(x)] for x in alive)
