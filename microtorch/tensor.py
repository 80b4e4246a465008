"""Tensor: the handle a user holds on a node of the graph.

A handle has three slots: ``node`` (the value's place in the graph), ``array`` (its memory) and ``origin`` (where the memory
came from, if it is another tensor's). The graph never points back at handles, so a graph is freed by reference counting.
The arithmetic is not here: ``ops.install`` puts the method of every op on this class.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from . import dtypes, errors, inplace, ops, printing
from .backends import host
from .device import device
from .graph import Handle, Mode, Node, Storage, hooks_of, mode, tick
from .ops import METHODS, REGISTRY, apply, constant


class Size(tuple):  # type: ignore[type-arg]
    """A tensor's shape: a tuple that prints as PyTorch's and knows its product."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this size."""
        return int(np.prod(self, dtype=np.int64))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, i: Any) -> Any:
        out = tuple.__getitem__(self, i)
        return Size(out) if isinstance(i, slice) else out

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + tuple(other))


class AccumulateGrad(Node):
    """The leaf of a tensor that requires gradient: where backward ends and ``.grad`` is kept."""

    __slots__ = ("handle",)
    op = None

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    @property
    def variable(self) -> Tensor:
        """The tensor whose leaf this is (a new handle on the same leaf if the user's is gone)."""
        t = self.handle()
        if t is None:
            t = new(Tensor)
            t.array, t.origin, t.node = self.value, None, self
        return t

    def accumulate(self, g: Any) -> None:
        """Add ``g`` to the gradient: in place as PyTorch does, unless either carries a graph of its own."""
        old = self.grad
        if isinstance(g, Tensor):  # create_graph=True
            self.grad = g.clone() if old is None else old + g
        elif old is None:
            self.grad = constant(g, self.dev)
        elif old.node.needs:  # an earlier backward's create_graph: the sum keeps that graph
            token = mode.set(Mode(True))
            try:
                self.grad = old + constant(self.dev.array(g), self.dev)
            finally:
                mode.reset(token)
        else:
            old.array += g
            if old.node.storage is not None:
                old.node.storage.wrote("backward")
        if self.hooks is not None:
            for hook in list(self.hooks.accumulated.values()):
                hook(self.variable)


new = object.__new__


def leaf(t: Tensor) -> None:
    """Make ``t`` a leaf that requires gradient: a new node on the same memory."""
    old = t.node
    if t.array.dtype.kind != "f":
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
    n.grad, n.storage, n.handle = old.grad, inplace.storage_of(old), ref(t)  # nodes made before may read the memory
    t.node = n


