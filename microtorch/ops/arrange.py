"""Rearrangements that are a few calls of others: turned, stacked, split and combined tensors.

Their gradients, of any order, are those of the functions they call.
"""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.memory_format import contiguous_format
from ..base.errors import ShapeError, describe, message
from ..engine.argument_types import check_type
from ..engine.record import constant
from ..engine.short import several
from ..engine.whole import known
from .arguments import dim_of, given_once, owned, shape_of
from .complex import conj
from .diagonal import diag
from .join import (
    block_diag_op,
    cat,
    meshgrid,
    pieces,
    require_tensors,
    same_dtype,
    stack,
)
from .permute import matrices_transposed, transpose
from .roll import flip
from .shape import expand, ravel, reshape, unsqueeze
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Shape
    from ..handles.tensor import Tensor


# ---- turned --------------------------------------------------------------------------------------
@public()
def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order."""
    if input.array.ndim < 2:
        raise RuntimeError(message("Input must be >= 2-d.", f"fliplr({describe(input)})"))
    return flip(input, 1)


@public()
def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order."""
    if input.array.ndim < 1:
        raise RuntimeError(message("Input must be >= 1-d.", f"flipud({describe(input)})"))
    return flip(input, 0)


@public()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by k quarters, from the first of ``dims`` towards the second (a copy)."""
    ndim = input.array.ndim
    if len(dims) != 2:
        raise RuntimeError(
            message(f"expected total rotation dims == 2, but got dims = {len(dims)}")
        )
    if ndim < 2:
        raise RuntimeError(message(f"expected total dims >= 2, but got total dims = {ndim}"))
    first, second = [dim_of(d, ndim, "rot90") for d in dims]
    if first == second:
        raise RuntimeError(
            message(
                "expected rotation dims to be different, but got "
                f"dim0 = {dims[0]} and dim1 = {dims[1]}"
            )
        )
    quarters = k % 4
    if quarters == 0:
        return input.clone(memory_format=contiguous_format)
    if quarters == 2:
        return flip(input, first, second)
    turned = flip(input, second if quarters == 1 else first)
    return owned(transpose(turned, first, second))


@public()
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, conjugated: of real numbers, ``x.mT``."""
    return conj(matrices_transposed(input, "adjoint()"))


# ---- dimensions ----------------------------------------------------------------------------------
def _at_least(ndim: int, tensors: tuple[Any, ...]) -> Any:
    given = tensors[0] if len(tensors) == 1 else tensors
    if isinstance(given, (tuple, list)):
        return tuple([x if x.array.ndim >= ndim else _raised(ndim, x) for x in given])
    return _raised(ndim, given)


def _raised(ndim: int, x: Tensor) -> Tensor:
    while x.array.ndim < min(ndim, 2):
        x = unsqueeze(x, 0)
    return x if x.array.ndim >= ndim else unsqueeze(x, -1)


@public(method=False)
def atleast_1d(*tensors: Any) -> Any:
    """A 0-d tensor as one of one dimension, any other as it is; of several, a tuple."""
    return _at_least(1, tensors)


@public(method=False)
def atleast_2d(*tensors: Any) -> Any:
    """A tensor of at least 2 dimensions, new ones in front; of several, a tuple."""
    return _at_least(2, tensors)


@public(method=False)
def atleast_3d(*tensors: Any) -> Any:
    """A tensor of at least 3 dimensions: a vector as (1, n, 1), a matrix as (n, m, 1)."""
    return _at_least(3, tensors)


@public(method=False)
def broadcast_shapes(*shapes: int | Sequence[int]) -> Shape:
    """The shape that tensors of these shapes broadcast to."""
    given = [shape_of((s,), "broadcast_shapes") for s in shapes]
    if any(n < 0 for s in given for n in s):
        raise ValueError(message("Attempting to broadcast a dimension with negative length!"))
    try:
        shape = np.broadcast_shapes(*given)
    except ValueError:
        raise ShapeError(
            message(
                "Shape mismatch: objects cannot be broadcast to a single shape",
                "shapes " + ", ".join(map(str, given)),
            )
        ) from None
    return constant(np.broadcast_to(np.zeros(()), shape)).shape


