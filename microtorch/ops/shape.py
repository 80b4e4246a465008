"""Ops that rearrange: views (no data moves) and copies (cat, stack, repeat...).

The forward function of a view op returns a numpy view. ``engine.views.link_view`` then makes view
and base know each other, so that in-place writes and version counters work. The derivative of a
rearrangement is the inverse rearrangement: most ops here are each other's derivatives.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy import ndarray

from ..arrays import dtypes
from ..arrays.dtypes import OBJECT, TORCH_TYPES
from ..arrays.memory_order import laid_out, lying, start, strides
from ..base.errors import ShapeError, broadcast_error, describe, message
from ..base.naming import named
from ..engine.basic_ops import clone
from ..engine.handle import Handle
from ..engine.hot import single, viewing
from ..engine.op import Op
from ..engine.record import constant
from ..engine.whole import known
from ..graph import storage_of
from .arguments import LARGE, copied, dim_of, dims_of, owned, rows, shape_of
from .index import selected, sliced
from .surface import METHODS, public

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


def _reshape_op(name: str, **options: Any) -> Op:
    return Op(
        name,
        lambda F, x, shape: (
            _in_shape(x, shape)
            if type(x) is np.ndarray and x.nbytes >= LARGE and not x.flags.c_contiguous
            else x.reshape(shape)
        ),
        vjps=(lambda F, g, out, x, shape: F.reshape(g, shape=x.shape),),
        rule=("g, in the input's shape",),
        view=True,
        **options,
    )


reshape_op = _reshape_op("reshape", torch_name="View", explain=explain_reshape)
squeeze_op = _reshape_op("squeeze")
unsqueeze_op = _reshape_op("unsqueeze")


transpose_op = Op(
    "transpose",
    lambda F, x, dim0, dim1: x.swapaxes(dim0, dim1),
    vjps=(lambda F, g, out, x, dim0, dim1: F.transpose(g, dim0=dim0, dim1=dim1),),
    rule=("gᵀ",),
    view=True,
)


t_op = Op("t", lambda F, x: x.T, vjps=(lambda F, g, out, x: F.t(g),), rule=("gᵀ",), view=True)
matrix_T_op = t_op.shown_as("PermuteBackward0")  # x.T
squeeze_dim_op = squeeze_op.shown_as("SqueezeBackward1")


permute_op = Op(
    "permute",
    lambda F, x, dims: x.transpose(dims),
    vjps=(lambda F, g, out, x, dims: F.permute(g, dims=tuple(int(i) for i in np.argsort(dims))),),
    rule=("g, permuted back",),
    view=True,
)


@lru_cache(1024)
def _steps(have: Shape, strides: Shape, shape: Shape) -> Shape:
    """The strides of an expanded array: 0 where elements are shown several times."""
    new = len(shape) - len(have)
    own = zip(have, strides, shape[new:], strict=True)
    return (0,) * new + tuple([0 if n == 1 != m else s for n, s, m in own])


def _expand(F: Namespace, x: Array, shape: Shape) -> Array:
    if type(x) is not ndarray and x.ndim == 0:
        x = np.asarray(x)
    if type(x) is ndarray and (x.flags.carray or not x.ndim) and (d := x.dtype) is not OBJECT:
        # broadcast_to takes ten times as long
        view = ndarray(shape, d, x, 0, _steps(x.shape, x.strides, shape))
        if view.size != x.size:
            view.setflags(False)  # not to be written
        return view
    out = np.broadcast_to(x, shape)  # read-only
    if type(x) is ndarray and 1 in x.shape and type(own := x.base) is ndarray and own.flags.carray:
        # once more: numpy forgets the strides of dimensions of one
        place = start(x) - start(own)
        out = ndarray(shape, x.dtype, own, place, _steps(x.shape, x.strides, shape))
        out.setflags(False)
    # nothing is repeated, so it can be written as any view
    if x.flags.writeable and out.size == x.size:
        out.flags.writeable = True
    return out


expand_op = Op(  # the derivative is g itself: the engine sums it down to the input's shape
    "expand",
    _expand,
    vjps=(lambda F, g, out, x, shape: g,),
    rule=("g, summed over the copies",),
    view=True,
)


_reshaped, _expanded = viewing(reshape_op, "shape"), viewing(expand_op, "shape")
_squeezed, _unsqueezed = viewing(squeeze_op, "shape"), viewing(unsqueeze_op, "shape")
_squeezed_at, _permuted = viewing(squeeze_dim_op, "shape"), viewing(permute_op, "dims")
_transposed, _t, matrix_T = viewing(transpose_op), viewing(t_op), viewing(matrix_T_op)


def _flip(F: Namespace, x: Array, dims: Shape) -> Array:
    if type(x) is not ndarray:  # of another memory, or kind
        return laid_out(np.flip(x, dims), x.dtype)
    out: Array = np.flip(x, dims)
    return np.array(out, order="C") if x.flags.c_contiguous else lying(out, strides(x))


flip_op = Op(
    "flip",
    _flip,
    vjps=(lambda F, g, out, x, dims: F.flip(g, dims=dims),),
    rule=("g, flipped back",),
)


def _roll(F: Namespace, x: Array, shifts: Shape, dims: Shape) -> Array:
    if len(dims) > 1 or type(x) is not ndarray:
        return rows(np.roll(x, shifts, dims))
    out, lead, n = np.empty(x.shape, x.dtype), ALL * dims[0], x.shape[dims[0]]
    by = shifts[0] % n if n else 0
    for to, source in (((by, None), (None, n - by)), ((None, by), (n - by, None))):
        place, at = (*lead, slice(*to)), (*lead, slice(*source))
        out[place] = x[at]
    return out


roll_op = Op(
    "roll",
    _roll,
    vjps=(
        lambda F, g, out, x, shifts, dims: F.roll(g, shifts=tuple(-s for s in shifts), dims=dims),
    ),
    rule=("g, rolled back",),
)


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
    if min(sizes, default=0) < -1:
        raise RuntimeError(message(f"invalid shape dimension {min(sizes)}", f"shape {list(sizes)}"))
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
    shape = input.array.shape
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


@public(aliases=("swapdims",))
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged."""
    ndim = input.array.ndim
    d0, d1 = dim_of(dim0, ndim, "transpose"), dim_of(dim1, ndim, "transpose")
    if not ndim:
        return reshape(input)
    return _transposed(input, {"dim0": d0, "dim1": d1})


