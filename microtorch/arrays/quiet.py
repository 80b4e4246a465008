"""Numbers without numpy's warnings, whatever the user's filters say.

numpy warns of overflow and division by zero; PyTorch, and so microtorch, answers inf and nan. One
filter ignores the warnings. A filter that is added later stands before it; if it says "error",
numpy raises where it would have warned. Then, and only then, an op is computed once more, in a
numpy that does not look: to tell numpy so before each op would cost as much as a small op. (A ufunc
that writes in place has written when it raises: there is nothing to repeat.) Backward, which
repeats nothing, asks ``may_raise`` before it sets out; a user's own backward has numpy as it was.
If that filter says "always", the warning is made, and not shown.
"""
from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, ParamSpec, TextIO, TypeVar

import numpy as np

if TYPE_CHECKING:
    from ..base.types import Argument

P = ParamSpec("P")
R = TypeVar("R")

warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"microtorch(\.|$)")
OWN = warnings.filters[0]
_HERE, _show = os.path.dirname(os.path.dirname(__file__)), warnings.showwarning


def _shown(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    """Show a warning, unless it is numpy's of numbers in the package."""
    numeric = category is RuntimeWarning and " encountered in " in str(message)
    if not numeric or not filename.startswith(_HERE):
        _show(message, category, filename, lineno, file, line)


warnings.showwarning = _shown
# numpy's state around a backward that does not look
_around: ContextVar[Argument] = ContextVar("microtorch.around", default=None)


def may_raise() -> bool:
    """Does a filter before the package's own make errors of warnings?"""
    for other in warnings.filters:
        if other is OWN:
            break
        if other[0] == "error":
            return True
    return False


def unlooking(f: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """``f(*args, **kwargs)`` in a numpy that does not look, and in a context of its own.

    Ctrl-C may come inside of ``np.errstate``, which is written in Python; the state that is then
    not put back ends with the context.
    """
    return copy_context().run(_unlooking, f, args, kwargs)


def _unlooking(f: Callable[..., R], args: tuple[Argument, ...], kwargs: dict[str, Argument]) -> R:
    np.seterr(all="ignore")
    return f(*args, **kwargs)


def quiet(f: Callable[P, R]) -> Callable[P, R]:
    """``f``, which changes nothing, without numpy's warnings."""

    @functools.wraps(f)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return f(*args, **kwargs)
        except RuntimeWarning:
            return unlooking(f, *args, **kwargs)

    return function


def quietly(f: Callable[P, R]) -> Callable[P, R]:
    """``f``, which is run once, without numpy's warnings."""

    @functools.wraps(f)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return copy_context().run(around, np.geterr(), args, kwargs)

    def around(state: Argument, args: tuple[Argument, ...], kwargs: dict[str, Argument]) -> R:
        _around.set(state)
        return _unlooking(f, args, kwargs)

    return function


def as_around() -> AbstractContextManager[object]:
    """For what is the user's own: numpy's state around the function that is run ``quietly``."""
    state = _around.get()
    return nullcontext() if state is None else np.errstate(**state)
