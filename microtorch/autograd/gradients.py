"""``backward`` and ``grad``: PyTorch's arguments are read and checked, and the engine runs."""
from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..base import errors
from ..base.naming import named
from ..engine.backward import run, run_loss
from ..engine.gradient_hooks import as_tensor
from ..engine.leaf import AccumulateGrad
from ..engine.listening import foreseers, listeners
from ..engine.record import constant
from ..engine.recorded import RECORDED, Recorded
from ..graph import Mode, Node, mode
from ..handles.methods import ScalarMethods, bind_methods
from ..handles.scalar import Scalar
from ..handles.tensor import Tensor
from . import anomaly
from .roots import ONES, listed, node_of, seed_of, seeds_of

if TYPE_CHECKING:
    from ..base.types import Gradient, Root, Tree

_RECORD, _QUIET = Mode(True), Mode(False)


def _flag(name: str, value: Any) -> bool:
    """A flag as PyTorch's engine reads it: a bool, or an int; TypeError for anything else."""
    if value is True or value is False:
        return value
    try:
        return operator.index(value) != 0
    except TypeError as e:
        raise TypeError(errors.message(f"{e}", f"{name}={value!r}", fix="True or False")) from None


def backward(
    tensors: Root | Sequence[Root],
    grad_tensors: Gradient | Sequence[Gradient] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Gradient | Sequence[Gradient] | None = None,
    inputs: Root | Iterable[Root] | None = None,
) -> None:
    """Add the gradient of ``tensors`` to the ``.grad`` of all leaves below them, or only of
    ``inputs``.

    ``grad_tensors``: the gradient to start from, needed for tensors of more than one element.
    ``retain_graph`` (default: ``create_graph``) keeps the arrays for another backward.
    ``create_graph`` records the derivative itself. Raises RuntimeError as PyTorch does: no graph,
    non-scalar without gradient, graph already freed.
    """
    given = grad_tensors
    if grad_variables is not None:
        errors.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning)
        if grad_tensors is not None:
            raise RuntimeError(
                errors.message(
                    "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to "
                    "`backward()`. Please only use `grad_tensors`."
                )
            )
        given = grad_variables
    if isinstance(tensors, (Tensor, Scalar)):
        roots, seeds = [tensors], [seed_of(tensors, given, create_graph)]
    else:
        roots = listed(tensors)
        seeds = seeds_of(roots, given, create_graph)
    create_graph = _flag("create_graph", create_graph)
    retain = create_graph if retain_graph is None else _flag("retain_graph", retain_graph)
    if create_graph:
        errors.warn(
            "Using backward() with create_graph=True will create a reference cycle between the "
            "parameter and its gradient which can cause a memory leak. We recommend using "
            "autograd.grad when creating the graph to avoid this, or to set .grad to None after it."
        )
    if foreseers:
        for foreseer in list(foreseers.values()):
            foreseer(roots, create_graph)
    if inputs is None:
        _run(roots, seeds, retain, create_graph, None)
    else:
        _accumulate(roots, seeds, retain, create_graph, listed(inputs))
    if listeners:
        for listener in list(listeners.values()):
            listener(roots)


def _accumulate(
    roots: list[Root], seeds: list[Gradient], retain: bool, create_graph: bool, wanted: list[Root]
) -> None:
    """Add the gradients of ``wanted`` alone to their ``.grad``."""
    if not wanted:
        raise RuntimeError(errors.message("`inputs` argument to `backward()` cannot be empty."))
    for x in wanted:
        if isinstance(x, Tensor):
            x.retain_grad()  # where x is no leaf, the walk adds to its .grad, after the hooks
    targets = frozenset([node_of(x) for x in wanted])
    for node, g in _run(roots, seeds, retain, create_graph, targets).items():
        if isinstance(node, (AccumulateGrad, Scalar)):
            node.accumulate(g if isinstance(g, (Tensor, float, Scalar)) else g.copy())


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Iterable[Tensor] | None = None,
) -> None:
    """Add the gradient of this tensor to the ``.grad`` of all leaves below it (or of ``inputs``).

    ``gradient`` is needed where the tensor has more than one element.
    """
    if gradient is None is inputs and not (create_graph or foreseers or listeners):
        node = self.node  # a loss, as `backward` does it: a graph of a few nodes is mostly calls
        one = ONES.get(node.dev)
        if type(one) is ndarray and not self.array.ndim and node.op is not None and node.needs:
            before = mode.get()
            try:
                mode.set(_QUIET)
                observe = anomaly.check_nan if anomaly.is_anomaly_enabled() else None
                retain = retain_graph is not None and _flag("retain_graph", retain_graph)
                run_loss([node], one, retain, observe)
            finally:
                mode.set(before)
            return
    backward(self, gradient, retain_graph, create_graph, None, inputs)


def _scalar_backward(
    self: Scalar,
    gradient: Scalar | float | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Root | Iterable[Root] | None = None,
) -> None:
    """Add the derivative of this Scalar to the ``.grad`` of every Scalar (and leaf tensor) below.
    """
    backward(self, gradient, retain_graph, create_graph, None, inputs)


bind_methods({"backward": named(_tensor_backward, "backward")})
bind_methods({"backward": named(_scalar_backward, "backward")}, ScalarMethods)


