"""Views that writes cannot be followed through: outputs of unbind, split and custom Functions, and
views made under no_grad.

Such a view has a mark in its chain. A recorded write to it raises at once. A write to its base
leaves it without a derivative: it gets a node that raises as soon as an op would record it.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ..base import errors
from ..graph import mode
from .op import Op
from .views import UNRECORDED, unfollowing

if TYPE_CHECKING:
    from ..base.types import Attrs
    from ..graph import Node
    from ..handles.tensor import Tensor

SEVERAL = (
    "This view is the output of a function that returns multiple views. Such functions do not "
    "allow the output views to be modified inplace. You should replace the inplace operation by an "
    "out-of-place one."
)
CUSTOM = (
    "This view was created inside a custom Function (or because an input was returned as-is) and "
    "the autograd logic to handle view+inplace would override the custom backward associated with "
    "the custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix "
    "this by cloning the output of the custom Function."
)


def _stale(F: Any, g: Any, node: Node) -> NoReturn:
    raise stale(node)


def stale(node: Node) -> errors.InplaceError:
    """The error for the use of a view whose base was written."""
    return refusal(node.attrs or {}, "its base or another view of its base has been")


def _needs(node: Node) -> bool:
    if mode.get().grad:
        raise stale(node)
    return True


unfollowed = Op("unfollowed", None, joint=_stale, register=False, reads_nothing=True)
unfollowing.append(unfollowed)
unfollowed.node.needs = property(_needs)  # type: ignore  # ops ask for it to record


def refusal(attrs: Attrs, what: str) -> errors.InplaceError:
    """The error for a write that cannot be followed; ``what`` names what was written."""
    return errors.InplaceError(
        errors.message(f"{attrs['view']} and {what} modified inplace. {attrs['why']}")
    )


def mark(t: Tensor, function: str, output: int, why: str) -> None:
    """Let no recorded write pass through the view ``t``, output of ``function``."""
    if t.origin is not None:
        base, chain = t.origin
        chain = tuple([step for step in chain if step[1] is not UNRECORDED])
        attrs = {"view": f"Output {output} of {function} is a view", "why": why}
        t.origin = (base, (*chain, (unfollowed, attrs)))


def mark_all(views: Sequence[Tensor], function: str) -> tuple[Tensor, ...]:
    """The views that one function returns, marked."""
    for i, t in enumerate(views):
        mark(t, function, i, SEVERAL)
    return tuple(views)


def mark_of(t: Tensor) -> Attrs | None:
    """The first mark in the chain of a view; None if writes can be followed."""
    if t.origin is None:
        return None
    for op, attrs in t.origin[1]:
        if op is unfollowed:
            return attrs
    return None
