"""Writes of values that are given: ``copy_``, ``fill_``, and ``x[index] = value``.

The ordinary cases are written at once, the rest by the ops that say what flows back.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..base import errors
from ..engine.argument_types import check_type
from ..engine.handle import Handle
from ..engine.operands import COERCE, NUMBERS, element, lone_element
from ..engine.record import constant, packers
from ..engine.unfollowed import unfollowed
from ..graph import mode, storage_of
from ..ops import index as indexing
from ..ops import index_parsing as parsing
from ..ops.arguments import as_element
from ..ops.node_names import rename
from ..ops.surface import FUNCTIONS
from .inplace import DISCARDS, apply_inplace, check_leaf, copy_op, put_straight, straight, type_name
from .memory import repeats_itself
from .methods import bind_methods
from .overlaps import (
    check_overlap,
    expanded,
    is_region,
    plain_array,
    same_elements,
)
from .views import renew_views, write_region
from .whole import requiring

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Argument, Array, DType, Index
    from .tensor import Tensor


def copy_(self: Tensor, other: Tensor, non_blocking: bool = False) -> Tensor:
    """Copy the elements of ``other`` (broadcast, converted to this dtype) into this tensor."""
    if non_blocking is not False:
        check_type("copy_", "non_blocking", "bool", non_blocking)
    if not isinstance(other, Handle):
        return copied_into(self, other, "copy")
    if other.node.op is unfollowed:
        other = _read(other, self)
    if straight(self, (other,)):
        out, dtype = other.array, self.array.dtype
        if out.dtype is not dtype and out.dtype.kind != "c":
            out = other.node.dev.cast(out, dtype)
        if put_straight(self, out, "copy"):
            return self
    # elements copied to themselves may also be expanded ones: each gets its own value
    return copied_into(self, other, "fill" if same_elements(self.array, other.array) else "copy")


def _read(x: Tensor, target: Tensor) -> Tensor:
    """``x``, to be copied into ``target``. Even a view that was overwritten (engine/unfollowed.py)
    may be, where whole numbers or masks keep no gradient of it.
    """
    read = x.node.op is unfollowed and target.array.dtype.kind not in "fcV"
    return x.detach() if read else x


def copied_into(self: Tensor, src: Tensor, name: str, apart: bool = False) -> Tensor:
    if hasattr(src, "node"):
        if src.node.dev.device is not self.node.dev.device:
            src = src.to(self.node.dev.device)
        if src.array.dtype.kind == "c" and self.array.dtype.kind in "fiu":
            errors.warn(DISCARDS, UserWarning)
    try:
        return apply_inplace(copy_op, self, (src,), None, name, apart)
    except ValueError:
        raise errors.broadcast_error(f"{name}_", [self, src]) from None


def fill_(self: Tensor, value: Tensor | AnyNumber) -> Tensor:
    """Set every element to ``value``."""
    if not isinstance(value, Handle):
        if _stored(self, (), value):
            return self
        copied_into(self, _of_dtype(value, self), "fill", apart=True)
        return rename(self, "FillBackward2") if self.node.op is copy_op else self
    if value.array.ndim:
        raise RuntimeError(
            errors.message(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value.array.ndim} dimensions."
            )
        )
    shares = type(value.array) is np.ndarray and np.may_share_memory(value.array, self.array)
    copied_into(self, value.clone() if shares else value, "copy", apart=True)
    if self.node.op is copy_op:
        rename(self, "FillBackward3")
    return requiring(self, value, name="FillBackward3")


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    a, node = self.array, self.node
    if type(a) is np.ndarray and not node.needs and self.origin is None and a.flags.writeable:
        storage = storage_of(node)
        storage.wrote("fill")  # before it is done, as in write()
        a.fill(0)
        if storage.views:
            renew_views(self)
        return self
    fill_(self, 0)
    return rename(self, "ZeroBackward0") if self.node.op is copy_op else self


FUNCTIONS.update(fill_=fill_, zero_=zero_)  # PyTorch has them as functions, too


INDICES = frozenset({dtypes.BOOL, dtypes.I64})
watchers = [0]  # how many want to be asked before memory is written (func/captured.py)


def _stored(t: Tensor, index: Any, value: Any) -> bool:
    """``setitem`` in the common case, at a fifth of the time; False where it is another.

    That is: no gradient flows; a number that the dtype holds is written where an index of integers
    and slices, a mask or a tensor of indices says, or a tensor of the same dtype with memory of its
    own where they say, but for masks.
    """
    a, node = t.array, t.node
    if type(a) is not np.ndarray or node.needs or watchers[0]:
        return False
    if t.origin is not None and t.origin[0].node.needs:
        return False
    place: Argument
    if isinstance(index, Handle):
        place, integers, writer = index.array, 0, "index_put"
        if type(place) is not np.ndarray or place.dtype not in INDICES:
            return False
        if not place.ndim or not place.size:  # numpy takes any mask without elements
            return False
        integers = 1 - place.ndim  # so many dimensions fewer has what it selects
    elif (found := parsing.basic(index, a.ndim)) is not None:
        (place, integers), writer = found, "fill"
    else:
        return False
    if type(value) is float or type(value) is int:
        kind = a.dtype.kind
        if kind in "fcV":
            if not -9e18 < value < 9e18 or (a.itemsize < 4 and not -6e4 < value < 6e4):
                return False
            if a.itemsize < 4:
                value = np.float32(value)  # by way of which PyTorch rounds it
        elif kind not in "iu" or not -9e18 < value < 9e18:
            return False
        else:
            value = int(value)
    elif isinstance(value, Handle) and (
        writer == "fill" or (place.dtype is dtypes.I64 and a.flags.c_contiguous)
    ):
        v = value.array
        if type(v) is not np.ndarray or v.dtype is not a.dtype or value.node.needs:
            return False
        if v.ndim:  # what shares no memory; a lone element is read before any is written
            if v.base is not None or v is a or v is a.base or v.ndim > a.ndim - integers:
                return False
        if writer == "fill" and v.ndim:
            writer = "copy"
        value = v
    else:
        return False
    storage = storage_of(node)
    before = storage.date()
    storage.wrote(writer)  # before it is done, as in write()
    try:
        a[place] = value
    except (IndexError, ValueError, OverflowError):
        storage.take_back(*before)
        return False  # nothing was written: the general case does it, or says what is wrong
    if storage.views:
        renew_views(t)
    return True


def _bound(t: Tensor, index: Argument, value: Argument) -> bool:
    """``setitem`` in the common case with a gradient, at a third of the time; False where it is
    another.

    That is: a tensor with memory of its own fills a part of one that is neither a view nor a leaf
    with gradient, and of which there are no other views.
    """
    if not isinstance(value, Handle) or t.origin is not None or not mode.get().grad:
        return False
    a, v, node = t.array, value.array, t.node
    if type(a) is not np.ndarray or type(v) is not np.ndarray or v.dtype is not a.dtype:
        return False
    if v.base is not None or v is a or v is a.base or not a.flags.writeable or packers:
        return False
    if node.hooks is not None or (node.op is None if node.needs else not value.node.needs):
        return False
    found = parsing.basic(index, a.ndim)
    if found is None:
        return False
    if node.storage is not None and any([view() is not None for view in node.storage.views]):
        return False
    place, integers = found
    try:
        region = a[place]
    except (IndexError, ValueError, TypeError):
        return False
    if region.size == a.size or region.shape != v.shape:
        return False
    op = indexing.select_op if integers else indexing.slice_op
    write_region(t, region, (op, {"index": place}), copy_op, value)
    return True


def setitem(t: Tensor, index: Index, value: Any) -> None:
    """``t[index] = value``: through a view for a basic index, else the in-place index_put."""
    if _stored(t, index, value) or _bound(t, index, value):
        return
    parsed, advanced = parsing.parse(index, t.array.shape)
    is_tensor = isinstance(value, Handle)
    if not hasattr(value, "node"):
        if type(value) in COERCE:
            value = COERCE[type(value)](value)
        elif type(value) is int and not -(2**63) <= value < 2**63:
            raise ValueError(errors.message("Overflow when unpacking long long", f"{value}"))
        else:
            value = _of_dtype(value, t, lone_element)
    if not advanced:
        _put_region(t, index, parsed, value)
    elif parsing.integers_apart(parsed) or _part_of_expanded(t, parsed):
        basic, arrays = parsing.integers_first(parsed)
        setitem(indexing.getitem(t, basic), arrays, value)
    else:
        _put_at_arrays(t, index, parsed, value, is_tensor)


def _put_at_arrays(
    t: Tensor, index: Index, parsed: parsing.Place, value: Tensor, is_tensor: bool
) -> None:
    """``t[index] = value`` for an index with arrays or masks: the in-place index_put.

    ``is_tensor``: was the value given as one? Then its dtype is that of ``t``.
    """
    given = value
    if value.array.dtype != t.array.dtype:
        at = [p for p in parsed if hasattr(p, "dtype")]
        fills = value.array.size == 1 and len(at) == 1 and at[0].dtype == np.bool_
        if is_tensor and not fills:
            raise RuntimeError(
                errors.message(
                    "Index put requires the source and destination dtypes match, got "
                    f"{type_name(t.array.dtype)} for the destination and "
                    f"{type_name(value.array.dtype)} for the source.",
                    fix="x[index] = value.to(x.dtype)",
                )
            )
        value = as_element(value, t) if fills else value.to(t.dtype)
    masks = [p.dtype is dtypes.BOOL and p.ndim > 0 for p in parsed if hasattr(p, "dtype")]
    if value.array.size == 1 and masks == [True]:
        parsing.refuse_bytes(index)
        value = value.clone()  # one number, read before it is written
    basic = parsing.integers_first(parsed)[0]
    whole = value.array.shape[:1] != (1,) and _selects_all(t, basic)
    check_overlap(t.array[basic], (value,), "index_put", whole=t if whole else True)
    if value.array.ndim > 1 and value.array.shape[0] == 1:  # numpy's masks do not drop it
        first = next((d for d, n in enumerate(value.array.shape) if n != 1), value.array.ndim)
        value = value.reshape(value.array.shape[first:])
    try:
        apply_inplace(indexing.index_put_op, t, (value,), {"index": parsed}, apart=True)
    except IndexError:
        parsed = parsing.of_nothing(parsed, t.array.shape)
        apply_inplace(indexing.index_put_op, t, (value,), {"index": parsed}, apart=True)
    if t.node.needs:
        indexing.keep_index(t, index)
    requiring(t, given, name="IndexPutBackward0")


def _put_region(t: Tensor, index: Index, parsed: parsing.Place, value: Tensor) -> None:
    """``t[index] = value`` for an index of integers and slices: a copy into that view."""
    region = t if parsing.is_whole(parsed, t.array.shape) else indexing.getitem(t, index)
    check_leaf(region, "copy")
    shape = region.array.shape
    if not value.array.ndim and shape:
        fill_(region, value)
        return
    source = expanded(plain_array(value.array), shape)
    if source is None:
        raise errors.ShapeError(
            errors.message(
                f"expand(torch.{value.array.dtype.name}{{{list(value.array.shape)}}}, "
                f"size={list(shape)}): the value does not fit the region it is assigned to",
                f"{errors.describe(t)}{parsing.index_text(parsed)} is {tuple(shape)}, the value is "
                f"{tuple(value.array.shape)}",
            )
        )
    one = is_region(source, t.array, parsed, region.array)
    if not one:
        check_overlap(region.array, (value,), "copy", whole=True, read=source)
    # numpy and PyTorch drop leading 1s here
    if value.array.ndim > len(shape):
        value = value.reshape(value.array.shape[value.array.ndim - len(shape) :])
    if value.node.op is unfollowed and value.array.shape == shape:  # else PyTorch expands it
        value = _read(value, t)
    copied_into(region, value, "fill" if one else "copy", apart=True)


def _selects_all(t: Tensor, basic: parsing.Place) -> bool:
    """Do the integers and slices of an index select all elements as they are?"""
    whole = basic if Ellipsis in basic else (*basic, Ellipsis)
    return parsing.is_whole(whole, t.array.shape)


def _part_of_expanded(t: Tensor, parsed: tuple[Any, ...]) -> bool:
    """Do integers and slices pick a part of a tensor that shows its elements several times?

    The part may show each of them once, as a row of an expanded row does.
    """
    if type(t.array) is not np.ndarray or not repeats_itself(t.array):
        return False
    return not _selects_all(t, parsing.integers_first(parsed)[0])


def _of_dtype(
    value: Any, like: Tensor, make: Callable[[AnyNumber, DType], Array] = element
) -> Tensor:
    """Numbers as a Tensor of the dtype of ``like``, on its device."""
    d = like.array.dtype
    number = type(value) in NUMBERS or isinstance(value, complex)
    if not number and not isinstance(value, (int, float, np.generic)):
        raise TypeError(
            errors.message(
                f"can't assign a {type(value).__name__} to a torch.{type_name(d)}Tensor",
                f"the tensor is {errors.describe(like)}",
                fix="torch.tensor(value)",
            )
        )
    array = make(value, d) if number else dtypes.converted(np.asarray(value), d)
    return constant(array, like.node.dev)


bind_methods({"__setitem__": setitem})
