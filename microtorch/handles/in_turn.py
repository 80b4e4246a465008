"""In-place writes that read what they have written before: one element after the other.

Where a target shows elements several times, or an operand lies in the target's memory otherwise
than as the elements that are written, the result depends on the order of the writes. Here it is
PyTorch's, tried out on a copy of the memory. The derivative is that of the operands before.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..arrays.memory_order import is_dense, memory_order, overlaps_itself
from ..engine.whole import unrepeatable
from ..ops.index import strides_at_index
from .memory import copied, owner
from .overlaps import are_one, recorded_array

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Attrs, Shape

    Steps: TypeAlias = Sequence[Sequence[int]]  # of each operand its strides

MOST_COPIED = 1 << 20  # bytes of memory of which a copy is made to try it out
READS_ITSELF = "a write reads what it has written before: .clone() what it reads"
FEW = 16  # elements, which PyTorch writes one after the other; more of them in vectors, or not


def _meet(a: Array, b: Array) -> bool:
    """Have two arrays an element in common, as far as some work of numpy tells?"""
    share: Callable[..., bool] = np.may_share_memory
    return share(a, b, 1000)


def _tries(target: Array, *operands: Argument) -> bool:
    """Does the order of writes matter, and can it be tried out on a copy of the memory?"""
    if type(target) is not np.ndarray or not target.size:
        return False
    own = owner(target)
    if not any([type(a) is np.ndarray and a.dtype == target.dtype and owner(a) is own
                and _meet(a, target) for a in operands]):  # fmt: skip
        if target.flags.writeable or not overlaps_itself(target):
            return False
    return is_dense(own) and own.nbytes <= MOST_COPIED


def _turns(shape: Shape, order: Sequence[int], row: bool = False) -> Iterator[tuple[Any, ...]]:
    """The places in ``shape`` in turn, its dimensions in ``order`` from the outermost in.

    ``row``: all of the innermost dimension at once.
    """
    back = [order.index(i) for i in range(len(shape))]
    sizes = [shape[i] for i in (order[:-1] if row else order)]
    for turned in np.ndindex(*sizes):
        place = (*turned, slice(None)) if row else turned
        yield tuple([place[i] for i in back])


def one_after_another(
    target: Array, operands: Sequence[Any], function: Callable[..., Array]
) -> Array | None:
    """What ``target`` is after an elementwise in-place op that reads what it has written before.

    ``function(*elements)`` computes one, or a row of them. None where no operand lies in the memory
    of a small target, or only as the elements that are written, and the target shows each element
    once: then all is read before anything is written.
    """
    target = recorded_array(target)
    if type(target) is not np.ndarray:
        return None
    arrays = [recorded_array(getattr(x, "array", x)) for x in operands]
    others = [a for a in arrays if type(a) is np.ndarray and not are_one(a, target)]
    if not _tries(target, *others):
        return None
    memo: dict[Any, Any] = {}
    own, shape = owner(target), target.shape
    reads = any([owner(a) is own and _meet(a, target) for a in others])
    if reads and target.size >= FEW:
        return None
    unrepeatable(READS_ITSELF)
    out = copied(target, memo)
    read: list[Any] = []
    for x, a in zip(operands, arrays, strict=True):
        if type(a) is np.ndarray:
            try:
                x = copied(a, memo) if owner(a) is own else a
                x = np.broadcast_to(x, shape) if x.ndim else x
            except ValueError:
                return None  # which is refused elsewhere
        read.append(x)
    steps = [x.strides for x in (out, *read) if type(x) is np.ndarray and x.ndim == out.ndim]
    order = memory_order(shape, tuple(steps))
    for place in _turns(shape, order, not reads and bool(shape)):
        place = (*place, ...)
        out[place] = recorded_array(function(
            out[place],
            *[x[place if x.ndim else ...] if type(x) is np.ndarray else x for x in read],
        ))  # fmt: skip
    return out.copy()


# ---- writes at indices ---------------------------------------------------------------------------
# what is written in turn: the number of the element of the target, and the order of dimensions
Turns: TypeAlias = "tuple[Array, Sequence[int]]"


def _numbers(x: Array) -> Array:
    return np.arange(x.size).reshape(x.shape)


def _index_copy(x: Array, source: Array, dim: int, index: Array) -> Turns:
    d = dim % x.ndim
    steps = [list(x.strides), [0] * x.ndim, list(source.strides)]
    steps[0][d], steps[1][d] = 0, index.itemsize
    at = _numbers(x).take(index.reshape(-1), d)
    return at, memory_order(source.shape, tuple(map(tuple, steps)))


def _scatter(x: Array, source: Array, dim: int, index: Array) -> Turns:
    """Row after row along ``dim`` if it is the last; else the innermost loop runs within the rest.

    PyTorch's TensorIterator joins to that loop the dimensions that lie in memory as one.
    """
    d, shape = dim % x.ndim, index.shape
    places = list(np.ogrid[tuple([slice(n) for n in shape])])
    places[d] = index
    at = _numbers(x)[tuple(places)]
    steps = [list(a.strides) for a in (x, source, index)]
    for s in steps:
        s[d] = 0
    sizes = tuple([1 if i == d else n for i, n in enumerate(shape)])
    order = [i for i in memory_order(sizes, tuple(map(tuple, steps))) if i != d]
    if d == x.ndim - 1:
        return at, [*order, d]
    inner, size, step = len(order), 1, [0, 0, 0]
    for i in reversed(order):
        if 1 not in (size, sizes[i]) and [s[i] for s in steps] != [size * t for t in step]:
            break
        if size == 1:
            step = [s[i] for s in steps]
        inner, size = inner - 1, size * sizes[i]
    return at, [*order[:inner], d, *order[inner:]]


def _index_add(x: Array, source: Array, dim: int, index: Array, alpha: Argument = 1) -> Turns:
    """Slice after slice; but without a factor, and along an outermost dimension, by scatter_add."""
    d = dim % x.ndim
    if alpha == 1 and d in (0, x.ndim - 1) and index.dtype == np.int64:
        index = index.reshape([-1 if i == d else 1 for i in range(x.ndim)])
        return _scatter(x, source, d, np.broadcast_to(index, source.shape))
    at, _ = _index_copy(x, source, dim, index)
    rest = [i for i in range(x.ndim) if i != d]
    steps = [tuple([s[i] for i in rest]) for s in (x.strides, source.strides)]
    order = memory_order(tuple([x.shape[i] for i in rest]), tuple(steps))
    return at, [d, *[rest[i] for i in order]]


def _index_put(x: Array, source: Array, index: tuple[Any, ...]) -> Turns:
    at = _numbers(x)[index]
    source = np.broadcast_to(source, at.shape)
    steps = (tuple(strides_at_index(x, index, at.ndim)), source.strides)
    return at, memory_order(at.shape, steps)


def _put(x: Array, source: Array, index: Array) -> Turns:
    at = _numbers(x).reshape(-1)[index.reshape(source.shape)]
    steps = source.strides, index.reshape(source.shape).strides
    return at, memory_order(source.shape, steps)


def _masked_scatter(x: Array, source: Array, mask: Array) -> Turns:
    return _numbers(x)[np.broadcast_to(mask, x.shape)], [0]


def at_indices(
    target: Array, source: Array, factor: Argument, turns: Callable[..., Turns], *given: Argument
) -> Array | None:
    """What ``target`` is after ``source`` is written to places of it, or ``factor`` times added.

    ``turns(target, source, *given)`` says which and in what order. None where that does not matter.
    """
    target, source = recorded_array(target), recorded_array(source)
    if type(source) is not np.ndarray or not _tries(target, source):
        return None
    unrepeatable(READS_ITSELF)
    memo: dict[Any, Any] = {}
    out, read = copied(target, memo), copied(source, memo)
    if not out.ndim:
        out, read = out.reshape(1), read.reshape(1)
    at, order = turns(out, read, *given)
    if turns is _masked_scatter:
        read = read.reshape(-1)[: at.size]
    elif turns is _scatter:
        read = read[tuple([slice(n) for n in at.shape])]
    read = np.broadcast_to(read, at.shape)
    for place in _turns(at.shape, order):
        to = np.unravel_index(at[place], out.shape)
        out[to] = read[place] if factor is None else out[to] + factor * read[place]
    return out.reshape(target.shape).copy()


def index_put(
    target: Array, source: Array, index: Argument, accumulate: bool = False
) -> Array | None:
    """``at_indices`` for ``target[index] = source``."""
    return at_indices(target, source, 1 if accumulate else None, _index_put, index)


WRITERS: dict[str, tuple[Callable[..., Turns], str]] = {  # and their parameters before the source
    "index_add": (_index_add, "dim index source"),
    "index_copy": (_index_copy, "dim index source"),
    "scatter": (_scatter, "dim index src"),
    "scatter_add": (_scatter, "dim index src"),
    "put": (_put, "index source accumulate"),
    "index_put": (_index_put, "index values accumulate"),
    "masked_scatter": (_masked_scatter, "mask source"),
}


def by_name(name: str, target: Array, args: Sequence[Argument], options: Attrs) -> Array | None:
    """``at_indices`` for a function that writes at indices, of this name."""
    if name not in WRITERS:
        return None
    turns, names = WRITERS[name]
    given: dict[str, Any] = {**dict(zip(names.split(), args, strict=False)), **options}
    if "indices" in given:
        given["index"] = given["indices"]
    if name == "index_put":
        given["index"] = tuple([slice(None) if i is None else i.array for i in given["index"]])
    values = [given[k] for k in ("source", "src", "values") if hasattr(given.get(k), "array")]
    if not values or given.get("reduce"):
        return None
    adds = name.endswith("_add") or given.get("accumulate")
    places = [given[k] for k in ("dim", "index", "mask", "alpha") if k in given]
    factor = given.get("alpha", 1) if adds else None
    source = values[0].array
    if name == "masked_scatter" and not source.flags.c_contiguous:
        source = source.copy()  # as PyTorch does
    return at_indices(target, source, factor, turns, *[getattr(p, "array", p) for p in places])
