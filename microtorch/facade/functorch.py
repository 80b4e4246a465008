"""``functorch``: the package that torch.func came from, for programs that still import it.

Its transforms are those of torch.func. ``make_functional`` and its like, which torch.func has no
more, give a module as a function of its parameters:

    f, params = functorch.make_functional(model)
    f(params, x)
"""
from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..base.errors import message, missing
from ..func import (
    functional_call,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)
from ..nn.module import Module

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

    Tensors = tuple[Tensor, ...]

__all__ = [
    "combine_state_for_ensemble", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd",
    "jacrev", "jvp", "make_functional", "make_functional_with_buffers", "vjp", "vmap",
]  # fmt: skip


def _of_state(model: Module) -> Callable[..., Any]:
    """The model, called with its parameters and its buffers, in their order, before its inputs."""
    names = [n for n, _ in model.named_parameters()], [n for n, _ in model.named_buffers()]

    def call(params: Sequence[Tensor], buffers: Sequence[Tensor], *args: Any, **kwargs: Any) -> Any:
        state = dict(zip(names[0], params, strict=True)) | dict(zip(names[1], buffers, strict=True))
        return functional_call(model, state, args, kwargs)

    return call


def make_functional_with_buffers(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[Callable[..., Any], Tensors, Tensors]:
    """``f(params, buffers, *inputs)``, the parameters and the buffers: of a copy of the model.

    ``disable_autograd_tracking``: the parameters shall require no gradient.
    """
    model = copy.deepcopy(model)
    if disable_autograd_tracking:
        model.requires_grad_(False)
    return _of_state(model), tuple(model.parameters()), tuple(model.buffers())


def make_functional(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[Callable[..., Any], Tensors]:
    """``f(params, *inputs)`` and the parameters. RuntimeError for a model with buffers."""
    f, params, buffers = make_functional_with_buffers(model, disable_autograd_tracking)
    if buffers:
        raise RuntimeError(
            message(
                "make_functional(model): `model` has buffers. Please use "
                "make_functional_with_buffers(model) instead."
            )
        )

    def call(params: Sequence[Tensor], *args: Any, **kwargs: Any) -> Any:
        return f(params, (), *args, **kwargs)

    return call, params


def combine_state_for_ensemble(
    models: Sequence[Module],
) -> tuple[Callable[..., Any], Tensors, Tensors]:
    """``f(params, buffers, *inputs)`` for ``vmap``, and the state of all models, stacked.

    The stacked parameters require no gradient until the program says so.
    """
    params, buffers = stack_module_state(list(models))
    f = make_functional_with_buffers(models[0])[0]
    return f, tuple(p.detach() for p in params.values()), tuple(buffers.values())


__getattr__ = missing("functorch", __all__)
