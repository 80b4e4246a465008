"""Numbers without numpy's warnings, whatever the user's filters say.

One filter, in ``microtorch/__init__.py``, ignores them. A filter that is added later stands before
it; if it says "error", numpy raises where it would have warned. Then, and only then, the work is
done once more, in a numpy that does not look: to tell numpy so before each op would cost as much as
a small op. (A ufunc that writes in place has written when it raises: there is nothing to repeat.)
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def quiet(f: Callable[P, R]) -> Callable[P, R]:
    """``f``, which changes nothing, without numpy's warnings."""

    @functools.wraps(f)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return f(*args, **kwargs)
        except RuntimeWarning:
            with np.errstate(all="ignore"):
                return f(*args, **kwargs)

    return function
