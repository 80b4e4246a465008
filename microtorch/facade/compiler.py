"""``torch.compiler``: what programs say about compiling around ``torch.compile``.

``torch.compile`` records a run here (static/), and calls what it records as it is.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = ["allow_in_graph", "assume_constant_result", "disable", "is_compiling", "reset"]
__all__ += ["cudagraph_mark_step_begin", "is_dynamo_compiling", "is_exporting"]

F = TypeVar("F", bound=Callable[..., Any])


def is_compiling() -> bool:
    """False: no Python text is compiled."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def disable(fn: F | None = None, recursive: bool = True, *, reason: str | None = None) -> Argument:
    """``fn`` itself, or with no ``fn`` a decorator that leaves a function as it is."""
    return allow_in_graph if fn is None else fn


def allow_in_graph(fn: F) -> F:
    """``fn`` itself."""
    return fn


def assume_constant_result(fn: F) -> F:
    """``fn`` itself."""
    return fn


def reset() -> None:
    """Nothing is kept between compiled functions."""


def cudagraph_mark_step_begin() -> None:
    """There are no CUDA graphs."""
