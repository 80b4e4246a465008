"""nn.Module: the base class of everything that holds parameters.

A module is a tree. Assigning a Parameter, a Module or (through `register_buffer`) a Tensor to an
attribute stores it in one of three dicts, `_parameters`, `_modules` and `_buffers`; everything a
module can do (list its parameters, move to a dtype, save its state, switch to evaluation) is a
walk over these dicts. Attribute access finds them again through `__getattr__`, which Python calls
only when the ordinary lookup failed.

Calling a module runs `forward` between two notices to the graph, which therefore knows for each
node the module that made it, and adds the module's path to an error that leaves it:
"raised in Net.fc1: Linear(in_features=784, ...)".

    class Net(nn.Module):
        def __init__(self):
            super().__init__()            # creates the three dicts: must come first
            self.fc1 = nn.Linear(784, 10)
        def forward(self, x):
            return self.fc1(x)
"""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .. import graph
from ..autograd import no_grad
from ..base.errors import NoAttribute, describe, message
from ..create.filled import empty_like
from ..handles.tensor import Tensor
from . import global_hooks, hooks, state
from .buffer import Buffer
from .called import call_with_hooks
from .common_types import DeviceLike
from .global_hooks import (
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from .messages import indent, not_a_module, note_path, typename
from .parameter import Parameter

if TYPE_CHECKING:
    from ..base.types import Argument, Hook

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

T = TypeVar("T", bound="Module")

_NO_HOOKS: hooks.Hooks = OrderedDict()  # never written to
_NO_IDS: set[int] = set()


class Module:
    """Base class of all layers and models; a subclass defines `forward`."""

    training: bool
    _version = 1  # of what the state dict holds: PyTorch writes it into its files
    call_super_init = False  # PyTorch's: shall __init__ pass its arguments on, for a second base?
    # Hooks that most modules do not have. Those of the state are made when the first one comes;
    # `_hooked` says that a call has to look for hooks, and is True for modules from older files.
    _hooked = True
    _forward_hooks_always_called = _NO_IDS
    _backward_hooks = _NO_HOOKS
    _backward_pre_hooks = _NO_HOOKS
    _is_full_backward_hook: bool | None = None
    _state_dict_hooks = _NO_HOOKS
    _state_dict_pre_hooks = _NO_HOOKS
    _load_state_dict_pre_hooks = _NO_HOOKS
    _load_state_dict_post_hooks = _NO_HOOKS

    # what PyTorch's class keeps among its attributes and ours derives: part of what `__getstate__`
    # gives, so that PyTorch finds it in files
    _derived: tuple[str, ...] = ()

    def __init__(self) -> None:
        # Straight into __dict__: __setattr__ below needs the three dicts to exist.
        self.__dict__.update(self._first_attributes())

    def _first_attributes(self) -> dict[str, Any]:
        return {
            "training": True,
            "_parameters": {},
            "_buffers": {},
            "_non_persistent_buffers_set": set(),
            "_modules": {},
            "_forward_hooks": OrderedDict(),
            "_forward_pre_hooks": OrderedDict(),
            "_forward_hooks_always_called": set(),
            "_backward_hooks": OrderedDict(),
            "_backward_pre_hooks": OrderedDict(),
            "_hooked": False,
            "_scope_label": type(self).__name__,
        }

    def __getstate__(self) -> Any:
        """The attributes, as copies and files hold them; a subclass may define it anew."""
        return {**self.__dict__, **{name: getattr(self, name) for name in self._derived}}

    def __setstate__(self, state: Any) -> None:
        """Take the attributes; those that a state lacks are as `__init__` makes them."""
        own = {k: v for k, v in state.items() if k not in self._derived}
        self.__dict__.update({**self._first_attributes(), "_hooked": True, **own})

    # ---------------------------------------------------------------- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation of this module; every subclass defines it."""
        raise NotImplementedError(
            message(
                f'Module [{type(self).__name__}] is missing the required "forward" function',
                fix=f"define {type(self).__name__}.forward(self, x), indented into the class",
            )
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Hot path: once per layer per step. A try block costs nothing unless something is raised.
        token = graph.enter_scope(weakref.ref(self), self._scope_label, type(self))
        try:
            if self._hooked or global_hooks.ANY:
                return call_with_hooks(self, args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            note_path(error, self)
            raise
        finally:
            graph.leave_scope(token)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> graph.RemovableHandle:
        """Call hook(module, args) before forward.

        What it returns, if not None, becomes the new args.
        """
        self._hooked = True
        return hooks.add_pre_hook(self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> graph.RemovableHandle:
        """Call hook(module, args, output) after forward.

        What it returns, if not None, becomes the output. With `always_call` it is called, with
        the output None, also where forward raised.
        """
        self._hooked = True
        handle = hooks.add_hook(self._forward_hooks, hook, prepend, with_kwargs)
        if always_call:
            if "_forward_hooks_always_called" not in self.__dict__:
                self._forward_hooks_always_called = set()
            self._forward_hooks_always_called.add(handle.id)
        return handle

    def register_full_backward_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> graph.RemovableHandle:
        """Call hook(module, grad_output) when the gradients of all outputs are known.

        What it returns, if not None, replaces them.
        """
        self._hooked = True
        return hooks.add(self._own_hooks("_backward_pre_hooks"), hook, prepend)

    def register_full_backward_hook(
        self, hook: Hook, prepend: bool = False
    ) -> graph.RemovableHandle:
        """Call hook(module, grad_input, grad_output) when the gradients of all inputs are known.

        Both are tuples, with None for what is no tensor or needs no gradient. What it returns, if
        not None, replaces grad_input. The outputs are views that cannot be changed in place.
        """
        return self._add_backward_hook(hook, True, prepend)

    def register_backward_hook(self, hook: Hook) -> graph.RemovableHandle:
        """The old kind: it sees the gradients at the module's last operation only."""
        return self._add_backward_hook(hook, False, False)

    def _add_backward_hook(
        self, hook: Hook, full: bool, prepend: bool
    ) -> graph.RemovableHandle:
        if self._is_full_backward_hook is not None and self._is_full_backward_hook is not full:
            raise RuntimeError(
                message(
                    "Cannot use both regular backward hooks and full backward hooks on a single "
                    "Module. Please use only one of them."
                )
            )
        self._is_full_backward_hook = full
        self._hooked = True
        return hooks.add(self._own_hooks("_backward_hooks"), hook, prepend)

    def _own_hooks(self, store: str) -> hooks.Hooks:
        """The module's own dict of hooks, where the class has an empty one for all."""
        own: hooks.Hooks = self.__dict__.setdefault(store, OrderedDict())
        return own

    # ---------------------------------------------------------------- registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None reserves the name (a layer without bias)."""
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                message(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)",
                    f"{type(self).__name__}.register_parameter({name!r}, {describe(param)})",
                    fix="torch.nn.Parameter(tensor)",
                )
            )
        self._parameters[name] = global_hooks.registered("_parameters", self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state but not trained.

        persistent=False keeps it out of state_dict.
        """
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                message(
                    f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                    "(torch Tensor or None required)",
                    f"{type(self).__name__}.register_buffer({name!r}, {describe(tensor)})",
                    fix="torch.tensor(value)",
                )
            )
        self._buffers[name] = global_hooks.registered("_buffers", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under `name`."""
        if not isinstance(module, Module) and module is not None:
            raise not_a_module(module)
        self._check_name("module", name, "_modules")
        module = global_hooks.registered("_modules", self, name, module)
        self._modules[name] = module
        if module is not None:
            module._label(self._child_label(name))

    register_module = add_module

    def _label(self, label: str) -> None:
        """Take the name under which pictures group this module's nodes: its name in its parent."""
        self.__dict__["_scope_label"] = label

    def _child_label(self, name: str) -> str:
        return name

    def _check_name(self, kind: str, name: Any, store: str) -> None:
        if store not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(
                message(
                    f"{kind} name should be a string. Got {typename(name)}",
                    f"{type(self).__name__}: {name!r}",
                    fix=f"str({name!r})",
                )
            )
        if "." in name:
            raise KeyError(
                f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else "")
            )
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in self.__dict__[store] and (
            name in self.__dict__
            or hasattr(type(self), name)
            or any(name in s for s in self._stores())
        ):
            raise KeyError(f"attribute '{name}' already exists")

    def _stores(self) -> tuple[dict[str, Any], ...]:
        d = self.__dict__
        return tuple(d[store] for store in ("_parameters", "_buffers", "_modules") if store in d)

    # ---------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._bind("_parameters", "parameters", name, value)
            return
        if isinstance(value, Module):
            self._bind("_modules", "module", name, value)
            value._label(self._child_label(name))
            return
        if isinstance(value, Buffer):
            self._bind("_buffers", "buffer", name, value)
            (set.discard if value.persistent else set.add)(self._non_persistent_buffers_set, name)
            return
        # A name that is a parameter, child or buffer already keeps its role: only None empties it
        for store, kind, wanted in _ROLES:
            entries = self.__dict__.get(store)
            if entries and name in entries:
                if value is not None and not (store == "_buffers" and isinstance(value, Tensor)):
                    raise TypeError(
                        message(
                            f"cannot assign '{typename(value)}' as {kind} '{name}' "
                            f"({wanted} or None expected)",
                            f"{type(self).__name__}.{name} = {describe(value)}",
                            fix=f"del module.{name} first, to give the name another role"
                            if store != "_parameters"
                            else "torch.nn.Parameter(tensor); or module."
                            f"{name}.data = tensor, to change its values",
                        )
                    )
                entries[name] = value
                return
        object.__setattr__(self, name, value)

    def _bind(self, store: str, what: str, name: str, value: Any) -> None:
        if store not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if name not in self.__dict__[store]:
            if isinstance(getattr(self.__class__, name, None), property):
                raise KeyError(f"attribute '{name}' already exists")  # it would never be read
            # One name, one role: a former plain attribute, buffer or child of that name goes.
            self.__dict__.pop(name, None)
            for entries in self._stores():
                entries.pop(name, None)
            self._non_persistent_buffers_set.discard(name)
        self.__dict__[store][name] = global_hooks.registered(store, self, name, value)

    def __getattr__(self, name: str) -> Any:
        # Called only when `name` is neither an instance nor a class attribute. Hot path: every
        # `self.fc1` comes here.
        d = self.__dict__
        try:
            if name in (entries := d["_modules"]) or name in (entries := d["_parameters"]):
                return entries[name]
            if name in (entries := d["_buffers"]):
                return entries[name]
        except KeyError:  # Module.__init__ has not run
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '{name}'. super().__init__() has "
                "not been called: make it the first line of __init__"
            ) from None
        raise NoAttribute(self, name)

    def __delattr__(self, name: str) -> None:
        for entries in self._stores():
            if name in entries:
                del entries[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = set(object.__dir__(self))
        for entries in self._stores():
            names.update(key for key in entries if not key[:1].isdigit())
        return sorted(names)

    # ---------------------------------------------------------------- walking the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all below it, depth first; a shared one comes once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(
                    memo, f"{prefix}.{name}" if prefix else name, remove_duplicate
                )

    def _named_members(
        self, store: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        memo = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, owner in owners:
            for name, value in owner.__dict__[store].items():
                if value is None or id(value) in memo:
                    continue
                if remove_duplicate:
                    memo.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter), in the order of registration; a shared parameter comes once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer), in the order of registration."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters: what an optimizer is given."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        seen: set[Module] = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        for _, child in self.named_children():
            yield child

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path (`"seq.0"`; `""` is this module).

        AttributeError if there is none.
        """
        module: Module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a dotted path, of which all but the last name must be there.

        With `strict`, the last one, too. ValueError for an empty path or what is no Module.
        """
        if target == "":
            raise ValueError(message("Cannot set the submodule without a target name!"))
        if not isinstance(module, Module):
            raise ValueError(message(f"`module` is not an nn.Module, found {module.__class__}"))
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path; AttributeError if there is none."""
        return self._get_member(target, Parameter, "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path; AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        found = self._get_member(target, Tensor, "a buffer")
        if name not in self.get_submodule(path)._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found

    def _get_member(self, target: str, kind: type, what: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        found = getattr(owner, name)
        if not isinstance(found, kind):
            raise AttributeError(f"`{name}` is not {what}")
        return found

    # ---------------------------------------------------------------- changing everything below

    def apply(self: T, fn: Callable[[Module], Any]) -> T:
        """Call fn(module) on every module below and then on this one (initialisation, mostly)."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self: T, mode: bool = True) -> T:
        """Set `training` on the whole tree; Dropout reads it."""
        if not isinstance(mode, bool):
            raise ValueError(
                message(
                    "training mode is expected to be boolean",
                    f"{type(self).__name__}.train({mode!r})",
                    fix="train(True), or eval()",
                )
            )
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: T) -> T:
        return self.train(False)

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Freeze (False) or thaw every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: `.grad = None`, or zeros with set_to_none=False."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = parameter.grad.detach().zero_()

    def _apply(self: T, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> T:
        """Replace every parameter's data and gradient, and every buffer, by fn of it."""
        with no_grad():
            for module in self.modules() if recurse else (self,):
                for parameter in module._parameters.values():
                    if parameter is None:
                        continue
                    grad, parameter.grad = parameter.grad, None
                    parameter.data = fn(parameter.data)
                    if grad is not None:
                        parameter.grad = fn(grad.detach())
                for name, buffer in module._buffers.items():
                    if buffer is not None:
                        module._buffers[name] = fn(buffer)
        return self

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """to(device), to(dtype), to(device, dtype), to(tensor): in place.

        Integer tensors keep their dtype.
        """
        probe = Tensor([0.0]).to(*args, **kwargs)
        if not (probe.is_floating_point() or probe.is_complex()):
            raise TypeError(
                message(
                    "nn.Module.to only accepts floating point or complex dtypes, "
                    f"but got desired dtype={probe.dtype}",
                    f"{type(self).__name__}.to()",
                )
            )
        gives_dtype = kwargs.get("dtype") is not None or any(
            isinstance(arg, (Tensor, type(probe.dtype))) for arg in args
        )
        device, dtype = probe.device, probe.dtype

        def convert(tensor: Tensor) -> Tensor:
            cast = gives_dtype and (tensor.is_floating_point() or tensor.is_complex())
            return tensor.to(device, dtype) if cast else tensor.to(device)

        return self._apply(convert)

    def to_empty(self: T, *, device: DeviceLike, recurse: bool = True) -> T:
        """Move to `device` without the values: parameters and buffers are then uninitialised."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse)

    def compile(self, *args: Argument, **kwargs: Argument) -> object:
        """Accepted without effect but a warning: calls run as they are written."""
        warnings.warn(
            "Module.compile: microtorch runs a module as it is written; nothing was compiled. "
            "microtorch.compile(module) returns one that is.",
            stacklevel=2,
        )
        return None

    def share_memory(self: T) -> T:
        """Move parameters and buffers to memory shared with processes that are started later."""
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.share_memory_()
        return self

    def cpu(self: T) -> T:
        return self.to("cpu")

    def cuda(self: T, device: DeviceLike = None) -> T:
        return self.to("cuda" if device is None else device)

    def type(self: T, dst_type: Any) -> T:
        """Cast every parameter and buffer to `dst_type`."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _cast(self: T, method: str) -> T:
        return self._apply(lambda t: getattr(t, method)() if t.is_floating_point() else t)

    def float(self: T) -> T:
        """Cast floating point parameters and buffers to float32."""
        return self._cast("float")

    def double(self: T) -> T:
        """Cast floating point parameters and buffers to float64."""
        return self._cast("double")

    def half(self: T) -> T:
        """Cast floating point parameters and buffers to float16."""
        return self._cast("half")

    def bfloat16(self: T) -> T:
        """Cast floating point parameters and buffers to bfloat16."""
        return self._cast("bfloat16")

    # ---------------------------------------------------------------- state

    def state_dict(
        self,
        *args: Argument,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by path; the values share memory with the module."""
        if args:
            destination, prefix, keep_vars = state.old_arguments(
                args, destination, prefix, keep_vars
            )
        return state.collect(self, destination, prefix, keep_vars)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Write the module's own entries. A subclass may add others."""
        state.save_own(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Find the module's own entries, below `prefix`. A subclass may rename keys before.

        The three lists collect what is wrong. Values are copied when all modules have been asked
        and nothing is.
        """
        state.load_own(
            self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
            error_msgs,
        )  # fmt: skip

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state._IncompatibleKeys:
        """Copy `state_dict` into this module; returns (missing_keys, unexpected_keys).

        RuntimeError lists every size mismatch, and with strict=True every missing or unexpected
        key; the module is then unchanged. assign=True binds the given tensors instead of copying.
        """
        return state.load(self, state_dict, strict, assign)

    def _defines(self, method: str) -> bool:
        """Does a subclass define this method anew?"""
        return getattr(self.__class__, method) is not getattr(Module, method)

    def get_extra_state(self) -> Any:
        """What a subclass wants in its state dict besides tensors; it defines both methods."""
        raise RuntimeError(
            message(
                f"{type(self).__name__} has no get_extra_state()",
                fix="a subclass that keeps more than tensors defines it, and set_extra_state",
            )
        )

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise RuntimeError(
            message(
                f"{type(self).__name__} has no set_extra_state()",
                fix="a subclass that keeps more than tensors defines it, and get_extra_state",
            )
        )

    def register_state_dict_pre_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, prefix, keep_vars) before the module's state is collected."""
        return hooks.add(self._own_hooks("_state_dict_pre_hooks"), hook)

    def register_state_dict_post_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata) afterwards.

        It may change `state_dict` in place, and must return None.
        """
        return hooks.add(self._own_hooks("_state_dict_hooks"), state.without_result(hook))

    def _register_state_dict_hook(self, hook: Hook) -> graph.RemovableHandle:
        """The old kind, whose result, if not None, becomes the state dict."""
        return hooks.add(self._own_hooks("_state_dict_hooks"), hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs) before the module looks for its entries.

        It may change the dict and the lists in place.
        """
        return hooks.add(
            self._own_hooks("_load_state_dict_pre_hooks"), lambda *given: hook(self, *given)
        )

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> graph.RemovableHandle:
        """The old kind, which is not given the module."""
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        return hooks.add(self._own_hooks("_load_state_dict_pre_hooks"), hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, incompatible_keys) when the values are in the module.

        It may change the two lists in place; what they then hold counts for `strict`.
        """
        return hooks.add(self._own_hooks("_load_state_dict_post_hooks"), hook)

    # ---------------------------------------------------------------- printing

    def extra_repr(self) -> str:
        """The text between the brackets of repr(): a layer's settings."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {indent(repr(child))}" for name, child in self._modules.items()]
        if not child_lines and len(extra_lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(extra_lines + child_lines) + "\n)"


_ROLES = (
    ("_parameters", "parameter", "torch.nn.Parameter"),
    ("_modules", "child module", "torch.nn.Module"),
    ("_buffers", "buffer", "torch.nn.Buffer, torch.Tensor"),
)
