"""Indexing: ``x[...]`` and ``x[...] = v``.

Basic indices (integers, slices, None, ...) give views; index tensors and masks give copies. An
index is a static argument of its op, copied so that later writes to it do no harm. Reading and
writing at an index are each other's derivative: the gradient of ``x[index]`` is zeros with ``g``
*added* at the index, for an element may be read several times.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..arrays.dtypes import I64, OBJECT
from ..arrays.memory_order import in_rows, laid_out, lying, row_strides
from ..backends import defines
from ..base.errors import message
from ..engine.checks import watch
from ..engine.handle import Handle
from ..engine.hot import viewing
from ..engine.op import Op
from ..engine.record import constant
from ..engine.short import single
from ..engine.views import by_c
from ..engine.whole import on_arrays
from .arguments import rows
from .index_parsing import (
    Place,
    basic,
    explain_index,
    integers_apart,
    integers_first,
    of_nothing,
    parse,
)
from .strided import at_strides
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Index, Namespace, Shape
    from ..handles.tensor import Tensor


ALL, NEW = slice(None), (None, Ellipsis)  # of x[:] and x[None]


# ---- reading and writing at an index -------------------------------------------------------------
def put(F: Namespace, x: Array, v: Array, index: Place, accumulate: bool = False) -> Array:
    # a copy; x may be a numpy scalar, whose copy() is none
    out = laid_out(x, x.dtype) if type(x) is np.ndarray else np.array(x)
    if accumulate and repeats(index):
        if out.flags.c_contiguous and out.dtype != OBJECT:
            # by the places in the flattened array, where ufunc.at is several times as fast
            at = np.arange(out.size).reshape(out.shape)[index]
            np.add.at(out.reshape(-1), at.reshape(-1), np.broadcast_to(v, at.shape).reshape(-1))
        else:
            np.add.at(out, index, v)
    elif accumulate:
        out[index] += v
    else:
        out[index] = v
    return out


def repeats(index: Place) -> bool:
    """May the index name an element twice? Only integer arrays may."""
    return any(isinstance(p, np.ndarray) and p.dtype != bool for p in index)


@defines
def taken(F: Backend, x: Array, index: Place) -> Array | None:
    """``x[:, ..., integers]`` by a backend that sees if one is out of range, as it reads; or None.
    """
    return None


def _place(F: Namespace, g: Array, index: Place, shape: Shape, unique: bool = False) -> Array:
    """Zeros of ``shape`` with ``g`` added at ``index``.

    ``unique``: the index names no element twice, so that ``g`` may be written, which is faster.
    """
    out = np.zeros(shape, g.dtype)
    if unique:
        out[index] = g
        return out
    if type(g) is np.ndarray and (runs := in_runs(shape, index)) is not None:
        g = np.array(np.broadcast_to(g, runs.shape))
        for source, to in reversed(runs.borders):
            g[to] += g[source]
        out[runs.body] = g[runs.inner]
        return out
    return put(F, out, g, index, True)


def _read(F: Namespace, x: Array, index: Place) -> Array:
    return x[index]


def _slice(F: Namespace, x: Array, index: Place) -> Array:
    if index is NEW and type(x) is np.ndarray and x.flags.c_contiguous and 1 not in x.shape:
        return x.reshape((1, *x.shape))  # with PyTorch's strides, at once
    out = x[index]
    if None in index and type(x) is np.ndarray and x.dtype is not OBJECT:
        if 1 not in x.shape and out.size == x.size and x.flags.c_contiguous:
            return x.reshape(out.shape)  # likewise
        first = index.index(None)
        if all([p is None or p is Ellipsis for p in index[first:]]):  # x[1, None], x[:2, ..., None]
            seen = x[index[:first]]
            if type(seen) is np.ndarray and seen.flags.c_contiguous and 1 not in seen.shape:
                return seen.reshape(out.shape)
        return opened(x, index, out)
    return out


def opened(x: Array, index: Place, out: Array) -> Array:
    """``out``, which is ``x[index]`` of integers, slices and None, with PyTorch's strides.

    What ``None`` puts in has no stride in numpy, but one in PyTorch, which can be seen: overlaps
    are found by it.
    """
    own, given, rank = x.shape, x.strides, x.ndim
    plain = 1 not in own or given == row_strides(own, x.itemsize)
    if plain and all([p is None or p is Ellipsis or p == ALL for p in index]):
        if x.flags.c_contiguous or out.shape[-1] != 1:
            return x.reshape(out.shape)  # numpy gives it the same strides
        if out.ndim == rank + 1:  # at the end
            return x.view((x.dtype, (1,)))
    shape: list[int] = []
    steps: list[int] = []
    rest: list[Any] = []
    d = 0
    unnamed = rank - sum([p is not None and p is not Ellipsis for p in index])
    for p in index:
        if p is None:
            shape.append(1)
            steps.append(own[d] * given[d] if d < rank else x.itemsize)
            rest.append(ALL)
        else:
            n = unnamed if p is Ellipsis else 1
            shape += own[d : d + n]
            steps += given[d : d + n]
            d += n
            rest.append(p)
    shape += own[d:]
    if plain and x.flags.c_contiguous:
        x = x.reshape(shape)
    else:
        x = at_strides(x, tuple(shape), (*steps, *given[d:]), 0)
    return x[tuple(rest)]


def is_mesh(index: Place) -> bool:
    """Does the index end in vectors of integers, each along a dimension of its own:
    ``x[:, rows[:, None], columns]``?
    """
    vectors = [p for p in index if type(p) is np.ndarray]
    k = len(vectors)
    if any([type(p) is not np.ndarray or p.dtype is not I64 for p in index[-k:]]):
        return False
    if any([type(p) is not slice or p != slice(None) for p in index[:-k]]):
        return False
    sizes = [(1,) * (k - p.ndim) + p.shape for p in vectors]
    apart = [max(1, *s[:i], *s[i + 1 :]) == 1 for i, s in enumerate(sizes)] if k > 1 else [True]
    return all(apart) and max([p.ndim for p in vectors]) == k == max(map(len, sizes))


BREAKS, LONG = 16, 8  # so many runs at most; numpy copies shorter ones sooner one by one


class Runs(NamedTuple):
    """A mesh whose vectors are one run of neighbours each, but for a few that repeat some of it,
    as a border does. The runs are moved at once; then each dimension's border, within the result.
    """

    shape: list[int]  # of x[index]
    body: Place  # the runs' place in x,
    inner: Place  # and in x[index]
    borders: list[tuple[Place, Place]]  # in x[index]: what repeats, and what it repeats


def in_runs(shape: Shape, index: Place) -> Runs | None:
    """The runs of an index of an array of ``shape``; None if it is another index."""
    if type(index[-1]) is not np.ndarray or not is_mesh(index):
        return None
    sizes, body, inner = list(shape), [], []
    borders: list[tuple[Place, Place]] = []
    for d, v in enumerate(index):
        if type(v) is slice:
            body.append(v)
            inner.append(v)
            continue
        v = v.reshape(-1)
        ends = (np.flatnonzero(v[1:] - v[:-1] != 1) + 1).tolist()
        if len(ends) >= BREAKS or not len(v):
            return None
        runs = [(a, b, int(v[a])) for a, b in zip([0, *ends], [*ends, len(v)], strict=True)]
        first, last, start = max(runs, key=lambda run: run[1] - run[0])
        stop = start + last - first
        if start < 0 or stop > shape[d] or any([c < start or c + b - a > stop for a, b, c in runs]):
            return None
        here: list[tuple[Place, Place]] = []
        for a, b, c in runs:
            if a != first:
                c += first - start
                steps = zip(range(a, b), range(c, c + b - a), strict=True)
                pairs = [(slice(a, b), slice(c, c + b - a))] if b - a > LONG else steps
                here += [((*inner, to), (*inner, source)) for to, source in pairs]
        borders[:0] = here  # the last dimension first: those after it are whole then
        sizes[d] = len(v)
        body.append(slice(start, stop))
        inner.append(slice(first, last))
    return Runs(sizes, tuple(body), tuple(inner), borders)


def _taken(F: Namespace, x: Array, index: Place) -> Array:
    if type(x) is np.ndarray and x.flags.c_contiguous:
        if (runs := in_runs(x.shape, index)) is not None:
            out = np.empty(runs.shape, x.dtype)
            out[runs.inner] = x[runs.body]
            for to, source in runs.borders:
                out[to] = out[source]
            return out
        if len(index) > 1 and type(index[-2]) is np.ndarray and is_mesh(index):
            for d in reversed(range(len(index))):  # one dimension after the other: rows at once
                if type(index[d]) is np.ndarray:
                    x = F.index(x, index=(*[slice(None)] * d, index[d].reshape(-1)))
            return x
    out = x[index]
    if type(out) is not np.ndarray or x.flags.c_contiguous or out.ndim < 2:
        if type(out) is not np.ndarray:
            return out
        out = rows(out)
        if 1 in out.shape and out.strides != row_strides(out.shape, out.itemsize):
            return out.reshape(-1).reshape(out.shape)  # numpy's strides of one element are others
        return out
    return lying(out, strides_at_index(x, index, out.ndim))


def strides_at_index(x: Array, index: Place, rank: int) -> list[int]:
    """For each dimension of ``x[index]`` its stride in x; 0 for those of the index's arrays."""
    found: list[int] = []
    own, d, first, last = x.strides, 0, -1, -1
    taken = [p.ndim if hasattr(p, "dtype") and p.dtype == bool else 1 for p in index]
    used = sum(n for n, p in zip(taken, index, strict=True) if p is not None and p is not Ellipsis)
    for p, n in zip(index, taken, strict=True):
        if p is None:
            found.append(0)
        elif p is Ellipsis or type(p) is slice:
            n = len(own) - used if p is Ellipsis else 1
            found += own[d : d + n]
            d += n
        else:
            first, last = len(found) if first < 0 else first, len(found)
            d += n
    found += own[d:]
    place = first if first == last else 0  # arrays apart from one another: their dimensions first
    found[place:place] = [0] * (rank - len(found))
    return found


