"""A tensor's shape, and the shape or data that PyTorch's older constructors are given."""
from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np

from ..base.errors import message


def _size(n: SupportsIndex, place: int) -> int:
    try:
        return operator.index(n)
    except TypeError:
        kind = type(n).__name__
        what = f"torch.Size() takes an iterable of 'int' (item {place} is '{kind}')"
        raise TypeError(message(what)) from None


_item = tuple.__getitem__


class Size(tuple[int, ...]):
    """A tensor's shape: a tuple that prints as PyTorch's and knows its product."""

    __slots__ = ()
    __module__ = "microtorch"

    def __new__(cls, sizes: Iterable[SupportsIndex] = ()) -> Size:
        """RuntimeError and TypeError as PyTorch's for what is no size."""
        if type(sizes) is tuple:
            for n in sizes:
                if type(n) is not int:
                    break
            else:
                return tuple.__new__(cls, sizes)
        return tuple.__new__(cls, [_size(n, i) for i, n in enumerate(sizes)])

    def numel(self) -> int:
        """The number of elements of a tensor of this size."""
        return int(np.prod(self, dtype=np.int64))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, i: Any) -> Any:
        if type(i) is int:
            return _item(self, i)
        out = _item(self, i)
        return Size(out) if isinstance(i, slice) else out

    def __add__(self, other: Any) -> Size:
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple(self) + tuple(other))

    def __radd__(self, other: object) -> Size:
        return Size(other + tuple(self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, times: Any) -> Size:
        return Size(tuple(self) * times)

    __rmul__ = __mul__


def sizes_or_data(
    args: tuple[Any, ...], given: dict[str, object]
) -> tuple[tuple[int, ...] | None, Any]:
    """(shape, None) or (None, data), as ``Tensor``, ``FloatTensor`` and ``x.new`` are given them.

    Sizes are integers of any kind, a Size, or ``size=``; all else is data, or ``data=``. Raises
    TypeError for a single number that is no integer, and for what is neither; RuntimeError for a
    negative size.
    """
    shape, data = _sizes_or_data(args, given)
    if shape is not None and any(n < 0 for n in shape):
        negative = next(n for n in shape if n < 0)
        raise RuntimeError(
            message(f"Trying to create tensor with negative dimension {negative}: {list(shape)}")
        )
    return shape, data


def _sizes_or_data(
    args: tuple[Any, ...], given: dict[str, object]
) -> tuple[tuple[int, ...] | None, Any]:
    if str(given.get("device")) in ("None", "cpu"):
        given = {name: x for name, x in given.items() if name != "device"}
    if not args and not given:
        return (0,), None
    if len(given) == 1 and not args:
        if "data" in given:
            return None, given["data"]
        if isinstance(size := given.get("size"), (tuple, list)):
            return tuple(operator.index(n) for n in size), None
    elif given:
        pass
    elif len(args) == 1 and isinstance(args[0], Size):
        return tuple(args[0]), None
    elif len(args) == 1 and (
        isinstance(args[0], (bool, float, complex, str, dict, type(None)))
        or not (hasattr(args[0], "__getitem__") or hasattr(args[0], "__index__"))
    ):
        raise TypeError(
            message(
                f"new(): data must be a sequence (got {type(args[0]).__name__})",
                fix="torch.tensor(x) makes a tensor of one number",
            )
        )
    elif len(args) == 1 and hasattr(args[0], "array"):  # a tensor is data, even one number
        return None, args[0]
    else:
        try:
            return tuple(map(operator.index, args)), None
        except TypeError:
            if len(args) == 1:
                return None, args[0]
    raise TypeError(
        message("new(): invalid arguments", fix="torch.tensor([...]) makes a tensor of numbers")
    )
