"""The class of sparse tensors: places and values, and what one can ask them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes, layout
from ..arrays.dtypes import dtype as DTypeOf
from ..base.errors import message
from ..create.data import from_numpy
from ..create.filled import zeros
from ..engine.handle import NotDense
from ..handles.inplace import check_cast, check_leaf
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..ops.arguments import dim_of_some

if TYPE_CHECKING:
    from ..base.types import Argument, Attrs, Index
    from ..engine.op import Op

Dims = int | Sequence[int] | None
RULES: dict[str, Callable[..., Tensor]] = {}  # what ops make of sparse operands: arithmetic.py
# f(0) = 0, so that f of the values is f of the tensor
KEEP_ZERO = frozenset(
    "neg abs sqrt square sin tan tanh sinh asin atan asinh atanh expm1 log1p relu sign sgn floor "
    "ceil round trunc erf erfinv deg2rad rad2deg isnan isinf signbit cast clone".split()
)


class SparseTensor(Tensor):
    """A tensor of which only some elements are stored; made by `sparse_coo_tensor`."""

    __slots__ = ()
    __module__ = "microtorch"

    places: Tensor
    stored: Tensor
    sizes: tuple[int, ...]
    sorted: bool  # in row-major order, no place twice
    seen: SparseTensor | None = None  # the gradient as it was asked for
    leaf: SparseTensor | None = None  # whose gradient this is

    def __new__(
        cls, places: Tensor, stored: Tensor, sizes: Sequence[int], sorted: bool = False
    ) -> SparseTensor:
        self = object.__new__(cls)
        self.places, self.stored, self.sizes, self.sorted = places, stored, tuple(sizes), sorted
        return self

    def _dense_only(self, *_: object) -> Argument:
        raise NotDense(
            message(
                "this operation takes no sparse tensor",
                f"a sparse tensor of shape {self.sizes} with {self._nnz()} elements",
                fix="x.to_dense() takes part in all of them; products with dense matrices, sums, "
                "+ and * take a sparse one",
            ),
            self,
        )

    array: Argument = property(_dense_only, _dense_only)
    node: Argument = property(_dense_only, _dense_only)

    # ---- what it is ------------------------------------------------------------------------------
    shape = property(lambda self: Size(self.sizes))
    ndim = property(lambda self: len(self.sizes))
    dtype = property(lambda self: self.stored.dtype)
    device = property(lambda self: self.stored.device)
    layout = property(lambda self: layout.sparse_coo)
    is_sparse = property(lambda self: True)
    T = property(lambda self: self.permute(*reversed(range(self.ndim))))
    mT = property(lambda self: self.transpose(-1, -2))
    H = property(lambda self: self.t().conj())
    mH = property(lambda self: self.mT.conj())

    def size(self, dim: int | None = None) -> Argument:
        return self.shape if dim is None else self.sizes[dim_of_some(dim, self.ndim, "size")]

    def dim(self) -> int:
        return len(self.sizes)

    def numel(self) -> int:
        return int(np.prod(self.sizes))

    nelement, ndimension = numel, dim

    def __len__(self) -> int:
        return self.sizes[0]

    def is_floating_point(self) -> bool:
        return self.stored.is_floating_point()

    def is_complex(self) -> bool:
        return self.stored.is_complex()

    def sparse_dim(self) -> int:
        """How many dimensions are given by coordinates."""
        return self.places.shape[0]

    def dense_dim(self) -> int:
        """How many dimensions each stored value has."""
        return self.stored.ndim - 1

    def is_coalesced(self) -> Argument:
        """Are the coordinates in order, each of them once?"""
        return self.sorted

    def _nnz(self) -> int:
        return self.stored.shape[0]

    def _indices(self) -> Tensor:
        return self.places

    def _values(self) -> Tensor:
        return self.stored

    def indices(self) -> Tensor:
        """(sparse dimensions, n): the coordinates. RuntimeError before `coalesce`."""
        return self._coalesced("indices").places

    def values(self) -> Tensor:
        """(n, *dense dimensions): what is stored. RuntimeError before `coalesce`."""
        return self._coalesced("values").stored

    def _coalesced(self, what: str) -> SparseTensor:
        if not self.sorted:
            raise RuntimeError(
                message(
                    f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first"
                )
            )
        return self

    # ---- its place in the graph: that of its values ----------------------------------------------
    requires_grad = property(
        lambda self: self.stored.requires_grad, lambda self, value: self.requires_grad_(value)
    )
    is_leaf = property(lambda self: self.stored.is_leaf)
    grad_fn = property(lambda self: self.stored.grad_fn)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        self.stored.requires_grad_(requires_grad)
        return self

    @property
    def grad(self) -> Argument:
        """The gradient at the stored places, a sparse tensor; None until it is computed."""
        g = self.stored.grad
        if g is None:
            return None
        if self.seen is None or self.seen.stored is not g:
            self.seen = self.of(g)
            self.seen.leaf = self  # where a write to it goes
        return self.seen

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        self.stored.grad = None if value is None else self._at_own_places(value)

    def _at_own_places(self, value: Tensor) -> Tensor:
        """The values of a gradient that is stored at the places of this tensor."""
        if not isinstance(value, SparseTensor) or value.dtype is not self.dtype:
            what = "assigned grad has data of a different type"
        elif value.sizes != self.sizes:
            what = "assigned grad has data of a different size"
        else:
            own, other = self.places, value.places
            if not value._nnz():
                return value.stored.new_zeros(self.stored.shape)
            if self.sorted and not value.sorted:
                value = value.coalesce()
                other = value.places
            if own.shape == other.shape and bool((own == other).all()):
                return value.stored
            what = "the gradient of a sparse tensor lies at that tensor's places here"
        raise RuntimeError(
            message(what, f"the tensor has {self._nnz()} places of {self.sizes} in {self.dtype}")
        )

    retains_grad = property(lambda self: self.stored.retains_grad)

    def detach(self) -> SparseTensor:
        return self.of(self.stored.detach())

    data = property(detach)

    # ---- made anew -------------------------------------------------------------------------------
    def of(self, values: Tensor) -> SparseTensor:
        """A sparse tensor with other values at the same places."""
        return SparseTensor(self.places, values, self.sizes, self.sorted)

    def coalesce(self) -> SparseTensor:
        """With the coordinates in order, and values of the same place added up."""
        if self.sorted:
            return self
        places, inverse = np.unique(self._numbers(), return_inverse=True)
        order = from_numpy(inverse.reshape(-1).astype(np.int64))
        values = zeros(len(places), *self.stored.shape[1:], dtype=self.dtype)
        where = np.array(np.unravel_index(places, self.sizes[: self.sparse_dim()]), np.int64)
        made = values.index_add(0, order, self.stored)
        return SparseTensor(from_numpy(where.reshape(-1, len(places))), made, self.sizes, True)

    def _numbers(self) -> Argument:
        """The coordinates as numbers in row-major order."""
        return np.ravel_multi_index(tuple(self.places.numpy()), self.sizes[: self.sparse_dim()])

    def to_dense(self, dtype: DTypeOf | None = None, *, masked_grad: bool | None = None) -> Tensor:
        """All elements."""
        made = zeros(self.sizes, dtype=self.dtype)
        made = made.index_put(tuple(self.places), self.stored, accumulate=True)
        return made if dtype is None else made.to(dtype)

    def to_sparse(self, sparse_dim: int | None = None) -> SparseTensor:
        return self

    def to_sparse_coo(self) -> SparseTensor:
        return self

    def to(self, *args: Argument, **kwargs: Argument) -> SparseTensor:
        values = self.stored.to(*args, **kwargs)
        return self if values is self.stored else self.of(values)

    def cpu(self, memory_format: Argument = None) -> SparseTensor:
        return self.to("cpu")

    def cuda(self, *_: object, **__: object) -> SparseTensor:
        return self.to("cuda")

    def permute(self, *dims: Argument, **named: Argument) -> SparseTensor:
        """The dimensions in another order. RuntimeError where one of coordinates and one of the
        stored values change places.
        """
        dims = dims or (named["dims"],)
        given = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        n, first = self.ndim, self.sparse_dim()
        order = [range(n)[d] if -n <= d < n else n for d in given]
        if sorted(order) != list(range(n)) or any(d >= first for d in order[:first]):
            raise RuntimeError(
                message(
                    f"permute(dims): {tuple(given)} is no order of the {n} dimensions in which the "
                    f"{first} of coordinates stay before the others"
                )
            )
        values = self.stored.permute(0, *(d - first + 1 for d in order[first:]))
        sizes = [self.sizes[d] for d in order]
        return SparseTensor(self.places[order[:first]], values, sizes)

    def transpose(self, dim0: int, dim1: int) -> SparseTensor:
        order = list(range(self.ndim))
        order[dim0], order[dim1] = order[dim1], order[dim0]
        return self.permute(order)

    def t(self) -> SparseTensor:
        """RuntimeError for more than two dimensions."""
        if self.ndim > 2:
            raise RuntimeError(
                message(f"t() expects a tensor with <= 2 dimensions, but self is {self.ndim}D",
                        fix="x.transpose(0, 1), x.mT or x.permute(...)")
            )  # fmt: skip
        return self.transpose(0, 1) if self.ndim == 2 else self

    def adjoint(self) -> SparseTensor:
        return self.mH

    def norm(self, p: Argument = "fro", *_: Argument, **__: Argument) -> Tensor:
        """Of all elements; those that are not stored are 0."""
        return self._dense_only() if _ or __ else self.coalesce().stored.norm(p)

    def sum(
        self, dim: Dims = None, keepdim: bool = False, *, dtype: Argument = None, **_: object
    ) -> Tensor:
        """The sum of all, a 0-d tensor, or over some dimensions: sparse, if one is left that is."""
        return RULES["sum"](self if dtype is None else self.to(dtype), dim, keepdim)

    def __repr__(self) -> str:
        with_grad = self.stored.requires_grad
        parts = [f"indices={_shown(self.places, 15)}", f"values={_shown(self.stored.detach(), 14)}"]
        last = f"size={self.sizes}, nnz={self._nnz()}, "
        if self.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool):
            last += f"dtype={self.dtype}, "
        last += "layout=torch.sparse_coo"
        if with_grad:
            fn = self.grad_fn
            note = "requires_grad=True" if fn is None else f"grad_fn=<{type(fn).__name__}>"
            last += (", " if len(last) + len(note) + 10 <= 80 else ",\n       ") + note
        return "tensor(" + ",\n       ".join([*parts, last]) + ")"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __getitem__(self, index: Index) -> Argument:
        rows = self.coalesce()
        if not isinstance(index, int):
            return self._dense_only()
        kept = np.flatnonzero(rows.places[0].numpy() == range(self.sizes[0])[index])
        if self.sparse_dim() == 1:
            return rows.stored[kept].sum(0)
        return SparseTensor(rows.places[1:, kept], rows.stored[kept], self.sizes[1:], True)

    def without_elements(
        self, dtype: DTypeOf | None = None, requires_grad: bool = False
    ) -> SparseTensor:
        """A sparse tensor of the same size without any element."""
        values = self.stored[:0].detach().to(self.dtype if dtype is None else dtype)
        return SparseTensor(
            self.places[:, :0], values.requires_grad_(requires_grad), self.sizes, True
        )

    def zero_(self) -> SparseTensor:
        """This tensor without any element."""
        return self._become("zero", self.without_elements())

    def t_(self) -> SparseTensor:
        return self._become("t", self.t())

    def copy_(self, src: Tensor, non_blocking: bool = False) -> SparseTensor:
        """The places and values of another sparse tensor of the same size."""
        if not isinstance(src, SparseTensor):
            raise RuntimeError(
                message(
                    "copy_() between dense and sparse Tensors is not implemented",
                    fix="x.copy_(src.to_sparse())",
                )
            )
        check_alike("copy_", self, src)
        values = src.stored.to(self.dtype, copy=True)
        return self._become("copy", SparseTensor(src.places, values, src.sizes, src.sorted))

    def _become(self, name: str, made: Argument) -> SparseTensor:
        """Written over by `made`. A leaf, under no_grad, stays one."""
        if not isinstance(made, SparseTensor):
            return self._dense_only()
        old, values = self.stored, made.stored.to(self.dtype)
        check_leaf(old, name)
        check_cast(dtypes.as_numpy(made.dtype), old, name)
        if self.leaf is not None:
            values = self.leaf.stored.grad = self.leaf._at_own_places(made.of(values))
            made = self.leaf
        elif old.requires_grad and old.is_leaf:
            values = values.detach().requires_grad_()
            if made.places.shape == self.places.shape and bool((made.places == self.places).all()):
                values.grad = old.grad
        self.places, self.stored, self.sizes, self.sorted = (
            made.places, values, made.sizes, made.sorted
        )  # fmt: skip
        return self

    @staticmethod
    def in_place(
        name: str, target: Tensor, others: Sequence[Argument], attrs: Attrs
    ) -> Tensor:
        """What the in-place method `name` does where one of its operands is sparse."""
        made = getattr(target, name.removesuffix("_"))(*others, **attrs)
        if isinstance(target, SparseTensor):
            return target._become(name, made)
        return target.copy_(made.to_dense() if made.is_sparse else made)

    def __deepcopy__(self, memo: dict[int, Argument]) -> SparseTensor:
        made = self.of(self.stored.detach().clone())
        return made.requires_grad_(self.stored.requires_grad)

    def __reduce_ex__(self, protocol: Argument) -> Argument:
        return SparseTensor, (self.places, self.stored, self.sizes, self.sorted)

    def square(self) -> Tensor:
        return self * self

    def pow(self, exponent: Argument) -> Tensor:
        return self**exponent

    def conj(self) -> SparseTensor:
        return self.of(self.stored.conj())

    def __rmul__(self, other: Argument) -> Tensor:
        return self * other

    # ---- in ops ----------------------------------------------------------------------------------
    def in_op(self, op: Op, operands: Sequence[Argument], attrs: Attrs) -> Tensor:
        """What `op` makes of these operands, of which this is one."""
        x, *more = operands
        if op.name in KEEP_ZERO:
            return self.coalesce().of(op(self.coalesce().stored, **attrs))
        if op.name == "pow" and isinstance(more[0], (int, float)) and more[0] > 0:
            return self.coalesce().of(self.coalesce().stored ** more[0])
        rule = RULES.get(op.name)
        return self._dense_only() if rule is None else rule(x, *more, **attrs)

    def joined(self, tensors: Sequence[Tensor], dim: int, name: str) -> Tensor:
        """What `cat` or `stack` makes of these tensors, of which this is one."""
        return RULES["joined"](list(tensors), dim, name)


def check_alike(name: str, x: SparseTensor, y: SparseTensor) -> None:
    """RuntimeError unless both have the same size."""
    if x.sizes != y.sizes:
        raise RuntimeError(
            message(
                f"{name}: expected 'self' and 'other' to have same sizes, but got {x.sizes} and "
                f"{y.sizes}"
            )
        )


def _shown(part: Tensor, indent: int) -> str:
    """One of the two parts, its lines under one another."""
    if part.numel() == 0:
        return f"tensor([], size={tuple(part.shape)})"
    return repr(part).replace(f", dtype={part.dtype}", "").replace("\n", "\n" + " " * indent)
