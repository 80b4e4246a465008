"""Indexing: ``x[...]``, ``x[...] = v``, gather and scatter.

Basic indices (integers, slices, None, ...) give views; index tensors and masks give copies. An
index is static data of its node (an attr, copied so that later writes to it do no harm). Reading
and writing at an index are each other's derivative: the gradient of ``x[index]`` is zeros with
``g`` *added* at the index, for an element may be read several times.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import dtypes
from ..base.errors import DTypeError, ShapeError, describe, message
from ..engine.apply import apply
from ..engine.hot import single
from ..engine.op import Op
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .arguments import dim_of, rows
from .surface import public


# ---- the index as the user wrote it -> the index numpy takes -------------------------------------
def parse(index: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], bool]:
    """(a tuple that numpy takes, is it advanced?).

    Raises IndexError/TypeError/ValueError as PyTorch does.
    """
    parts = index if type(index) is tuple else (index,)
    out, advanced = [], False
    for part in parts:
        if type(part) is int or part is None or part is Ellipsis:
            out.append(part)
        elif type(part) is slice:
            out.append(_slice(part))
        else:
            part = _array(part)
            if type(part) is not int:
                advanced = True
            out.append(part)
    used = sum(
        p.ndim if hasattr(p, "dtype") and p.dtype == bool else p is not None and p is not Ellipsis
        for p in out
    )
    if used > len(shape):
        raise IndexError(
            message(
                f"too many indices for tensor of dimension {len(shape)}",
                f"shape {shape}, index {_text(parts)}",
                fix="" if len(shape) else "a 0-dim tensor is read with .item()",
            )
        )
    if not advanced and not any(p is Ellipsis for p in out):
        out.append(Ellipsis)  # numpy then gives a view even where only integers are left
    return tuple(out), advanced


def _slice(s: slice) -> slice:
    if s.step is not None and s.step <= 0:
        raise ValueError(
            message(
                "step must be greater than zero",
                f"slice {_text((s,))}",
                fix="torch.flip reverses a dimension",
            )
        )
    start, stop, step = (None if v is None else v.__index__() for v in (s.start, s.stop, s.step))
    return slice(start, stop, step)


def _array(part: Any) -> Any:
    """An index tensor, list or array as an integer or bool array; 0-d integers as Python ints (they
    select).
    """
    array = part.array if hasattr(part, "node") else np.asarray(part)
    kind = array.dtype.kind
    if kind in "iu" and array.dtype != np.uint8:
        return int(array) if array.ndim == 0 else array.copy()
    if kind == "b" or array.dtype == np.uint8:
        return array.astype(bool)
    if not array.size:
        return array.astype(np.int64)
    raise IndexError(
        message(
            "tensors used as indices must be long, int, byte or bool tensors",
            f"got {describe(array)}" if kind in "fc" else f"got {type(part).__name__}",
            fix="index.long()" if kind == "f" else "",
        )
    )


def _text(parts: Sequence[Any]) -> str:
    def one(p: Any) -> str:
        if isinstance(p, slice):
            bounds = (p.start, p.stop) if p.step is None else (p.start, p.stop, p.step)
            return ":".join("" if v is None else str(v) for v in bounds)
        return "..." if p is Ellipsis else describe(p) if hasattr(p, "shape") else repr(p)

    if len(parts) > 1 and parts[-1] is Ellipsis:  # which `parse` appends
        parts = parts[:-1]
    return f"[{', '.join(map(one, parts))}]"


def explain_index(op: Op, tensors: Sequence[Any], attrs: dict[str, Any], e: Exception) -> Exception:
    index, shape = attrs["index"], tensors[0].array.shape
    details = (f"shape {tuple(shape)}, index {_text(index)}",)
    if len(tensors) > 1:
        details += (f"value {describe(tensors[1])}",)
    if isinstance(e, ValueError):
        return ShapeError(message(f"shape mismatch: {e}", *details))
    text = str(e).replace("axis", "dimension")
    if "boolean index did not match" in text:
        mask = next(p for p in index if hasattr(p, "dtype") and p.dtype == bool)
        text = (
            f"The shape of the mask {list(mask.shape)} at index 0 does not match the shape of the "
            f"indexed tensor "
            f"{list(shape)} at index 0"
        )
    return IndexError(message(text, *details))


# ---- reading and writing at an index -------------------------------------------------------------
def _put(F: Any, x: Any, v: Any, index: Any, accumulate: bool = False) -> Any:
    out = np.array(x)  # a copy; x may be a numpy scalar, whose copy() is none
    if accumulate and repeats(index):
        np.add.at(out, index, v)
    elif accumulate:
        out[index] += v
    else:
        out[index] = v
    return out


def repeats(index: tuple[Any, ...]) -> bool:
    """May the index name an element twice? Only integer arrays may."""
    return any(isinstance(p, np.ndarray) and p.dtype != bool for p in index)


def _place(F: Any, g: Any, index: Any, shape: Any, unique: bool = False) -> Any:
    """Zeros of ``shape`` with ``g`` added at ``index``; ``unique``: no element is named twice, so
    ``g`` is written, faster.
    """
    out = np.zeros(shape, g.dtype)
    if unique:
        out[index] = g
        return out
    return _put(F, out, g, index, True)


_read = lambda F, x, index: x[index]  # noqa: E731
_read_vjp = (lambda F, g, out, x, index: F.place(g, index=index, shape=x.shape),)
_rule = ("g at the index, 0 elsewhere",)


def _select(F: Any, x: Any, index: Any) -> Any:
    out = x[index]
    # one element as a view of 0 dimensions, not its value
    return out if type(out) is np.ndarray else x[(*index, ...)]


slice_op = Op("slice", _read, vjps=_read_vjp, rule=_rule, view=True, explain=explain_index)
select_op = Op("select", _select, vjps=_read_vjp, rule=_rule, view=True, explain=explain_index)
index_op = Op("index", _read, vjps=_read_vjp, rule=_rule, explain=explain_index)
# for derivatives: either kind of index
Op("getitem", _read, vjps=_read_vjp, rule=_rule, explain=explain_index)
Op(
    "place",
    _place,
    vjps=(lambda F, g, out, x, index, shape, unique=False: F.getitem(g, index=index),),
    rule=("g at the index",),
)
index_put_op = Op(
    "index_put",
    _put,
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
Op("zero", lambda F, x: np.zeros((), x.dtype))


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``."""
    if type(index) is int:
        return (
            single(select_op, x, {"index": (index, Ellipsis)}) if x.array.ndim else parse(index, ())
        )
    index, advanced = parse(index, x.array.shape)
    if advanced:
        return single(index_op, x, {"index": index})
    return single(
        select_op if any(type(p) is int for p in index) else slice_op, x, {"index": index}
    )


