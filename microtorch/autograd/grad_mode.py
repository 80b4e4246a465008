"""Switching gradient recording off and on: context managers that are decorators too.

The mode is a ContextVar (graph.mode), so each thread and each asyncio task has its own.
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ..base.errors import warn
from ..graph import Mode, mode

F = TypeVar("F", bound=Callable[..., Any])


class _Switch:
    """Enter: set the mode; exit: restore it.

    ``@no_grad()`` and ``@no_grad`` decorate functions and generators.
    """

    def __new__(cls, function: Any = None, *args: Any) -> Any:
        self = super().__new__(cls)
        if callable(function):  # @torch.no_grad without parentheses
            cls.__init__(self)
            return self(function)
        return self

    def __init__(self, *_: Any) -> None:
        self._before: list[Mode] = []

    def _mode(self, now: Mode) -> Mode:
        raise TypeError("use no_grad, enable_grad, set_grad_enabled or inference_mode")

    def __enter__(self) -> None:
        now = mode.get()
        self._before.append(now)
        try:
            mode.set(self._mode(now))
        except BaseException:  # Ctrl-C: the block will not be entered, nor left
            mode.set(now)
            raise

    def __exit__(self, *exc: object) -> None:
        before, scope = self._before.pop(), mode.get().scope
        if before.scope is not scope:  # a generator that is left in another call than entered
            before = Mode(before.grad, scope, before.inference)
        mode.set(before)

    def clone(self) -> _Switch:
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isclass(function):
            warn(
                "Decorating classes is deprecated and will be disabled in future versions. You "
                "should only decorate functions or methods. To preserve the current behavior of "
                "class decoration, you can directly decorate the `__init__` method and nothing "
                "else.",
                FutureWarning,
            )
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                # the mode holds only while the generator runs, not while its caller does
                steps = function(*args, **kwargs)
                resume: Any = functools.partial(steps.send, None)
                while True:
                    with self.clone():
                        try:
                            value = resume()
                        except StopIteration as end:
                            return end.value
                    try:
                        resume = functools.partial(steps.send, (yield value))
                    except GeneratorExit:
                        with self.clone():
                            steps.close()
                        raise
                    except BaseException as error:
                        # thrown in by the caller: for the function to handle
                        resume = functools.partial(steps.throw, error)

            return cast(F, generator)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return cast(F, wrapper)


class no_grad(_Switch):
    """Record no gradient inside: results are constants, which saves time and memory."""

    def _mode(self, now: Mode) -> Mode:
        return Mode(False, now.scope, now.inference)


class enable_grad(_Switch):
    """Record gradient inside, also within no_grad."""

    def _mode(self, now: Mode) -> Mode:
        return Mode(not now.inference, now.scope, now.inference)


class inference_mode(_Switch):
    """As no_grad, also within enable_grad; with ``False`` as enable_grad.

    (PyTorch's also skips the counting of versions; here that costs nothing.)
    """

    def __new__(cls, mode: object = True) -> Any:
        return super().__new__(cls, mode)

    def __init__(self, mode: bool = True):
        super().__init__()
        self.on = bool(mode)

    def _mode(self, now: Mode) -> Mode:
        return Mode(not self.on, now.scope, self.on)

    def clone(self) -> _Switch:
        return inference_mode(self.on)


class set_grad_enabled(_Switch):
    """Switch recording at once (as a function), or for a block (as a context manager)."""

    def __new__(cls, mode: bool) -> Any:
        return object.__new__(cls)

    def __init__(self, mode: bool) -> None:
        super().__init__()
        if not isinstance(mode, bool):
            raise TypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not "
                f"{type(mode).__name__}"
            )
        self.on = mode
        self._outer = _switch(mode)

    def __enter__(self) -> None:
        _switch(self.on)

    def __exit__(self, *exc: object) -> None:
        _switch(self._outer)

    def clone(self) -> _Switch:
        return set_grad_enabled(self.on)

    def __call__(self, function: F) -> F:
        _switch(self._outer)  # as a decorator it acts only inside the function
        return super().__call__(function)


def _switch(on: bool) -> bool:
    """Set recording for the rest of the current context; returns what it was."""
    now = mode.get()
    mode.set(Mode(on, now.scope, now.inference))
    return now.grad


def is_grad_enabled() -> bool:
    """Is gradient being recorded?"""
    return mode.get().grad


def is_inference_mode_enabled() -> bool:
    """Is inference_mode on?"""
    return mode.get().inference