class Tensor:
    """An n-dimensional array with a place in the computation graph. Make one with ``torch.tensor`` and its siblings.

    ``Tensor(2, 3)`` and ``Tensor([1, 2])`` work as PyTorch's legacy constructor does: uninitialised sizes, or float32 data.
    """

    __slots__ = ("__weakref__", "array", "node", "origin")
    __array_priority__ = 1000  # so that numpy leaves ndarray * tensor to us
    __hash__ = object.__hash__

    if TYPE_CHECKING:  # the operators, which ops.install puts here; and all other methods

        def _operator(self, other: Any) -> Tensor: ...

        def __getattr__(self, name: str) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __floordiv__ = __and__ = __or__ = __xor__ = _operator
        __lt__ = __le__ = __gt__ = __ge__ = _operator
        __neg__ = __invert__ = __abs__ = __pos__ = lambda self: self

    array: Any
    node: Node
    origin: Any

    def __init__(self, *data: Any):
        if all(isinstance(d, int) for d in data):
            array = np.empty(data or (0,), dtypes.default_numpy())
        elif len(data) == 1:
            source = data[0].array if isinstance(data[0], Tensor) else data[0]
            array = np.array(source, dtypes.default_numpy())
        else:
            raise TypeError(errors.message("new(): invalid arguments", fix="torch.tensor([...]) makes a tensor of numbers"))
        made = constant(array)
        self.array, self.origin, self.node = array, None, made.node

    # ---- what it is -------------------------------------------------------------------------------------------------
    @property
    def shape(self) -> Size:
        """Sizes of the dimensions."""
        return Size(self.array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return Size(self.array.shape) if dim is None else self.array.shape[ops.shape.dim_of(dim, self.array.ndim, "size")]

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def dim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self) -> int:
        """Number of elements."""
        return self.array.size

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.FROM_NUMPY[self.array.dtype]

    @property
    def device(self) -> device:
        return self.node.dev.device

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def itemsize(self) -> int:
        return self.array.itemsize

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        return self.array.nbytes

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each dimension (or one), in elements."""
        steps = tuple(s // self.array.itemsize for s in self.array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self) -> bool:
        """Do the elements lie in memory in row-major order?"""
        return self.array.flags.c_contiguous

    def data_ptr(self) -> int:
        """Address of the first element."""
        array = self.array
        return array.ctypes.data if type(array) is np.ndarray else array.address

    def is_floating_point(self) -> bool:
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        return False

    def is_inference(self) -> bool:
        """False: a tensor made under inference_mode is like any other without gradient."""
        return False

    # ---- its place in the graph -------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Does gradient flow to this tensor?"""
        return self.node.needs

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        node = self.node
        if value and not node.needs:
            leaf(self)
        elif not value and node.needs:
            if node.op is not None:
                raise RuntimeError(
                    errors.message(
                        "you can only change requires_grad flags of leaf variables.",
                        f"this tensor is the output of {node.name()}",
                        fix="to use it without gradient, take no_grad_copy = x.detach()",
                    )
                )
            self.node = ops.constant_node(self.array, node.dev)
            self.node.grad, self.node.storage = node.grad, inplace.storage_of(node)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set requires_grad and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Was it made by the user rather than by a recorded operation?"""
        return self.node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that made this tensor (None for a leaf)."""
        op = self.node.op
        if op is None:
            return None
        return self.node.inputs[0] if op.projection else self.node

    @property
    def output_nr(self) -> int:
        op = self.node.op
        return self.node.attrs["index"] if op is not None and op.projection else 0

    @property
    def grad(self) -> Any:
        """Gradient of a leaf (or of a tensor on which retain_grad was called); None until computed."""
        return self.node.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    errors.message(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
                )
            if value.array.shape != self.array.shape or value.array.dtype != self.array.dtype:
                raise RuntimeError(
                    errors.message(
                        "assigned grad has data of a different size"
                        if value.array.shape != self.array.shape
                        else "assigned grad has data of a different type",
                        f"the tensor is {errors.describe(self)}, the gradient {errors.describe(value)}",
                    )
                )
        self.node.grad = value

    @grad.deleter
    def grad(self) -> None:
        self.node.grad = None

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf tensor in ``.grad`` when backward runs."""
        if not self.node.needs:
            raise RuntimeError(errors.message("can't retain_grad on Tensor that has requires_grad=False"))
        if self.node.op is not None:
            hooks_of(self.node).retain = True

    @property
    def retains_grad(self) -> bool:
        return self.node.hooks is not None and self.node.hooks.retain

    def register_hook(self, hook: Any) -> Handle:
        """Call ``hook(grad)`` when this tensor's gradient is complete; a tensor it returns replaces the gradient."""
        if not self.node.needs:
            raise RuntimeError(errors.message("cannot register a hook on a tensor that doesn't require gradient"))
        return Handle(hooks_of(self.node).tensor, hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> Handle:
        """Call ``hook(tensor)`` after backward added to this leaf's ``.grad``."""
        if self.node.op is not None or not self.node.needs:
            raise RuntimeError(errors.message("post accumulate grad hooks cannot be registered on non-leaf tensors"))
        return Handle(hooks_of(self.node).accumulated, hook)

    def detach(self) -> Tensor:
        """A tensor on the same memory through which no gradient flows. In-place writes are still noticed by backward."""
        t = constant(self.array, self.node.dev)
        t.node.storage = inplace.storage_of(self.node)
        return t

    def detach_(self) -> Tensor:
        """Cut this tensor from its graph."""
        if self.origin is not None:
            raise RuntimeError(errors.message("Can't detach views in-place. Use detach() instead."))
        storage = inplace.storage_of(self.node)
        self.node = ops.constant_node(self.array, self.node.dev)
        self.node.storage = storage
        return self

    @property
    def data(self) -> Tensor:
        """A tensor on the same memory, unknown to autograd: writes through it go unnoticed (prefer ``detach``)."""
        return constant(self.array, self.node.dev)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(errors.message(f"Variable data has to be a tensor, but got {type(value).__name__}"))
        if self.node.op is not None:
            self.detach_()
        self.array = self.node.value = value.array
        self.node.dev = value.node.dev
        self.node.storage = None

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
        """Date a write that was made directly to ``array`` (optimisers do)."""
        node = self.node
        if node.storage is None:
            node.storage = Storage()
        node.storage.wrote(writer)

    # ---- out of the tensor world --------------------------------------------------------------------------------------
    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(
                errors.message(
                    f"a Tensor with {self.array.size} elements cannot be converted to Scalar",
                    errors.describe(self),
                    fix=".tolist() for all elements, or reduce first: .mean().item()",
                )
            )
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """The elements as a numpy array on the same memory."""
        if self.node.needs and not force:
            raise RuntimeError(
                errors.message("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
            )
        if type(self.array) is not np.ndarray:
            if not force:
                self.array.__array__()  # raises, and says what to do
            return self.array.get()
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError(errors.message("only integer tensors of a single element can be converted to an index"))
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            empty = not self.array.size
            raise RuntimeError(
                errors.message(
                    f"Boolean value of Tensor with {'no values' if empty else 'more than one value'} is ambiguous",
                    errors.describe(self),
                    fix="" if empty else "use .any() or .all()",
                )
            )
        return bool(self.array.item())

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(METHODS["unbind"](self, 0))

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == (value.array if isinstance(value, Tensor) else value)).any())

    def __reversed__(self) -> Tensor:
        return METHODS["flip"](self, 0) if self.array.ndim else self

    def __getitem__(self, index: Any) -> Tensor:
        return ops.index.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        inplace.setitem(self, index, value)

    def __repr__(self) -> str:
        fn = self.grad_fn
        cls = type(self).__name__
        return printing.tensor_repr(
            host(self.array),
            grad_fn_name=fn.name() if fn is not None else None,
            requires_grad=self.node.needs,
            default_dtype=dtypes.default_numpy(),
            device=str(self.device),
            cls="tensor" if cls in ("Tensor", "Parameter") else cls,
        )

    def __format__(self, spec: str) -> str:
        if not spec and (self.array.ndim or type(self) is not Tensor):
            return str(self)
        return printing.tensor_format(host(self.array), spec, cls=type(self).__name__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node.op is not None:
            raise RuntimeError(
                errors.message(
                    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.",
                    f"this tensor is the output of {self.node.name()}",
                    fix="copy.deepcopy(x.detach())",
                )
            )
        t = _rebuild(type(self), self.array.copy(), self.node.needs)
        if self.node.grad is not None:
            t.node.grad = constant(self.node.grad.array.copy(), self.node.dev)
        memo[id(self)] = t
        return t

    def __reduce__(self) -> Any:
        if self.node.op is not None:
            raise RuntimeError(errors.message("cannot pickle a non-leaf tensor that requires grad", fix="pickle x.detach()"))
        return _rebuild, (type(self), self.array, self.node.needs)

    # ---- copies and conversions ---------------------------------------------------------------------------------------
    def clone(self) -> Tensor:
        """A copy in memory of its own; gradient flows through."""
        return apply(REGISTRY["clone"], (self,))

    def contiguous(self) -> Tensor:
        """This tensor if it is laid out row by row, else such a copy."""
        return self if self.array.flags.c_contiguous else apply(REGISTRY["clone"], (self,), {"order": "C"})

    def to(self, *target: Any, dtype: Any = None, device: Any = None, copy: bool = False, non_blocking: bool = False) -> Tensor:
        """Converted to a dtype and/or moved to a device, given by position or keyword, or as another tensor has them."""
        from .backends import place

        for x in target:
            if isinstance(x, Tensor):
                dtype, device = x.dtype, x.device
            elif isinstance(x, dtypes.dtype) or x in (float, int, bool):
                dtype = x
            elif isinstance(x, bool):
                continue
            else:
                device = x
        t = self if device is None else place(self, device)
        if dtype is not None:
            d = dtypes.as_numpy(dtype)
            if d != t.array.dtype:
                return apply(REGISTRY["cast"], (t,), {"dtype": d})
        return t.clone() if copy and t is self else t

    def type(self, dtype: Any = None) -> Any:
        """The type's name ('torch.FloatTensor'), or a conversion."""
        if dtype is None:
            return f"torch.{ops.reduce.TORCH_TYPES[self.array.dtype.name]}Tensor"
        if isinstance(dtype, str):
            names = {f"torch.{v}Tensor": k for k, v in ops.reduce.TORCH_TYPES.items()}
            dtype = dtypes.FROM_NUMPY[np.dtype(names[dtype])]
        return self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """Converted to other's dtype."""
        return self.to(other.dtype)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Tensor:
        return self.to("cuda" if device is None else device)

    def float(self) -> Tensor:
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        return self.to(dtypes.float64)

    def half(self) -> Tensor:
        return self.to(dtypes.float16)

    def long(self) -> Tensor:
        return self.to(dtypes.int64)

    def int(self) -> Tensor:
        return self.to(dtypes.int32)

    def short(self) -> Tensor:
        return self.to(dtypes.int16)

    def bool(self) -> Tensor:
        return self.to(dtypes.bool)

    def byte(self) -> Tensor:
        return self.to(dtypes.uint8)

    @property
    def T(self) -> Tensor:
        """All dimensions reversed (the transpose of a matrix)."""
        n = self.array.ndim
        return METHODS["t"](self) if n == 2 else METHODS["permute"](self, *range(n - 1, -1, -1))

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return METHODS["transpose"](self, -2, -1)


def _rebuild(cls: type, array: Any, requires_grad: bool) -> Any:
    if type(array) is np.ndarray and array.dtype is not (d := dtypes.of(array).numpy):
        array = array.view(d)  # kernels know a dtype by identity; pickle makes one of its own
    t = new(cls)
    made = constant(array)
    t.array, t.origin, t.node = array, None, made.node
    if requires_grad:
        leaf(t)
    return t


ops.install(Tensor)
for _name, _method in inplace.methods().items():
    setattr(Tensor, _name, _method)
