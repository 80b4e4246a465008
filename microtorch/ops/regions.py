"""Copies of a tensor in which something was written: at indices, at a mask, in a region.

A region is written through the view that shows it; its derivative is that of the write.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..backends import defines
from ..base.errors import broadcast_error, describe, message
from ..engine.apply import apply
from ..engine.argument_types import check_type
from ..engine.record import constant, laid
from ..engine.whole import writers
from .arguments import dim_of, owned
from .diagonal import diagonal
from .index import getitem, index_put_op
from .index_parsing import parse
from .select import where
from .shape import expand, reshape, select
from .strided import as_strided
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Number
    from ..handles.tensor import Tensor


# ---- at indices ----------------------------------------------------------------------------------
@public()
def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy of ``input`` with ``values`` written (or added) at ``input[indices]``."""
    if hasattr(indices, "node"):
        check_type("index_put", "indices", "Sequence[Tensor]", indices)
    for i, x in enumerate(indices):
        if not hasattr(x, "node"):
            raise TypeError(
                message(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
            )
    if values.array.dtype != input.array.dtype:
        raise RuntimeError(
            message(
                "Index put requires the source and destination dtypes match, got "
                f"{_kind(input)} for the destination and {_kind(values)} for the source.",
                fix="values.to(input.dtype)",
            )
        )
    index, _ = parse(tuple(indices), input.array.shape)
    out = apply(index_put_op, (input, values), {"index": index, "accumulate": accumulate})
    return out if input.array.flags.c_contiguous else laid(out, input.array.strides)


def _flat_index(name: str, input: Tensor, index: Tensor) -> Tensor:
    """An index of the flattened input. Raises for one that is not int64, or out of range."""
    if not hasattr(index, "node") or index.array.dtype != np.int64:
        raise RuntimeError(
            message(f"{name}(): Expected a long tensor for index, but got {describe(index)}")
        )
    n, i = input.array.size, index.array
    if i.size and not n:
        raise IndexError(message(f"{name}(): tried to {name} elements of an empty tensor"))
    index.node.dev.check_flat(i, n)
    return index


@defines
def check_flat(F: Backend, i: Array, n: int) -> None:
    """IndexError for an index of no element. A kernel, so that a recorded program asks, too."""
    if i.size and not (int(i.min()) >= -n and int(i.max()) < n):
        wrong = int(i.max()) if int(i.max()) >= n else int(i.min())
        raise IndexError(
            message(f"out of range: tried to access index {wrong} on a tensor of {n} elements.")
        )


@public()
def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flattened tensor at ``index``, in its shape."""
    flat = reshape(_flat_index("take", input, index), -1)
    return owned(reshape(getitem(reshape(input, -1), flat), *index.array.shape))


@public()
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of ``input`` with ``source`` written (or added) at ``index`` of its flattened form."""
    if source.array.dtype != input.array.dtype:
        raise RuntimeError(
            message(
                "put_(): self and source expected to have the same dtype, but got self.dtype = "
                f"{_kind(input)} and source.dtype = {_kind(source)}"
            )
        )
    if source.array.size != index.array.size:
        raise IndexError(
            message(
                "put_(): Expected source and index to have the same number of elements, but got "
                f"source.numel() = {source.array.size}, index.numel() = {index.array.size}"
            )
        )
    flat = reshape(_flat_index("put", input, index), -1)
    written = index_put(reshape(input, -1), (flat,), reshape(source, -1), accumulate)
    return laid(owned(reshape(written, *input.array.shape)), input.array.strides)


# ---- at a mask -----------------------------------------------------------------------------------
def _masked(name: str, input: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Input and mask, expanded to one shape. Raises for a mask that is not bool."""
    if not hasattr(mask, "node") or mask.array.dtype != np.bool_:
        raise RuntimeError(
            message(
                f"{name}: only supports boolean masks, but got {describe(mask)}", fix="mask.bool()"
            )
        )
    try:
        shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    except ValueError:
        raise broadcast_error(name, [input, mask]) from None
    return expand(input, *shape), expand(mask, *shape)


@public()
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` (bool) is true, in one dimension."""
    x, m = _masked("masked_select", input, mask)
    return owned(reshape(getitem(x, m), -1))


@public()
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of ``input`` in which the elements of ``source`` stand, in order, at the mask."""
    x, m = _masked("masked_scatter", input, mask)
    x = x.contiguous()
    if source.array.dtype != input.array.dtype:
        raise RuntimeError(
            message(
                "masked_scatter: expected self and source to have same dtypes but got "
                f"{_kind(input)} and {_kind(source)}"
            )
        )
    kinds = any([hasattr(t.array, "level") for t in (x, m, source)])
    if writers or kinds:  # sizes do not depend on data: a choice at each element
        number = m.expand(x.array.shape).reshape(-1).cumsum(0)
        fits = number[-1:] <= source.array.size
        if not number.array.size or (fits.array.all() if kinds else fits.all()):
            flat = reshape(source, -1)
            taken = flat[(number - 1).clamp(0, max(source.array.size - 1, 0))]
            return where(m, taken.reshape(x.array.shape), x)
    count = source.array.size + 1 if kinds else int(m.array.sum())
    if source.array.size < count:
        raise RuntimeError(
            message(
                "Number of elements of source < number of ones in mask",
                f"{source.array.size} < {count}",
            )
        )
    index, _ = parse(m, x.array.shape)
    return apply(index_put_op, (x, reshape(source, -1)[:count]), {"index": index})


@public(method=False)
def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """A tensor of this shape with ``value`` everywhere."""
    return input.clone().fill_(value)


# ---- in a region ---------------------------------------------------------------------------------
def _embedded(name: str, input: Tensor, src: Tensor, view: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of ``input`` with ``src`` written in the region that ``view`` shows."""
    if type(src.array) is not type(input.array):  # a batch of regions, for one tensor
        like = src.to(input.dtype).sum()  # of src's kind, and never taken
        input = where(constant(np.True_), input, like)
    out = input.clone()
    region = view(out)
    if region.array.shape != src.array.shape:
        raise RuntimeError(
            message(
                f"expected src to have a size equal to the slice of self. src size = "
                f"{list(src.array.shape)}, slice size = {list(region.array.shape)}",
                f"{name} of {describe(input)}",
            )
        )
    region.copy_(src)
    return out


@public()
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """A copy of ``input`` with ``src`` in the slice ``start:end:step`` of ``dim``."""
    d = dim_of(dim, input.array.ndim, "slice_scatter")
    place = (*(slice(None),) * d, slice(start, end, step))
    return _embedded("slice_scatter", input, src, lambda x: x[place])


@public()
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of ``input`` with ``src`` at ``index`` of ``dim``."""
    return _embedded("select_scatter", input, src, lambda x: select(x, dim, index))


@public()
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of ``input`` with ``src`` on the diagonal of two dimensions."""
    return _embedded(
        "diagonal_scatter", input, src, lambda x: diagonal(x, offset, dim1, dim2)
    )


@public()
def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """A copy of ``input`` with ``src`` in the region that ``as_strided`` shows."""
    return _embedded(
        "as_strided_scatter", input, src, lambda x: as_strided(x, size, stride, storage_offset)
    )


def _kind(x: Any) -> str:
    return TORCH_TYPES[x.array.dtype.name]
