"""Joining tensors and taking them apart: cat, stack, split, chunk, unbind."""
from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy import ndarray

from ..arrays import dtypes
from ..backends.reference import Reference
from ..base.errors import ShapeError, describe, message, warn
from ..base.naming import named
from ..engine.handle import Handle, NotDense
from ..engine.op import Op
from ..engine.short import joined, several, single
from ..engine.unfollowed import marked_views
from .arguments import LARGE, MANY, dim_of, rows, variadic
from .index import select_op, slice_op
from .shape import expand, reshape
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Gradient, Kernel, Namespace, Operand, Shape, Vjp
    from ..graph import Node
    from ..handles.tensor import Tensor


# ---- joining -------------------------------------------------------------------------------------
def _cat_vjp(i: int) -> Vjp:
    def vjp(F: Namespace, g: Gradient, out: Operand, *xs: Operand, dim: int) -> Gradient:
        start = sum(x.shape[dim] for x in xs[:i])
        return F.getitem(g, index=(slice(None),) * dim + (slice(start, start + xs[i].shape[dim]),))

    return vjp


def _slices(F: Namespace, g: Gradient, inputs: Sequence[Node], indices: Iterable[Any]) -> list[Any]:
    """``g`` at one index for each input that asks for it. A leaf keeps what it is given."""
    parts: list[Any] = []
    plain, raw = type(g) is np.ndarray, not hasattr(g, "node")
    for x, index in zip(inputs, indices, strict=True):
        part = None
        if x.needs:
            part = g[index] if plain else F.getitem(g, index=index)
            if raw and x.op is None:
                part = F.clone(part)
        parts.append(part)
    return parts


def _cat_joint(F: Namespace, g: Gradient, node: Node) -> list[Any]:
    dim = (node.attrs or {})["dim"]
    ends = list(itertools.accumulate(x.shape[dim] for x in node.inputs))
    places = map(slice, [0, *ends], ends)
    lead = (slice(None),) * dim
    return _slices(F, g, node.inputs, [(*lead, place) for place in places])


def _stack_joint(F: Namespace, g: Gradient, node: Node) -> list[Any]:
    dim = (node.attrs or {})["dim"]
    indices = [(*(slice(None),) * dim, i, ...) for i in range(len(node.inputs))]
    return _slices(F, g, node.inputs, indices)


FEW = 64  # arrays; of more each is small, and numpy's loop over them is shorter
# without numpy's dispatch to other kinds of arrays, a third of the time of two small ones
_of_arrays: Kernel = getattr(np.concatenate, "_implementation", np.concatenate)


def _concatenated(xs: Sequence[Array], dim: int) -> Array:
    first = xs[0]
    if type(first) is ndarray and first.nbytes >= LARGE and len(xs) <= FEW:
        return _filled(xs, dim)
    two = len(xs) == 2 and type(first) is ndarray is type(xs[1])
    out = (_of_arrays if two else np.concatenate)(xs, dim)
    return out if out.flags.c_contiguous else rows(out)


def _filled(xs: Sequence[Array], dim: int) -> Array:
    """Arrays side by side, each copied by several threads."""
    shape, d = list(xs[0].shape), dim % xs[0].ndim
    for x in xs[1:]:
        if (*x.shape[:d], *x.shape[d + 1 :]) != (*shape[:d], *shape[d + 1 :]):
            raise ValueError("all input arrays must have the same shape but along one dimension")
    shape[d] = sum([x.shape[d] for x in xs])
    out, end = np.empty(shape, np.result_type(*xs)), 0
    for x in xs:
        begin, end = end, end + x.shape[d]
        Reference.fill(out[(slice(None),) * d + (slice(begin, end),)], x)
    return out


