"""The index that a user wrote, as numpy takes it.

PyTorch and numpy differ in what a list, a mask, an integer among arrays and a second ``...`` mean,
and in the errors.
"""
from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..arrays.dtypes import I64
from ..base.errors import ShapeError, describe, message, warn
from ..engine.handle import Handle

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Attrs, Index, Shape
    from ..engine.op import Op
    from ..handles.tensor import Tensor

Place: TypeAlias = tuple[Any, ...]  # an index as numpy takes it
BOUNDS = (int, type(None))


def _is_sequence(part: object) -> bool:
    """Does it make a list that it stands in an index of several dimensions?"""
    several = isinstance(part, (list, tuple, slice, range)) or part is None or part is Ellipsis
    if several or isinstance(part, np.generic):  # a number of numpy's is one number, as an int is
        return several
    return hasattr(part, "node") or hasattr(part, "dtype")


def parse(index: Index, shape: Shape) -> tuple[Place, bool]:
    """(the index as numpy takes it, does it have arrays in it?).

    Raises IndexError, TypeError or ValueError as PyTorch does.
    """
    if type(index) is list and len(index) < 32 and any(map(_is_sequence, index)):
        warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq].",
        )
        index = tuple(index)
    parts: Place = index if isinstance(index, tuple) else (index,)
    out: list[Any] = []
    advanced, bare, used, dots = False, False, 0, 0
    for part in parts:
        if part is Ellipsis:
            dots += 1
        elif part is not None:
            used += 1
            if type(part) is slice:
                part = _slice(part)
            elif type(part) is not int:
                part = _array(part)
                if not isinstance(part, int):
                    advanced = True
                    if part.dtype.kind == "b":
                        used += part.ndim - 1
                        bare = bare or not part.size
        out.append(part)
    while dots > 1 and out[-1] is Ellipsis:
        out.pop()  # PyTorch allows a further one that stands for nothing
        dots -= 1
    if used > len(shape):
        what = f"too many indices for tensor of dimension {len(shape)}"
        if not shape and type(index) is int:  # what loss.data[0] of an old program meets
            what = "invalid index of a 0-dim tensor. Use `tensor.item()` in Python"
        raise IndexError(
            message(
                what,
                f"shape {shape}, index {index_text(parts)}",
                fix=_at_most(shape, masked=any(map(_is_mask, out))),
            )
        )
    if advanced and dots and used == len(shape):  # it stands for nothing, and so separates nothing
        out = [p for p in out if p is not Ellipsis]
    if bare and advanced:
        _check_masks(out, shape)
    if not advanced and not dots:
        out.append(Ellipsis)  # numpy then gives a view even where only integers are left
    return tuple(out), advanced


def _at_most(shape: Shape, masked: bool) -> str:
    if not shape:
        return "a 0-dim tensor is read with .item()"
    words = f"at most {len(shape)} indices" if len(shape) > 1 else "one index"
    return f"{words}; a mask is one for each of its dimensions" if masked else words


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and part.dtype.kind == "b"


def _check_masks(place: Sequence[Any], shape: Shape) -> None:
    """Raise IndexError for a mask of another shape than the dimensions that it stands for.

    numpy sees it, but takes any mask without elements.
    """
    parts = [p for p in place if p is not None and p is not Ellipsis]
    d = 0
    for p in place:
        if p is Ellipsis:
            d += len(shape) - sum([q.ndim if _is_mask(q) else 1 for q in parts])
        elif _is_mask(p):
            for i, n in enumerate(p.shape):
                if n != shape[d + i]:
                    raise IndexError(
                        message(
                            f"The shape of the mask {list(p.shape)} at index {i} does not match "
                            f"the shape of the indexed tensor {list(shape)} at index {d + i}"
                        )
                    )
            d += p.ndim
        elif p is not None:
            d += 1


def integers_apart(place: Place) -> bool:
    """Does an integer stand apart from the arrays of an index?

    numpy then counts it among them, and puts their dimensions first. In PyTorch integers select
    before, and only arrays that a slice separates come first: ``x[0, :, [1, 2]]``.
    """
    if int not in [type(p) for p in place]:
        return False
    takes = [i for i, p in enumerate(place) if type(p) is int or hasattr(p, "dtype")]
    return takes[-1] - takes[0] >= len(takes)


def integers_first(place: Place) -> tuple[Place, Place]:
    """An index as two: the integers, slices and None of it, and then its arrays."""
    basic: list[Any] = []
    arrays: list[Any] = []
    for p in place:
        if hasattr(p, "dtype"):
            if p.ndim == 0:  # True or False: a new dimension, of which it takes all or nothing
                basic.append(None)
                p = np.zeros(int(p), np.int64)
            else:
                basic += [slice(None)] * (p.ndim if p.dtype == bool else 1)
            arrays.append(p)
        elif p is Ellipsis:
            basic.append(p)
            arrays.append(p)
        else:
            basic.append(p)
            if type(p) is not int:
                arrays.append(slice(None))
    return tuple(basic), tuple(arrays)


def of_nothing(place: Place, shape: Shape) -> Place:
    """The place of no elements that an index out of range names: PyTorch lets it.

    Raises the IndexError that is being handled if it names an element.
    """
    if any(hasattr(p, "dtype") and type(p) is not np.ndarray for p in place):
        raise
    first = [p * 0 if hasattr(p, "dtype") and p.dtype != bool else p for p in place]
    try:
        if not np.broadcast_to(np.int8(0), shape)[tuple(first)].size:
            return tuple(first)
    except IndexError:
        pass
    raise  # called where one is handled