@public(function=False)
def sum_to_size(
    self: Tensor, *sizes: int | Sequence[int], size: Sequence[int] | None = None
) -> Tensor:
    """Summed over the dimensions that ``expand`` would have repeated."""
    if size is not None:
        sizes = given_once("sum_to_size", "size", sizes, size)
    want, have = shape_of(sizes, "sum_to_size"), self.array.shape
    extra = len(have) - len(want)
    if extra < 0 or any(w not in (1, h) for w, h in zip(want, have[extra:], strict=False)):
        raise RuntimeError(
            message(f"size {{{list(want)}}} is not expandable to size {{{list(have)}}}.")
        )
    if not want:
        return self.sum()
    over = [i for i, h in enumerate(have) if i < extra or want[i - extra] != h]
    return owned(reshape(self.sum(over), *want)) if over else self


# ---- stacked -------------------------------------------------------------------------------------
def _joined(name: str, tensors: Sequence[Tensor], ndim: int, dim: int) -> Tensor:
    """``cat`` of tensors that are given ``ndim`` dimensions; of vectors along their only one."""
    given = require_tensors(tensors, name)
    for x in given:
        if x.array.ndim < ndim:
            given = list(_at_least(ndim, (given,)))
            break
    return cat(given, 0 if given[0].array.ndim == 1 else dim)


@public(method=False)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: along dimension 1, vectors along their only one."""
    return _joined("hstack", tensors, 1, 1)


@public(method=False, aliases=("row_stack",))
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors below one another; a vector is a row."""
    return _joined("vstack", tensors, 2, 0)


@public(method=False)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors behind one another, along dimension 2."""
    return _joined("dstack", tensors, 3, 2)


@public(method=False)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Vectors as the columns of a matrix; matrices side by side."""
    columns = [
        x if x.array.ndim > 1 else reshape(x, -1, 1)
        for x in require_tensors(tensors, "column_stack")
    ]
    return cat(columns, 1)


