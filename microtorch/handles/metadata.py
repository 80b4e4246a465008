"""In-place methods that change how memory is seen, not what lies there: t_, squeeze_, resize_ ...

The handle becomes a view of what it was, and its views lead to it by the way back. Where there is
none (as_strided_), a hidden handle takes over its place as their base, and as that of the handle.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..base import errors
from ..base.naming import named
from ..base.promises import Promises
from ..engine.argument_types import check_type
from ..engine.calling import reading
from ..engine.record import constant, constant_node, handle
from ..graph import Node, mode, shown, storage_of, tick
from ..ops.arguments import shape_of
from ..ops.node_names import rename
from ..ops.shape import reshape_op
from ..ops.surface import FUNCTIONS, METHODS
from .inplace import check_leaf
from .memory import offset, on_cpu, owner
from .methods import bind_methods, promise_methods
from .storage import UntypedStorage
from .views import check_followed, place_as_seen, renew_views, views_of
from .whole import recording

if TYPE_CHECKING:
    from ..arrays.memory_format import memory_format
    from ..base.types import Array, Chain, Shape
    from .tensor import Tensor

VIEWS = ("t", "squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "as_strided")


def _view_in_place(name: str) -> Callable[..., Tensor]:
    name = name[:-1]
    function = METHODS[name]

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_leaf(self, name)
        if self.node.needs and self.node.op is None:  # a leaf, under no_grad
            self.array = self.node.value = function(self.detach(), *args, **kwargs).array
            return self
        if self.node.needs and mode.get().grad:
            check_followed(self)
        before = handle(self.array, self.node)
        before.origin = self.origin
        others = views_of(self) if self.origin is None else []
        with recording(True):  # also under no_grad it stays what it is, with its gradient
            view = function(before, *args, **kwargs)
        if view.node.op is not None:
            rename(view, _in_place(type(shown(view.node)).__name__), (before,))
        storage_of(before.node).wrote(name)
        back = _way_back(view, before)
        for v in others:
            if v.origin is not None:
                chain = v.origin[1]
                v.origin = (before, chain) if back is None else (self, (*back, *chain))
        self.array = view.array
        if (others and back is None) or self.origin is not None:
            self.origin = view.origin  # else nobody can tell it from a tensor made like that
        place_as_seen(self, view.node)
        if self.origin is not None and before.origin is None:  # else it is listed
            storage_of(self.node).add_view(ref(self))
        if self.node.needs:
            self.node.seq = tick()  # newer than this write, which changed no value
        del view  # self is in its place, and is not renewed
        renew_views(self, but=self)
        return self

    doc = f"In-place {name}: this tensor becomes that view of itself."
    return named(method, f"{name}_", doc, __wrapped__=function)


def _in_place(name: str) -> str:
    """PyTorch's name of the node of the in-place twin: it counts its variants on."""
    variants = 3 if name.startswith("Squeeze") else 1
    return f"{name[:-1]}{int(name[-1]) + variants}"


def _way_back(view: Tensor, before: Tensor) -> Chain | None:
    """The view op by which ``view`` is ``before`` again; None if there is none.

    With it a tensor stays the base of its views.
    """
    if view.origin is None or before.origin is not None:
        return None
    op, attrs = next(iter(view.origin[1]))
    if op.name in ("t", "transpose"):  # the same again
        return ((op, attrs),)
    return None if op.name == "as_strided" else ((reshape_op, {"shape": before.array.shape}),)


# ---- other memory --------------------------------------------------------------------------------
def resize_(self: Tensor, *sizes: int, memory_format: memory_format | None = None) -> Tensor:
    """This tensor in another shape, row by row on the same memory if it suffices.

    More elements need new memory, of which the rest is zero (in PyTorch: not initialised).
    RuntimeError for a tensor that requires gradient, and where other tensors show the memory that
    would be left.
    """
    shape = shape_of(sizes, "resize_")
    if min(shape, default=0) < 0:
        raise RuntimeError(
            errors.message(f"Trying to create tensor with negative dimension {min(shape)}: "
                           f"{list(shape)}")
        )
    if self.node.needs:
        raise RuntimeError(
            errors.message(
                "cannot resize variables that require grad", errors.describe(self),
                fix="x.reshape(...)",
            )
        )
    if shape != self.array.shape:
        memory = on_cpu(self.array)
        if memory is None:
            memory = self.numpy()  # raises, and says what to do
        array = _resized(memory, shape)
        if not np.may_share_memory(array, memory) and memory.size:
            others = [v for v in views_of(self) if v is not self]
            if self.origin is not None or others:
                raise RuntimeError(
                    errors.message(
                        "resize_: other tensors show this memory, and would lose sight of it",
                        f"{errors.describe(self)} to {shape}",
                        fix="x.new_empty(size), and copy what is needed",
                    )
                )
        storage_of(self.node).wrote("resize")
        self.array = array
        self.node = _moved(self)
    else:
        storage_of(self.node).wrote("resize")
    return self