def _slice(s: slice) -> slice:
    if s.step is None and type(s.start) in BOUNDS and type(s.stop) in BOUNDS:
        return s
    if s.step is not None and s.step <= 0:
        raise ValueError(
            message(
                "step must be greater than zero",
                f"slice {index_text((s,))}",
                fix="torch.flip reverses a dimension",
            )
        )
    bounds = (s.start, s.stop, s.step)
    start, stop, step = (None if v is None else operator.index(v) for v in bounds)
    return slice(start, stop, step)


def _array(part: Any) -> Array | int:
    """An index tensor, list or array as an integer or bool array.

    A 0-d integer becomes a Python int, which selects.
    """
    if isinstance(part, Handle) and type(given := part.array) is np.ndarray and given.dtype is I64:
        return given.copy() if given.ndim else int(given)  # the common cases
    if isinstance(part, str):
        fix = "an index is a number, a slice, a list or a mask"
        raise TypeError(message("new(): invalid data type 'str'", f"index {part!r}", fix=fix))
    array: Array = part.array if hasattr(part, "node") else np.asarray(part)
    kind, ours = array.dtype.kind, hasattr(part, "node")
    if kind in "iu" and array.ndim == 0 and (array.dtype != np.uint8 or type(part) is np.uint8):
        # a number for each sample of a vmap selects for each
        return int(array) if not hasattr(array, "level") else array.copy()
    if array.dtype == np.int64 or array.dtype == np.int32:
        return array.copy()
    if array.dtype == np.uint8 and array.ndim:
        what = "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool"
        warn(f"{what} instead.")
    if kind == "b" or array.dtype == np.uint8:
        return array.astype(bool)
    if not ours and (kind in "iu" or not array.size):
        return array.astype(np.int64)
    if not array.ndim and not hasattr(part, "shape"):  # a float, a complex number, any object
        raise IndexError(
            message(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                f"are valid indices (got {type(part).__name__})",
                fix=f"int({part!r})" if kind == "f" else "",
            )
        )
    if not ours and kind == "f" and array.ndim:  # cut down to integers, as in PyTorch
        if not (np.abs(array) < 2**63).all():
            raise RuntimeError(message("value cannot be converted to type int64 without overflow"))
        return array.astype(np.int64)
    raise IndexError(
        message(
            "tensors used as indices must be long, int, byte or bool tensors",
            f"got {describe(array)}" if kind in "fciu" else f"got {type(part).__name__}",
            fix="index.long()" if kind in "fiu" else "",
        )
    )


def refuse_bytes(index: Index) -> None:
    """Raise for a mask of uint8, which PyTorch takes, but not to write one number at its places."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(p, Handle) and p.array.dtype == np.uint8 and p.array.ndim for p in parts):
        what = "masked_fill_ only supports boolean masks, but got mask with dtype unsigned char"
        raise RuntimeError(message(what, fix="x[mask.bool()] = number"))


def index_text(parts: Sequence[Any]) -> str:
    def one(p: Any) -> str:
        if isinstance(p, slice):
            bounds = (p.start, p.stop) if p.step is None else (p.start, p.stop, p.step)
            return ":".join("" if v is None else str(v) for v in bounds)
        return "..." if p is Ellipsis else describe(p) if hasattr(p, "shape") else repr(p)

    if len(parts) > 1 and parts[-1] is Ellipsis:  # which `parse` appends
        parts = parts[:-1]
    return f"[{', '.join(map(one, parts))}]"


def basic(index: Argument, ndim: int) -> tuple[Place, int] | None:
    """What ``parse`` makes of an index into ``ndim`` dimensions, at a third of the time, and how
    many integers are in it.

    None where it has more in it than integers, slices of step 1, None and one ``...``.
    """
    parts: Place = index if isinstance(index, tuple) else (index,)
    integers, slices, dots = 0, 0, False
    for part in parts:
        kind = type(part)
        if kind is int:
            integers += 1
        elif kind is slice:
            if part.step is not None:
                return None
            if type(part.start) not in BOUNDS or type(part.stop) not in BOUNDS:
                return None
            slices += 1
        elif part is Ellipsis and not dots:
            dots = True
        elif part is not None:
            return None
    if integers + slices > ndim:
        return None
    return parts if dots else (*parts, Ellipsis), integers


def is_whole(place: Place, shape: Shape) -> bool:
    """Does a basic index, parsed, say that it selects all elements as they are?

    ``[-n:]`` does not, of which PyTorch makes a view.
    """
    if any(type(p) is not slice and p is not Ellipsis for p in place):
        return False
    at = place.index(Ellipsis)  # which `parse` appends
    before, after = place[:at], place[at + 1 :]
    pairs = zip((*before, *after), (*shape[:at], *shape[len(shape) - len(after) :]), strict=True)
    return all(
        p.start in (None, 0) and p.stop in (None, n) and p.step in (None, 1) for p, n in pairs
    )


def explain_index(op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception) -> Exception:
    index, shape = attrs["index"], tensors[0].array.shape
    details = [f"shape {tuple(shape)}, index {index_text(index)}"]
    if len(tensors) > 1:
        details.append(f"value {describe(tensors[1])}")
    if isinstance(e, ValueError):
        return ShapeError(message(f"shape mismatch: {e}", *details))
    text = str(e).replace("axis", "dimension")
    if "boolean index did not match" in text:
        try:
            _check_masks(index, shape)
        except IndexError as error:
            return error
    if "boolean array indexing assignment" in text:
        return ShapeError(message(f"shape mismatch: {text}", *details))
    size = re.fullmatch(r"index -?\d+ is out of bounds for dimension \d+ with size (\d+)", text)
    n = int(size[1]) if size else 0
    return IndexError(message(text, *details, fix=f"indices run from {-n} to {n - 1}" if n else ""))
