"""state_dict and load_state_dict: a model's numbers as one flat dict, and back.

The key of an entry is the path to it (`"seq.0.weight"`): the names in the module tree joined by
dots. Values share memory with the model, so a snapshot that must not follow the training has to
be copied (`copy.deepcopy(model.state_dict())`).

Loading first asks every module (`_load_from_state_dict`, which a subclass may define anew) and
then copies everything: when an error is raised, not a single number of the model has changed.
"""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ..autograd import no_grad
from ..base.errors import message, nearest_name, warn
from ..handles.tensor import Tensor
from .hooks import WithModule
from .parameter import Parameter, UninitializedTensorMixin, is_lazy

if TYPE_CHECKING:
    from ..base.types import Argument, Hook
    from .stateful import Stateful

EXTRA = "_extra_state"  # the key of what get_extra_state gives

class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """Result of load_state_dict: `.missing_keys` and `.unexpected_keys`, lists of str."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


def save_own(module: Stateful, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
    """Write the module's own parameters and persistent buffers into `destination`."""
    for name, value in module._parameters.items():
        if value is not None:
            destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()
    for name, value in module._buffers.items():
        if value is not None and name not in module._non_persistent_buffers_set:
            destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()
    if module._defines("get_extra_state"):
        destination[prefix + EXTRA] = module.get_extra_state()


def collect(
    module: Stateful, destination: dict[str, Any] | None, prefix: str, keep_vars: bool
) -> dict[str, Any]:
    """The entries of the module and of all below it, with the hooks on the way."""
    if destination is None:
        destination = OrderedDict()
        vars(destination)["_metadata"] = OrderedDict()
    local: dict[str, Any] = {"version": module._version}
    versions = getattr(destination, "_metadata", None)
    if versions is not None:
        versions[prefix[:-1]] = local
    for hook in list(module._state_dict_pre_hooks.values()):
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
    for hook in list(module._state_dict_hooks.values()):
        result = hook(module, destination, prefix, local)
        if result is not None:
            destination = result
    return destination


class WithoutResult:
    """The hook, and an error if it returns something."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def __call__(self, *given: Argument) -> None:
        if self.hook(*given) is not None:
            raise RuntimeError(message("state_dict post-hook must return None"))


def old_arguments(
    args: tuple[Argument, ...], destination: dict[str, Any] | None, prefix: str, keep_vars: bool
) -> tuple[dict[str, Any] | None, str, bool]:
    """(destination, prefix, keep_vars) given by position, as older programs do."""
    warn(
        "Positional args are being deprecated, use kwargs instead. Refer to "
        "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict"
        " for details.",
        FutureWarning,
    )
    given = (*args, *(destination, prefix, keep_vars)[len(args) :])
    return given[0], given[1], given[2]


def load(
    module: Stateful, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> _IncompatibleKeys:
    """Copy (or, with assign=True, bind) the values of `state_dict`: all of them or none."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            message(
                f"Expected state_dict to be dict-like, got {type(state_dict)}.",
                fix="load_state_dict(torch.load(path)), or load_state_dict(other.state_dict())",
            )
        )
    load = Loading(state_dict, strict, assign)
    with no_grad(), load.running():
        load.ask(module, dict(state_dict), "")
        # hooks that come last are shown the new values, and may forgive keys
        if not load.errors and (load.post or not (strict and (load.missing or load.unexpected))):
            for copy in load.found:
                copy()
        load.finish(module)
    return _IncompatibleKeys(load.missing, load.unexpected)


