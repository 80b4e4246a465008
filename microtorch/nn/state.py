"""state_dict and load_state_dict: a model's numbers as one flat dict, and back.

The key of an entry is the path to it (`"seq.0.weight"`): the names in the module tree joined by
dots. Values share memory with the model, so a snapshot that must not follow the training has to
be copied (`copy.deepcopy(model.state_dict())`).

Loading first compares everything and then copies everything: when an error is raised, not a
single number of the model has changed.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..autograd import no_grad
from ..base.errors import message
from ..handles.tensor import Tensor
from .parameter import Parameter, UninitializedTensorMixin, is_lazy

if TYPE_CHECKING:
    from .module import Module


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """Result of load_state_dict: `.missing_keys` and `.unexpected_keys`, lists of str."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


def save_own(module: Module, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
    """Write the module's own parameters and persistent buffers into `destination`."""
    for name, value in module._parameters.items():
        if value is not None:
            destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()
    for name, value in module._buffers.items():
        if value is not None and name not in module._non_persistent_buffers_set:
            destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()


def load(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> _IncompatibleKeys:
    """Copy (or, with assign=True, bind) the values of `state_dict`: all of them or none."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            message(
                f"Expected state_dict to be dict-like, got {type(state_dict)}.",
                fix="load_state_dict(torch.load(path)), or load_state_dict(other.state_dict())",
            )
        )
    missing, errors, copies = [], [], []
    seen: set[str] = set()
    for path, owner in module.named_modules(remove_duplicate=False):
        for name, own in _slots_of(owner):
            key = f"{path}.{name}" if path else name
            seen.add(key)
            if key not in state_dict:
                missing.append(key)
                continue
            value = state_dict[key]
            if not isinstance(value, Tensor):
                errors.append(
                    f'While copying the parameter named "{key}", expected torch.Tensor or '
                    f"Tensor-like object from checkpoint but received {type(value)}"
                )
            elif is_lazy(own):  # takes the shape of what is loaded, unless that has none either
                if not is_lazy(value):
                    copies.append((owner, name, own, value))
            elif tuple(value.shape) != tuple(own.shape):
                errors.append(
                    f"size mismatch for {key}: copying a param with shape {value.shape} from "
                    f"checkpoint, the shape in current model is {own.shape}."
                )
            else:
                copies.append((owner, name, own, value))
    others_fit = not errors
    unexpected = [key for key in state_dict if key not in seen]
    if strict:
        if unexpected:
            errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
        if missing:
            errors.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
    if errors:
        what = f"Error(s) in loading state_dict for {type(module).__name__}:"
        raise RuntimeError(
            message(
                "\n\t".join([what, *errors]),
                fix="load_state_dict(state, strict=False) takes what fits" if others_fit else "",
            )
        )
    with no_grad():
        for owner, name, own, value in copies:
            if isinstance(own, UninitializedTensorMixin):
                own.materialize(value.shape)
            if not assign:
                own.copy_(value)
            elif isinstance(own, Parameter) and not isinstance(value, Parameter):
                setattr(owner, name, Parameter(value, requires_grad=own.requires_grad))
            else:
                setattr(owner, name, value)
    return _IncompatibleKeys(missing, unexpected)


def _slots_of(module: Module) -> list[tuple[str, Tensor]]:
    """The module's own entries of a state dict: (name, tensor), in the order of save_own."""
    left_out = module._non_persistent_buffers_set
    persistent = [(n, b) for n, b in module._buffers.items() if n not in left_out]
    return [(n, t) for n, t in [*module._parameters.items(), *persistent] if t is not None]


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
