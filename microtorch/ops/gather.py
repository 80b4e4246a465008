"""Gather and scatter: elements read and written along one dimension, by an index tensor.

    gather(x, 0, index)[i, j] = x[index[i, j], j]

Reading at an index and adding up there are each other's derivative.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import I64
from ..backends import defines
from ..base.errors import broadcast_error, describe, message, warn
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.operands import element as stored
from ..engine.record import constant_of, laid, note_order, record
from ..engine.short import kept_dtype
from .arguments import dim_of, element, owned, rows, within
from .index import put
from .index_parsing import Place
from .settled import linked
from .shape import expand, reshape
from .surface import METHODS, public, writes_over

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Gradient, Namespace, Number, Operand, Shape, TensorLike
    from ..handles.tensor import Tensor


def unrecorded(
    input: Tensor, dim: int, index: Tensor, src: Tensor
) -> tuple[Array, Array, Array, int] | None:
    """The arrays of floats in rows, of an int64 index and of what it places there, and ``dim`` in
    [0, ndim), if nothing is to be recorded; None of all else.
    """
    if type(dim) is not int or not type(index) is type(input) is type(src):
        return None
    a, b = input.node, src.node
    x, i, g = input.array, index.array, src.array
    if not type(x) is type(i) is type(g) is np.ndarray or a.dev is not b.dev or a.needs or b.needs:
        return None
    if i.dtype is not I64 or not i.size or x.dtype.kind != "f" or not x.flags.c_contiguous:
        return None
    d = dim if dim >= 0 else dim + x.ndim
    return (x, i, g, d) if 0 <= d < x.ndim else None


def along(index: Array, dim: int) -> Place:
    """The numpy index of what ``gather(dim, index)`` reads: ``index`` along ``dim``.

    Along the other dimensions, each element stays at its own place.
    """
    if not index.ndim:
        return (index,)
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def flat(index: Array, shape: Shape, dim: int) -> Array:
    """The same places in the flattened array, for numpy's ``ufunc.at``, which is fast there."""
    steps = np.cumprod([1, *shape[:0:-1]])[::-1] if shape else ()
    place: Any = sum([i * n for i, n in zip(along(index, dim), steps, strict=False)])
    return np.broadcast_to(place, index.shape).reshape(-1)


def _gather(F: Namespace, x: Array, index: Array, dim: int) -> Array:
    return rows(x[along(index, dim)]) if x.ndim else x.reshape(1)[index]


def _scatter_sum(F: Namespace, src: Array, index: Array, shape: Shape, dim: int) -> Array:
    out = np.zeros(math.prod(shape), src.dtype)
    np.add.at(out, flat(index, shape, dim), _used(src, index.shape).reshape(-1))
    return out.reshape(shape)


def _scatter(F: Namespace, x: Array, index: Array, src: Array, dim: int) -> Array:
    used = _used(src, index.shape) if src.ndim else src
    if type(x) is np.ndarray and type(index) is np.ndarray and x.ndim:  # in half the time
        out = np.array(x, order="C")
        out.reshape(-1)[flat(index, x.shape, dim)] = used.reshape(-1) if used.ndim else used
        return out
    return put(F, rows(x), used, along(index, dim))


def _used(src: Any, shape: Shape) -> Any:
    """The leading part of ``src`` that an index of ``shape`` reads."""
    return src if src.shape == shape else src[tuple(slice(n) for n in shape)]


gather_op = Op(
    "gather",
    _gather,
    vjps=(lambda F, g, out, x, index, dim: F.scatter_sum(g, index, shape=x.shape, dim=dim), None),
    saves=("y", ""),
    keeps="x y",
    rule=("g, added where it was read",),
    complex="own",
)


@defines
def summed_pairs(F: Backend, src: Array, index: Array, out: Array) -> bool:
    """Write to ``out`` the sums of complex ``src`` at an index of the last dimension, by C, on the
    backend of the parts. False, where C declines: then nothing of ``out`` is to be read.
    """
    return False