class Loading:
    """One call of load_state_dict: what the modules have found, and what is wrong."""

    def __init__(self, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> None:
        self.versions = getattr(state_dict, "_metadata", None) or {}
        self.strict, self.assign = strict, assign
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []
        self.found: list[Callable[[], object]] = []  # what there is to do if nothing is wrong
        self.post: list[tuple[Stateful, Hook]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        _running.append(self)
        try:
            yield
        finally:
            _running.pop()

    def ask(self, module: Stateful, values: dict[str, Any], prefix: str) -> None:
        """Let the module, and all below it, look for their entries in `values`."""
        local = dict(self.versions.get(prefix[:-1], {}))
        if self.assign:
            local["assign_to_params_buffers"] = True
        module._load_from_state_dict(
            values, prefix, local, True, self.missing, self.unexpected, self.errors
        )
        for name, child in module._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                own = {key: value for key, value in values.items() if key.startswith(below)}
                self.ask(child, own, below)
        self.post += [(module, hook) for hook in module._load_state_dict_post_hooks.values()]

    def finish(self, module: Stateful) -> None:
        """The hooks that come last, and the error if there is one."""
        keys = _IncompatibleKeys(self.missing, self.unexpected)
        for owner, hook in self.post:
            if hook(owner, keys) is not None:
                raise AssertionError(
                    message(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                        "expected to return new values, if incompatible_keys need to be modified, "
                        "it should be done inplace."
                    )
                )
        others_fit, errors = not self.errors, self.errors
        if self.strict and self.unexpected:
            errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(self.unexpected)}. ")
        if self.strict and self.missing:
            errors.insert(0, f"Missing key(s) in state_dict: {_quoted(self.missing)}. ")
        if errors:
            what = f"Error(s) in loading state_dict for {type(module).__name__}:"
            fix = (
                _renamed(self.missing, self.unexpected)
                or "load_state_dict(state, strict=False) takes what fits"
                if others_fit
                else "make the model with the sizes that it was saved with"
            )
            raise RuntimeError(message("\n\t".join([what, *errors]), fix=fix))


def _renamed(missing: list[str], unexpected: list[str]) -> str:
    """How the keys must be called, where another name explains all that do not fit; else ""."""
    if not missing or len(missing) != len(unexpected):
        return ""
    first = unexpected[0].removesuffix(missing[0])  # "module.", of a model that was wrapped
    if first and all(a == first + b for a, b in zip(unexpected, missing, strict=True)):
        return f'load_state_dict({{k.removeprefix("{first}"): v for k, v in state.items()}})'
    names = {key: nearest_name(key, missing) for key in unexpected}
    if set(names.values()) != set(missing):
        return ""
    some = [f'"{key}" is called "{name}" here' for key, name in list(names.items())[:3]]
    return ", ".join(some) + ", ..." * (len(names) > 3) + ": rename it in the one or the other"


_running: list[Loading] = []  # a hook may load another module


def load_own(
    module: Stateful,
    state_dict: dict[str, Any],
    prefix: str,
    local: Mapping[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Find the module's own entries below `prefix`, and note what is to be copied.

    Called by a program, outside of load_state_dict, it copies at once.
    """
    for hook in list(module._load_state_dict_pre_hooks.values()):
        first = (module,) if isinstance(hook, WithModule) else ()
        hook(*first, state_dict, prefix, local, strict, missing, unexpected, errors)
    assign = bool(local.get("assign_to_params_buffers", False))
    todo: list[Callable[[], object]] = []
    for name, own in _slots_of(module):
        key = prefix + name
        if key not in state_dict:
            if strict:
                missing.append(key)
            continue
        value = state_dict[key]
        if is_lazy(own) and is_lazy(value):
            continue
        old = isinstance(value, Tensor) and value.shape == (1,)  # PyTorch 0.3 had no 0-d tensors
        if old and not is_lazy(own) and own.ndim == 0:
            value = value[0]
        problem = _misfit(key, own, value)
        if problem:
            errors.append(problem)
        else:
            todo.append(partial(_put, module, name, own, value, assign))
    extra = prefix + EXTRA
    if module._defines("set_extra_state"):
        if extra in state_dict:
            todo.append(partial(module.set_extra_state, state_dict[extra]))
        elif strict:
            missing.append(extra)
    if strict:
        unexpected += _unexpected(module, state_dict, prefix)
    if _running:
        _running[-1].found += todo
        return
    with no_grad():
        for do in todo:
            do()


def _unexpected(module: Stateful, state_dict: dict[str, Any], prefix: str) -> list[str]:
    """The keys below ``prefix`` that are neither the module's own nor below one of its children."""
    own = {name for name, _ in _slots_of(module)}
    if module._defines("set_extra_state"):
        own.add(EXTRA)
    out = []
    for key in state_dict:
        name, dot, _ = key.removeprefix(prefix).partition(".")
        if key.startswith(prefix) and name not in (module._modules if dot else own):
            out.append(key)
    return out


def _misfit(key: str, own: Tensor, value: object) -> str:
    """Why an entry can't be given a value; "" if it can."""
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or '
            f"Tensor-like object from checkpoint but received {type(value)}"
        )
    if is_lazy(own) or tuple(value.shape) == tuple(own.shape):  # a lazy one takes any shape
        return ""
    return (
        f"size mismatch for {key}: copying a param with shape {value.shape} from "
        f"checkpoint, the shape in current model is {own.shape}."
    )


def _put(module: Stateful, name: str, own: Tensor, value: Tensor, assign: bool) -> None:
    """Give an entry its value."""
    if isinstance(own, UninitializedTensorMixin):
        own.materialize(value.shape)
    if not assign:
        own.copy_(value)
    elif not isinstance(own, Parameter):
        setattr(module, name, value)
    elif isinstance(value, Parameter):
        setattr(module, name, value.requires_grad_(own.requires_grad))
    else:
        setattr(module, name, Parameter(value, requires_grad=own.requires_grad))


def _slots_of(module: Stateful) -> list[tuple[str, Tensor]]:
    """The module's own entries of a state dict: (name, tensor), in the order of save_own."""
    left_out = module._non_persistent_buffers_set
    persistent = [(n, b) for n, b in module._buffers.items() if n not in left_out]
    return [(n, t) for n, t in [*module._parameters.items(), *persistent] if t is not None]


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