@public()
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose(axis0, axis1)."""
    return transpose(input, axis0, axis1)


def matrices_transposed(input: Tensor, name: str) -> Tensor:
    """The last two dimensions exchanged."""
    if not input.array.ndim:
        return reshape(input)
    if input.array.ndim < 2:
        raise RuntimeError(
            message(
                f"tensor.{name} is only supported on matrices or batches of matrices. "
                f"Got {input.array.ndim}-D tensor."
            )
        )
    return transpose(input, -2, -1)


@public()
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix (a view); tensors of fewer dimensions are returned as they are."""
    if input.array.ndim > 2:
        raise RuntimeError(
            message(
                f"t() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D",
                fix="x.mT or x.transpose(-2, -1)",
            )
        )
    return _t(input, {})


@public()
def permute(input: Tensor, *order: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    """A view with the dimensions in the given order."""
    if order and dims is not None:
        raise TypeError(message("permute() got multiple values for argument 'dims'"))
    order = shape_of(order if dims is None else (dims,), "permute")
    ndim = input.array.ndim
    if len(order) != ndim:
        raise RuntimeError(
            message(
                "permute(sparse_coo): number of dimensions in the tensor input does not match the "
                f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not "
                f"equal to len(dims) = {len(order)}"
            )
        )
    return _permuted(input, _all_of(order) or dims_of(order, ndim, "permute"))


@lru_cache(1024)
def _all_of(order: Shape) -> Shape | None:
    """All dimensions in some order, counted from the front; None if it is not that."""
    n = len(order)
    dims = tuple([d + n if d < 0 else d for d in order])
    return dims if {*dims} == {*range(n)} else None


@public(aliases=("moveaxis",))
def movedim(input: Tensor, source: Dims, destination: Dims) -> Tensor:
    """Dimensions moved to new places; the others keep their order."""
    return permute(input, *_moved(input.array.ndim, source, destination))


def _moved(ndim: int, source: Dims, destination: Dims) -> list[int]:
    given = [tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise RuntimeError(
            message(
                f"movedim: Invalid source or destination dims: source ({list(given[0])} dims) "
                f"should contain the same number of dims as destination ({list(given[1])} dims)"
            )
        )
    s, d = [dims_of(dims, ndim, "movedim") for dims in given]
    order = [i for i in range(ndim) if i not in s]
    for to, what in sorted(zip(d, s, strict=True)):
        order.insert(to, what)
    return order


@public()
def squeeze(input: Tensor, dim: Dims = None) -> Tensor:
    """A view without the dimensions of size 1 (all, or those named)."""
    shape = input.array.shape
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
                    f"sizes: {list(have)}"
                )
            )
    return ()


@public(function=False)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """expand(other.shape)."""
    return expand(input, *other.array.shape)


@public()
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """expand(size)."""
    return expand(input, *size)


