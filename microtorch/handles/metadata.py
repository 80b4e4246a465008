"""In-place changes of shape: the elements stay where they are, and are seen in another way.

``x.t_()`` makes ``x`` what ``x.t()`` is: a view. Its old self becomes a handle of its own, which is
the base of the views of ``x`` from then on.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..base import errors
from ..base.naming import named
from ..engine.record import constant_node, handle
from ..graph import storage_of
from ..ops.arguments import shape_of
from ..ops.strided import at_strides, owner
from ..ops.surface import FUNCTIONS, METHODS
from .inplace import check_leaf
from .methods import bind_methods

if TYPE_CHECKING:
    from .tensor import Tensor

NAMES = ("t", "transpose", "swapaxes", "swapdims", "squeeze", "unsqueeze", "as_strided")


def _seen_as(name: str) -> Callable[..., Tensor]:
    function = METHODS[name]

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_leaf(self, name)
        old = handle(self.array, self.node)
        old.origin = self.origin
        new = function(old, *args, **kwargs)
        storage = storage_of(self.node)
        if self.origin is None:
            for view in [r() for r in storage.views]:
                if view is not None and view.origin is not None and view.origin[0] is self:
                    view.origin = (old, view.origin[1])
            storage.add_view(ref(self))
        self.array, self.node, self.origin = new.array, new.node, new.origin
        return self

    method.__wrapped__ = function  # type: ignore[attr-defined]  # the signature that help() shows
    return named(method, f"{name}_", f"In-place {name}: this tensor becomes the view.")


def resize_(self: Tensor, *size: int | Sequence[int], memory_format: Any = None) -> Tensor:
    """Change the shape to ``size``, over the same memory where it suffices.

    More elements need new memory: the old ones are copied, the others are 0. RuntimeError for a
    tensor that requires gradient, and where other tensors show the memory that must be left.
    """
    shape = shape_of(size, "resize_")
    if self.node.needs:
        raise RuntimeError(
            errors.message("cannot resize variables that require grad", fix="x.detach().resize_()")
        )
    if any(n < 0 for n in shape):
        raise RuntimeError(errors.message(f"resize_: sizes must not be negative, got {shape}"))
    if shape == self.array.shape:
        return self
    old = self.array
    steps = np.cumprod([old.itemsize, *shape[:0:-1]])[::-1] if shape else ()
    try:
        self.array = at_strides(old, shape, tuple(int(s) for s in steps), 0)
    except (TypeError, ValueError):  # it does not suffice
        shared = self.node.storage is not None and any(
            v is not None and v is not self for v in [r() for r in self.node.storage.views]
        )
        if shared or self.origin is not None:
            raise RuntimeError(
                errors.message(
                    "resize_: other tensors show this memory, and would lose sight of it",
                    f"{errors.describe(self)} to {shape}",
                    fix="x.new_empty(size), and copy what is needed",
                )
            ) from None
        memory = owner(old).nbytes - (old.ctypes.data - owner(old).ctypes.data)
        held = at_strides(old, (memory // old.itemsize,), (old.itemsize,), 0)
        self.array = np.zeros(shape, old.dtype)
        self.array.reshape(-1)[: held.size] = held
    storage = self.node.storage
    self.node = constant_node(self.array, self.node.dev)
    self.node.storage = storage
    return self


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """``resize_`` to the shape of another tensor."""
    return resize_(self, *the_template.array.shape)


bind_methods({f"{name}_": _seen_as(name) for name in NAMES})
bind_methods({"resize_": resize_, "resize_as_": resize_as_})
FUNCTIONS["resize_as_"] = resize_as_
