"""Sparse tensors made, and the functions of `torch.sparse`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes, layout
from ..arrays.device import device as Device
from ..arrays.dtypes import dtype as DTypeOf
from ..base.errors import describe, message
from ..create.data import as_tensor, from_numpy, tensor
from ..create.filled import full, zeros
from ..engine.argument_types import check_type
from ..engine.rows import Rows
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS
from . import arithmetic as arithmetic
from .coo import Dims, SparseTensor

if TYPE_CHECKING:
    from ..base.types import Argument


def sparse_coo_tensor(
    indices: Argument,
    values: Argument = None,
    size: Sequence[int] | None = None,
    *,
    dtype: DTypeOf | None = None,
    device: Device | str | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:
    """A sparse tensor of `values` (n, *dense) at `indices` (dimensions, n), by default just large
    enough; or, of a size alone, one without elements.

    Gradients flow to `values`. Values of the same place count as their sum. RuntimeError for
    indices that are no matrix of as many columns as there are values, or lie outside.
    """
    if values is None:
        size, indices, values = indices, np.zeros((len(indices), 0), np.int64), []
    where = as_tensor(indices).long()
    what = values if isinstance(values, Tensor) else tensor(values)
    if dtype is not None or device is not None:
        what = what.to(dtype=dtype or what.dtype, device=device or what.device)
    if where.ndim != 2 or (what.ndim and where.shape[1] != what.shape[0]) or not what.ndim:
        raise RuntimeError(
            message(
                "indices must be a matrix (sparse dimensions, n), values of n elements; got "
                f"indices {describe(where)}, values {describe(what)}"
            )
        )
    largest = (where.max(1).values if where.shape[1] else where.new_full((len(where),), -1)) + 1
    sizes = tuple(size) if size is not None else (*largest.tolist(), *what.shape[1:])
    if len(sizes) != len(where) + what.ndim - 1:
        raise RuntimeError(
            message(
                f"number of dimensions must be sparse_dim ({len(where)}) + dense_dim "
                f"({what.ndim - 1}), but got {len(sizes)}"
            )
        )
    for i, (here, room) in enumerate(zip(largest.tolist(), sizes, strict=False)):
        if here > room or (where.shape[1] and int(where[i].min()) < 0):
            raise RuntimeError(
                message(
                    f"size is inconsistent with indices: for dim {i}, size is {room} but found "
                    f"index {here - 1 if here > room else int(where[i].min())}"
                )
            )
    if what.requires_grad and not requires_grad:
        what = what.clone()
    elif requires_grad:
        what = what.detach().requires_grad_()
    return SparseTensor(where, what, sizes, bool(is_coalesced))


def mm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The matrix product, of which one or both are sparse; sparse only of two sparse ones."""
    return FUNCTIONS["matmul"](mat1, mat2)


def addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * mat + alpha * (mat1 @ mat2)."""
    return mat * beta + mm(mat1, mat2) * alpha


def sum(input: Tensor, dim: Dims = None, dtype: DTypeOf | None = None) -> Tensor:
    """The sum of all elements, or over dimensions: sparse, but where no sparse one is left."""
    return input.sum(dim, dtype=dtype)


def log_softmax(input: SparseTensor, dim: int, *, dtype: DTypeOf | None = None) -> SparseTensor:
    """log(softmax) along `dim` over the stored elements; the others count as -inf."""
    x = input.coalesce() if dtype is None else input.coalesce().to(dtype)
    if x.stored.ndim != 1:
        return x._dense_only()
    others = [d for d in range(x.sparse_dim()) if d != dim % x.ndim]
    at = np.ravel_multi_index(tuple(x.places[others].numpy()), [x.sizes[d] for d in others])
    rows, group = np.unique(at, return_inverse=True)
    which = from_numpy(group.reshape(-1).astype(np.int64))
    low = full((len(rows),), float("-inf"), dtype=x.dtype)
    top = low.scatter_reduce(0, which, x.stored.detach(), "amax")[which]
    total = zeros(len(rows), dtype=x.dtype).index_add(0, which, (x.stored - top).exp())
    return x.of(x.stored - top - total.log()[which])


def softmax(input: SparseTensor, dim: int, *, dtype: DTypeOf | None = None) -> SparseTensor:
    """softmax along `dim` over the stored elements; the others count as -inf."""
    logs = log_softmax(input, dim, dtype=dtype)
    return logs.of(logs.stored.exp())


def to_sparse(self: Tensor, sparse_dim: int | None = None, **other: object) -> SparseTensor:
    """The elements that are not 0, by their coordinates; gradients flow back to them.

    ``sparse_dim``: the coordinates are those of so many dimensions (by default all), and what is
    stored are the slices in which not all is 0.
    """
    n = self.array.ndim
    if sparse_dim is not None:
        check_type("to_sparse", "sparse_dim", "int", sparse_dim)
        if not 0 < sparse_dim <= n:
            what = f"sparse_dim argument must be in >0 and <={n}, but got {sparse_dim}"
            raise RuntimeError(message(f"to_sparse: {what}", describe(self)))
    if other and other != {"layout": layout.sparse_coo}:
        raise NotImplementedError(message("only coordinates (layout=torch.sparse_coo) are here"))
    if not n:
        what = "to_sparse(): a tensor of 0 dimensions has no coordinates to store"
        raise NotImplementedError(message(what, fix="x.reshape(1).to_sparse()"))
    stored, dense = self.detach().numpy() != 0, tuple(range(sparse_dim or n, n))
    places = np.nonzero(stored.any(dense) if dense else stored)
    where = from_numpy(np.stack(places).astype(np.int64))
    return SparseTensor(where, self[tuple(where)], self.shape, True)


def to_sparse_coo(self: Tensor) -> SparseTensor:
    """to_sparse(), under the name of its layout."""
    return to_sparse(self)


def sparse_mask(self: Tensor, mask: Tensor) -> SparseTensor:
    """The elements of `self` at the places of a sparse tensor, also those that are 0.

    Gradients flow back to them. RuntimeError if the shapes differ.
    """
    if not isinstance(mask, SparseTensor):
        what = "sparse_mask() takes a sparse mask, of which it takes the places"
        raise NotImplementedError(message(what, f"got {describe(mask)}", fix="mask.to_sparse()"))
    if self.shape != mask.shape:
        raise RuntimeError(
            message(
                "sparse_mask(): operands have incompatible sizes; self has size "
                f"{list(self.shape)} but mask has size {list(mask.shape)}"
            )
        )
    return mask.of(self.to_dense()[tuple(mask.places)])


def _of_rows(rows: Rows, before: Tensor | None) -> Tensor:
    """The gradient of a table of which some rows were read, added to what was there before."""
    where, what = from_numpy(rows.index[None].astype(np.int64)), from_numpy(rows.values)
    made = SparseTensor(where, what, rows.shape)
    return made if before is None else before + made


Rows.tensor = staticmethod(_of_rows)


def _legacy(kind: DTypeOf) -> Callable[..., SparseTensor]:
    """`torch.sparse.FloatTensor(indices, values, size)` and its like, of old."""

    def make(*args: Argument) -> SparseTensor:
        given = args if args and not isinstance(args[0], int) else (Size(args),)
        return sparse_coo_tensor(*given, dtype=kind)

    return make


FloatTensor, DoubleTensor = _legacy(dtypes.float32), _legacy(dtypes.float64)
IntTensor, LongTensor = _legacy(dtypes.int32), _legacy(dtypes.int64)
