"""Steps that move elements, or pick some by their places, as nodes of ONNX.

They enter themselves into the table of onnx_nodes.py.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .onnx_nodes import listed, node, pads
from .onnx_sized import is_mask, masked, put_masked
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, Operand, Shape
    from .onnx_writer import Writer
    from .program import Step


# ---- shapes --------------------------------------------------------------------------------------
@node("reshape", "squeeze", "unsqueeze", "view", "ravel", "flatten")
def _reshape(w: Writer, s: Step) -> None:
    x, to = s.arguments[0], w.shape(s.result)
    own = w.shape(x)
    # the first dimension, which may be dynamic, is what is left over or what it was
    first = 0 if own and to and own[0] == to[0] else -1
    if 0 in to:
        w.node("Reshape", [w.name(x), w.numbers(*to)], w.out(s), allowzero=1)
        return
    w.node("Reshape", [w.name(x), w.numbers(*([first, *to[1:]] if to else to))], w.out(s))


@node("transpose", "permute", "t", "swapaxes")
def _transpose(w: Writer, s: Step) -> None:
    n, a = len(w.shape(s.arguments[0])), s.attrs
    perm = [*range(n)]
    if "dims" in a:
        perm = [i % n for i in a["dims"]]
    elif "dim0" in a:
        i, j = a["dim0"] % n, a["dim1"] % n
        perm[i], perm[j] = j, i
    elif len(s.arguments) == 1 or s.arguments[1] is None:
        perm.reverse()
    else:
        raise w.refuse()
    if n < 2:
        w.node("Identity", [w.name(s.arguments[0])], w.out(s))
        return
    w.node("Transpose", [w.name(s.arguments[0])], w.out(s), perm=perm)


@node("expand", "broadcast_to")
def _expand(w: Writer, s: Step) -> None:
    w.node("Expand", [w.name(s.arguments[0]), w.numbers(*w.shape(s.result))], w.out(s))


@node("flip")
def _flip(w: Writer, s: Step) -> None:
    x = s.arguments[0]
    given = s.arguments[1] if len(s.arguments) > 1 else ()
    dims = listed(s.attrs.get("dims", s.attrs.get("axis", given)))
    n, far = len(dims), np.iinfo(np.int64).min
    lists = [w.numbers(*v) for v in ([-1] * n, [far] * n, dims, [-1] * n)] if n else []
    w.node("Slice" if n else "Identity", [w.name(x), *lists], w.out(s))


@node("roll")
def _roll(w: Writer, s: Step) -> None:
    found, shape = w.name(s.arguments[0]), w.shape(s.arguments[0])
    if not s.attrs.get("dims"):
        raise w.refuse(" of a flattened tensor")
    for shift, d in zip(s.attrs["shifts"], s.attrs["dims"], strict=True):
        if shape[d] and shift % shape[d]:
            places = np.roll(np.arange(shape[d]), shift)
            found = w.node("Gather", [found, w.constant(places)], axis=d)
    w.node("Identity", [found], w.out(s))


@node("slice", "select", "getitem")
def _slice(w: Writer, s: Step) -> None:
    x = s.arguments[0]
    index = s.attrs["index"] if "index" in s.attrs else s.arguments[1]
    parts = [*index] if type(index) is tuple else [index]
    if any(type(i) not in (int, slice, type(Ellipsis), type(None)) for i in parts):
        _index(w, s)
        return
    shape = w.shape(x)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        rest = len(shape) - sum(i is not None for i in parts) + 1
        parts[at : at + 1] = [slice(None)] * rest
    new, place = [], 0  # dimensions of size 1, by their places in the result
    for i in parts:
        if i is None:
            new.append(place)
        place += type(i) is not int
    parts = [i for i in parts if i is not None]
    found, gone = w.name(x), []
    for axis, (part, n) in enumerate(zip(parts, shape, strict=False)):
        if type(part) is int:
            gone.append(axis)
            part = slice(part % n, part % n + 1)
        start, stop, step = part.indices(n)
        if (start, stop, step) != (0, n, 1):
            given = [found, *(w.numbers(i) for i in (start, stop, axis, step))]
            found = w.node("Slice", given)
    if gone:
        found = w.node("Squeeze", [found, w.numbers(*gone)])
    if new:
        found = w.node("Unsqueeze", [found, w.numbers(*new)])
    w.node("Identity", [found], w.out(s))


@node("index", "border")
def _index(w: Writer, s: Step) -> None:
    """By arrays of places: one along a dimension, or one for each of the first dimensions."""
    x = s.arguments[0]
    index = s.attrs["index"] if "index" in s.attrs else s.arguments[1]
    parts = [*index] if type(index) is tuple else [index]
    arrays = [i for i, part in enumerate(parts) if type(part) in (Ref, int)]
    whole = all(type(p) in (Ref, int) or p == slice(None) or p is Ellipsis for p in parts)
    if any(is_mask(w, p) for p in parts):
        masked(w, s, x, parts)
        return
    if not whole or Ellipsis in parts[:-1]:
        _take_flat(w, s, x, parts)
        return
    if len(arrays) == 1 and type(parts[arrays[0]]) is Ref:
        w.node("Gather", [w.name(x), w.name(parts[arrays[0]])], w.out(s), axis=arrays[0])
        return
    first, shape = arrays[0], w.shape(x)
    if arrays == [*range(first, len(shape))] and all(
        type(parts[i]) is Ref and parts[i].number in w.program.constants for i in arrays
    ):  # places that are known, in the part of x that they index, made flat
        places = np.arange(math.prod(shape[first:])).reshape(shape[first:])
        flat = w.node("Reshape", [w.name(x), w.numbers(*[0] * first, -1)])
        at = places[tuple([w.known(parts[i]) for i in arrays])]
        w.node("Gather", [flat, w.constant(at)], w.out(s), axis=first)
        return
    if arrays != [*range(len(arrays))]:
        _take_flat(w, s, x, parts)
        return
    w.node("GatherND", [w.name(x), _tuples(w, [parts[i] for i in arrays])], w.out(s))


def _take_flat(w: Writer, s: Step, x: Operand, parts: Sequence[Operand]) -> None:
    flat = w.node("Reshape", [w.name(x), w.numbers(-1)])
    w.node("Gather", [flat, _flat_places(w, w.shape(x), parts)], w.out(s), axis=0)


def _flat_places(w: Writer, shape: Shape, index: Sequence[Operand]) -> str:
    """The places of ``x[index]`` in x made flat, for an index of all kinds but masks: what is known
    of them, and for each array its numbers times how far a step goes, where numpy would put them.
    """
    used = sum(i is not None and i is not Ellipsis for i in index)
    whole = [i for i in index if type(i) is Ref or i is not Ellipsis]
    at = next((k for k, i in enumerate(index) if i is Ellipsis), len(whole))
    whole[at:at] = [slice(None)] * (len(shape) - used)
    axes = [sum(j is not None for j in whole[:k]) for k in range(len(whole))]
    arrays = [k for k, i in enumerate(whole) if type(i) is Ref]
    size = np.broadcast_shapes(*[w.shape(whole[k]) for k in arrays])
    # of each element of the result: which of the arrays' elements it is
    ranks = np.arange(math.prod(size))

    def taken(of: Array, first: Array) -> Array:
        """``of[index]`` with the first array as it is given, and 0 for the others."""
        known = [first if k == arrays[0] else first * 0 if k in arrays else i
                 for k, i in enumerate(whole)]  # fmt: skip
        found: Array = of[tuple(known)]
        return found

    places = np.arange(math.prod(shape)).reshape(shape)
    total = w.constant(taken(places, np.zeros(size, np.int64)))
    axis = axes[arrays[0]]
    wide = np.expand_dims(ranks, [*range(1, len(shape) - axis)])
    which = w.constant(taken(np.broadcast_to(wide, (*shape[:axis], len(ranks), *shape[axis + 1 :])),
                             ranks.reshape(size)))  # fmt: skip
    for k in arrays:
        numbers = w.node("Expand", [w.cast(whole[k], np.dtype(np.int64)), w.numbers(*size)])
        number = w.node("Gather", [w.node("Reshape", [numbers, w.numbers(-1)]), which], axis=0)
        inside = w.node("Mod", [number, w.constant(np.asarray(shape[axes[k]]))])
        step = math.prod(shape[axes[k] + 1 :])
        total = w.node("Add", [total, w.node("Mul", [inside, w.constant(np.asarray(step))])])
    return total


def _tuples(w: Writer, index: Sequence[Operand]) -> str:
    """Arrays of places, one for each of the first dimensions, as tuples of places."""
    shape = np.broadcast_shapes(*[w.shape(i) for i in index if type(i) is Ref])
    names = [w.cast(i, np.dtype(np.int64)) for i in index]
    rows = [
        w.node("Unsqueeze", [w.node("Expand", [name, w.numbers(*shape)]), w.numbers(-1)])
        for name in names
    ]
    return w.node("Concat", rows, axis=-1)


@node("index_put")
def _index_put(w: Writer, s: Step) -> None:
    x, values = s.arguments
    parts = [*s.attrs["index"]]
    how = "add" if s.attrs.get("accumulate") else "none"
    if any(is_mask(w, p) for p in parts) and (
        len(parts) > 1 or math.prod(w.shape(values)) > 1 or how == "add"
    ):  # fmt: skip
        put_masked(w, s, x, values, how)
        return
    if is_mask(w, parts[0]):
        one, mask = w.node("Reshape", [w.cast(values, w.dtype(x)), w.numbers()]), w.name(parts[0])
        rest = [*range(len(w.shape(parts[0])), len(w.shape(x)))]
        if rest:
            mask = w.node("Unsqueeze", [mask, w.numbers(*rest)])
        w.node("Where", [mask, one, w.name(x)], w.out(s))
        return
    while parts and parts[-1] in (slice(None), Ellipsis):
        parts.pop()
    if any(type(i) not in (Ref, int) for i in parts):
        places = _flat_places(w, w.shape(x), [*s.attrs["index"]])
        shape = w.node("Shape", [places])
        new = w.node("Expand", [w.cast(values, w.dtype(x)), shape])
        flat = [w.node("Reshape", [y, w.numbers(-1)]) for y in (w.name(x), places, new)]
        found = w.node("ScatterElements", flat, axis=0, reduction=how)
        w.node("Reshape", [found, w.numbers(*w.shape(x))], w.out(s))
        return
    at = np.broadcast_shapes(*[w.shape(i) for i in parts if type(i) is Ref])
    new = w.node("Expand", [w.cast(values, w.dtype(x)),
                            w.numbers(*at, *w.shape(x)[len(parts) :])])  # fmt: skip
    places = _tuples(w, parts)
    w.node("ScatterND", [w.name(x), places, new], w.out(s), reduction=how)


@node("index_fill")
def _index_fill(w: Writer, s: Step) -> None:
    """Which of n places an index names."""
    index, n = s.arguments[0], s.attrs["n"]
    none, all_of = w.constant(np.zeros(n, bool)), w.constant(np.ones(w.shape(index), bool))
    w.node("ScatterElements", [none, w.name(index), all_of], w.out(s), axis=0)


@node("fold")
def _fold(w: Writer, s: Step) -> None:
    a = s.attrs
    given = [w.name(s.arguments[0]), w.numbers(*a["size"]), w.numbers(*a["kernel"])]
    w.node("Col2Im", given, w.out(s), strides=a["stride"], dilations=a["dilation"], pads=pads(a))


@node("cdist")
def _cdist(w: Writer, s: Step) -> None:
    """The distances of all rows of one to all of the other."""
    if s.attrs.get("p", 2.0) != 2.0:
        raise w.refuse(" but for p = 2")
    x, y = s.arguments
    gap = w.node("Sub", [w.node("Unsqueeze", [w.name(x), w.numbers(-2)]),
                         w.node("Unsqueeze", [w.name(y), w.numbers(-3)])])  # fmt: skip
    w.node("ReduceL2", [gap, w.numbers(-1)], w.out(s), keepdims=0)


@node("take")
def _take(w: Writer, s: Step) -> None:
    x, index, *axis = s.arguments
    w.node("Gather", [w.name(x), w.name(index)], w.out(s), axis=axis[0] if axis else 0)


@node("place")
def _place(w: Writer, s: Step) -> None:
    """Into zeros, at a block of places: what pads a tensor."""
    x, index = s.arguments[0], s.attrs["index"]
    if any(type(i) is not slice for i in index) or len(index) != len(s.attrs["shape"]):
        raise w.refuse(" for this index")
    bounds = [i.indices(n) for i, n in zip(index, s.attrs["shape"], strict=True)]
    if any(step != 1 for *_, step in bounds):
        raise w.refuse(" for this index")
    before = [start for start, *_ in bounds]
    behind = [n - stop for (_, stop, _), n in zip(bounds, s.attrs["shape"], strict=True)]
    w.node("Pad", [w.name(x), w.numbers(*before, *behind)], w.out(s))


@node("diagonal", "as_strided", "unfold_dimension")
def _view(w: Writer, s: Step) -> None:
    """Elements by their places in the flat tensor."""
    x = s.arguments[0]
    if type(x) is not Ref or not w.program.values[x.number].contiguous:
        raise w.refuse(" for this layout")
    root, places = w.layout(s.result.number)
    inside, own = w.layout(x.number)
    if root != inside or (own.reshape(-1) != own.flat[0] + np.arange(own.size)).any():
        raise w.refuse(" for this layout")
    flat = w.node("Reshape", [w.name(x), w.numbers(-1)])
    w.node("Gather", [flat, w.constant(places - own.flat[0])], w.out(s), axis=0)


@node("trace")
def _trace(w: Writer, s: Step) -> None:
    x = s.arguments[0]
    rows, columns = w.shape(x)
    mask = np.eye(rows, columns).astype(w.dtype(x))
    found = w.node("ReduceSum", [w.node("Mul", [w.name(x), w.constant(mask)])], keepdims=0)
    w.node("Identity", [found], w.out(s))


@node("scatter")
def _scatter(w: Writer, s: Step) -> None:
    x, index, source = s.arguments
    if type(source) is Ref and w.shape(source):
        given = _as_large(w, source, index)
    else:
        given = w.node("Expand", [w.cast(source, w.dtype(x)), w.numbers(*w.shape(index))])
    w.node("ScatterElements", [w.name(x), w.name(index), given], w.out(s), axis=s.attrs["dim"])


def _as_large(w: Writer, source: Operand, index: Operand) -> str:
    """The part of a source that an index is for."""
    shape = w.shape(index)
    if w.shape(source) == shape:
        return w.name(source)
    zeros, axes = [0] * len(shape), range(len(shape))
    return w.node("Slice", [w.name(source), *[w.numbers(*v) for v in (zeros, shape, axes)]])


@node("scatter_sum")
def _scatter_sum(w: Writer, s: Step) -> None:
    source, index = s.arguments
    into = w.constant(np.zeros(s.attrs["shape"], w.dtype(source)))
    w.node("ScatterElements", [into, w.name(index), _as_large(w, source, index)], w.out(s),
           axis=s.attrs["dim"], reduction="add")  # fmt: skip


@node("scatter_reduce")
def _scatter_reduce(w: Writer, s: Step) -> None:
    how = {"prod": "mul", "amax": "max", "amin": "min", "sum": "add"}.get(s.attrs["reduce"])
    if how is None or len(s.arguments) != 3:
        raise w.refuse(" here")
    x, index, source = s.arguments
    given = [w.name(x), w.name(index), _as_large(w, source, index)]
    w.node("ScatterElements", given, w.out(s), axis=s.attrs["dim"], reduction=how)  # fmt: skip


@node("cat", "stack")
def _cat(w: Writer, s: Step) -> None:
    dim, given = s.attrs.get("dim", 0), s.arguments
    if given and not isinstance(given[0], Ref):  # numpy's, of a list
        given, dim = given[0], [*given[1:], s.attrs.get("axis", 0)][0]
    parts = [w.name(x) for x in given]
    if s.name == "stack":
        parts = [w.node("Unsqueeze", [x, w.numbers(dim)]) for x in parts]
    w.node("Concat", parts, w.out(s), axis=dim)


@node("block_diag")
def _block_diag(w: Writer, s: Step) -> None:
    """Each block between zeros as wide as the others."""
    wide, start, parts = w.shape(s.result)[1], 0, []
    for x in s.arguments:
        stop = start + w.shape(x)[1]
        parts.append(w.node("Pad", [w.name(x), w.numbers(0, start, 0, wide - stop)]))
        start = stop
    w.node("Concat", parts, w.out(s), axis=0)


@node("cross")
def _cross(w: Writer, s: Step) -> None:
    """x[i + 1] y[i + 2] − x[i + 2] y[i + 1], counted modulo 3."""
    after, before = w.constant(np.array([1, 2, 0])), w.constant(np.array([2, 0, 1]))
    x, y = (
        [w.node("Gather", [w.name(a), at], axis=s.attrs["dim"]) for at in (after, before)]
        for a in s.arguments
    )
    products = [w.node("Mul", [x[0], y[1]]), w.node("Mul", [x[1], y[0]])]
    w.node("Sub", products, w.out(s))


@node("tril", "triu")
def _triangle(w: Writer, s: Step) -> None:
    diagonal = s.attrs["diagonal"] if s.attrs else s.arguments[1]
    k = w.constant(np.asarray(diagonal, np.int64))
    w.node("Trilu", [w.name(s.arguments[0]), k], w.out(s), upper=int(s.name == "triu"))


@node("gather")
def _gather(w: Writer, s: Step) -> None:
    if not w.shape(s.arguments[0]) or not w.shape(s.arguments[1]):
        raise w.refuse(" of a number")
    w.node("GatherElements", [w.name(x) for x in s.arguments], w.out(s), axis=s.attrs["dim"])


@node("clone", "copy", "asarray", "laid", "positive")
def _clone(w: Writer, s: Step) -> None:
    x = s.arguments[1] if s.name == "copy" and len(s.arguments) > 1 else s.arguments[0]
    found = w.cast(x, w.dtype(s.result))
    if (w.shape(x) if type(x) is Ref else ()) != w.shape(s.result):
        found = w.node("Expand", [found, w.numbers(*w.shape(s.result))])
    w.node("Identity", [found], w.out(s))


@node("cast", "astype")
def _cast(w: Writer, s: Step) -> None:
    kind = w.onnx.helper.np_dtype_to_tensor_dtype(w.dtype(s.result))
    w.node("Cast", [w.name(s.arguments[0])], w.out(s), to=kind)


@node("embedding")
def _embedding(w: Writer, s: Step) -> None:
    w.node("Gather", [w.name(x) for x in s.arguments[:2]], w.out(s), axis=0)


@node("zeros", "ones", "full", "empty", "spaced", "arange", "eye", "zeros_like", "ones_like")
def _made(w: Writer, s: Step) -> None:
    """Made of numbers alone: computed now."""
    if any(n not in w.program.constants for n in s.reads()) and not s.name.endswith("_like"):
        raise w.refuse(" for a size or a value that depends on data")
    shape, like = w.shape(s.result), w.dtype(s.result)
    if s.name in ("empty", "zeros_like", "ones_like"):
        made: Array = np.full(shape, s.name == "ones_like", like)
    else:
        known = [w.known(x) if type(x) is Ref else x for x in s.arguments]
        made = np.asarray(s.function(*known, **s.attrs))
    w.node("Identity", [w.constant(made)], w.out(s))
