"""What a recorded call returned, and keeps: where it is found in the program, or why it cannot be.
"""
from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.device import default
from ..autograd import anomaly, no_grad
from ..base.errors import GraphError
from ..engine import backward, operands
from ..engine.record import constant
from ..handles.memory import owner
from ..handles.tensor import Tensor
from .compared import SIMPLE
from .keys import is_record
from .outputs import Output, walked
from .program import Leaf
from .recorded import Recorded
from .settings import settings
from .templates import Record, Ref
from .values import SLOT
from .watched import hooked

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..graph import Node
    from .recording import Recording


RETAINS = "it asks retain_grad() of a tensor that it returns: ask outside of the function"
OTHER_NUMBER = "it reads a number, and returns something else"
MOST_WORK = 1000  # to find out whether two arrays share memory


def output(r: Recording, x: Operand, outputs: list[Output]) -> Operand:
    """The template of what the function returns; Ref: number of an output."""
    if isinstance(x, Tensor):
        return _of_tensor(r, x, outputs)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[output(r, y, outputs) for y in x])
    if type(x) in (tuple, list):
        return type(x)([output(r, y, outputs) for y in x])
    if type(x) is dict:
        return {k: output(r, y, outputs) for k, y in x.items()}
    if is_record(x):
        return Record(type(x), output(r, {**vars(x)}, outputs))
    if any(x is number for number, _ in r.late):
        number, found = r.late[min(sum(o.kind == "number" for o in outputs), len(r.late) - 1)]
        if x is not number:  # small whole numbers are one object of Python
            r.give_up(OTHER_NUMBER)
        outputs.append(Output("number", found.number, constant(found.value)))
        return Ref(len(outputs) - 1)
    if not isinstance(x, SIMPLE):
        r.give_up(f"it returns a {type(x).__name__}")
    return x


def _of_tensor(r: Recording, x: Tensor, outputs: list[Output]) -> Operand:
    """A Ref to the output that the tensor is, which is appended to ``outputs`` if it is new."""
    if x.is_sparse:
        r.give_up("it returns a sparse tensor")
        return x
    for i, o in enumerate(outputs):
        if o.tensor is x:
            return Ref(i)
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
    if kind != "leaf" and _retains(x):
        r.give_up(RETAINS)
    if type(found) is not Recorded:
        r.give_up("it returns a tensor that was not computed from its arguments")
        return x
    if kind != "leaf" and _shares(r, found, outputs):
        r.give_up("it returns a view of memory that it does not own: .clone() it")
    outputs.append(Output(kind, found.number, x))
    return Ref(len(outputs) - 1)


def modes() -> Operand:
    """The modes of the library in which a call began, and that it must leave as they were."""
    return *settings(), len(anomaly.asked), default.device


def marks(tensors: Sequence[Tensor]) -> Operand:
    """What a caller sees of arguments that no step gives them: attributes and hooks."""
    return [({**vars(t)}, hooked(t.node)) for t in tensors]


@contextmanager
def cut(nodes: Sequence[Node]) -> Iterator[None]:
    """Nothing lies below these nodes: their graphs were begun outside."""
    below = [n.inputs for n in nodes]
    try:
        for n in nodes:
            n.inputs = ()
        yield
    finally:
        for n, inputs in zip(nodes, below, strict=True):
            n.inputs = inputs


def late_backward(r: Recording, outputs: list[Output]) -> None:
    """The program's own backward: from the outputs' gradients to the leaves'."""
    if any(_retains(t) for t in (x() for x in r.made) if t is not None):
        r.give_up(RETAINS)
        return
    outside = [n for n in r.nodes.values() if n.needs and n.op is not None]
    with no_grad(), cut(outside):
        _late_backward(r, outputs)


def _late_backward(r: Recording, outputs: list[Output]) -> None:
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
    if not leaves:
        r.give_up("it returns a tensor with a gradient for nothing but what it made itself")
        return
    seeds: list[Recorded] = []
    for i, o in enumerate(roots):
        seed = r.new(np.ones(o.tensor.array.shape, o.tensor.array.dtype))
        seeds.append(seed)
        r.program.leaves.append(Leaf(seed.number, "seed", i, o.tensor, seed.value))
    nodes = frozenset(x.tensor.node for x in leaves)
    found = backward.run([o.tensor.node for o in roots], seeds, retain=True, targets=nodes)
    grads = [found.get(x.tensor.node) for x in leaves]
    r.program.gradients = [None if g is None else g.number for g in grads]


def check_kept(r: Recording, outputs: list[Output]) -> None:
    """Refuse a tensor that lives on where the program would not put it."""
    allowed = {id(o.tensor) for o in outputs}
    allowed |= {id(o.tensor.origin[0]) for o in outputs if o.tensor.origin is not None}
    allowed |= set(map(id, operands.kept_numbers()))
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
        if g is not None and not g.is_sparse and g.node.needs:
            r.give_up("a gradient has a graph of its own (create_graph=True)")
    for collected in (False, True):
        kept = [x for x in (x() for x in r.made) if x is not None and id(x) not in allowed]
        if kept and not collected:  # perhaps by objects that know one another, and no one else
            del kept
            for o in outputs:
                if o.kind == "done":  # or by a graph that has been walked
                    o.tensor.node = walked(r.real(o.tensor.array), o.dev).node
            gc.collect()
        elif kept:
            r.give_up("it keeps a tensor that it made, in a list, dict or attribute")


def owned(x: Operand, r: Recording) -> Operand:
    """What a function returned, with copies of what is a view, or was there before."""
    if isinstance(x, Tensor):
        a = x.array
        view = x.origin is not None or (type(a) is Recorded and _shares(r, a, []))
        return x.clone() if view else x
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[owned(y, r) for y in x])
    if type(x) in (tuple, list):
        return type(x)([owned(y, r) for y in x])
    if is_record(x):
        return Record(type(x), owned({**vars(x)}, r)).made()
    return {k: owned(y, r) for k, y in x.items()} if type(x) is dict else x


def _retains(t: Tensor) -> bool:
    return t.node.hooks is not None and t.node.hooks.retain


def _shares(r: Recording, found: Recorded, outputs: list[Output]) -> bool:
    """Does an output lie in memory of a leaf or of a constant, or over another output?"""
    mine = owner(found.value)
    if mine.base is not None or any(mine is owner(leaf.array) for leaf in r.program.leaves):
        return True
    others = [r.real(o.tensor.array) for o in outputs]
    shared: Operand = np.shares_memory  # whose stub knows two amounts of work alone
    try:  # parts of one array may be returned that have no element in common
        return any(shared(found.value, x, max_work=MOST_WORK) for x in others)
    except np.exceptions.TooHardError:
        return True
