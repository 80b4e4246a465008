"""Finding elements: in sorted sequences, in sets, among equals."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import BOOL, I64
from ..backends import cpu, defines
from ..base.errors import describe, message
from ..engine.argument_types import check_type
from ..engine.handle import Handle
from ..engine.record import constant, constant_of
from ..engine.whole import on_arrays, writers
from .arguments import dim_of, refuse_complex
from .row_order import order, sort_key
from .settled import settled
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DType, Operand, TensorLike
    from ..handles.tensor import Tensor


# ---- in sorted sequences -------------------------------------------------------------------------
@public(method=False)
def searchsorted(
    sorted_sequence: Tensor, input: TensorLike, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where each element would be inserted into the sequence of its row, sorted along the last
    dimension.

    ``right`` (or ``side="right"``): after equal elements. ``sorter``: the indices that sort.
    """
    plain = None
    if sorter is None and side is None and not out_int32:
        plain = _plain(sorted_sequence, input)
    if plain is not None and plain[1].ndim == 1:
        dev, x, values = plain  # of which nothing below is to be asked
        return constant_of(dev.searched(x, values, right), dev.of(I64))
    x, values = _checked(sorted_sequence, input, right, side, sorter)
    right, common = right or side == "right", _common(sorted_sequence, input)
    dev, d = sorted_sequence.node.dev, np.dtype(np.int32 if out_int32 else np.int64)
    found: Array = on_arrays(
        "searchsorted", _found, x, values, common=common, right=right, dtype=d
    )
    return constant(found, getattr(found, "dev", dev))


def _plain(a: object, b: object) -> tuple[Backend, Array, Array] | None:
    """The backend and the arrays of two Tensors of one dtype of ordered numbers; None of others."""
    if writers or not (isinstance(a, Handle) and isinstance(b, Handle)) or type(a) is not type(b):
        return None
    x, y = a.array, b.array
    if not type(x) is type(y) is np.ndarray or (d := x.dtype) is not y.dtype:
        return None
    fine = d.kind in "iu" or (d.kind == "f" and d.itemsize > 2)
    return (a.node.dev, x, y) if fine else None


def _checked(
    sorted_sequence: Tensor, input: TensorLike, right: bool, side: str | None,
    sorter: Tensor | None,
) -> tuple[Array, Array]:  # fmt: skip
    """The sequence, in order, and what is looked for; raises for operands that do not fit."""
    check_type("searchsorted", "input", "TensorLike", input)
    x, values = sorted_sequence.array, _values(input)
    if "c" in (x.dtype.kind, values.dtype.kind):
        refuse_complex("searchsorted_out_cpu", x, values)
    if x.dtype.kind == "b" and values.dtype.kind == "b":
        what = "\"searchsorted_out_cpu\" not implemented for 'Bool'"
        raise NotImplementedError(message(what, describe(sorted_sequence), fix="x.int()"))
    if side not in (None, "left", "right"):
        raise _wrong(f"side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise _wrong(
            "side and right can't be set to opposites, got side of left while right was True"
        )
    if not x.ndim and values.size:
        raise _wrong("boundaries tensor should have positive dimension, but got 0 dimension")
    if sorter is not None:
        if sorter.array.dtype != np.int64:
            raise _wrong(f"sorter must be a tensor of long dtype but got {describe(sorter)}")
        if sorter.array.shape != x.shape:
            raise _wrong(
                "boundary and sorter must have the same size, but got boundary tensor "
                f"{list(x.shape)} and got sorter tensor {list(sorter.array.shape)}"
            )
        if x.size and not (sorter.array.min() >= 0 and sorter.array.max() < x.shape[-1]):
            raise _wrong("sorter index out of range")
        x = np.take_along_axis(x, sorter.array, -1)
    if x.ndim != 1 and (values.ndim != x.ndim or values.shape[:-1] != x.shape[:-1]):
        raise _wrong(
            "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            "tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(x.shape)} and input value tensor {list(values.shape)}"
        )
    return x, values


def _found(x: Array, values: Array, common: DType | None, right: bool, dtype: DType) -> Array:
    x, values = _comparable(x, common), _comparable(values, common)
    found: Array = cpu.of(x.dtype).searched(x, values, right)
    return found if found.dtype is dtype else found.astype(dtype)


