"""Steps whose results have as many elements as the data says, as nodes of ONNX: masks, nonzero.

They enter themselves into the table of onnx_nodes.py, and their sites into ``Writer.by_data``: the
steps after them know the number of the example, so onnx_out.py tries the model on other data.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .onnx_nodes import node
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Operand
    from .onnx_writer import Writer
    from .program import Step

WHOLE = (slice(None), Ellipsis)


def is_mask(w: Writer, part: Operand) -> bool:
    return type(part) is Ref and w.dtype(part).kind == "b"


def _note(w: Writer, counted: str, by: Operand) -> str:
    """Remember a value whose number of elements another one decides, unless that is constant."""
    if w.name(by) in w.varying:
        w.by_data.append(counted)
    return counted


def _only_mask(w: Writer, x: Operand, parts: Sequence[Operand]) -> tuple[int, Operand]:
    """Of an index by one mask and nothing else: the mask, and the first dimension that it is for.
    """
    found = [i for i, p in enumerate(parts) if is_mask(w, p)]
    if len(found) != 1 or any(p not in WHOLE for i, p in enumerate(parts) if i != found[0]):
        raise w.refuse(" for a mask among other indices")
    mask = parts[found[0]]
    axis = found[0]
    if Ellipsis in parts[: found[0]]:
        axis = len(w.shape(x)) - len(w.shape(mask)) - (len(parts) - found[0] - 1)
    return axis, mask


def masked(w: Writer, s: Step, x: Operand, parts: Sequence[Operand]) -> None:
    """``x[mask]``: the dimensions that the mask is for, as one, compressed."""
    axis, mask = _only_mask(w, x, parts)
    shape, n = w.shape(x), len(w.shape(mask))
    whole, chosen = w.name(x), w.name(mask)
    if not n:
        raise w.refuse(" for a mask that is one number")
    if n > 1:
        to = w.numbers(*shape[:axis], math.prod(shape[axis : axis + n]), *shape[axis + n :])
        whole, chosen = w.node("Reshape", [whole, to]), w.node("Reshape", [chosen, w.numbers(-1)])
    _note(w, w.node("Compress", [whole, chosen], w.out(s), axis=axis), mask)


def put_masked(w: Writer, s: Step, x: Operand, values: Operand, how: str) -> None:
    """``x[mask] = values``, for a mask of the first dimensions."""
    axis, mask = _only_mask(w, x, [*s.attrs["index"]])
    n, shape = len(w.shape(mask)), w.shape(x)
    if axis or not n:
        raise w.refuse(" for a mask of later dimensions")
    places = w.node("Transpose", [_note(w, w.node("NonZero", [w.name(mask)]), mask)], perm=[1, 0])
    many = w.node("Slice", [w.node("Shape", [places]), w.numbers(0), w.numbers(1)])
    size = w.node("Concat", [many, w.numbers(*shape[n:])], axis=0) if shape[n:] else many
    new = w.node("Expand", [w.cast(values, w.dtype(x)), size])
    w.node("ScatterND", [w.name(x), places, new], w.out(s), reduction=how)


@node("nonzero")
def _nonzero(w: Writer, s: Step) -> None:
    """One list of places for each dimension."""
    places = _note(w, w.node("NonZero", [w.name(s.arguments[0])]), s.arguments[0])
    for d, out in enumerate(w.outs(s)):
        w.node("Gather", [places, w.constant(np.asarray(d, np.int64))], out, axis=0)


@node("unique")
def _unique(w: Writer, s: Step) -> None:
    x, dim, outs = s.arguments[0], s.attrs["dim"], [*w.outs(s)]
    inverse = outs.pop(1) if s.attrs["inverse"] else ""
    counts = outs.pop(1) if s.attrs["counts"] else ""
    flat = w.fresh(f"{inverse}_flat") if inverse and dim is None else inverse
    w.several("Unique", [w.name(x)], _note(w, outs[0], x), "", flat, counts, sorted=1,
              **({} if dim is None else {"axis": dim}))  # fmt: skip
    if flat != inverse:
        w.node("Reshape", [flat, w.numbers(*w.shape(x))], inverse)
