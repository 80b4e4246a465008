"""Ops that rearrange: views (no data moves) and copies (cat, stack, repeat...).

A view op's forward returns a numpy view; ``ops.link_view`` then makes view and base know each other, so that in-place writes
and version counters work. The derivative of a rearrangement is the inverse rearrangement, so most ops here are each
other's derivatives.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import ShapeError, describe, dim_error, message
from . import LETTERS, METHODS, OBJECT, Op, apply, constant, public


# ---- reading arguments ---------------------------------------------------------------------------------------------
def dim_of(dim: Any, ndim: int, op: str) -> int:
    """One dimension as a number in [0, ndim). Raises IndexError as PyTorch does."""
    if type(dim) is not int:
        if not isinstance(dim, (int, np.integer)) or isinstance(dim, bool):
            raise TypeError(message(f"{op}(): argument 'dim' must be int, not {type(dim).__name__}"))
        dim = int(dim)
    limit = ndim or 1
    if not -limit <= dim < limit:
        raise dim_error(dim, ndim, op)
    return dim % limit  # type: ignore[no-any-return]


def dims_of(dim: Any, ndim: int, op: str) -> tuple[int, ...]:
    """One dimension, several, or None for all, as a sorted-as-given tuple without repeats."""
    if dim is None:
        return tuple(range(ndim))
    if type(dim) is int and -ndim <= dim < ndim:  # the common case, at half of the time
        return (dim % ndim,)
    if not ndim:  # a 0-d tensor has, for this purpose, one dimension that nothing needs to be done about
        for d in dim if isinstance(dim, (tuple, list)) else (dim,):
            dim_of(d, 0, op)
        return ()
    out = tuple(dim_of(d, ndim, op) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    if len(set(out)) < len(out):
        raise RuntimeError(message(f"dim {out[-1]} appears multiple times in the list of dims", f"{op}(dim={dim})"))
    return out


def shape_of(shape: Any, op: str) -> tuple[int, ...]:
    """Sizes given as ``(2, 3)``, ``[2, 3]`` or ``2, 3``."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    try:
        return tuple([s if type(s) is int else s.__index__() for s in shape])
    except (AttributeError, TypeError):
        kinds = ", ".join(type(s).__name__ for s in shape)
        raise TypeError(message(f"{op}(): argument 'size' must be tuple of ints, but got ({kinds})")) from None


def rows(out: Any) -> Any:
    """``out`` in row-major order, the memory layout that PyTorch gives the results of all but elementwise ops.

    numpy follows its operands' layout instead, and a reshape would be a copy where PyTorch's is a view.
    """
    return out if out.ndim < 2 or out.flags.c_contiguous else out.copy()


def explain_reshape(op: Op, tensors: Sequence[Any], attrs: dict[str, Any], e: Exception) -> Exception:
    x, shape = tensors[0], tuple(attrs["shape"])
    return ShapeError(
        message(
            f"shape '{list(shape)}' is invalid for input of size {x.array.size}",
            f"{op.name}: {describe(x)} has {x.array.size} elements, {shape} "
            + ("must divide them" if -1 in shape else f"has {math.prod(shape)}"),
            fix="one size may be -1, which means: whatever is left",
        )
    )


# ---- views ---------------------------------------------------------------------------------------------------------
reshape_op = Op(
    "reshape",
    lambda F, x, shape: x.reshape(shape),
    vjps=(lambda F, g, out, x, shape: F.reshape(g, shape=x.shape),),
    rule=("g, in the input's shape",),
    view=True,
    torch_name="View",
    explain=explain_reshape,
)
transpose_op = Op(
    "transpose",
    lambda F, x, dim0, dim1: x.swapaxes(dim0, dim1),
    vjps=(lambda F, g, out, x, dim0, dim1: F.transpose(g, dim0=dim0, dim1=dim1),),
    rule=("gᵀ",),
    view=True,
)
t_op = Op("t", lambda F, x: x.T, vjps=(lambda F, g, out, x: F.t(g),), rule=("gᵀ",), view=True)
permute_op = Op(
    "permute",
    lambda F, x, dims: x.transpose(dims),
    vjps=(lambda F, g, out, x, dims: F.permute(g, dims=tuple(int(i) for i in np.argsort(dims))),),
    rule=("g, permuted back",),
    view=True,
)


