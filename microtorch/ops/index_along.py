"""Reading and writing whole slices along one dimension, at a vector of integers.

All are reads and writes at the index ``[:, ..., index]``, and have their derivatives from there. A
0-d tensor has, for them, one dimension of one element.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import I64, TORCH_TYPES
from ..backends import defines, host
from ..base.errors import OutOfRange, describe, message
from ..engine.apply import apply
from ..engine.record import constant, constant_of, has_order, moved
from ..engine.short import single
from ..engine.whole import on_arrays, writers
from .arguments import (
    as_element,
    dim_of,
    element,
    owned,
    refuse_complex,
    rows,
    within,
)
from .gather import unrecorded
from .index import index_op, index_put_op
from .index_parsing import Place
from .select import where
from .shape import expand, reshape
from .surface import METHODS, public, writes_over

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Number, TensorLike
    from ..handles.tensor import Tensor

INTEGERS = {np.dtype(np.int32): "int32", np.dtype(np.int64): "int64"}


@defines
def check_along(F: Backend, x: Array, name: str, d: int, n: int, least: int) -> None:
    """IndexError unless indices ``x`` of dimension ``d``, of size n, are from ``least`` to n - 1.

    A kernel, so that a recorded program asks at each call.
    """
    if within(x, n) or not x.size:
        return
    if not (least <= int(x.min()) and int(x.max()) < n):
        raise OutOfRange(
            message(
                "index out of range in self",
                f"{name}: index {describe(x)} from {int(x.min())} to {int(x.max())}, "
                f"dimension {d} has size {n}",
            )
        )


def _place(
    name: str, input: Tensor, dim: int, index: Tensor, kinds: tuple[str, ...], wrong: type,
    negative: bool = False, writes: bool = False,
) -> Place:  # fmt: skip
    """``[:, ..., index]`` for an index of these integer types. Raises ``wrong`` for another type.

    ``negative``: the index may count from the end. ``writes``: only slices are written, where those
    of no elements may have any index.
    """
    if not hasattr(index, "node"):
        raise TypeError(
            message(f"{name}(): argument 'index' must be Tensor, not {type(index).__name__}")
        )
    x = index.array
    if INTEGERS.get(x.dtype) not in kinds:
        raise wrong(
            message(
                f"{name}(): Expected dtype {' or '.join(kinds)} for index",
                f"got {describe(index)}",
                fix="index.long()",
            )
        )
    if x.ndim > 1:
        raise IndexError(
            message(f"{name}(): Index is supposed to be a vector", f"got {describe(index)}")
        )
    d = dim_of(dim, input.array.ndim, name)
    shape = input.array.shape
    n = shape[d] if shape else 1
    if writes and not all(shape[:d] + shape[d + 1 :]):
        return (*(slice(None),) * d, x.reshape(-1)[:0])
    index.node.dev.check_along(x, name, d, n, -n * negative)
    return (*(slice(None),) * d, x.reshape(-1).copy())


def _lined(input: Tensor) -> Tensor:
    return input if input.array.ndim else reshape(input, 1)


def _written(
    input: Tensor, place: Place, source: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy of ``input`` with ``source`` written (or added) at a place."""
    attrs = {"index": place, "accumulate": accumulate}
    d, shape = len(place) - 1, source.array.shape
    if shape and not source.array.size:  # slices of no elements: as many as the place has
        source = reshape(source, *shape[:d], len(place[d]), *shape[d + 1 :])
    out = apply(index_put_op, (_lined(input), source), attrs)
    return out if input.array.ndim else owned(reshape(out))


