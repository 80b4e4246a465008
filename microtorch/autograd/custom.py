"""The node of a user's Function: how it is recorded, what it keeps, and how backward runs it.

Where a Function has several outputs, each has a projection node besides, which picks it from that
one. What is saved lies in ``node.saved`` as ``Saved``. It leaves out the node of an output until
backward runs: a node never refers to itself, so no reference cycle can arise.
"""
from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

import numpy as np

from ..arrays.quiet import as_around
from ..base import errors
from ..engine import packing
from ..engine.backward import unbroadcast
from ..engine.checks import freed_error, stale_error
from ..engine.gradient_hooks import Outputs, as_tensor
from ..engine.op import Op
from ..engine.record import constant, constant_node, fill, handle
from ..engine.recorded import RECORDED
from ..engine.unfollowed import CUSTOM, mark
from ..graph import Node, mode, storage_of, user_frame
from ..handles.inplace import check_leaf
from ..handles.tensor import Tensor
from ..handles.views import adopt, check_followed

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Contribution, Gradient, Namespace, Operand
    from ..graph import Storage
    from .function import Function, FunctionCtx


class Saved(NamedTuple):
    """A tensor kept for backward, and the storage whose writes are to be noticed."""

    array: Array
    node: Node | None  # None for an output
    output: int  # the number of the output, else -1
    storage: Storage
    dev: Backend
    made: Callable[[], Node | None] = lambda: None  # of an output: its node, on which hooks are


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
            place = entry.node or entry.made()
            place = place or _output_node(node, entry.output, entry.array, entry.dev)
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


def followed(a: object) -> bool:
    """Is it a Tensor of the graph? A sparse one goes to forward as it is."""
    if type(a) is Tensor:  # as mostly
        return True
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


def record(
    cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...]
) -> Node:
    places = tuple([i for i, a in enumerate(args) if followed(a)])
    n = _op(cls).node()
    inputs = tuple([args[i].node for i in places])
    like = [(y.array.shape, y.array.dtype) if isinstance(y, Tensor) else None for y in outputs]
    others = tuple([None if followed(a) else a for a in args])
    attrs = {"ctx": ctx, "places": places, "arguments": others, "outputs": like}
    value = outputs[0].array if len(outputs) == 1 else np.empty(0)
    lies = [y.array for y in outputs if isinstance(y, Tensor) and hasattr(y.array, "dev")]
    dev = getattr(lies[0] if lies else None, "dev", inputs[0].dev).of(value.dtype)
    frame = user_frame(sys._getframe(1))
    return fill(n, inputs, (), value, dev, attrs, mode.get().scope, frame)


def check_dirty(cls: type[Function], ctx: FunctionCtx, outputs: tuple[Any, ...]) -> None:
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


def apart(y: Operand, ctx: FunctionCtx, args: tuple[Any, ...]) -> Operand:
    """An output without gradient: of an input that is returned as it came, another handle."""
    if isinstance(y, Tensor) and _is_among(y, args) and not _is_among(y, ctx._dirty):
        return y.detach()
    return y


def _is_among(x: Any, things: tuple[Any, ...]) -> bool:
    for y in things:
        if x is y:
            return True
    return False


def wrap(node: Node, i: int, y: Any, ctx: FunctionCtx, args: tuple[Any, ...]) -> Any:
    """Output i as the user gets it: a Tensor on the node, anything else as it is.

    An input that forward overwrote gets the node itself. An output in the memory of another tensor
    is a view of it that no write can be followed through.
    """
    if not isinstance(y, Tensor):
        return y
    still = _is_among(y, ctx._non_differentiable) or y.array.dtype.kind not in "fcV"
    dirty = _is_among(y, ctx._dirty)
    if dirty:
        new: Node = constant_node(y.array, y.node.dev) if still else _place_output(node, i, y)
        adopt(y, new)
        return y
    t = handle(y.array, node)
    if still:
        t.node = constant_node(t.array, y.node.dev)
    else:
        t.node = _place_output(node, i, y)
    returned = _is_among(y, args)
    t.node.storage = storage_of(y.node) if returned else y.node.storage
    if returned or y.origin is not None:
        t.origin = y.origin or (y, ())
        mark(t, type(node).__name__.removesuffix("Backward"), i, CUSTOM)
        storage_of(t.node).add_view(ref(t))
    return t


def _place_output(node: Node, i: int, y: Tensor) -> Node:
    """The node of output i, whose value is that of ``y`` and lies where it lies."""
    if _outputs(node) == 1:
        node.value, node.dev = y.array, y.node.dev
    return _output_node(node, i, y.array, y.node.dev)


def _outputs(node: Node) -> int:
    return len((node.attrs or {})["outputs"])


def _output_node(node: Node, i: int, array: Array, dev: Backend) -> Node:
    """The node of output i: the custom node itself if it has no other."""
    if _outputs(node) == 1:
        return node
    n = output_op.node()
    fill(n, (node,), (node,), array, dev, {"index": i}, node.scope, sys._getframe())
    n.code, n.lasti = node.code, node.lasti  # the line of the call, also if made anew in backward
    return n


def save(
    t: Tensor | None, ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...],
    wrapped: tuple[Any, ...], by_setup: bool,
) -> Saved | Tensor | None:  # fmt: skip
    """``t`` as it is kept: as an output, or as what it was before; so is an input that is returned
    as it came. RuntimeError where ``by_setup``, setup_context, cannot have told which is meant.
    """
    if t is None or t.is_sparse:
        return t  # a sparse tensor as it is: its parts are no array of the graph
    as_it_came = _is_among(t, args) and not _is_among(t, ctx._dirty)
    if as_it_came and by_setup and _is_among(t, outputs):
        raise RuntimeError(
            errors.message(
                "An input that has been returned as-is as output is being saved for backward. This "
                "is not supported if you override setup_context.",
                errors.describe(t),
                fix="return x.view_as(x) from forward, and save that",
            )
        )
    for i, y in enumerate(() if as_it_came else outputs):
        if y is t:
            if (made := wrapped[i]).node.needs:
                storage, dev = storage_of(made.node), made.node.dev
                return Saved(made.array, None, i, storage, dev, ref(made.node))
            t = made  # a constant: whole numbers, or marked as such
            break
    return Saved(t.array, t.node, -1, storage_of(t.node), t.node.dev)


def packed(
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
        with as_around():
            results = op.function._derivative()(ctx, *grads)
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
    for i, r in enumerate(results[:n]):
        if r is not None and i not in attrs["places"] and not isinstance(
            attrs["arguments"][i], Tensor
        ):
            raise RuntimeError(
                errors.message(
                    f"function {name} returned a gradient different than None at position {i + 1}, "
                    "but the corresponding forward input was not a Variable"
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
        out.append(r if graph else r.node.dev.clone(r.array))
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
