"""The call of a program, written out as a Python function for it.

A small program runs in a few microseconds, so nothing around it may be looked up that is known:
which tensors are written to, whose gradient is made, what is returned. ``written_run`` writes a
function for that, and ``written_quick`` one that first asks whether its arguments, which are
nothing but tensors, are such as the program was made for, and all else is as it was. It may say no
where ``Entry.fails`` finds nothing wrong: that is asked next.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..backends.core.library import new
from ..engine.record import Constant, constant_of
from ..graph import Node, last_write, mode, storage_of, tick, user_frame
from ..graph.source import is_library
from ..handles.memory import owner
from . import settings
from .outputs import walked, walked_op
from .program import Writer
from .same import Rows, put_slots, put_written, untouched
from .templates import Record, Ref

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from ..handles.tensor import Tensor
    from .direct import Direct
    from .entry import Entry
    from .loops import Loops, Plan
    from .outputs import Output
    from .program import Leaf

MOST_REMADE = 8  # times that gradients were kept, or written to, by somebody else
MISSED = object()  # a guard does not hold
WRITER = "a compiled function"  # who has written to a tensor


class Reused:
    """The gradients that a program made last, whose memory it may fill again.

    It may if nobody has a reference to them but their leaves: then they would die now, and be made
    anew with the same numbers in them. One call at a time has their ``arrays``.
    """

    def __init__(self, leaves: Sequence[Tensor] = (), numbers: Sequence[int] = ()):
        self.leaves, self.numbers = leaves, numbers  # numbers of the gradients' values
        self.arrays: Sequence[Array] | None = None
        self.tensors: list[Tensor] = []
        self.rows = Rows()  # that nobody else knows them
        self.untouched: Kernel = bool
        self.remade = 0
        self.call: list[Operand] = [None]  # how C fills them (direct.py)

    def made(self, *tensors: Tensor) -> None:
        """Gradients of ``leaves`` that were made anew."""
        self.call[0] = None
        if self.remade < MOST_REMADE:
            self.remade += 1
            self.tensors = [*tensors]
            self.rows = untouched(self.leaves, self.tensors)
            self.untouched = self.rows.made()
            self.arrays = [t.array for t in tensors]


def parts_of(o: Output) -> tuple[type[Node], dict[str, int], dict[str, Operand]]:
    """The class of the node of a new tensor, and what stands in their slots: see put_slots."""
    constants: dict[str, Operand] = dict.fromkeys(("grad", "hooks", "storage"))
    constants["dev"] = o.dev
    given = {"array": 2, "value": 2, "seq": 3}
    if o.kind != "done":
        return Constant, given, constants
    constants |= {"inputs": (), "saved": (), "attrs": None}
    return walked_op.node, given | {"scope": 4, "code": 5, "lasti": 6}, constants


class CallWriter(Writer):
    """The lines of a call."""

    def __init__(self, entry: Entry):
        super().__init__(entry.program)
        self.entry = entry
        self.results: list[str] = []
        self.names |= {
            "constant_of": constant_of, "tick": tick, "owner": owner,
            "last_write": last_write, "storage_of": storage_of, "walked": walked,
            "mode": mode.get, "ndarray": np.ndarray, "entry": entry, "MISSED": MISSED,
        }  # fmt: skip

    def holder(self, leaf: Leaf) -> str:
        """The tensor whose memory a leaf is."""
        if leaf.kind == "argument":
            return f"t{leaf.place}"
        if leaf.kind == "gradient":
            other = next(x for x in self.entry.leaves if x.number == leaf.place)
            return f"{self.holder(other)}.node.grad"
        return self.constant(leaf.tensor, leaf.name)

    def say(self, *lines: str) -> None:
        self.lines += lines

    def unless(self, condition: str) -> None:
        self.say(f"if not ({condition}): return MISSED")

    def made(self, o: Output, v: str) -> str:
        """A tensor that is returned, its slots filled by C: what record.py says in Python."""
        kind, given, constants = parts_of(o)
        self.names |= {"new": new, "Tensor": type(o.tensor)}
        more = ", m.scope, code, lasti" if o.kind == "done" else ""
        called = f"new(Tensor), new({self.constant(kind, kind.__name__)}), {v}, tick(){more}"
        return f"{self.constant(put_slots(given, constants), 'put_slots')}({called})"

    def returned(self, x: Operand) -> str:
        """A part of what is returned."""
        if type(x) is Ref:
            return self.results[x.number]
        if type(x) is dict:
            keys = [repr(k) if type(k) in (str, int) else self.constant(k, "key") for k in x]
            pairs = zip(keys, x.values(), strict=True)
            return f"{{{', '.join(f'{k}: {self.returned(v)}' for k, v in pairs)}}}"
        if type(x) is Record:
            kind = self.constant(x.kind, x.kind.__name__)
            return f"{self.constant(Record, 'Record')}({kind}, {self.returned(x.held)}).made()"
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            kind = self.constant(type(x), type(x).__name__)
            return f"{kind}({', '.join(map(self.returned, x))})"
        if type(x) in (tuple, list):
            parts = "".join(f"{self.returned(y)}, " for y in x)
            return f"({parts})" if type(x) is tuple else f"[{parts}]"
        return self.operand(x)


def written_run(entry: Entry, plan: Plan, runners: dict[str, Loops]) -> Kernel:
    """``run(t0, t1, ...)``: the program, and what it leaves behind."""
    w = CallWriter(entry)
    returned = run_lines(w, plan, runners)
    given = "".join(f"t{i}, " for i in range(entry.takes))
    return w.function("run", given, returned, runners.values())


def run_lines(w: CallWriter, plan: Plan, runners: dict[str, Loops], quick: bool = False) -> str:
    """The lines of a call; returns what is to be returned. ``quick``: in ``written_quick``."""
    entry, reused = w.entry, w.entry.reused.numbers
    for leaf in entry.leaves:
        if leaf.kind == "tensor":
            w.names[f"v{leaf.number}"] = leaf.array
        else:
            w.say(f"v{leaf.number} = {w.holder(leaf)}.array")
    if reused:
        w.names["reused"] = entry.reused
        values = w.program.values
        fresh = [f"empty({values[n].shape}, {w.constant(d := values[n].dtype, d.name)}), "
                 for n in reused]  # fmt: skip
        w.names["empty"] = np.empty
        w.say("again, reused.arrays = reused.arrays, None",
              "old = again is not None and reused.untouched()",
              f"if not old: again = ({''.join(fresh)})",
              f"{''.join(f'v{n}, ' for n in reused)} = again")  # fmt: skip
    made = entry.body(w, plan, runners, reused)
    if entry.written:
        w.say("now = last_write[0] = tick()")
    if entry.by_c and entry.written and all(x.kind == "tensor" for x in entry.written):
        w.names |= {"put_written": put_written(), "give_storages": give_storages,
                    "written": [x.tensor for x in entry.written]}  # fmt: skip
        w.say(f"while not put_written(written, now, {WRITER!r}): give_storages(written)")
    else:
        for leaf in entry.written:
            w.say(f"node = {w.holder(leaf)}.node", "s = node.storage or storage_of(node)")
            w.say("s.written = now", "s.version += 1", f"s.writer = {WRITER!r}")
    later: list[tuple[str, str]] = []  # gradients whose memory may be reused
    for leaf, n in entry.new_grads:
        node = f"{w.holder(leaf)}.node"
        if n is None:
            w.say(f"{node}.grad = None")
        elif n in reused:
            later.append((node, f"v{n}"))
        else:
            w.say(f"{node}.grad = constant_of(v{n}, {node}.dev)")
    if later:
        w.say("if old: reused.arrays = again", "else:")
        for node, g in later:
            w.say(f"    {node}.grad = {g} = constant_of({g}, {node}.dev)")
        w.say(f"    reused.made({', '.join(g for _, g in later)})")
    if entry.late is not None:
        tensors = "".join(f"t{i}, " for i in range(entry.takes))
        w.names["attach"] = entry.late.attach
        w.say(f"late = attach(entry, ({tensors}), ({made}))")
    if quick and any(o.kind == "done" for o in entry.outputs):
        w.names |= {"caller": sys._getframe, "is_library": is_library, "user_frame": user_frame}
        w.say("frame, m = caller(0), mode()",
              "frame = frame.f_back or frame",  # none where a thread begins with this call
              "if is_library.get(frame.f_code.co_filename) is not False: frame = user_frame(frame)",
              "else: call[1] = frame.f_code",
              "code, lasti = frame.f_code, frame.f_lasti")  # fmt: skip
    for i, o in enumerate(entry.outputs):
        if o.kind == "leaf":
            w.results.append(w.holder(next(x for x in entry.leaves if x.number == o.number)))
            continue
        v, dev = f"v{o.number}", w.constant(o.dev, "dev")
        if quick and o.kind not in ("number", "late"):
            w.results.append(w.made(o, v))
            continue
        plain = f"constant_of({v}, {dev})"
        w.results.append({
            "number": f"{v}.item()", "late": f"late[{i}]", "done": f"walked({v}, {dev})",
        }.get(o.kind, plain))  # fmt: skip
    return w.returned(entry.template)


def give_storages(tensors: Sequence[Tensor]) -> None:
    """Tensors that are written to for the first time."""
    for t in tensors:
        storage_of(t.node)


def written_quick(
    entry: Entry, tensors: Sequence[Tensor], plan: Plan, runners: dict[str, Loops],
    direct: Direct,
) -> Kernel:  # fmt: skip
    """``quick(t0, t1, ...)``: what ``run`` gives, or MISSED where a guard does not hold; for
    arguments such as ``tensors``, and as Compiled.__call__ calls it."""
    w = CallWriter(entry)
    w.names |= {"call": direct.state, "prepare": direct.prepare}
    views = {i: t for i, t in enumerate(tensors) if t.array.base is not None}
    gradients = entry.gradients
    for i, t in enumerate(tensors):  # before Python looks into it
        if i in views or any(w.holder(leaf).startswith(f"t{i}.") for leaf in gradients):
            w.unless(f"type(t{i}) is {w.constant(type(t), 'Type')}")
    for leaf in gradients:
        a = leaf.array
        w.say(f"g = {w.holder(leaf)}")
        w.unless(
            f"g is not None and g.array.shape == {a.shape} and g.array.strides == {a.strides} "
            f"and g.array.dtype is {w.constant(a.dtype, 'dtype')} and not g.node.needs"
        )
    w.names |= {"homes": entry.owners, "reached": entry.watch.reached}
    for i, t in views.items():
        n = t.node
        w.say(f"a, n = t{i}.array, t{i}.node")
        w.unless(
            "type(a) is ndarray "
            f"and a.dtype is {w.constant(t.array.dtype, 'dtype')} "
            f"and a.shape == {t.array.shape} and a.strides == {t.array.strides} "
            f"and n.needs is {n.needs} and (n.op is None) is {n.op is None} and n.hooks is None "
            f"and (n.grad is None) is {n.grad is None} and (t{i}.origin is None) is "
            f"{t.origin is None}"
        )
        w.say(f"o{i} = owner(a)")
        w.unless(" and ".join([f"id(o{i}) not in homes and id(t{i}) not in reached", *[
            f"o{i} is not {f'o{j}' if j in views else f't{j}.array'}"
            for j in range(len(tensors)) if j < i or j not in views
        ]]))  # fmt: skip
    given = "".join(f"t{i}, " for i in range(len(tensors)))
    lent = " and ".join(f"o{i}.base is None" for i in views)
    if gradients or entry.lent or lent:
        w.names["lie_apart"] = entry.lie_apart
        first = "" if gradients or entry.lent else f"{lent} or "
        w.unless(f"({first}lie_apart(({given})))")
    w.names["same"] = entry.same
    w.unless(f"same({given})")
    returned = run_lines(w, plan, runners, quick=True)
    w.say("if call[0] is None: prepare()")
    return w.function("quick", given, returned, runners.values())


def rows(entry: Entry, tensors: Sequence[Tensor]) -> Rows:
    """What ``same`` asks: is all that ``entry`` was recorded under what it is now, and are its
    arguments such as these, but for those that are views?

    CompilerError: there is no compiler. ValueError: something is not compared by C.
    """
    made = Rows()
    settings.rows(made)
    for t, array, _, had in entry.fixed:
        if t.node.hooks is not None:
            raise ValueError("hooks are asked by Python")
        made.slot(t, "array", array)
        made.slot(t, "node", t.node)
        made.slot(t.node, "hooks", None)
        (made.other if had else made.slot)(t.node, "grad", None)
    if len({id(owner(t.array)) for t in tensors}) < len(tensors):
        raise ValueError("arguments that share memory are looked at by Python")
    homes = [owner(x.array) for x in entry.leaves if x.kind != "argument"]
    if entry.watch.gradients or any(id(t) in entry.watch.reached for t in entry.arguments):
        raise ValueError("an argument that the function also finds elsewhere is known by Python")
    read = {id(x.tensor) for x in entry.leaves}
    homes += [t.array for n, t in entry.watch.reached.items() if n not in read]
    for i, t in enumerate(tensors):
        if t.array.base is None:
            made.argument(i, t, homes)
    entry.watch.say(made)
    return made
