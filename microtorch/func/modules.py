"""A module as a function of its parameters."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Tree

Named = Mapping[str, Any]


def functional_call(
    module: Tree, parameter_and_buffer_dicts: Named | Sequence[Named],
    args: Tree = None, kwargs: Mapping[str, Any] | None = None, *, tie_weights: bool = True,
    strict: bool = False,
) -> Tree:  # fmt: skip
    """``module(*args, **kwargs)`` with other tensors in place of its parameters and buffers.

    They are named as in ``named_parameters()`` and ``named_buffers()``; what is not named stays.
    ``tie_weights``: a parameter that has several names is replaced under all of them. ``strict``:
    RuntimeError unless all are named. The module itself is not changed.
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, Mapping):
        named = dict(given)
    else:
        if not isinstance(given, Sequence) or not all(isinstance(d, Mapping) for d in given):
            raise ValueError(
                message(
                    "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, "
                    f"but got {type(given)}"
                )
            )
        keys = [k for d in given for k in d]
        again = {k for k in keys if keys.count(k) > 1}
        if again:
            raise ValueError(
                message(
                    f"{sorted(again)} appeared in multiple dictionaries; behavior of functional "
                    "call is ambiguous"
                )
            )
        named = {k: v for d in given for k, v in d.items()}
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, named, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


def _places(module: Tree) -> dict[str, tuple[dict[str, Any], str]]:
    """For each name of a parameter or buffer the dict that holds it, and the key there."""
    out = {}
    for path, part in module.named_modules(remove_duplicate=False):
        for held in (part._parameters, part._buffers):
            for key, value in held.items():
                if value is not None:
                    out[f"{path}.{key}" if path else key] = held, key
    return out


@contextmanager
def _replaced(
    module: Tree, named: Mapping[str, Any], tie_weights: bool, strict: bool
) -> Iterator[None]:
    places = _places(module)
    known = {name: held[key] for name, (held, key) in places.items()}
    wanted = dict(named)
    if tie_weights:
        for name, value in named.items():
            if name in known:
                for other, tensor in known.items():
                    if tensor is known[name] and other != name:
                        if other in named and named[other] is not value:
                            raise ValueError(
                                message(
                                    "functional_call got multiple values for keys "
                                    f"{sorted((name, other))}, which are tied. Consider using "
                                    "tie_weights=False"
                                )
                            )
                        wanted[other] = value
    unexpected = [name for name in wanted if name not in places]
    absent = [name for name in places if name not in wanted]
    if strict and (unexpected or absent):
        text = "Error(s) in loading state_dict for " + type(module).__name__ + ":"
        if unexpected:
            text += f" Unexpected key(s): {', '.join(unexpected)}."
        if absent:
            text += f" Missing key(s): {', '.join(absent)}."
        raise RuntimeError(message(text, "functional_call(strict=True) needs every name"))
    if unexpected:
        raise AttributeError(
            message(
                f"{type(module).__name__} has no attribute `{unexpected[0]}`",
                fix="names are those of named_parameters() and named_buffers()",
            )
        )
    for name, value in wanted.items():
        if not isinstance(value, Tensor):
            raise TypeError(message(f"{value!r} is not an instance of torch.Tensor", f"for {name}"))
    before = [(held, key, held[key]) for held, key in (places[name] for name in wanted)]
    try:
        for name, value in wanted.items():
            held, key = places[name]
            held[key] = value
        yield
    finally:
        for held, key, value in before:
            held[key] = value


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several models of one kind, stacked: for ``vmap``."""
    if len(models) == 0:
        raise RuntimeError(message("stack_module_state: Expected at least one model, got 0."))
    if not (all(m.training for m in models) or not any(m.training for m in models)):
        raise RuntimeError(
            message(
                "stack_module_state: Expected all models to have the same training/eval mode."
            )
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError(
            message("stack_module_state: Expected all models to be of the same class.")
        )
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    out = {
        name: _stacked([p[name] for p in parameters]).requires_grad_() for name in parameters[0]
    }
    return out, {name: _stacked([b[name] for b in buffers]) for name in buffers[0]}


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let every batch norm in ``root`` normalise by its batch alone: ``vmap`` writes no statistics.
    """
    for module in root.modules():
        if getattr(module, "track_running_stats", False) and "running_mean" in module._buffers:
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def _stacked(tensors: Sequence[Tensor]) -> Tree:
    return FUNCTIONS["stack"]([t.detach() for t in tensors])


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """``func`` itself: nothing is traced here, so there is no mutation to be taken out of a trace.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            message(
                "functionalize(f, remove='mutations'): received invalid argument for remove="
                f"{remove}. Valid options are: remove='mutations', remove='mutations_and_views'"
            )
        )
    return func