def grad(
    outputs: Root | Iterable[Root],
    inputs: Root | Iterable[Root],
    grad_outputs: Gradient | Iterable[Gradient] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    For an input that the outputs do not depend on: None if ``allow_unused``, zeros if
    ``materialize_grads``, otherwise RuntimeError.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            errors.message(
                "Expected allow_unused to be True or not passed when materialize_grads=True, but "
                "got: allow_unused=False."
            )
        )
    if is_grads_batched:
        return _batched(
            outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused,
            materialize_grads,
        )  # fmt: skip
    create_graph = _flag("create_graph", create_graph)
    unused = allow_unused is not None and _flag("allow_unused", allow_unused)
    materialize_grads = _flag("materialize_grads", materialize_grads)
    roots, wanted = listed(outputs), listed(inputs)
    if not wanted:
        raise RuntimeError(errors.message("`inputs` argument to `grad()` cannot be empty."))
    seeds = seeds_of(roots, grad_outputs, create_graph)
    for x in wanted:
        if not node_of(x).needs:
            raise RuntimeError(
                errors.message(
                    "One of the differentiated Tensors does not require grad",
                    errors.describe(x),
                    fix="make it with requires_grad=True, before it is used",
                )
            )
    targets = [node_of(x) for x in wanted]
    retain = create_graph if retain_graph is None else _flag("retain_graph", retain_graph)
    found = _run(roots, seeds, retain, create_graph, frozenset(targets), True)
    out: list[Any] = []
    for x, node in zip(wanted, targets, strict=True):
        if node in found:
            out.append(as_tensor(found[node], node))
        elif materialize_grads:
            out.append(0.0 if isinstance(node, Scalar) else _zeros(node, create_graph))
        elif unused:
            out.append(None)
        else:
            raise RuntimeError(
                errors.message(
                    f"The differentiated Tensor at index {len(out)} appears to not have been used "
                    "in the graph. Set allow_unused=True if this is the desired behavior.",
                    f"input {len(out)} is {errors.describe(x)}",
                )
            )
    return tuple(out)


def _batched(
    outputs: Tree, inputs: Tree, grad_outputs: Tree, retain_graph: bool | None, create_graph: bool,
    allow_unused: bool | None, materialize_grads: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """``grad`` for each row of ``grad_outputs``, all at once; the gradients are stacked."""
    from ..kinds.vmap import vmap  # few programs need any kind of numbers

    outputs, inputs = listed(outputs), listed(inputs)
    given, unused = listed(grad_outputs), set[int]()
    places = [i for i, g in enumerate(given) if g is not None]

    def of_one(*rows: Tensor) -> tuple[Any, ...]:
        seeds: list[Any] = [None] * len(given)
        for i, row in zip(places, rows, strict=True):
            seeds[i] = row
        found = grad(
            outputs, inputs, seeds, retain_graph, create_graph, allow_unused=allow_unused,
            materialize_grads=materialize_grads,
        )  # fmt: skip
        unused.update(i for i, g in enumerate(found) if g is None)
        return tuple([g for g in found if g is not None])

    used = iter(vmap(of_one)(*[given[i] for i in places]))
    n = len(inputs)
    return tuple([None if i in unused else next(used) for i in range(n)])


def _zeros(node: Node, needs: bool) -> Tensor:
    """The gradient of what was not used; differentiable again (to zeros) if it has to be."""
    return constant(np.zeros(node.shape, node.dtype), node.dev).requires_grad_(needs)


def _run(
    roots: list[Root],
    seeds: list[Gradient],
    retain: bool,
    create_graph: bool,
    targets: frozenset[Node] | None,
    tangents: bool = False,
) -> dict[Node, Gradient]:
    create_graph = create_graph and not mode.get().inference
    graph = RECORDED if create_graph else None
    for g in seeds:
        if type(g) is not ndarray and type(g) is not float:  # on a device, or of some kind
            from ..kinds.borders import rooted

            with rooted([x.array for x in roots if isinstance(x, Tensor)], targets, tangents):
                graph = graph or _graph(seeds, tangents)
                return _walk(roots, seeds, retain, create_graph, graph, targets)
    return _walk(roots, seeds, retain, create_graph, graph, targets)


def _graph(seeds: list[Gradient], tangents: bool) -> Recorded | None:
    """Tensors as seeds: gradients of more kinds of numbers than what lies below their roots."""
    if tangents:
        from ..kinds.dual import Dual
        from ..kinds.level import dev_of, levels_in

        for i, g in enumerate(seeds):
            if any(level.kind is Dual for level in levels_in(g)):
                seeds[i] = constant(g, dev_of(g))
    return RECORDED if any([isinstance(g, Tensor) for g in seeds]) else None


def _walk(
    roots: list[Root], seeds: list[Gradient], retain: bool, create_graph: bool,
    graph: Recorded | None, targets: frozenset[Node] | None,
) -> dict[Node, Gradient]:  # fmt: skip
    # a custom backward's operations are recorded only if asked for
    before = mode.get()  # not by a token: Ctrl-C may come between mode.set and its assignment
    try:
        mode.set(_RECORD if create_graph else _QUIET)
        return run(
            [node_of(r) for r in roots],
            seeds,
            retain=retain,
            graph=graph,
            targets=targets,
            observe=anomaly.check_nan if anomaly.is_anomaly_enabled() else None,
        )
    finally:
        mode.set(before)