# ---- gather and scatter --------------------------------------------------------------------------
def along(index: Any, dim: int) -> tuple[Any, ...]:
    """The numpy index of the elements that ``gather(dim, index)`` reads: index along ``dim``, own
    place elsewhere.
    """
    if not index.ndim:
        return (index,)
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def _gather(F: Any, x: Any, index: Any, dim: int) -> Any:
    return rows(x[along(index, dim)]) if x.ndim else x.reshape(1)[index]


def _scatter_sum(F: Any, src: Any, index: Any, shape: Any, dim: int) -> Any:
    out = np.zeros(shape, src.dtype)
    place = along(index, dim) if len(shape) else ()
    np.add.at(
        out, place, src[tuple(slice(n) for n in index.shape)] if src.shape != index.shape else src
    )
    return out


Op(
    "gather",
    _gather,
    vjps=(lambda F, g, out, x, index, dim: F.scatter_sum(g, index, shape=x.shape, dim=dim), None),
    saves=("y", ""),
    rule=("g, added where it was read",),
)
Op(
    "scatter_sum",
    _scatter_sum,
    vjps=(lambda F, g, out, src, index, shape, dim: F.gather(g, index, dim=dim), None),
    saves=("y", ""),
    rule=("g, read at the index",),
)
Op(
    "scatter",
    lambda F, x, index, src, dim: _put(
        F,
        rows(x),
        src[tuple(slice(n) for n in index.shape)] if src.ndim else src,
        along(index, dim),
    ),
    vjps=(
        lambda F, g, out, x, index, src, dim: F.scatter(g, index, F.zero(g), dim=dim),
        None,
        lambda F, g, out, x, index, src, dim: _to_source(F, F.gather(g, index, dim=dim), src),
    ),
    saves=("y", "", "y"),
    rule=("g, 0 where overwritten", None, "g at the index"),
)


def _to_source(F: Any, g: Any, src: Any) -> Any:
    """A gradient for the part of ``src`` that was used, laid into zeros of its shape."""
    if not src.shape or g.shape == src.shape:
        return g
    return F.place(g, index=tuple(slice(n) for n in g.shape), shape=src.shape)


def _check_index(name: str, x: Any, dim: int, index: Any) -> int:
    if not hasattr(index, "node") or index.array.dtype != np.int64:
        raise RuntimeError(
            message(
                f"{name}(): Expected dtype int64 for index",
                f"got {describe(index)}",
                fix="index.long()",
            )
        )
    d = dim_of(dim, x.array.ndim, name)
    i = index.array
    if i.ndim != x.array.ndim and i.ndim and x.array.ndim:
        raise RuntimeError(
            message(
                "Index tensor must have the same number of dimensions as input tensor",
                f"{name}: input {describe(x)}, index {describe(index)}",
            )
        )
    n = x.array.shape[d] if x.array.ndim else 1
    if i.size and not (-0 <= int(i.min()) and int(i.max()) < n):
        raise RuntimeError(
            message(
                f"index {int(i.max()) if int(i.max()) >= n else int(i.min())} is out of bounds for "
                f"dimension {d} with size {n}",
                f"{name}: input {describe(x)}, index {describe(index)}",
            )
        )
    return d


