"""Pruning: parameters of which some elements are held at 0 by a mask.

    prune.l1_unstructured(layer, "weight", amount=0.3)

makes `weight_orig` the parameter and `weight_mask` a buffer of 0 and 1; `weight` is their product,
computed before each forward. Pruning again prunes among what is left. `prune.remove` makes the
product the parameter, for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...base.errors import message
from ...create.filled import ones_like
from ...handles.tensor import Tensor
from ...ops.join import cat
from ..module import Module
from .pruning import (
    BasePruningMethod,
    CustomFromMask,
    Identity,
    L1Unstructured,
    LnStructured,
    PruningContainer,
    RandomStructured,
    RandomUnstructured,
    hook_of,
)
from .vectors import parameters_to_vector

if TYPE_CHECKING:
    from ...base.types import Argument

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


def identity(module: Module, name: str) -> Module:
    """Make the mask of the parameter `name`, all ones, without pruning anything."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements at random: `amount` of them (int), or this part of them (float)."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the elements that are smallest in absolute value, or in that of the scores."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune whole slices along `dim` at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: float,
    n: Argument,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the slices along `dim` whose norm of order `n` is smallest."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune where `mask` is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Sequence[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Argument,
) -> None:
    """Prune the given parameters, [(module, name), ...], as if they were one."""
    if not isinstance(parameters, Iterable):
        raise TypeError(message("global_unstructured(): parameters is not an Iterable"))
    scores = importance_scores or {}
    if not isinstance(scores, dict):
        raise TypeError(message("global_unstructured(): importance_scores must be of type dict"))
    importance = parameters_to_vector(
        [scores.get((module, name), getattr(module, name)) for module, name in parameters]
    ).detach()
    masks = [
        getattr(module, name + "_mask", ones_like(getattr(module, name)))
        for module, name in parameters
    ]
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            message(
                'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
                f"{pruning_method} of type {method.PRUNING_TYPE}"
            )
        )
    final = container.compute_mask(importance, cat([mask.reshape(-1) for mask in masks]))
    start = 0
    for module, name in parameters:
        tensor = getattr(module, name)
        custom_from_mask(module, name, final[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()


def remove(module: Module, name: str) -> Module:
    """Make the pruned tensor the parameter. ValueError if it was not pruned."""
    number = hook_of(module, name)
    if number is None:
        raise ValueError(
            message(
                f"Parameter '{name}' of module {module} has to be pruned before pruning can be "
                "removed",
                fix="prune.is_pruned(module) asks",
            )
        )
    module._forward_pre_hooks.pop(number).remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Is there a pruned parameter in the module or below it?"""
    return any(
        isinstance(hook, BasePruningMethod)
        for below in module.modules()
        for hook in below._forward_pre_hooks.values()
    )
