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

``Exp.apply(x)`` runs forward without recording and makes one node, whose backward calls that of the
class. Where there are several outputs, each has a projection node besides, which picks it from that
one. What is saved lies in ``node.saved`` as ``Saved``. It leaves out the node of an output until
backward runs: a node never refers to itself, so no reference cycle can arise.
"""
from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

import numpy as np

from ..base import errors
from ..engine import packing
from ..engine.backward import unbroadcast
from ..engine.checks import freed_error, stale_error
from ..engine.gradient_hooks import Outputs, as_tensor
from ..engine.op import Op
from ..engine.record import constant, constant_node, fill, handle
from ..engine.recorded import RECORDED
from ..engine.unfollowed import CUSTOM, mark
from ..graph import Mode, Node, mode, storage_of, user_frame
from ..handles.inplace import check_leaf
from ..handles.tensor import Tensor
from ..handles.views import adopt, check_followed
from ..kinds.level import levels_in
from .function_kinds import apply_inside

if TYPE_CHECKING:
    from ..base.types import Array, Contribution, Gradient, Namespace, Operand
    from ..graph import Storage


class Saved(NamedTuple):
    """A tensor kept for backward, and the storage whose writes are to be noticed."""

    array: Array
    node: Node | None  # None for an output
    output: int  # the number of the output, else -1
    storage: Storage


class FunctionCtx:
    """What forward leaves for backward.

    ``needs_input_grad[i]`` says whether the gradient of argument i is wanted.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._to_save: tuple[Tensor | None, ...] = ()
        self._non_differentiable: tuple[Tensor, ...] = ()
        self._dirty: tuple[Tensor, ...] = ()
        self._materialize = True
        self._node: Node | None = None  # set while backward runs
        self._for_forward: tuple[Tensor | None, ...] = ()
        self._forward = False  # does jvp run?

    if TYPE_CHECKING:  # forward may keep anything for backward in an attribute of its own

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: object) -> None: ...

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for backward, which notices if they were overwritten meanwhile."""
        self._to_save = tensors

    def saved_for_backward(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward was given. Only here, where a node keeps it, must it be Tensors:
        a forward of plain numbers may name them.
        """
        for i, t in enumerate(self._to_save):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    errors.message(
                        f"save_for_backward can only save variables, but argument {i} is of type "
                        f"{type(t).__name__}",
                        fix="keep other objects as attributes: ctx.n = n",
                    )
                )
        return self._to_save

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for ``jvp``."""
        self._for_forward = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors given to save_for_backward."""
        if self._forward:
            return self._for_forward
        return self._to_save if self._node is None else saved_tensors(self._node)

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """Its name of old."""
        what = "'saved_variables' is deprecated; use 'saved_tensors'"
        warnings.warn(what, DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Name outputs through which no gradient flows."""
        self._non_differentiable = outputs

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Name inputs that forward has overwritten; it must return each of them."""
        self._dirty = inputs

    def set_materialize_grads(self, value: bool) -> None:
        """With False, backward is given None, not zeros, for outputs that received no gradient."""
        self._materialize = value


def saved_tensors(node: Node) -> tuple[Any, ...]:
    """The saved tensors of a custom node, on the nodes they came from."""
    if node.saved is None:
        raise freed_error(node)
    out: list[Tensor | None] = []
    for entry in node.saved:
        if isinstance(entry, packing.Packed):
            out.append(entry.open())
            continue
        if isinstance(entry, Tensor):
            out.append(entry)
            continue
        if entry is not None and entry.storage.written > node.seq:
            raise stale_error(node, entry.node or node, -1)
        if entry is not None:
            place = entry.node or _output_node(node, entry.output, entry.array)
        out.append(None if entry is None else handle(entry.array, place))
    return tuple(out)


output_op = Op(  # the projection: one output of several
    "output",
    lambda F, x, index: x[index],
    joint=lambda F, g, node: [Outputs({node.attrs["index"]: g})],
    projection=True,
    rule=("g, for its output",),
    reads_nothing=True,
)


class Function:
    """Base class of custom ops: two static methods, and ``apply``, which runs them.

    They are ``forward(ctx, *args)`` and ``backward(ctx, *grads)``. PyTorch's newer form works as
    well: ``forward(*args)`` with ``setup_context(ctx, inputs, output)``.
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
    vmap: Callable[..., Any] | None = None
    generate_vmap_rule = False
    node_name = ""  # of the backward node, if it is not the class's name with Backward
    node_parts = False  # are the outputs the parts of the one input along its first dimension?
    node_rule = ""  # what an operand receives, in words; if empty, "what backward returns"

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """The derivative of the outputs in direction of the inputs' tangents (forward mode).

        ``None`` for what is no tensor; zeros for a tensor without a tangent.
        """
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    def __init__(self) -> None:
        name = type(self).__name__
        raise RuntimeError(
            f"{name} is a custom op: its methods are static, and it is called as {name}.apply(...)"
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward, and record one node if a gradient flows."""
        if kwargs or cls.setup_context is not None:
            args = _bound(cls, args, kwargs)
        for a in args:
            if _followed(a) and type(a.array) is not np.ndarray and levels_in(a.array):
                return apply_inside(cls, args)
        return cls._applied(args)[0]

    @classmethod
    def _applied(cls, args: tuple[Any, ...]) -> tuple[Any, FunctionCtx]:
        """What ``apply`` returns, and the context of this call."""
        ctx = FunctionCtx(tuple([_followed(a) and a.node.needs for a in args]))
        now = mode.get()
        results = _forward(cls, ctx, args)
        outputs = results if isinstance(results, tuple) else (results,)
        _check_dirty(cls, ctx, outputs)
        if not (
            now.grad and any(ctx.needs_input_grad) and any(isinstance(y, Tensor) for y in outputs)
        ):
            wrapped = tuple([_apart(y, ctx, args) for y in outputs])
            return wrapped if isinstance(results, tuple) else wrapped[0], ctx
        node = _record(cls, ctx, args, outputs)
        last = {id(y): i for i, y in enumerate(outputs)}  # one output for what is returned twice
        made = {i: _wrap(node, i, outputs[i], ctx, args) for i in last.values()}
        wrapped = tuple([made[last[id(y)]] for y in outputs])
        node.saved = tuple([_save(t, outputs, wrapped) for t in ctx.saved_for_backward()])
        if (pair := packing.current()) is not None:
            node.saved = tuple([_packed(node, pair, s) for s in node.saved])
        ctx._to_save = ctx._non_differentiable = ctx._dirty = ()
        return wrapped if isinstance(results, tuple) else wrapped[0], ctx


def _followed(a: object) -> bool:
    """Is it a Tensor of the graph? A sparse one goes to forward as it is."""
    if not isinstance(a, Tensor):
        return False
    if a.is_sparse and a.requires_grad:
        raise NotImplementedError(
            errors.message(
                "no gradient flows through a custom Function to a sparse tensor",
                fix="give it indices and values, and make the sparse tensor in forward",
            )
        )
    return not a.is_sparse


_signature = functools.cache(inspect.signature)


def _bound(
    cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """All arguments by position: names in their places, and defaults, which setup_context sees."""
    before = () if cls.setup_context is not None else (None,)  # for ctx
    bound = _signature(cls.forward).bind(*before, *args, **kwargs)
    bound.apply_defaults()
    return bound.args[len(before) :]


def _forward(cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...]) -> Any:
    """Run a Function's forward, which records nothing."""
    now = mode.get()
    try:
        mode.set(Mode(False, now.scope, now.inference))
        if cls.setup_context is not None:
            results = cls.forward(*args)
            cls.setup_context(ctx, args, results)
        else:
            results = cls.forward(ctx, *args)
    finally:
        mode.set(now)
    return results


def forward_again(node: Node, values: Sequence[Array]) -> tuple[FunctionCtx, tuple[Any, ...]]:
    """A custom node's forward once more, on copies of its tensors' values: for readers of a graph.

    Returns a context of its own, whose ``saved_tensors`` are what forward saved, and the outputs.
    """
    attrs, op = node.attrs or {}, node.op
    assert isinstance(op, CustomOp)
    args = list(attrs["arguments"])
    for place, value in zip(attrs["places"], values, strict=True):
        args[place] = constant(value.copy())
    ctx = FunctionCtx(attrs["ctx"].needs_input_grad)
    results = _forward(op.function, ctx, tuple(args))
    return ctx, results if isinstance(results, tuple) else (results,)


class CustomOp(Op):
    """The declaration of a user's Function."""

    finds_freed = True  # a backward that asks for nothing saved may run again

    def __init__(self, function: type[Function]):
        name = function.__name__
        rule = (function.node_rule or f"what {name}.backward returns for it",)
        super().__init__(name, None, joint=_backward, register=False, rule=rule)
        self.function = function
        members = {"__slots__": (), "op": self, "needs": True}
        members["saved_tensors"] = property(saved_tensors)
        members["__getattr__"] = _of_context
        self.node = type(function.node_name or f"{name}Backward", (Node,), members)
        if not function.node_name:  # how PyTorch prints the node of a user's Function
            self.node.__qualname__ = f"torch.autograd.function.{name}Backward"


def _of_context(node: Node, name: str) -> object:
    """What forward kept in an attribute of ``ctx``, which in PyTorch is the node."""
    if not name.startswith("_") and name in vars((node.attrs or {})["ctx"]):
        return getattr((node.attrs or {})["ctx"], name)
    raise AttributeError(f"{type(node).__name__!r} object has no attribute {name!r}")


_op: Callable[..., CustomOp] = functools.cache(CustomOp)  # one declaration for each Function


def _record(
    cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...]
) -> Node:
    places = tuple([i for i, a in enumerate(args) if _followed(a)])
    n = _op(cls).node()
    inputs = tuple([args[i].node for i in places])
    like = [(y.array.shape, y.array.dtype) if isinstance(y, Tensor) else None for y in outputs]
    others = tuple([None if _followed(a) else a for a in args])
    attrs = {"ctx": ctx, "places": places, "arguments": others, "outputs": like}
    value = outputs[0].array if len(outputs) == 1 else np.empty(0)
    dev, frame = inputs[0].dev.of(value.dtype), user_frame(sys._getframe(1))
    return fill(n, inputs, (), value, dev, attrs, mode.get().scope, frame)


