"""One call of a compiled function, written down: its steps, what it returns, what it may have read.

It gives the recording up where the call does what no program can repeat, and says what that is.
"""
from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from types import MethodType
from typing import TYPE_CHECKING

from ..engine import autocast
from ..handles.tensor import Tensor
from .entry import Run
from .guards import Watch
from .keys import containers, opaque, structure
from .recording import Recording
from .returned import OTHER_NUMBER, check_kept, late_backward, marks, modes, output, owned
from .settings import DRAWS, foreign_draws
from .source import unique
from .watched import About, Slots, TooMuch, Unnamed, Unwatchable

if TYPE_CHECKING:
    from ..base.types import Kernel, Operand
    from ..graph import Node
    from .compiled import Compiled, Key
    from .entry import Entry
    from .outputs import Output


def recorded(
    c: Compiled, key: Key, args: Operand, kwargs: Operand, tensors: list[Tensor],
    grads: dict[int, tuple[Tensor, Operand]], others: Sequence[tuple[Operand, int]],
) -> Run:  # fmt: skip
    """One call, written down. ``grads``: tensors that are known, by id, and their gradients;
    ``others``: tensors that it may not read, and About them."""
    owners = {id(g): t for t, g in grads.values() if g is not None}
    r = Recording(c.__name__, tensors, getattr(c.function, "__code__", None), owners)
    r.by_data = c.by_data
    outputs: list[Output] = []
    before = around(tensors)
    outside = any(has_graph(t.node) for t in tensors)

    def run() -> Operand:
        result = itself(c.function, args, kwargs)
        if c.own_outputs:
            result = owned(result, r)
        after: list[Operand] = []
        if structure((args, kwargs), after) != key[0] or not all(map(is_, after, tensors)):
            r.give_up("it changes a list, a dict or a dataclass that it is given")
        for was, now, why in zip(before, around(tensors), LEFT, strict=True):
            if was != now:
                r.give_up(why)
        note_outputs(r, result, outputs, outside)
        return result

    result = r.lasts(run)
    program = r.program
    for t, state in others:  # it changed the gradient of one that no step reads
        if About(t)[""] // 4 != state // 4:
            r.reason = r.reason or "it puts a hook on a tensor"
        elif About(t)[""] != state and all(x.tensor is not t for x in program.leaves):
            r.lift(t, t.array)
    program.fresh = {n for n in r.impure if n in program.constants}
    for leaf in program.leaves:
        leaf.name = leaf.name or f"{leaf.kind}_{leaf.number}"
    watch = watched(c, r, args, kwargs, outside)
    held = watch.seen.union(map(id, containers((args, kwargs))))
    for x in containers(result):
        if id(x) in held:  # the program would return a copy, and the caller may write to it
            r.reason = r.reason or f"it returns a {type(x).__name__} that others have, too"
        held.add(id(x))
    has = [
        (grads[id(t)][1] if id(t) in grads else t.node.grad) is not None
        for t in (leaf.tensor for leaf in program.leaves if leaf.kind != "seed")
    ]  # fmt: skip
    return Run(r, result, outputs, watch, has)


# what a call may not leave as another than it was, and what is said of each
LEFT = (
    "it gives an attribute to a tensor, or a hook",
    "it leaves the library in another mode: `with` changes it back",
    DRAWS,
)


def around(tensors: list[Tensor]) -> tuple[Operand, ...]:
    """What LEFT speaks of, as it is now."""
    return marks(tensors), modes(), foreign_draws()


def note_outputs(r: Recording, result: Operand, outputs: list[Output], outside: bool) -> None:
    """Write down what the call returns. ``outside``: an argument's graph was begun before it."""
    r.program.outputs = output(r, result, outputs)
    r.program.returned = [o.number for o in outputs]
    if len(r.late) != sum(o.kind == "number" for o in outputs):
        r.give_up(OTHER_NUMBER)
    r.find_owners()
    r.program.split = len(r.program.steps)
    if r.backward and outside:
        r.give_up("an argument has a graph that was begun outside the function, and "
                  "backward runs inside: .detach() it")
    if not r.reason and any(o.kind == "late" for o in outputs):
        late_backward(r, outputs)
    check_kept(r, outputs)


