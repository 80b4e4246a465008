"""Numbers without numpy's warnings, whatever the user's filters say.

numpy warns of overflow and division by zero; PyTorch, and so microtorch, answers inf and nan. One
filter ignores the warnings. It is lost where the import stands in a ``warnings.catch_warnings()``,
and a filter that is added later stands before it: whatever makes a tensor puts it first again. To
look before each op would cost too much; so until a tensor is made numpy may raise where it would
have warned, if the user's filter says "error". Then, and only then, an op is computed once more, in
a numpy that does not look. (A ufunc that writes in place has written when it raises: there is
nothing to repeat.) Backward, which repeats nothing, asks ``may_raise`` before it sets out; a user's
own backward has numpy as it was.
"""
from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np

if TYPE_CHECKING:
    from ..base.types import Argument

P = ParamSpec("P")
R = TypeVar("R")

own: object = None  # the package's filter
NONE = (None,)
# numpy's state around a backward that does not look
_around: ContextVar[Argument] = ContextVar("microtorch.around", default=None)


def stand_first() -> None:
    """Put the package's filter before all others."""
    global own
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"microtorch(\.|$)")
    own = warnings.filters[0]


stand_first()


def may_raise() -> bool:
    """Does a filter before the package's own make errors of warnings?"""
    for other in warnings.filters:
        if other is own:
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
