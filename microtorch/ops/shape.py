"""Views of the same elements in another shape: reshape, squeeze, expand, narrow, select.

The forward function of a view op returns a numpy view. ``engine.views.link_view`` then makes view
and base know each other, so that in-place writes and version counters work. The derivative of a
rearrangement is the inverse rearrangement: most ops here are each other's derivatives.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy import ndarray

from ..arrays import dtypes
from ..arrays.dtypes import OBJECT
from ..arrays.memory_order import expanded_strides, row_strides, viewed_strides
from ..base.errors import ShapeError, broadcast_error, describe, message
from ..engine.argument_types import is_int
from ..engine.hot import viewing
from ..engine.op import Op
from ..engine.record import constant
from ..engine.views import by_c, storage_of
from .arguments import LARGE, copied, dim_of, dims_of, given_once, no_tensor, shape_of
from .index import opened, selected, sliced
from .strided import at_strides
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Dims, Namespace, Shape
    from ..handles.tensor import Tensor

ALL = (slice(None),)  # of one dimension
Sizes: TypeAlias = "int | Sequence[int]"  # (2, 3) and 2, 3 mean the same


def explain_reshape(
    op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception
) -> Exception:
    x, shape = tensors[0], tuple(attrs["shape"])
    return ShapeError(
        message(
            f"shape '{list(shape)}' is invalid for input of size {x.array.size}",
            f"{op.name}: {describe(x)} has {x.array.size} elements, {shape} "
            + ("must divide them" if -1 in shape else f"has {math.prod(shape)}"),
            fix="one size may be -1, which means: whatever is left",
        )
    )


# ---- views ---------------------------------------------------------------------------------------
def _in_shape(x: Array, shape: Shape) -> Array:
    """A large array in another shape: a view or, where its layout allows none, a copy."""
    try:
        return x.reshape(shape, copy=False)
    except TypeError:  # numpy before 2.1
        return x.reshape(shape)
    except ValueError:
        return copied(x).reshape(shape)


def _reshaping(F: Namespace, x: Array, shape: Shape) -> Array:
    if type(x) is not ndarray:
        return x.reshape(shape)
    rows = x.flags.c_contiguous
    out = x.reshape(shape) if rows or x.nbytes < LARGE else _in_shape(x, shape)
    if 1 in x.shape and rows and x.size and x.strides != row_strides(x.shape, x.itemsize):
        # numpy forgets the strides of dimensions of one
        return at_strides(x, out.shape, viewed_strides(x.shape, x.strides, out.shape), 0)
    return out


def _unsqueezing(F: Namespace, x: Array, shape: Shape) -> Array:
    """``x`` with one dimension of 1 more: the first that makes it so."""
    plain = type(x) is not ndarray or x.flags.c_contiguous or shape[-1] != 1
    if plain and (1 not in x.shape or x.strides == row_strides(x.shape, x.itemsize)):
        return x.reshape(shape)  # numpy gives it the same stride
    d = next(i for i in range(len(shape)) if shape[:i] + shape[i + 1 :] == x.shape)
    index = (*[slice(None)] * d, None, ...)
    return opened(x, index, x[index])


def _reshape_op(
    name: str, forward: Callable[..., Array] = _reshaping, **options: Any
) -> Op:
    return Op(
        name,
        forward,
        vjps=(lambda F, g, out, x, shape: F.reshape(g, shape=x.shape),),
        rule=("g, in the input's shape",),
        view=True,
        **options,
    )


by_c("in_shape", _reshaping, "reshape", "squeeze")
reshape_op = _reshape_op("reshape", torch_name="View", explain=explain_reshape)
squeeze_op = _reshape_op("squeeze")
unsqueeze_op = _reshape_op("unsqueeze", by_c("with_one", _unsqueezing, "unsqueeze"))
squeeze_dim_op = squeeze_op.shown_as("SqueezeBackward1")


def _expand(F: Namespace, x: Array, shape: Shape) -> Array:
    if type(x) is not ndarray and x.ndim == 0:
        x = np.asarray(x)
    if type(x) is ndarray and (x.flags.carray or not x.ndim) and (d := x.dtype) is not OBJECT:
        # broadcast_to takes ten times as long
        view = ndarray(shape, d, x, 0, expanded_strides(x.shape, x.strides, shape))
        if view.size != x.size:
            view.setflags(False)  # not to be written
        return view
    if type(x) is ndarray and 1 in shape and x.dtype is not OBJECT:  # numpy forgets their strides
        return at_strides(x, shape, expanded_strides(x.shape, x.strides, shape), 0)
    out = np.broadcast_to(x, shape)  # read-only
    # nothing is repeated, so it can be written as any view
    if x.flags.writeable and out.size == x.size:
        out.flags.writeable = True
    return out


expand_op = Op(  # the derivative is g itself: the engine sums it down to the input's shape
    "expand",
    by_c("expanded", _expand, "expand"),
    vjps=(lambda F, g, out, x, shape: g,),
    rule=("g, summed over the copies",),
    view=True,
)


_reshaped, _expanded = viewing(reshape_op, "shape"), viewing(expand_op, "shape")
_squeezed, _unsqueezed = viewing(squeeze_op, "shape"), viewing(unsqueeze_op, "shape")
_squeezed_at = viewing(squeeze_dim_op, "shape")


@public()
def reshape(input: Tensor, *sizes: Sizes, shape: Sizes | None = None) -> Tensor:
    """The same elements in another shape; a view where the memory layout allows, else a copy.

    One size may be -1.
    """
    if shape is not None:
        sizes = (shape, *sizes)
    sizes = shape_of(sizes, "reshape")
    out = _reshaped(input, sizes)
    return out if out.array.shape == sizes else _filled_in(out, sizes)


def _filled_in(out: Tensor, sizes: Shape) -> Tensor:
    """The result, in whose sizes was a -1. To numpy any negative number means that."""
    for n in sizes:
        if n < -1:
            raise RuntimeError(message(f"invalid shape dimension {n}", f"shape {list(sizes)}"))
    return out


@public(function=False)
def view(
    input: Tensor,
    *shape: Sizes | dtypes.dtype,
    size: Sizes | None = None,
    dtype: dtypes.dtype | None = None,
) -> Tensor:
    """As reshape, but always a view; ``view(dtype)`` shows the same bits as another type.

    Raises RuntimeError where no view is possible.
    """
    if dtype is not None or size is not None:
        shape = tuple(x for x in (size, dtype, *shape) if x is not None)
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        return _bits(input, shape[0])
    size = shape_of(shape, "view")
    out = _reshaped(input, size)
    if out.array.shape != size:
        _filled_in(out, size)
    if out.origin is None and out.array.size:
        raise RuntimeError(
            message(
                "view size is not compatible with input tensor's size and stride (at least one "
                "dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
                f"view{size} of {describe(input)} with strides {input.stride()}",
                fix=".reshape(...) or .contiguous().view(...)",
            )
        )
    return out


def _bits(input: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The same memory read as another dtype; no gradient flows."""
    try:
        array = input.array.view(dtype.numpy)
        size = array.dtype.itemsize
        between = input.array.flags.aligned and not array.flags.aligned
        if between or any(s % size for s in array.strides):
            raise ValueError("the elements of the wider dtype would lie between its places")
        out = constant(array, input.node.dev)
    except (ValueError, TypeError):
        raise RuntimeError(
            message(
                f"view(dtype): {describe(input)} with strides {input.stride()} cannot be read as "
                f"{dtype}",
                fix="the last dimension must be contiguous and divisible; .contiguous() helps",
            )
        ) from None
    out.node.storage = storage_of(input.node)  # so that backward hears of writes through it
    return out