def _expand(F: Any, x: Any, shape: tuple[int, ...]) -> Any:
    if x.ndim == 0 and x.dtype is not OBJECT:  # one element, shown everywhere by steps of 0; broadcast_to takes ten times as long
        view = np.ndarray(shape, x.dtype, x if type(x) is np.ndarray else np.asarray(x), 0, (0,) * len(shape))
        view.flags.writeable = False
        return view
    out = np.broadcast_to(x, shape)  # read-only
    if x.flags.writeable and out.size == x.size:  # nothing is repeated, so it can be written as any view
        out.flags.writeable = True
    return out


expand_op = Op(  # the derivative is g itself: the engine sums it down to the input's shape
    "expand", _expand, vjps=(lambda F, g, out, x, shape: g,), rule=("g, summed over the copies",), view=True
)
flip_op = Op("flip", lambda F, x, dims: np.flip(x, dims).copy("K"), vjps=(lambda F, g, out, x, dims: F.flip(g, dims=dims),),
             rule=("g, flipped back",))
roll_op = Op(
    "roll",
    lambda F, x, shifts, dims: rows(np.roll(x, shifts, dims)),
    vjps=(lambda F, g, out, x, shifts, dims: F.roll(g, shifts=tuple(-s for s in shifts), dims=dims),),
    rule=("g, rolled back",),
)


@public()
def reshape(input: Any, *shape: Any) -> Any:
    """The same elements in another shape; a view where the memory layout allows, else a copy. One size may be -1."""
    return apply(reshape_op, (input,), {"shape": shape_of(shape, "reshape")})


@public(function=False)
def view(input: Any, *shape: Any) -> Any:
    """As reshape, but always a view: raises RuntimeError where that is impossible. ``view(dtype)`` reinterprets bits."""
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        return constant(input.array.view(shape[0].numpy), input.node.dev)
    size = shape_of(shape, "view")
    out = apply(reshape_op, (input,), {"shape": size})
    if out.origin is None and out.array.size:
        raise RuntimeError(
            message(
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                "two contiguous subspaces). Use .reshape(...) instead.",
                f"view{size} of {describe(input)} with strides {input.stride()}",
                fix=".reshape(...) or .contiguous().view(...)",
            )
        )
    return out


@public(function=False)
def view_as(input: Any, other: Any) -> Any:
    """view(other.shape)."""
    return view(input, *other.array.shape)


@public(function=False)
def reshape_as(input: Any, other: Any) -> Any:
    """reshape(other.shape)."""
    return reshape(input, *other.array.shape)