def _stack(F: Namespace, *xs: Array, dim: int) -> Array:
    first = xs[0]
    if type(first) is not ndarray or not first.ndim:
        return rows(np.stack(xs, dim))
    shape = first.shape  # np.stack reshapes each of them
    for x in xs:
        if x.shape != shape:
            raise ValueError("all input arrays must have the same shape")
    if dim == 0:
        return _concatenated(xs, 0).reshape((len(xs), *shape))
    out = np.empty((*shape[:dim], len(xs), *shape[dim:]), first.dtype)
    lead = (slice(None),) * dim
    for i, x in enumerate(xs):
        place: Any = (*lead, i)
        if x.nbytes < LARGE:
            out[place] = x
        else:
            Reference.fill(out[place], x)
    return out


def _explain_join(op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception) -> Exception:
    first, fix = tensors[0].shape, ""
    i, other = next((i, t.shape) for i, t in enumerate(tensors) if t.shape != first)
    if op.name == "stack":
        what = "stack expects each tensor to be equal size, but got "
        what += f"{list(first)} at entry 0 and {list(other)} at entry {i}"
        fix = "cat joins along the dimension in which they differ; pad_sequence makes them equal"
    elif len(first) != len(other):
        what = "Tensors must have same number of dimensions: "
        what += f"got {len(first)} and {len(other)}"
        fix = "x.unsqueeze(0) gives a tensor the dimension that it lacks"
    else:
        i, d = next(
            (i, d)
            for i, t in enumerate(tensors)
            for d in range(len(first))
            if d != attrs["dim"] and t.shape[d] != first[d]
        )
        what = f"Sizes of tensors must match except in dimension {attrs['dim']}. Expected size "
        what += f"{first[d]} but got size {tensors[i].shape[d]} for tensor number {i} in the list."
        unlike = {d for x in tensors for d, n in enumerate(x.shape) if n != first[d]}
        fix = f"they differ in dimension {d} only: dim={d}" if unlike == {d} else ""
    return ShapeError(
        message(
            what,
            "got " + ", ".join(describe(t) for t in tensors[:8]) + ", ..." * (len(tensors) > 8),
            fix=fix,
        )
    )


cat_op = variadic(
    "cat",
    lambda F, *xs, dim: _concatenated(xs, dim),
    _cat_vjp,
    "its slice of g",
    _explain_join,
    joint=_cat_joint,
)


stack_op = variadic(
    "stack",
    _stack,
    lambda i: lambda F, g, out, *xs, dim: F.getitem(g, index=(slice(None),) * dim + (i,)),
    "its slice of g",
    _explain_join,
    joint=_stack_joint,
)


def _places(shapes: Iterable[Shape]) -> list[tuple[slice, slice]]:
    """Where matrices of these shapes lie along a diagonal: below and to the right of one another.
    """
    ends = [(0, 0)]
    for height, width in shapes:
        ends.append((ends[-1][0] + height, ends[-1][1] + width))
    return [(slice(a, b), slice(c, d)) for (a, c), (b, d) in itertools.pairwise(ends)]


def _block_diag(F: Namespace, *xs: Array) -> Array:
    places = _places(x.shape for x in xs)
    shape = places[-1][0].stop, places[-1][1].stop
    if any(type(x) is not np.ndarray for x in xs):  # on a device
        return functools.reduce(F.add, [
            F.place(x, index=place, shape=shape, unique=True)
            for x, place in zip(xs, places, strict=True)
        ])  # fmt: skip
    out = np.empty(shape, xs[0].dtype)  # each element is written once
    for x, (own, columns) in zip(xs, places, strict=True):
        out[own, : columns.start] = 0
        out[own, columns] = x
        out[own, columns.stop :] = 0
    return out


def _block_of(i: int) -> Vjp:
    def vjp(F: Namespace, g: Gradient, out: Operand, *xs: Operand) -> Gradient:
        return F.getitem(g, index=_places(x.shape for x in xs[: i + 1])[i])

    return vjp


block_diag_op = variadic(
    "block_diag",
    _block_diag,
    _block_of,
    "its block of g",
    joint=lambda F, g, node: _slices(F, g, node.inputs, _places(x.shape for x in node.inputs)),
)


