"""Backward: walk the graph from the newest node to the oldest and add up contributions.

    grads = {root: seed}
    for each node, newest first:
        g = grads.pop(node)                       # complete: all that use the node are newer
        for each input x:  grads[x] += vjp(g)     # the chain rule, one contribution per edge

Order by ``seq`` is a topological order (graph.py), so that is all. Gradients live in a local dict and never on the nodes, so
an exception leaves nothing stale and backward may run inside backward.

``run`` works in two modes with the same derivative code: on raw arrays (``F`` is the node's backend), or, given ``graph``,
on Tensors whose operations are recorded in turn (``create_graph=True``: derivatives of any order).

``observe(node, g, contributions)`` sees every step; the stepper and anomaly detection are built on it.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import errors
from .graph import Node, in_order, last_write
from .ops import constant

Observer = Callable[[Node, Any, list[Any]], None]


def run(
    roots: Sequence[Node],
    seeds: Sequence[Any],
    *,
    retain: bool = False,
    graph: Any = None,
    targets: frozenset[Node] | None = None,
    observe: Observer | None = None,
) -> dict[Node, Any]:
    """Propagate ``seeds`` (gradients of the roots) backward.

    Without ``targets``, leaves accumulate into ``.grad``. With them, only paths that lead to a target are walked, nothing is
    accumulated, and the targets' gradients are returned. Unless ``retain``, nodes drop their arrays once processed, but
    keep their inputs: the skeleton can still be drawn.
    """
    grads: dict[Node, Any] = {}
    for node, g in zip(roots, seeds, strict=True):
        grads[node] = grads[node] + g if node in grads else g
    order = in_order(roots)
    wanted = None if targets is None else leading_to(targets, order)
    captured: dict[Node, Any] = {}
    plain = graph is None and observe is None
    while order:  # hot path: half of the time of a small training step; hence local names, inline steps, zip without strict
        node = order.pop()
        g = grads.pop(node, None)
        if g is None:
            continue
        op, hooks, F = node.op, node.hooks, node.dev
        if hooks is not None:
            g = before(node, g)
        if wanted is not None:
            if node in targets:  # type: ignore[operator]
                captured[node] = g
                if wanted.isdisjoint(node.inputs):  # nothing below is asked for: its own step is not taken
                    continue
            elif node not in wanted:
                continue
        elif F is None:  # a Scalar: every one shows its gradient, and its step is generated (scalar.py)
            held = node.grad
            node.grad = g if held is None else held + g
            if op is None:
                continue
            if plain and hooks is None and op.joint is None:
                op.scalar_backward(node, g, grads)
                continue
        elif op is None:
            node.accumulate(g)  # type: ignore[attr-defined]
            continue
        inputs, saved = node.inputs, node.saved
        if saved is None:
            if op.reads_anything:
                raise freed_error(node)
            saved = inputs
        contributions: list[Any] | None = None if plain and hooks is None else []
        value = out = node.value
        if op.joint is not None or F is None:
            contributions = op.joint(graph or F, g, node) if op.joint is not None else node.pull(g, graph)  # type: ignore[attr-defined]
        else:
            attrs = node.attrs
            if graph is None:
                vjps = op.vjp_kernels[F]
            else:
                F, vjps = graph, op.derivatives
                out, saved = graph.lift(node, saved)
            if node.seq < last_write[0]:
                check_fresh(node, wanted)
            for x, vjp in zip(inputs, vjps):  # noqa: B905
                if not x.needs or (wanted is not None and x not in wanted):
                    if contributions is not None:
                        contributions.append(None)
                    continue
                d = vjp(F, g, out, *saved) if attrs is None else vjp(F, g, out, *saved, **attrs)
                try:
                    shape = x.value.shape
                except AttributeError:  # freed: a node that another graph shares
                    shape = x.shape
                if d.shape != shape:
                    d = unbroadcast(F, d, shape)
                if x.op is None and graph is None and (d is g or d.base is not None):
                    d = F.clone(d)  # a leaf keeps what it is given: it must not share memory with another
                if contributions is None:
                    held = grads.get(x)
                    grads[x] = d if held is None else held + d
                else:
                    contributions.append(d)
        if contributions is not None:
            if hooks is not None and hooks.post:
                contributions = after(node, g, contributions)
            if observe is not None:
                observe(node, g, contributions)
            for x, d in zip(inputs, contributions, strict=True):
                if d is not None:
                    grads[x] = grads[x] + d if x in grads else d
        if not retain and F is not None:
            node.saved = None  # "freed"; small values stay, they cost less than the node, and pictures can show them
            if type(value) is not tuple and value.size > 256:
                node.value = (value.shape, value.dtype)
    return captured


def check_fresh(node: Node, wanted: set[Node] | None) -> None:
    """Raise if a value that the node's derivatives will read was overwritten after the node was made."""
    for i, x in enumerate(node.inputs):
        if x.needs and (wanted is None or x in wanted):
            for j in node.op.reads[i]:
                source = node.inputs[j]
                if source.storage is not None and source.storage.written > node.seq:
                    raise stale_error(node, source, j)
            if node.op.reads_out[i] and node.storage is not None and node.storage.written > node.seq:
                raise stale_error(node, node, -1)


