"""Where backward ends: the leaf of a tensor that requires gradient."""
from __future__ import annotations

import importlib
from _thread import RLock
from _thread import _count as other_threads
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from numpy import ndarray

from ..arrays.memory_order import is_dense
from ..base import errors
from ..graph import Mode, Node, mode, storage_of, tick
from .basic_ops import clone
from .record import Constant, constant, constant_node, constant_of, handle
from .rows import Rows

if TYPE_CHECKING:
    from ..base.types import Array, Gradient
    from ..handles.tensor import Tensor

# the leaf of a tensor that came to require gradient, by the node that it had before. Second
# derivatives of what was computed before lead to it, as in PyTorch, which saves the tensor
became: WeakKeyDictionary[Node, ref[Node]] = WeakKeyDictionary()
_adding = RLock()  # re-entrant: the garbage collector may run a destructor that runs backward


class AccumulateGrad(Node):
    """The leaf of a tensor that requires gradient: where backward ends and ``.grad`` is kept."""

    __slots__ = ("handle",)
    handle: ref[Tensor]  # the user's

    @property
    def variable(self) -> Tensor:
        """The tensor whose leaf this is (a new handle on the same leaf if the user's is gone)."""
        t = self.handle()
        return handle(self.value, self) if t is None else t

    def accumulate(self, g: Gradient) -> None:
        """Add ``g`` to ``.grad``, and call the hooks that wait for it."""
        if other_threads() > 0:  # they may run backward into one leaf
            with _adding:  # not acquire(): Ctrl-C might come before a `try`, and nobody release it
                self._add(g)
        elif self.grad is None and type(g) is ndarray and g.dtype is self.dev.dtype:
            # `constant`, for the common case
            if g.flags.c_contiguous and ((s := self.storage) is None or not s.turned):
                self.grad = constant_of(g, self.dev)
            else:
                self.grad = constant(self._in_its_order(g), self.dev)
        else:
            self._add(g)
        if self.hooks is not None:
            if self.hooks.left is not None and self.variable.node.op is not None:
                raise RuntimeError(
                    errors.message(
                        "leaf variable has been moved into the graph interior",
                        "it was detached in place, and then written",
                    )
                )
            leaf = self.variable
            for hook in list(self.hooks.accumulated.values()):
                given = hook(leaf)
                if given is not None and given is not leaf:  # which p.add_(...) returns
                    raise RuntimeError(
                        errors.message(
                            "Tensor post accumulate grad hooks should return None.",
                            fix="write into tensor.grad: what the hook returns replaces nothing",
                        )
                    )

    def _in_its_order(self, g: Array) -> Array:
        """A gradient that lies in memory as the leaf does, or in rows if the leaf has gaps."""
        x, dev = self.value, self.dev
        if not dev.ordered or type(g) is not dev.memory or x.shape != g.shape:
            return g
        if not is_dense(x):
            return dev.laid(g, None)
        if all(n == 1 or s == t for n, s, t in zip(x.shape, x.strides, g.strides, strict=True)):
            return g
        return dev.laid(g, x.strides)

    def _add(self, g: Gradient) -> None:
        old = self.grad
        if hasattr(g, "node"):  # a Tensor: create_graph=True
            self.grad = _kept(g) if old is None else old + g
        elif type(g) is Rows:
            importlib.import_module("microtorch.sparse")  # far above: it makes tensors of Rows
            self.grad = Rows.tensor(g, old)
        elif old is None:
            self.grad = constant(self._in_its_order(g), self.dev)
        elif (node := getattr(old, "node", None)) is None:  # it is sparse
            self.grad = constant(g, self.dev) + old
        elif node.needs:
            self.grad = _sum(old, g)
        else:  # in place, as PyTorch does
            try:
                if type(g) is ndarray and g.dtype.itemsize == 2:  # numpy takes ten times as long
                    old.array[...] = self.dev.add(old.array, g)
                else:
                    old.array += g
            except RuntimeWarning:
                pass  # it is written (arrays/quiet.py)
            except (TypeError, ValueError):
                raise RuntimeError(
                    errors.message(
                        "the gradient does not fit the .grad that is there",
                        f".grad is {errors.describe(old)}, the new one {errors.describe(g)}",
                        fix="set .grad to None where .data is exchanged",
                    )
                ) from None
            if node.storage is not None:
                node.storage.wrote("backward")


class Lost(Constant):
    """The place of a view that was made before its base came to require gradient.

    The view requires gradient, as its base does. But nothing was recorded that leads from one to
    the other, so a gradient that arrives here is lost, as in PyTorch. Here it is said.
    """

    __slots__ = ()
    needs = lost = True

    def accumulate(self, g: Gradient) -> None:
        errors.warn(
            "a gradient is lost: it reached a view that was made before the tensor that it is a "
            f"view of required gradient (shape {self.shape}). Make the view after requires_grad_()",
        )


KEPT = type("CopyBackwards", (clone.node,), {"__slots__": ()})  # how PyTorch names that copy


def _kept(g: Tensor) -> Tensor:
    """A copy of a gradient that has a graph."""
    copied = g.clone()
    if copied.node.op is clone:
        copied.node.__class__ = KEPT
    return copied


def _sum(old: Tensor, g: Gradient) -> Tensor:
    """A gradient of an earlier ``create_graph=True`` plus ``g``: the sum keeps that graph."""
    before = mode.get()
    try:
        mode.set(Mode(True))
        return old + constant(old.node.dev.array(g), old.node.dev)
    finally:
        mode.set(before)


def leaf(t: Tensor, new: bool = False) -> None:
    """Make ``t`` a leaf that requires gradient: a new node on the same memory.

    ``new``: nobody has seen ``t`` yet.
    """
    old = t.node
    if t.array.dtype.kind not in "fcV":
        raise RuntimeError(
            errors.message(
                "only Tensors of floating point and complex dtype can require gradients",
                f"got {errors.describe(t)}",
                fix="make it floating: torch.tensor([1., 2.]) or x.float()",
            )
        )
    n = AccumulateGrad()
    n.inputs = n.saved = ()
    n.attrs = n.hooks = n.code = n.scope = None
    n.value, n.dev, n.needs, n.seq, n.lasti = t.array, old.dev, True, tick(), 0
    n.grad, n.handle = old.grad, ref(t)
    t.node = n
    if new:
        n.storage = old.storage
        return
    n.storage = storage_of(old)  # nodes that were made before may read this memory
    if old.op is None and not old.needs:
        became[old] = ref(n)


def lose(t: Tensor) -> None:
    """Give ``t``, a view of a tensor that came to require gradient, a place that leads nowhere."""
    old, n = t.node, constant_node(t.array, t.node.dev)
    n.__class__ = Lost
    n.grad, n.storage = old.grad, old.storage
    t.node = n
    became[old] = ref(n)
