"""What a user hangs on a node: callbacks, and the handle that takes one away again."""
from __future__ import annotations

from itertools import count
from typing import Any


class Hooks:
    """The user's callbacks on one node, and whether its gradient is kept."""

    __slots__ = (
        "accumulated", "leads", "left", "metadata", "packed", "post", "pre", "retain", "tensor",
    )  # fmt: skip

    def __init__(self) -> None:
        self.tensor: dict[int, Any] = {}  # Tensor.register_hook: grad -> grad
        self.pre: dict[int, Any] = {}
        self.post: dict[int, Any] = {}
        self.accumulated: dict[int, Any] = {}  # Tensor.register_post_accumulate_grad_hook
        # is its gradient kept? By the node that a weak reference finds, if it is one; and where it
        # is another node, by that one. So it is after t_() and its like (handles/metadata.py)
        self.retain: Any = False
        self.metadata: dict[str, Any] = {}
        self.packed: dict[int, Any] | None = None  # saved tensors in the user's form, by place
        # the user's tensor has left this node: when, and for what data (None: by detach_)
        self.left: tuple[int, Any] | None = None
        # of an in-place op, by place (-1: its output): where a derivative of its derivative leads
        # that reads this value, a function that answers the node, or None if it is gone
        self.leads: dict[int, Any] | None = None

    def __bool__(self) -> bool:
        """Is there anything of the user's?"""
        calls = self.tensor or self.pre or self.post or self.accumulated
        return bool(calls or self.retain or self.packed)


class RemovableHandle:
    """Returned by ``register_hook``; ``remove()`` takes the hook away again.

    Also a context manager, as in PyTorch. ``extra_dict``: one dict or a list of them, which say
    more about hooks under the same number. Who gives no ``hook`` stores it under ``handle.id``.
    """

    _ids = count()

    def __init__(
        self, hooks_dict: dict[int, Any], hook: Any = ..., *, extra_dict: Any = None
    ) -> None:
        if not callable(hook) and hook is not ...:
            raise TypeError(f"a hook must be callable, but got {type(hook).__name__}")
        self.hooks, self.id = hooks_dict, next(RemovableHandle._ids)
        self.extra = [extra_dict] if isinstance(extra_dict, dict) else list(extra_dict or ())
        if hook is not ...:
            hooks_dict[self.id] = hook

    def hooks_dict_ref(self) -> dict[int, Any]:
        """The dict that holds the hook."""
        return self.hooks

    def remove(self) -> None:
        for stored in (self.hooks, *self.extra):
            stored.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