@defines
def searched(F: Backend, x: Array, values: Array, right: bool) -> Array:
    """The places of ``values`` in the sorted rows of ``x``, or in its only one."""
    end: Literal["left", "right"] = "right" if right else "left"
    if x.ndim == 1:
        return np.asarray(x.searchsorted(values, end))
    found = np.empty(values.shape, I64)
    for row in np.ndindex(*x.shape[:-1]):
        found[row] = np.searchsorted(x[row], values[row], end)
    return found


@public(method=False)
def bucketize(
    input: TensorLike, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """In which of the intervals between the sorted ``boundaries`` each element lies."""
    if boundaries.array.ndim != 1:
        what = f"boundaries tensor must be 1 dimension, but got dim({boundaries.array.ndim})"
        raise RuntimeError(message(what, describe(boundaries)))
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def _values(x: TensorLike) -> Array:
    return x.array if isinstance(x, Handle) else np.asarray(x)


def _common(*operands: Operand) -> DType | None:
    """The dtype in which operands are compared, if it is floating: a number beside a tensor of
    floats is one of them, and 0.7 is found among float32s. Integers are compared as they are.
    """
    given = [(x, _values(x).dtype) for x in operands]
    ranks = [
        (d, 1 + (x.array.ndim > 0)) if isinstance(x, Handle) else (dtypes.of_number(x), 0)
        for x, d in given
    ]
    common = dtypes.promote(ranks)
    return common if common.kind in "fV" else None


def _comparable(x: Array, common: DType | None) -> Array:
    """``x`` in the dtype of the comparison; numbers of 16 bits as float32: numpy compares and sorts
    those one by one, and may put a NaN of bfloat16 anywhere.
    """
    x = x if common is None or x.dtype is common else x.astype(common, copy=False)
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def _wrong(what: str) -> Exception:
    return RuntimeError(message(f"torch.searchsorted(): {what}"))


# ---- in sets -------------------------------------------------------------------------------------
@public(method=False)
def isin(
    elements: TensorLike, test_elements: TensorLike, *, assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:  # fmt: skip
    """Is each element among ``test_elements`` (``invert``: not among them)?"""
    if (plain := _plain(elements, test_elements)) is not None:
        dev, *arrays = plain
        return constant_of(dev.member(*arrays, invert), dev.of(BOOL))
    for x in (elements, test_elements):
        check_type("isin", "elements", "TensorLike", x)
        if _values(x).dtype.kind in "bc":
            raise RuntimeError(
                message(f"Unsupported input type encountered for isin(): {describe(x)}")
            )
    dev = (elements if hasattr(elements, "node") else test_elements).node.dev
    given = _values(elements), _values(test_elements)
    common = _common(elements, test_elements)
    found = on_arrays("isin", _member, *given, common=common, invert=invert)
    return constant(found, getattr(found, "dev", dev))


def _member(x: Array, among: Array, common: DType | None, invert: bool) -> Array:
    x, among = _comparable(x, common), _comparable(among, common)
    found: Array = cpu.of(x.dtype).member(x, among, invert)
    return found


@defines
def member(F: Backend, x: Array, among: Array, invert: bool) -> Array:
    """Is each element of ``x`` one of ``among``, or (``invert``) none of them?"""
    return np.isin(x, among, invert=invert)


# ---- among equals --------------------------------------------------------------------------------
@public()
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:  # fmt: skip
    """The distinct elements (slices along ``dim``) in order.

    On request, also where each element of the input is among them, and how often each occurs.
    """
    refuse_complex("unique", input)
    if dim is not None:
        dim = _dim("unique", input.array, dim)
    found = on_arrays("unique", _unique, input.array, dim=dim, inverse=return_inverse,
                      counts=return_counts)  # fmt: skip
    return _parts(input, *found)


def _unique(x: Array, dim: int | None, inverse: bool, counts: bool) -> tuple[Array, ...]:
    """The distinct elements, and what else is asked for."""
    if dim is not None:
        out, places, many = _distinct(x, dim)
        return (out, *[places] * inverse, *[many] * counts)
    flat = x.reshape(-1)
    places = order(flat, 0) if flat.size else np.zeros(0, np.int64)
    ordered = flat[places]
    first = _first(ordered)
    found = [ordered[first]]
    if inverse:
        which = np.empty(flat.shape, np.int64)
        which[places] = np.cumsum(first) - 1
        found.append(which.reshape(x.shape))
    if counts:
        found.append(np.diff(np.flatnonzero(np.append(first, True))))
    return tuple(found)


def _dim(name: str, x: Array, dim: int) -> int:
    """The dimension along which slices are compared. RuntimeError for slices of no elements."""
    dim = dim_of(dim, x.ndim, name)
    empty = x.shape.count(0)
    if empty > 1:
        what = "Number of zero sized dimensions is more than one, so unique cannot be applied"
        raise RuntimeError(message(what, describe(x)))
    if empty and x.shape[dim]:
        what = "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        raise RuntimeError(message(what, describe(x)))
    return dim


def _distinct(x: Array, dim: int) -> tuple[Array, Array, Array]:
    """``unique`` of slices: in the order of their bytes, for numpy compares structures slowly."""
    keys = sort_key(x) if x.ndim else None
    if keys is None or not x.size:
        found: Any = np.unique(x, return_inverse=True, return_counts=True, axis=dim,
                               equal_nan=False)  # fmt: skip
        return found
    n, rest = x.shape[dim], x.size // x.shape[dim]
    # the highest byte first, and negative numbers before the others
    width = 1 if x.dtype.kind == "b" else 8
    unsigned = keys.view(np.uint64) ^ np.uint64(1 << 63) if width == 8 else keys
    unsigned = unsigned.astype(f">u{width}")
    slices = np.ascontiguousarray(np.moveaxis(unsigned, dim, 0)).reshape(n, rest)
    places = np.argsort(slices.view(f"V{width * rest}").reshape(n), kind="stable")
    moved = np.moveaxis(x, dim, 0)[places]
    flat = moved.reshape(n, rest)
    first = np.append(True, (flat[1:] != flat[:-1]).any(1))
    inverse = np.empty(n, np.int64)
    inverse[places] = np.cumsum(first) - 1
    counts = np.diff(np.flatnonzero(np.append(first, True)))
    return np.ascontiguousarray(np.moveaxis(moved[first], 0, dim)), inverse, counts


def _first(x: Array) -> Array:
    """Does each element of a flat array differ from the one before it?"""
    first = np.empty(x.shape, bool)
    first[:1] = True
    np.not_equal(x[1:], x[:-1], out=first[1:])
    return first


@public()
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:  # fmt: skip
    """The elements (slices along ``dim``) without those that equal the one before them."""
    refuse_complex("unique", input)
    x = input.array
    if dim is None:
        moved = x.reshape(-1)
        first = _first(moved)
    else:
        dim = _dim("unique_consecutive", x, dim)
        moved = np.moveaxis(x, dim, 0) if x.ndim else x.reshape(1)
        slices = moved.reshape(len(moved), moved[:1].size)
        different = (slices[1:] != slices[:-1]).any(1)
        first = np.concatenate((np.ones(min(len(moved), 1), bool), different))
    out = moved[first]
    inverse = np.cumsum(first) - 1
    counts = np.bincount(inverse, minlength=len(out)).astype(np.int64)
    if dim is None:
        inverse = inverse.reshape(x.shape)
    elif x.ndim:
        out = np.ascontiguousarray(np.moveaxis(out, 0, dim))
    return _parts(input, out, inverse if return_inverse else None,
                  counts if return_counts else None)  # fmt: skip


def _parts(
    input: Tensor, out: Array, *counts: Array | None
) -> Tensor | tuple[Tensor, ...]:
    """The distinct elements, and what else was asked for."""
    more = [a.astype(np.int64, copy=False) for a in counts if a is not None]
    tensors = (
        settled("unique", out, input), *[constant(a, input.node.dev) for a in more]
    )  # fmt: skip
    return tensors if len(tensors) > 1 else tensors[0]


@public(method=False)
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Places in a flat array as one index per dimension of an array of ``shape``."""
    if indices.array.dtype.kind not in "iu":
        what = f"expected 'indices' to be integer dtype, but got {indices.dtype}"
        raise TypeError(message(what, fix="indices.long()"))
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(not isinstance(n, (int, np.integer)) for n in sizes):
        raise TypeError(message(f"expected 'shape' to be int or sequence of ints, but got {shape}"))
    if any(n < 0 for n in sizes):
        raise ValueError(message(f"'shape' cannot have negative values, but got {sizes}"))
    left, parts = indices.array.astype(np.int64), []
    dev = indices.node.dev
    for n in reversed(sizes):
        parts.append(left % n)
        left = left // n
    return tuple(constant(dev.array(p), dev) for p in reversed(parts))