@public()
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Dimensions start_dim..end_dim made into one."""
    shape = input.array.shape
    start, end = dim_of(start_dim, len(shape), "flatten"), dim_of(end_dim, len(shape), "flatten")
    if start > end:
        raise RuntimeError(message("flatten() has invalid args: start_dim cannot come after end_dim"))
    return reshape(input, *shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


@public()
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """Dimension ``dim`` split into ``sizes``."""
    shape = input.array.shape
    d = dim_of(dim, len(shape), "unflatten")
    sizes = tuple(sizes)
    if -1 not in sizes and math.prod(sizes) != shape[d]:
        raise RuntimeError(message(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} "
                                   f"({shape[d]}) in the input tensor"))
    if -1 in sizes:
        known = -math.prod(sizes)
        sizes = tuple(shape[d] // known if s == -1 else s for s in sizes)
    return reshape(input, *shape[:d], *sizes, *shape[d + 1 :])


@public()
def ravel(input: Any) -> Any:
    """All elements in one dimension."""
    return reshape(input, -1)


@public(aliases=("swapaxes", "swapdims"))
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """A view with two dimensions exchanged."""
    ndim = input.array.ndim
    return apply(transpose_op, (input,),
                 {"dim0": dim_of(dim0, ndim, "transpose"), "dim1": dim_of(dim1, ndim, "transpose")})


@public()
def t(input: Any) -> Any:
    """The transpose of a matrix (a view); tensors of fewer dimensions are returned as they are."""
    if input.array.ndim > 2:
        raise RuntimeError(message(f"t() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D",
                                   fix="x.mT or x.transpose(-2, -1)"))
    return apply(t_op, (input,))


@public()
def permute(input: Any, *dims: Any) -> Any:
    """A view with the dimensions in the given order."""
    order = shape_of(dims, "permute")
    ndim = input.array.ndim
    if len(order) != ndim:
        raise RuntimeError(message(f"permute(sparse_coo): number of dimensions in the tensor input does not match the length "
                                   f"of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal to "
                                   f"len(dims) = {len(order)}"))
    return apply(permute_op, (input,), {"dims": dims_of(order, ndim, "permute")})


@public(aliases=("moveaxis",))
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Dimensions moved to new places, the others keep their order."""
    return permute(input, *_moved(input.array.ndim, source, destination))


def _moved(ndim: int, source: Any, destination: Any) -> list[int]:
    s, d = dims_of(source, ndim, "movedim"), dims_of(destination, ndim, "movedim")
    order = [i for i in range(ndim) if i not in s]
    for to, what in sorted(zip(d, s, strict=True)):
        order.insert(to, what)
    return order


@public()
def squeeze(input: Any, dim: Any = None) -> Any:
    """A view without the dimensions of size 1 (all, or those named)."""
    shape = input.array.shape
    drop = dims_of(dim, len(shape), "squeeze")
    return reshape_named(input, tuple(s for i, s in enumerate(shape) if i not in drop or s != 1), "squeeze")


@public()
def unsqueeze(input: Any, dim: int) -> Any:
    """A view with a dimension of size 1 inserted at ``dim``."""
    shape = input.array.shape
    d = dim_of(dim, len(shape) + 1, "unsqueeze")
    return reshape_named(input, (*shape[:d], 1, *shape[d:]), "unsqueeze")


_RESHAPES = {
    name: Op(name, lambda F, x, shape: x.reshape(shape), vjps=reshape_op.vjps, rule=reshape_op.rule, view=True)
    for name in ("squeeze", "unsqueeze")
}


def reshape_named(input: Any, shape: tuple[int, ...], name: str) -> Any:
    return apply(_RESHAPES[name], (input,), {"shape": shape})


@public(function=False)
def expand(input: Any, *sizes: Any) -> Any:
    """A view in which dimensions of size 1 are repeated without copying; -1 keeps a size."""
    want, have = shape_of(sizes, "expand"), input.array.shape
    if len(want) < len(have):
        raise RuntimeError(message(f"expand({describe(input)}, size={list(want)}): the number of sizes provided "
                                   f"({len(want)}) must be greater or equal to the number of dimensions in the tensor "
                                   f"({len(have)})"))
    padded = (1,) * (len(want) - len(have)) + have
    shape = tuple(h if w == -1 else w for w, h in zip(want, padded, strict=True))
    for i, (s, h) in enumerate(zip(shape, padded, strict=True)):
        if h not in (1, s):
            raise ShapeError(message(f"The expanded size of the tensor ({s}) must match the existing size ({h}) at "
                                     f"non-singleton dimension {i}.  Target sizes: {list(want)}.  Tensor sizes: {list(have)}"))
    return apply(expand_op, (input,), {"shape": shape})


@public(function=False)
def expand_as(input: Any, other: Any) -> Any:
    """expand(other.shape)."""
    return expand(input, *other.array.shape)