def _check_dirty(cls: type[Function], ctx: FunctionCtx, outputs: tuple[Any, ...]) -> None:
    """Date the writes to inputs that forward names as dirty. Raises where they are not allowed."""
    for x in ctx._dirty:
        if not _is_among(x, outputs):
            raise RuntimeError(
                errors.message(
                    "Some elements marked as dirty during the forward method were not returned as "
                    "output. The inputs that are modified inplace must all be outputs of the "
                    "Function.",
                    f"{cls.__name__}: {errors.describe(x)}",
                )
            )
        check_leaf(x, cls.__name__)
        if mode.get().grad and any(ctx.needs_input_grad):
            check_followed(x)
        storage_of(x.node).wrote(cls.__name__)


def _apart(y: Operand, ctx: FunctionCtx, args: tuple[Any, ...]) -> Operand:
    """An output without gradient: of an input that is returned as it came, another handle."""
    if isinstance(y, Tensor) and _is_among(y, args) and not _is_among(y, ctx._dirty):
        return y.detach()
    return y


def _is_among(x: Any, things: tuple[Any, ...]) -> bool:
    return any(x is y for y in things)


def _wrap(node: Node, i: int, y: Any, ctx: FunctionCtx, args: tuple[Any, ...]) -> Any:
    """Output i as the user gets it: a Tensor on the node, anything else as it is.

    An input that forward overwrote gets the node itself. An output in the memory of another tensor
    is a view of it that no write can be followed through.
    """
    if not isinstance(y, Tensor):
        return y
    still = _is_among(y, ctx._non_differentiable) or y.array.dtype.kind not in "fcV"
    dirty = _is_among(y, ctx._dirty)
    if dirty:
        new: Node = constant_node(y.array, y.node.dev) if still else _place_output(node, i, y.array)
        adopt(y, new)
        return y
    t = handle(y.array, node)
    if still:
        t.node = constant_node(t.array, node.dev.of(t.array.dtype))
    else:
        t.node = _place_output(node, i, t.array)
    returned = _is_among(y, args)
    t.node.storage = storage_of(y.node) if returned else y.node.storage
    if returned or y.origin is not None:
        t.origin = y.origin or (y, ())
        mark(t, type(node).__name__.removesuffix("Backward"), i, CUSTOM)
        storage_of(t.node).add_view(ref(t))
    return t


