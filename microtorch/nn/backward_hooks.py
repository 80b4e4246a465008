"""Backward hooks of a module: functions that see, and may replace, its gradients.

    full_backward_pre_hook(module, grad_output)            -> None | new grad_output
    full_backward_hook(module, grad_input, grad_output)    -> None | new grad_input

`forward` runs between two identity nodes, one on the inputs and one on the outputs. The backward
step of the latter sees the gradients of all outputs together, that of the former the gradients of
all inputs, when all paths through the module have been walked. Arguments that are no tensors have
the gradient None; keyword arguments have no place in `grad_input`.

The old `register_backward_hook` hangs the function on the node of the output instead. It sees the
inputs of the module's last operation, which for most modules are not the module's inputs. PyTorch
keeps it, with a warning, and so do we.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..autograd import Function, is_grad_enabled
from ..base.errors import message, warn
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Argument, Hook
    from .module import Module

    Gradients = tuple[Tensor | None, ...]
    Observe = Callable[[Gradients], Gradients]


class BackwardHookFunction(Function):
    """The identity of several tensors, whose backward step calls `observe` with all gradients."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, observe: Observe, zeros: bool, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.observe = observe
        ctx.set_materialize_grads(zeros)
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor | None) -> Argument:
        wanted = ctx.needs_input_grad[2:]
        asked = tuple([g if need else None for g, need in zip(grads, wanted, strict=True)])
        return (None, None, *ctx.observe(asked))


class BackwardHooks:
    """The backward hooks of one call of a module."""

    def __init__(self, module: Module, hooks: list[Hook], pre_hooks: list[Hook]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.inputs: list[int] | None = None  # which arguments have passed the identity
        self.outputs: list[int] | None = None
        self.n_inputs = self.n_outputs = 0
        self.grad_outputs: Gradients | None = None

    def enter(self, args: tuple[Argument, ...]) -> tuple[Argument, ...]:
        """The arguments, behind the identity."""
        self.n_inputs = len(args)
        new, self.inputs = _pass(args, self._seen_inputs, True)
        return tuple(new)

    def leave(self, result: Argument) -> Argument:
        """The result, behind the identity."""
        if not isinstance(result, (Tensor, tuple)):
            warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
            )
            return result
        results = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(results)
        new, self.outputs = _pass(results, self._seen_outputs, False)
        if not isinstance(result, tuple):
            return new[0]
        return tuple(new) if type(result) is tuple else type(result)(*new)

    def _seen_outputs(self, grads: Gradients) -> Gradients:
        seen = _spread(grads, self.outputs or [], self.n_outputs)
        for hook in self.pre_hooks:
            answer = hook(self.module, seen)
            if answer is not None:
                seen = _checked(answer, len(seen), "Backward pre hook", "grad_output")
        self.grad_outputs = seen
        if self.inputs is None:
            self._without_inputs(seen)
        return tuple([seen[i] for i in self.outputs or []])

    def _without_inputs(self, seen: Gradients) -> None:
        """No input wants a gradient, so that nobody will come to the first identity."""
        if self.hooks:
            warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients. See "
                "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.register_full_backward_hook for more details.",
            )
        for hook in self.hooks:
            answer = hook(self.module, (None,) * self.n_inputs, seen)
            if answer is not None and not (
                isinstance(answer, tuple) and all(g is None for g in answer)
            ):
                raise RuntimeError(
                    message(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
                )
        self.grad_outputs = None

    def _seen_inputs(self, grads: Gradients) -> Gradients:
        # None: the gradient came to the inputs by another way than through the outputs
        if self.grad_outputs is None:
            return grads
        seen = _spread(grads, self.inputs or [], self.n_inputs)
        for hook in self.hooks:
            answer = hook(self.module, seen, self.grad_outputs)
            if answer is not None:
                seen = _checked(answer, len(seen), "Backward hook", "grad_input")
        self.grad_outputs = None
        return tuple([seen[i] for i in self.inputs or []])


def _pass(
    values: Sequence[Argument], observe: Observe, zeros: bool
) -> tuple[list[Argument], list[int] | None]:
    """Lead the tensors of `values` through the identity; also their places, None if unrecorded."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    new = list(values)
    if not (is_grad_enabled() and any(values[i].requires_grad for i in places)):
        return new, None
    passed = BackwardHookFunction.apply(observe, zeros, *[values[i] for i in places])
    for i, tensor in zip(places, passed, strict=True):
        new[i] = tensor
    return new, places


def _spread(grads: Gradients, places: list[int], length: int) -> Gradients:
    """The gradients at their places among `length`, None at the others."""
    out: list[Tensor | None] = [None] * length
    for i, g in zip(places, grads, strict=True):
        out[i] = g
    return tuple(out)


def _checked(answer: Argument, length: int, who: str, what: str) -> Gradients:
    """A hook's answer as a tuple; one tensor stands for a tuple of one."""
    grads = answer if isinstance(answer, (tuple, list)) else (answer,)
    if len(grads) != length:
        raise RuntimeError(
            message(
                f"{who} returned an invalid number of {what}, got {len(grads)}, but expected "
                f"{length}",
                fix="None, or a tuple with one entry (a tensor or None) for each",
            )
        )
    return tuple(grads)


def hang_old(module: Module, hooks: list[Hook], args: Argument, result: Argument) -> None:
    """Hang the old kind of hook on the node of the (first) output."""
    first = result
    while not isinstance(first, Tensor):
        if isinstance(first, dict):
            first = next(value for value in first.values() if isinstance(value, Tensor))
        else:
            first = first[0]
    node = first.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(partial(hook, module))
    # the gradients of the module's inputs are those of the node's inputs only if it is one node
    outputs = result if isinstance(result, tuple) else (result,)
    inputs = args if isinstance(args, tuple) else (args,)
    if not all(isinstance(t, Tensor) for t in outputs):
        missing = "on a Module that does not return a single Tensor or a tuple of Tensors"
        part = "some of the grad_output"
    elif not all(isinstance(t, Tensor) for t in inputs):
        missing = "on a Module that does not take as input a single Tensor or a tuple of Tensors"
        part = "some of the grad_input"
    elif len({id(t.grad_fn) for t in outputs if t.grad_fn is not None}) > 1:
        missing = "when outputs are generated by different autograd Nodes"
        part = "some of the grad_output"
    elif {id(t.grad_fn) for t in inputs if t.grad_fn is not None} != {
        id(n) for n, _ in node.next_functions
    }:
        missing, part = "when the forward contains multiple autograd Nodes", "some grad_input"
    else:
        return
    warn(
        f"Using a non-full backward hook {missing} is deprecated and will be removed in future "
        f"versions. This hook will be missing {part}. Please use register_full_backward_hook to "
        "get the documented behavior.",
        FutureWarning,
    )
