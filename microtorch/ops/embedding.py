"""Embedding: rows of a table by number, and the sum of gradients that go to each row.

    out = weight[index]            w̄[i] = Σ g over all places where index == i

Reading rows and adding them up are each other's transpose, so each op is the other's derivative.
To add up, the gradients are sorted by row and runs of equal rows summed (``np.add.reduceat``):
several times faster than ``np.add.at`` for rows of more than one element.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..backends import defines
from ..base.errors import describe, message
from ..engine.apply import apply
from ..engine.argument_types import check_type
from ..engine.op import Op
from ..engine.record import constant, record
from ..engine.rows import Rows
from ..engine.short import kept_dtype
from ..engine.whole import on_arrays, unrepeatable, whole, writers
from .arguments import within
from .select import where

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DType, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


def _embedding(F: Namespace, w: Array, index: Array, padding: int | None = None) -> Array:
    return w[index]


def _embedding_sum(F: Namespace, g: Array, index: Array, rows: int, padding: int | None) -> Array:
    """(rows, D): row i is the sum of g (..., D) where index (...) is i; row ``padding`` is 0."""
    out = np.zeros((rows, g.shape[-1]), g.dtype)
    if not index.size:
        return out
    index = index.reshape(-1)
    order = np.argsort(index, kind="stable")
    index = index[order]
    starts = np.flatnonzero(np.concatenate(([True], index[1:] != index[:-1])))
    out[index[starts]] = np.add.reduceat(g.reshape(len(index), g.shape[-1])[order], starts, axis=0)
    if padding is not None:
        out[padding] = 0
    return out


def _embedding_sum_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, index: Operand, rows: int,
    padding: int | None,
) -> Gradient:  # fmt: skip
    read = F.embedding(g, index)
    if padding is None:
        return read
    d = read.dtype if isinstance(read.dtype, np.dtype) else read.dtype.numpy
    counted = F.cast(F.ne(index, padding), dtype=d)
    return read * F.reshape(counted, shape=(*counted.shape, 1))


embedding_op = Op(
    "embedding",
    _embedding,
    vjps=(
        lambda F, g, out, w, index, padding=None: F.embedding_sum(
            g, index, rows=w.shape[0], padding=padding
        ),
        None,
    ),
    saves=("y", ""),
    complex="own",
    formula="x[y]",
    rule=("Σ g per row", None),
)


def _rows(
    F: Namespace, g: Gradient, out: Operand, w: Operand, index: Operand, padding: int | None
) -> Gradient:
    if type(g) is not np.ndarray:  # create_graph, and other devices: all rows
        return F.embedding_sum(g, index, rows=w.shape[0], padding=padding)
    which, values = index.reshape(-1), g.reshape(index.size, w.shape[1])
    if padding is not None:
        values, which = values[which != padding], which[which != padding]
    return cast("Gradient", Rows(which, values, w.shape))


embedding_rows_op = Op(  # of a leaf whose gradient shall be sparse
    "embedding_rows",
    _embedding,
    vjps=(_rows, None),
    saves=("y", ""),
    complex="own",
    formula="x[y]",
    rule=("the rows of g", None),
    torch_name="Embedding",
)
embedding_sum_op = Op(
    "embedding_sum",
    _embedding_sum,
    vjps=(_embedding_sum_vjp, None),
    complex="own",
    saves=("y", ""),
    formula="Σ x per row",
    rule=("g[y]", None),
)


scale_gradient_op = Op(
    "scale_gradient",
    lambda F, x, share: x.copy(),
    vjps=(lambda F, g, out, x, share: g * share, None),
    saves=("y", ""),
    formula="x",
    rule=("g · y", None),
)


@defines
def check_rows(F: Backend, index: Array, rows: int) -> None:
    """IndexError for a row that a table of ``rows`` rows does not have.

    A kernel, so that a recorded program asks at each call.
    """
    if within(index, rows) or not index.size:
        return
    if int(index.min()) < 0 or int(index.max()) >= rows:
        bad = int(index.max()) if int(index.max()) >= rows else int(index.min())
        raise IndexError(
            message(
                "index out of range in self",
                f"embedding: row {bad} of a table of {rows} rows (0..{rows - 1}); input "
                f"{describe(index)}",
                fix=f"num_embeddings must exceed the largest token: at least {bad + 1}"
                if bad > 0
                else "rows count from 0",
            )
        )


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Rows ``input`` (int64 or int32, any shape) of ``weight`` (rows, D): result (*, D).

    Row ``padding_idx`` gets no gradient. With ``max_norm``, rows that are read and whose norm (of
    order ``norm_type``) is larger are first shortened to it, in place. ``scale_grad_by_freq``
    divides the gradient of a row by how often it is read. With ``sparse`` the gradient of a leaf is
    a sparse tensor of the rows that were read. Raises IndexError for a row that is not there.
    """
    i, w = input.array, weight.array
    if i.dtype.kind not in "iu" or i.dtype.itemsize < 4:
        raise RuntimeError(
            message(
                "Expected tensor for argument #1 'indices' to have one of the following scalar "
                f"types: Long, Int; but got {TORCH_TYPES[i.dtype.name]} instead (while checking "
                "arguments for embedding)",
                f"input {describe(input)}",
                fix="the input holds row numbers: input.long()",
            )
        )
    if w.ndim != 2:
        raise RuntimeError(message("'weight' must be 2-D", f"embedding: weight {describe(weight)}"))
    if padding_idx is not None:
        check_type("embedding", "padding_idx", "int", padding_idx)
        if not -len(w) <= padding_idx < len(w):
            raise AssertionError(
                message(
                    f"Padding_idx must be within num_embeddings = {len(w)}, but got {padding_idx}"
                )
            )
        padding_idx %= len(w)
    op, table, out = embedding_op, weight.node, None
    if type(w) is np.ndarray and type(i) is np.ndarray and max_norm is None:
        out = table.dev.taken(w, (i,))
    if out is None:
        input.node.dev.check_rows(i, len(w))
    if max_norm is not None:
        shorten(weight, input, max_norm, norm_type)
    if sparse and table.op is None and table.needs:
        op = embedding_rows_op
        unrepeatable("the gradient of an embedding is to be sparse")
    attrs = {"padding": padding_idx}
    read = (
        kept_dtype(op, attrs, weight, input) if out is None
        else record(op, (weight, input), out, table.dev, attrs)
    )  # fmt: skip
    return by_frequency(read, input) if scale_grad_by_freq else read