def _place_output(node: Node, i: int, array: Array) -> Node:
    """The node of output i, whose value is ``array``."""
    if _outputs(node) == 1:
        node.value = array
    return _output_node(node, i, array)


def _outputs(node: Node) -> int:
    return len((node.attrs or {})["outputs"])


def _output_node(node: Node, i: int, array: Array) -> Node:
    """The node of output i: the custom node itself if it has no other."""
    if _outputs(node) == 1:
        return node
    n = output_op.node()
    dev = node.dev.of(array.dtype)
    fill(n, (node,), (node,), array, dev, {"index": i}, node.scope, sys._getframe())
    n.code, n.lasti = node.code, node.lasti  # the line of the call, also if made anew in backward
    return n


def _save(
    t: Tensor | None, outputs: tuple[Any, ...], wrapped: tuple[Any, ...]
) -> Saved | Tensor | None:
    if t is None or t.is_sparse:
        return t  # a sparse tensor as it is: its parts are no array of the graph
    for i, y in enumerate(outputs):
        if y is t:
            return Saved(wrapped[i].array, None, i, storage_of(wrapped[i].node))
    return Saved(t.array, t.node, -1, storage_of(t.node))


def _packed(
    node: Node, pair: packing.Pair, entry: Saved | Tensor | None
) -> packing.Packed | Tensor | None:
    """A saved tensor in the form of the user's hooks."""
    if entry is None or isinstance(entry, Tensor):
        return entry
    return packing.packed(pair, handle(entry.array, entry.node or node))