scatter_sum_op = Op(
    "scatter_sum",
    _scatter_sum,
    vjps=(lambda F, g, out, src, index, shape, dim: F.gather(g, index, dim=dim), None),
    saves=("y", ""),
    rule=("g, read at the index",),
    complex="own",
)
scatter_op = Op(
    "scatter",
    _scatter,
    vjps=(
        lambda F, g, out, x, index, src, dim: F.scatter(g, index, F.zero(g), dim=dim),
        None,
        lambda F, g, out, x, index, src, dim: _to_source(F, F.gather(g, index, dim=dim), src),
    ),
    saves=("y", "", "y"),
    complex="own",
    rule=("g, 0 where overwritten", None, "g at the index"),
)


def _to_source(F: Namespace, g: Gradient, src: Operand) -> Gradient:
    """A gradient for the part of ``src`` that was used, laid into zeros of its shape."""
    if not src.shape or g.shape == src.shape:
        return g
    return F.place(g, index=tuple(slice(n) for n in g.shape), shape=src.shape)


# ---- functions -----------------------------------------------------------------------------------
def check_index(name: str, x: Tensor, dim: int, index: Tensor) -> tuple[int, Tensor]:
    """``dim`` in [0, ndim) and the index as int64.

    Raises RuntimeError for an index that ``x`` cannot take along ``dim``.
    """
    if not hasattr(index, "node"):
        raise TypeError(
            message(f"{name}(): argument 'index' must be Tensor, not {type(index).__name__}")
        )
    if index.array.dtype != np.int64:
        if index.array.size and index.array.dtype != np.int32:
            raise RuntimeError(
                message(
                    f"{name}(): Expected dtype int32/int64 for index",
                    f"got {describe(index)}",
                    fix="index.long()",
                )
            )
        index = index.long()
    d = dim_of(dim, x.array.ndim, name)
    i = index.array
    if not i.size:
        return d, index
    shape, given = x.array.shape or (1,), i.shape or (1,)
    if len(given) != len(shape):
        raise RuntimeError(
            message(
                "Index tensor must have the same number of dimensions as input tensor",
                f"{name}: input {describe(x)}, index {describe(index)}",
            )
        )
    beside = given[:d] + given[d + 1 :], shape[:d] + shape[d + 1 :]
    if beside[0] != beside[1] and any(m > n for m, n in zip(*beside, strict=True)):
        raise RuntimeError(
            message(
                f"Expected index {list(given)} to be no larger than self {list(shape)} apart from "
                f"dimension {d}",
                f"{name}: input {describe(x)}, index {describe(index)}",
            )
        )
    n = shape[d]
    index.node.dev.check_gathered(x.array, i, name, d, n)
    return d, index


@defines
def check_gathered(F: Backend, x: Array, i: Array, name: str, d: int, n: int) -> None:
    """RuntimeError for an index that dimension ``d``, of size n, does not have.

    A kernel, so that a recorded program asks at each call.
    """
    if type(i) is np.ndarray and 0 in i.strides:  # expanded: one of each row says all
        i = i[tuple([slice(None) if s else slice(1) for s in i.strides])]
    if not within(i, n) and not (int(i.min()) >= 0 and int(i.max()) < n):
        raise RuntimeError(
            message(
                f"index {int(i.max()) if int(i.max()) >= n else int(i.min())} is out of bounds for "
                f"dimension {d} with size {n}",
                f"{name}: input {describe(x)}, index {describe(i)}",
            )
        )


def operands(
    name: str, input: Tensor, dim: int, index: Tensor, src: Tensor
) -> tuple[Tensor, int, Tensor, Tensor]:
    """What a scatter works on: tensors of at least one dimension, of one dtype, that fit."""
    d, index = check_index(name, input, dim, index)
    if src.array.dtype != input.array.dtype:
        raise RuntimeError(
            message(
                f"{name}(): Expected self.dtype to be equal to src.dtype",
                f"input {describe(input)}, src {describe(src)}",
                fix="src.to(input.dtype)",
            )
        )
    x, i, s = [t if t.array.ndim else reshape(t, 1) for t in (input, index, src)]
    if not i.array.size:
        return x, d, i, s
    if s.array.ndim != i.array.ndim:
        raise RuntimeError(
            message(
                "Index tensor must have the same number of dimensions as src tensor",
                f"{name}: index {describe(index)}, src {describe(src)}",
            )
        )
    if any(m > n for m, n in zip(i.array.shape, s.array.shape, strict=True)):
        raise RuntimeError(
            message(
                f"Expected index {list(i.array.shape)} to be no larger than self "
                f"{list(x.array.shape)} apart from dimension {d} and to be no larger size than src "
                f"{list(s.array.shape)}",
                f"{name}: input {describe(input)}",
            )
        )
    return x, d, i, s


