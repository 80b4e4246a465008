"""Checkpoints: a part of a program whose intermediate values are not kept, but computed again.

    y = checkpoint(block, x, use_reentrant=False)      # as y = block(x), for less memory

Forward runs the function and keeps its inputs and its outputs. Backward runs it once more, on the
same random numbers, and walks back through that second run. The memory of a chain of blocks is
then that of one block and all the borders, for the time of one more forward (Chen et al. 2016).

`use_reentrant=False`: the first run is recorded, to learn from which tensors outside (weights too)
the outputs come, and forgotten. The checkpoint is one node with an edge to each of these. So
`autograd.grad`, keyword arguments and higher derivatives work as without it.

`use_reentrant=True`, PyTorch's older way: the node has edges to the tensor arguments only, and
backward inside backward adds to the `.grad` of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from ..autograd import Function, enable_grad, is_grad_enabled, no_grad
from ..autograd import backward as run_backward
from ..base.errors import message, warn
from ..create.random import get_rng_state, set_rng_state
from ..engine import autocast
from ..engine.backward import NOTHING, add, descend
from ..engine.gradient_hooks import as_tensor
from ..engine.record import constant, handle
from ..engine.recorded import RECORDED
from ..graph.clock import tick
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Argument, Gradient
    from ..engine.op import Op
    from ..graph import Node

    Contexts = Callable[[], tuple[AbstractContextManager[object], AbstractContextManager[object]]]

__all__ = [
    "CheckpointError",
    "checkpoint",
    "checkpoint_sequential",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]


class CheckpointError(RuntimeError):
    """The second run of a checkpoint gave something else than the first one."""


def noop_context_fn() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """Two contexts that do nothing: the default of `context_fn`."""
    return nullcontext(), nullcontext()


class _Call(NamedTuple):
    """A function and its arguments, and the state of the program in which it was called."""

    function: Callable[..., Argument]
    args: tuple[Argument, ...]
    kwargs: dict[str, Argument]
    random: Tensor | None
    region: autocast.Region | None
    again: AbstractContextManager[object]
    check: bool

    @contextmanager
    def state(self) -> Iterator[None]:
        """As when it was called: random numbers, mixed precision, the caller's context."""
        now = get_rng_state()
        token = autocast.enter(self.region)
        try:
            if self.random is not None:
                set_rng_state(self.random)
            with self.again:
                yield
        finally:
            autocast.leave(token)
            if self.random is not None:
                set_rng_state(now)

    def outputs(self, args: Sequence[Argument]) -> tuple[Argument, ...]:
        """The outputs of another run, as a tuple."""
        with self.state(), enable_grad():
            result = self.function(*args, **self.kwargs)
        return result if isinstance(result, tuple) else (result,)


