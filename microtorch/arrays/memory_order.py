"""New arrays whose elements lie in memory in the order of another array's."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..base.types import Array, Shape


def outermost_first(x: Array) -> list[int]:
    """The dimensions of ``x`` in the order in which an element's place in memory depends on them.

    Dimensions without a stride of their own (expanded ones) stay where they are. Source: PyTorch's
    TensorIterator, which sorts by insertion from the last dimension on.
    """
    order = list(range(x.ndim))[::-1]
    for i in range(1, x.ndim):
        place = i
        for j in range(i - 1, -1, -1):
            inner, outer = order[j], order[place]
            stride, other = x.strides[inner], x.strides[outer]
            if stride == 0 or other == 0:
                continue
            if (stride, x.shape[inner]) > (other, x.shape[outer]):
                order[j], order[place], place = outer, inner, j
            elif stride < other:
                break
    return order[::-1]


def in_memory_order(x: Array, make: Callable[[Shape], Array]) -> Array:
    """An array of x's shape: what ``make`` makes, in rows, for the shape that x has in memory.

    So random numbers go to a transposed array in the order in which they go to its base.
    """
    if x.flags.c_contiguous:
        return make(x.shape)
    order = outermost_first(x)
    back = sorted(range(x.ndim), key=order.__getitem__)
    return make(tuple(x.shape[i] for i in order)).transpose(back)