@public()
def broadcast_to(input: Any, size: Sequence[int]) -> Any:
    """expand(size)."""
    return expand(input, *size)


@public(method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """All tensors expanded to their common shape."""
    shape = np.broadcast_shapes(*(x.array.shape for x in tensors))
    return tuple(expand(x, *shape) for x in tensors)


@public()
def flip(input: Any, *dims: Any) -> Any:
    """A copy with the order of elements reversed along ``dims``."""
    return apply(flip_op, (input,), {"dims": dims_of(shape_of(dims, "flip"), input.array.ndim, "flip")})


@public()
def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Elements shifted cyclically by ``shifts`` along ``dims`` (flattened if None)."""
    if dims is None:
        return reshape(roll(ravel(input), shifts, 0), *input.array.shape)
    shifts, dims = ((v if isinstance(v, (tuple, list)) else (v,)) for v in (shifts, dims))
    return apply(roll_op, (input,), {"shifts": tuple(shifts), "dims": dims_of(tuple(dims), input.array.ndim, "roll")})


# ---- joining and repeating -----------------------------------------------------------------------------------------
def _cat_vjp(i: int) -> Any:
    def vjp(F: Any, g: Any, out: Any, *xs: Any, dim: int) -> Any:
        start = sum(x.shape[dim] for x in xs[:i])
        return F.getitem(g, index=(slice(None),) * dim + (slice(start, start + xs[i].shape[dim]),))

    return vjp


def variadic(name: str, forward: Any, vjp: Any, rule: str, explain: Any = None, saves: bool = False) -> Op:
    """An op of any number of inputs: ``vjp(i)`` is the derivative for input i, which reads all inputs if ``saves``."""

    @cache
    def family(n: int) -> Op:
        vjps, reads = [vjp(i) for i in range(n)], [" ".join(LETTERS[:n])] * n if saves else ()
        return Op(name, forward, vjps, saves=reads, rule=(rule,) * n, explain=explain, register=False)

    return Op(name, forward, (vjp(0),), rule=(rule,), explain=explain, family=family)


def _explain_join(op: Op, tensors: Sequence[Any], attrs: dict[str, Any], e: Exception) -> Exception:
    return ShapeError(
        message(
            f"{op.name}: Sizes of tensors must match" + (" except in dimension " + str(attrs["dim"])) * (op.name == "cat"),
            "got " + ", ".join(describe(t) for t in tensors[:8]) + ", ..." * (len(tensors) > 8),
        )
    )


cat_op = variadic("cat", lambda F, *xs, dim: rows(np.concatenate(xs, dim)), _cat_vjp, "its slice of g", _explain_join)
stack_op = variadic(
    "stack",
    lambda F, *xs, dim: rows(np.stack(xs, dim)),
    lambda i: lambda F, g, out, *xs, dim: F.getitem(g, index=(slice(None),) * dim + (i,)),
    "its slice of g",
    _explain_join,
)


def _same_dtype(tensors: Sequence[Any], op: str) -> list[Any]:
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(message(f"{op}(): expected a non-empty list of Tensors"))
    for i, x in enumerate(tensors):
        if not hasattr(x, "node"):
            raise TypeError(message(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}"))
    target = dtypes.promote((x.array.dtype, 2 if x.array.ndim else 1) for x in tensors)
    return [x if x.array.dtype == target else x.to(dtypes.FROM_NUMPY[target]) for x in tensors]


@public(method=False, aliases=("concat", "concatenate"))
def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors joined along an existing dimension. 1-d empty tensors are skipped, as in PyTorch."""
    tensors = _same_dtype(tensors, "cat")
    if any(x.array.ndim == 0 for x in tensors):
        raise RuntimeError(message("zero-dimensional tensor (at position 0) cannot be concatenated", fix="torch.stack"))
    kept = [x for x in tensors if x.array.shape != (0,)] or tensors[:1]
    return apply(cat_op, kept, {"dim": dim_of(dim, kept[0].array.ndim, "cat")})


@public(method=False)
def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors of one shape joined along a new dimension."""
    tensors = _same_dtype(tensors, "stack")
    return apply(stack_op, tensors, {"dim": dim_of(dim, tensors[0].array.ndim + 1, "stack")})


@public(method=False)
def vstack(tensors: Sequence[Any]) -> Any:
    """Tensors stacked as rows."""
    return cat([x if x.array.ndim > 1 else reshape(x, 1, -1) for x in tensors], 0)


@public(method=False)
def hstack(tensors: Sequence[Any]) -> Any:
    """Tensors stacked side by side."""
    return cat(tensors, 0 if tensors[0].array.ndim == 1 else 1)


@public()
def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of consecutive pieces: of one size (the last may be smaller), or of the sizes listed."""
    d = dim_of(dim, tensor.array.ndim, "split")
    n = tensor.array.shape[d]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step <= 0:
            raise RuntimeError(message(f"split expects split_size be positive, but got split_size={step}"))
        sizes = [min(step, n - i) for i in range(0, n, step)] or [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != n:
            raise RuntimeError(message(f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at "
                                       f"dimension {d}), but got split_sizes={sizes}"))
    starts = np.cumsum([0, *sizes])
    return tuple(narrow(tensor, d, int(a), s) for a, s in zip(starts, sizes, strict=False))


@public()
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` views of equal size (the last may be smaller)."""
    if chunks <= 0:
        raise RuntimeError(message(f"chunk expects `chunks` to be greater than 0, got: {chunks}"))
    n = input.array.shape[dim_of(dim, input.array.ndim, "chunk")]
    return split(input, max(1, -(-n // chunks)), dim)


@public()
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """A view of ``length`` elements along ``dim`` from ``start``."""
    d = dim_of(dim, input.array.ndim, "narrow")
    n = input.array.shape[d]
    if not 0 <= start + (n if start < 0 else 0) <= n or length < 0 or start + length > n:
        raise RuntimeError(message(f"start ({start}) + length ({length}) exceeds dimension size ({n})."))
    return input[(slice(None),) * d + (slice(start, start + length),)]


@public()
def select(input: Any, dim: int, index: int) -> Any:
    """A view of the slice at ``index`` along ``dim``, without that dimension."""
    return input[(slice(None),) * dim_of(dim, input.array.ndim, "select") + (index,)]


@public()
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of all slices along ``dim``."""
    d = dim_of(dim, input.array.ndim, "unbind")
    return tuple(select(input, d, i) for i in range(input.array.shape[d]))


@public(function=False)
def repeat(input: Any, *sizes: Any) -> Any:
    """The tensor tiled ``sizes`` times along each dimension (a copy)."""
    times = shape_of(sizes, "repeat")
    if len(times) < input.array.ndim:
        raise RuntimeError(message("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"))
    shape = (1,) * (len(times) - input.array.ndim) + input.array.shape
    paired = [s for pair in zip(times, shape, strict=True) for s in pair]
    x = reshape(input, *(s for n in shape for s in (1, n)))
    return reshape(expand(x, *paired), *(a * b for a, b in zip(times, shape, strict=True)))


@public(method=False)
def tile(input: Any, dims: Sequence[int]) -> Any:
    """numpy's tile: as repeat, with missing dims taken as 1."""
    return repeat(input, *((1,) * (input.array.ndim - len(dims)) + tuple(dims)))


METHODS["tile"] = lambda self, *dims: tile(self, shape_of(dims, "tile"))


@public()
def repeat_interleave(input: Any, repeats: Any, dim: int | None = None) -> Any:
    """Each element repeated ``repeats`` times (a number or one per element) along ``dim`` (flattened if None)."""
    if dim is None:
        input, dim = ravel(input), 0
    d = dim_of(dim, input.array.ndim, "repeat_interleave")
    n = input.array.shape[d]
    index = np.repeat(np.arange(n), repeats.array if hasattr(repeats, "array") else repeats)
    return input.index_select(d, constant(index))


@public(method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Coordinate grids of 1-d tensors; ``indexing`` "ij" or "xy"."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise RuntimeError(message(f"torch.meshgrid: indexing must be one of 'xy' or 'ij', but received: {indexing}"))
    order = list(tensors)
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = order[1], order[0]
    shape = tuple(x.array.size for x in order)
    grids = [expand(reshape(x, *((-1,) + (1,) * (len(shape) - 1 - i))), *shape) for i, x in enumerate(order)]
    if indexing == "xy" and len(grids) > 1:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _triangle(name: str, keep: Any) -> None:
    op = Op(
        name,
        lambda F, x, diagonal: rows(np.where(F.array(keep(x.shape, diagonal)), x, x.dtype.type(0))),
        vjps=(lambda F, g, out, x, diagonal: getattr(F, name)(g, diagonal=diagonal),),
        rule=(f"{name}(g)",),
    )

    def triangle(input: Any, diagonal: int = 0) -> Any:
        """The lower (tril) or upper (triu) triangle of the last two dimensions; elsewhere 0."""
        if input.array.ndim < 2:
            raise RuntimeError(message(f"{name}: input tensor must have at least 2 dimensions"))
        return apply(op, (input,), {"diagonal": diagonal})

    triangle.__name__ = name
    public()(triangle)


_triangle("tril", lambda shape, k: np.tri(*shape[-2:], k=k, dtype=bool))
_triangle("triu", lambda shape, k: ~np.tri(*shape[-2:], k=k - 1, dtype=bool))

def _diagonal(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    view = np.diagonal(x, offset, dim1, dim2)
    if type(view) is np.ndarray:
        view.flags.writeable = x.flags.writeable  # numpy hands it out read-only; PyTorch's diagonal can be written
    return view


diagonal_op = Op(
    "diagonal",
    lambda F, x, offset, dim1, dim2: _diagonal(x, offset, dim1, dim2),
    vjps=(lambda F, g, out, x, offset, dim1, dim2: F.diagonal_scatter(g, shape=x.shape, offset=offset, dim1=dim1, dim2=dim2),),
    rule=("g on the diagonal, 0 elsewhere",),
    view=True,
)


def _diagonal_scatter(F: Any, g: Any, shape: Any, offset: int, dim1: int, dim2: int) -> Any:
    out = F.zeros(shape, g.dtype)
    _diagonal(out, offset, dim1, dim2)[...] = g
    return out


diagonal_scatter_op = Op(
    "diagonal_scatter",
    _diagonal_scatter,
    vjps=(lambda F, g, out, x, shape, offset, dim1, dim2: F.diagonal(g, offset=offset, dim1=dim1, dim2=dim2),),
    rule=("the diagonal of g",),
)


@public()
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A view of the diagonal of two dimensions, put last."""
    n = input.array.ndim
    first, second = dim_of(dim1, n, "diagonal"), dim_of(dim2, n, "diagonal")
    return apply(diagonal_op, (input,), {"offset": offset, "dim1": first, "dim2": second})


@public()
def diag(input: Any, diagonal: int = 0) -> Any:
    """The diagonal of a matrix, or a matrix with the vector on its diagonal."""
    if input.array.ndim == 2:
        return METHODS["diagonal"](input, diagonal).clone()
    if input.array.ndim != 1:
        raise RuntimeError(message(f"diag(): Supports 1D or 2D tensors. Got {input.array.ndim}D"))
    n = input.array.size + abs(diagonal)
    return apply(diagonal_scatter_op, (input,), {"shape": (n, n), "offset": diagonal, "dim1": 0, "dim2": 1})


@public()
def trace(input: Any) -> Any:
    """The sum of a matrix's diagonal."""
    if input.array.ndim != 2:
        raise RuntimeError(message("trace: expected a matrix, but got tensor with dim " + str(input.array.ndim)))
    return METHODS["diagonal"](input).sum()
