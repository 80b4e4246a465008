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

``Exp.apply(x)`` runs forward without recording and makes one node (custom.py), whose backward calls
that of the class.
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import errors
from ..engine import packing
from ..engine.record import constant
from ..graph import Mode, Node, mode
from ..handles.tensor import Tensor
from ..kinds.level import levels_in
from .custom import (
    CustomOp,
    apart,
    check_dirty,
    followed,
    packed,
    record,
    save,
    saved_tensors,
    wrap,
)
from .function_kinds import apply_inside

if TYPE_CHECKING:
    from ..base.types import Array


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
        errors.warn(what, DeprecationWarning)
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
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward  # its other name
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

    def __init__(self, *args: object, **kwargs: object) -> None:
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
            if followed(a) and type(a.array) is not np.ndarray and levels_in(a.array):
                return apply_inside(cls, args)
        return cls._applied(args)[0]

    @classmethod
    def _derivative(cls) -> Callable[..., Any]:
        """The class's backward or vjp, whichever it has."""
        if cls.vjp is Function.vjp:
            return cls.backward
        if cls.backward is not Function.backward:
            raise RuntimeError(
                errors.message(
                    "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
                    "You should only implement one of them.",
                    cls.__name__,
                )
            )
        return cls.vjp

    @classmethod
    def _applied(cls, args: tuple[Any, ...]) -> tuple[Any, FunctionCtx]:
        """What ``apply`` returns, and the context of this call."""
        ctx = FunctionCtx(tuple([followed(a) and a.node.needs for a in args]))
        now = mode.get()
        results = _forward(cls, ctx, args)
        outputs = results if isinstance(results, tuple) else (results,)
        check_dirty(cls, ctx, outputs)
        if not (
            now.grad and any(ctx.needs_input_grad) and any(isinstance(y, Tensor) for y in outputs)
        ):
            wrapped = tuple([apart(y, ctx, args) for y in outputs])
            return wrapped if isinstance(results, tuple) else wrapped[0], ctx
        node = record(cls, ctx, args, outputs)
        last = {id(y): i for i, y in enumerate(outputs)}  # one output for what is returned twice
        made = {i: wrap(node, i, outputs[i], ctx, args) for i in last.values()}
        wrapped = tuple([made[last[id(y)]] for y in outputs])
        setup = cls.setup_context is not None
        saved = ctx.saved_for_backward()
        node.saved = tuple([save(t, ctx, args, outputs, wrapped, setup) for t in saved])
        if (pair := packing.current()) is not None:
            node.saved = tuple([packed(node, pair, s) for s in node.saved])
        ctx._to_save = ctx._non_differentiable = ctx._dirty = ()
        return wrapped if isinstance(results, tuple) else wrapped[0], ctx


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
