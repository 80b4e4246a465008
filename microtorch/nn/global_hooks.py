"""Hooks of all modules at once: `torch.nn.modules.module.register_module_*_hook`.

They serve debuggers and profilers: one function sees every module that is called, whoever made
it. They run before a module's own hooks. The first registration sets `ANY`, and from then on
`Module.__call__` looks for them.

    register_module_forward_hook(hook)                   hook(module, args, output)
    register_module_parameter_registration_hook(hook)    hook(module, name, parameter)
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ..base.errors import message
from ..graph import RemovableHandle
from . import hooks

if TYPE_CHECKING:
    from ..base.types import Argument, Hook
    from .hooks import Hooks
    from .module import Module

forward_pre: Hooks = OrderedDict()
forward: Hooks = OrderedDict()
backward_pre: Hooks = OrderedDict()
backward: Hooks = OrderedDict()
kwargs_too: dict[int, bool] = {}
always: dict[int, bool] = {}
registration: dict[str, Hooks] = {
    "_parameters": OrderedDict(),
    "_buffers": OrderedDict(),
    "_modules": OrderedDict(),
}
on_calls = (forward_pre, forward, backward_pre, backward)
ANY: list[bool] = []  # not empty once a hook on calls was registered
full: list[bool] = []  # of the backward hooks, once there are some: do they see all gradients?


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, args) before every module's forward; its result replaces the args."""
    ANY[:] = [True]
    return hooks.add(forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call hook(module, args, output) after every module's forward.

    What it returns, if not None, replaces the output. With `always_call` it is called, with the
    output None, also where forward raised.
    """
    ANY[:] = [True]
    noted = [d for d, wanted in ((kwargs_too, with_kwargs), (always, always_call)) if wanted]
    return hooks.add(forward, hook, noted=noted)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, grad_output) before the gradients enter every module."""
    ANY[:] = [True]
    return RemovableHandle(backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, grad_input, grad_output) when the gradients have left every module."""
    return _backward_hook(hook, True)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """The old kind, which sees the last operation of every module (nn/backward_hooks.py)."""
    return _backward_hook(hook, False)


def _backward_hook(hook: Hook, is_full: bool) -> RemovableHandle:
    if full and full[0] is not is_full:
        raise RuntimeError(
            message(
                "Cannot use both regular backward hooks and full backward hooks as a global Module "
                "hook. Please use only one of them."
            )
        )
    full[:] = [is_full]
    ANY[:] = [True]
    return RemovableHandle(backward, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, name, parameter) when one is registered; its result replaces it."""
    return RemovableHandle(registration["_parameters"], hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, name, buffer) when one is registered; its result replaces it."""
    return RemovableHandle(registration["_buffers"], hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, name, child) when one is registered; its result replaces it."""
    return RemovableHandle(registration["_modules"], hook)


def registered(store: str, module: Module, name: str, value: Argument) -> Argument:
    """What the hooks on registration make of `value`."""
    for hook in list(registration[store].values()):
        answer = hook(module, name, value)
        if answer is not None:
            value = answer
    return value