@public(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones along its diagonal, and 0 elsewhere; vectors are rows."""
    if not tensors:
        return constant(np.zeros((1, 0), dtypes.default_numpy()))
    blocks = []
    for i, x in enumerate(same_dtype(tensors, "block_diag")):
        if x.array.ndim > 2:
            raise RuntimeError(
                message(
                    "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                    f"Input {i} has {x.array.ndim} dimensions"
                )
            )
        blocks.append(atleast_2d(x))
    return several(block_diag_op, blocks)


# ---- taken apart ---------------------------------------------------------------------------------
@public()
def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of nearly equal ``sections``, or of the pieces between ``indices``."""
    if not input.array.ndim:
        raise RuntimeError(
            message(
                "tensor_split expected at least a 1-dimensional tensor, "
                "but got a tensor with 0 dims"
            )
        )
    d = dim_of(dim, input.array.ndim, "tensor_split")
    n = input.array.shape[d]
    if hasattr(indices_or_sections, "node"):
        indices_or_sections = _sections(indices_or_sections)
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
        if sections <= 0:
            raise RuntimeError(
                message(f"number of sections must be larger than 0, got {sections}")
            )
        size, longer = divmod(n, sections)
        return pieces(input, [size + (i < longer) for i in range(sections)], d)
    bounds = [0, *indices_or_sections, n]
    lead = (slice(None),) * d
    indices = [(*lead, slice(a, b)) for a, b in itertools.pairwise(bounds)]
    return tuple(input[index] for index in indices)


def _sections(given: Any) -> Any:
    x = given.array
    if x.dtype != np.int64:
        raise RuntimeError(
            message(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, "
                f"but got {x.dtype.name}"
            )
        )
    if x.ndim > 1:
        raise RuntimeError(
            message(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor, but got a tensor with {x.ndim} dims"
            )
        )
    return known(given).tolist()


def _divided(name: str, input: Tensor, sections: Any, least: int, dim: int) -> tuple[Tensor, ...]:
    """``tensor_split`` along a dimension that equal sections must divide."""
    if input.array.ndim < least:
        raise RuntimeError(
            message(
                f"torch.{name} requires a tensor with at least {least} dimension, "
                f"but got a tensor with {input.array.ndim} dimensions!"
            )
        )
    if hasattr(sections, "node") and not sections.array.ndim:
        sections = known(sections).item()  # a number of them, as an int is
    check_type(name, "indices_or_sections", "int | Sequence[int]", sections)
    n = input.array.shape[dim]
    if isinstance(sections, int) and (sections == 0 or n % sections):
        raise RuntimeError(
            message(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the "
                f"dimension {n} is not divisible by the split_size {sections}!",
                fix="tensor_split takes sections that differ by one",
            )
        )
    return tensor_split(input, sections, dim)


@public()
def hsplit(
    input: Tensor, *places: int | Sequence[int],
    indices_or_sections: int | Sequence[int] | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Split side by side: along dimension 1, a vector along its only one."""
    where = _one(places, indices_or_sections)
    return _divided("hsplit", input, where, 1, min(input.array.ndim - 1, 1))


@public()
def vsplit(
    input: Tensor, *places: int | Sequence[int],
    indices_or_sections: int | Sequence[int] | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Split along dimension 0."""
    return _divided("vsplit", input, _one(places, indices_or_sections), 2, 0)


@public()
def dsplit(
    input: Tensor, *places: int | Sequence[int],
    indices_or_sections: int | Sequence[int] | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Split along dimension 2."""
    return _divided("dsplit", input, _one(places, indices_or_sections), 3, 2)


def _one(places: tuple[Any, ...], named: Any) -> Any:
    """``2`` or ``(1, 3)``, by position or by name; several numbers are indices."""
    return named if not places else places[0] if len(places) == 1 else places


# ---- combined ------------------------------------------------------------------------------------
def _vector(x: Tensor) -> Tensor:
    if x.array.ndim != 1:
        raise RuntimeError(message(f"Expect a 1D vector, but got shape {list(x.array.shape)}"))
    return x


@public(method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of one element of each vector, as rows."""
    vectors = [_vector(x) for x in require_tensors(tensors, "cartesian_prod")]
    if len(vectors) == 1:
        return vectors[0]
    return stack([ravel(x) for x in meshgrid(*vectors, indexing="ij")], 1)


@public()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of ``r`` elements of a vector, in its order, as rows."""
    if r < 0:
        raise RuntimeError(message(f"Expect a non-negative number, but got {r}"))
    n = _vector(input).array.size
    if r == 0:
        return input[:0].clone()
    if r == 2:
        chosen = np.stack(np.triu_indices(n, 0 if with_replacement else 1), 1)
    else:
        draw = getattr(itertools, "combinations" + "_with_replacement" * with_replacement)
        numbers = np.fromiter(itertools.chain.from_iterable(draw(range(n), r)), np.int64)
        chosen = numbers.reshape(-1, r)
    return input[constant(input.node.dev.array(chosen))]


@public(method=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector's elements, a row each, the highest first unless ``increasing``."""
    if x.array.ndim != 1:
        raise RuntimeError(message("x must be a one-dimensional tensor.", f"got {describe(x)}"))
    n = x.array.size if N is None else N
    if n < 0:
        raise RuntimeError(message("N must be non-negative."))
    columns = powers(x, max(n, 1))
    columns = columns if n else columns[:, :0]
    return columns if increasing else flip(columns, 1)


def powers(x: Tensor, n: int) -> Tensor:
    """``x ** k`` for k below n, in a last dimension; of integers in int64, which hold more."""
    shape = x.array.shape
    return cat([x.new_ones((*shape, 1)), expand(x.unsqueeze(-1), *shape, n - 1)], -1).cumprod(-1)


# ---- diagonals -----------------------------------------------------------------------------------
@public()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements on its diagonal."""
    return diag(ravel(input), offset)


@public()
def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``narrow`` as a copy. Another error than its for a dimension that is not there."""
    if dim >= input.array.ndim:
        what = "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false"
        raise RuntimeError(message(what, f"narrow_copy: {dim=}, input {describe(input)}"))
    return input.narrow(dim, start, length).clone(memory_format=contiguous_format)