def _select(F: Namespace, x: Array, index: Place) -> Array:
    out = _slice(F, x, index)
    if type(out) is np.ndarray:
        return out
    element = *index, ...  # as a view of 0 dimensions, not its value
    return x[element]


def _read_op(
    name: str, forward: Callable[..., Array] = _read, view: bool = False, saves: str = ""
) -> Op:
    # a view shows no element twice
    once: dict[str, Any] = {"unique": True} if view else {}
    return Op(
        name,
        forward,
        vjps=(lambda F, g, out, x, index: F.place(g, index=index, shape=x.shape, **once),),
        saves=(saves,),
        complex="own",
        rule=("g at the index, 0 elsewhere",),
        view=view,
        lays=view,
        explain=explain_index,
    )


slice_op = _read_op("slice", by_c("at_index", _select, "slice", "select"), view=True)
select_op = _read_op("select", _select, view=True)
sliced, selected = viewing(slice_op, "index"), viewing(select_op, "index")
index_op = _read_op("index", _taken)
# reads outside of the edges, at the places that lie mirrored or nearest. It saves x for nothing but
# that PyTorch's second derivative is 0 here, not absent
border_op = _read_op("border", _taken, saves="x")
_read_op("getitem")  # for derivatives: either kind of index
place_op = Op(
    "place",
    _place,
    vjps=(lambda F, g, out, x, index, shape, unique=False: F.getitem(g, index=index),),
    rule=("g at the index",),
)
index_put_op = Op(
    "index_put",
    put,
    vjps=(
        lambda F, g, out, x, v, index, accumulate=False: (
            g if accumulate else F.index_put(g, F.zero(g), index=index)
        ),
        lambda F, g, out, x, v, index, accumulate=False: F.getitem(g, index=index),
    ),
    rule=("g, with 0 at the index", "g at the index"),
    explain=explain_index,
)
# a zero of a gradient's dtype, whose own gradient is nothing
Op("zero", lambda F, x: np.zeros((), x.dtype), complex="own")


