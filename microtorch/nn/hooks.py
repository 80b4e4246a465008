"""Hooks of a module: functions that run before and after forward().

    forward_pre_hook(module, args)          -> None | new args
    forward_hook(module, args, output)      -> None | new output
    with_kwargs=True inserts `kwargs` after `args`; a pre-hook then returns None or (args, kwargs)

They are stored in one shape, the one with kwargs; a hook without is wrapped when it is
registered. `called.py` runs them, `global_hooks.py` has those of all modules.
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


NONE: Hooks = OrderedDict()  # of modules that have no hook of a kind; never written to


def own(module: object, store: str) -> Hooks:
    """The module's own dict of hooks, where the class has an empty one for all."""
    found: Hooks = vars(module).setdefault(store, OrderedDict())
    return found


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


def add(hooks: Hooks, hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Add a hook that is stored as it is given."""
    return _add(hooks, hook, hook, prepend)
