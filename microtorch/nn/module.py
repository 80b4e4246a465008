"""nn.Module: the base class of everything that holds parameters.

A module is a tree. Assigning a Parameter, a Module or (through `register_buffer`) a Tensor to an
attribute stores it in one of three dicts, `_parameters`, `_modules` and `_buffers`; everything a
module can do (list its parameters, move to a dtype, save its state, switch to evaluation) is a
walk over these dicts, in tree.py and stateful.py. Attribute access finds them again through
`__getattr__`, which Python calls only when the ordinary lookup failed.

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

import weakref
from collections import OrderedDict
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from .. import graph
from ..backends.core.library import taught
from ..base.errors import NoAttribute, describe, message, nearest_name
from ..graph import Mode, Scope, mode
from ..handles.tensor import Tensor
from . import global_hooks, hooks
from .buffer import Buffer
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
from .state import _IncompatibleKeys as _IncompatibleKeys  # files import it from here
from .stateful import Stateful
from .tree import Tree

if TYPE_CHECKING:
    from ..base.types import Hook

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

# what the functions that users call give as their module
_OPEN = (__name__.partition(".")[0], f"{__package__}.functional")

class Module(Stateful):
    """Base class of all layers and models; a subclass defines `forward`."""

    training: bool
    call_super_init = False  # PyTorch's: shall __init__ pass its arguments on, for a second base?
    # `_hooked` says that a call has to look for hooks, and is True for modules from older files
    _hooked = True
    _forward_hooks_with_kwargs = hooks.NONE
    _forward_pre_hooks_with_kwargs = hooks.NONE
    _forward_hooks_always_called = hooks.NONE
    _backward_hooks = hooks.NONE
    _backward_pre_hooks = hooks.NONE
    _is_full_backward_hook: bool | None = None

    # what PyTorch's class keeps among its attributes and ours derives: part of what `__getstate__`
    # gives, so that PyTorch finds it in files
    _derived: tuple[str, ...] = ()
    _shown: tuple[str, ...] = ()  # the settings that repr() shows, unless by `extra_repr`

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Most of PyTorch's functions are built in: `conv = torch.conv2d` makes no method of one.

        (Ours are Python's, which would take the module for their first operand.)
        """
        super().__init_subclass__(**kwargs)
        for name, value in list(vars(cls).items()):
            if type(value) is FunctionType and value.__module__ in _OPEN:
                setattr(cls, name, staticmethod(value))

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
            "_backward_hooks": OrderedDict(),
            "_backward_pre_hooks": OrderedDict(),
            "_hooked": False,
            "_scope_label": type(self).__name__,
        }

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, as copies and files hold them; a subclass may define it anew."""
        return {**self.__dict__, **{name: getattr(self, name) for name in self._derived}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the attributes; those that a state lacks are as `__init__` makes them."""
        own = {k: v for k, v in state.items() if k not in self._derived}
        self.__dict__.update({**self._first_attributes(), "_hooked": True, **own})

    # ---------------------------------------------------------------- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation of this module; every subclass defines it."""
        name = type(self).__name__
        written = nearest_name("forward", [k for k in vars(type(self)) if k.startswith("f")])
        misspelt = f"{name}.{written} must be called forward" if written else ""
        raise NotImplementedError(
            message(
                f'Module [{name}] is missing the required "forward" function',
                fix=self._instead_of_forward
                or misspelt
                or f"define {name}.forward(self, x), indented into the class",
            )
        )

    _instead_of_forward = ""  # what to call, of a module that is not made to be called

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Hot path: once per layer per step. A try block costs nothing unless something is raised.
        outer = mode.get()
        scope = Scope(outer.scope, weakref.ref(self), self._scope_label, type(self))
        inner = Mode(outer.grad, scope, outer.inference)
        try:
            mode.set(inner)
            if self._hooked or global_hooks.ANY:
                from .called import call_with_hooks  # backward hooks import much, and few use them

                result = call_with_hooks(self, args, kwargs)
            else:
                result = self.forward(*args, **kwargs)
            left = mode.get()
            if left is not inner:  # forward has called set_grad_enabled, which lasts
                outer = Mode(left.grad, outer.scope, left.inference)
            return result
        except Exception as error:
            note_path(error, self)
            raise
        finally:
            mode.set(outer)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> graph.RemovableHandle:
        """Call hook(module, args) before forward.

        What it returns, if not None, becomes the new args.
        """
        self._hooked = True
        noted = [hooks.own(self, "_forward_pre_hooks_with_kwargs")] if with_kwargs else []
        return hooks.add(self._forward_pre_hooks, hook, prepend, noted=noted)

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
        noted = [hooks.own(self, "_forward_hooks_with_kwargs")] if with_kwargs else []
        if always_call:
            noted.append(hooks.own(self, "_forward_hooks_always_called"))
        return hooks.add(self._forward_hooks, hook, prepend, noted=noted)

    def register_full_backward_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> graph.RemovableHandle:
        """Call hook(module, grad_output) when the gradients of all outputs are known.

        What it returns, if not None, replaces them.
        """
        self._hooked = True
        return hooks.add(hooks.own(self, "_backward_pre_hooks"), hook, prepend)

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
        return hooks.add(hooks.own(self, "_backward_hooks"), hook, prepend)

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

    def _not_made(self, kind: str) -> AttributeError:
        return AttributeError(
            message(
                f"cannot assign {kind} before Module.__init__() call",
                fix=f"super().__init__() comes first in {type(self).__name__}.__init__",
            )
        )

    def _check_name(self, kind: str, name: Any, store: str) -> None:
        if store not in self.__dict__:
            raise self._not_made(kind)
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
            or (hasattr(type(self), name) and hasattr(self, name))  # a property may raise
            or any(name in s for s in self._stores())
        ):
            raise KeyError(f"attribute '{name}' already exists")

    def _stores(self) -> tuple[dict[str, Any], ...]:
        d = self.__dict__
        return tuple(d[store] for store in ("_parameters", "_buffers", "_modules") if store in d)

    # ---------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._free_name("_parameters", "parameters", name)
            self.register_parameter(name, value)
            return
        own = self.__dict__
        if isinstance(value, Module) and name not in own.get("_parameters", ()):
            self._free_name("_modules", "module", name)
            own["_modules"][name] = global_hooks.registered("_modules", self, name, value)
            value._label(self._child_label(name))
            return
        if isinstance(value, Buffer) and not any(name in own.get(s, ()) for s in _BEFORE_BUFFERS):
            if "_buffers" not in own:
                raise self._not_made("buffer")
            self.register_buffer(name, value, value.persistent)
            return
        # A name that is a parameter, child or buffer already keeps its role: only None empties it
        for store, kind, wanted in _ROLES:
            entries = own.get(store)
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

    def _free_name(self, store: str, what: str, name: str) -> None:
        """One name, one role: a former plain attribute, buffer or child of that name goes."""
        if store not in self.__dict__:
            raise self._not_made(what)
        if name not in self.__dict__[store]:
            self.__dict__.pop(name, None)
            for entries in self._stores():
                entries.pop(name, None)
            self._non_persistent_buffers_set.discard(name)

    def __getattr__(self, name: str) -> Any:
        # Called only when `name` is neither an instance nor a class attribute. Hot path: every
        # `self.fc1` comes here, or where there is a C core to what does this (ext/objects.h), and
        # only what is not found to this text.
        d = self.__dict__
        try:
            if name in (entries := d["_parameters"]) or name in (entries := d["_modules"]):
                return entries[name]
            if name in (entries := d["_buffers"]):
                return entries[name]
        except KeyError:  # Module.__init__ has not run
            lack = "is not made yet" if name.startswith("_") else f"has no attribute '{name}'"
            raise AttributeError(
                f"'{type(self).__name__}' object {lack}. super().__init__() has not been called: "
                "make it the first line of __init__"
            ) from None
        raise NoAttribute(self, name, _of_the_result)

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

    # ---------------------------------------------------------------- printing

    def extra_repr(self) -> str:
        """The text between the brackets of repr(): a layer's settings."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {indent(repr(child))}" for name, child in self._modules.items()]
        if not child_lines and len(extra_lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(extra_lines + child_lines) + "\n)"


def _of_the_result(module: Module, name: str) -> str:
    """What to write where an attribute of a tensor was asked of the module that returns it."""
    if name == "add" and hasattr(module, "append"):  # Keras's name
        return ".append(module)"
    made = f"{module._get_name()}(...)"
    return f"{made} is the module; call it first: {made}(input).{name}" * hasattr(Tensor, name)


for _part in (Stateful, Tree):  # files of one class: Python's own errors say Module.eval()
    for _name, _method in vars(_part).items():
        if isinstance(_method, FunctionType):
            _method.__qualname__ = f"Module.{_name}"

_stores = ("_parameters", "_modules", "_buffers")
_found = taught("__getattr__", (Module, *_stores, Module.__getattr__), (), Module.__getattr__)
type.__setattr__(Module, "__getattr__", _found)

_addindent = indent  # PyTorch's name, under which files import it
_BEFORE_BUFFERS = ("_parameters", "_modules")  # whose names no buffer takes
_ROLES = (
    ("_parameters", "parameter", "torch.nn.Parameter"),
    ("_modules", "child module", "torch.nn.Module"),
    ("_buffers", "buffer", "torch.nn.Buffer, torch.Tensor"),
)