@defines
def gathered(F: Backend, x: Array, index: Array, dim: int) -> Array | None:
    """``gather``, by a backend that finds an index out of range as it reads; None if it does."""
    return None


@defines
def scatter_summed(F: Backend, src: Array, index: Array, shape: Shape, dim: int) -> Array | None:
    """``scatter_sum``, by a backend that finds an index out of range as it adds; None if it does,
    or if shapes differ along other dimensions.
    """
    return None


@defines
def scattered(
    F: Backend, x: Array, index: Array, src: Array, dim: int, *, over: bool = False
) -> Array | None:
    """``scatter``, by a backend that finds an index out of range as it writes; None if it does.

    ``over``: into ``x`` itself.
    """
    return None


@public()
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i, j] = input[index[i, j], j] for dim 0, and so on; ``index``: int64 of the same rank."""
    if type(dim) is int and type(index) is type(input):  # what is checked below, at once
        x, i, dev = input.array, index.array, input.node.dev
        if type(x) is np.ndarray and type(i) is np.ndarray and i.dtype is I64:
            d = dim if dim >= 0 else dim + x.ndim
            if 0 <= d < x.ndim and x.ndim == i.ndim and i.size:
                out = dev.gathered(x, i, d)
                if out is not None and not input.node.needs:
                    return constant_of(out, dev)
                if out is not None:
                    return record(gather_op, (input, index), out, dev, {"dim": d})
    d, index = check_index("gather", input, dim, index)
    if not index.array.size:
        return owned(reshape(reshape(input, -1)[:0], *index.array.shape))
    if input.array.ndim == index.array.ndim:
        return kept_dtype(gather_op, {"dim": d}, input, index)
    lined = [t if t.array.ndim else reshape(t, 1) for t in (input, index)]
    return owned(reshape(apply(gather_op, lined, {"dim": d}), *index.array.shape))


def _scattered(input: Tensor, dim: int, index: Tensor, given: Operand, over: bool) -> Array | None:
    """``scatter`` of a number, of which ``scatter`` checks nothing more; None if it is to look."""
    if type(dim) is int and type(index) is type(input) and not hasattr(given, "node"):
        a, k = input.array, index.array
        if type(a) is np.ndarray and type(k) is np.ndarray and k.dtype is I64 and k.size:
            d = dim if dim >= 0 else dim + a.ndim
            if 0 <= d < a.ndim:
                return input.node.dev.scattered(a, k, stored(given, a.dtype), d, over=over)
    return None


@writes_over("scatter")
def scatter_over(
    input: Tensor, dim: int, index: Tensor, src: TensorLike | None = None,
    *, value: Number | None = None, reduce: str | None = None,
) -> bool:  # fmt: skip
    """``scatter`` of a number."""
    given = value if src is None else src
    return reduce is None and _scattered(input, dim, index, given, True) is not None


@public()
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: TensorLike | None = None,
    *,
    value: Number | None = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy of ``input`` with ``src`` (tensor or number) written at ``index`` along ``dim``.

    ``reduce``, "add" or "multiply", combines it with what is there.
    """
    given: Any = value if src is None else src
    if reduce is None and not input.node.needs:
        found = _scattered(input, dim, index, given, False)
        if found is not None:
            return constant_of(found, input.node.dev)
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError(message("reduce argument must be either add or multiply."))
        if not hasattr(given, "node"):
            given = expand(element(given, input), *index.array.shape)
        else:
            warn(
                "The reduce argument of torch.scatter with Tensor src is deprecated and will be "
                "removed in a future PyTorch release. Use torch.scatter_reduce instead for more "
                "reduction options."
            )
        if reduce == "add":
            return scatter_add(input, dim, index, given)
        return METHODS["scatter_reduce"](input, dim, index, given, "prod")
    if hasattr(given, "node"):
        x, d, i, s = operands("scatter", input, dim, index, given)
    else:
        d, index = check_index("scatter", input, dim, index)
        a, dev, k = input.array, input.node.dev, index.array
        if type(a) is np.ndarray and not input.node.needs and k.size and a.ndim and k.ndim:
            # the op, of which nothing is recorded
            out = dev.scatter(a, k, stored(given, a.dtype), d)
            return note_order(constant_of(out, dev))
        x, i = [t if t.array.ndim else reshape(t, 1) for t in (input, index)]
        s = element(given, input)
    if not i.array.size:
        return linked(input.clone(), s)
    out = kept_dtype(scatter_op, {"dim": d}, x, i, s)
    same = out.array.shape == input.array.shape  # not so for a single number
    return out if same else owned(reshape(out, *input.array.shape))