def checkpoint(
    function: Callable[..., Argument],
    *args: Argument,
    use_reentrant: bool | None = None,
    context_fn: Contexts = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Argument,
) -> Argument:
    """function(*args, **kwargs), of which backward computes the intermediate values once more.

    `preserve_rng_state=True` gives the second run the random numbers of the first one.
    `context_fn` gives two contexts, for the first run and for the second one.
    `determinism_check` is "default" (both runs must record the same operations, and their outputs
    have the same shape and dtype: CheckpointError otherwise) or "none". `debug` and `early_stop`
    are accepted without effect.
    """
    if use_reentrant is None:
        _say_which("checkpoint")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs and use_reentrant:
        raise ValueError(message("Unexpected keyword arguments: " + ",".join(kwargs)))
    if use_reentrant and (context_fn is not noop_context_fn or debug):
        raise ValueError(
            message("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        )
    if determinism_check not in ("default", "none"):
        raise ValueError(
            message(
                "determinism_check should be one of ['default', 'none'], but got "
                f"{determinism_check!r}"
            )
        )
    first, again = context_fn()
    state = get_rng_state() if preserve else None
    now = autocast.region.get()
    # without its store of casts, which would tie the second run to the first one
    region = None if now is None else autocast.Region(now.dtype, None)
    call = _Call(function, args, kwargs, state, region, again, determinism_check != "none")
    if use_reentrant:
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            warn(
                "None of the inputs have requires_grad=True. Gradients will be None",
            )
        return _Reentrant.apply(call, *args)
    start = tick()
    token = autocast.enter(region)
    try:
        with first:
            result = function(*args, **kwargs)
    finally:
        autocast.leave(token)
    if not is_grad_enabled():
        return result
    results = result if isinstance(result, tuple) else (result,)
    young, old = _since(results, start)
    outside = [handle(node.value, node) for node in old]
    if not outside:
        return result
    made = [isinstance(r, Tensor) and r.requires_grad and r.node.seq > start for r in results]
    values = [_without_graph(r) for r, new in zip(results, made, strict=True) if new]
    others = [None if new else r for r, new in zip(results, made, strict=True)]
    kept = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
    whole = isinstance(result, tuple)
    steps = [node.op for node in young]
    del result, results, young, old  # the first run's graph goes
    passed = iter(_Recomputed.apply(call, made, values, steps, kept, *outside))
    out = tuple([next(passed) if new else r for r, new in zip(others, made, strict=True)])
    return out if whole else out[0]


def _without_graph(result: Tensor) -> Tensor:
    """The result as a constant; a copy where it is a view, which a write could go through."""
    if result.origin is not None:
        result = result.detach().clone()
    return constant(result.array, result.node.dev)


def _say_which(name: str) -> None:
    what = "" if name == "checkpoint" else ".checkpoint_sequential"
    will = (
        "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an exception."
        if not what
        else "In version 2.9 we will raise an exception if use_reentrant is not passed."
    )
    warn(
        f"torch.utils.checkpoint{what}: the use_reentrant parameter should be passed explicitly. "
        f"{will} use_reentrant=False is recommended, but if you need to preserve the current "
        "default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
        "differences between the two variants.",
    )


def _since(results: Sequence[Argument], start: int) -> tuple[list[Node], list[Node]]:
    """The nodes younger than `start` that gradients of the results reach, oldest first.

    And the older ones that they reach from these.
    """
    seen: set[Node] = set()
    young: list[Node] = []
    old: list[Node] = []
    todo = [r.node for r in results if isinstance(r, Tensor)]
    while todo:
        node = todo.pop()
        if node in seen or not node.needs:
            continue
        seen.add(node)
        (old if node.seq < start else young).append(node)
        if node.seq > start:
            todo += node.inputs
    young.sort(key=lambda node: node.seq)
    return young, old


class _Recomputed(Function):
    """The node of use_reentrant=False: its inputs are what the outputs come from."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        call: _Call,
        made: list[bool],
        values: list[Tensor],
        steps: list[Op],
        kept: list[Tensor],
        *outside: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.call, ctx.made, ctx.outside = call, made, outside
        ctx.forms, ctx.steps = [_form(v) for v in values], steps
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*kept)  # to notice if they were overwritten
        return tuple(values)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor | None) -> Argument:
        _ = ctx.saved_tensors
        start = tick()
        again = ctx.call.outputs(ctx.call.args)
        outputs = [y for y, new in zip(again, ctx.made, strict=False) if new]
        forms = [_form(v) for v in outputs]
        if ctx.call.check and forms != ctx.forms:
            raise CheckpointError(
                message(
                    "torch.utils.checkpoint: Recomputed values for the following tensors have "
                    "different metadata than during the forward pass.",
                    f"first: {ctx.forms}",
                    f"again: {forms}",
                    fix="the function must do the same in both runs",
                )
            )
        if ctx.call.check and (now := [n.op for n in _since(outputs, start)[0]]) != ctx.steps:
            raise CheckpointError(
                message(
                    "torch.utils.checkpoint: A different number of tensors was saved during the "
                    "original forward and recomputation, or by other operations.",
                    f"first: {_names(ctx.steps)}",
                    f"again: {_names(now)}",
                    fix="the function must do the same in both runs",
                )
            )
        found = _through(outputs, start, grads)
        aims = [t.node for t in ctx.outside]
        if not found.keys() <= set(aims):
            raise CheckpointError(
                message(
                    "torch.utils.checkpoint: the second run of a checkpoint read tensors that "
                    "require gradients and that the first run did not read",
                    fix="the function must do the same in both runs",
                )
            )
        return (None, None, None, None, None, *[_shown(found.get(node), node) for node in aims])


def _through(
    outputs: Sequence[Argument], start: int, grads: Sequence[Tensor | None]
) -> dict[Node, Gradient]:
    """Walk back through the nodes younger than `start` only: the gradients of older ones."""
    record = RECORDED if is_grad_enabled() else None
    pairs = _pairs(outputs, grads)
    seeds = [g if record else g.array for _, g in pairs]
    gradients = add({}, [y.node for y, _ in pairs], seeds)
    order = _since([y for y, _ in pairs], start)[0]
    descend(order, (gradients, {}, NOTHING, None, record, None, record is not None, set()))
    return gradients


def _names(steps: Sequence[Op]) -> str:
    return ", ".join("a leaf" if op is None else op.name for op in steps)


def _shown(g: Gradient, node: Node) -> Tensor | None:
    return None if g is None else as_tensor(g, node)


class _Reentrant(Function):
    """The node of use_reentrant=True: its inputs are the tensor arguments."""

    @staticmethod
    def forward(ctx: FunctionCtx, call: _Call, *args: Argument) -> Argument:
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*[a for a in args if isinstance(a, Tensor)])
        with no_grad():
            return call.function(*args)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor | None) -> Argument:
        _ = ctx.saved_tensors
        call = ctx.call
        args = [
            a.detach().requires_grad_(a.requires_grad) if isinstance(a, Tensor) else a
            for a in call.args
        ]
        pairs = _pairs(call.outputs(args), grads)
        if not pairs:
            raise RuntimeError(
                message("none of output has requires_grad=True, this checkpoint() is not necessary")
            )
        run_backward([y for y, _ in pairs], [g for _, g in pairs])
        return (None, *[a.grad if isinstance(a, Tensor) else None for a in args])


def _form(value: Argument) -> object:
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    return type(value)


def _pairs(
    outputs: Sequence[Argument], grads: Sequence[Tensor | None]
) -> list[tuple[Tensor, Tensor]]:
    """The outputs that a gradient has come to, each with it."""
    return [
        (y, g)
        for y, g in zip(outputs, grads, strict=True)
        if isinstance(y, Tensor) and y.requires_grad and g is not None
    ]


def checkpoint_sequential(
    functions: Argument,
    segments: int,
    input: Argument,
    use_reentrant: bool | None = None,
    **kwargs: Argument,
) -> Argument:
    """Run the functions (an nn.Sequential, or a list) one after the other, in `segments` pieces.

    All pieces but the last one are checkpoints.
    """
    if use_reentrant is None:
        _say_which("checkpoint_sequential")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(message("Unexpected keyword arguments: " + ",".join(kwargs)))
    children = getattr(functions, "children", None)
    steps = list(children()) if children is not None else list(functions)

    def piece(part: list[Callable[[Argument], Argument]]) -> Callable[[Argument], Argument]:
        def run(x: Argument) -> Argument:
            for step in part:
                x = step(x)
            return x

        return run

    size = len(steps) // segments
    for i in range(segments - 1):
        part = piece(steps[i * size : (i + 1) * size])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return piece(steps[(segments - 1) * size :])(input)


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Accepted without effect: the second run always goes to its end."""
    yield


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Accepted without effect."""
    yield


def get_device_states(*args: object) -> tuple[list[int], list[Tensor]]:
    """The devices of these tensors that have generators of their own, and their states: none.

    Reversible networks, which run forward again by hand, ask for them.
    """
    return [], []


def set_device_states(
    devices: Sequence[int], states: Sequence[Tensor], *, device_type: str | None = None
) -> None:
    """Accepted without effect: ``get_device_states`` found none."""