def watched(
    c: Compiled, r: Recording, args: Operand, kwargs: Operand, outside: bool
) -> Watch:  # fmt: skip
    """What the call may have read, and guards are to ask for. ``outside``: as above."""
    program = r.program
    try:
        watch = Watch(c.root, *opaque((args, kwargs)))
    except (TooMuch, Unwatchable) as e:
        if not (c.own_outputs and isinstance(e, Unnamed)):  # a trace holds what that was
            r.reason = r.reason or str(e)
        watch = Watch()
    read = {id(x.tensor) for x in program.leaves}
    watch.items += [(About(t), "grad", About(t)["grad"]) for n, t in watch.tensors.items()
                    if n not in read]  # fmt: skip
    r.reason = r.reason or r.effects.unwatched(watch)
    if "grad_fn" in watch.names and outside:
        r.reason = r.reason or "it reads grad_fn of an argument, whose graph may be another"
    if watch.speaks_of_rates and r.effects.groups:
        r.reason = r.reason or "it may read a learning rate, which a schedule in it changes"
    if not watch.speaks_of_rates:  # the program reads them at each call
        written = {id(x.tensor) for x in program.leaves
                   if (s := x.tensor.node.storage) and s.version > r.versions.get(x.number, 0)}
        idle = [g for g in r.effects.groups if written.isdisjoint(map(id, g["params"]))]
        for group, value in r.rated.values():
            steady = not any(group is g for g in r.effects.groups)
            if steady and float(value.group["lr"]) != value:
                r.reason = r.reason or "it changes a learning rate"
        rated = {(n, key) for n, key, _ in r.rated}
        rated |= {(id(g), key) for g in idle for key in g}  # of a step that was left out
        watch.items = [x for x in watch.items if (id(x[0]), x[1]) not in rated]
    places = {id(t): i for i, t in enumerate(r.arguments)}
    watch.gradients = [(i, places.get(id(r.owners[n]), r.owners[n]))
                       for n, i in places.items() if n in r.owners]  # fmt: skip
    named = {id(v) for _, _, v in watch.items}
    for leaf in program.leaves:  # a gradient that it finds elsewhere, too, is to be this one
        if leaf.kind == "gradient" and id(leaf.tensor) in named:
            of = r.leaves[leaf.place].tensor
            watch.items.append((Slots(of, ()), "grad", leaf.tensor))
    return watch


def itself(function: Kernel, args: Operand, kwargs: Operand) -> Operand:
    """The function; within autocast in a region of its own, since the casts of weights that
    others have made there are no part of the program."""
    now = autocast.region.get()
    if now is None:
        return function(*args, **kwargs)
    token = autocast.enter(autocast.Region(now.dtype, None if now.casts is None else {}))
    try:
        return function(*args, **kwargs)
    finally:
        autocast.leave(token)


def leaf_names(function: Kernel, entry: Entry, run: Run) -> dict[int, str]:
    """What the user calls the leaves; of new gradients ``d_`` and the name of their leaf."""
    found: dict[int, str] = {}
    by_tensor = {id(v): k for _, k, v in run.watch.items
                 if isinstance(v, Tensor) and isinstance(k, str)}  # fmt: skip
    method = getattr(type(function), "forward", None)  # of a Module, after self
    code = getattr(function, "__code__", getattr(method, "__code__", None))
    bound = isinstance(function, MethodType) or code is not getattr(
        function, "__code__", None
    )
    parameters = code.co_varnames[bound : code.co_argcount] if code is not None else ()
    for leaf in entry.leaves:
        name = by_tensor.get(id(leaf.tensor))
        if leaf.kind == "argument" and leaf.place < len(parameters):
            found[leaf.number] = unique(parameters[leaf.place], found.values())
        elif leaf.kind == "tensor" and name is not None:
            found[leaf.number] = unique(name, found.values())
    for leaf, n in entry.new_grads:
        if n is not None and leaf.number in found:
            found[n] = unique(f"d_{found[leaf.number]}", found.values())
    return found


def has_graph(node: Node) -> bool:
    return node.needs and node.op is not None
