"""Calling a module with other parameters than its own: the module as a function of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...base.errors import message
from ...handles.tensor import Tensor
from ..module import Module

if TYPE_CHECKING:
    from ...base.types import Argument

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Argument = None,
    kwargs: dict[str, Argument] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Argument:
    """module(*args, **kwargs) with the given tensors in place of its parameters and buffers.

    The keys are paths, as in `named_parameters()`. Gradients flow to the given tensors, whatever
    graph made them: an inner step of training can be differentiated through. Afterwards the module
    is as it was. What its forward writes into a buffer in place goes to the given tensor. A
    parameter that several places of the module share is replaced at all of them, unless
    `tie_weights` is off. With `strict`, RuntimeError for missing and unexpected keys.
    """
    places: dict[str, tuple[dict[str, Argument], str]] = {}
    tied: dict[int, list[str]] = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        for store in (owner._parameters, owner._buffers):
            for name, value in store.items():
                key = f"{path}.{name}" if path else name
                places[key] = (store, name)
                if value is not None:
                    tied.setdefault(id(value), []).append(key)
    unexpected = [key for key in parameters_and_buffers if key not in places]
    missing = [key for key in places if key not in parameters_and_buffers] if strict else []
    if unexpected or missing:
        raise (RuntimeError if strict else AttributeError)(
            message(
                "Error(s) in running functional_call: "
                f"Unexpected key(s): {unexpected}. Missing key(s): {missing}.",
                fix="the keys of dict(module.named_parameters()) and named_buffers()",
            )
        )
    new = dict(parameters_and_buffers)
    if tie_weights:
        for keys in tied.values():
            given = [key for key in keys if key in parameters_and_buffers]
            for key in keys if given else ():
                new.setdefault(key, new[given[0]])
    before = [(store, name, store[name]) for store, name in (places[key] for key in new)]
    try:
        for key, value in new.items():
            store, name = places[key]
            store[name] = value
        arguments = args if isinstance(args, tuple) else () if args is None else (args,)
        return module(*arguments, **(kwargs or {}))
    finally:
        for store, name, value in before:
            store[name] = value
