"""Hooks of a module: functions that run before and after forward().

    forward_pre_hook(module, args)          -> None | new args
    forward_hook(module, args, output)      -> None | new output
    with_kwargs=True inserts `kwargs` after `args`; a pre-hook then returns None or (args, kwargs)

They are stored in one shape, the one with kwargs; a hook without is wrapped when it is
registered. `Module.__call__` comes here only if at least one hook is registered, so a module
without hooks pays nothing but the test.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeAlias

from ..base.errors import message
from ..graph import RemovableHandle

if TYPE_CHECKING:
    from ..base.types import Hook
    from .module import Module

    Hooks: TypeAlias = OrderedDict[int, Hook]  # in the order in which they run


def add_pre_hook(
    hooks: Hooks, hook: Hook, prepend: bool, with_kwargs: bool
) -> RemovableHandle:
    def call(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = hook(module, args)
        if result is None:
            return None
        return (result if isinstance(result, tuple) else (result,)), kwargs

    return _add(hooks, hook, hook if with_kwargs else call, prepend)


def add_hook(hooks: Hooks, hook: Hook, prepend: bool, with_kwargs: bool) -> RemovableHandle:
    def call(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        return hook(module, args, output)

    return _add(hooks, hook, hook if with_kwargs else call, prepend)


def _add(hooks: Hooks, given: Hook, stored: Hook, prepend: bool) -> RemovableHandle:
    if not callable(given):
        raise TypeError(
            message(
                f"a hook must be callable, but got {type(given).__name__}",
                fix="a function of (module, args), or for a forward hook (module, args, output)",
            )
        )
    handle = RemovableHandle(hooks, stored)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The pre-hooks, forward and the hooks of `module`.

    A result that is not None replaces the value.
    """
    for hook in list(module._forward_pre_hooks.values()):
        result = hook(module, args, kwargs)
        if result is not None:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    message(
                        "forward pre-hook must return None or a tuple of "
                        f"(new_args, new_kwargs), but got {result}.",
                        f"hook {getattr(hook, '__name__', hook)} of {type(module).__name__}",
                        fix="return args, kwargs",
                    )
                )
            args, kwargs = result
    output = module.forward(*args, **kwargs)
    for hook in list(module._forward_hooks.values()):
        result = hook(module, args, kwargs, output)
        if result is not None:
            output = result
    return output