@public(function=False)
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """view(other.shape)."""
    return view(input, *other.array.shape)


@public(function=False)
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """reshape(other.shape)."""
    return reshape(input, *other.array.shape)


@public()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim..end_dim made into one."""
    try:
        shape = input.array.shape
    except AttributeError:
        raise no_tensor("flatten", input) from None
    start, end = dim_of(start_dim, len(shape), "flatten"), dim_of(end_dim, len(shape), "flatten")
    if start > end:
        raise RuntimeError(
            message("flatten() has invalid args: start_dim cannot come after end_dim")
        )
    if start == end and shape:
        return input
    return _reshaped(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@public()
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension ``dim`` split into ``sizes``."""
    shape = input.array.shape
    d = dim_of(dim, len(shape), "unflatten")
    sizes = shape_of((sizes,), "unflatten")
    if not sizes:
        raise RuntimeError(message("unflatten: sizes must be non-empty"))
    whole = shape[d] if shape else 1
    if sizes.count(-1) > 1:
        raise RuntimeError(message("unflatten: only one dimension can be inferred", f"got {sizes}"))
    known = math.prod(n for n in sizes if n != -1)
    if (known != whole) if -1 not in sizes else (not known or whole % known):
        raise RuntimeError(
            message(
                f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} "
                f"({whole}) in the input tensor"
            )
        )
    sizes = tuple(whole // known if n == -1 else n for n in sizes)
    return reshape(input, *shape[:d], *sizes, *shape[d + 1 :])


@public()
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension, and in a row in memory."""
    return reshape(input.contiguous(), -1)


@public()
def squeeze(input: Tensor, dim: Dims = None, *more: int) -> Tensor:
    """A view without the dimensions of size 1 (all, or those named)."""
    shape = input.array.shape
    if more:
        dim = shape_of((dim, *more), "squeeze")
    if dim is None:
        kept = tuple([s for s in shape if s != 1])
        return _squeezed(input, kept)
    if type(dim) is int and shape:
        d = dim_of(dim, len(shape), "squeeze")
        return _squeezed_at(input, shape if shape[d] != 1 else shape[:d] + shape[d + 1 :])
    drop = dims_of(dim, len(shape), "squeeze")
    kept = tuple([s for i, s in enumerate(shape) if i not in drop or s != 1])
    return _squeezed_at(input, kept)


@public()
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A view with a dimension of size 1 inserted at ``dim``."""
    shape = input.array.shape
    d = dim_of(dim, len(shape) + 1, "unsqueeze")
    shape = (*shape[:d], 1, *shape[d:])
    return _unsqueezed(input, shape)


@public(function=False)
def expand(
    input: Tensor, *sizes: Sizes, size: Sizes | None = None, implicit: bool = False
) -> Tensor:
    """A view in which dimensions of size 1 are repeated without copying; -1 keeps a size."""
    if size is not None:
        sizes = (size, *sizes)
    want = shape_of(sizes, "expand")
    return _expanded(input, _wanted(want, input.array.shape) or _not_wanted(want, input))


@lru_cache(1024)
def _wanted(want: Shape, have: Shape) -> Shape | None:
    """The sizes that ``expand`` is asked for, without -1; None where they do not fit."""
    n = len(want) - len(have)
    if n < 0 or -1 in want[:n]:
        return None
    shape = tuple([h if w == -1 else w for w, h in zip(want, (1,) * n + have, strict=True)])
    return shape if all([h in (1, s) for h, s in zip(have, shape[n:], strict=True)]) else None


def _not_wanted(want: Shape, input: Tensor) -> Shape:
    """Say why a tensor does not expand to these sizes. (To none it does.)"""
    have = input.array.shape
    n = len(want) - len(have)
    if n < 0:
        raise RuntimeError(
            message(
                f"expand({describe(input)}, size={list(want)}): the number of sizes provided "
                f"({len(want)}) must be greater or equal to the number of dimensions in the tensor "
                f"({len(have)})"
            )
        )
    if -1 in want[:n]:
        raise RuntimeError(
            message(
                f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
                f"dimension {want.index(-1)}",
                f"expand({describe(input)}, size={list(want)})",
            )
        )
    for i, h in enumerate(have, n):
        if h != 1 and want[i] not in (-1, h):
            raise ShapeError(
                message(
                    f"The expanded size of the tensor ({want[i]}) must match the existing size "
                    f"({h}) at non-singleton dimension {i}.  Target sizes: {list(want)}.  Tensor "
                    f"sizes: {list(have)}",
                    fix="only a dimension of size 1 expands: x.repeat copies, x.unsqueeze adds one",
                )
            )
    return ()


@public(function=False)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """expand(other.shape)."""
    return expand(input, *other.array.shape)


@public()
def broadcast_to(input: Tensor, *sizes: Sizes, size: Sequence[int] | None = None) -> Tensor:
    """expand(*sizes)."""
    return expand(input, *given_once("broadcast_to", "size", sizes, size))


@public(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
    try:
        shape = np.broadcast_shapes(*(x.array.shape for x in tensors))
    except ValueError:
        raise broadcast_error("broadcast_tensors", list(tensors)) from None
    return tuple(x if x.array.shape == shape else expand(x, *shape) for x in tensors)


@public()
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """A view of ``length`` elements along ``dim`` from ``start``."""
    if not input.array.ndim:
        raise RuntimeError(message("narrow() cannot be applied to a 0-dim tensor."))
    if length < 0:
        raise RuntimeError(message("narrow(): length must be non-negative.", f"got {length}"))
    d = dim_of(dim, input.array.ndim, "narrow")
    n, first = input.array.shape[d], start if type(start) is int else _whole(start)
    if not -n <= first <= n:
        raise IndexError(
            message(f"start out of range (expected to be in range of [-{n}, {n}], but got {first})")
        )
    first += n if first < 0 else 0
    if first + length > n:
        raise RuntimeError(
            message(f"start ({first}) + length ({length}) exceeds dimension size ({n}).")
        )
    return sliced(input, (*ALL * d, slice(first, first + length), Ellipsis))


def _whole(start: Any) -> int:
    """A start that is given as a 0-d integer tensor."""
    if hasattr(start, "node") and (start.array.ndim or start.array.dtype.kind not in "iu"):
        raise RuntimeError(
            message("start must be an 0-dim integral Tensor.", f"got {describe(start)}")
        )
    return int(start)


@public()
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """A view of the slice at ``index`` along ``dim``, without that dimension."""
    if not input.array.ndim:
        raise IndexError(message("select() cannot be applied to a 0-dim tensor."))
    place = (*ALL * dim_of(dim, input.array.ndim, "select"), index)
    if type(index) is int:
        return selected(input, (*place, Ellipsis))
    if not is_int(index):
        kind = type(index).__name__
        raise TypeError(message(f"select(): argument 'index' must be int, not {kind}"))
    return input[place]
