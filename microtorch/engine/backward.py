"""Backward: walk the graph from the newest node to the oldest and add up contributions.

    grads = {root: seed}
    for each node, newest first:
        g = grads.pop(node)                       # complete: all that use the node are newer
        for each input x:  grads[x] += vjp(g)     # the chain rule, one contribution per edge

That is all, because order by ``seq`` is a topological order (graph/); textbook.py is the same as a
program. Gradients live in a local dict and never on the nodes, so an exception leaves nothing stale
and backward may run inside backward.

The walk has three modes with the same derivatives: on raw arrays (``F`` is the node's backend); on
Tensors whose operations are recorded in turn (``create_graph=True``: derivatives of any order); and
towards ``targets`` only (``autograd.grad``). ``descend`` is the walk, with the common node written
out; ``visit`` takes one node in general, and ``contributions`` is the chain rule at one node.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpy import ndarray

from ..arrays.quiet import may_raise, quietly
from ..graph import Node, in_order, last_write
from .checks import check_fresh, freed_error
from .gradient_hooks import after, before
from .op import passed_on
from .packing import opened
from .rows import Rows

if TYPE_CHECKING:
    from ..base.types import Contribution, Gradient, Namespace, Observer, Shape
    from .recorded import Recorded

    # What one backward is asked for, and the gradients that it has found so far: of nodes still to
    # be visited, and of targets; the targets, and the nodes below which one lies (None: gradients
    # go to the leaves); the namespace that records; who observes; are the arrays retained? And the
    # nodes whose gradient is an array that nobody else holds, into which more may be added.
    Walk = tuple[
        dict[Node, Gradient], dict[Node, Gradient], frozenset[Node], set[Node] | None,
        Recorded | None, Observer | None, bool, set[Node],
    ]  # fmt: skip

NOTHING: frozenset[Node] = frozenset()


def run(
    roots: Sequence[Node],
    seeds: Sequence[Gradient],
    *,
    retain: bool = False,
    graph: Recorded | None = None,
    targets: frozenset[Node] | None = None,
    observe: Observer | None = None,
) -> dict[Node, Gradient]:
    """Propagate ``seeds``, the gradients of the roots, backward.

    Without ``targets``, leaves accumulate into ``.grad``. With them, only paths that lead to a
    target are walked, nothing is accumulated, and the targets' gradients are returned. Unless
    ``retain``, nodes drop their arrays once visited, but keep their inputs: the skeleton can still
    be drawn. ``observe(node, g, contributions)`` sees every step.
    """
    order = in_order(roots)
    wanted = None if targets is None else leading_to(targets, order)
    captured: dict[Node, Gradient] = {}
    grads, aims = add({}, roots, seeds), targets or NOTHING
    down = quiet_descend if may_raise() else descend
    down(order, (grads, captured, aims, wanted, graph, observe, retain, set()))
    return captured


def run_loss(
    roots: list[Node], seed: Gradient, retain: bool, observe: Observer | None
) -> None:
    """``run`` for one root that is no leaf, down to the leaves, on raw arrays."""
    grads = {roots[0]: seed}
    down = quiet_descend if may_raise() else descend
    down(in_order(roots), (grads, {}, NOTHING, None, None, observe, retain, set()))


def descend(order: list[Node], walk: Walk) -> None:
    """Visit the nodes of ``order`` from its end, the newest: the common node written out."""
    grads, _, aims, wanted, graph, observe, retain, _ = walk
    general = graph is not None or observe is not None
    while order:  # hot path, half of a small training step: local names, inline steps, loose zip
        if (g := grads.pop(node := order.pop(), None)) is None:
            continue
        op, F, saved = node.op, node.dev, node.saved
        if (
            general or op is None or op.apart or saved is None or node.hooks is not None
            or (wanted is not None and (F is None or node in aims or node not in wanted))
        ):  # fmt: skip
            plain = wanted is None and node.hooks is None and type(g) is ndarray
            if plain and op is None:
                node.accumulate(g)
            else:
                (lay if plain and op.lays and not general else visit)(node, g, walk)
        elif F is None:  # a Scalar: each shows its gradient, and its step is generated
            node.grad = g if node.grad is None else node.grad + g
            op.scalar_backward(node, g, grads)
        else:
            if node.seq < last_write[0]:
                saved = check_fresh(node) or saved
            value, attrs = node.value, node.attrs
            for x, vjp in zip(node.inputs, op.vjp_kernels[F]):  # noqa: B905
                if not x.needs or (wanted is not None and x not in wanted):
                    continue
                # as in `contributions`; a * or ** that is not needed costs a tenth of a small vjp
                d = (g if vjp is passed_on else
                     vjp(F, g, value, *saved, **attrs) if attrs is not None else
                     vjp(F, g, value, *saved) if len(saved) != 2 else
                     vjp(F, g, value, saved[0], saved[1]))  # fmt: skip
                of = x.value  # where it is freed, another graph shares that node
                if d.shape != (of[0] if type(of) is tuple else of.shape):
                    d = unbroadcast(x.dev or F, d, x.shape)
                if x.op is None and (d is g or d.base is not None):
                    d = (x.dev or F).clone(d)  # at the border of a level x has another backend
                held = grads.get(x)
                grads[x] = d if held is None else plus(held, d, x.dev) if short(d) else held + d
            if not retain:
                node.saved = None  # `release`, written out
                if type(value) is not tuple and value.size > 256:
                    node.value = (value.shape, value.dtype)


quiet_descend = quietly(descend)


def visit(node: Node, g: Gradient, walk: Walk) -> None:
    """The step of one node in general: hooks, targets, leaves, and whoever observes the walk."""
    grads, captured, targets, wanted, graph, observe, retain, _ = walk
    if node.lost:
        if wanted is None:
            node.accumulate(g)
        return
    if type(g) is Rows and not (node.hooks is None and wanted is None and observe is None):
        g = g.dense()
    came = g
    if node.hooks is not None:
        last = node in targets and wanted is not None and wanted.isdisjoint(node.inputs)
        g = before(node, g, last)
        if g is None:
            return
    if wanted is not None:
        if node in targets:
            # as in PyTorch, whose hooks change what is asked for only where the walk ends
            captured[node] = g if wanted.isdisjoint(node.inputs) else came
            if wanted.isdisjoint(node.inputs):  # nothing below is asked for
                return
        elif node not in wanted:
            return
    elif node.op is None or node.dev is None:  # a leaf, or a Scalar, of which each keeps its own
        node.accumulate(g)
        if node.op is None and node.hooks is not None:
            after(node, g, [])
    if node.op is None:
        return
    if node.op.lays and graph is None and observe is None and node.hooks is None:
        lay(node, g, walk)
        return
    parts = contributions(node, g, graph, wanted)
    if node.hooks is not None:
        parts = after(node, g, parts)
    if observe is not None:
        observe(node, g, parts)
    add(grads, node.inputs, parts)
    if not retain and node.dev is not None:
        release(node)


def lay(node: Node, g: Gradient, walk: Walk) -> None:
    """The step of a view ``x[index]``: ``g`` is added at the index of x's gradient.

    Zeros of x's shape for each of many views of x would be far more to write and to add up.
    """
    grads, _, _, wanted, _, _, retain, laid = walk
    x = node.inputs[0]
    if x.needs and (wanted is None or x in wanted):
        index, held = (node.attrs or {})["index"], grads.get(x)
        if x in laid and type(held) is ndarray:
            part = held[index]
            if type(part) is ndarray:
                if short(g):
                    part[...] = plus(part, g, x.dev)
                else:
                    part += g
            else:  # one number
                held[index] += g
        else:
            d = node.dev.place(g, index=index, shape=x.shape, unique=True)
            grads[x] = d if held is None else plus(held, d, x.dev)
            laid.add(x)
    if not retain:
        release(node)


def add(
    grads: dict[Node, Gradient], nodes: Sequence[Node], parts: Sequence[Contribution]
) -> dict[Node, Gradient]:
    """Add to the gradient of each node what it receives."""
    for node, d in zip(nodes, parts, strict=True):
        if d is not None:
            grads[node] = plus(grads[node], d, node.dev) if node in grads else d
    return grads


def short(d: Gradient) -> bool:
    """Are these 16-bit numbers, of which numpy's own sum takes ten times as long as C's?"""
    return type(d) is ndarray and d.dtype.itemsize == 2


def plus(held: Gradient, d: Gradient, dev: Namespace) -> Gradient:
    """What a node has received, and one contribution more."""
    return dev.add(held, d) if short(d) and type(held) is ndarray else held + d


def contributions(
    node: Node, g: Gradient, graph: Recorded | None, wanted: set[Node] | None = None
) -> list[Contribution]:
    """The chain rule at one node: what each input receives of ``g``; None if it asks for none."""
    op, saved = node.op, node.saved
    F: Namespace = node.dev
    if saved is None:
        if op.reads_anything and not op.finds_freed:
            raise freed_error(node)
        saved = node.inputs
    if op.joint is not None:
        return op.joint(graph or F, g, node)
    if F is None:
        return node.contributions(g, graph)
    value = node.value
    if node.hooks is not None and node.hooks.packed is not None:
        saved, value = opened(node)
        assert saved is not None
    elif node.seq < last_write[0]:
        check_fresh(node)
        saved, value = node.saved or saved, node.value
    out, attrs = value, node.attrs or {}
    if graph is None:
        vjps = op.vjp_kernels[node.dev]
    else:
        F, vjps = graph, graph.vjps(node)
        out, saved = graph.lift(node, saved, value)
    parts: list[Contribution] = []
    # linear's last operand, a bias, is optional: there may be more vjps than inputs
    for x, vjp in zip(node.inputs, vjps):  # noqa: B905
        d = None
        if x.needs and (wanted is None or x in wanted):
            d = vjp(F, g, out, *saved, **attrs)
            d = unbroadcast(graph or x.dev or F, d, x.shape)
            if graph is None and x.op is None and (d is g or d.base is not None):
                d = (x.dev or F).clone(d)  # a leaf keeps what it is given: nobody else may hold it
        parts.append(d)
    return parts


def release(node: Node) -> None:
    """Drop the arrays of a node that has been visited.

    Small values stay: they cost less than the node, and pictures can show them.
    """
    node.saved = None
    value = node.value
    if type(value) is not tuple and value.size > 256:
        node.value = (value.shape, value.dtype)


def leading_to(targets: frozenset[Node], order: Sequence[Node]) -> set[Node]:
    """The nodes of ``order`` (oldest first) below which a target lies, targets included."""
    wanted: set[Node] = set()
    for node in order:
        if node in targets or any(x in wanted for x in node.inputs):
            wanted.add(node)
    return wanted


def unbroadcast(F: Namespace, d: Gradient, shape: Shape) -> Gradient:
    """Sum a contribution down to its input's shape: what was copied forward is added backward."""
    if d.shape == shape:
        return d
    extra = len(d.shape) - len(shape)
    if extra > 0:
        d = F.sum(d, dim=tuple(range(extra)), keepdim=False)
    copied: Shape = ()
    if extra >= 0:
        copied = tuple([i for i, n in enumerate(shape) if n == 1 and d.shape[i] != 1])
    if copied:
        d = F.sum(d, dim=copied, keepdim=True)
    return d if d.shape == shape else F.expand(d, shape=shape)