@public()
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices at ``index`` (1-d, integer) along ``dim``."""
    if type(dim) is int and type(index) is type(input) and not input.node.needs:
        x, i, dev = input.array, index.array, input.node.dev  # what is checked below, at once
        if type(x) is np.ndarray and type(i) is np.ndarray and i.ndim == 1 and i.size:
            if i.dtype is I64 and -x.ndim <= dim < x.ndim:
                out = dev.taken(x, (*(slice(None),) * (dim % x.ndim), i))
                if out is not None:
                    return constant_of(out, dev)
    place = _place("index_select", input, dim, index, ("int32", "int64"), RuntimeError)
    if input.array.ndim:
        out = single(index_op, input, {"index": place})
        return moved(out, rows(out.array)) if has_order(out) else out
    if index.array.size != 1:
        raise RuntimeError(
            message(
                "index_select(): Index to scalar can have only 1 value, got "
                f"{index.array.size} value(s)"
            )
        )
    return owned(reshape(single(index_op, reshape(input, 1), {"index": place})))


@defines
def added_rows(F: Backend, out: Array, g: Array, index: Place) -> Array | None:
    """``out`` with ``g`` added at ``[:, ..., integers]``, in its own memory, by a backend that can;
    None if it cannot, or if an index is out of range: then ``out`` may be half written.
    """
    return None


def _rows_to_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor
) -> tuple[Array, Array, Place] | None:
    """What ``index_add`` takes, if nothing is recorded, of operands that fit; None of others."""
    if (found := unrecorded(input, dim, index, source)) is None:
        return None
    a, i, g, d = found
    if i.ndim != 1 or g.shape != (*a.shape[:d], i.size, *a.shape[d + 1 :]):
        return None
    return (a, g, (*(slice(None),) * d, i)) if within(i, a.shape[d]) else None


@writes_over("index_add")
def index_add_over(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1
) -> bool:
    if alpha != 1 or (found := _rows_to_add(input, dim, index, source)) is None:
        return False
    out = input.node.dev.added_rows(*found)
    if out is not None and out is not found[0]:  # of 16 bits: computed in float32
        found[0][...] = out
    return out is not None


@public()
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1
) -> Tensor:
    """A copy of ``input`` with ``alpha * source`` added at the slices ``index`` along ``dim``."""
    if alpha == 1 and (found := _rows_to_add(input, dim, index, source)) is not None:
        return constant_of((dev := input.node.dev).index_put(*found, True), dev)
    place = _place(
        "index_add", input, dim, index, ("int32", "int64"), RuntimeError, writes=True
    )
    _same_type("index_add", input, source)
    x, source = _lined(input), _lined(source) if not input.array.ndim else source
    d = len(place) - 1
    fits = list(x.array.shape)
    fits[d] = index.array.size
    if list(source.array.shape) != fits:
        raise (RuntimeError if input.array.ndim or source.array.ndim > 1 else IndexError)(
            message(
                "source tensor shape must match self tensor shape, excluding the specified "
                f"dimension. Got self.shape = {list(x.array.shape)} source.shape = "
                f"{list(source.array.shape)}",
                f"index_add along dimension {d} with {index.array.size} indices",
            )
        )
    return _written(input, place, source if alpha == 1 else source * element(alpha, source), True)


@public()
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of ``input`` with ``source`` written at the slices ``index`` along ``dim``."""
    place = _place("index_copy", input, dim, index, ("int64",), RuntimeError, writes=True)
    _same_type("index_copy", input, source)
    x, d, n = _lined(input), len(place) - 1, index.array.size
    if source.array.ndim and input.array.ndim and source.array.ndim != input.array.ndim:
        raise IndexError(
            message(
                "index_copy_(): When source and destination are not scalars, their dimensionality "
                f"must match. Source dimensionality ({source.array.ndim}), destination "
                f"dimensionality ({input.array.ndim})"
            )
        )
    given = _lined(source).array.shape
    if len(given) == x.array.ndim and given[d] != n:
        raise IndexError(
            message(
                f"index_copy_(): Number of indices ({n}) should be equal to source.size(dim) "
                f"({given[d]})"
            )
        )
    if given[:d] + given[d + 1 :] != x.array.shape[:d] + x.array.shape[d + 1 :]:
        raise RuntimeError(
            message(
                "index_copy_(): Source/destination tensor must have same slice shapes.",
                f"input {describe(input)}, source {describe(source)}, dim {d}",
            )
        )
    return _written(input.contiguous(), place, _lined(source))


@public()
def index_fill(input: Tensor, dim: int, index: Tensor, value: TensorLike) -> Tensor:
    """A copy of ``input`` with ``value`` in the slices ``index`` along ``dim``."""
    place = _place("index_fill", input, dim, index, ("int64",), IndexError, True, True)
    written: Any = value
    given = hasattr(written, "node")
    imaginary = written.is_complex() if given else isinstance(written, complex)
    if imaginary and not input.is_complex():
        what = "index_fill_(): Converting complex Scalar to non-complex type is not supported"
        raise RuntimeError(message(what, f"{written} into {describe(input)}"))
    if not given:
        written = element(written, input)
    elif written.array.ndim:
        raise RuntimeError(
            message(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{written.array.ndim} dimension(s)."
            )
        )
    else:
        written = as_element(written, input)
    # each slice once: what is written twice is there once, and so is its derivative
    *lead, i = place
    n = input.array.shape[len(lead)] if input.array.ndim else 1
    if writers:  # a program's sizes do not depend on data: a choice at each element
        among = constant(on_arrays("index_fill", _among, index.array, n=n))
        ends = (1,) * (input.array.ndim - len(lead) - 1)
        among = among.reshape(n, *ends) if input.array.ndim else among.reshape(())
        return where(among, written, input)
    once = index.node.dev.array(np.unique(host(i) % n) if i.size else host(i))
    return _written(input, (*lead, once), written)


def _among(index: Array, n: int) -> Array:
    """Is each of n places among the index?"""
    found = np.zeros(n, bool)
    found[index % n] = True
    return found


@public()
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """``source`` combined with the slices at ``index``, by "prod", "mean", "amax" or "amin"."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            message(
                "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
                f"{reduce}."
            )
        )
    refuse_complex("index_func_", input)
    place = _place("index_reduce", input, dim, index, ("int32", "int64"), RuntimeError)
    _same_type("index_reduce", input, source)
    x, source, d = _lined(input), _lined(source), len(place) - 1
    fits = list(x.array.shape)
    fits[d] = index.array.size
    if list(source.array.shape) != fits:
        raise (RuntimeError if input.array.ndim or source.array.ndim > 1 else IndexError)(
            message(
                "index_reduce(): source must have the shape of self, and as many slices as indices",
                f"input {describe(input)}, source {describe(source)}, {index.array.size} indices",
            )
        )
    along = reshape(index.long(), *(-1 if i == d else 1 for i in range(len(fits))))
    out = METHODS["scatter_reduce"](
        x, d, expand(along, *fits), source, reduce, include_self=include_self
    )
    return out if input.array.ndim else owned(reshape(out))


def _same_type(name: str, input: Tensor, source: Any) -> None:
    if not hasattr(source, "node"):
        raise TypeError(
            message(f"{name}(): argument 'source' must be Tensor, not {type(source).__name__}")
        )
    if source.array.dtype != input.array.dtype:
        mine, other = [TORCH_TYPES[t.array.dtype.name] for t in (input, source)]
        raise RuntimeError(
            message(
                f"{name}(): self ({mine}) and source ({other}) must have the same scalar type",
                fix="source.to(input.dtype)",
            )
        )