def shorten(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten the rows at ``index`` whose norm exceeds ``max_norm`` to it, in place.

    The write is not recorded; backward notices it where it needs the old values.
    """
    table = weight.detach()  # which has the same memory
    whole("shorten", _shorten, table, index, max_norm=max_norm, norm_type=norm_type)
    if writers:
        table._written("embedding")


def _shorten(table: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    rows = index.reshape(-1).unique()
    old = table[rows]
    norms = old.norm(norm_type, -1, keepdim=True)
    table[rows] = old * where(norms > max_norm, max_norm / (norms + 1e-7), norms.new_ones(()))


def by_frequency(out: Tensor, index: Tensor) -> Tensor:
    """``out`` (*, D), whose gradient is divided by how often its row's number is in ``index``."""
    numbers, dtype = index.detach().cpu().array, out.array.dtype
    share = on_arrays("share_of_row", _share, numbers, dtype=dtype)
    return apply(scale_gradient_op, (out, constant(share, out.node.dev)))


def _share(index: Array, dtype: DType) -> Array:
    """1 / how often each number is in ``index``, (*, 1)."""
    _, inverse, counts = np.unique(index, return_inverse=True, return_counts=True)
    share: Array = (1 / counts[inverse.reshape(-1)]).astype(dtype).reshape(*index.shape, 1)
    return share