def keep_index(t: Tensor, index: Index) -> None:
    """Let backward refuse a tensor that was an index, and was overwritten, as PyTorch does."""
    parts = index if isinstance(index, tuple) else (index,)
    tensors = [p.node for p in parts if isinstance(p, Handle)]
    if tensors:
        watch(t.node, tensors)


def getitem(x: Tensor, index: Index) -> Tensor:
    """``x[index]``."""
    if type(index) is int and x.array.ndim:
        return selected(x, (index, Ellipsis))
    if index is None:
        return sliced(x, NEW)
    if (found := basic(index, x.array.ndim)) is not None:
        return (selected if found[1] else sliced)(x, found[0])
    place, advanced = parse(index, x.array.shape)
    if advanced:
        if integers_apart(place):
            first, place = integers_first(place)
            x = getitem(x, first)
        try:
            t = single(index_op, x, {"index": place})
        except IndexError:
            t = single(index_op, x, {"index": of_nothing(place, x.array.shape)})
        if t.node.op is not None:
            keep_index(t, index)
        return t
    return (selected if int in map(type, place) else sliced)(x, place)


# ---- where elements are --------------------------------------------------------------------------
@public()
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Indices of the elements that are not 0: (n, ndim) int64, or one tensor per dimension."""
    x, dev = input.array, input.node.dev
    if as_tuple:
        places = np.nonzero(x if x.ndim else x.reshape(1))
        return tuple(constant(in_rows(p), dev) for p in places)
    if not x.ndim:
        return constant(np.zeros((int(np.count_nonzero(x)), 0), np.int64), dev)
    if x.ndim == 1 and type(x) is np.ndarray:  # np.stack takes longer than all the rest
        return constant(x.nonzero()[0].reshape(-1, 1).copy(), dev)
    places = np.nonzero(x)
    # in PyTorch's order: all places of a dimension side by side
    return constant(np.stack(places).T, dev)


@public()
def argwhere(input: Tensor) -> Tensor:
    """Indices of the elements that are not 0: (n, ndim) int64."""
    out: Any = nonzero(input)
    return out


@public()
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first ``size`` rows of ``nonzero``; ``fill_value`` where there are fewer."""
    if size < 0:
        raise RuntimeError(message("nonzero_static: 'size' must be an non-negative integer"))
    x = input.detach().cpu().array
    out = on_arrays("nonzero_static", _first_places, x, size=size, fill_value=fill_value)
    return constant(out, input.node.dev)


def _first_places(x: Array, size: int, fill_value: int) -> Array:
    found = np.argwhere(x)[:size]
    out = np.full((size, x.ndim), fill_value, np.int64)
    out[: len(found)] = found
    return out
