"""Tensor: the handle a user holds on a node of the graph.

Its three slots are those of ``engine.handle.Handle``. Here are its place in the graph and its text;
what it is, is in ``properties.py``, what Python's own syntax calls in ``protocols.py``. Most other
methods are functions of ``ops/``, which ``methods.py`` binds, and those of ``conversions.py``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..backends import host
from ..base import errors
from ..base.absent import OVERRIDES, absent_of
from ..engine.hot import bind
from ..engine.leaf import leaf
from ..engine.record import constant, constant_node, constant_of, note_order
from ..engine.unfollowed import stale, unfollowed
from ..engine.views import storage_of
from ..graph import (
    Node,
    RemovableHandle,
    hooks_of,
    last_write,
    shown,
    tick,
)  # fmt: skip
from ..ops.index import getitem
from ..ops.permute import IDENTITY, matrices_transposed, matrix_T
from ..ops.surface import FUNCTIONS, METHODS
from . import storage as storage  # its functions are methods of Tensor
from .properties import Properties
from .size import Size as Size  # old pickles look for it here
from .size import sizes_or_data

if TYPE_CHECKING:
    from ..base.types import Array, Chain, Hook

# PyTorch's words
NO_GRADIENT_KEPT = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
    "attribute won't be populated during autograd.backward(). If you indeed want the .grad field "
    "to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you "
    "access the non-leaf Tensor by mistake, make sure you access the leaf Tensor instead."
)

class Tensor(Properties):
    """An n-dimensional array with a place in the computation graph.

    Make one with ``torch.tensor`` and its siblings. ``Tensor(2, 3)`` and ``Tensor([1, 2])`` work as
    PyTorch's legacy constructor does: uninitialised sizes, or float32 data; ``Tensor(x)`` of a
    tensor is a view of it.
    """

    __slots__ = ()
    __module__ = "microtorch"  # as PyTorch prints it: <class 'torch.Tensor'>
    __array_priority__ = 1000  # so that numpy leaves ndarray * tensor to us

    is_sparse: bool  # see attributes.py
    origin: tuple[Tensor, Chain] | None  # handles know one another as Handle, users as Tensor

    def __new__(cls, *data: Any, **given: Any) -> Any:
        shape, source = sizes_or_data(data, given)
        if isinstance(source, Tensor):  # the same memory in its own dtype, and its gradient
            return source.as_subclass(cls)
        d = dtypes.FROM_NUMPY[dtypes.default_numpy()]
        make, what = ("tensor", source) if shape is None else ("empty", shape)
        array = FUNCTIONS[make](what, dtype=d, device="cpu").array
        self = object.__new__(cls)
        self.array, self.origin, self.node = array, None, constant(array).node
        return self

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing: ``__new__`` has made the tensor, and a subclass's own may take more."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("__torch_function__", "__torch_dispatch__"):
            own = vars(cls).get(name)
            if own is not None and getattr(own, "__name__", "") != "_disabled_torch_function_impl":
                what = f"{cls.__name__}.{name} is not called, and results are plain Tensors"
                errors.warn(f"{what}: {OVERRIDES}")

    def __hash__(self) -> int:
        return id(self)

    # ---- its place in the graph ------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Does gradient flow to this tensor?"""
        return self.node.op is not None or self.node.needs

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value is not True and value is not False:
            raise RuntimeError(errors.message("requires_grad must be a bool", f"got {value!r}"))
        node = self.node
        if node.lost:
            if value:  # a leaf from now on
                leaf(self)
            return
        if node.op is not None:
            raise RuntimeError(
                errors.message(
                    "you can only change requires_grad flags of leaf variables.",
                    f"this tensor is the output of {node.name()}",
                    fix="to use it without gradient, take no_grad_copy = x.detach()",
                )
            )
        if value == node.needs:
            return
        if value:
            leaf(self)
        else:
            self.node = constant_node(self.array, node.dev)
            self.node.grad, self.node.storage = node.grad, storage_of(node)
        _claimed(self)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set requires_grad and return the tensor. True may also be said to what is no leaf."""
        if not isinstance(requires_grad, bool):
            what = "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not "
            raise TypeError(errors.message(f"{what}{type(requires_grad).__name__}"))
        if self.node.op is None or not requires_grad:
            self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Was it made by the user rather than by a recorded operation?"""
        if self.node.op is unfollowed:
            raise stale(self.node)
        return self.node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that made this tensor (None for a leaf)."""
        op = self.node.op
        if op is None:
            return None
        if op is unfollowed:
            raise stale(self.node)
        return shown(self.node.inputs[0] if op.projection else self.node)

    @property
    def output_nr(self) -> int:
        op, attrs = self.node.op, self.node.attrs
        return attrs["index"] if op is not None and op.projection and attrs is not None else 0

    @property
    def grad(self) -> Any:
        """The gradient of a leaf, or where ``retain_grad`` was called; None until computed."""
        n = self.node
        if n.grad is None and n.op is not None and (n.hooks is None or not n.hooks.retain):
            errors.warn(NO_GRADIENT_KEPT)
        return n.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    errors.message(
                        f"assigned grad expected to be a Tensor or None but got grad of type "
                        f"{type(value).__name__}"
                    )
                )
            if value is self:
                raise RuntimeError(errors.message("can't assign Variable as its own grad"))
            # a sparse gradient has a shape and a dtype, but no array
            if value.shape != self.shape or value.dtype is not self.dtype:
                raise RuntimeError(
                    errors.message(
                        f"attempting to assign a gradient of size '{list(value.shape)}' to a "
                        f"tensor of size '{list(self.shape)}'. Please ensure that the gradient and "
                        "the tensor are the same size"
                        if value.shape != self.shape
                        else f"attempting to assign a gradient of {value.dtype} to a tensor of "
                        f"{self.dtype}. The gradient must match the tensor's dtype",
                        f"the tensor is {errors.describe(self)}, the gradient "
                        f"{errors.describe(value)}",
                    )
                )
        self.node.grad = value

    @grad.deleter
    def grad(self) -> None:
        self.node.grad = None

    _grad = grad  # PyTorch's name for it in C++, which some programs use

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf tensor in ``.grad`` when backward runs."""
        if not self.node.needs:
            raise RuntimeError(
                errors.message("can't retain_grad on Tensor that has requires_grad=False")
            )
        if self.node.op is not None and not hooks_of(self.node).retain:
            hooks_of(self.node).retain = True

    @property
    def retains_grad(self) -> bool:
        return self.node.hooks is not None and bool(self.node.hooks.retain)

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad)`` when this tensor's gradient is complete.

        A tensor that it returns replaces the gradient.
        """
        if not self.node.needs:
            raise RuntimeError(
                errors.message("cannot register a hook on a tensor that doesn't require gradient")
            )
        return RemovableHandle(hooks_of(self.node).tensor, hook)

    def register_post_accumulate_grad_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(tensor)`` after backward added to this leaf's ``.grad``."""
        if self.node.op is not None or not self.node.needs:
            raise RuntimeError(
                errors.message(
                    "post accumulate grad hooks cannot be registered on non-leaf tensors"
                )
            )
        return RemovableHandle(hooks_of(self.node).accumulated, hook)

    def detach(self) -> Tensor:
        """A tensor on the same memory through which no gradient flows.

        In-place writes are still noticed by backward.
        """
        n = self.node
        t = constant_of(self.array, n.dev) if type(self.array) is np.ndarray else self.data
        t.node.storage = n.storage or storage_of(n)
        return t

    def detach_(self) -> Tensor:
        """Cut this tensor from its graph."""
        if self.origin is not None:
            raise RuntimeError(errors.message("Can't detach views in-place. Use detach() instead."))
        storage = storage_of(self.node)
        if self.node.needs:
            self._leave(None)
        kept = self.node.grad if self.node.op is None else None
        self.node = constant_node(self.array, self.node.dev)
        self.node.storage, self.node.grad = storage, kept
        _claimed(self)
        return self

    @property
    def data(self) -> Tensor:
        """A tensor on the same memory, unknown to autograd: writes through it go unnoticed.

        Prefer ``detach``.
        """
        array, node = self.array, self.node
        if type(array) is np.ndarray:
            data = note_order(constant_of(array, node.dev))
        else:
            strip = getattr(array, "without_tangents", None)  # of some kind of numbers (kinds/)
            data = constant(array if strip is None else strip(), node.dev)
        own = node.storage or storage_of(node)
        storage_of(data.node).beside = own.beside or own
        return data

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(
                errors.message(f"Variable data has to be a tensor, but got {type(value).__name__}")
            )
        if self.node.op is None:
            if self.node.needs and value.array.dtype.kind not in "fcV":
                raise RuntimeError(
                    errors.message(
                        "data set to a tensor that requires gradients must be floating point or "
                        "complex dtype",
                        f"the tensor is {errors.describe(self)}, the data {errors.describe(value)}",
                        fix="x.data = data.float()",
                    )
                )
            self._leave(value.array)
            if value.array.shape != self.array.shape:
                self.origin = None
            self.array = self.node.value = value.array
            self.node.dev = value.node.dev
            note_order(self)
            return
        # its node stays, and gradients flow as before
        if value.array.shape != self.array.shape or value.array.dtype != self.array.dtype:
            raise RuntimeError(
                errors.message(
                    "data set to a tensor that is not a leaf needs its shape and dtype",
                    f"the tensor is {errors.describe(self)}, the data {errors.describe(value)}",
                    fix="x = new data, or x.detach() first",
                )
            )
        self._leave(value.array)
        self.array = value.array  # a view goes on as one, as in PyTorch: its base is the graph's
        note_order(self)

    def _leave(self, data: Array | None) -> None:
        """Date that this tensor's data is another's (None: that it is detached).

        Derivatives that saved the tensor read the new data, as in PyTorch.
        """
        last_write[0] = tick()
        hooks_of(self.node).left = last_write[0], data

    @property
    def _version(self) -> int:
        storage = self.node.storage
        return 0 if storage is None else storage.version

    @property
    def _base(self) -> Tensor | None:
        return None if self.origin is None else self.origin[0]

    def is_view(self) -> bool:
        """Is its memory another tensor's? (PyTorch: ``_is_view``.)"""
        return self.origin is not None

    _is_view = is_view

    def _written(self, writer: str = "step") -> None:
        """Date a write that was made directly to ``array``, as optimizers do."""
        storage_of(self.node).wrote(writer)

    # ---- elements, in reading and writing --------------------------------------------------------
    def __reversed__(self) -> Tensor:
        return METHODS["flip"](self, 0) if self.array.ndim else self

    __getitem__ = getitem

    # ---- as text, and in files -------------------------------------------------------------------
    def __repr__(self) -> str:
        more: list[str] = []
        if type(self.array) is not np.ndarray and hasattr(self.array, "shown"):
            array: Any = self.array  # of some kind of numbers (kinds/)
            if (shown := array.shown()) is not None:
                return str(shown)
            more += array.suffixes()
        invalid = self.node.op is unfollowed  # a view whose base was written
        fn = None if invalid else self.grad_fn
        cls = type(self).__name__
        from ..arrays import printing  # many programs print no tensor

        return printing.tensor_repr(
            host(self.array),
            grad_fn_name="Invalid" if invalid else None if fn is None else type(fn).__name__,
            requires_grad=self.requires_grad,
            default_dtype=dtypes.default_numpy(),
            device=str(self.device),
            cls="tensor" if cls in ("Tensor", "Parameter") else cls,
            more=more,
        )

    def __format__(self, spec: str) -> str:
        if not spec and (self.array.ndim or type(self) is not Tensor):
            return str(self)
        from ..arrays import printing

        return printing.tensor_format(host(self.array), spec, cls=type(self).__name__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node.op is not None:
            raise RuntimeError(
                errors.message(
                    "Only Tensors created explicitly by the user (graph leaves) support the "
                    "deepcopy protocol at the moment.",
                    f"this tensor is the output of {self.node.name()}",
                    fix="copy.deepcopy(x.detach())",
                )
            )
        from copy import deepcopy  # slow to import

        from .memory import copied

        t = _rebuild(type(self), copied(self.array, memo), self.node.needs)
        if self.node.grad is not None:
            t.node.grad = constant(copied(self.node.grad.array, memo), self.node.dev)
        memo[id(self)] = t
        t.__dict__.update(deepcopy(self.__dict__, memo))
        return t

    def __reduce__(self) -> Any:
        """How pickle stores it: as ``torch.save`` does, an op's result becomes a leaf."""
        return _rebuild, (type(self), self.array, self.node.needs), self.__dict__ or None

    # ---- transposed ------------------------------------------------------------------------------
    @property
    def T(self) -> Tensor:
        """All dimensions reversed (the transpose of a matrix)."""
        n = self.array.ndim
        if n == 2:
            return matrix_T(self, {})
        if not n:
            errors.warn(f"Tensor.T is deprecated on 0-D tensors. {IDENTITY}")
        else:
            errors.warn(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
                "deprecated and it will throw an error in a future release. Consider `x.mT` to "
                "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` "
                "to reverse the dimensions of a tensor."
            )
        return METHODS["permute"](self, *range(n - 1, -1, -1))

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return matrices_transposed(self, "mT")

    @property
    def mH(self) -> Tensor:
        """The last two dimensions exchanged, conjugated: of real numbers, ``mT``."""
        return METHODS["adjoint"](self)

    @property
    def H(self) -> Tensor:
        """The matrix transposed and conjugated: of real numbers, ``T``."""
        if not self.array.ndim:
            errors.warn("Tensor.H is deprecated on 0-D tensors. Consider using x.conj().")
        if self.array.ndim in (0, 2):
            return METHODS["t"](METHODS["conj"](self))
        raise RuntimeError(
            errors.message(
                "tensor.H is only supported on matrices (2-D tensors). Got "
                f"{self.array.ndim}-D tensor.",
                fix="mH takes batches of matrices",
            )
        )


def _claimed(t: Tensor) -> None:
    """Let the views of ``t`` know that it has come to require gradient, or to require none."""
    if (storage := t.node.storage) is not None and storage.views:
        from .views import let_claim  # a program that writes nothing in place needs no more of it

        let_claim(t)


def _rebuild(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    """A leaf of a Tensor class on ``array``; pickle knows this function by name."""
    if type(array) is np.ndarray and array.dtype is not (d := dtypes.of(array).numpy):
        array = array.view(d)  # kernels know a dtype by identity; pickle makes one of its own
    t = object.__new__(cls)
    t.array, t.origin, t.node = array, None, constant(array).node
    if requires_grad:
        leaf(t)
    return t


for _name, _said in absent_of("Tensor").items():
    setattr(Tensor, _name, _said)
bind(Tensor)