@public(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
    try:
        shape = np.broadcast_shapes(*(x.array.shape for x in tensors))
    except ValueError:
        raise broadcast_error("broadcast_tensors", list(tensors)) from None
    return tuple(x if x.array.shape == shape else expand(x, *shape) for x in tensors)


@public()
def flip(input: Tensor, *over: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    """A copy with the order of elements reversed along ``dims``."""
    if not over and dims is None:
        raise TypeError(message("flip() missing 1 required positional arguments: \"dims\""))
    order = dims_of(shape_of(over if dims is None else (dims,), "flip"), input.array.ndim, "flip")
    return single(flip_op, input, {"dims": order})


@public()
def roll(input: Tensor, shifts: int | Sequence[int], dims: Dims = None) -> Tensor:
    """Elements shifted cyclically by ``shifts`` along ``dims`` (flattened if None)."""
    by, over = [
        tuple(v) if isinstance(v, (tuple, list)) else (v,)
        for v in (shifts, () if dims is None else dims)
    ]
    if not by:
        raise RuntimeError(message("`shifts` required", "roll(shifts=())"))
    if not over and len(by) == 1 == input.array.ndim:
        over = (0,)
    if not over and len(by) == 1:
        return owned(reshape(roll(ravel(input), by, (0,)), *input.array.shape))
    if len(by) != len(over):
        raise RuntimeError(
            message(f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(over)}")
        )
    if not input.array.ndim:
        raise IndexError(message(f"Dimension specified as {over[0]} but tensor has no dimensions"))
    over = tuple(dim_of(d, input.array.ndim, "roll") for d in over)
    return single(roll_op, input, {"shifts": by, "dims": over})


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
    return selected(input, (*place, Ellipsis)) if type(index) is int else input[place]


@public(function=False)
def repeat(
    input: Tensor, *sizes: Sizes, repeats: Sequence[int] | None = None
) -> Tensor:
    """The tensor tiled ``sizes`` times along each dimension (a copy)."""
    times = shape_of(sizes if repeats is None else (repeats,), "repeat")
    if len(times) < input.array.ndim:
        raise RuntimeError(
            message(
                "Number of dimensions of repeat dims can not be smaller than number of dimensions "
                "of tensor"
            )
        )
    if any(n < 0 for n in times):
        raise RuntimeError(
            message(f"Trying to create tensor with negative dimension: repeat{times}")
        )
    shape = (1,) * (len(times) - input.array.ndim) + input.array.shape
    paired = [s for pair in zip(times, shape, strict=True) for s in pair]
    x = reshape(input, *(s for n in shape for s in (1, n)))
    out = reshape(expand(x, *paired), *(a * b for a, b in zip(times, shape, strict=True)))
    # repeated once in each dimension, it is a view until here
    return out if out.origin is None else single(clone, out, {"order": "C"})


@public(method=False)
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """numpy's tile: as repeat, with missing dims taken as 1."""
    times = shape_of((dims,), "tile")
    return repeat(input, *((1,) * (input.array.ndim - len(times)) + times))


def _tile(self: Tensor, *sizes: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    return tile(self, shape_of(sizes if dims is None else (dims,), "tile"))


METHODS["tile"] = named(_tile, "tile", tile.__doc__ or "")


@public()
def repeat_interleave(
    input: Tensor | None = None,
    repeats: Tensor | int | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element repeated ``repeats`` times along ``dim`` (of the flattened tensor if None).

    ``repeats`` is a number, or a tensor with one per element. Alone, it is the one tensor given,
    and the result says which element each repetition belongs to.
    """
    if input is None and isinstance(repeats, Handle):
        input, repeats = repeats, None
    if input is None:
        raise TypeError(message("repeat_interleave() received an invalid combination of arguments"))
    if repeats is None:
        times = _repeats(input)
        index = constant(input.node.dev.array(np.repeat(np.arange(times.size), times)))
    else:
        if dim is None:
            input, dim = input if input.array.ndim == 1 else ravel(input), 0
        d = dim_of(dim, input.array.ndim, "repeat_interleave")
        n = input.array.shape[d] if input.array.ndim else 1
        plain = type(repeats) is int and repeats >= 0 and output_size is None
        times = _NONE if plain else _repeats(repeats)
        if isinstance(repeats, int) and output_size in (None, n * repeats):
            column = (ravel(input) if not input.array.ndim else input).unsqueeze(d + 1)
            shape = [-1] * column.array.ndim
            shape[d + 1] = repeats
            copies = single(clone, column.expand(shape), {"order": "C"})
            return copies.flatten(d, d + 1)  # a view, as in PyTorch
        if times.size not in (1, n):
            raise RuntimeError(
                message(
                    "repeats must have the same size as input along dim, but got "
                    f"repeats.size(0) = {times.size} and input.size({d}) = {n}"
                )
            )
        index = constant(np.repeat(np.arange(n), times), input.node.dev)
    if output_size is not None and output_size != index.array.size:
        raise RuntimeError(
            message(
                "allocated size does not match required size",
                f"output_size={output_size}, but the repeats add up to {index.array.size}",
            )
        )
    return index if repeats is None else input.index_select(d, index)


_NONE = np.empty(0, np.int64)


def _repeats(given: Any) -> Array:
    """How often each element is repeated, as an array of one dimension."""
    times: Array = known(given) if hasattr(given, "node") else np.asarray(given)
    if not isinstance(given, int) and not hasattr(given, "node"):
        raise TypeError(
            message(
                "repeat_interleave(): argument 'repeats' must be Tensor or int, not "
                + type(given).__name__
            )
        )
    if times.ndim > 1:
        raise RuntimeError(message("repeats must be 0-dim or 1-dim tensor", describe(given)))
    if times.dtype.kind not in "iu":
        kind = TORCH_TYPES[times.dtype.name]
        raise NotImplementedError(
            message(f"\"repeat_interleave_cpu\" not implemented for '{kind}'", fix="repeats.long()")
        )
    if times.size and times.min() < 0:
        raise RuntimeError(message("repeats can not be negative", f"smallest: {times.min()}"))
    return times.reshape(-1)