def leading_to(targets: frozenset[Node], order: Sequence[Node]) -> set[Node]:
    """The nodes of ``order`` (oldest first) below which a target lies, targets included."""
    wanted: set[Node] = set()
    for node in order:
        if node in targets or any(x in wanted for x in node.inputs):
            wanted.add(node)
    return wanted


def unbroadcast(F: Any, d: Any, shape: tuple[int, ...]) -> Any:
    """Sum a contribution down to its input's shape: each element that was copied forward adds up its copies backward."""
    extra = len(d.shape) - len(shape)
    if extra > 0:
        d = F.sum(d, dim=tuple(range(extra)), keepdim=False)
    copied = tuple([i for i, n in enumerate(shape) if n == 1 and d.shape[i] != 1]) if extra >= 0 else ()
    if copied:
        d = F.sum(d, dim=copied, keepdim=True)
    return d if d.shape == shape else F.expand(d, shape=shape)


def as_tensor(g: Any, node: Node) -> Any:
    """A gradient as the user sees it: a Tensor on memory of its own (a float for a Scalar).

    A copy, because the engine's arrays may be shared (``x + y`` hands one array to both) and the user may write into theirs.
    """
    return g if node.dev is None or hasattr(g, "node") else constant(node.dev.array(node.dev.clone(g)), node.dev)


def as_gradient(hook: Any, result: Any, like: Any) -> Any:
    """What a user's hook returned, checked, and as the engine needs it: of the kind of ``like``."""
    shape = getattr(like, "shape", ())
    if isinstance(like, float) and isinstance(result, (int, float)):
        return float(result)
    name = getattr(hook, "__name__", repr(hook))
    if not hasattr(result, "shape"):
        raise TypeError(errors.message(f"expected Variable, but hook returned '{type(result).__name__}'", f"hook '{name}'"))
    if tuple(result.shape) != tuple(shape):
        raise RuntimeError(errors.message(f"hook '{name}' has changed the size of value",
                                          f"the gradient is {errors.describe(like)}, the hook returned {errors.describe(result)}"))
    if hasattr(result, "array") and not hasattr(like, "array"):
        return result.array.copy()  # a leaf keeps it and adds to it in place: it must not be the user's own
    return result


# ---- hooks ---------------------------------------------------------------------------------------------------------
def before(node: Node, g: Any) -> Any:
    """Run the hooks that see, and may replace, a node's complete gradient; keep it if ``retain_grad`` asked for it."""
    hooks = node.hooks
    for hook in list(hooks.tensor.values()):
        result = hook(as_tensor(g, node))
        if result is not None:
            g = as_gradient(hook, result, g)
    for hook in list(hooks.pre.values()):
        result = hook((as_tensor(g, node),))
        if result is not None:
            g = as_gradient(hook, result[0] if isinstance(result, tuple) else result, g)
    if hooks.retain:
        node.grad = as_tensor(g, node) if node.grad is None else node.grad + as_tensor(g, node)
    return g


def after(node: Node, g: Any, contributions: list[Any]) -> list[Any]:
    """Run the hooks on a node's whole backward step: ``hook(grad_inputs, grad_outputs)``."""
    for hook in list(node.hooks.post.values()):
        grad_inputs = tuple(None if d is None else as_tensor(d, node) for d in contributions)
        result = hook(grad_inputs, (as_tensor(g, node),))
        if result is not None:
            results = result if isinstance(result, tuple) else (result,)
            if len(results) != len(contributions):
                raise RuntimeError(
                    errors.message(
                        f"hook '{getattr(hook, '__name__', hook)}' has returned an incorrect number of values (got "
                        f"{len(results)}, but expected {len(contributions)})",
                        f"on {node.name()}, made at {node.where()}",
                    )
                )
            contributions = [
                None if d is None or r is None else as_gradient(hook, r, d) for r, d in zip(results, contributions, strict=True)
            ]
    return contributions


# ---- errors --------------------------------------------------------------------------------------------------------
def freed_error(node: Node) -> Exception:
    return errors.GraphError(
        errors.message(
            "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
            "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
            "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
            "saved tensors after calling backward.",
            f"{node.name()}, made at {node.where()}, has already been through backward",
            fix="backward(retain_graph=True) the first time; or, if the tensor was made outside the training loop, "
            "make it inside (or .detach() it)",
        )
    )


def stale_error(node: Node, x: Node, place: int) -> Exception:
    storage = x.storage
    which = "its output" if place < 0 else f"its input {place}"
    made = f", the output of {x.name()} made at {x.where()}," if x.op is not None else ""
    return errors.InplaceError(
        errors.message(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[torch.{x.dtype} {list(x.shape)}]{', which is output 0 of ' + x.name() + ',' if x.op is not None else ''} "
            f"is at version {storage.version}",
            f"{node.name()}, made at {node.where()}, reads {which}{made}",
            f"but {storage.writer or 'an in-place write'} overwrote it afterwards",
            fix="write the operation out of place (y = y + 1, not y += 1), or .clone() the value before overwriting it",
        )
    )
