"""``torch.autograd.Function``: ops of the user's own.

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

``Exp.apply(x)`` runs forward without recording and makes one node, whose backward calls the
class's. Several outputs are one node, and one projection node for each output. What is saved lies
in ``node.saved`` as (array, node) pairs, where the node of an output is left out until backward
runs: a node never holds a handle on itself, so no reference cycle can arise.
"""
from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arrays import dtypes
from ..base import errors
from ..engine.backward import unbroadcast
from ..engine.checks import freed_error, stale_error
from ..engine.gradient_hooks import as_tensor
from ..engine.op import Op
from ..engine.record import constant, constant_node, fill, handle
from ..engine.recorded import RECORDED
from ..graph import Mode, Node, mode, storage_of, user_frame
from ..handles.tensor import Tensor


class Saved(NamedTuple):
    """A tensor kept for backward: its array, its node (None for output number ``output``), and the
    writes to watch for.
    """

    array: Any
    node: Node | None
    output: int | None
    storage: Any


class FunctionCtx:
    """What forward leaves for backward.

    ``needs_input_grad[i]`` says whether argument i's gradient is wanted.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._to_save: tuple[Any, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self._materialize = True
        self._node: Node | None = None  # set while backward runs

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward; overwriting them in place before then is noticed."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    errors.message(
                        f"save_for_backward can only save variables, but argument is of type "
                        f"{type(t).__name__}",
                        fix="keep other objects as attributes: ctx.n = n",
                    )
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors given to save_for_backward."""
        return self._to_save if self._node is None else saved_tensors(self._node)

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Outputs through which no gradient flows."""
        self._non_differentiable = outputs

    def mark_dirty(self, *inputs: Any) -> None:
        """Not supported: nodes never change, so a custom op cannot overwrite its inputs."""
        raise NotImplementedError(
            errors.message(
                "ctx.mark_dirty is not supported",
                fix="return a new tensor instead of writing into the input",
            )
        )

    def set_materialize_grads(self, value: bool) -> None:
        """With False, backward gets None instead of zeros for outputs that received no gradient."""
        self._materialize = value


def saved_tensors(node: Node) -> tuple[Any, ...]:
    """The saved tensors of a custom node, on the nodes they came from."""
    if node.saved is None:
        raise freed_error(node)
    out = []
    for entry in node.saved:
        if entry is None:
            out.append(None)
            continue
        if entry.storage is not None and entry.storage.written > node.seq:
            raise stale_error(node, entry.node or node, -1)
        place = entry.node or _output_node(node, entry.output, entry.array)
        out.append(handle(entry.array, place))
    return tuple(out)


class Outputs(dict[int, Any]):
    """The gradient of a multi-output node: output index -> gradient.

    ``+`` adds output by output.
    """

    def __add__(self, other: dict[int, Any]) -> Outputs:
        out = Outputs(self)
        for i, g in other.items():
            out[i] = out[i] + g if i in out else g
        return out


output_op = Op(
    "output",
    lambda F, x, index: x[index],
    joint=lambda F, g, node: [Outputs({node.attrs["index"]: g})],
    projection=True,
    rule=("g, for its output",),
    reads_nothing=True,
)


class Function:
    """Base class of custom ops: static methods ``forward(ctx, *args)`` and ``backward(ctx,
    *grads)``; run with ``apply``.

    ``forward(*args)`` with ``setup_context(ctx, inputs, output)``, PyTorch's newer form, works as
    well.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise NotImplementedError(
            "You must implement the backward method for your custom autograd.Function."
        )

    setup_context: Any = None

    def __init__(self) -> None:
        name = type(self).__name__
        raise RuntimeError(
            f"{name} is a custom op: its methods are static, and it is called as {name}.apply(...)"
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, and record one node if a gradient flows."""
        ctx = FunctionCtx(tuple([isinstance(a, Tensor) and a.node.needs for a in args]))
        now = mode.get()
        token = mode.set(Mode(False, now.scope, now.inference))
        try:
            if cls.setup_context is not None:
                results = cls.forward(*args)
                cls.setup_context(ctx, args, results)
            else:
                results = cls.forward(ctx, *args)
        finally:
            mode.reset(token)
        outputs = results if isinstance(results, tuple) else (results,)
        if not (
            now.grad and any(ctx.needs_input_grad) and any(isinstance(y, Tensor) for y in outputs)
        ):
            return results
        node = _record(cls, ctx, args, outputs)
        wrapped = tuple([_wrap(node, i, y, ctx, args) for i, y in enumerate(outputs)])
        node.saved = tuple([_save(t, outputs, wrapped) for t in ctx._to_save])
        ctx._to_save = ctx._non_differentiable = ()
        return wrapped if isinstance(results, tuple) else wrapped[0]


@functools.cache
def _op(cls: type[Function]) -> Op:
    op = Op(cls.__name__, None, joint=_backward, register=False, rule=(f"{cls.__name__}.backward",))
    slots = {"__slots__": (), "op": op, "needs": True, "saved_tensors": property(saved_tensors)}
    op.node = type(f"{cls.__name__}Backward", (Node,), slots)
    op.function = cls
    return op


def _record(
    cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...]
) -> Node:
    places = tuple([i for i, a in enumerate(args) if isinstance(a, Tensor)])
    n = _op(cls).node()
    inputs = tuple([args[i].node for i in places])
    like = [(y.array.shape, y.array.dtype) if isinstance(y, Tensor) else None for y in outputs]
    attrs = {"ctx": ctx, "places": places, "outputs": like}
    value = outputs[0].array if len(outputs) == 1 else np.empty(0)
    dev, frame = inputs[0].dev.of(value.dtype), user_frame(sys._getframe(1))
    return fill(n, inputs, (), value, dev, attrs, mode.get().scope, frame)


def _wrap(node: Node, i: int, y: Any, ctx: FunctionCtx, args: tuple[Any, ...]) -> Any:
    """The handle of output i."""
    if not isinstance(y, Tensor):
        return y
    copied = any(y is a for a in args)
    t = handle(y.array.copy() if copied else y.array, node)
    t.origin = None if copied else y.origin
    if any(y is x for x in ctx._non_differentiable) or y.array.dtype.kind != "f":
        t.node = constant_node(t.array, node.dev.of(t.array.dtype))
    else:
        if len(node.attrs["outputs"]) == 1:  # type: ignore[index]
            node.value = t.array
        t.node = _output_node(node, i, t.array)
    if not copied:  # a view of an input: a write to either is a write to both
        t.node.storage = y.node.storage
    return t


def _output_node(node: Node, i: int, array: Any) -> Node:
    if len(node.attrs["outputs"]) == 1:  # type: ignore[index]
        return node
    n = output_op.node()
    dev, frame = node.dev.of(array.dtype), user_frame(sys._getframe(1))
    fill(n, (node,), (node,), array, dev, {"index": i}, node.scope, frame)
    n.code, n.lasti = node.code, node.lasti  # also when it is made anew, in backward
    return n


def _save(t: Any, outputs: tuple[Any, ...], wrapped: tuple[Any, ...]) -> Saved | None:
    if t is None:
        return None
    for i, y in enumerate(outputs):
        if y is t:
            return Saved(wrapped[i].array, None, i, storage_of(wrapped[i].node))
    return Saved(t.array, t.node, None, storage_of(t.node))


def _backward(F: Any, g: Any, node: Node) -> list[Any]:
    """Call the user's backward with Tensors, check what comes back, and hand it to the engine."""
    attrs: Any = node.attrs
    ctx, name = attrs["ctx"], type(node).__name__
    given = g if isinstance(g, Outputs) else {0: g}
    grads: list[Any] = []
    for i, like in enumerate(attrs["outputs"]):
        if i in given:
            grads.append(as_tensor(given[i], node))
        else:
            grads.append(constant(np.zeros(*like), node.dev) if ctx._materialize and like else None)
    ctx._node = node
    try:
        results = node.op.function.backward(ctx, *grads)
    finally:
        ctx._node = None
    results = results if isinstance(results, tuple) else (results,)
    n = len(ctx.needs_input_grad)
    if len(results) < n or any(r is not None for r in results[n:]):
        raise RuntimeError(
            errors.message(
                f"function {name} returned an incorrect number of gradients (expected {n}, got "
                f"{len(results)})",
                fix="return one gradient per argument of forward, None for those without",
            )
        )
    graph = F is not node.dev
    out: list[Any] = []
    for place, x in zip(attrs["places"], node.inputs, strict=True):
        r = results[place]
        if r is None or not x.needs:
            out.append(None)
            continue
        r = _checked(name, place, r, x, F)
        out.append(r if graph else r.array.copy())
    return out


def _checked(name: str, place: int, r: Any, x: Node, F: Any) -> Tensor:
    """A returned gradient in its input's shape (summed down if it is broadcast) and dtype."""
    if not isinstance(r, Tensor):
        raise RuntimeError(errors.message(f"expected Variable or None (got {type(r).__name__})",
                                          f"{name}: the gradient for argument {place} of forward"))
    if r.array.shape != x.shape:
        try:
            fits = np.broadcast_shapes(r.array.shape, x.shape) == r.array.shape
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(
                errors.message(
                    f"Function {name} returned an invalid gradient at index {place} - got "
                    f"{list(r.shape)} but expected shape "
                    f"compatible with {list(x.shape)}"
                )
            )
        r = unbroadcast(RECORDED, r, x.shape)
    return r if r.array.dtype == x.dtype else r.to(dtypes.FROM_NUMPY[x.dtype])


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a backward that cannot be differentiated again: differentiating its result raises
    instead of dropping terms.
    """

    @functools.wraps(function)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        now = mode.get()
        if not now.grad:
            return function(ctx, *grads)
        token = mode.set(Mode(False, now.scope, now.inference))
        try:
            results = function(ctx, *grads)
            depends = [
                t for t in (*grads, *ctx.saved_tensors) if isinstance(t, Tensor) and t.node.needs
            ]
        finally:
            mode.reset(token)
        sealed = tuple(
            [_Once.apply(r, *depends) if isinstance(r, Tensor) and depends else r
             for r in (results if isinstance(results, tuple) else (results,))]
        )
        return sealed if isinstance(results, tuple) else sealed[0]

    return wrapper


class _Once(Function):
    """The result of a once-differentiable backward, tied to what it depends on so that a second
    derivative raises.
    """

    @staticmethod
    def forward(ctx: Any, result: Any, *depends: Any) -> Any:
        return result.detach()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        raise RuntimeError(
            errors.message(
                "trying to differentiate twice a function that was marked with @once_differentiable"
            )
        )
