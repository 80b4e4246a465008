"""Hooks of a module: functions that run before and after forward().

    forward_pre_hook(module, args)          -> None | new args
    forward_hook(module, args, output)      -> None | new output
    with_kwargs=True inserts `kwargs` after `args`; a pre-hook then returns None or (args, kwargs)

They are stored as they are given; those of which more is to be known have their numbers in other
dicts. `called.py` runs them, `global_hooks.py` has those of all modules.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..base.errors import message
from ..graph import RemovableHandle

if TYPE_CHECKING:
    from ..base.types import Argument, Hook

    Hooks: TypeAlias = OrderedDict[int, Hook]  # in the order in which they run


NONE: Hooks = OrderedDict()  # of modules that have no hook of a kind; never written to


def own(module: object, store: str) -> Hooks:
    """The module's own dict of hooks, where the class has an empty one for all."""
    found: Hooks = vars(module).setdefault(store, OrderedDict())
    return found


class WithModule:
    """A hook on loading that wants the module first; the module is not kept, but passed to it."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def __call__(self, *given: Argument) -> Argument:
        return self.hook(*given)


def add(
    hooks: Hooks, hook: Hook, prepend: bool = False, *, noted: Sequence[dict[int, Any]] = ()
) -> RemovableHandle:
    """Add a hook, and note its number in each of the dicts `noted`."""
    if not callable(hook):
        raise TypeError(
            message(
                f"a hook must be callable, but got {type(hook).__name__}",
                fix="a function of (module, args), or for a forward hook (module, args, output)",
            )
        )
    handle = RemovableHandle(hooks, hook, extra_dict=noted)
    for numbers in noted:
        numbers[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle
