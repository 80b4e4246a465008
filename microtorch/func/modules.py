"""A module as a function of its parameters."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Tree

Named = Mapping[str, Any]
_ABSENT = object()


def functional_call(
    module: Tree, parameter_and_buffer_dicts: Named | Sequence[Named],
    args: Tree = None, kwargs: Mapping[str, Any] | None = None, *, tie_weights: bool = True,
    strict: bool = False,
) -> Tree:  # fmt: skip
    """``module(*args, **kwargs)`` with other tensors in place of its parameters and buffers.

    They are named as in ``named_parameters()`` and ``named_buffers()``; what is not named stays.
    ``tie_weights``: a parameter that has several names is replaced under all of them. ``strict``:
    RuntimeError unless all are named. A name that the module does not know is an attribute for as
    long as the call lasts. The module itself is not changed; what its forward assigns to one of
    these names goes into the dict given.
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, Mapping):
        named = given
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
    with replaced(module, named, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def replaced(module: Tree, named: Named, tie_weights: bool, strict: bool) -> Iterator[None]:
    """While it lasts, ``module`` has the tensors ``named``; what it has put there instead by the
    end is then found in ``named``, where that can be written."""
    wanted = dict(named)
    if tie_weights or strict:
        known = {
            name: tensor
            for all_of in (module.named_parameters, module.named_buffers)
            for name, tensor in all_of(remove_duplicate=False)
        }
        if tie_weights:
            wanted = _with_ties(known, wanted)
        if strict:
            _check_names(type(module).__name__, known, wanted)
    before: list[tuple[Tree, str, Tree]] = []
    try:
        for name, value in wanted.items():
            part, key = _place(module, name)
            before.append((part, key, _exchange(part, key, value, name)))
        yield
    finally:
        after = {}
        for (part, key, old), name in reversed(list(zip(before, wanted, strict=False))):
            after[name] = _exchange(part, key, old, name)
        if isinstance(named, MutableMapping):
            named.update({name: after[name] for name in named if name in after})


def _with_ties(known: Named, wanted: Named) -> dict[str, Any]:
    """``wanted``, and the same for the other names of each tensor in it."""
    names: dict[int, list[str]] = {}
    for name, tensor in known.items():
        names.setdefault(id(tensor), []).append(name)
    out = dict(wanted)
    for tied in names.values():
        given = [name for name in tied if name in wanted]
        if len({id(wanted[name]) for name in given}) > 1:
            raise ValueError(
                message(
                    f"functional_call got multiple values for keys {sorted(tied)}, which are tied. "
                    "Consider using tie_weights=False"
                )
            )
        out.update({name: wanted[given[0]] for name in tied if given})
    return out


def _check_names(kind: str, known: Named, wanted: Named) -> None:
    unexpected = [repr(name) for name in wanted if name not in known]
    absent = [repr(name) for name in known if name not in wanted]
    lines = [f"Error(s) in reparametrizing for {kind}:"]
    if unexpected:
        lines.append(f"Unexpected key(s): {', '.join(unexpected)}.")
    if absent:
        lines.append(f"Missing key(s): {', '.join(absent)}.")
    if unexpected or absent:
        raise RuntimeError(
            message("\n\t".join(lines), "functional_call(strict=True) needs every name")
        )


def _place(module: Tree, name: str) -> tuple[Tree, str]:
    """The part of the module, and the attribute there, that a name of the whole means."""
    *path, key = name.split(".")
    for step in path:
        if not hasattr(module, step):
            raise AttributeError(
                message(
                    f"{type(module).__name__} has no attribute `{step}`",
                    f"functional_call: {name!r}",
                    fix="names are those of named_parameters() and named_buffers()",
                )
            )
        module = getattr(module, step)
        if not hasattr(module, "_parameters"):
            raise TypeError(message(f"submodule `{step}`: {module} is not an instance of Module"))
    if not key:
        raise KeyError('tensor name can\'t be empty string ""')
    return module, key


def _exchange(part: Tree, key: str, value: Tree, name: str) -> Tree:
    """Put ``value`` there (_ABSENT: nothing); what was there before.

    Where the part has no parameter or buffer of that name it gets an attribute.
    """
    if not isinstance(value, Tensor) and value is not None and value is not _ABSENT:
        raise TypeError(message(f"{value!r} is not an instance of torch.Tensor", f"for {name}"))
    for held in (part._parameters, part._buffers):
        if key in held:
            old = held[key]
            if value is _ABSENT:
                del held[key]
            else:
                held[key] = value
            return old
    old = getattr(part, key, _ABSENT)
    if not isinstance(old, Tensor) and old is not None and old is not _ABSENT:
        raise TypeError(message(f"attribute `{key}`: {old!r} is not an instance of torch.Tensor"))
    if value is not _ABSENT:
        setattr(part, key, value)
    elif old is not _ABSENT:
        delattr(part, key)
    return old


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
    first, second = [
        {name: _stacked(name, [d[name] for d in named]) for name in named[0]}
        for named in (parameters, buffers)
    ]
    return first, second


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let every batch norm in ``root`` normalise by its batch alone: ``vmap`` writes no statistics.
    """
    for module in root.modules():
        if getattr(module, "track_running_stats", False) and "running_mean" in module._buffers:
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def _stacked(name: str, tensors: Sequence[Tensor]) -> Tree:
    asked = {t.requires_grad for t in tensors}
    if len(asked) > 1:
        raise RuntimeError(
            message(
                f"Expected {name} from each model to have the same .requires_grad",
                fix="requires_grad_() of all models, or of none",
            )
        )
    return FUNCTIONS["stack"]([t.detach() for t in tensors]).requires_grad_(asked.pop())


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