def _sums(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Array | None:
    """What ``scatter_add`` adds, if nothing is recorded, of operands that fit; None of others."""
    if (found := unrecorded(input, dim, index, src)) is None:
        return None
    a, k, g, d = found
    return input.node.dev.scatter_summed(g, k, a.shape, d)


@writes_over("scatter_add")
def scatter_add_over(input: Tensor, dim: int, index: Tensor, src: Tensor) -> bool:
    if (sums := _sums(input, dim, index, src)) is None:
        return False
    input.array[...] = input.node.dev.add(input.array, sums)
    return True


@public()
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``."""
    if (sums := _sums(input, dim, index, src)) is not None:
        dev = input.node.dev
        return constant_of(dev.add(input.array, sums), dev)
    x, d, i, s = operands("scatter_add", input, dim, index, src)
    return laid(input + added(x, d, i, s, input.array.shape))


def added(x: Tensor, dim: int, index: Tensor, src: Tensor, shape: Shape) -> Tensor:
    """The sums of ``src`` at ``index``, in ``shape``."""
    if not index.array.size:
        return linked(x.new_zeros(shape), src)
    if index.array.shape != src.array.shape:
        src = src[tuple(slice(n) for n in index.array.shape)]
    sums = apply(scatter_sum_op, (src, index), {"shape": x.array.shape, "dim": dim})
    return reshape(sums, *shape)


@public()
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """numpy's take_along_axis: gather, with the other dimensions broadcast."""
    if indices.array.dtype != np.int64:
        raise RuntimeError(
            message(
                "torch.take_along_dim(): dtype of indices should be Long but got "
                f"{describe(indices)}"
            )
        )
    if dim is None:
        input, indices, dim = reshape(input, -1), reshape(indices, -1), 0
    if input.array.ndim != indices.array.ndim:
        raise RuntimeError(
            message(
                "torch.take_along_dim(): input and indices should have the same number of "
                f"dimensions, but got {input.array.ndim} dimensions for input, and "
                f"{indices.array.ndim} dimensions for indices"
            )
        )
    d = dim_of(dim, input.array.ndim, "take_along_dim")
    if not input.node.needs and within(indices.array, input.array.shape[d]):
        beside = [s[:d] + s[d + 1 :] for s in (input.array.shape, indices.array.shape)]
        if beside[0] == beside[1]:  # nothing is broadcast
            return gather(input, d, indices)
    pair = [input.array.shape, indices.array.shape]
    try:
        common = np.broadcast_shapes(*([*s[:d], 1, *s[d + 1 :]] for s in pair))
    except ValueError:
        raise broadcast_error("take_along_dim", [input, indices]) from None
    x, i = [
        expand(t, *common[:d], n, *common[d + 1 :])
        for t, n in ((input, pair[0][d]), (indices, pair[1][d]))
    ]
    n = pair[0][d]
    return gather(x, d, i + (i < 0).long() * n)
