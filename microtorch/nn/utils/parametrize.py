"""Parametrizations: a parameter that is computed, each time it is read, from others.

    class Symmetric(nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).mT

    parametrize.register_parametrization(layer, "weight", Symmetric())
    layer.weight    # = Symmetric()(layer.parametrizations.weight.original)

The module is given a class of its own, in which `weight` is a property. What was the parameter is
then `parametrizations.weight.original`, which an optimizer changes. Several parametrizations of
one tensor are applied one after the other. `right_inverse`, where one defines it, says which
original gives a tensor, and makes `layer.weight = tensor` possible.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...autograd import no_grad
from ...base.errors import message
from ...handles.tensor import Tensor
from ..layers.containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

if TYPE_CHECKING:
    from ...base.types import Argument

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_open = [0]  # how many `cached()` blocks are open
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """In the block each parametrized tensor is computed once, when it is first read."""
    _open[0] += 1
    try:
        yield
    finally:
        _open[0] -= 1
        if not _open[0]:
            _cache.clear()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and what it is computed from.

    That is `original`, or `original0`, `original1` ... where `right_inverse` of the first
    parametrization returns several tensors. Without `unsafe`, the parametrizations may change
    neither shape nor dtype.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError(message("ParametrizationList requires one or more modules."))
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new: Argument = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    try:
                        new = module.right_inverse(new)
                    except NotImplementedError:
                        pass
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(
                message(
                    "'right_inverse' must return a Tensor or a Sequence of tensors "
                    "(list, tuple...). "
                    f"Got {type(new).__name__}"
                )
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            if new.dtype != dtype:
                raise ValueError(
                    message(
                        "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                        f"original.dtype: {dtype}\nright_inverse(original).dtype: {new.dtype}"
                    )
                )
            with no_grad():
                original.data = new.detach()
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        message(
                            "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                            f"tuple...). Got element {i} of the sequence with type "
                            f"{type(part).__name__}."
                        )
                    )
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", part)
        if not unsafe:
            _check_same("Registering a parametrization", self(), shape, dtype)

    def right_inverse(self, value: Tensor) -> None:
        """Make the originals such that the tensor is `value`."""
        with no_grad():
            new: Argument = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        message(
                            f"parametrization {type(module).__name__} does not implement "
                            "right_inverse."
                        )
                    )
                new = module.right_inverse(new)
            if self.is_tensor:
                if not isinstance(new, Tensor):
                    raise ValueError(
                        message(f"`right_inverse` should return a tensor. Got {type(new).__name__}")
                    )
                if new.dtype != self.original.dtype:
                    raise ValueError(
                        message(
                            f"The tensor `{new}` returned by `right_inverse` has dtype "
                            f"{new.dtype}, "
                            f"while `original` has dtype {self.original.dtype}"
                        )
                    )
                self.original.data = new.detach()
                return
            if not isinstance(new, Sequence):
                raise ValueError(
                    message(
                        "'right_inverse' must return a sequence of tensors. "
                        f"Got {type(new).__name__}."
                    )
                )
            if len(new) != self.ntensors:
                raise ValueError(
                    message(
                        "'right_inverse' must return a sequence of tensors of length "
                        f"{self.ntensors}. Got a sequence of length {len(new)}."
                    )
                )
            for i, part in enumerate(new):
                getattr(self, f"original{i}").data = part.detach()

    def forward(self) -> Tensor:
        """The tensor."""
        first, *others = list(self)
        if self.is_tensor:
            x: Tensor = first(self.original)
        else:
            x = first(*[getattr(self, f"original{i}") for i in range(self.ntensors)])
        for module in others:
            x = module(x)
        return x


def _check_same(who: str, new: Argument, shape: Argument, dtype: Argument) -> None:
    if not isinstance(new, Tensor):
        raise ValueError(
            message(f"A parametrization should return a tensor. Got {type(new).__name__}.")
        )
    for what, now, before in (("dtype", new.dtype, dtype), ("shape", new.shape, shape)):
        if now != before:
            raise ValueError(
                message(
                    f"{who} may not change the {what} of the tensor, unless `unsafe` "
                    f"flag is enabled."
                    f"\nunparametrized {what}: {before}\nparametrized {what}: {now}"
                )
            )


class _Original(property):
    """A tensor that is computed when it is read."""


def _computed(name: str) -> _Original:
    def read(self: Module) -> Tensor:
        if not _open[0]:
            fresh: Tensor = self.parametrizations[name]()
            return fresh
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def write(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return _Original(read, write)


def _give_own_class(module: Module) -> None:
    """Give the module a class of its own, which can have properties."""
    cls = type(module)

    def not_by_pickle(self: Module) -> None:
        raise RuntimeError(
            message(
                "Serialization of parametrized modules is only supported through "
                "state_dict(). See:\n"
                "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html"
                "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
            )
        )

    def deepcopy(self: Module, memo: dict[int, object]) -> Module:
        made = object.__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made

    members: dict[str, object] = {"__getstate__": not_by_pickle}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute the parameter or buffer `tensor_name` of `module` by `parametrization` from now on.

    ValueError where there is no such tensor, or where the parametrization changes its shape or
    dtype and `unsafe` is not set.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            now = getattr(module, tensor_name)
            new = parametrization(now)
            _check_same("Registering a parametrization", new, now.shape, now.dtype)
            if hasattr(parametrization, "right_inverse"):
                try:
                    back = parametrization.right_inverse(new)
                except NotImplementedError:
                    pass
                else:
                    who = "The right_inverse of a parametrization"
                    _check_same(who, back, now.shape, now.dtype)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        computed = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_own_class(module)
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _computed(tensor_name))
        module.parametrizations[tensor_name] = computed
    else:
        raise ValueError(
            message(
                f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
                f"with name '{tensor_name}'"
            )
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Does the module have a parametrization (of this tensor)?"""
    lists = getattr(module, "parametrizations", None)
    if not isinstance(lists, ModuleDict):
        return False
    return len(lists) > 0 if tensor_name is None else tensor_name in lists


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make it an ordinary parameter again: of the computed value, or else the original one.

    The original can only be had where it is one tensor; ValueError otherwise.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            message(f"Module {module} does not have a parametrization on {tensor_name}")
        )
    computed = module.parametrizations[tensor_name]
    if computed.is_tensor:
        original = computed.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name).detach()
    else:
        if not leave_parametrized:
            raise ValueError(
                message(
                    "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
                    "parametrized in terms of a sequence of tensors."
                )
            )
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that the module had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give `to_module` the parametrizations of `from_module`, and its values."""
    if not is_parametrized(from_module):
        return to_module
    lists = from_module.parametrizations
    for name in lists if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in lists[name]:
            register_parametrization(to_module, name, parametrization)
        mine = to_module.parametrizations[name]
        with no_grad():
            for key, value in lists[name].state_dict().items():
                if key.startswith("original"):
                    getattr(mine, key).data = value.clone()
    return to_module