def _backward(F: Namespace, g: Gradient, node: Node) -> list[Contribution]:
    """Call the user's backward with Tensors, check what comes back, and hand it to the engine."""
    attrs, op = node.attrs or {}, node.op
    assert isinstance(op, CustomOp)
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
        results = op.function.backward(ctx, *grads)
    finally:
        ctx._node = None
    results = results if isinstance(results, tuple) else (results,)
    n = len(ctx.needs_input_grad)
    if len(results) < n or any(r is not None for r in results[n:]):
        raise RuntimeError(
            errors.message(
                f"function {name} returned an incorrect number of gradients (expected {n}, "
                f"got {len(results)})",
                fix="return one gradient per argument of forward, None for those without",
            )
        )
    graph = F is not node.dev
    out: list[Contribution] = []
    for place, x in zip(attrs["places"], node.inputs, strict=True):
        r = results[place]
        if r is None or not x.needs:
            out.append(None)
            continue
        r = _checked(name, place, r, x)
        out.append(r if graph else r.array.copy())
    return out


def _checked(name: str, place: int, r: Any, x: Node) -> Tensor:
    """A returned gradient in its input's shape (summed down if it is broadcast) and dtype."""
    if not isinstance(r, Tensor):
        raise RuntimeError(
            errors.message(
                f"expected Variable or None (got {type(r).__name__})",
                f"{name}: the gradient for argument {place} of forward",
            )
        )
    if r.array.shape != x.shape:
        try:
            fits = np.broadcast_shapes(r.array.shape, x.shape) == r.array.shape
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(
                errors.message(
                    f"Function {name} returned an invalid gradient at index {place} - got "
                    f"{list(r.shape)} but expected shape compatible with {list(x.shape)}"
                )
            )
        r = unbroadcast(RECORDED, r, x.shape)
    return r if r.array.dtype == x.dtype else RECORDED.cast(r, dtype=x.dtype)


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of a backward that cannot be differentiated again.

    To differentiate its result raises; without the decorator, terms would be missing in silence.
    """

    @functools.wraps(function)
    def wrapper(ctx: FunctionCtx, *grads: Any) -> Any:
        now = mode.get()
        if not now.grad:
            return function(ctx, *grads)
        try:
            mode.set(Mode(False, now.scope, now.inference))
            results = function(ctx, *grads)
            depends = [
                t for t in (*grads, *ctx.saved_tensors) if isinstance(t, Tensor) and t.node.needs
            ]
        finally:
            mode.set(now)
        sealed = tuple(
            [_Once.apply(r, *depends) if isinstance(r, Tensor) and depends else r
             for r in (results if isinstance(results, tuple) else (results,))]
        )
        return sealed if isinstance(results, tuple) else sealed[0]

    return wrapper


class _Once(Function):
    """A result of such a backward, tied to what it depends on so that a second derivative raises.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, result: Tensor, *depends: Tensor) -> Tensor:
        return result.detach()

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        raise RuntimeError(
            errors.message(
                "trying to differentiate twice a function that was marked with @once_differentiable"
            )
        )