def require_tensors(tensors: Sequence[Tensor], op: str, empty: type = RuntimeError) -> list[Tensor]:
    """The tensors as a list. Raises TypeError for what is none, ``empty`` if there are none."""
    if type(tensors) is not list and isinstance(tensors, Handle):
        raise TypeError(
            message(
                f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor",
                fix=f"put them in a list: {op}([a, b])",
            )
        )
    tensors = list(tensors)
    if not tensors:
        raise empty(message(f"{op}(): expected a non-empty list of Tensors"))
    for i, x in enumerate(tensors):
        if not (hasattr(x, "node") or isinstance(x, Handle)):  # a sparse tensor has none
            raise TypeError(
                message(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
            )
    return tensors


def same_dtype(tensors: Sequence[Tensor], op: str, empty: type = RuntimeError) -> list[Tensor]:
    """The tensors, promoted to one dtype."""
    tensors = require_tensors(tensors, op, empty)
    if len({x.array.dtype for x in tensors}) == 1:
        return tensors
    target = dtypes.promote((x.array.dtype, 2 if x.array.ndim else 1) for x in tensors)
    return [x if x.array.dtype == target else x.to(dtypes.FROM_NUMPY[target]) for x in tensors]


@public(method=False, aliases=("concat", "concatenate"))
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an existing dimension. 1-d empty tensors are skipped, as in PyTorch."""
    if (out := joined(cat_op, tensors, dim, 0)) is not None:
        return out
    try:
        tensors = same_dtype(tensors, "cat", ValueError)
    except NotDense as met:
        return cast("Tensor", met.tensor.joined(tensors, dim, "cat"))
    if any(x.array.ndim == 0 for x in tensors):
        raise RuntimeError(
            message(
                "zero-dimensional tensor (at position 0) cannot be concatenated", fix="torch.stack"
            )
        )
    kept = [x for x in tensors if x.array.shape != (0,)] or tensors[:1]
    if kept[0].array.shape == (0,):  # of those skipped PyTorch does not look at the dimension
        dim = 0
    d = dim_of(dim, kept[0].array.ndim, "cat")
    if len(kept) < len(tensors):
        shape = list(kept[0].array.shape)
        shape[d] = 0
        for x in tensors:  # those skipped get a gradient, which is empty as well
            if x.node.needs and x.array.shape == (0,) and x is not kept[0]:
                kept.append(reshape(x, shape))
    return several(cat_op, kept, {"dim": d})


@public(method=False)
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension."""
    if (out := joined(stack_op, tensors, dim, 1)) is not None:
        return out
    try:
        tensors = same_dtype(tensors, "stack")
    except NotDense as met:
        return cast("Tensor", met.tensor.joined(tensors, dim, "stack"))
    return several(stack_op, tensors, {"dim": dim_of(dim, tensors[0].array.ndim + 1, "stack")})


# ---- taking apart --------------------------------------------------------------------------------
@public()
def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of consecutive pieces: of one size (the last may be smaller), or of listed sizes."""
    if not tensor.array.ndim:
        raise RuntimeError(message("split expects at least a 1-dimensional tensor"))
    d = dim_of(dim, tensor.array.ndim, "split")
    n = tensor.array.shape[d]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step < 0 or (step == 0 and n):
            raise RuntimeError(
                message(
                    f"split expects split_size be non-negative, but got split_size={step}"
                    if step
                    else "split_size can only be 0 if dimension size is 0, but got dimension size "
                    f"of {n}"
                )
            )
        sizes = _equal(n, step)
    else:
        sizes = list(split_size_or_sections)
        if any(s < 0 for s in sizes):
            raise RuntimeError(
                message(
                    "split_with_sizes expects split_sizes have only non-negative entries, but got "
                    f"split_sizes={sizes}"
                )
            )
        if sum(sizes) != n:
            raise RuntimeError(
                message(
                    f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's "
                    f"size at dimension {d}), but got split_sizes={sizes}"
                )
            )
    name = "Split" if isinstance(split_size_or_sections, int) else "SplitWithSizes"
    return pieces(tensor, sizes, d, name)


def _equal(n: int, step: int) -> list[int]:
    """``n`` in parts of ``step``, of which the last may be smaller; at least one."""
    full = n // step if step else 0
    return [step] * full + [n - full * step] * (full * step < n or not full)


def pieces(
    input: Tensor, sizes: Sequence[int], dim: int, function: str = ""
) -> tuple[Tensor, ...]:
    """Views of consecutive pieces of the listed sizes, as ``function`` returns them."""
    ends = list(itertools.accumulate(sizes))
    return _views(input, slice_op, dim, [*map(slice, [0, *ends], ends)], function)


def _views(
    input: Tensor, op: Op, dim: int, places: Sequence[Any], function: str
) -> tuple[Tensor, ...]:
    """Views at consecutive places along ``dim``, numbers or slices, as ``function`` returns them.

    The gradient of a view is laid into zeros of what the view was taken from. For many views of one
    tensor these would be as many arrays of its size, so many are taken from groups.
    """
    n = len(places)
    if n <= MANY or not input.node.needs:
        return tuple(marked_views(op, input, dim, places, function, 0))
    size, views = math.isqrt(n), list[Any]()
    for first in range(0, n, size):
        part = places[first : first + size]
        begin, end = part[0], part[-1]
        if op is slice_op:
            begin, end = begin.start, end.stop
            part = [slice(p.start - begin, p.stop - begin) for p in part]
        else:
            end += 1
            part = range(len(part))
        whole = (*(slice(None),) * dim, slice(begin, end), Ellipsis)
        group = single(slice_op, input, {"index": whole})
        views += marked_views(op, group, dim, part, function, first)
    return tuple(views)


def _split(
    input: Tensor, split_size: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    # the method has another name for its argument
    pieces: tuple[Tensor, ...] = FUNCTIONS["split"](input, split_size, dim)
    return pieces


METHODS["split"] = named(_split, "split", split.__doc__ or "")


@public()
def split_with_sizes(
    input: Tensor, split_sizes: Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of consecutive pieces of the listed sizes."""
    return split(input, list(split_sizes), dim)


@public()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` views of equal size (the last may be smaller)."""
    if not input.array.ndim:
        raise RuntimeError(message("chunk expects at least a 1-dimensional tensor"))
    if chunks <= 0:
        raise RuntimeError(message(f"chunk expects `chunks` to be greater than 0, got: {chunks}"))
    d = dim_of(dim, input.array.ndim, "chunk")
    n = input.array.shape[d]
    if not n:
        return split(input, [0] * chunks, dim)
    return pieces(input, _equal(n, -(-n // chunks)), d, "Split")


# PyTorch's unsafe ones are views that its in-place checks do not see; ours are always seen
for _name in ("split", "split_with_sizes", "chunk"):
    FUNCTIONS[f"unsafe_{_name}"] = METHODS[f"unsafe_{_name}"] = FUNCTIONS[_name]


@public()
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of all slices along ``dim``."""
    if not input.array.ndim:
        raise IndexError(message(f"Dimension specified as {dim} but tensor has no dimensions"))
    d = dim_of(dim, input.array.ndim, "unbind")
    return _views(input, select_op, d, range(input.array.shape[d]), "Unbind")


@public(method=False)
def meshgrid(*tensors: Tensor, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinate grids of 1-d tensors; ``indexing`` "ij" or "xy"."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    require_tensors(tensors, "meshgrid")
    for x in tensors:
        if x.array.ndim > 1:
            raise RuntimeError(
                message(
                    "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got "
                    + describe(x)
                )
            )
        if x.array.dtype != tensors[0].array.dtype:
            raise RuntimeError(
                message(
                    "meshgrid expects all tensors to have the same dtype",
                    "got " + ", ".join(describe(t) for t in tensors),
                )
            )
    if indexing is None:
        warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
        )
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            message(
                f"torch.meshgrid: indexing must be one of 'xy' or 'ij', but received: {indexing}"
            )
        )
    order = list(tensors)
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = order[1], order[0]
    shape = tuple([x.array.size for x in order])
    grids = [
        expand(reshape(x, (n, *(1,) * (len(shape) - 1 - i))), shape)
        for i, (x, n) in enumerate(zip(order, shape, strict=True))
    ]
    if indexing == "xy" and len(grids) > 1:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)
