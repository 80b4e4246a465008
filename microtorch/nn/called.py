"""A module's call with hooks: pre-hooks, forward, hooks, and the backward hooks around them.

`Module.__call__` comes here only if a hook was registered, on the module or on all modules, so
that a module without hooks pays nothing but the test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import message, warn
from . import global_hooks as everywhere
from .backward_hooks import BackwardHooks, hang_old

if TYPE_CHECKING:
    from ..base.types import Argument, Hook
    from .module import Module


def call_with_hooks(
    module: Module, args: tuple[Argument, ...], kwargs: dict[str, Argument]
) -> Argument:
    """The pre-hooks, forward and the hooks of `module`; hooks of all modules come first.

    A result that is not None replaces the value. Hooks registered with `always_call` are called,
    with what output there is, also where something raised; what they raise then is a warning.
    """
    called: set[int] = set()
    output = None
    try:
        for number, hook in [*everywhere.forward_pre.items(), *module._forward_pre_hooks.items()]:
            if number not in module._forward_pre_hooks_with_kwargs:
                result = hook(module, args)
                if result is not None:
                    args = result if isinstance(result, tuple) else (result,)
                continue
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
        full, old, before = _backward_hooks_of(module)
        watch = BackwardHooks(module, full, before) if full or before else None
        if watch is not None:
            args = watch.enter(args)
        output = module.forward(*args, **kwargs)
        for number, hook in [*everywhere.forward.items(), *module._forward_hooks.items()]:
            called.add(number)
            result = _after(number, hook, module, args, kwargs, output)
            if result is not None:
                output = result
        if watch is not None:
            output = watch.leave(output)
        if old:
            hang_old(module, old, args, output)
        return output
    except Exception:
        for number, hook in [*everywhere.forward.items(), *module._forward_hooks.items()]:
            always = number in everywhere.always or number in module._forward_hooks_always_called
            if always and number not in called:
                _call_last(number, hook, module, args, kwargs, output)
        raise


def _after(
    number: int,
    hook: Hook,
    module: Module,
    args: tuple[Argument, ...],
    kwargs: dict[str, Argument],
    output: Argument,
) -> Argument:
    """What a forward hook answers."""
    if number in module._forward_hooks_with_kwargs or number in everywhere.kwargs_too:
        return hook(module, args, kwargs, output)
    return hook(module, args, output)


def _call_last(
    number: int,
    hook: Hook,
    module: Module,
    args: tuple[Argument, ...],
    kwargs: dict[str, Argument],
    output: Argument,
) -> None:
    """Call a hook on the way out of an error, which a second error must not hide."""
    try:
        _after(number, hook, module, args, kwargs, output)
    except Exception as error:
        warn(
            "module forward hook with ``always_call=True`` raised an exception that was silenced "
            f"as another error was raised in forward: {error}",
        )


def _backward_hooks_of(module: Module) -> tuple[list[Hook], list[Hook], list[Hook]]:
    """Those that see all gradients, those of the old kind, and those that come before."""
    full: list[Hook] = []
    old: list[Hook] = []
    if everywhere.backward:
        (full if everywhere.full[0] else old).extend(everywhere.backward.values())
    if module._backward_hooks:
        (full if module._is_full_backward_hook else old).extend(module._backward_hooks.values())
    return full, old, [*everywhere.backward_pre.values(), *module._backward_pre_hooks.values()]