def resize_as_(
    self: Tensor, the_template: Tensor, *, memory_format: memory_format | None = None
) -> Tensor:
    """resize_(the_template.shape)."""
    return resize_(self, *the_template.array.shape)


def resize(self: Tensor, *sizes: int) -> Tensor:
    """Its name of old for `view`, in row-major order; as many elements as before."""
    errors.warn("non-inplace resize is deprecated")
    shape = shape_of(sizes, "resize")
    if math.prod(shape) != self.array.size:
        raise RuntimeError(
            errors.message(
                f"requested resize to {'x'.join(map(str, shape))} ({math.prod(shape)} elements in "
                f"total), but the given tensor has a size of "
                f"{'x'.join(map(str, self.array.shape))} ({self.array.size} elements). autograd's "
                "resize can only change the shape of a given tensor, while preserving the number "
                "of elements. ",
                fix="resize_ makes room; x.new_empty(size) makes another tensor",
            )
        )
    return self.contiguous().view(shape)


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """resize(tensor.shape)."""
    return resize(self, *tensor.array.shape)


def set_(
    self: Tensor, source: Tensor | UntypedStorage | None = None, storage_offset: int = 0,
    size: Sequence[int] | None = None, stride: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """This tensor on the memory of ``source``, in its shape; without source, an empty tensor.

    With ``size`` (and ``stride``, by default row by row), from ``storage_offset`` on.
    """
    if not isinstance(source, UntypedStorage):
        check_type("set_", "source", "Tensor | None", source)
    alone = self.node.op is None and not mode.get().grad  # a leaf, under no_grad, stays one
    if self.node.needs and not alone:
        raise RuntimeError(
            errors.message(
                "set_() on a tensor that requires grad would change it behind autograd's back",
                errors.describe(self),
                fix="x.data = source, or x = source",
            )
        )
    if isinstance(source, UntypedStorage):
        size = (source.nbytes() // self.element_size(),) if size is None else size
        source = source._tensor
    shown: Tensor = constant(np.empty(0, self.array.dtype)) if source is None else source
    if shown.array.dtype != self.array.dtype:
        raise RuntimeError(
            errors.message(
                f"Could not set tensor of type {shown.array.dtype} to a tensor of type "
                f"{self.array.dtype}"
            )
        )
    if size is not None:
        rows = [math.prod(size[i + 1 :]) for i in range(len(size))]
        steps = tuple(rows if stride is None else stride)
        shown = METHODS["as_strided"](shown.detach(), tuple(size), steps, storage_offset)
    if self.node.needs:
        self.data = shown
        return self
    self.array, self.origin = shown.array, shown.origin
    self.node = constant_node(shown.array, shown.node.dev)
    self.node.storage = storage_of(shown.node)
    return self


def _resized(array: Array, shape: Shape) -> Array:
    n, memory = math.prod(shape), owner(array)
    room = memory.nbytes - offset(array) if memory.flags.forc else array.nbytes
    if n * array.itemsize <= room and (memory.flags.forc or array.flags.c_contiguous):
        flat = memory.ravel("K") if memory.flags.forc else array
        start = offset(array) if memory.flags.forc else 0
        return np.ndarray(shape, array.dtype, flat, start)
    try:
        out = np.zeros(n, array.dtype)  # PyTorch leaves the rest as it finds it
    except (MemoryError, ValueError) as e:
        raise errors.no_memory(e) from None
    if memory.flags.forc:  # all that the memory holds from here on, shown before or not
        kept = np.ndarray(room // array.itemsize, array.dtype, memory.ravel("K"), offset(array))
    else:
        kept = array.ravel()
    out[: kept.size] = kept[:n]
    return out.reshape(shape)


def _moved(t: Tensor) -> Node:
    """A node for a tensor without gradient that lies elsewhere now."""
    node = constant_node(t.array, t.node.dev)
    node.storage = t.node.storage
    return node


VIEWS_IN_PLACE: Promises[Callable[..., Tensor]] = Promises(apart=True)
VIEWS_IN_PLACE.promise([f"{name}_" for name in VIEWS], _view_in_place)
promise_methods(VIEWS_IN_PLACE.names(), VIEWS_IN_PLACE.__getitem__)
bind_methods({f.__name__: f for f in (resize, resize_, set_)})
bind_methods({f.__name__: reading(f, out=False) for f in (resize_as, resize_as_)})
FUNCTIONS["resize_as_"] = resize_as_