@public()
def gather(input: Any, dim: int, index: Any) -> Any:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on; ``index`` is int64 of the same rank.
    """
    d = _check_index("gather", input, dim, index)
    return apply(REGISTRY["gather"], (input, index), {"dim": d})


@public()
def scatter(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` (tensor or number) written at ``index`` along ``dim``."""
    d = _check_index("scatter", input, dim, index)
    if not hasattr(src, "node"):
        src = constant(np.asarray(src, input.array.dtype), input.node.dev)
    return apply(REGISTRY["scatter"], (input, index, src), {"dim": d})


@public()
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``."""
    d = _check_index("scatter_add", input, dim, index)
    if index.array.shape != src.array.shape:
        src = src[tuple(slice(n) for n in index.array.shape)]
    return input + apply(
        REGISTRY["scatter_sum"], (src, index), {"shape": input.array.shape, "dim": d}
    )


def _index_of(index: Any, name: str) -> Any:
    if not hasattr(index, "node") or index.array.dtype.kind not in "iu" or index.array.ndim > 1:
        raise DTypeError(
            message(
                f"{name}(): Expected a 1-d int32 or int64 index tensor", f"got {describe(index)}"
            )
        )
    return index.array.reshape(-1).copy()


@public()
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices at ``index`` (1-d, integer) along ``dim``."""
    d = dim_of(dim, input.array.ndim, "index_select")
    return single(
        index_op, input, {"index": (slice(None),) * d + (_index_of(index, "index_select"),)}
    )


def _index_write(name: str, accumulate: bool) -> None:
    def write(input: Any, dim: int, index: Any, source: Any) -> Any:
        d = dim_of(dim, input.array.ndim, name)
        place = (slice(None),) * d + (_index_of(index, name),)
        if not hasattr(source, "node"):
            source = constant(np.asarray(source, input.array.dtype), input.node.dev)
        return apply(index_put_op, (input, source), {"index": place, "accumulate": accumulate})

    write.__name__ = name
    did = "added" if accumulate else "written"
    write.__doc__ = (
        f"A copy of ``input`` with ``source`` {did} at the slices ``index`` along ``dim``."
    )
    public()(write)


_index_write("index_add", True)
_index_write("index_copy", False)
_index_write("index_fill", False)


@public()
def index_put(input: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    """A copy of ``input`` with ``values`` written (or added) at ``input[indices]``."""
    index, _ = parse(tuple(indices), input.array.shape)
    return apply(index_put_op, (input, values), {"index": index, "accumulate": accumulate})


@public()
def masked_select(input: Any, mask: Any) -> Any:
    """The elements where ``mask`` (bool) is true, in one dimension."""
    shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    return getitem(input.expand(*shape), mask.expand(*shape))


@public()
def take(input: Any, index: Any) -> Any:
    """Elements of the flattened tensor at ``index``, in its shape."""
    return getitem(input.reshape(-1), index)


@public()
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """numpy's take_along_axis."""
    if dim is None:
        return take(input, indices.reshape(-1))
    return gather(input, dim, indices)


@public()
def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Indices of the elements that are not 0: (n, ndim) int64, or one tensor per dimension."""
    places = (
        np.nonzero(input.array)
        if input.array.ndim
        else np.nonzero(input.array.reshape(1))[: 0 if not as_tuple else 1]
    )
    if as_tuple:
        return tuple(constant(p, input.node.dev) for p in places)
    n = int(np.count_nonzero(input.array))
    return constant(np.stack(places, 1) if places else np.zeros((n, 0), np.int64), input.node.dev)


@public()
def isin(elements: Any, test_elements: Any) -> Any:
    """Is each element among ``test_elements``?"""
    other = test_elements.array if hasattr(test_elements, "node") else test_elements
    return constant(np.isin(elements.array, other), elements.node.dev)


@public(method=False)
def searchsorted(sorted_sequence: Any, input: Any, *, right: bool = False) -> Any:
    """Where each element would be inserted into the sorted 1-d sequence."""
    values = input.array if hasattr(input, "node") else np.asarray(input)
    out = np.searchsorted(sorted_sequence.array, values, "right" if right else "left")
    return constant(np.asarray(out, np.int64), sorted_sequence.node.dev)


@public(method=False)
def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """int64 vectors with a 1 at each class index (torch.nn.functional.one_hot)."""
    i = tensor.array
    if i.dtype != dtypes.I64:
        raise RuntimeError(
            message(
                "one_hot is only applicable to index tensor of type LongTensor",
                f"got {describe(tensor)}",
            )
        )
    if i.size and int(i.min()) < 0:
        raise RuntimeError(
            message("Class values must be non-negative.", f"smallest: {int(i.min())}")
        )
    n = int(i.max()) + 1 if num_classes == -1 else num_classes
    if i.size and int(i.max()) >= n:
        raise RuntimeError(
            message(
                "Class values must be smaller than num_classes.",
                f"largest: {int(i.max())}, num_classes: {n}",
            )
        )
    return constant(
        (i[..., None] == tensor.node.dev.array(np.arange(n))).astype(np.int64), tensor.node.dev
    )
