"""``compile``: a function that is recorded, and from then on runs as its program.

The first call under one key (shapes, dtypes, layouts, Python arguments, grad mode) is an ordinary
one. The second and the third are recorded, and must agree. Then the program runs once on the memory
as it was before the third call, and must leave what that call left, to the bit. Only then is it
used, and only where all guards hold. What cannot be recorded runs as it is written, with one
warning that says why.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from operator import is_
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message, warn
from ..base.naming import named
from ..engine import autocast
from ..handles.memory import SHARE_UNSEEN, offset, owner, share_unseen
from ..handles.scalar import Scalar
from .build import CompilerError, directory
from .collecting import uncollected
from .entry import Entry, Run
from .keys import Refused, structure
from .native import builtin, descriptor
from .one_call import has_graph, leaf_names, recorded
from .proof import disagreement, proved
from .quick import MISSED
from .same import place_of, python
from .scalars.entry import ScalarEntry, ScalarRun, reached
from .scalars.mixed import Mixed
from .scalars.recording import MIXED
from .settings import backend, settings, unusual
from .shown import Shown
from .supposed import Otherwise, random_state
from .turns import Busy, recording_now
from .watched import About

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from .recording import Recording

    Key = tuple[Operand, ...]

MOST_PROGRAMS = 8
MOST_RECORDINGS = 6  # of one key, before they are given up
MOST_STATES = 4  # of Python's values and gradients, in which a key is recorded once
MOST_PENDING = 64  # keys that had no second call


class Compiled(Shown):
    """A function that runs as a program where it can. See ``compile``."""

    __slots__ = ("__dict__", "__weakref__", "quick")  # which C looks for

    def __init__(self, function: Kernel, fullgraph: bool = False, use_c: bool = True):
        self.function = self.root = function
        self.use_c = use_c
        self.fullgraph = fullgraph
        self.most = MOST_PROGRAMS
        self.own_outputs = False  # are views that it returns to be copied?
        self.by_data = False  # may sizes depend on data?
        self.entries: dict[Key, list[tuple[Entry | ScalarEntry, Operand]]] = {}
        self.pending: dict[Key, list[Run | ScalarRun]] = {}  # recorded once, for each state met
        self.recordings: dict[Key, int] = {}
        self.mixed: Operand = False  # how it is called with Scalars and Tensors; is this that?
        self.quick: Kernel | None = None  # the last program, where its arguments are tensors
        self.count = 0
        self.reason = ""  # why it runs as it is written, if it does
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__doc__ = getattr(function, "__doc__", None)
        self.__module__ = getattr(function, "__module__", __name__)
        self.__wrapped__ = function

    def __reduce__(self) -> Operand:
        """A copy has the function, and no programs. One that a decorator made goes by its name."""
        if getattr(sys.modules.get(self.__module__), self.__qualname__, None) is self:
            return self.__qualname__
        return type(self), (self.function, self.fullgraph, self.use_c)

    def slowly(self, *args: Operand, **kwargs: Operand) -> Operand:
        """A call for which ``quick`` does nothing."""
        if self.reason or recording_now() or unusual():
            return self.function(*args, **kwargs)
        if isinstance(self.mixed, Mixed):
            found = self.mixed(args, kwargs)
            self.count, self.reason = self.mixed.inner.count, self.mixed.inner.reason
            return found
        tensors: list[Operand] = []
        try:
            key = self.key((args, kwargs), tensors)
        except Refused as e:
            self.refuse(str(e))
            return self.function(*args, **kwargs)
        why = ""
        for entry, template in self.entries.get(key, ()):
            why = entry.fails(tensors)
            if not why:
                if (
                    isinstance(entry, Entry) and not kwargs and len(tensors) == len(args)
                    and all(map(is_, tensors, args)) and autocast.region.get() is None
                    and not entry.watch.names & {"getattr", "hasattr"}  # of arguments, perhaps
                ):  # fmt: skip
                    self.quick = entry.quick(args)
                    if self.quick is not None:
                        call_by_c()
                try:
                    return entry.run(tensors, template)
                except Otherwise as e:
                    why = str(e)
        if key not in self.pending:
            if len(self.pending) - len(self.entries) >= MOST_PENDING:
                self.refuse(f"it has been called in {MOST_PENDING} ways that did not come back: "
                            f"{differing(key, next(reversed(self.pending)))}")  # fmt: skip
            else:
                self.pending[key] = []
            if not self.mixed:  # which has been called before
                return self.function(*args, **kwargs)
        with uncollected():
            return self.record(key, args, kwargs, tensors, why)

    __call__ = slowly

    def __get__(self, instance: Operand, owner: type | None = None) -> Operand:
        """As a method: one program set for the function, with ``self`` as an argument."""
        return self if instance is None else named(
            lambda *a, **k: self(instance, *a, **k), self.__name__
        )  # fmt: skip

    # ---- keys ------------------------------------------------------------------------------------
    def key(self, arguments: Operand, tensors: list[Operand]) -> Key:
        """What a program is looked up by; gathers the tensors and Scalars among the arguments."""
        shape = structure(arguments, tensors)
        about: list[Operand] = []
        homes: dict[int, list[tuple[int, Array]]] = {}
        for i, t in enumerate(tensors):
            if type(t) is Scalar:
                if t.op is not None or t.hooks:
                    raise Refused("an argument is a Scalar with a graph, or a hook, of its own")
                about.append(t.needs)
                continue
            array, node = t.array, t.node
            if type(array) is not np.ndarray:
                raise Refused(f"an argument lies on {node.dev.device}")
            mates = homes.setdefault(id(owner(array)), [])
            beside = tuple([(j, lies_to(array, other)) for j, other in mates])
            mates.append((i, array))
            about.append((array.shape, array.dtype, array.strides, node.needs, beside,
                          type(t), t.origin is None, has_graph(node),
                          structure(vars(t), []) if vars(t) else ()))  # fmt: skip
        if share_unseen([t.array for t in tensors if type(t) is not Scalar]):
            raise Refused(SHARE_UNSEEN)
        return shape, tuple(about), backend(), *settings()

    # ---- recording -------------------------------------------------------------------------------
    def record(
        self, key: Key, args: Operand, kwargs: Operand, tensors: list[Operand], why: str
    ) -> Operand:
        """A call that is written down; the second of two that agree makes the program."""
        met = self.pending[key]
        like_now = [run for run in met if not run.fails(tensors)]
        count = self.recordings.get(key, 0)  # of those that came to an end
        if count >= MOST_RECORDINGS * (1 + len(self.entries.get(key, ()))):
            why = why or (met[-1].fails(tensors) if met else "") or "it changes"
            self.refuse(f"the guards do not hold from call to call: {why}")
            return self.function(*args, **kwargs)
        of_scalars = any(isinstance(run, ScalarRun) for run in like_now)
        if not self.mixed and (of_scalars or reached(self.root, args, kwargs, tensors)):
            return self.record_scalars(key, next(iter(like_now), None), args, kwargs, tensors)
        state = random_state()
        # the tensors that recordings of this key have met, and their gradients now
        past = [x for x in (*met, *[e for e, _ in self.entries.get(key, ())])
                if isinstance(x, (Run, Entry))]  # fmt: skip
        seen = [*tensors, *[leaf.tensor for x in past for leaf in x.leaves]]
        watched = {n: t for x in past for n, t in x.watch.tensors.items()}
        grads = {id(t): (t, t.node.grad) for t in (*seen, *watched.values())}
        others = [(t, About(t)[""]) for t in watched.values()]
        try:
            run = recorded(self, key, args, kwargs, tensors, grads, others)
            run = run._replace(known=bool(past))
        except Busy:
            return self.function(*args, **kwargs)
        self.recordings[key] = count + 1
        r = run.recording
        before = next((  # that went the same way
            x for x in like_now
            if isinstance(x, Run) and x.recording.asked.answers == r.asked.answers
        ), None)  # fmt: skip
        met[:] = [x for x in met if x is not before][1 - MOST_STATES :]
        settles = bool(r.reason) and self.may_settle(key, r)
        if not r.reason and before is not None:
            changed = before.watch.changed()
            if changed:
                r.reason = f"it changes a Python value, {changed}, which a program cannot"
            else:
                r.reason = disagreement(before, run)
                # perhaps the gradients were others
                settles = bool(r.reason) and (not before.known or self.may_settle(key, r))
                if not r.reason:
                    entry = Entry(run)
                    r.reason = proved(entry, run, state)
                    if not r.reason:
                        self.keep(key, entry, run)
                        return run.result
        if r.reason and not settles:
            self.refuse(r.reason)
        elif before is not None or not r.reason:
            r.reason = ""
            met.append(run)
        return run.result

    def record_scalars(
        self, key: Key, before: Run | ScalarRun | None, args: Operand, kwargs: Operand,
        given: list[Operand],
    ) -> Operand:  # fmt: skip
        """The same for a function of Scalars."""
        try:
            run = ScalarRun(self.__name__, self.function, self.root, args, kwargs, given)
        except Busy:
            return self.function(*args, **kwargs)
        self.recordings[key] = self.recordings.get(key, 0) + 1
        met = self.pending[key]
        met[:] = [x for x in met if x is not before][1 - MOST_STATES :]
        if run.reason.startswith(MIXED):
            self.mixed = Mixed(self.function, self.root, self.like)
            self.entries = self.mixed.inner.entries
            return run.result
        met.append(run)
        if isinstance(before, ScalarRun) and not run.reason:
            changed = before.watch.changed()
            run.reason = (
                f"it changes a Python value, {changed}, which a program cannot" if changed
                else run.differs(before)
            )  # fmt: skip
            entry = ScalarEntry(run)
            run.reason = run.reason or entry.proved(run)
            if not run.reason:
                self.keep(key, entry, run)
        if run.reason:
            self.refuse(run.reason)
        return run.result

    def like(self, function: Kernel) -> Compiled:
        """Another function, compiled in the same way and under the same name."""
        made = Compiled(function, self.fullgraph, self.use_c)
        made.__name__ = self.__name__
        return made

    def may_settle(self, key: Key, r: Recording) -> bool:
        """May another recording succeed: a state appears at the first steps, say."""
        few = self.recordings[key] < 4 * (1 + len(self.entries.get(key, ())))
        return few and any(word in r.reason for word in ("keeps", "differ"))

    def keep(self, key: Key, entry: Entry | ScalarEntry, run: Run | ScalarRun) -> None:
        """Use a program from now on."""
        self.count += 1
        if self.count > self.most:
            self.refuse(f"{self.most} programs have been made, for other shapes, Python "
                        "arguments or values")  # fmt: skip
            return
        plan: Callable[[], object] = bool
        use_c: Callable[[], None]
        if isinstance(entry, Entry) and isinstance(run, Run):
            entry.names = leaf_names(self.function, entry, run)
            for leaf in entry.leaves:
                leaf.name = entry.names.get(leaf.number, leaf.name)
            arrays = {x.number: x.value for x in run.recording.arrays.values()}
            first: dict[int, int] = {}
            for n, a in sorted(arrays.items()):
                home = first.setdefault(id(owner(a)), n)
                entry.homes |= {n: home} if home != n else {}
            if self.own_outputs:  # traced: who shows whose memory is asked for when it is written
                entry.lies = {n: (id(owner(a)), offset(a)) for n, a in arrays.items()}
            plan, use_c = partial(entry.plan_whole, arrays), partial(entry.use_c, arrays)
        elif isinstance(entry, ScalarEntry):
            use_c = entry.use_c
        text = f"compile: {self.__name__} runs by the interpreter of its program"
        asks = 'compile(f, backend="eager") asks for no C'
        try:
            plan()
            if self.use_c:
                use_c()
        except CompilerError as e:
            self.use_c = False
            room = f"room in {directory()} (MICROTORCH_CACHE names another folder)"
            fix = f"a C compiler, and {room}, are what it needs; or {asks}"
            warn(message(f"{text}: {e}", fix=fix))
        except Exception as e:  # a fault of the package: the program runs without C, and says so
            why = f"it could not be written as C, {type(e).__name__}: {e}"
            warn(message(f"{text}: {why}", fix=asks))
        self.entries.setdefault(key, []).append((entry, run.template))

    def refuse(self, why: str) -> None:
        """From now on the function runs as it is written; say so once."""
        if self.reason:
            return
        self.reason, self.quick = why, None
        self.pending.clear()
        text = message(
            f"compile: {self.__name__} runs as it is written, without a program: {why}",
            fix="see docs/static-graph.md for what can be recorded",
        )
        if self.fullgraph:
            raise RuntimeError(text)
        warn(text)


def lies_to(array: Array, other: Array) -> int | None:
    """How far from another array of the same memory this begins; None: they lie apart."""
    return offset(array) - offset(other) if np.may_share_memory(array, other) else None


@cache
def call_by_c() -> None:
    """Let C be ``Compiled.__call__``: it asks ``quick``, and for the rest ``slowly``."""
    probe = Compiled(bool)
    probe.quick = len  # only to be found
    given = place_of(probe, len), MISSED, Otherwise, Compiled.slowly.__name__
    builtin(python(), "call_by")(*given)
    setattr(Compiled, "__call__", descriptor(python(), "call_compiled", Compiled))  # noqa: B010


def differing(key: Key, other: Key) -> str:
    """In what two keys differ, and how to avoid it."""
    if key[0] != other[0]:
        return "its Python arguments change: give numbers that change as tensors"
    if key[1] != other[1]:
        return "its tensors have other shapes, dtypes or strides: pad them to a few sizes"
    return "modes of the library change"
